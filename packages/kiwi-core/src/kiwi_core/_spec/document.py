"""What every file gives: plain data, and the line of each path in it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from kiwi_core.errors import InputError, Problem, Where

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["Document", "Lines", "Steps", "conflicts", "decode", "no_lines", "number_problem", "place", "read_bytes"]

Steps: TypeAlias = tuple[str | int, ...]
"""A path into data: keys of mappings and positions in lists."""

Lines: TypeAlias = Callable[[Steps], int | None]
"""Gives the line of a path in a file, counted from 1; None where it is not known."""

MAX_EXACT: Final = 2**53
"""Beyond this, a float no longer holds every integer (IEEE 754 binary64), and Helm reads numbers as floats."""

_CONFLICT: Final = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)


def no_lines(_path: Steps) -> int | None:
    """Know no line: the place of data that stands in no file."""
    return None


@attrs.frozen(kw_only=True)
class Document:
    """The content of a file.

    Attributes:
        file: the file as the user knows it.
        data: what it holds; shared, not to be changed.
        line: gives the line of the key, or of the item of a list, at a path.
    """

    file: str
    data: Json
    line: Lines = attrs.field(eq=False, repr=False)


def place(file: str, lines: Lines, path: Steps) -> Where:
    """Return the place of a path, with its own line or else that of the closest parent."""
    for length in range(len(path), -1, -1):
        line = lines(path[:length])
        if line is not None:
            return Where(file, line, path)
    return Where(file, None, path)


def read_bytes(path: Path, *, name: str | None = None, error: type[InputError]) -> bytes:
    """Read a whole regular file.

    Args:
        path: the file.
        name: what the user calls it; the path by default.
        error: what is raised.

    Raises:
        InputError: of the given class: there is no such file, or it cannot be read.
    """
    where = Where(name or str(path))
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "neither a file nor a folder"
            raise error(Problem(f"found {what}, expected a file", where))
        return path.read_bytes()
    except FileNotFoundError:
        raise error(Problem("there is no such file", where)) from None
    except OSError as failure:
        raise error(Problem(f"the file cannot be read: {failure.strerror}", where)) from None


def decode(data: bytes, *, file: str, error: type[InputError]) -> str:
    """Return the text of a UTF-8 file, its line ends untouched.

    Raises:
        InputError: of the given class: a byte-order mark, UTF-16, a NUL, or bytes that are not UTF-8.
    """

    def refuse(message: str, offset: int) -> InputError:
        where = Where(file, data.count(b"\n", 0, offset) + 1)
        return error(Problem(f"{message} (byte {offset})", where, "save the file as UTF-8, without a byte-order mark"))

    if data.startswith(b"\xef\xbb\xbf"):
        raise refuse("found a byte-order mark, expected plain UTF-8", 0)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse("found UTF-16, expected UTF-8", 0)
    if b"\0" in data:
        raise refuse("found a NUL byte, expected text", data.index(b"\0"))
    try:
        return data.decode()
    except UnicodeDecodeError as failure:
        raise refuse(f"the byte 0x{data[failure.start]:02x} is not UTF-8", failure.start) from None


def conflicts(text: str, *, file: str) -> Iterator[Problem]:
    """Yield a problem for each git merge conflict that was left in a text."""
    for marker in _CONFLICT.finditer(text):
        line = text.count("\n", 0, marker.start()) + 1
        yield Problem(
            "found the marker of a git merge conflict: <<<<<<<",
            Where(file, line),
            "resolve the conflict, or abort the merge",
        )


def number_problem(value: float, where: Where) -> Problem | None:
    """Say what is wrong with a number that a reader after us would change; None when nothing is.

    Args:
        value: an integer or a float.
        where: its place.
    """
    if isinstance(value, int) and abs(value) > MAX_EXACT:
        return Problem("found an integer beyond 2^53, which Helm would change", where, "write it in quotes")
    if not math.isfinite(value):
        return Problem(f"found {value}, expected a finite number", where, "JSON has no infinity and no NaN")
    return None
