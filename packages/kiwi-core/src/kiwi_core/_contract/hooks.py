"""Rule f: every side effect is a hook. Here: which ones are needed, which hook does them, and that it would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiwi_core._compose.bind import Binding
from kiwi_core._compose.platform import job_name
from kiwi_core._compose.stack import Part, Stack
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.hooks import Hook
from kiwi_core._model.service import UseKey

__all__ = ["RULES"]

LETTER = "f"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Say of each hook whether it would run, and of each bound use that needs a side effect whether one acts on it."""
    for name, part in stack.parts.items():
        bound = stack.bindings[name]
        for phase, hooks in (("pre", part.wiring.pre), ("post", part.wiring.post)):
            yield from _runs(name, phase, hooks, stack)
            for hook in hooks:
                yield from _acts(name, hook, bound)
        yield from _needed(part, bound)


def _runs(component: str, phase: str, hooks: tuple[Hook, ...], stack: Stack) -> Iterator[Result]:
    """A hook that is not in the release would not run; one that nobody waits for could fail unseen."""
    release = stack.by_name.get(f"{component}-{phase}")
    if release is None:
        return
    subject = f"release {release.name}"
    jobs = release.values.get("jobs")
    for hook in hooks:
        job = job_name(component, phase, hook)
        if not isinstance(jobs, Mapping) or not isinstance(jobs.get(job), Mapping):
            yield finding(
                LETTER,
                subject,
                f"the job {job} of hook {hook.name!r} is not in its values",
                fix="an overlay took it out",
            )
    if not release.wait:
        yield finding(
            LETTER, subject, "it is not waited for: its hooks could fail unseen", fix="set wait=True: a hook has to end"
        )


def _acts(component: str, hook: Hook, bound: Mapping[UseKey, Binding | None]) -> Iterator[Result]:
    for use in hook.on:
        if bound.get(use.key) is None:
            yield finding(
                LETTER,
                f"component {component}",
                f"its hook {hook.name!r} acts on {use.key}, which nobody serves in this tenant",
                fix="add the hook only where bound.get(…) gives a binding",
            )


def _needed(part: Part, bound: Mapping[UseKey, Binding | None]) -> Iterator[Result]:
    subject = f"component {part.name}"
    acted_on = {use.key for hook in (*part.wiring.pre, *part.wiring.post) for use in hook.on}
    for key, binding in bound.items():
        effect = binding.use.side_effect if binding else None
        if effect is None:
            continue
        if key in acted_on:
            yield passed(LETTER, subject, f"{key} is acted on by a hook")
        else:
            yield unproven(
                LETTER,
                subject,
                f"{key} needs {effect}, and no hook of {part.name} acts on it",
                fix="codify it: a pre or post hook with on=(…,)",
            )


RULES = (Rule(letter=LETTER, title="hooks", check=check),)
