"""``kiwistack build`` and ``kiwistack check``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown

__all__ = ["build", "check"]


def build(*, path: Path, lane: str | None, out: Path | None, force: bool, verbose: bool, as_json: bool) -> int:
    """Compose, check, and write the tree; a tree that breaks the contract is not written."""
    started = time.monotonic()
    project = engine.load(path, Lane(lane) if lane else None, say=_say(as_json=as_json))
    from kiwi_core._deliver.disk import write_tree
    from kiwi_core.cli._show import counts, is_broken, print_results, print_stack, report, sinks

    results = project.check()
    broken = is_broken(results, strict=project.is_strict)
    folder = out or project.repo.root / engine.OUTPUT
    written = None if broken else write_tree(folder, project.emit(results), force=force)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps(report(project.stack, results), indent=1))
        return 1 if broken else 0
    print_results(results, verbose=verbose or project.is_strict)
    print_stack(project.stack)
    print(sinks(project.stack))
    print(counts(results))
    if written is None:
        print(f"nothing was written: the contract is broken ({seconds:.2f} s)")
        return 1
    total = len(written.written) + written.unchanged
    print(
        f"{total} files in {shown(folder)}: {len(written.written)} written, {written.unchanged} unchanged, "
        f"{len(written.removed)} removed ({seconds:.2f} s)"
    )
    return 0


def check(
    *,
    path: Path,
    lane: str | None,
    strict: bool,
    verbose: bool,
    as_json: bool,
    rendered: bool,
    **rendering: Any,  # as argparse has them; ``renderer_of`` has their types
) -> int:
    """Prove the contract and write nothing; a tree that is there is looked at for the cluster that it was built for."""
    say = _say(as_json=as_json)
    project = engine.load(path, Lane(lane) if lane else None, say=say)
    from kiwi_core.cli._show import counts, is_broken, print_results, report

    manifests = None
    if rendered:
        from kiwi_core.cli._render import renderer_of

        manifests = renderer_of(project, say=say, **rendering).render(project.stack)
    results = project.check(built=project.repo.root / engine.OUTPUT, rendered=manifests)
    if as_json:
        print(json.dumps(report(project.stack, results), indent=1))
    else:
        print_results(results, verbose=verbose or strict or project.is_strict)
        print(counts(results))
    return 1 if is_broken(results, strict=strict or project.is_strict) else 0


def _say(*, as_json: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not as_json:
            print(f"{text} …", file=sys.stderr)

    return say
