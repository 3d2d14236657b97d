"""Vectors of derivation: what the real Helm gives for fixed and for random inputs.

``python derive_vectors.py HELM > derive_vectors.json`` makes them anew; it takes Helm one to two minutes. Every random choice
comes from a fixed seed, so that one Helm gives one file.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kiwi_core._model.late import TEMPLATES, Credential, Late, Pin, Quoted, Text, text, url
from kiwi_core._model.pins import ImagePin, Pins

__all__ = ["FILE", "IMAGES", "LATES", "LATE_SEED", "Group", "Site", "groups", "read"]

FILE: Final = Path(__file__).with_name("derive_vectors.json")


class Site(NamedTuple):
    """What is derived for one user, and the password."""

    site: str
    template: str
    counter: int
    password: str


class Group(NamedTuple):
    """What is derived under one key."""

    seed: str
    user: str
    sites: tuple[Site, ...]


COUNTERS: Final = (0, 1, 2, 255, 65536, 2**31 - 1, 2**31, 2**32 - 1)
USERS: Final = (
    ("password", "user"),
    ("banana colored duckling", "Robert Lee Mitchell"),
    ("sovereign-workplace", "cn=admin"),
    ("x", "x"),
    (" ", " "),
    ("Zo\u00eb", "Zo\u00eb"),
    ("Zo\u00eb", "Zoe\u0308"),
    ("🥝" * 20, "キウイ🥝"),
    ("\u202e\u2028\ufeff\uffff", "\U0010ffff\x7f\x85"),
    ("nul\x00byte", "\x00"),
    ("nul", "\x00\x00\x00\x01user"),
    ('"`{{ fail }}$(id)\\', "ref+echo://x\n\r\t"),
    ("k" * 64, "u" * 255),
    ("k" * 65, "u" * 256),
    ("é" * 500, "ü" * 700),
)
SITES: Final = (
    "example.com",
    "postgres/onyx",
    "\x00",
    "キウイ🥝",
    "e\u0301",
    "{{ `'\" }}\\",
    "s" * 300,
    "\U0010ffff",
    "\n",
)
# Texts of every plane and length of UTF-8, what templates and YAML take for syntax among them.
LETTERS: Final = (
    *("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789" * 3),
    *"-_./=@ \t\n\r\x00\x01\x1f\x7f\x80\x85\xa0\xad",
    *"{}[]`'\"\\$%&|#*?:;<>,~^!+()",
    *"ßéüÿĀ\u0301\u0308\u07ff\u0800\u200b\u202e\u2028\u2029キウ한漢\ufeff\ufffd\ufffe\uffff\U00010000🥝\U0010ffff",
)

HANDED = re.compile(r'\(env "KIWISTACK_[0-9A-F]{24}"\)')
"""What was handed over, by a function of helmfile's that Helm does not have: nothing, here."""

LATE_SEED: Final = "a seed for late values, for tests only"
IMAGES: Final = {
    "web": {"registry": "ghcr.io", "repository": "acme/web", "tag": f"v1.2@sha256:{'0a' * 32}"},
    'a "b" {{': {"registry": "localhost:5000", "repository": "x", "tag": "1"},
}
PINS: Final = Pins(images={name: ImagePin(**image) for name, image in IMAGES.items()})


def _credentials() -> Iterable[Credential]:
    encodings = (
        *((), ("sha1sum",), ("sha256sum",), ("b64enc",), ("trunc:1",), ("trunc:64",), ("prefix:n",)),
        *(("b64enc", "b64enc"), ("sha1sum", "trunc:20", "b64enc", "prefix:MC"), ("prefix:_-9", "b64enc", "sha256sum")),
        *(("sha256sum", "sha1sum"), ("trunc:7", "sha1sum"), ("trunc:4", "b64enc", "trunc:7", "prefix:a", "prefix:b")),
    )
    for index, encoding in enumerate(encodings):
        for generation in (1, 2 + 1000003 * index):
            yield Credential("nubus", f"p{index % 3}", generation, TEMPLATES[index % len(TEMPLATES)], encoding)
    # Passwords with characters that a URL, JSON or HTML takes for something else: & + % = # ? / ~ < >.
    for generation in range(1, 11):
        yield Credential("a\u2028{{ ref+🥝\x00", "s\n`\"'", generation, "maximum", ())


