"""One tree of errors; every message says where, what, and how to mend it.

::

    KiwiError                 carries one or more problems, shown together
    ├── InputError            the input is wrong (exit code 2)
    │   ├── SpecError         a tenant or cluster spec, or kiwi.toml
    │   ├── PinError          charts.yaml, images.yaml
    │   ├── OverlayError      a layer of values
    │   ├── ComposeError      uses, offers, order
    │   ├── PluginError       a component package that cannot be loaded or used
    │   └── OutputError       the output folder, or what stands in it
    └── ExternalError         an outside program failed (exit code 3)
        └── HookError         a hook did not get what it wants from a server
            ├── Unreachable   the server does not answer, or not yet
            ├── Refused       the server knows the account otherwise, or not at all
            ├── Forbidden     the account lacks a right
            └── Conflict      somebody else changed the same thing meanwhile
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import attrs

__all__ = [
    "ComposeError",
    "Conflict",
    "ExternalError",
    "Forbidden",
    "HookError",
    "InputError",
    "KiwiError",
    "OutputError",
    "OverlayError",
    "PinError",
    "PluginError",
    "Problem",
    "Refused",
    "SpecError",
    "Unreachable",
    "Where",
    "did_you_mean",
    "dotted",
    "raise_all",
]


@attrs.frozen
class Where:
    """A place in the input.

    Attributes:
        file: path as the user knows it, or a name such as ``the environment``.
        line: line in the file, counted from 1; None where it is not known.
        path: path into the data, e.g. ``("components", 1, "replicas")``.
    """

    file: str
    line: int | None = None
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {dotted(self.path)}" if self.path else place


@attrs.frozen
class Problem:
    """One thing that is wrong: what was found and expected, where, and the way to mend it."""

    message: str
    where: Where | None = None
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n    {self.hint}" if self.hint else text


class KiwiError(Exception):
    """The base of all errors that a user can mend; carries every problem that was found.

    Attributes:
        problems: at least one problem, in the order in which they stand in the input.
        exit_code: what the command exits with.
    """

    exit_code = 2

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__(*problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class InputError(KiwiError):
    """The input is wrong."""


class SpecError(InputError):
    """A tenant spec, a cluster spec or a ``kiwi.toml`` is wrong."""


class PinError(InputError):
    """A pin file is wrong or lacks a pin."""


class OverlayError(InputError):
    """A layer of values is wrong."""


class ComposeError(InputError):
    """Uses, offers or the order do not fit together."""


class PluginError(InputError):
    """A component package cannot be loaded, or two disagree."""


class OutputError(InputError):
    """The output folder cannot be written, or holds what is not ours."""


class ExternalError(KiwiError):
    """An outside program failed, or is not there."""

    exit_code = 3


class HookError(ExternalError):
    """A hook did not get what it wants: the message says from which server, which object, and what is missing."""


class Unreachable(HookError):  # noqa: N818 -- what is so, as the runner asks for it
    """A server does not answer, or is not ready yet. It is asked again until the hook's deadline."""


class Refused(HookError):  # noqa: N818
    """A server does not take the account or its password."""


class Forbidden(HookError):  # noqa: N818
    """A server takes the account, which lacks a right."""


class Conflict(HookError):  # noqa: N818
    """Somebody else changed the same thing meanwhile. The hook observes again and goes on from there."""


def dotted(path: Iterable[str | int]) -> str:
    """Return a path into data as text: ``components[1].replicas``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Return a hint that names the closest of the known words, or all of them when none is close.

    Args:
        word: what was found.
        known: what would have been right.
        otherwise: what the known words are called when they are listed.
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    if not names:
        return f"{otherwise}: none"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")  # noqa: PLR2004
    return f"{otherwise}: {shown}"


def raise_all(error: type[KiwiError], problems: Iterable[Problem]) -> None:
    """Raise one error with all the problems, in order and each once; do nothing when there are none."""
    found = tuple(dict.fromkeys(problems))
    if found:
        raise error(*found)
