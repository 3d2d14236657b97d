"""A strict reader of the block YAML that openDesk's environment files are written in: nested maps of scalars.

Items of lists are passed over: nothing that is read here stands in one. A value may be a template; it is handed on as it stands. Whatever is neither a key, a comment nor a document mark is an
error with its line, so that a new construct upstream is noticed and not passed over.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn, TypeAlias

import attrs
from kiwi_core.errors import InputError, Problem, Where

__all__ = ["Entry", "Scalar", "entries", "refuse", "scalar", "section"]

Scalar: TypeAlias = "str | int | bool | None"

KEY: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9_]*):(?: +(?P<value>\S.*?))? *")
ITEM: Final = re.compile(r" *- .+")
COMMENT: Final = re.compile(r" *(?:#.*)?")
INTEGER: Final = re.compile(r"-?\d+")
STEP: Final = 2
"""Blanks of one level."""


@attrs.frozen
class Entry:
    """A key with its value.

    Attributes:
        path: the keys that lead to it, its own last.
        raw: its value as it stands; empty for a map.
        line: its line, counted from 1.
    """

    path: tuple[str, ...]
    raw: str
    line: int


def refuse(message: str, file: str, line: int) -> NoReturn:
    """Raise for a line that is not understood."""
    raise InputError(
        Problem(message, Where(file, line), "the reader knows the form of openDesk 1.13; teach it this one")
    )


def entries(text: str, *, file: str) -> Iterator[Entry]:
    """Yield the entries of a file in order.

    Args:
        text: the file.
        file: its path, for messages.

    Raises:
        InputError: a line is not understood.
    """
    path: tuple[str, ...] = ()
    leaf = False
    for number, line in enumerate(text.split("\n"), start=1):
        if COMMENT.fullmatch(line) or line in {"---", "..."}:
            continue
        if ITEM.fullmatch(line) and path and not leaf:
            continue
        match = KEY.fullmatch(line)
        if match is None:
            refuse(f"expected a key with its value, found {line.strip()!r}", file, number)
        depth, rest = divmod(len(match["indent"]), STEP)
        if rest or depth > len(path) or (leaf and depth == len(path)):
            refuse(f"key {match['key']!r} is indented by {len(match['indent'])} blanks", file, number)
        path = (*path[:depth], match["key"])
        raw = match["value"] or ""
        leaf = bool(raw) and not raw.startswith("#")
        yield Entry(path, raw if leaf else "", number)


def section(text: str, top: str, *, file: str) -> Mapping[str, Mapping[str, Entry]]:
    """Return the maps under a top-level key, by name: ``section(text, "charts", file=…)["redis"]["version"]``.

    Raises:
        InputError: a line is not understood, or there is no such key.
    """
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries(text, file=file):
        match entry.path:
            case (first, name) if first == top:
                found[name] = {}
            case (first, name, key) if first == top:
                found[name][key] = entry
            case _:
                pass
    if not found:
        raise InputError(Problem(f"it has nothing under {top!r}", Where(file)))
    return found


def scalar(entry: Entry, *, file: str) -> Scalar:
    """Return the value of an entry.

    Raises:
        InputError: it is a template, or written in a way that is not understood.
    """
    raw = entry.raw
    if raw.startswith('"') and "{{" not in raw:
        # What a double-quoted scalar of YAML may hold beyond a string of JSON is refused, too.
        with contextlib.suppress(ValueError):
            return str(json.loads(raw))
    if raw in {"true", "false"}:
        return raw == "true"
    if raw == "~":
        return None
    if INTEGER.fullmatch(raw):
        return int(raw)
    refuse(f"expected a plain value at {'.'.join(entry.path)}, found {raw!r}", file, entry.line)
