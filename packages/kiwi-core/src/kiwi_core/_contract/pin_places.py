"""Rule c in the values: a literal tag or image reference is a second place for a version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import StackRelease
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import effective, named_leaves, place
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.late import Late, Path, Pin, Value, parts_of, skeleton
from kiwi_core.errors import dotted

__all__ = ["check_places"]

LETTER = "c"

# What stands for a late part in a text: nothing that a reference could hold.
HOLE: Final = "\0"

# Image references (distribution/reference). One with or without a tag, as a value of its own …
REFERENCE: Final = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
)
# … one that its registry, and a tag with a digit, tell for an image whatever it is called …
FROM_REGISTRY: Final = re.compile(
    r"(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?/[a-z0-9][a-z0-9._/-]*:(?:latest|[\w.-]*\d[\w.-]*)"
)
# … one by its digest, one within a longer text such as an argument, and the name of a pin with a version behind it.
WITHIN: Final = re.compile(
    r"@sha256:[0-9a-f]{64}"
    r"|(?im:(?:^|[\s\"'{,-])image[\"']?\s*[=:]\s*[\"']?(?![a-z]+://)[\w.-]+(?:[/:][\w.-]+)*:[\w.-]+)"
    rf"|{HOLE}:[\w.-]+"
)
TAG_KEYS: Final = frozenset({"tag", "digest"})
IMAGE_TAG: Final = re.compile(r"(?i).*image_?(?:tag|version|digest)")
VERSION: Final = re.compile(r"latest|v?\d+\.\d+\.\d+.*")


def check_places(release: StackRelease) -> Iterator[Result]:
    """Look at every value of a release, late texts included."""
    tree = effective(release, release.capture) if release.capture else release.values
    for path, name, leaf in named_leaves(release):
        text = _text(leaf)
        if text and (_is_image(path, name, text, release.values) or _is_tag(path, name, text, tree, release)):
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} is the literal {text.replace(HOLE, '…')!r}: a second place for a version",
                where=place(release, path),
                fix="name the pin instead: repository, tag = bound.image('…'); the version stays in images.yaml",
            )


def _text(leaf: Value) -> str:
    if isinstance(leaf, Late):
        whole = any(isinstance(part, Pin) and part.part in {"tag", "reference"} for part in parts_of(leaf))
        return "" if whole else skeleton(leaf, lambda _: HOLE)
    # YAML makes numbers of tags such as 16 and 1.27.
    return "" if leaf is None or isinstance(leaf, bool | Mapping | list | tuple) else str(leaf)


def _is_image(path: Path, name: str, text: str, values: Mapping[str, Value]) -> bool:
    if FROM_REGISTRY.fullmatch(text) or WITHIN.search(text):
        return True
    found = REFERENCE.fullmatch(text) if "image" in name.lower() else None
    if found is None:
        return False
    # A container without a tag takes the newest image.
    is_container = path[-1:] == ("image",) and "name" in _beside(path, values)
    return bool(found["tag"]) or is_container


def _is_tag(path: Path, name: str, text: str, tree: Mapping[str, Value], release: StackRelease) -> bool:
    if IMAGE_TAG.fullmatch(name):
        return True
    above = str(path[-2]) if len(path) > 1 else ""
    of_image = "image" in above.lower() or not _beside(path, tree).keys().isdisjoint(
        {"repository", "registry", "image"}
    )
    if name in TAG_KEYS:
        # Without a capture nobody can say that it is the tag of something else.
        return of_image or release.capture is None
    return name == "version" and (of_image or above in {"", "global"}) and VERSION.fullmatch(text) is not None


def _beside(path: Path, tree: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the map that holds a value."""
    try:
        parent = get(tree, path[:-1])
    except KeyError:
        return {}
    return parent if isinstance(parent, Mapping) else {}
