"""Derived values, keys and seeds: whatever prints them gives a name and a mark, and what takes them apart is refused."""

from __future__ import annotations

import base64
import copy
import functools
import io
import json
import logging
import marshal
import pickle
import pprint
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import encoder, evaluate
from kiwi_core._derive.password import CredentialError, ScopeKey, Seed, derive_password
from kiwi_core._derive.taint import Derived, Tainted
from kiwi_core._model.late import Credential, Text
from kiwi_core.errors import KiwiError

SECRET = "Jejr5[RepuSosp, for tests only"
SEED = Seed(SECRET)
CREDENTIAL = Credential("onyx", "postgres")
DERIVED = Derived(CREDENTIAL, SECRET, "0123456789abcdef0123456789abcdef")
KEY = ScopeKey(SEED, "onyx")
TAINTED: tuple[Tainted, ...] = (DERIVED, SEED, KEY, Tainted(SECRET, "shown"))
IDS = ("derived", "seed", "key", "tainted")


@attrs.frozen
class Holder:
    """Something that holds one, as data of ours would."""

    item: Tainted


def looks(secret: str) -> set[str]:
    """A secret in the looks that it could leak in."""
    data = secret.encode()
    return {
        *(secret, secret[::-1], repr(secret), json.dumps(secret)[1:-1], quote(secret, safe=""), data.hex()),
        *(base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()),
    }


def logged(item: Tainted) -> str:
    stream = io.StringIO()
    logger = logging.getLogger("kiwi_core.test_taint")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.error("%s %r %10s %s", item, item, item, {"item": [item]}, extra={"item": item})
    logger.removeHandler(handler)
    return stream.getvalue()


def fail(item: Tainted) -> None:
    held = [item]
    raise ValueError(item, held)


def raised(item: Tainted) -> str:
    try:
        fail(item)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def compared(item: Tainted) -> str:
    try:
        assert item == "something else", f"{item} differs"
    except AssertionError as error:
        return str(error)
    return ""


WAYS: dict[str, Callable[[Tainted], str]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": lambda item: f"{item} {item!r} {item!s:>200} {item:^120} {'{}'.format(item)} {'%s' % item}",  # noqa: UP031, UP032 -- some of the ways
    "containers": lambda item: f"{[item]} {(item,)} { ({'a': item}) } { ({item}) }",
    "attrs": lambda item: f"{Holder(item)} {attrs.asdict(Holder(item))} {attrs.astuple(Holder(item))}",
    "pprint": pprint.pformat,
    "json": lambda item: json.dumps([item], default=str),
    "logging": logged,
    "traceback": raised,
    "assertion": compared,
    "copies": lambda item: f"{copy.copy(item)} {copy.deepcopy([item])} {copy.deepcopy(Holder(item))}",
    "hash": lambda item: str(hash(item)),
    "dir": lambda item: " ".join(dir(item)),
    "error": lambda item: str(KiwiError(f"{item} is wrong")),
}


@pytest.mark.parametrize("item", TAINTED, ids=IDS)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_printed_shows_no_secret(way: str, item: Tainted) -> None:
    printed = WAYS[way](item)
    secrets = looks(item.reveal()) | looks(SECRET)
    assert printed
    assert not [look for look in secrets if look in printed]


@pytest.mark.parametrize("way", [way for way in WAYS if way not in {"hash", "dir", "copies"}])
def test_each_of_these_ways_shows_the_mark(way: str) -> None:
    assert "onyx/postgres" in WAYS[way](DERIVED)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in {"hash", "dir", "assertion"}])
def test_each_of_these_ways_would_show_an_untainted_one(way: str) -> None:
    class Bare(Tainted):
        """The taint without its repr: the test of the tests above."""

        __slots__ = ()

        def __repr__(self) -> str:
            return self._value

    assert SECRET in WAYS[way](Bare(SECRET, "shown"))


# Any: most of these are no more than what a type checker refuses, too.
REFUSED: dict[str, Callable[[Any], object]] = {
    **{f"pickle {protocol}": functools.partial(pickle.dumps, protocol=protocol) for protocol in range(6)},
    "state": lambda item: item.__getstate__(),
    "json": json.dumps,
    "json of attrs": lambda item: json.dumps(attrs.asdict(Holder(item))),
    "marshal": marshal.dumps,
    "yaml": yaml.dump,
    "safe yaml": yaml.safe_dump,
    "vars": vars,
    "a new attribute": lambda item: setattr(item, "note", "x"),
    "another value": lambda item: setattr(item, "_value", "x"),
    "without a value": lambda item: delattr(item, "_value"),
    "join": "".join,
    "sum": lambda item: "password: " + item,
    "bytes": bytes,
    "list": list,
    "sort": lambda item: sorted([item, item]),
    "file": io.StringIO().write,
}


