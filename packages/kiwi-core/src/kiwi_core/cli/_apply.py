"""``kiwistack apply``: hand the credentials to helmfile, and let it deliver the tree that was built."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kiwi_core import _engine as engine
from kiwi_core._deliver.seed_source import SeedSource
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.errors import ExternalError, OutputError, Problem, Where

if TYPE_CHECKING:
    from kiwi_core._deliver.apply import Delivery

__all__ = ["apply"]

HELM_3: Final = 3
INTERRUPTED: Final = 130
"""The exit code of a command that the user broke off (128 and SIGINT)."""


def apply(
    *,
    path: Path,
    lane: str | None,
    source: SeedSource,
    helmfile: str,
    helm: str | None,
    kubectl: str,
    context: str | None,
    wait: float,
    prune: bool,
    delete_data: list[str],
) -> int:
    """Deliver a tree as it was built; a wrong cluster or a wrong seed is refused before anything is written."""
    from kiwi_core._deliver.apply import Delivery, deliver
    from kiwi_core._deliver.handover import variables
    from kiwi_core._deliver.helm import Helm
    from kiwi_core._deliver.helmfile import Helmfile
    from kiwi_core._deliver.kubectl import Kubectl
    from kiwi_core._model.tenant import Tenant
    from kiwi_core.cli._seed import deployed_seed, open_externals
    from kiwi_core.cli._target import check_cluster

    project = engine.load(path, Lane(lane) if lane else None)
    folder = project.repo.root / engine.OUTPUT
    _check_built(project, folder)
    program = shutil.which(helmfile)
    if program is None:
        hint = "install it, or name it with --helmfile"
        raise ExternalError(Problem(f"there is no program {helmfile!r}", hint=hint))
    seed = deployed_seed(project, source, os.environ)
    cluster = Kubectl(program=kubectl, context=context)
    check_cluster(project, cluster)
    stack, began = project.stack, time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)

    handed = variables(stack, seed, open_externals(project, source.identities))
    delivery = Delivery(
        kubectl=cluster,
        helmfile=Helmfile(
            program=Path(program).absolute(),
            helm=helm,
            context=context,
            is_forced=Helm(program=helm).major > HELM_3,
        ),
        folder=folder,
        target=stack.target.namespace if isinstance(stack.target, Tenant) else stack.target.name,
        cluster=stack.cluster.name,
        namespaces=tuple(stack.foundations),
        releases={release.name: (release.namespace, release.declared.timeout) for release in stack.releases},
        handed=handed,
        patience=wait,
        say=say,
    )
    if not stack.releases:
        say("there is nothing to deliver")
        return 0
    say(f"delivering {len(stack.releases)} releases to {', '.join(delivery.namespaces)}")
    try:
        deliver(delivery)
        _orphans(delivery, prune=prune, delete_data=delete_data)
    except KeyboardInterrupt:
        print("broken off; run it again to go on: what is unfinished is read from the cluster", file=sys.stderr)
        return INTERRUPTED
    say("delivered")
    return 0


def _orphans(delivery: Delivery, *, prune: bool, delete_data: list[str]) -> None:
    """Show what left the spec; remove it where that is asked for."""
    from kiwi_core._deliver.helm import Helm
    from kiwi_core._deliver.prune import find_orphans, remove_orphans

    helm = Helm(program=delivery.helmfile.helm, context=delivery.helmfile.context)
    orphans = find_orphans(delivery.kubectl, delivery.namespaces, delivery.releases, helm)
    if prune:
        remove_orphans(orphans, delete_data, helm, say=delivery.say)
        return
    for orphan in orphans:
        delivery.say(f"{orphan}: it left the spec, and is there still; --prune removes it")


def _check_built(project: engine.Project, folder: Path) -> None:
    """Refuse a tree that is not the one of the spec: what is delivered is what was built and looked at.

    Raises:
        OutputError: it is not there, or is another one.
    """
    from kiwi_core._emit.tree import MANIFEST

    manifest = folder / MANIFEST
    command = f"kiwistack build {shown(project.repo.root)} --lane {project.stack.lane}"
    try:
        written = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        raise OutputError(Problem("there is no tree to deliver", Where(shown(folder)), command)) from None
    if written != json.loads(project.emit()[MANIFEST]):
        message = "the tree is not what the spec, the pins and the overlays give today"
        raise OutputError(Problem(message, Where(shown(manifest)), command))
