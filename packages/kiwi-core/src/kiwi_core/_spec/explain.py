"""What a spec that fails has done wrong, in words: an exception as a message and a hint."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Final

import attrs

from kiwi_core._spec.wording import reworded
from kiwi_core.errors import KiwiError, did_you_mean

__all__ = ["RefusedError", "TimeUpError", "explain", "line_in"]

MAX_MESSAGE: Final = 2000

# CPython's wording of a call that does not fit the constructor, 3.11 to 3.13.
_UNKNOWN_FIELD: Final = re.compile(r"(?:.*\.)?(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'.*")
_MISSING_FIELD: Final = re.compile(
    r"(?:.*\.)?(\w+)\.__init__\(\) missing \d+ required (?:keyword-only |positional )?arguments?: (.*)"
)
_BY_POSITION: Final = re.compile(r"(?:.*\.)?(\w+)\.__init__\(\) takes .* positional arguments? but .*")
_IMPORTED_NAME: Final = re.compile(r"cannot import name '(\w+)'.*", re.DOTALL)


class RefusedError(PermissionError):
    """The spec tried what a spec may not do; libraries that try and go on without see an OSError."""


class TimeUpError(BaseException):
    """The time for running the spec is over; no ``except Exception`` of the spec holds it up."""


def explain(error: BaseException, names: Mapping[str, object]) -> tuple[str, str | None]:
    """Return the message and the hint for what a spec raised.

    Args:
        error: what it raised.
        names: the names that it has, for suggestions.
    """
    message, hint = _explain(error, names)
    return (message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"), hint


def line_in(error: BaseException, file: str) -> int | None:
    """Return the line of the deepest frame of a file that an exception has passed; None where there is none."""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == file else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _explain(error: BaseException, names: Mapping[str, object]) -> tuple[str, str | None]:  # noqa: PLR0911 -- a table
    match error:
        case RefusedError():
            return f"the spec tries to {error}", "a spec only describes: do it in a hook, or before the build"
        case TimeUpError():
            return f"the spec did not end within {error}", "a spec only describes: leave out what computes or waits"
        case SystemExit():
            return "the spec ends the process", "leave it out: a spec is read to its end"
        case MemoryError():
            return "the spec takes more memory than it may (1 GiB)", None
        case RecursionError():
            return "the spec calls itself without end", None
        case OSError(errno=errno.EFBIG):
            return "the spec prints more than it may (16 MiB)", "leave the prints out"
        case ModuleNotFoundError(name=str(name)):
            hint = (
                "pip install the package that provides it; a spec imports installed packages only, "
                "files beside it are not importable"
            )
            return f"the module {name!r} is not installed", hint
        case SyntaxError():
            return f"this is no Python: {error.msg}", None
        case ImportError() | NameError() | AttributeError():
            return str(error), _suggestion(error, names)
        case KiwiError():
            # A constructor checks one thing at a time: its first problem stands for all.
            problem = error.problems[0]
            return problem.message, problem.hint
        case TypeError() | ValueError():
            return _call(error, names) or reworded(error)
        case _:
            return f"{type(error).__name__}: {_text(error)}", None


def _suggestion(error: ImportError | NameError | AttributeError, names: Mapping[str, object]) -> str | None:
    match error:
        case AttributeError(name=str(name)):
            known = [known for known in dir(error.obj) if not known.startswith("_")]
            return did_you_mean(name, known) if known else None
        case NameError(name=str(name)):
            return did_you_mean(name, [known for known in names if not known.startswith("_")], otherwise="names")
        case _:
            import sys

            match = _IMPORTED_NAME.fullmatch(str(error))
            module = sys.modules.get(error.name or "")
            return did_you_mean(match[1], getattr(module, "__all__", dir(module))) if match and module else None


def _call(error: Exception, names: Mapping[str, object]) -> tuple[str, str | None] | None:
    """Put a call that does not fit the constructor in the words of fields."""
    text = str(error)
    if match := _UNKNOWN_FIELD.fullmatch(text):
        cls = next((value for value in names.values() if getattr(value, "__name__", None) == match[1]), None)
        fields = [field.alias or field.name for field in attrs.fields(cls)] if isinstance(cls, type) else []
        return f"{match[1]} has no field {match[2]!r}", did_you_mean(match[2], fields, otherwise="fields")
    if match := _MISSING_FIELD.fullmatch(text):
        return f"{match[1]} lacks required fields: {match[2]}", None
    if match := _BY_POSITION.fullmatch(text):
        return f"{match[1]} takes its fields by name", f"write {match[1]}(field=value)"
    return None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- the text is made by code of the spec
        return "(its text cannot be shown)"
