"""Read secrets: from files that nobody else can read, and from file descriptors."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kiwi_core._derive.taint import Tainted
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["read_descriptor", "read_private_file"]

LIMIT: Final = 64 * 1024
"""Bytes: more than any seed or identity has."""


def read_private_file(path: Path, what: str) -> Tainted:
    """Read a text file that only its owner, who runs this, can read or write.

    Args:
        path: the file; a link is followed, and where it leads is looked at.
        what: what it holds, for messages: ``the seed``.

    Raises:
        InputError: it is not such a file, cannot be read, is too long or no UTF-8.
    """
    where = Where(str(path))
    try:
        # Opened first, so that what is looked at is what is read. A pipe would wait for its writer but for NONBLOCK.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise InputError(Problem(f"cannot read {what}: {error.strerror}", where)) from error
    try:
        raise_all(InputError, _open_to_others(os.fstat(descriptor), path, what))
        return read_descriptor(descriptor, what, where)
    finally:
        os.close(descriptor)


def read_descriptor(descriptor: int, what: str, where: Where) -> Tainted:
    """Read a text from a file descriptor to its end, and leave it open.

    Args:
        descriptor: its number.
        what: what it holds, for messages.
        where: what the user calls it.

    Raises:
        InputError: it cannot be read, is too long or no UTF-8.
    """
    try:
        return Tainted(_read(descriptor).decode(), what)
    except OSError as error:
        message = f"cannot read {what}: {error.strerror}"
    except UnicodeDecodeError:
        message = f"{what} is not UTF-8"
    # Raised here, without the errors above: theirs hold what was read.
    raise InputError(Problem(message, where))


def _read(descriptor: int) -> bytes:
    data = b""
    while more := os.read(descriptor, LIMIT):
        data += more
        if len(data) > LIMIT:
            raise OSError(errno.EFBIG, f"it is longer than {LIMIT} bytes")
    return data


def _open_to_others(status: os.stat_result, path: Path, what: str) -> Iterator[Problem]:
    where = Where(str(path))
    if not stat.S_ISREG(status.st_mode):
        yield Problem(f"found no regular file, expected one that holds {what}", where)
    elif status.st_uid != os.geteuid():
        hint = f"copy it to one of your own, with chmod 600 {path.name}"
        yield Problem(f"the file of {what} belongs to another user ({status.st_uid})", where, hint)
    elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        yield Problem(
            f"others can read or change the file of {what}: its mode is {mode:04o}", where, f"chmod 600 {path}"
        )