@pytest.mark.parametrize("item", TAINTED, ids=IDS)
@pytest.mark.parametrize("way", REFUSED)
def test_what_takes_it_apart_is_refused_and_says_no_secret(way: str, item: Tainted) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError, yaml.YAMLError)) as caught:
        REFUSED[way](item)
    assert not [look for look in looks(item.reveal()) if look in str(caught.value)]


def test_a_pickled_secret_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="<derived 'onyx/postgres' generation 1, 01234567> is a secret"):
        pickle.dumps({"a": [DERIVED]})


def test_the_mark_names_credential_generation_and_fingerprint() -> None:
    assert repr(DERIVED) == "<derived 'onyx/postgres' generation 1, 01234567>"
    assert str(Derived(Credential("a\nb", "'", 3), "x", "f" * 32)) == '<derived "a\\nb/\'" generation 3, ffffffff>'
    assert repr(SEED) == "<seed>"
    assert repr(KEY) == "<key of scope 'onyx'>"


def test_revealing_gives_the_value() -> None:
    assert DERIVED.reveal() == SEED.reveal() == SECRET


values = st.sampled_from(["", "a", "b", "é", "🥝"])
marks = st.sampled_from(["0" * 32, "1" * 32])
names = st.sampled_from([CREDENTIAL, Credential("onyx", "postgres", 2)])


@given(names, values, marks, names, values, marks)
def test_two_are_equal_when_credential_value_and_fingerprint_are(
    name: Credential, value: str, mark: str, other_name: Credential, other_value: str, other_mark: str
) -> None:
    one, other = Derived(name, value, mark), Derived(other_name, other_value, other_mark)
    assert (one == other) == ((name, value, mark) == (other_name, other_value, other_mark))
    assert one != other or hash(one) == hash(other)


def test_it_equals_neither_its_text_nor_another_kind() -> None:
    assert DERIVED != SECRET
    assert Tainted(SECRET, "seed") != SEED
    assert {DERIVED: "a"}[Derived(CREDENTIAL, SECRET, DERIVED.fingerprint)] == "a"


def test_the_hash_says_nothing_about_the_value() -> None:
    assert hash(Derived(CREDENTIAL, "a", "0" * 32)) == hash(Derived(CREDENTIAL, "b", "0" * 32))


def fail_in_derive_password() -> None:
    derive_password(f"{SECRET}\udcff", "user", "site")


def fail_by_name() -> None:
    derive_password(SECRET, "user", "site", template="x", counter=-1)


def fail_in_a_seed() -> None:
    Seed(f"{SECRET}\udcff")


def fail_in_derive_all() -> None:
    derive_all(SEED, [Credential("onyx", f"k{index}", 1, "pin", ("trunc:1",)) for index in range(11)])


def fail_in_evaluate() -> None:
    other = Credential("onyx", "redis")
    evaluate(Text(("a", CREDENTIAL, other)), {CREDENTIAL: DERIVED})


def fail_in_an_encoding() -> None:
    encoder(("sha1sum", "rot13"))


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (fail_in_derive_password, CredentialError),
        (fail_by_name, CredentialError),
        (fail_in_a_seed, CredentialError),
        (fail_in_derive_all, CredentialError),
        (fail_in_evaluate, KeyError),
        (fail_in_an_encoding, ValueError),
    ],
)
def test_a_traceback_with_locals_shows_no_secret(fail: Callable[[], None], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        fail()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert shown.__context__ is None
    # The frames of the code under test: those of the test and of pytest stand before them.
    frames = [frame for frame in shown.stack if "_derive" in frame.filename]
    printed = "".join(traceback.StackSummary.from_list(frames).format()) + repr([frame.locals for frame in frames])
    assert frames
    assert SECRET not in printed
    assert SECRET not in str(caught.value)
    assert DERIVED.fingerprint not in printed


def test_the_size_tells_nothing() -> None:
    assert sys.getsizeof(DERIVED) == sys.getsizeof(Derived(CREDENTIAL, SECRET * 9, "0" * 32))
