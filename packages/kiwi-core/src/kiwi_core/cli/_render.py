"""``kiwistack render``: what Helm makes of every release, and what the contract says of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.errors import InputError, Problem

if TYPE_CHECKING:
    from kiwi_core._contract.results import Result
    from kiwi_core._deliver.render import Renderer
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._derive.placeholders import Named
    from kiwi_core._derive.taint import Tainted
    from kiwi_core._model.rendered import Rendering

__all__ = ["render", "renderer_of", "revealed_of"]


def render(
    *,
    path: Path,
    lane: str | None,
    releases: Sequence[str],
    out: Path | None,
    reveal: bool,
    helm: str | None,
    refresh: bool,
    mirrors: Sequence[str],
    insecure: Sequence[str],
    timeout: float,
    source: SeedSource,
    as_json: bool,
) -> int:
    """Render, prove the contract on the manifests, and print or write them; findings go to stderr."""
    if reveal and out:
        raise InputError(Problem("--reveal writes no files: it prints to stdout", hint="leave --out away"))
    project = engine.load(path, Lane(lane) if lane else None, say=_say)
    asked = {"helm": helm, "refresh": refresh, "mirrors": mirrors, "insecure": insecure, "timeout": timeout}
    renderer = renderer_of(project, say=_say, **asked)  # type: ignore[arg-type]  # the map joins their types
    revealed = revealed_of(project, source) if reveal else None
    rendering = renderer.render(project.stack, only=releases, revealed=revealed)
    results = () if reveal else project.check_rendered(rendering)
    if as_json:
        print(json.dumps(_report(rendering, results), indent=1, ensure_ascii=False))
    elif out is None:
        sys.stdout.writelines(_texts(rendering).values())
    else:
        _write(out, _texts(rendering))
    return _judge(project, rendering, results)


def renderer_of(
    project: engine.Project,
    *,
    say: Callable[[str], None],
    helm: str | None,
    refresh: bool,
    mirrors: Sequence[str],
    insecure: Sequence[str],
    timeout: float,
) -> Renderer:
    """Return what renders a project, as the options say.

    Raises:
        InputError: a mirror is none.
        ExternalError: there is no Helm.
    """
    from kiwi_core.cli._registries import registries

    asked = registries(mirrors, insecure, timeout, project.repo.settings)
    return project.renderer(asked, helm=helm, refresh=refresh, say=say, warn=_warn)


def _say(text: str) -> None:
    print(f"{text} …", file=sys.stderr)


def _warn(problem: Problem) -> None:
    print(f"warning: {problem}", file=sys.stderr)


def revealed_of(project: engine.Project, source: SeedSource) -> Mapping[Named, Tainted]:
    """Return the value of every credential and external of a stack.

    Raises:
        InputError: there is no seed, or it is another one; or an external cannot be opened.
    """
    from kiwi_core._derive.credentials import derive_all
    from kiwi_core.cli._seed import deployed_seed, open_externals

    seed = deployed_seed(project, source, os.environ)
    opened = open_externals(project, source.identities)
    derived = derive_all(seed, project.stack.credentials)
    found: dict[Named, Tainted] = {external: opened[external.name] for external in project.stack.externals}
    return found | {late: derived[late] for late in project.stack.credentials}


def _texts(rendering: Rendering) -> Mapping[str, str]:
    from kiwi_core._deliver.manifests import dump

    return {name: dump(manifests) for name, manifests in rendering.releases.items()}


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write what differs, all of it or none."""
    from kiwi_core._deliver.disk import replace_files

    files = {folder / f"{name}.yaml": text.encode() for name, text in texts.items()}
    changed = {path: text for path, text in files.items() if not path.is_file() or path.read_bytes() != text}
    replace_files(changed)
    print(f"{len(files)} files in {shown(folder)}: {len(changed)} written, {len(files) - len(changed)} unchanged")


def _judge(project: engine.Project, rendering: Rendering, results: Sequence[Result]) -> int:
    from kiwi_core._contract.results import Outcome
    from kiwi_core.cli._show import counts, is_broken

    count = sum(len(manifests) for manifests in rendering.releases.values())
    said = f"{count} objects of {len(rendering.releases)} releases, for Kubernetes {rendering.kubernetes}"
    if not results:
        print(f"{said}; nothing was checked, since the credentials are in it", file=sys.stderr)
        return 0
    for result in results:
        if result.outcome is Outcome.FINDING or (project.is_strict and result.outcome is Outcome.UNPROVEN):
            print(f"{result.outcome.value}: {result}", file=sys.stderr)
    print(f"{said}; {counts(results, command='kiwistack check --rendered -v')}", file=sys.stderr)
    return 1 if is_broken(results, strict=project.is_strict) else 0


def _report(rendering: Rendering, results: Sequence[Result]) -> Mapping[str, object]:
    from kiwi_core.cli._show import rows

    return {
        "kubernetes": rendering.kubernetes,
        "releases": {
            name: {
                "chart": rendering.charts[name].title,
                "digest": rendering.charts[name].digest,
                "objects": [{"source": item.source, "object": item.object} for item in manifests],
            }
            for name, manifests in rendering.releases.items()
        },
        "results": rows(results),
    }
