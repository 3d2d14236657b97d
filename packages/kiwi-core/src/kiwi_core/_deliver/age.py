"""Encrypt to age recipients and decrypt with identity files, in the format of the ``age`` command.

pyrage does it (rage, which is age in Rust); the extra ``kiwi-core[secrets]`` installs it. The keys are age's own (X25519)
and ssh's (ed25519, RSA). Those of plugins and of hardware, and those with a passphrase, are for the ``age`` command: a
file descriptor takes what it decrypts.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from kiwi_core._deliver.private_files import read_private_file
from kiwi_core._derive.taint import Tainted
from kiwi_core.errors import ExternalError, InputError, Problem, Where, raise_all

if TYPE_CHECKING:
    import pyrage

    Identity: TypeAlias = pyrage.ssh.Identity | pyrage.x25519.Identity
    Recipient: TypeAlias = pyrage.ssh.Recipient | pyrage.x25519.Recipient

__all__ = ["decrypt", "encrypt"]

Item = TypeVar("Item")
Key = TypeVar("Key")

_BEGINNINGS: Final = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
_KEYS: Final = "expected AGE-SECRET-KEY-1…, as age-keygen makes one, or an ssh key without a passphrase"


def encrypt(secret: Tainted, recipients: Sequence[str]) -> bytes:
    """Encrypt a text so that each of the recipients can decrypt it; it gives something else each time.

    Args:
        secret: the text.
        recipients: public keys: ``age1…``, ``ssh-ed25519 …`` or ``ssh-rsa …``.

    Returns:
        An age file, with ASCII armor.

    Raises:
        InputError: there are no recipients, or some are malformed.
        ExternalError: pyrage is not installed.
    """
    _check_installed()
    import pyrage

    keys = _each(_recipient, enumerate(recipients, 1))
    if not keys:
        raise InputError(Problem("there are no recipients to encrypt to", hint="age-keygen makes a key: age1…"))
    return pyrage.encrypt(secret.reveal().encode(), keys, armored=True)


def decrypt(data: bytes, identities: Sequence[Path], file: str, *, recipients: Sequence[str] = ()) -> Tainted:
    """Decrypt an age file, with ASCII armor or without.

    Args:
        data: its content.
        identities: identity files of age, or ssh's private keys; one that fits is enough.
        file: what the user calls it.
        recipients: who it should be encrypted to, for the message where no identity fits.

    Returns:
        The text.

    Raises:
        InputError: an identity file cannot be read or others can, or holds none; none fits; the file is no age file, is
            cut short or garbled, or does not hold text.
        ExternalError: pyrage is not installed.
    """
    _check_installed()
    import pyrage

    keys = [key for found in _each(_identities, identities) for key in found]
    hint = "give the identity file of one of its recipients with --identity FILE"
    if recipients:
        hint += f"; they are {', '.join(recipients)}"
    if not data.lstrip().startswith(_BEGINNINGS):
        message, hint = "this is no file that age encrypted", "kiwistack secrets seal makes one, and so does age"
    elif not keys:
        message = "no identity is given to decrypt it with"
    else:
        try:
            return Tainted(pyrage.decrypt(data, keys).decode(), f"content of {file}")
        except UnicodeDecodeError:
            message, hint = "it holds no text in UTF-8", "encode it, as with base64, before it is encrypted"
        except pyrage.DecryptError as error:
            if "No matching keys" in str(error):
                message = f"it cannot be decrypted with the identities in {', '.join(map(str, identities))}"
            else:
                message, hint = f"it is cut short or garbled ({error})", "take it from a backup, or seal it anew"
    # Raised here, without the errors above: one of them holds the text.
    raise InputError(Problem(message, Where(file), hint))


def _check_installed() -> None:
    if importlib.util.find_spec("pyrage") is None:
        hint = "pip install 'kiwi-core[secrets]'"
        raise ExternalError(Problem("pyrage, which reads and writes the files of age, is not installed", hint=hint))


def _each(parse: Callable[[Item], Key], items: Iterable[Item]) -> list[Key]:
    """Parse all the items, and raise all that is wrong with them at once."""
    keys: list[Key] = []
    problems: list[Problem] = []
    for item in items:
        try:
            keys.append(parse(item))
        except InputError as error:
            problems += error.problems
    raise_all(InputError, problems)
    return keys


def _recipient(numbered: tuple[int, str]) -> Recipient:
    import pyrage

    number, text = numbered
    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise InputError(Problem(f"recipient {number}, {text!r}, is malformed: {error}")) from error
    # What is of neither kind may be a secret by mistake, and is not shown.
    if "SECRET-KEY-" in text.upper() or "PRIVATE KEY" in text:
        hint = "put its public key there, as age-keygen -y prints it; who has seen the secret one can decrypt"
        raise InputError(Problem(f"recipient {number} is a secret key", hint=hint))
    raise InputError(Problem(f"recipient {number} is malformed: expected age1…, ssh-ed25519 … or ssh-rsa …"))


def _identities(path: Path) -> Sequence[Identity]:
    import pyrage

    text = read_private_file(path, "the identity")
    if text.reveal().startswith("-----BEGIN"):
        try:
            return [pyrage.ssh.Identity.from_buffer(text.reveal().encode())]
        except pyrage.IdentityError as error:
            raise InputError(Problem(f"this is no identity: {error}", Where(str(path)), _KEYS)) from error
    keys = _each(_identity, _lines(text, path))
    if not keys:
        raise InputError(Problem("there is no identity in this file", Where(str(path)), _KEYS))
    return keys


def _lines(text: Tainted, path: Path) -> Iterator[tuple[Where, Tainted]]:
    """Yield the lines that are neither empty nor comments."""
    for number, line in enumerate(text.reveal().splitlines(), 1):
        if line and not line.startswith("#"):
            yield Where(str(path), number), Tainted(line, "identity")


def _identity(placed: tuple[Where, Tainted]) -> Identity:
    import pyrage

    where, line = placed
    try:
        return pyrage.x25519.Identity.from_str(line.reveal())
    except pyrage.IdentityError as error:
        raise InputError(Problem(f"this is no identity: {error}", where, _KEYS)) from error
