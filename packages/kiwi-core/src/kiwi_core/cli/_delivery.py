"""What ``apply`` and ``rebuild`` have in common: the tree that was built, the cluster it is for, and the values."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.errors import ExternalError, OutputError, Problem, Where

if TYPE_CHECKING:
    from kiwi_core._deliver.apply import Delivery
    from kiwi_core._deliver.seed_source import SeedSource

__all__ = ["INTERRUPTED", "Programs", "clock", "delivery_of"]

INTERRUPTED: Final = 130
"""The exit code of a command that the user broke off (128 and SIGINT)."""
HELM_3: Final = 3


@attrs.frozen(kw_only=True)
class Programs:
    """The programs that deliver, and where to.

    Attributes:
        helmfile, kubectl: by name on PATH, or by path.
        helm: the one that helmfile runs; the one on PATH by default.
        context: of the kubeconfig; the current one by default.
    """

    helmfile: str
    helm: str | None
    kubectl: str
    context: str | None


def clock() -> Callable[[str], None]:
    """Return what prints a line with the seconds since now."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)

    return say


def delivery_of(
    path: Path, lane: str | None, source: SeedSource, programs: Programs, *, wait: float, say: Callable[[str], None]
) -> tuple[engine.Project, Delivery]:
    """Return a repository and what is to be delivered; nothing is written yet.

    Args:
        path: the repository.
        lane: the lane; the one in ``kiwi.toml`` by default.
        source: where the seed is.
        programs: what delivers.
        wait: seconds to wait for another apply.
        say: is told what happens.

    Raises:
        InputError: the tree is not the one of the spec; the cluster or the seed is another one.
        ExternalError: a program is not there, or the cluster does not answer.
    """
    from kiwi_core._deliver.apply import Delivery
    from kiwi_core._deliver.handover import hand_over
    from kiwi_core._deliver.helm import Helm
    from kiwi_core._deliver.helmfile import Helmfile
    from kiwi_core._deliver.kubectl import Kubectl
    from kiwi_core._model.tenant import Tenant
    from kiwi_core.cli._seed import deployed_seed, open_externals
    from kiwi_core.cli._target import check_cluster

    project = engine.load(path, Lane(lane) if lane else None)
    folder, stack = project.repo.root / engine.OUTPUT, project.stack
    _check_built(project, folder)
    program = shutil.which(programs.helmfile)
    if program is None:
        hint = "install it, or name it with --helmfile"
        raise ExternalError(Problem(f"there is no program {programs.helmfile!r}", hint=hint))
    seed = deployed_seed(project, source, os.environ)
    cluster = Kubectl(program=programs.kubectl, context=programs.context)
    check_cluster(project, cluster)
    helm = Helm(program=programs.helm, context=programs.context)
    return project, Delivery(
        kubectl=cluster,
        helm=helm,
        helmfile=Helmfile(
            program=Path(program).absolute(),
            helm=programs.helm,
            context=programs.context,
            is_forced=helm.major > HELM_3,
        ),
        folder=folder,
        target=stack.target.namespace if isinstance(stack.target, Tenant) else stack.target.name,
        cluster=stack.cluster.name,
        namespaces=tuple(stack.foundations),
        releases={release.name: (release.namespace, release.declared.timeout) for release in stack.releases},
        handed=hand_over(stack, seed, open_externals(project, source.identities)),
        patience=wait,
        say=say,
    )


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
    if written != project.manifest:
        message = "the tree is not what the spec, the pins and the overlays give today"
        raise OutputError(Problem(message, Where(shown(manifest)), command))
