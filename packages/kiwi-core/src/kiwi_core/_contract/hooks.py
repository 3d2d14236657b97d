"""Rule f: every side effect is a hook. Here: which ones are needed, which hook does them, and that it would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiwi_core._compose.bind import Binding
from kiwi_core._compose.phase import Phase, phases_in
from kiwi_core._compose.platform import job_name
from kiwi_core._compose.stack import Part, Stack, StackRelease
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.gateways import SharedOffer
from kiwi_core._model.hooks import Hook
from kiwi_core._model.late import Value
from kiwi_core._model.service import UseKey

__all__ = ["RULES"]

LETTER = "f"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Say of each hook whether it would run, and of each bound use that needs a side effect whether one acts on it."""
    for phase in stack.phases.values():
        yield from _runs(phase, stack.by_name[phase.release])
    for name, part in stack.parts.items():
        bound = stack.bindings[name]
        for hook in (*part.wiring.pre, *part.wiring.post):
            yield from _acts(name, hook, bound)
        yield from _needed(part, bound, stack)


def _runs(phase: Phase, release: StackRelease) -> Iterator[Result]:
    """A hook that is not in the release would not run; one that nobody waits for could fail unseen."""
    subject = f"release {release.name}"
    made, values = release.layers[0].values if release.layers else None, release.values
    for job in phase.jobs:
        name = job_name(phase, job)
        if not isinstance(_get(values, "jobs", name), Mapping):
            message = f"the job {name} of hook {job.name!r} is not in its values"
            yield finding(LETTER, subject, message, fix="an overlay took it out")
    for key in ("tasks", "secrets", "checksum", "rights") if phase.tasks.tasks else ():
        if made is None or _get(values, "runtime", key) != _get(made, "runtime", key):
            message = f"runtime.{key} is not what its hooks are: {', '.join(task.hook for task in phase.tasks.tasks)}"
            yield finding(LETTER, subject, message, fix="an overlay changed it: change the hooks in the component")
    if not release.wait:
        yield finding(
            LETTER, subject, "it is not waited for: its hooks could fail unseen", fix="set wait=True: a hook has to end"
        )


def _get(values: Value, *path: str) -> Value:
    for step in path:
        values = values.get(step) if isinstance(values, Mapping) else None
    return values


def _acts(component: str, hook: Hook, bound: Mapping[UseKey, Binding | None]) -> Iterator[Result]:
    for use in hook.on:
        if bound.get(use.key) is None:
            yield finding(
                LETTER,
                f"component {component}",
                f"its hook {hook.name!r} acts on {use.key}, which nobody serves in this tenant",
                fix="add the hook only where bound.get(…) gives a binding",
            )


def _needed(part: Part, bound: Mapping[UseKey, Binding | None], stack: Stack) -> Iterator[Result]:
    subject = f"component {part.name}"
    run = {
        name
        for phase in phases_in(part.name, stack.phases)
        for name in (*(task.hook for task in phase.tasks.tasks), *(job.name for job in phase.jobs))
    }
    hooks = (*part.wiring.pre, *part.wiring.post)
    acted_on = {use.key for hook in hooks if hook.name in run for use in hook.on}
    left_out = {use.key for hook in hooks if hook.name not in run for use in hook.on}
    for key, binding in bound.items():
        effect = binding.use.side_effect if binding else None
        if binding is None or effect is None:
            continue
        if key in acted_on:
            yield passed(LETTER, subject, f"{key} is acted on by a hook")
        elif isinstance(binding.offer, SharedOffer) and binding.offer.is_hooked:
            yield passed(LETTER, subject, f"{key} is acted on by the gateway's own hooks, for each customer")
        elif key in left_out:
            message = f"{key} needs {effect}, and {binding.source} lends its hook no account to make it with"
            yield unproven(LETTER, subject, message, fix="make it by hand, or have the offer name its administrator")
        else:
            yield unproven(
                LETTER,
                subject,
                f"{key} needs {effect}, and no hook of {part.name} acts on it",
                fix="codify it: a pre or post hook with on=(…,)",
            )


RULES = (Rule(letter=LETTER, title="hooks", check=check),)
