"""The words for values, types and attrs' own messages, so that every error reads alike."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Final, Literal, Union, get_args, get_origin

import attrs

from kiwi_core.errors import did_you_mean

__all__ = ["expected", "found", "one_of", "reworded"]

_MAX_SHOWN: Final = 60
_MAX_CHOICES: Final = 12
_MAX_BITS: Final = 256

_NAMES: Final[Mapping[object, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing (null)",
    object: "any value",
    typing.Any: "any value",
}

_COMPARED: Final = re.compile(r"'\w+' must be (<=|<|>=|>) (.+?): (.*)", re.DOTALL)
_MEASURED: Final = re.compile(r"Length of '\w+' must be (<=|>=) (\d+): (\d+)")
_NONE_OF: Final = re.compile(r"None of .* satisfied for value (.*)", re.DOTALL)
_WORDS: Final = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


def found(value: object) -> str:  # noqa: PLR0911 -- one return for each form of value
    """Return what a value is, for ``found …, expected …``."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > _MAX_BITS:
            return f"a number of {value.bit_length()} bits"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + '…'!r}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case type():
            return f"the class {value.__name__}"
        case types.ModuleType():
            return f"the module {value.__name__}"
        case _:
            return _with_article(type(value).__name__)


def expected(wanted: object) -> str:  # noqa: PLR0911 -- one return for each form of type
    """Return what a type asks for, for ``found …, expected …``."""
    origin = get_origin(wanted) or wanted
    if wanted in _NAMES:
        return _NAMES[wanted]
    if origin in (Union, types.UnionType):
        *first, last = dict.fromkeys(expected(member) for member in get_args(wanted))
        return f"{', '.join(first)} or {last}" if first else last
    if origin is Literal:
        return one_of(get_args(wanted))
    if origin in (tuple, list, collections.abc.Sequence):
        return "a list"
    if origin in (dict, Mapping):
        return "a mapping"
    if origin is typing.Annotated:
        return expected(get_args(wanted)[0])
    if inspect.isclass(origin):
        if issubclass(origin, enum.Enum):
            return one_of([member.value for member in origin])
        return f"a mapping ({origin.__name__})" if attrs.has(origin) else _with_article(origin.__name__)
    return expected(getattr(wanted, "__supertype__", object))


def one_of(choices: collections.abc.Iterable[object]) -> str:
    """Return choices as text: ``one of 'a', 'b'``."""
    shown = [repr(choice) for choice in choices]
    more = f" and {len(shown) - _MAX_CHOICES} more" if len(shown) > _MAX_CHOICES else ""
    return ("one of " if len(shown) > 1 else "") + ", ".join(shown[:_MAX_CHOICES]) + more


def reworded(error: Exception) -> tuple[str, str | None]:
    """Return a validator's message and a hint; attrs' own messages become plain sentences, others stay as they are.

    The forms of attrs' messages and arguments are those of ``attr/validators.py`` in attrs 25.1 to 26.1.
    """
    match error.args:
        case (_, attrs.Attribute(), re.Pattern(pattern=str(pattern)), value):
            return f"found {found(value)}, expected text that matches {pattern}", None
        case (_, attrs.Attribute(), wanted, value) if isinstance(error, TypeError):
            return f"found {found(value)}, expected {_types(wanted)}", None
        case (_, attrs.Attribute(), wanted, value) if isinstance(wanted, collections.abc.Iterable):
            choices = list(typing.cast("collections.abc.Iterable[object]", wanted))
            texts = [choice for choice in choices if isinstance(choice, str)]
            hint = did_you_mean(value, texts) if isinstance(value, str) and texts else None
            return f"found {found(value)}, expected {one_of(choices)}", hint
        case (_, attrs.Attribute(), _, value, _):
            return f"found {found(value)}, which is not allowed here", None
        case _:
            return _sentence(error), None


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if match := _COMPARED.fullmatch(text):
        return f"found {match[3]}, expected {_WORDS[match[1]]} {match[2]}"
    if match := _MEASURED.fullmatch(text):
        return f"found a length of {match[3]}, expected {_WORDS[match[1]]} {match[2]}"
    if match := _NONE_OF.fullmatch(text):
        return f"found {match[1]}, which is none of the allowed forms"
    return text


def _types(wanted: object) -> str:
    members = typing.cast("tuple[object, ...]", wanted) if isinstance(wanted, tuple) else (wanted,)
    return " or ".join(dict.fromkeys(map(expected, members)))


def _with_article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
