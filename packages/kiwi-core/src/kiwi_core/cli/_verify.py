"""``kiwistack verify`` and ``kiwistack status``: what runs, held against what was built."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane

if TYPE_CHECKING:
    from kiwi_core._contract.results import Result
    from kiwi_core._deliver.hook_pods import HookStatus
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._model.snapshot import Snapshot

__all__ = ["status", "verify"]


def verify(
    *,
    path: Path,
    lane: str | None,
    source: SeedSource,
    kubectl: str,
    context: str | None,
    strict: bool,
    verbose: bool,
    report: Path | None,
    as_json: bool,
) -> int:
    """Prove that what runs is what was built: releases, owners, drift, images, credentials, hooks."""
    from kiwi_core._deliver.hook_pods import read_status
    from kiwi_core._deliver.kubectl import Kubectl
    from kiwi_core._deliver.snapshot import read_snapshot
    from kiwi_core.cli._show import counts, is_broken, print_results, rows
    from kiwi_core.cli._target import check_cluster

    project = engine.load(path, Lane(lane) if lane else None)
    cluster = Kubectl(program=kubectl, context=context)
    check_cluster(project, cluster)
    namespaces = tuple(project.stack.foundations)
    snapshot = read_snapshot(cluster, namespaces)
    hooks = [row for namespace in namespaces for row in read_status(namespace, cluster)]
    results = tuple(_results(project, snapshot, hooks, source))
    if report:
        from kiwi_core.cli._live import write_report

        write_report(project, snapshot, hooks, report, datetime.now().astimezone())
    if as_json:
        print(json.dumps(rows(results), indent=1))
    else:
        print_results(results, verbose=verbose or strict)
        print(counts(results, what="verified", command="kiwistack verify -v"))
    return 1 if is_broken(results, strict=strict) else 0


def _results(
    project: engine.Project, snapshot: Snapshot, hooks: Sequence[HookStatus], source: SeedSource
) -> Iterator[Result]:
    from kiwi_core._contract.live_drift import check_drift
    from kiwi_core._contract.live_owners import check_owners, check_releases
    from kiwi_core._contract.live_pods import check_images

    yield from check_releases(project.stack, snapshot, project.tree)
    yield from check_owners(project.stack, snapshot)
    yield from check_drift(snapshot)
    yield from check_images(project.stack, snapshot)
    yield from _credentials(project, snapshot, source)
    yield from _hooks(project, hooks)


def _credentials(project: engine.Project, snapshot: Snapshot, source: SeedSource) -> Iterator[Result]:
    """Compare each Secret with what the seed gives; neither is shown."""
    from kiwi_core._contract.results import finding, passed, unproven
    from kiwi_core._model.manifest import as_map
    from kiwi_core._model.snapshot import Key
    from kiwi_core.cli._seed import is_at_hand
    from kiwi_core.cli._values import declared_keys, reader_of

    letter, wanted = "e", declared_keys(project)
    if not wanted:
        return
    if not is_at_hand(source):
        yield unproven(letter, "Secrets", "there is no seed to compare them with", fix="give it as apply has it")
        return
    read = reader_of(project, source, wanted)
    number = 0
    for namespace, key in wanted:
        there = snapshot.objects.get(Key("", "Secret", namespace, key.secret))
        data = as_map(as_map(there).get("data"))
        found = b64decode(str(data.get(key.key) or ""))
        if key.key not in data:
            message = f"its key {key.key!r} is not there, in namespace {namespace}"
            yield finding(letter, f"Secret {key.secret}", message, fix="kiwistack apply")
        elif not hmac.compare_digest(found, read(namespace, key).encode()):
            message = f"its key {key.key!r} holds another value than the seed gives, in namespace {namespace}"
            yield finding(letter, f"Secret {key.secret}", message, fix="kiwistack apply; who changed it?")
        else:
            number += 1
    yield passed(letter, "Secrets", f"{number} keys hold what the seed gives")


def _hooks(project: engine.Project, hooks: Sequence[HookStatus]) -> Iterator[Result]:
    """Say how each hook ended that the last deploy ran; a schema check is one of them."""
    from kiwi_core._contract.results import finding, passed, unproven

    ran = {row.release for row in hooks}
    for row in hooks:
        subject = f"hook {row.hook} of {row.release}"
        yield finding("f", subject, row.said, fix="kiwistack apply") if row.failed else passed("f", subject, row.said)
    for release in project.stack.phases:
        if release not in ran:
            message = "no pod of its jobs is there any more, so how they ended is not known"
            yield unproven("f", f"hooks of {release}", message, fix="kiwistack apply runs them again")


def status(*, path: Path, lane: str | None, kubectl: str, context: str | None, as_json: bool) -> int:
    """Show at a glance what runs: each release, whether it is of this tree, and its pods."""
    from kiwi_core._deliver.glance import glance
    from kiwi_core._deliver.kubectl import Kubectl

    project = engine.load(path, Lane(lane) if lane else None)
    cluster = Kubectl(program=kubectl, context=context)
    found = glance(cluster, [(release.namespace, release.name) for release in project.stack.releases])
    behind = [row for row in found if row.status != "deployed" or row.tree != project.tree or row.ready < row.pods]
    if as_json:
        print(json.dumps([attrs.asdict(row) for row in found], indent=1))
        return 1 if behind else 0
    width = max((len(row.release) for row in found), default=0)
    for row in found:
        tree = "of this tree" if row.tree == project.tree else f"of tree {row.tree[:8]}" if row.tree else ""
        pods = f"{row.ready} of {row.pods} pods ready" if row.pods else ""
        facts = "  ".join(filter(None, (row.status, f"revision {row.revision}" if row.revision else "", tree, pods)))
        print(f"{row.release:<{width}}  {facts}")
    return 1 if behind else 0
