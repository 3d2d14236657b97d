"""``kiwistack diff``: what delivering the tree of today would change."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane

if TYPE_CHECKING:
    from kiwi_core._deliver.seed_source import SeedSource

__all__ = ["diff"]


def diff(
    *,
    path: Path,
    lane: str | None,
    live: bool,  # noqa: ARG001 -- the only other side that there is yet, and said all the same
    source: SeedSource,
    kubectl: str,
    context: str | None,
    as_json: bool,
    **rendering: Any,  # as argparse has them; ``renderer_of`` has their types
) -> int:
    """Show what would be made, changed and deleted, by object and field; values are not shown."""
    from kiwi_core._deliver.kubectl import Kubectl
    from kiwi_core._deliver.live_diff import changes
    from kiwi_core._deliver.snapshot import read_snapshot
    from kiwi_core.cli._render import renderer_of, revealed_of
    from kiwi_core.cli._target import check_cluster

    def say(text: str) -> None:
        print(f"{text} …", file=sys.stderr)

    project = engine.load(path, Lane(lane) if lane else None, say=say)
    stack, cluster = project.stack, Kubectl(program=kubectl, context=context)
    check_cluster(project, cluster)
    renderer = renderer_of(project, say=say, **rendering)
    found = renderer.render(stack, revealed=revealed_of(project, source))
    say("asking the cluster")
    snapshot = read_snapshot(cluster, tuple(stack.foundations))
    rendered = {(stack.by_name[name].namespace, name): items for name, items in found.releases.items()}
    rows = tuple(changes(cluster, snapshot, rendered, tuple(stack.phases)))
    gone = [name for namespace, name in snapshot.records if (namespace, name) not in rendered]
    if as_json:
        print(json.dumps({"changes": [attrs.asdict(row) for row in rows], "orphaned": gone}, indent=1))
        return 0
    for row in rows:
        print(row)
    for name in gone:
        print(f"{name}: it left the spec; kiwistack apply --prune removes it")
    print(f"{len(rows)} objects would change; the hooks of {len(stack.phases)} releases would look again")
    return 0
