"""The report with what was seen of a target where it runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi_core._contract.live_drift import Drifted, drifted
from kiwi_core._deliver.disk import replace_files
from kiwi_core._emit.live import Drift, Live, Seen, State
from kiwi_core._emit.report import page
from kiwi_core._emit.report_results import portable

if TYPE_CHECKING:
    from kiwi_core import _engine as engine
    from kiwi_core._deliver.hook_pods import HookStatus
    from kiwi_core._model.snapshot import Snapshot

__all__ = ["live_of", "write_report"]


def write_report(
    project: engine.Project, snapshot: Snapshot, hooks: Iterable[HookStatus], file: Path, when: datetime
) -> None:
    """Write the page of a tree with its live state; it is of one moment, so it is no part of the tree.

    Raises:
        OutputError: the file cannot be written.
    """
    live = live_of(project, snapshot, hooks, when)
    text = page(project.stack, portable(project.check(), project.evidence), live=live)
    replace_files({file: text.encode()})


def live_of(project: engine.Project, snapshot: Snapshot, hooks: Iterable[HookStatus], when: datetime) -> Live:
    """Return what was seen, as the page shows it."""
    found = tuple(drifted(snapshot))
    return Live(
        when=when.isoformat(sep=" ", timespec="seconds"),
        releases={
            release.name: _seen(snapshot, (release.namespace, release.name), project.tree, found)
            for release in project.stack.releases
        },
        hooks={
            (row.release, row.hook): Seen(state=State.FAILED if row.failed else State.GOOD, text=row.said)
            for row in hooks
        },
        drift=tuple(Drift(release=each.release, subject=each.object, message=each.message) for each in found),
    )


def _seen(snapshot: Snapshot, place: tuple[str, str], tree: str, found: Iterable[Drifted]) -> Seen:
    record = snapshot.records.get(place)
    if record is None:
        return Seen(state=State.MISSING)
    if record.status != "deployed":
        return Seen(state=State.FAILED, text=f"revision {record.revision} is {record.status}")
    if record.tree != tree:
        return Seen(state=State.CHANGED, text="it was delivered from another tree")
    number = sum(each.release == place[1] for each in found)
    return Seen(state=State.CHANGED, text=f"{number} objects differ") if number else Seen(state=State.GOOD)
