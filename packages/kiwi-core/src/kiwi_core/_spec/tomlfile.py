"""TOML files: the data from the standard library, the lines from a scan of the text."""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from kiwi_core._spec.document import Document, Steps, conflicts, decode, number_problem, place, read_bytes
from kiwi_core.errors import InputError, Problem, Where, raise_all

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json
    from kiwi_core._spec.document import Lines

__all__ = ["parse_toml", "read_toml"]

MAX_DEPTH: Final = 100

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}|\'\'\'(?:[^\']|\'{1,2}(?!\'))*\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'',
    re.DOTALL,
)
_OTHER: Final = re.compile(r"[^,\]}#\n]*")


def read_toml(path: Path, *, name: str | None = None, error: type[InputError] = InputError) -> Document:
    """Read a TOML file.

    Args:
        path: the file.
        name: what the user calls it; the path by default.
        error: what is raised.

    Raises:
        InputError: of the given class: the file cannot be read, or is not as ``parse_toml`` wants it.
    """
    return parse_toml(read_bytes(path, name=name, error=error), file=name or str(path), error=error)


def parse_toml(data: bytes, *, file: str, error: type[InputError] = InputError) -> Document:
    """Parse a TOML document that JSON can hold.

    Args:
        data: the bytes of the file.
        file: what the user calls it.
        error: what is raised.

    Raises:
        InputError: of the given class, with all problems: not UTF-8, no TOML, a date or time, an infinity, an integer
            beyond 2^53, or more than 100 levels.
    """
    import tomllib

    text = decode(data, file=file, error=error)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise error(Problem(f"found more than {MAX_DEPTH} levels, one in the other", Where(file))) from None
    except ValueError as failure:
        raise_all(error, conflicts(text, file=file))
        raise error(_syntax_problem(str(failure), text, file)) from None
    lines = _Scanner(text).lines
    raise_all(error, _problems(table, file, lines.get))
    return Document(file=file, data=cast("Json", table), line=lines.get)


def _syntax_problem(message: str, text: str, file: str) -> Problem:
    match = _PLACE.search(message)
    if match is None:
        return Problem(f"this is no TOML: {message}", Where(file))
    line = int(match[1]) if match[1] else text.count("\n") + 1
    column = f" (column {match[2]})" if match[2] else " (end of the file)"
    return Problem(f"this is no TOML: {message[: match.start()]}{column}", Where(file, line))


def _problems(value: object, file: str, lines: Lines, path: Steps = ()) -> Iterator[Problem]:
    """Yield what JSON cannot hold."""
    where = place(file, lines, path)
    if len(path) > MAX_DEPTH:
        yield Problem(f"found more than {MAX_DEPTH} levels, one in the other", place(file, lines, path[:1]))
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, object]", value).items():
            yield from _problems(item, file, lines, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _problems(item, file, lines, (*path, index))
    elif isinstance(value, dt.date | dt.time):
        yield Problem(f"found a date or time, {value}, expected text", where, f'write it in quotes: "{value}"')
    elif isinstance(value, int | float):
        problem = number_problem(value, where)
        if problem:
            yield problem


class _Scanner:
    """Finds the line of every key and item of a valid TOML text.

    Attributes:
        lines: the line at which each path is first named.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Steps, int] = {(): 1}
        self._text = text
        self._at = 0
        self._starts = [match.end() for match in re.finditer("\n", text)]
        # How often each array of tables has been opened.
        self._tables: dict[Steps, int] = {}
        self._scan()

    def _scan(self) -> None:
        table: Steps = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Steps:
        is_array = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_array else 1
        keys = self._keys()
        self._at += 2 if is_array else 1
        path: Steps = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            self._note(path, start)
            is_last = index == len(keys) - 1
            if is_array and is_last:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self._note(path, start)
        return path

    def _pair(self, table: Steps) -> None:
        start = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Steps) -> None:
        match self._text[self._at]:
            case "[":
                self._at += 1
                self._skip(_BLANK)
                index = 0
                while not self._text.startswith("]", self._at):
                    self._note((*path, index), self._at)
                    self._value((*path, index))
                    self._skip_comma()
                    index += 1
                self._at += 1
            case "{":
                self._at += 1
                self._skip(_BLANK)
                while not self._text.startswith("}", self._at):
                    self._pair(path)
                    self._skip_comma()
                self._at += 1
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_OTHER)

    def _keys(self) -> list[str]:
        """Read a dotted key, up to and without what follows it."""
        import tomllib

        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._text[start] in "\"'":
                self._skip(_STRING)
                keys.append(tomllib.loads(f"key={self._text[start : self._at]}")["key"])
            else:
                self._skip(_BARE_KEY)
                keys.append(self._text[start : self._at])
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
        self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _note(self, path: Steps, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self._starts, at) + 1)
