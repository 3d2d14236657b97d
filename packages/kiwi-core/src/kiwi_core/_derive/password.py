"""sprig's ``derivePassword``, byte for byte: the third version of Spectre, once called Master Password.

The source is ``crypto.go`` of github.com/Masterminds/sprig v3.3.0, which Helm 3.22, Helm 4.3 and helmfile 1.8 are built
with. What is peculiar to it:

- Lengths are in bytes of UTF-8, and nothing is normalised: ``é`` and ``e`` with an accent after it are two users.
- The template has no part in the key or the salt: two templates of one user, site and counter choose their characters
  by the same bytes, so that a ``pin`` tells something about the ``long`` of the same name.
- Characters are chosen modulo the size of their class (a slight bias), and there are ``short`` and ``pin`` ones: what a
  template gives is worth at most 13 bits (``pin``), 56 (``long``) or 119 (``maximum``), whatever the seed.
- An unknown template gives the password ``cannot find password template …``: refused here.
- An empty password, user or site is taken; refused here.
- A counter that a template writes beyond 32 bits loses its upper bits, so that 4294967297 is 1: refused here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Final, final

from kiwi_core._derive.taint import Tainted
from kiwi_core.errors import ExternalError, InputError, Problem, did_you_mean

__all__ = [
    "LAST_COUNTER",
    "CredentialError",
    "ScopeKey",
    "Seed",
    "counter_problems",
    "derive_password",
    "text_problems",
]

LAST_COUNTER: Final = 2**32 - 1
"""The counter is an unsigned number of 32 bits."""

FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "maximum": ("anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"),
    "long": (
        *("CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv", "CvccCvcvCvcvno"),
        *("CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc", "CvcvCvcvnoCvcc", "CvcvCvcvCvccno"),
        *("CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno", "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno"),
        *("CvccnoCvcvCvcc", "CvccCvcvnoCvcc", "CvccCvcvCvccno"),
    ),
    "medium": ("CvcnoCvc", "CvcCvcno"),
    "short": ("Cvcn",),
    "basic": ("aaanaaan", "aannaaan", "aaannaaa"),
    "pin": ("nnnn",),
}
"""The forms of each template: a class for each character."""

CLASSES: Final[Mapping[str, str]] = {
    "C": "BCDFGHJKLMNPQRSTVWXYZ",
    "v": "aeiou",
    "c": "bcdfghjklmnpqrstvwxyz",
    "a": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
    "n": "0123456789",
    "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
}

_SALT: Final = b"com.lyndir.masterpassword"
_FINGERPRINT: Final = b"kiwistack.fingerprint"
_COST: Final = {"n": 32768, "r": 8, "p": 2, "dklen": 64, "maxmem": 64 * 2**20}
"""scrypt takes 128 * n * r bytes, 32 MiB, and a little more; the libraries' own limits are less than that."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class CredentialError(InputError, ValueError):
    """A credential cannot be derived: a name, a counter, a template or a seed is wrong."""


@final
class Seed(Tainted):
    """The seed of a customer, held tainted."""

    __slots__ = ()

    def __init__(self, value: str) -> None:
        """Take a seed.

        Raises:
            CredentialError: it is empty or no UTF-8. What makes a seed a good one is for those who read it.
        """
        problems = tuple(text_problems("the seed", value))
        if problems:
            del value  # from what a traceback shows
            raise CredentialError(*problems)
        super().__init__(value, "seed")


