"""``kiwistack apply``: hand the credentials to helmfile, and let it deliver the tree that was built."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi_core.cli._delivery import INTERRUPTED, Programs, clock, delivery_of

if TYPE_CHECKING:
    from kiwi_core._deliver.apply import Delivery
    from kiwi_core._deliver.seed_source import SeedSource

__all__ = ["apply"]


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
    delete_data: Sequence[str],
) -> int:
    """Deliver a tree as it was built; a wrong cluster or a wrong seed is refused before anything is written."""
    from kiwi_core._deliver.apply import deliver

    say = clock()
    programs = Programs(helmfile=helmfile, helm=helm, kubectl=kubectl, context=context)
    _, delivery = delivery_of(path, lane, source, programs, wait=wait, say=say)
    if not delivery.releases:
        say("there is nothing to deliver")
        return 0
    say(f"delivering {len(delivery.releases)} releases to {', '.join(delivery.namespaces)}")
    try:
        deliver(delivery)
        _orphans(delivery, prune=prune, delete_data=delete_data)
    except KeyboardInterrupt:
        print("broken off; run it again to go on: what is unfinished is read from the cluster", file=sys.stderr)
        return INTERRUPTED
    say("delivered")
    return 0


def _orphans(delivery: Delivery, *, prune: bool, delete_data: Sequence[str]) -> None:
    """Show what left the spec; remove it where that is asked for."""
    from kiwi_core._deliver.prune import find_orphans, remove_orphans

    orphans = find_orphans(delivery.kubectl, delivery.namespaces, delivery.releases, delivery.helm)
    if prune:
        remove_orphans(orphans, delete_data, delivery.helm, say=delivery.say)
        return
    for orphan in orphans:
        delivery.say(f"{orphan}: it left the spec, and is there still; --prune removes it")