def _lates() -> Iterable[Late]:
    credentials = tuple(_credentials())
    raw = [credential for credential in credentials if not credential.encoding]
    yield from credentials
    yield from map(Quoted, raw)
    for name in IMAGES:
        for part in ("registry", "repository", "name", "tag", "reference"):
            yield Pin(name, part)
    tag = Pin("web", "tag")
    for one, other in itertools.pairwise(raw):
        yield text("postgresql://{u}:{p}@h/onyx?a={q}&t={t}", u=one, p=url(other), q=other, t=tag)
    yield Text(())
    yield Text(('{"\\\n\u2028', raw[0], "}{{", raw[1], raw[2], '"', tag, "\ufeff\x85ref+<&>"))


LATES: Final = tuple(_lates())
"""Late values of every form, in the order of what Helm gives for them."""


def groups() -> tuple[Group, ...]:
    """Return the inputs, without the passwords."""
    chance = random.Random(2026)
    found: list[Group] = []
    for seed, user in (*USERS, *((_text(chance, 40), _text(chance, 20)) for _ in range(12))):
        sites: list[Site] = []
        for template in TEMPLATES:
            sites.append(Site(chance.choice(SITES), template, chance.choice(COUNTERS), ""))
            sites.append(Site(_text(chance, 30), template, chance.randrange(2**32), ""))
        found.append(Group(seed, user, tuple(sites)))
    return tuple(found)


def _text(chance: random.Random, longest: int) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(1, longest)))


def read() -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """Return the vectors: the groups with their passwords, and what :data:`LATES` come to."""
    found = json.loads(FILE.read_bytes())
    made = tuple(Group(seed, user, tuple(Site(*site) for site in sites)) for seed, user, sites in found["passwords"])
    return made, tuple(found["lates"])


def actions(inputs: Sequence[Group]) -> list[str]:
    """Return a template action for each site."""
    from kiwi_core._emit.writing import go_string

    return [
        f'{{{{ derivePassword {site.counter} "{site.template}" {go_string(group.seed)} {go_string(group.user)} '
        f"{go_string(site.site)} | toJson }}}}"
        for group in inputs
        for site in group.sites
    ]


def late_actions(lates: Iterable[Late], seed: str) -> list[str]:
    """Return late values as they are emitted, with the seed in the place of helmfile's look into the environment."""
    from kiwi_core._emit.writing import expression, go_string

    asked = '(requiredEnv "MASTER_PASSWORD")'
    return [HANDED.sub('""', expression(late)).replace(asked, go_string(seed)) for late in lates]


def main() -> None:
    """Make the vectors, one line for each group and each late value."""
    sys.path.append(str(Path(__file__).parents[3] / "tests"))
    from helm_actions import helm_prints

    inputs = groups()
    # Both in one run each: Helm takes a quarter of a second for every password.
    passwords = iter(helm_prints(Path(sys.argv[1]), actions(inputs)))
    lates = helm_prints(Path(sys.argv[1]), late_actions(LATES, LATE_SEED), {"images": IMAGES})
    made = [(seed, user, [[*site[:3], next(passwords)] for site in sites]) for seed, user, sites in inputs]
    lines = ",\n".join(json.dumps(group, separators=(",", ":")) for group in made)
    late_lines = ",\n".join(map(json.dumps, lates))
    sys.stdout.write(f'{{"passwords":[\n{lines}\n],\n"lates":[\n{late_lines}\n]}}\n')


if __name__ == "__main__":
    main()
