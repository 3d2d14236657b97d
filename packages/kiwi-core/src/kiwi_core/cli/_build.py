"""``kiwistack build`` and ``kiwistack check``."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Outcome, Result
from kiwi_core._model.lane import Lane

__all__ = ["build", "check"]


def build(*, path: Path, lane: str | None, out: Path | None, force: bool, verbose: bool, as_json: bool) -> int:
    """Compose, check, and write the tree; a tree that breaks the contract is not written."""
    from kiwi_core import _engine as engine
    from kiwi_core._deliver.disk import write_tree
    from kiwi_core._spec.repo import shown

    started = time.monotonic()
    project = engine.load(path, Lane(lane) if lane else None, say=_say(as_json=as_json))
    results = project.check()
    broken = any(result.outcome is Outcome.FINDING for result in results)
    folder = out or project.repo.root / "generated"
    written = None if broken else write_tree(folder, project.emit(), force=force)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps(_report(project.stack, results), indent=1))
        return 1 if broken else 0
    _print_results(results, verbose=verbose)
    _print_stack(project.stack)
    print(_counts(results))
    if written is None:
        print(f"nothing was written: the contract is broken ({seconds:.2f} s)")
        return 1
    total = len(written.written) + written.unchanged
    print(
        f"{total} files in {shown(folder)}: {len(written.written)} written, {written.unchanged} unchanged, "
        f"{len(written.removed)} removed ({seconds:.2f} s)"
    )
    return 0


def check(*, path: Path, lane: str | None, strict: bool, verbose: bool, as_json: bool) -> int:
    """Prove the contract and write nothing. A cluster's spec is looked at for its form."""
    from kiwi_core import _engine as engine
    from kiwi_core._spec.repo import is_cluster

    if is_cluster(path):
        return _check_cluster(path)
    project = engine.load(path, Lane(lane) if lane else None, say=_say(as_json=as_json))
    results = project.check()
    if as_json:
        print(json.dumps(_report(project.stack, results), indent=1))
    else:
        _print_results(results, verbose=verbose or strict)
        print(_counts(results))
    bad = {Outcome.FINDING, Outcome.UNPROVEN} if strict else {Outcome.FINDING}
    return 1 if any(result.outcome in bad for result in results) else 0


def _check_cluster(path: Path) -> int:
    from kiwi_core import _engine as engine

    cluster, problems = engine.load_cluster(path)
    for problem in problems:
        print(f"finding: [spec] cluster {cluster.name}: {problem}")
    kinds = ", ".join(sorted({offer.kind for offer in cluster.offers})) or "nothing"
    print(f"cluster {cluster.name} (tier {cluster.tier}): offers {kinds}")
    return 1 if problems else 0


def _say(*, as_json: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not as_json:
            print(f"{text} …", file=sys.stderr)

    return say


def _print_results(results: Sequence[Result], *, verbose: bool) -> None:
    shown = {Outcome.FINDING: "finding", **({Outcome.UNPROVEN: "unproven", Outcome.PASS: "pass"} if verbose else {})}
    for result in results:
        if result.outcome in shown:
            print(f"{shown[result.outcome]}: {result}")


def _print_stack(stack: Stack) -> None:
    print(f"{stack.tenant.namespace} on {stack.tenant.cluster}, lane {stack.lane}: {len(stack.releases)} releases")
    stages: dict[str, list[str]] = {}
    for release in stack.releases:
        stages.setdefault(release.stage, []).append(release.name)
    for stage, names in sorted(stages.items()):
        print(f"  {stage:<22} {', '.join(names)}")


def _counts(results: Sequence[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    open_ones = counts[Outcome.UNPROVEN]
    hint = " (kiwistack check -v shows them)" if open_ones else ""
    return f"contract: {counts[Outcome.PASS]} passed, {counts[Outcome.FINDING]} findings, {open_ones} unproven{hint}"


def _report(stack: Stack, results: Sequence[Result]) -> dict[str, object]:
    return {
        "tenant": stack.tenant.slug,
        "lane": stack.lane.value,
        "releases": [{"name": release.name, "stage": release.stage.value} for release in stack.releases],
        "results": [
            {
                "rule": result.rule,
                "outcome": result.outcome.value,
                "subject": result.subject,
                "message": result.message,
                "where": str(result.where) if result.where else None,
                "fix": result.fix,
            }
            for result in results
        ],
    }