@final
class ScopeKey(Tainted):
    """The key of one scope under one seed: the one slow step, the same for all credentials of the scope.

    It takes 0.2 s of one core and 32 MiB, and lets other threads run.
    """

    __slots__ = ("scope",)
    scope: str
    """``derivePassword``'s user."""

    def __init__(self, seed: Seed, scope: str) -> None:
        """Compute the key.

        Raises:
            ExternalError: scrypt cannot be computed here, or there is no memory for it.
        """
        try:
            key = _scrypt(seed, _SALT + _framed(scope)).hex()
        except (AttributeError, ValueError, RuntimeError) as error:
            # Raised below, where it does not carry the frames that hold the seed.
            why = str(error)
        else:
            super().__init__(key, f"key of scope {scope!r}")
            object.__setattr__(self, "scope", scope)
            return
        raise ExternalError(
            Problem(
                f"scrypt cannot be computed here: {why}",
                hint="install kiwi-core[secrets], or use a Python with OpenSSL 1.1 or newer that is not in FIPS mode; "
                "it takes 32 MiB of memory for each core",
            )
        )

    def password(self, site: str, *, template: str, counter: int) -> str:
        """Return what sprig gives for a site, a template that it has and a counter of 32 bits."""
        digest = self._hash(_SALT + _framed(site) + counter.to_bytes(4, "big"))
        forms = FORMS[template]
        form = forms[digest[0] % len(forms)]
        classes = [CLASSES[letter] for letter in form]
        return "".join(letters[byte % len(letters)] for letters, byte in zip(classes, digest[1:], strict=False))

    def fingerprint(self, purpose: str, value: str) -> str:
        """Return a mark of a value that is safe to show: who guesses the value must guess the seed, too.

        It is a keyed hash under the scope's own key (HMAC-SHA256, cut to 128 bits), so that even a ``pin`` cannot be
        found from it by trial, and equal values of two purposes have two marks. Each guess at a seed costs one scrypt.
        """
        # Apart from what passwords are made of by its first bytes.
        message = _FINGERPRINT + _framed(self.scope) + _framed(purpose) + _framed(value)
        return self._hash(message)[:16].hex()

    def _hash(self, message: bytes) -> bytes:
        return hmac.digest(bytes.fromhex(self._value), message, "sha256")


def derive_password(password: str, user: str, site: str, *, template: str = "long", counter: int = 1) -> str:
    """Derive a password exactly as sprig's ``derivePassword`` does in the templates of Helm and helmfile.

    ``derive_password(seed, "onyx", "postgres")`` is ``derivePassword 1 "long" seed "onyx" "postgres"``. It takes 0.2 s
    of one core, and 32 MiB.

    Args:
        password: the master password that all is derived from.
        user: whose password it is: a credential's scope.
        site: what it is for: a credential's purpose.
        template: the form of what is derived: ``maximum``, ``long``, ``medium``, ``short``, ``basic`` or ``pin``.
        counter: which one it is: a credential's generation, 0 to 4294967295.

    Raises:
        CredentialError: a ValueError; the password, user or site is empty or not UTF-8 (it holds a lone surrogate), sprig
            has no such template, or the counter is out of range.
        ExternalError: scrypt cannot be computed here.
    """
    problems = (
        *text_problems("the password", password),
        *text_problems(f"the user {user!r}", user),
        *text_problems(f"the site {site!r}", site),
        *_template_problems(template),
        *counter_problems("the counter", counter),
    )
    if problems:
        del password  # from what a traceback shows
        raise CredentialError(*problems)
    seed = Seed(password)
    del password
    return ScopeKey(seed, user).password(site, template=template, counter=counter)


def text_problems(what: str, text: str) -> Iterator[Problem]:
    """Yield what keeps a text from being a seed, a user or a site; ``what`` is how to call it."""
    if not text:
        yield Problem(f"{what} is empty")
    elif _SURROGATE.search(text):
        yield Problem(
            f"{what} is not UTF-8: it holds a lone surrogate",
            hint="this is how Python reads bytes that are no UTF-8 from the environment or a file name",
        )


def counter_problems(what: str, counter: int) -> Iterator[Problem]:
    """Yield what keeps a number from being a counter."""
    if not 0 <= counter <= LAST_COUNTER:
        wraps = "Helm drops the upper bits of such a number, and gives the password of another one"
        yield Problem(
            f"{what} is {counter}, expected 0 to {LAST_COUNTER}", hint=wraps if counter > LAST_COUNTER else None
        )


def _template_problems(template: str) -> Iterator[Problem]:
    if template not in FORMS:
        yield Problem(f"there is no password template {template!r}", hint=did_you_mean(template, FORMS))


def _scrypt(seed: Seed, salt: bytes) -> bytes:
    """Return the key of a seed and a salt.

    libsodium's scrypt (PyNaCl) takes two thirds of the time of OpenSSL's, which hashlib has: 2.7 s against 4.3 s for 37
    keys on two cores. Their bytes are the same.
    """
    try:
        from nacl.bindings import crypto_pwhash_scryptsalsa208sha256_ll as libsodium_scrypt
    except ImportError:
        return hashlib.scrypt(seed.reveal().encode(), salt=salt, **_COST)
    return libsodium_scrypt(seed.reveal().encode(), salt, **_COST)


def _framed(text: str) -> bytes:
    """Return a text as UTF-8 with its length before it, as sprig writes it."""
    data = text.encode()
    return len(data).to_bytes(4, "big") + data
