"""Ask the code of a component's author; what it raises, or returns by mistake, is told as such."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from kiwi_core.errors import KiwiError, PluginError, Problem, Where

__all__ = ["ask", "place_of"]

T = TypeVar("T")

HINT: Final = "this is a mistake in the package that ships it"


def ask(who: str, what: str, call: Callable[[], T], expected: type, *others: type) -> T:
    """Call an author's code and return what it gives.

    Args:
        who: whose code it is, for the reader.
        what: which of its methods, for the reader.
        call: the call.
        expected: what it must return an instance of.
        others: what it may return an instance of instead.

    Raises:
        PluginError: it raises something other than an error of ours, or returns something else.
    """
    try:
        answer = call()
    except KiwiError:
        raise
    except Exception as error:  # an author's code may raise anything
        message = f"{who} fails in {what}: {type(error).__name__}: {error}"
        raise PluginError(Problem(message, place_of(error), HINT)) from error
    if not isinstance(answer, (expected, *others)):
        raise PluginError(Problem(f"{who} returns {answer!r} from {what}, expected a {expected.__name__}", hint=HINT))
    return answer


def place_of(error: BaseException) -> Where | None:
    """Return the line of the author's code that was run last; what the model refuses is refused further down."""
    import importlib
    import traceback

    others = tuple(f"{folder}{os.sep}" for folder in (Path(__file__).parent.parent, Path(importlib.__file__).parent))
    frames = traceback.extract_tb(error.__traceback__)
    return next(
        (
            Where(frame.filename, frame.lineno)
            for frame in reversed(frames)
            if not frame.filename.startswith((*others, "<"))
        ),
        None,
    )
