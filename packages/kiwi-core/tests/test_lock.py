"""Locks: the same bytes for the same credentials, no edit goes unnoticed, and what changed is named."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.lock import (
    Changes,
    Lock,
    LockEntry,
    compare,
    compare_names,
    dump_lock,
    load_lock,
    lock_of,
    names_of,
)
from kiwi_core._derive.password import CredentialError, Seed
from kiwi_core._derive.seeds import mark_of
from kiwi_core._model.late import LAST_GENERATION, Credential, Rotation
from kiwi_core.errors import InputError

SEED = Seed("correct horse battery staple, for tests only")
PASSWORD = Credential("onyx", "postgres/onyx")
CREDENTIALS = (
    PASSWORD,
    Credential("onyx", "redis", 3),
    Credential("onyx", "redis", 3, "medium", ()),
    Credential("dovecot", "doveadm", 1, "maximum", ("sha256sum", "trunc:20")),
    Credential("dovecot", "doveadm"),
)
NAMES = (
    "dovecot/doveadm",
    "dovecot/doveadm (maximum, sha256sum, trunc:20)",
    "onyx/postgres/onyx",
    "onyx/redis",
    "onyx/redis (medium)",
)

digits = st.text("0123456789abcdef", min_size=32, max_size=32)
names = st.text(min_size=1, max_size=12) | st.sampled_from(NAMES)
entries = st.builds(LockEntry, generation=st.integers(1, LAST_GENERATION), fingerprint=digits)
locks = st.builds(
    Lock, seed=digits.map(lambda text: f"k{text[1:]}"), credentials=st.dictionaries(names, entries, max_size=4)
)
LOCK = Lock(
    seed="k" + "0" * 31,
    credentials={
        "b/two": LockEntry(generation=2, fingerprint="b" * 32),
        "a/one": LockEntry(generation=1, fingerprint="a" * 32),
    },
)
FILE = """\
{
 "form": "secrets.lock/1",
 "about": "written by 'kiwistack secrets fingerprint', never by hand; it holds no secret",
 "digest": "sha256:DIGEST",
 "seed": "k0000000000000000000000000000000",
 "credentials": {
  "a/one": {"generation": 1, "fingerprint": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
  "b/two": {"generation": 2, "fingerprint": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
 }
}
"""


@pytest.fixture(scope="module")
def lock() -> Lock:
    return lock_of(SEED, CREDENTIALS)


def test_a_lock_holds_what_was_derived_under_the_seed(lock: Lock) -> None:
    derived = derive_all(SEED, CREDENTIALS)
    assert lock.seed == mark_of(SEED)
    assert tuple(lock.credentials) == NAMES
    fingerprints = {item.fingerprint for item in derived.values()}
    assert {entry.fingerprint for entry in lock.credentials.values()} == fingerprints
    assert len(fingerprints) == len(CREDENTIALS)
    assert lock.credentials["onyx/redis"] == LockEntry(
        generation=3, fingerprint=derived[Credential("onyx", "redis", 3)].fingerprint
    )


def test_a_lock_holds_no_secret(lock: Lock) -> None:
    written = dump_lock(lock).decode()
    for item in derive_all(SEED, CREDENTIALS).values():
        assert item.reveal() not in written
    assert SEED.reveal() not in written


def test_the_order_and_number_of_the_same_credentials_make_no_difference(lock: Lock) -> None:
    again = lock_of(SEED, [*reversed(CREDENTIALS), attrs.evolve(PASSWORD, rotation=Rotation.INIT)])
    assert dump_lock(again) == dump_lock(lock)


def test_a_lock_without_credentials_is_one() -> None:
    empty = lock_of(SEED, ())
    assert load_lock(dump_lock(empty)) == empty
    assert b' "credentials": {}\n}\n' in dump_lock(empty)


def test_a_file_reads_well_in_git() -> None:
    written = dump_lock(LOCK).decode()
    digest = json.loads(written)["digest"]
    assert written == FILE.replace("sha256:DIGEST", digest)
    other = attrs.evolve(LOCK.credentials["b/two"], generation=3)
    changed = dump_lock(attrs.evolve(LOCK, credentials={**LOCK.credentials, "b/two": other})).decode()
    differ = [new for old, new in zip(written.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert [line.split(":")[0].strip() for line in differ] == ['"digest"', '"b/two"']


@given(locks)
def test_any_lock_comes_back_from_its_file_byte_for_byte(lock: Lock) -> None:
    data = dump_lock(lock)
    assert load_lock(data) == lock
    assert dump_lock(load_lock(data)) == data
    assert dump_lock(attrs.evolve(lock, credentials=dict(reversed([*lock.credentials.items()])))) == data
    assert data.isascii()


@given(st.data())
def test_any_edit_of_a_byte_is_noticed(data: st.DataObject) -> None:
    good = dump_lock(LOCK)
    at = data.draw(st.integers(0, len(good)))
    how = data.draw(st.sampled_from(("change", "remove", "insert", "cut")))
    byte = bytes([data.draw(st.integers(0, 255))])
    edited = {
        "change": good[:at] + byte + good[at + 1 :],
        "remove": good[:at] + good[at + 1 :],
        "insert": good[:at] + byte + good[at:],
        "cut": good[:at],
    }[how]
    if edited == good:
        assert load_lock(edited) == LOCK
        return
    with pytest.raises(InputError) as caught:
        load_lock(edited, file="cust-acme/secrets.lock")
    (problem,) = caught.value.problems
    assert problem.where
    assert problem.where.file == "cust-acme/secrets.lock"
    assert problem.hint


def test_every_single_byte_counts() -> None:
    good = dump_lock(LOCK)
    for at in range(len(good)):
        with pytest.raises(InputError):
            load_lock(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])


BAD = {
    "edited": (("1, ", "2, "), "it was edited by hand, or its line ends were changed"),
    "line ends": (("\n", "\r\n"), "it was edited by hand, or its line ends were changed"),
    "a key twice": (('"seed"', '"form": "secrets.lock/1", "seed"'), "edited by hand"),
    "a key too many": (('"seed"', '"more": 1, "seed"'), "edited by hand"),
    "no JSON": (("{\n", "{,\n"), "secrets.lock:1: this is no JSON: "),
    "a conflict": ((' "seed"', '<<<<<<< HEAD\n "seed"'), "secrets.lock:5: found the marker of a git merge conflict"),
    "another file": (('"form"', '"from"'), "this is no secrets.lock"),
    "a newer one": (
        ("lock/1", "lock/2"),
        "its form is 'secrets.lock/2', expected 'secrets.lock/1'\n    update kiwi-core",
    ),
    "no seed": (('"seed"', '"sed"'), "it is not as it was written: 'seed' is not there"),
    "a short mark": (('"k0', '"k'), "'seed' must match"),
    "a short fingerprint": (("aaaa", ""), "'fingerprint' must match"),
    "generation 0": (('tion": 1', 'tion": 0'), "'generation' must be >= 1"),
    "a generation in words": (('tion": 1', 'tion": "1"'), "'generation' is '1', expected an integer"),
    "a generation that is true": (('tion": 1', 'tion": true'), "'generation' is True, expected an integer"),
    "a list": (('{"generation": 1', '[1], "c": {"generation": 1'), "'a/one' is [1], expected an object"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_lock_is_refused_with_a_word_on_why(case: str) -> None:
    (old, new), expected = BAD[case]
    good = dump_lock(LOCK).decode()
    bad = good.replace(old, new)
    assert bad != good
    with pytest.raises(InputError) as caught:
        load_lock(bad.encode())
    assert expected in str(caught.value)
    assert str(caught.value).startswith("secrets.lock")
    assert case == "a newer one" or "kiwistack secrets fingerprint" in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"1" * 5000, b"[" * 100_000, b'{"form": 1}', b"null", b"\xef\xbb\xbf{}"]
)
def test_what_is_nothing_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="this is no"):
        load_lock(data)


def test_a_lock_with_an_edit_that_somebody_hid_well_still_gives_other_fingerprints(lock: Lock) -> None:
    """The digest is no signature: who computes it anew is found out by the seed."""
    forged = attrs.evolve(
        lock, credentials={**lock.credentials, NAMES[0]: LockEntry(generation=1, fingerprint="0" * 32)}
    )
    assert compare(load_lock(dump_lock(forged)), lock) == Changes(changed=(NAMES[0],))


FORMS: dict[str, tuple[Sequence[Credential], Sequence[str]]] = {
    "usual": ([PASSWORD], ["onyx/postgres/onyx"]),
    "bare": ([Credential("a", "b", encoding=())], ["a/b (long)"]),
    "steps": (
        [Credential("a", "b", template="pin", encoding=("b64enc", "prefix:n"))],
        ["a/b (pin, b64enc, prefix:n)"],
    ),
    "two generations": (
        [Credential("a", "b", 3), Credential("a", "b", 2), Credential("a", "b", 1, encoding=())],
        ["a/b", "a/b (generation 2)", "a/b (long)"],
    ),
    "two of an unusual form": (
        [Credential("a", "b", 2, "pin", ()), Credential("a", "b", 1, "pin", ())],
        ["a/b (pin)", "a/b (pin, generation 1)"],
    ),
}


@pytest.mark.parametrize("case", FORMS)
def test_names_say_what_is_unusual(case: str) -> None:
    credentials, expected = FORMS[case]
    assert list(names_of(credentials)) == expected
    assert set(names_of(credentials).values()) == set(credentials)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Credential("a/b", "c"), Credential("a", "b/c")),
        (Credential("a", "b (long)"), Credential("a", "b", encoding=())),
    ],
)
def test_two_credentials_of_one_name_are_refused(one: Credential, other: Credential) -> None:
    with pytest.raises(CredentialError, match=r"would both be 'a/b.*' in secrets\.lock"):
        names_of([one, other])


def test_a_lock_of_itself_has_no_changes(lock: Lock) -> None:
    assert not compare(lock, lock)


def test_changes_are_told_by_their_kind() -> None:
    entry = LockEntry(generation=1, fingerprint="0" * 32)
    other = attrs.evolve(entry, fingerprint="1" * 32)
    mark = "k" + "0" * 31
    old = Lock(seed=mark, credentials=dict.fromkeys(("same", "gone", "formed", "turned", "odd"), entry))
    new = Lock(
        seed=mark,
        credentials={
            **dict.fromkeys(("same", "come", "come (long)"), entry),
            "formed (medium, sha1sum)": other,
            "turned": attrs.evolve(other, generation=2),
            "odd": other,
        },
    )
    expected = Changes(
        added=("come", "come (long)"),
        removed=("gone",),
        reformed=(("formed", "formed (medium, sha1sum)"),),
        rotated={"turned": (1, 2)},
        changed=("odd",),
    )
    assert compare(old, new) == expected
    assert expected
    generations = [{name: item.generation for name, item in lock.credentials.items()} for lock in (old, new)]
    assert compare_names(*generations) == attrs.evolve(expected, changed=())


def test_another_seed_is_told_and_changes_everything(lock: Lock) -> None:
    other = lock_of(Seed("another seed, for tests only too"), CREDENTIALS)
    assert compare(lock, other) == Changes(is_other_seed=True, changed=NAMES)


def test_a_rotation_changes_one_credential_and_no_other(lock: Lock) -> None:
    rotated = [attrs.evolve(late, generation=2) if late == PASSWORD else late for late in CREDENTIALS]
    assert compare(lock, lock_of(SEED, rotated)) == Changes(rotated={"onyx/postgres/onyx": (1, 2)})


@settings(max_examples=30)
@given(st.dictionaries(names, st.integers(1, 3)), st.dictionaries(names, st.integers(1, 3)))
def test_every_name_is_told_once_or_is_as_it_was(old: dict[str, int], new: dict[str, int]) -> None:
    found = compare_names(old, new)
    pairs = [name for pair in found.reformed for name in pair]
    told = [*found.added, *found.removed, *found.rotated, *pairs]
    assert len(told) == len(set(told))
    assert set(told) == {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
