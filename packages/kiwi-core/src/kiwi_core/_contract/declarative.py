"""The spec itself: it declares, and does nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Result, Rule, finding

__all__ = ["RULES"]

LETTER = "spec"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Report whatever in a Python spec is more than imports, assignments and constructors."""
    for problem in evidence.spec_problems:
        yield finding(
            LETTER,
            stack.target.title,
            problem.message,
            where=problem.where,
            fix=problem.hint or "a spec holds imports, assignments and constructors only",
        )


RULES = (Rule(letter=LETTER, title="the spec is declarative", check=check),)
