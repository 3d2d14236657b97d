"""``kiwistack hooks``: look at what hooks would do, do it, and read what they did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._model.secrets import SecretKey
from kiwi_core.cli._values import Read, reader_of
from kiwi_core.errors import InputError, PluginError, Problem, did_you_mean

if TYPE_CHECKING:
    from kiwi_core._compose.phase import Phase
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._hooks.runtime import Report
    from kiwi_core._model.desired import Address

__all__ = ["address", "job", "orphans", "plan", "run", "status"]

TERMINATION = Path("/dev/termination-log")


def plan(
    *,
    path: Path,
    lane: str | None,
    only: Sequence[str],
    connect_to: Sequence[tuple[Address, Address]],
    as_json: bool,
    source: SeedSource,
) -> int:
    """Look at every server and say what its hooks would do; nothing is changed."""
    from kiwi_core._hooks.runtime import plan_tasks

    return _go(plan_tasks, path, lane, only, connect_to, source, as_json=as_json, done="converged", to_do="would")


def run(
    *,
    path: Path,
    lane: str | None,
    only: Sequence[str],
    connect_to: Sequence[tuple[Address, Address]],
    as_json: bool,
    source: SeedSource,
) -> int:
    """Bring every server to what its hooks want, in the order of the helmfile."""
    from kiwi_core._hooks.runtime import run_tasks

    return _go(run_tasks, path, lane, only, connect_to, source, as_json=as_json, done="unchanged", to_do="did")


def _go(
    do: Callable[..., Iterator[Report]],
    path: Path,
    lane: str | None,
    only: Sequence[str],
    connect_to: Sequence[tuple[Address, Address]],
    source: SeedSource,
    *,
    as_json: bool,
    done: str,
    to_do: str,
) -> int:
    from kiwi_core._hooks.runtime import raise_failed

    project = engine.load(path, Lane(lane) if lane else None)
    phases = _chosen(project, only)
    read = _reader(project, phases, source)
    reports: list[Report] = []
    rows: list[dict[str, object]] = []
    for phase in phases:
        namespace = phase.tasks.namespace
        # What was printed stays, whatever happens after it.
        for report in do(phase.tasks.tasks, partial(read, namespace), connect_to=dict(connect_to)):
            reports.append(report)
            rows.append({"release": phase.release, **attrs.asdict(report)})
            if not as_json and not report.problems:
                what = f"{to_do} {'; '.join(report.changed)}" if report.changed else done
                if report.waits_for:
                    what = f"waits for what is before it: {'; '.join(report.waits_for)}"
                print(f"{phase.release:<24} {report.subject}: {what}  ({report.seconds:.2f} s)", flush=True)
        for own in phase.jobs:
            print(
                f"{phase.release:<24} {own.name}: a container of its own, which only the cluster runs", file=sys.stderr
            )
        if reports and reports[-1].problems:
            break
    if as_json:
        print(json.dumps(rows, indent=1))
    raise_failed(reports)
    return 0


def _chosen(project: engine.Project, only: Sequence[str]) -> list[Phase]:
    """Return the phases in the order of the helmfile, or those of some components or releases."""
    stack = project.stack
    phases = [stack.phases[release.name] for release in stack.releases if release.name in stack.phases]
    known = {name for phase in phases for name in (phase.release, phase.tasks.component)}
    unknown = [name for name in only if name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known, otherwise="hooks are of")
        raise InputError(Problem(f"there are no hooks of {unknown[0]!r}", hint=hint))
    return [phase for phase in phases if not only or not {phase.release, phase.tasks.component}.isdisjoint(only)]


def _reader(project: engine.Project, phases: Sequence[Phase], source: SeedSource) -> Read:
    """Return what gives the values that phases mount."""
    wanted = [
        (phase.tasks.namespace, SecretKey(name, key))
        for phase in phases
        for name, keys in phase.mounted.items()
        for key in keys
    ]
    return reader_of(project, source, wanted)


def orphans(
    *,
    path: Path,
    lane: str | None,
    only: Sequence[str],
    connect_to: Sequence[tuple[Address, Address]],
    remove: Sequence[str],
    as_json: bool,
    source: SeedSource,
) -> int:
    """Show what hooks once made and none wants any more; remove what is named, with what it holds."""
    from kiwi_core._hooks.orphans import find_orphans, remove_orphans
    from kiwi_core._model.desired import Session

    project = engine.load(path, Lane(lane) if lane else None)
    phases = _chosen(project, only)
    read = _reader(project, phases, source)
    rows: list[dict[str, object]] = []
    removed: list[str] = []
    for namespace in dict.fromkeys(phase.tasks.namespace for phase in phases):
        tasks = [task for phase in phases if phase.tasks.namespace == namespace for task in phase.tasks.tasks]
        with Session(partial(read, namespace), connect_to=dict(connect_to)) as session:
            there = find_orphans([task.desired for task in tasks], session)
            removed += remove_orphans(there, remove, session)
            rows += [attrs.asdict(orphan) for _, orphan in there]
    if as_json:
        print(json.dumps({"orphans": rows, "removed": removed}, indent=1))
        return 0
    for row in rows:
        name = f"{row['kind']}/{row['name']}"
        holds = f", holds {row['holds']}" if row["holds"] else ""
        print(f"{name} at {row['at']}{holds}: {'removed' if name in removed else 'nobody wants it any more'}")
    unknown = [name for name in remove if name not in removed]
    if unknown:
        hint = did_you_mean(unknown[0], [f"{row['kind']}/{row['name']}" for row in rows], otherwise="orphans are")
        raise InputError(Problem(f"there is no orphan {unknown[0]!r}", hint=hint))
    return 0


def status(*, path: Path, lane: str | None, kubectl: str, context: str | None, as_json: bool) -> int:
    """Read from the cluster what the hooks' jobs did last."""
    from kiwi_core._deliver.hook_pods import read_status
    from kiwi_core._deliver.kubectl import Kubectl

    project = engine.load(path, Lane(lane) if lane else None)
    rows = [
        row
        for namespace in dict.fromkeys(phase.tasks.namespace for phase in project.stack.phases.values())
        for row in read_status(namespace, Kubectl(program=kubectl, context=context))
    ]
    if as_json:
        print(json.dumps([attrs.asdict(row) for row in rows], indent=1))
    else:
        for row in rows:
            print(f"{row.release:<24} {row.hook}: {row.said}")
    return 1 if any(row.failed for row in rows) else 0


