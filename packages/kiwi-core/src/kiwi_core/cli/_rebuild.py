"""``kiwistack rebuild``: show what must survive, take a target away, make it again, and prove that it is the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi_core.cli._delivery import INTERRUPTED, Programs, clock, delivery_of
from kiwi_core.errors import InputError, Problem, raise_all

if TYPE_CHECKING:
    from kiwi_core import _engine as engine
    from kiwi_core._deliver.seed_source import SeedSource

__all__ = ["rebuild"]


def rebuild(
    *,
    path: Path,
    lane: str | None,
    source: SeedSource,
    helmfile: str,
    helm: str | None,
    kubectl: str,
    context: str | None,
    delete: Sequence[str],
) -> int:
    """Show what a target holds; where its namespaces are typed out, delete them, and deliver and compare."""
    from kiwi_core._deliver.rebuild import rebuild as go
    from kiwi_core._deliver.rebuild import volumes

    say = clock()
    programs = Programs(helmfile=helmfile, helm=helm, kubectl=kubectl, context=context)
    project, delivery = delivery_of(path, lane, source, programs, wait=0, say=say)
    for volume in volumes(delivery.kubectl, delivery.namespaces):
        print(volume)
    for line in _stored(project):
        print(line)
    missing = [namespace for namespace in delivery.namespaces if namespace not in delete]
    if missing:
        words = " ".join(f"--delete {namespace}" for namespace in delivery.namespaces)
        print(f"nothing was deleted; with what stands above saved, or worth nothing: {words}")
        return 0
    raise_all(
        InputError,
        (
            Problem(f"{namespace} is no namespace of {project.stack.target.title}", hint="type those out that shall go")
            for namespace in delete
            if namespace not in delivery.namespaces
        ),
    )
    try:
        found = go(delivery, tuple(project.stack.phases))
    except KeyboardInterrupt:
        print("broken off; kiwistack apply goes on", file=sys.stderr)
        return INTERRUPTED
    for each in found.differ:
        print(f"finding: {each} is not what it was")
    say(f"rebuilt: {found.objects} objects, {found.secrets} of them Secrets; {len(found.differ)} differ")
    return 1 if found.differ else 0


def _stored(project: engine.Project) -> Iterator[str]:
    """Yield what hooks made at the services of the target: it goes with the volumes that these have."""
    for phase in project.stack.phases.values():
        for task in phase.tasks.tasks:
            yield f"hook {task.hook} of {phase.release}: {task.desired.subject}"
