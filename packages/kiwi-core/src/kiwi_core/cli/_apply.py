"""``kiwistack apply``: hand the credentials to helmfile, and let it deliver the tree that was built."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from kiwi_core import _engine as engine
from kiwi_core._deliver.seed_source import SeedSource
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.errors import ExternalError, OutputError, Problem, Where

__all__ = ["apply"]


def apply(*, path: Path, lane: str | None, source: SeedSource, helmfile: str, helm: str | None) -> int:
    """Deliver a tree as it was built with ``helmfile sync``; a wrong seed is refused before anything is written."""
    from kiwi_core._deliver.handover import run_helmfile, variables
    from kiwi_core.cli._seed import deployed_seed, open_externals

    project = engine.load(path, Lane(lane) if lane else None)
    folder = project.repo.root / engine.OUTPUT
    _check_built(project, folder)
    program = shutil.which(helmfile)
    if program is None:
        hint = "install it, or name it with --helmfile"
        raise ExternalError(Problem(f"there is no program {helmfile!r}", hint=hint))
    seed = deployed_seed(project, source, os.environ)
    handed = variables(project.stack, seed, open_externals(project, source.identities))
    print(f"handing over {len(handed)} credentials …", file=sys.stderr)
    words = [*(("--helm-binary", helm) if helm else ()), "sync"]
    code = run_helmfile(Path(program).absolute(), folder, words, handed)
    if code:
        raise ExternalError(Problem(f"helmfile ended with exit code {code}; what it said stands above"))
    return 0


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