def job(*, tasks: Path | None, secrets: Path | None) -> int:
    """Run the tasks of a phase inside its job, and leave what became of them in the termination message."""
    from kiwi_core._hooks.runtime import message_of, raise_failed, read_mounted, read_tasks, run_tasks
    from kiwi_core._model.task import SECRETS_FOLDER, TASKS_FILE

    reports: list[Report] = []
    file, folder = tasks or Path(TASKS_FILE), secrets or Path(SECRETS_FOLDER)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    document = read_tasks(content, _finder(), file=str(file))
    for report in run_tasks(document.tasks, lambda key: read_mounted(key, folder)):
        reports.append(report)
        print(f"{report.hook}: {report.subject}: {'; '.join(report.changed) or 'unchanged'}", flush=True)
        if TERMINATION.exists():
            TERMINATION.write_bytes(message_of(reports))
    raise_failed(reports)
    return 0


def _finder() -> Callable[[str], type]:
    """Return what finds a kind: the core's own, else every plugin that is installed is asked."""
    from kiwi_core.plugins import Plugins

    plugins = Plugins()
    asked: list[object] = []

    def find(kind: str) -> type:
        try:
            return plugins.desired(kind)
        except PluginError:
            if asked:
                raise
            asked.extend(plugins.installed())
            return plugins.desired(kind)

    return find


def address(word: str) -> tuple[Address, Address]:
    """Read ``HOST:PORT=HOST:PORT``.

    Raises:
        ValueError: it is something else.
    """
    wanted, _, instead = word.partition("=")
    return _one(wanted), _one(instead)


def _one(word: str) -> Address:
    host, _, port = word.rpartition(":")
    if not host:
        raise ValueError(word)
    return host.strip("[]"), int(port)
