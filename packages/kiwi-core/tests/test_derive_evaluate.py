"""Late values come to what the emitted expressions give in the real Helm."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from urllib.parse import quote, unquote

import derive_vectors
import pytest
from derive_vectors import LATE_SEED, LATES, PINS
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import encoder, evaluate
from kiwi_core._derive.password import CLASSES, Seed
from kiwi_core._derive.taint import Derived
from kiwi_core._model.late import ENCODING, Credential, Late, Pin, Quoted, Text, parts_of, text, url

PASSWORD = Credential("onyx", "postgres")
OTHER = Credential("onyx", "redis")
DERIVED = {
    PASSWORD: Derived(PASSWORD, "a&b%c+d e/é", "0" * 32),
    OTHER: Derived(OTHER, "x", "1" * 32),
}
LETTERS = sorted({letter for letters in CLASSES.values() for letter in letters})

passwords = st.text(st.sampled_from(LETTERS), min_size=4, max_size=20)
prefixes = st.text(st.sampled_from(string.ascii_letters + string.digits + "_-"), min_size=1, max_size=8)
steps = (
    st.sampled_from(["sha1sum", "sha256sum", "b64enc"])
    | st.integers(1, 80).map("trunc:{}".format)
    | prefixes.map("prefix:{}".format)
)
encodings = st.lists(steps, max_size=5).map(tuple)


def test_late_values_come_to_what_the_real_helm_gave() -> None:
    derived = derive_all(
        Seed(LATE_SEED), [part for late in LATES for part in parts_of(late) if isinstance(part, Credential)]
    )
    _, expected = derive_vectors.read()
    assert [evaluate(late, derived, PINS) for late in LATES] == [*expected]


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ((), "ZedaFaxcZaso9*"),
        (("sha1sum",), "aa046068896769cc988f39c9f2c4e38f78e60724"),
        (("b64enc",), "WmVkYUZheGNaYXNvOSo="),
        (("trunc:4",), "Zeda"),
        (("trunc:400",), "ZedaFaxcZaso9*"),
        (("prefix:n",), "nZedaFaxcZaso9*"),
        (("trunc:3", "b64enc", "prefix:MC", "prefix:_"), "_MCWmVk"),
    ],
)
def test_each_step_does_as_it_is_called(encoding: tuple[str, ...], encoded: str) -> None:
    assert encoder(encoding)("ZedaFaxcZaso9*") == encoded


@given(passwords, encodings, encodings)
def test_an_encoding_is_its_steps_one_after_another(
    password: str, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    assert encoder(first + then)(password) == encoder(then)(encoder(first)(password))


@given(passwords, steps)
def test_every_step_that_the_model_allows_is_known_and_gives_ascii(password: str, step: str) -> None:
    assert ENCODING.fullmatch(step)
    assert encoder((step,))(password).isascii()


@given(passwords)
def test_the_hashes_are_of_the_bytes(password: str) -> None:
    assert encoder(("sha1sum",))(password) == hashlib.sha1(password.encode()).hexdigest()
    assert encoder(("sha256sum",))(password) == hashlib.sha256(password.encode()).hexdigest()
    assert base64.b64decode(encoder(("b64enc",))(password)) == password.encode()


@pytest.mark.parametrize("step", ["", "rot13", "sha512sum", "sha1sum ", "SHA1SUM"])
def test_an_unknown_step_is_refused(step: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"there is no encoding {step!r}")):
        encoder(("sha1sum", step))


# What breaks a consumer: a URL, a shell, YAML, and NATS, to which a leading digit makes a number.
@given(passwords, st.sampled_from(["sha1sum", "sha256sum"]), st.integers(8, 64))
def test_a_hash_is_safe_in_a_url_a_shell_and_yaml_and_with_a_letter_first_for_nats(
    password: str, step: str, length: int
) -> None:
    encoded = encoder((step, f"trunc:{length}", "prefix:n"))(password)
    assert re.fullmatch("n[0-9a-f]+", encoded)
    assert quote(encoded, safe="") == encoded


@given(passwords)
def test_a_quoted_password_is_read_back_from_a_url(password: str) -> None:
    found = evaluate(Quoted(PASSWORD), {PASSWORD: Derived(PASSWORD, password, "0" * 32)})
    assert re.fullmatch("(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+", found)
    assert unquote(found) == password


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("plain {{ text", "plain {{ text"),
        (PASSWORD, "a&b%c+d e/é"),
        (Quoted(PASSWORD), "a%26b%25c%2Bd%20e%2F%C3%A9"),
        (Pin("web", "name"), "ghcr.io/acme/web"),
        (Text(()), ""),
        (
            text("{u}:{p}@{i}/{u}", u=OTHER, p=url(PASSWORD), i=Pin("web", "repository")),
            "x:a%26b%25c%2Bd%20e%2F%C3%A9@acme/web/x",
        ),
    ],
)
def test_each_form_comes_to_its_value(value: str | Late, found: str) -> None:
    assert evaluate(value, DERIVED, PINS) == found


@given(st.lists(st.text() | st.sampled_from([PASSWORD, OTHER, Quoted(PASSWORD), Pin("web", "tag")]), max_size=6))
def test_a_text_is_its_segments_in_order(segments: list[str | Credential | Quoted | Pin]) -> None:
    found = evaluate(Text(tuple(segments)), DERIVED, PINS)
    assert found == "".join(evaluate(segment, DERIVED, PINS) for segment in segments)


@pytest.mark.parametrize("value", [Credential("onyx", "postgres", 2), Quoted(Credential("pg", "x")), Pin("api", "tag")])
def test_what_was_not_given_is_named(value: Late) -> None:
    with pytest.raises(KeyError):
        evaluate(value, DERIVED, PINS)


def test_a_pin_without_pins_is_an_error() -> None:
    with pytest.raises(KeyError, match="web"):
        evaluate(Pin("web", "tag"), DERIVED)


def test_a_late_value_of_no_known_form_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown late value"):
        evaluate(Late(), DERIVED)
