"""Seeds: new ones are strong and safe to write anywhere, derived ones are one-way, weak ones are told without a word of them."""

from __future__ import annotations

import base64
import hashlib
import re
import string
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kiwi_core._derive.password import CredentialError, ScopeKey, Seed, derive_password
from kiwi_core._derive.seeds import MARK_PURPOSE, MARK_SCOPE, customer_seed, mark_of, new_seed, seed_problems
from kiwi_core._derive.taint import Tainted

PLATFORM = Seed("platform seed, for tests only")
FORM = re.compile(r"[A-P][A-Za-z0-9_-]{42}")
SHORT = "the seed is short: so few characters of these kinds hold fewer than 128 bits"
WORDS = "the seed looks typed: it reads like words"
REGULAR = "the seed looks typed: it repeats itself, or follows the alphabet or the rows of a keyboard"
PUBLISHED = "the seed is a published default or placeholder: everybody has it"
NEWLINE = "the seed ends with a newline, which would be part of it"
BLANKS = "the seed has blanks around it, which would be part of it"
INVISIBLE = "the seed holds a control character, or one that cannot be seen"

# Each takes a fifth of a second.
slow = settings(max_examples=5, deadline=None)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def messages(seed: str, *, weak_is_fine: bool = False) -> list[str]:
    return [problem.message for problem in seed_problems(Seed(seed), weak_is_fine=weak_is_fine)]


def test_new_seeds_differ_and_are_safe_to_write_anywhere() -> None:
    seeds = {new_seed().reveal() for _ in range(500)}
    assert len(seeds) == 500
    assert all(FORM.fullmatch(seed) for seed in seeds)
    # Every letter of the alphabet, and every bit of the first: nothing is cut off.
    assert {letter for seed in seeds for letter in seed} == {*string.ascii_letters, *string.digits, "-", "_"}
    assert {seed[0] for seed in seeds} == {*"ABCDEFGHIJKLMNOP"}


def test_new_seeds_are_strong() -> None:
    assert not [problem for _ in range(500) for problem in seed_problems(new_seed(), weak_is_fine=False)]


def test_a_new_seed_is_256_bits_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = bytes(range(100, 132))
    monkeypatch.setattr("secrets.token_bytes", {32: bits}.__getitem__)
    assert base64.urlsafe_b64decode("A" + new_seed().reveal()) == b"\0" + bits


@slow
@given(texts, texts)
@example("acme", "acm\u00e9")
@example("a/b", "b")
def test_customers_seeds_differ_by_slug_and_by_platform(one: str, other: str) -> None:
    found = customer_seed(PLATFORM, one)
    assert re.fullmatch("[0-9a-f]{64}", found.reveal())
    assert (found == customer_seed(PLATFORM, other)) == (one == other)
    assert found != customer_seed(Seed(one), one)
    assert messages(found.reveal()) == []


def test_a_customers_seed_is_the_same_everywhere() -> None:
    # What Helm gives for the template in its docstring (tests/test_seeds_helm.py); another one rotates everything.
    halves = [
        derive_password(PLATFORM.reveal(), "kiwistack/customer/acme", f"seed/{n}", template="maximum") for n in (1, 2)
    ]
    assert customer_seed(PLATFORM, "acme").reveal() == hashlib.sha256("".join(halves).encode()).hexdigest()


@pytest.mark.parametrize(
    ("slug", "message"),
    [("", "the slug '' is empty"), ("\udcff", "the slug '\\udcff' is not UTF-8: it holds a lone surrogate")],
)
def test_a_slug_that_names_nobody_is_refused(slug: str, message: str) -> None:
    with pytest.raises(CredentialError) as caught:
        customer_seed(PLATFORM, slug)
    assert [problem.message for problem in caught.value.problems] == [message]


@slow
@given(texts, texts)
@example("a", "a\n")
def test_marks_differ_for_different_seeds(one: str, other: str) -> None:
    found = mark_of(Seed(one))
    assert re.fullmatch("k[0-9a-f]{31}", found)
    assert (found == mark_of(Seed(other))) == (one == other)


def test_a_mark_is_what_the_template_gives() -> None:
    password = derive_password(PLATFORM.reveal(), "kiwistack", "seed", template="maximum")
    assert (MARK_SCOPE, MARK_PURPOSE) == ("kiwistack", "seed")
    assert mark_of(PLATFORM) == "k" + hashlib.sha256(password.encode()).hexdigest()[:31]


