"""Rule f: every side effect is a hook. Here: which side effects are known to be needed, and which hook does them."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Result, Rule, passed, unproven

__all__ = ["RULES"]

LETTER = "f"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Say of each bound use that needs a side effect whether a hook of its component acts on it."""
    for name, part in stack.parts.items():
        hooks = (*part.wiring.pre, *part.wiring.post)
        acted_on = {use.key for hook in hooks for use in hook.on}
        for key, binding in stack.bindings[name].items():
            effect = binding.use.side_effect if binding else None
            if effect is None:
                continue
            subject = f"component {name}"
            if key in acted_on:
                yield passed(LETTER, subject, f"{key} is acted on by a hook")
            else:
                yield unproven(
                    LETTER,
                    subject,
                    f"{key} needs {effect}, and no hook of {name} acts on it",
                    fix="codify it: a pre or post hook with on=(…,)",
                )


RULES = (Rule(letter=LETTER, title="hooks", check=check),)
