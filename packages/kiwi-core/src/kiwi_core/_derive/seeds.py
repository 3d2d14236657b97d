"""Seeds: new ones, a customer's from the platform's, the mark that is safe to show, and what makes a seed a bad one."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets
import unicodedata
from collections.abc import Iterator
from typing import Final

from kiwi_core._derive.evaluate import encoder
from kiwi_core._derive.password import CredentialError, ScopeKey, Seed, text_problems
from kiwi_core.errors import Problem, raise_all

__all__ = [
    "FEWEST_BITS",
    "MARK_PURPOSE",
    "MARK_SCOPE",
    "customer_seed",
    "mark_of",
    "new_seed",
    "seed_problems",
]

FEWEST_BITS: Final = 128
"""What a seed must hold: who has ``secrets.lock`` can try seeds against it, at the price of one scrypt each."""

MARK_SCOPE: Final = "kiwistack"
MARK_PURPOSE: Final = "seed"

CUSTOMER_SCOPE: Final = "kiwistack/customer/"
CUSTOMER_PURPOSES: Final = ("seed/1", "seed/2")

_HINT: Final = "`kiwistack secrets new-seed` makes one of 256 bits"

_PUBLISHED: Final = frozenset(
    {
        # What openDesk derives from where MASTER_PASSWORD is not set (its secrets.yaml.gotmpl).
        *("sovereignworkplace", "opendesk"),
        *("changeme", "changethis", "changeit", "default", "dummy", "example", "fixme", "insecure", "kiwistack"),
        *("masterpassword", "masterseed", "mymasterpassword", "mypassword", "mysecret", "myseed", "password"),
        *("passwort", "placeholder", "replaceme", "replacethis", "secret", "seed", "supersecret", "tbd", "test"),
        *("todo", "topsecret", "yourmasterpassword", "yourpassword", "yoursecret", "yourseed"),
    }
)
"""In small letters, without what is neither letter nor digit, and without digits at the end."""

_WORD: Final = re.compile(r"(?:[A-Z]?[a-z]*|[A-Z]+)[0-9]*")
_FEWEST_WORDS: Final = 3
_PAIRS: Final = frozenset(
    re.findall(
        "[a-z]{2}",
        "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro "
        "ic ne ea ra ce li ch ll be ma si om ur",
    )
)
"""The commonest 50 pairs of letters in English, more than half of all there (P. Norvig, English Letter Frequency Counts).