STRONG = {
    "openssl rand -hex 16": "7c2f0e9b6a41d583f0c97d12be64a835",
    "openssl rand -hex 32": "1f9d3c0b8e72a465d0f4b93a6ce81750c2e94fb7183da60594eb2d7f01c863ba",
    "openssl rand -base64 16": "q3Jx0fZk9WmT7vLpB2hYcg==",
    "openssl rand -base64 32": "pW8fV3xKz1qYd6RjH0u/LtGc7NbE2sMo+4XaQvZ9kTw=",
    "uuid": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    "base32": "K5QXG2DFOB4WYZLNNVUW4ZJWGM7A",
    "pwgen 24": "uo6Thahb0iexeeQuai4aiXo8",
    "beyond ASCII": "ж9ñ§Qx€ßzЮ7đ¥Wф3λΩpŁ2",
    "very long": "".join(hashlib.sha256(bytes([index])).hexdigest() for index in range(64)),
}
WEAK: dict[str, list[str]] = {
    "sovereign-workplace": [PUBLISHED],
    "Sovereign_Workplace": [PUBLISHED],
    "opendesk": [PUBLISHED],
    "changeme": [PUBLISHED],
    "Change-Me!123": [PUBLISHED],
    "<your-master-password>": [PUBLISHED],
    "x": [SHORT],
    "🥝": [SHORT],
    "7c2f0e9b6a41d583f0c97d12be64a83": [SHORT],
    "7C2F0E9B6A41D583F0C97D12BE64A83": [SHORT],
    "31415926535897932384626433832795028841": [SHORT],
    "q3Jx0fZk9WmT7vLpB2hYc": [SHORT],
    "correct horse battery staple, for tests only": [WORDS],
    "vivid-scarf-lunar-tulip-proxy-glide-kayak-mango": [WORDS],
    "Sommer2024!Winter2024!Herbst2024": [WORDS],
    "kiwistack-production-master-seed-2026": [WORDS],
    "ThisIsOurVeryLongMasterPassword123!": [WORDS],
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": [REGULAR],
    "qwertzuiopasdfghjklyxcvbnm1234567890": [REGULAR],
    "1q2w3e4r5t6z7u8i9o0p1q2w3e4r": [REGULAR],
    "0123456789abcdef0123456789abcdef": [REGULAR],
    "fedcba98765432100123456789ABCDEF": [REGULAR],
    "Xk9!Xk9!Xk9!Xk9!Xk9!Xk9!Xk9!": [REGULAR],
    "0110100110010110100101100110100110010110011010010110100110010110": [REGULAR],
    "abc123abc123": [SHORT, REGULAR],
}


@pytest.mark.parametrize("way", STRONG)
def test_what_a_machine_made_at_random_passes(way: str) -> None:
    assert messages(STRONG[way]) == []


@pytest.mark.parametrize("seed", WEAK)
def test_what_a_person_made_does_not(seed: str) -> None:
    assert messages(seed) == WEAK[seed]
    assert messages(seed, weak_is_fine=True) == []


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        *((f"{good}\n", NEWLINE) for good in ("x", STRONG["uuid"], "\t")),
        *(("x\r\n", NEWLINE), ("x\r", NEWLINE), ("\n", NEWLINE)),
        *((" x", BLANKS), ("x ", BLANKS), ("\tx", BLANKS), ("x\u00a0", BLANKS), (" ", BLANKS), ("x\u2028", BLANKS)),
        *(("a\nb", INVISIBLE), ("a\0", INVISIBLE), ("a\x7f", INVISIBLE), ("a\x85b", INVISIBLE)),
        *(("\ufeffa", INVISIBLE), ("a\u200bb", INVISIBLE), ("a\u2028b", INVISIBLE)),
    ],
)
@pytest.mark.parametrize("weak_is_fine", [True, False])
def test_what_would_be_read_differently_elsewhere_is_wrong_in_every_lane(
    seed: str, message: str, *, weak_is_fine: bool
) -> None:
    assert messages(seed, weak_is_fine=weak_is_fine) == [message]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_every_seed_has_an_answer_that_says_nothing_of_it(seed: str, weak_is_fine: bool) -> None:  # noqa: FBT001 -- hypothesis gives it
    said = {*messages(seed, weak_is_fine=weak_is_fine)}
    assert said <= {SHORT, WORDS, REGULAR, PUBLISHED, NEWLINE, BLANKS, INVISIBLE}
    assert said <= {NEWLINE, BLANKS, INVISIBLE} or not weak_is_fine


@given(st.binary(min_size=32, max_size=32))
def test_no_random_seed_of_256_bits_is_refused(secret: bytes) -> None:
    digest = hashlib.sha256(secret)  # hypothesis likes what repeats
    for seed in (
        digest.hexdigest(),
        base64.b64encode(digest.digest()).decode(),
        base64.b32encode(digest.digest()).decode(),
    ):
        assert messages(seed) == []


def test_the_hints_say_what_to_do() -> None:
    hints = [next(seed_problems(Seed(seed), weak_is_fine=False)).hint for seed in ("x", "x\n", "\ufeffx")]
    assert hints == [
        "`kiwistack secrets new-seed` makes one of 256 bits",
        "write it without: printf '%s' does, echo does not",
        "a byte order mark at the beginning of a file is one",
    ]


SEEDS = ("a", "é🥝", "\0", "x" * 70_000, PLATFORM.reveal())


@pytest.mark.parametrize("seed", SEEDS, ids=range(len(SEEDS)))
def test_libsodium_and_openssl_give_the_same_key(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nacl")
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "scrypt", None)
        found: Tainted = ScopeKey(Seed(seed), f"scope {seed}")
    monkeypatch.setitem(sys.modules, "nacl.bindings", None)
    assert found == ScopeKey(Seed(seed), f"scope {seed}")
