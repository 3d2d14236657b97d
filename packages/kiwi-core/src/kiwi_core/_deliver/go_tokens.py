"""The pieces of a Go template: text, and actions as tokens (Go's ``text/template/parse`` lexer)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["Action", "TemplateError", "Text", "Token", "split", "unquote"]

Kind: TypeAlias = Literal["space", "text", "field", "more", "variable", "dot", "number", "word", "mark"]

TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+')
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<number>[-+]?\.?\d[\w.]*)
    |(?P<dot>\.)
    |(?P<word>[^\W\d]\w*)
    |(?P<mark>:=|[=|(),])""",
    re.VERBOSE,
)
COMMENT: Final = re.compile(r"\{\{(?:-\s)?\s*/\*(?:(?!\*/).)*\*/\s*-?\}\}", re.DOTALL)
OPEN: Final = re.compile(r"\{\{(?:-(?=\s))?")
CLOSE: Final = re.compile(r"(?:(?<=\s)-)?\}\}")
ESCAPE: Final = re.compile(r"\\(.)")


class TemplateError(ValueError):
    """A template that Go, too, would refuse.

    Attributes:
        line: where, counted from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@attrs.frozen
class Text:
    """Text between actions; ``line`` is where it begins."""

    line: int
    text: str


@attrs.frozen
class Token:
    """A token of an action.

    Attributes:
        kind: ``more`` is a field of what stands before it without a space (``$x.a``, ``(f).a``); ``field`` is one of
            the dot.
        text: as it stands there; the name alone of a ``field``, ``more`` and ``variable``.
        line: counted from 1.
    """

    kind: Kind
    text: str
    line: int


@attrs.frozen
class Action:
    """What stands between ``{{`` and ``}}``."""

    line: int
    tokens: tuple[Token, ...]


def split(text: str) -> Iterator[Text | Action]:
    """Split a file into text and actions; comments are dropped.

    Raises:
        TemplateError: an action is not closed, or holds what no action can.
    """
    at, line = 0, 1
    while at < len(text):
        start = text.find("{{", at)
        if start < 0:
            start = len(text)
        if start > at:
            yield Text(line, text[at:start])
            line += text.count("\n", at, start)
        if start == len(text):
            return
        comment = COMMENT.match(text, start)
        if comment is not None:
            at = comment.end()
            line += comment.group().count("\n")
            continue
        tokens: list[Token] = []
        action = line
        at, line = _tokens(text, start, line, tokens)
        yield Action(action, tuple(tokens))


def _tokens(text: str, start: int, line: int, tokens: list[Token]) -> tuple[int, int]:
    """Read one action's tokens; return where it ends and in which line."""
    first = line
    opening = OPEN.match(text, start)
    at = opening.end() if opening else start
    glued = False
    while True:
        closing = CLOSE.match(text, at)
        if closing is not None:
            return closing.end(), line
        match = TOKEN.match(text, at)
        if match is None:
            message = f"unexpected {text[at]!r} in an action" if at < len(text) else "an action is not closed"
            raise TemplateError(message, line if at < len(text) else first)
        at = match.end()
        word = match.group()
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- its groups
        if kind == "field" and glued:
            kind = "more"
        if kind != "space":
            tokens.append(Token(kind, word[1:] if kind in {"field", "more", "variable"} else word, line))
        glued = kind in {"variable", "field", "more"} or word == ")"
        line += word.count("\n")


def unquote(text: str) -> str:
    """Return what a quoted text says; escapes other than of quotes are not told apart."""
    return text[1:-1] if text.startswith("`") else ESCAPE.sub(r"\1", text[1:-1])