German shares most of them; in random letters they are one of fourteen.
"""
_ROWS: Final = (
    *("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "qsdfghjklm"),
    *("zxcvbnm", "yxcvbnm", "1q2w3e4r5t6y7u8i9o0p", "1q2w3e4r5t6z7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm"),
)
_RUNS: Final = frozenset(
    row[start : start + 3] for line in _ROWS for row in (line, line[::-1]) for start in range(len(line) - 2)
)
_LOOKED_AT: Final = 256
"""How many characters are looked at: in very long ones of few kinds, repeats are no sign any more."""


def new_seed() -> Seed:
    """Make a seed of 256 bits: 43 letters, digits, ``-`` and ``_``, the first of them a letter."""
    return _written(secrets.token_bytes(32))


def customer_seed(platform: Seed, slug: str) -> Seed:
    """Derive a customer's seed from the platform's: 64 hexadecimal digits.

    Neither the platform's seed nor another customer's can be found from it but by guessing the former, at the price of
    one scrypt for each guess. It takes 0.2 s of one core. Two passwords go into it, since one has 120 bits. A template
    gives the same, so that a cluster's tree knows the keys of its customers without any of their seeds::

        {{ printf "%s%s" (derivePassword 1 "maximum" $platform "kiwistack/customer/<slug>" "seed/1")
                         (derivePassword 1 "maximum" $platform "kiwistack/customer/<slug>" "seed/2") | sha256sum }}

    Raises:
        CredentialError: the slug is empty or not UTF-8.
        ExternalError: scrypt cannot be computed here.
    """
    raise_all(CredentialError, text_problems(f"the slug {slug!r}", slug))
    key = ScopeKey(platform, f"{CUSTOMER_SCOPE}{slug}")
    halves = (key.password(purpose, template="maximum", counter=1) for purpose in CUSTOMER_PURPOSES)
    return Seed(hashlib.sha256("".join(halves).encode()).hexdigest())


def mark_of(seed: Seed) -> str:
    """Return a mark of a seed: safe to commit, another for another seed, and 32 characters that begin with a letter.

    A template gives the same::

        {{ derivePassword 1 "maximum" $seed "kiwistack" "seed" | sha256sum | trunc 31 | printf "k%s" }}

    Raises:
        ExternalError: scrypt cannot be computed here.
    """
    encode = encoder(("sha256sum", "trunc:31", "prefix:k"))
    return encode(ScopeKey(seed, MARK_SCOPE).password(MARK_PURPOSE, template="maximum", counter=1))


def seed_problems(seed: Seed, *, weak_is_fine: bool) -> Iterator[Problem]:
    """Yield what is wrong with a seed; no message holds any part of it.

    Nobody can tell from a text how it was made, so this is an estimate, and a mild one: what a machine made at random
    passes (all but some in a thousand of the shortest that are allowed), and many of those that a person made do not.

    - Short: its length times the bits of one character, of the kinds that it has, is under 128.
    - Typed: it has blanks, or is words between marks, or a third of its pairs of letters are common ones in English; or
      a third of its threes repeat, or follow the alphabet, the digits or a keyboard's rows.
    - Published: openDesk's own defaults, and what stands in examples to be replaced.

    Args:
        seed: what was given.
        weak_is_fine: let what is short, typed or published through. What would be read differently elsewhere (a line end
            or a blank around it, invisible characters within) is wrong all the same.
    """
    text = seed.reveal()
    if text.endswith(("\n", "\r")):
        hint = "write it without: printf '%s' does, echo does not"
        yield Problem("the seed ends with a newline, which would be part of it", hint=hint)
    elif text != text.strip():
        yield Problem("the seed has blanks around it, which would be part of it", hint="take them away")
    elif any(unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"} for letter in text):
        hint = "a byte order mark at the beginning of a file is one"
        yield Problem("the seed holds a control character, or one that cannot be seen", hint=hint)
    elif not weak_is_fine:
        yield from (Problem(message, hint=_HINT) for message in _weaknesses(text))


def _written(secret: bytes) -> Seed:
    """Write 256 bits as URL-safe base64, with a zero byte before them: a first A, left out, then one of A to P."""
    return Seed(base64.urlsafe_b64encode(b"\0" + secret)[1:].decode())


def _weaknesses(text: str) -> Iterator[str]:
    small = text.casefold()[:_LOOKED_AT]
    if re.sub(r"[\W_]|\d+\W*$", "", small) in _PUBLISHED:
        yield "the seed is a published default or placeholder: everybody has it"
        return
    if len(text) * math.log2(_kinds(text)) < FEWEST_BITS:
        yield f"the seed is short: so few characters of these kinds hold fewer than {FEWEST_BITS} bits"
    if _reads_like_words(text[:_LOOKED_AT]) or _is_third(
        sum(small[at : at + 2] in _PAIRS for at in range(len(small))), small
    ):
        yield "the seed looks typed: it reads like words"
    threes = [small[at : at + 3] for at in range(len(small) - 2)]
    if _is_third(len(threes) - len({*threes} - _RUNS), threes):
        yield "the seed looks typed: it repeats itself, or follows the alphabet or the rows of a keyboard"


def _kinds(text: str) -> int:
    """Return how many characters there are of the kinds that a text has."""
    if re.fullmatch(r"[0-9a-f]*|[0-9A-F]*", text):
        return 10 if text.isdecimal() else 16
    # Letters of both cases without a digit are mostly chance.
    kinds = {"[a-z]": 26, "[A-Z]": 26, "[0-9]|[a-z].*[A-Z]|[A-Z].*[a-z]": 10, r"[ -/:-@\[-`{-~]": 33, "[^ -~]": 100}
    return sum(number for kind, number in kinds.items() if re.search(kind, text))


def _reads_like_words(text: str) -> bool:
    parts = re.split(r"[\W_]+", text)
    return " " in text or (_FEWEST_WORDS <= len(parts) <= len(text) / 4 and all(map(_WORD.fullmatch, parts)))


def _is_third(found: int, among: str | list[str]) -> bool:
    return 3 * found >= len(among) > 0
