"""The mark that hooks put on what they make at a database server: a line of its comment that names the owner."""

from __future__ import annotations

from typing import Final

from kiwi_core.errors import HookError, Problem

__all__ = ["marked", "owner_of", "refuse_foreign"]

MARK: Final = "kiwistack: "


def owner_of(comment: str | None) -> str:
    """Return the owner that a comment names; empty where it bears no mark."""
    marks = [line.removeprefix(MARK).strip() for line in (comment or "").splitlines() if line.startswith(MARK)]
    return marks[-1] if marks else ""


def marked(comment: str | None, owner: str) -> str:
    """Return a comment with the owner's mark; what a person has written stays."""
    lines = [line for line in (comment or "").splitlines() if not line.startswith(MARK)]
    return "\n".join([*lines, f"{MARK}{owner}"])


def refuse_foreign(subject: str, comment: str | None, owner: str) -> None:
    """Make sure that something is nobody else's.

    Raises:
        HookError: it bears the mark of another owner.
    """
    found = owner_of(comment)
    if found not in {"", owner}:
        hint = (
            f"let one of them use another name; if it is {owner}'s now, delete the line {MARK + found!r} of its comment"
        )
        raise HookError(Problem(f"{subject} is {found}'s; {owner} wants it, too", hint=hint))
