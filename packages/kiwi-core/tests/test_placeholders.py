"""A placeholder has the form of the value, tells nothing of it, and is found again wherever a chart takes it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Credential, External, Pin, Value, text, url
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import evaluate
from kiwi_core._derive.lock import Lock, lock_of
from kiwi_core._derive.password import Seed
from kiwi_core._derive.placeholders import PREFIX, Placeholders, fill
from kiwi_core._model.late import TEMPLATES
from kiwi_core._model.pins import ImagePin, Pins

SEED = Seed("correct horse battery staple, for tests only")
PASSWORD = Credential("app", "postgres/app")
FORMS = (
    PASSWORD,
    Credential("app", "long", 1, "long", ()),
    Credential("app", "maximum", 1, "maximum", ()),
    Credential("app", "cut", 1, "long", ("sha256sum", "trunc:32")),
    Credential("app", "prefixed", 1, "long", ("sha1sum", "prefix:sk-")),
    Credential("app", "encoded", 1, "long", ("sha256sum", "b64enc")),
    Credential("app", "twice", 1, "long", ("b64enc", "sha1sum", "trunc:20", "b64enc")),
)
LICENCE = External("licence", "nobody derives it")
PINS = Pins(images={"app": ImagePin(registry="docker.io", repository="acme/app", tag="v1")})
LOCK = lock_of(SEED, FORMS)


def marks(lock: Lock | None = LOCK) -> Placeholders:
    return Placeholders(FORMS, (LICENCE,), lock)


@pytest.mark.parametrize("late", FORMS, ids=lambda late: late.purpose)
def test_a_placeholder_is_as_long_as_the_value_and_begins_as_its_encoding_has_it(late: Credential) -> None:
    value = derive_all(SEED, [late])[late].reveal()
    for lock in (LOCK, None):
        found = marks(lock)[late]
        assert len(found) == len(value)
        assert found.startswith("sk-") == value.startswith("sk-")
        assert found != value
        if late.encoding[-1:] == ("b64enc",):
            assert PREFIX in base64.b64decode(found).decode()
        else:
            assert PREFIX in found


def test_it_shows_the_fingerprint_of_the_lock_and_where_there_is_none_says_so() -> None:
    fingerprint = LOCK.credentials["app/postgres/app"].fingerprint
    assert marks()[PASSWORD].startswith(f"fp-{fingerprint}")
    assert marks(None)[PASSWORD].startswith("nofp-")
    assert marks()[LICENCE].startswith("nofp-")
    assert fingerprint[:8] not in marks(None)[PASSWORD]


def test_another_generation_than_the_one_that_was_deployed_has_no_fingerprint() -> None:
    rotated = Credential("app", "postgres/app", 2)
    assert Placeholders((rotated,), (), LOCK)[rotated].startswith("nofp-")


def test_what_is_too_short_to_be_found_again_is_longer() -> None:
    for template in TEMPLATES:
        late = Credential("x", "y", 1, template, ())
        assert len(Placeholders((late,), (), None)[late]) >= 12


@given(st.sampled_from(FORMS), st.text(max_size=40), st.text(max_size=40), st.integers(0, 2))
def test_it_is_found_again_in_any_text_and_in_base64(late: Credential, before: str, after: str, times: int) -> None:
    found = marks()
    held = f"{before} {found[late]} {after}"
    for _ in range(times):
        held = f"{before} {base64.b64encode(held.encode(errors='replace')).decode()} {after}"
    name = next(name for text, name in found.names.items() if text == found[late])
    assert name in found.found_in(held)


@given(st.text(max_size=200))
def test_nothing_is_found_where_nothing_is(some: str) -> None:
    assert marks().found_in(some) == frozenset()
    assert Placeholders((), (), None).found_in(some) == frozenset()


def test_a_tree_is_filled_as_it_is_at_deploy() -> None:
    dsn = text("postgres://u:{p}@{i}/x", p=url(PASSWORD), i=Pin("app", "reference"))
    derived = derive_all(SEED, FORMS)
    tree: Value = {
        "a": [PASSWORD, 1, None, True],
        "b": {"dsn": dsn, "tag": Pin("app", "tag")},
        "c": "plain",
        "d": LICENCE,
    }
    filled = fill(tree, lambda late: derived[late].reveal() if isinstance(late, Credential) else "licence", PINS)
    assert filled == {
        "a": [derived[PASSWORD].reveal(), 1, None, True],
        "b": {"dsn": evaluate(dsn, derived, PINS), "tag": "v1"},
        "c": "plain",
        "d": "licence",
    }
