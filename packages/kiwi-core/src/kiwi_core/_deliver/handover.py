"""What helmfile is handed: the credentials, so that it derives nothing, and a folder that nobody else can read.

The folder is in memory, gone at the end, and swept at the next start where the end did not come. The values go through
the environment of helmfile and its children, which the same user and root can read in ``/proc``; the seed does not go
along.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._compose.stack import Stack
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import Seed
from kiwi_core._derive.taint import Tainted
from kiwi_core._emit.writing import variable_of
from kiwi_core._model.late import Credential
from kiwi_core.errors import ExternalError, Problem

__all__ = ["Handed", "hand_over", "private_folder"]

PREFIX: Final = "kiwistack-"
HELD: Final = "held"
"""The file in a private folder that is locked as long as its process lives."""


@attrs.frozen
class Handed:
    """What is handed over.

    Attributes:
        variables: environment variable to value, one for each credential and external.
        secrets: what must never be shown, by the name to show in its place: each credential as it is derived and as it is
            used, and each external.
    """

    variables: Mapping[str, Tainted] = attrs.field(repr=False)
    secrets: Mapping[str, Tainted] = attrs.field(repr=False)


def hand_over(stack: Stack, seed: Seed, externals: Mapping[str, Tainted]) -> Handed:
    """Derive what is handed over.

    Args:
        stack: what is delivered.
        seed: what its credentials derive from.
        externals: name of an external to its value.

    Raises:
        CredentialError: a credential cannot be derived.
        KeyError: an external of the stack is missing.
    """
    # The templates apply the encodings themselves: what they would derive is handed over.
    raw = dict.fromkeys(attrs.evolve(credential, encoding=()) for credential in stack.credentials)
    derived: Mapping[Credential, Tainted] = derive_all(seed, (*raw, *stack.credentials))
    opened = {late: externals[late.name] for late in stack.externals}
    return Handed(
        {variable_of(late): derived[late] for late in raw} | {variable_of(late): opened[late] for late in opened},
        {" | ".join((late.name, *late.encoding)): value for late, value in derived.items()}
        | {f"external {late.name}": value for late, value in opened.items()},
    )


@contextlib.contextmanager
def private_folder() -> Generator[Path]:
    """Make a folder in memory that nobody else can read, and take it away at the end, whatever happens.

    What earlier processes left, killed before their end, is swept first.

    Raises:
        ExternalError: there is no file system in memory here that is private or can be made so.
    """
    base = _memory()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=base))
    try:
        (folder / HELD).touch(mode=0o600)
        with (folder / HELD).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            # It has the name that others sweep only from here on.
            folder = folder.rename(base / folder.name.removeprefix("."))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path:
    places = (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")  # noqa: S108 -- the folder in it is private
    for place in places:
        if place and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    raise ExternalError(
        Problem(
            "there is no file system in memory to keep rendered values in",
            hint="set XDG_RUNTIME_DIR to one, or mount a tmpfs at /dev/shm",
        )
    )


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            with (folder / HELD).open("a") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
