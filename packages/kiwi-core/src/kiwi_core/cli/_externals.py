"""``kiwistack secrets seal`` and ``open``: secrets that no seed gives, encrypted in the repository."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from kiwi_core._spec.convert import Converter
from kiwi_core._spec.repo import find_repo, shown
from kiwi_core.cli._seed import open_external, write_secret
from kiwi_core.errors import InputError, Problem, Where

__all__ = ["seal", "show"]


def seal(*, name: str, path: Path) -> int:
    """Encrypt a value to the recipients of ``kiwi.toml``; it is read from stdin, or asked for without echo."""
    from kiwi_core._deliver.age import encrypt
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._derive.taint import Tainted

    repo = find_repo(path, Converter())
    _check_name(name)
    file = repo.secrets / f"{name}.age"
    recipients = repo.settings.secrets.recipients
    if not recipients:
        hint = 'add [secrets] with recipients = ["age1…"], the public keys of whoever may read it'
        raise InputError(Problem("it names no recipients", Where(shown(repo.root / "kiwi.toml")), hint))
    is_new = not file.exists()
    replace_files({file: encrypt(Tainted(_value(name), f"external {name!r}"), recipients)})
    many = f"{len(recipients)} recipient{'' if len(recipients) == 1 else 's'}"
    print(f"{shown(file)}: {'sealed' if is_new else 'sealed anew'} to {many}")
    return 0


def _value(name: str) -> str:
    """Read what is to be sealed.

    Raises:
        InputError: it is empty, no text, or a single line with its end, which no key and no password has.
    """
    if sys.stdin.isatty():
        from getpass import getpass

        value = getpass(f"value of {name}: ")
    else:
        value = _text(sys.stdin.buffer.read())
    where = Where("stdin")
    if not value.strip():
        raise InputError(Problem("the value is empty", where))
    if value.endswith(("\n", "\r")) and len(value.splitlines()) == 1:
        message = "the value ends with a newline, which would become a part of it"
        raise InputError(Problem(message, where, "printf '%s' writes none; a text of several lines may end with one"))
    return value


def _text(data: bytes) -> str:
    try:
        value = data.decode()
    except UnicodeDecodeError:
        value = "\0"
    if "\0" in value:
        raise InputError(Problem("the value is no text in UTF-8", Where("stdin"), "encode it, as with base64"))
    return value


def show(*, name: str, path: Path, identities: Sequence[Path]) -> int:
    """Decrypt an external and print it, and nothing else."""
    repo = find_repo(path, Converter())
    _check_name(name)
    write_secret(open_external(repo, name, identities))
    return 0


def _check_name(name: str) -> None:
    """Refuse a name that no external can have.

    Raises:
        InputError: it is so.
    """
    from kiwi_core._model.late import External

    try:
        External(name, because="its name is looked at")
    except ValueError as error:
        raise InputError(Problem(str(error))) from None
