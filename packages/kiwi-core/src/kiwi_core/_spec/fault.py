"""What is wrong within a value, with its path, until the document adds file and line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import attrs

from kiwi_core._spec.document import Steps
from kiwi_core._spec.wording import expected, found, reworded
from kiwi_core.errors import KiwiError, Problem

__all__ = ["Fault", "Hook", "InvalidError", "TypeForm", "as_faults", "check", "each", "invalid", "items", "mapping"]
__all__ += ["unexpected"]

TypeForm: TypeAlias = Any
"""A type of any form: a class, ``int | None``, ``tuple[str, ...]``; the language has no type for these yet."""

Hook: TypeAlias = Callable[[object, TypeForm], object]
"""Makes a value of a type from plain data, or raises an InvalidError."""


@attrs.frozen
class Fault:
    """A problem at a path below the value at hand."""

    problem: Problem
    path: Steps = ()

    def under(self, step: str | int) -> Fault:
        """Return it as seen from one step further up."""
        return Fault(self.problem, (step, *self.path))


class InvalidError(Exception):
    """Carries the faults of a value up to the document."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__(*faults)


def invalid(message: str, hint: str | None = None, *, at: Steps = ()) -> InvalidError:
    """Return the error for one fault."""
    return InvalidError(Fault(Problem(message, hint=hint), at))


def unexpected(value: object, wanted: TypeForm, *, at: Steps = ()) -> InvalidError:
    """Return the error for a value of another form than the type's."""
    words = expected(wanted)
    hint = None
    if isinstance(value, str):
        number = value.removeprefix("-")
        if words == "a list":
            hint = f'write ["{value}"]' if value.isidentifier() else "write it in brackets"
        elif "number" in words and number.replace(".", "", 0 if "whole" in words else 1).isdecimal():
            hint = f"write {value}, without quotes"
    elif isinstance(value, int | float) and words.startswith("text"):
        hint = "write it in quotes"
    return invalid(f"found {found(value)}, expected {words}", hint, at=at)


def as_faults(error: Exception) -> list[Fault]:
    """Return what a validator raised as faults of the value."""
    if isinstance(error, KiwiError):
        return [Fault(problem) for problem in error.problems]
    message, hint = reworded(error)
    return [Fault(Problem(message, hint=hint))]


def check(value: object) -> None:
    """Refuse a scalar that cannot be written as JSON in UTF-8.

    Raises:
        InvalidError: an infinity, a NaN, or half of a surrogate pair.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(f"found {value}, expected a finite number", "JSON has no infinity and no NaN")
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise invalid(f"found {found(value)}, which holds half of a surrogate pair, expected Unicode text")


def each(parts: Iterable[tuple[str | int, Hook, TypeForm, object]]) -> list[object]:
    """Structure each part (its step, rule, type and data).

    Raises:
        InvalidError: with the faults of all parts.
    """
    results: list[object] = []
    faults: list[Fault] = []
    for step, hook, wanted, data in parts:
        try:
            results.append(hook(data, wanted))
        except InvalidError as error:
            faults += (fault.under(step) for fault in error.faults)
    if faults:
        raise InvalidError(*faults)
    return results


def items(value: object) -> Sequence[object]:
    """Return a list or tuple as it is.

    Raises:
        InvalidError: it is neither; a text is no list of its letters.
    """
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    raise unexpected(value, list)


def mapping(value: object, wanted: TypeForm) -> Mapping[str, object]:
    """Return a mapping with text as keys as it is.

    Raises:
        InvalidError: it is no mapping, or has other keys.
    """
    if not isinstance(value, Mapping):
        raise unexpected(value, wanted)
    data = cast("Mapping[object, object]", value)
    wrong = [key for key in data if not isinstance(key, str)]
    if wrong:
        raise InvalidError(*(Fault(Problem(f"found {found(key)} as a key, expected text")) for key in wrong))
    return cast("Mapping[str, object]", data)
