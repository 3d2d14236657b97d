"""The real Helm derives what we derive, over random inputs, and does with bad ones what our errors say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helm_actions import helm_prints, helm_says
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiwi_core import Credential, Pin, Text
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import evaluate
from kiwi_core._derive.password import LAST_COUNTER, Seed, derive_password
from kiwi_core._emit.writing import expression, go_string
from kiwi_core._model.late import ENCODING, TEMPLATES, Late, Quoted, parts_of
from kiwi_core._model.pins import ImagePin, Pins

pytestmark = pytest.mark.real_server

SEED = "correct horse battery staple, for tests only"
IMAGES = {"web": {"registry": "ghcr.io", "repository": "acme/web", "tag": f"v1@sha256:{'0a' * 32}"}}
PINS = Pins(images={name: ImagePin(**image) for name, image in IMAGES.items()})
HOSTILE = [
    "{{",
    "}}",
    "`",
    '"',
    "'",
    "\\",
    "\n",
    "\x00",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\uffff",
    "ref+",
    "e\u0301",
    "🥝",
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.lists(st.sampled_from(HOSTILE)).map("".join)
names = texts.filter(bool)
steps = st.from_regex(ENCODING, fullmatch=True).filter(lambda step: len(step) < 15)
# Few scopes and many purposes, as tenants have them; each is a key that takes us a fifth of a second.
credentials = st.builds(
    Credential,
    st.sampled_from(["onyx", *HOSTILE]),
    names,
    st.sampled_from([1, 2, 2**31, LAST_COUNTER]) | st.integers(1, LAST_COUNTER),
    st.sampled_from(TEMPLATES),
    st.lists(steps, max_size=4).map(tuple),
)
pins = st.builds(Pin, st.just("web"), st.sampled_from(["registry", "repository", "name", "tag", "reference"]))
segments = texts | pins | credentials | st.builds(Quoted, credentials)
lates: st.SearchStrategy[Late] = (
    credentials | st.builds(Quoted, credentials) | st.lists(segments, max_size=4).map(lambda parts: Text(tuple(parts)))
)

HANDED = re.compile(r'\(env "KIWISTACK_[0-9A-F]{24}"\)')
"""What was handed over, by a function of helmfile's that Helm does not have: nothing, here."""


def action(seed: str, user: str, site: str, template: str, counter: int) -> str:
    """A template action that derives a password."""
    names = " ".join(map(go_string, (seed, user, site)))
    return f"{{{{ derivePassword {counter} {go_string(template)} {names} | toJson }}}}"


# Helm takes a quarter of a second for each password: few runs of many cases.
slow = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@slow
@given(
    st.lists(
        st.tuples(names, names, names, st.sampled_from(TEMPLATES), st.integers(0, LAST_COUNTER)),
        min_size=12,
        max_size=15,
    )
)
def test_any_password_is_the_one_that_helm_derives(helm: Path, cases: list[tuple[str, str, str, str, int]]) -> None:
    expected = helm_prints(helm, [action(*case) for case in cases])
    found = [
        derive_password(seed, user, site, template=template, counter=counter)
        for seed, user, site, template, counter in cases
    ]
    assert found == [*expected]


@slow
@given(st.lists(lates, min_size=12, max_size=15))
def test_any_late_value_is_what_helm_makes_of_its_expression(helm: Path, cases: list[Late]) -> None:
    asked = [part for late in cases for part in parts_of(late) if isinstance(part, Credential)]
    values = [derive_all(Seed(SEED), [credential])[credential] for credential in dict.fromkeys(asked)]
    derived = {item.credential: item for item in values}
    assert [evaluate(late, derived, PINS) for late in cases] == [*through_helm(helm, cases)]


def through_helm(helm: Path, cases: list[Late]) -> tuple[str, ...]:
    """What late values are in Helm, as the emitter writes them."""
    seed = '(requiredEnv "MASTER_PASSWORD")'  # a function of helmfile's
    return helm_prints(
        helm, [HANDED.sub('""', expression(late)).replace(seed, go_string(SEED)) for late in cases], {"images": IMAGES}
    )


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_both_helms_agree_on_every_template_and_very_long_inputs(request: pytest.FixtureRequest, version: str) -> None:
    cases = [
        *(("password", "user", "example.com", template, 1) for template in TEMPLATES),
        ("é" * 3000, "🥝" * 20_000, "site", "maximum", LAST_COUNTER),
        ("\x00", "\x00", "s" * 70_000, "maximum", 0),
    ]
    expected = helm_prints(request.getfixturevalue(version), [action(*case) for case in cases])
    found = [derive_password(*case[:3], template=case[3], counter=case[4]) for case in cases]
    assert found == [*expected]


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_helm_does_with_bad_input_what_our_errors_say(request: pytest.FixtureRequest, version: str) -> None:
    helm: Path = request.getfixturevalue(version)
    unknown = action("password", "user", "site", "lnog", 1)
    wrapped = action("password", "user", "site", "long", 2**32 + 1)
    seedless = action("", "user", "site", "long", 1)
    assert helm_prints(helm, [unknown, wrapped, seedless]) == (
        "cannot find password template lnog",
        derive_password("password", "user", "site"),
        "Lebv7.JawiPige",  # which everybody can have
    )
    assert "expected unsigned integer" in helm_says(helm, action("password", "user", "site", "long", -1))
