"""Run the tasks of a phase, in an operator's hands or in a job of the cluster: one code, two sources of secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._hooks.converge import converge, outstanding
from kiwi_core._model.desired import Address, Desired, Session
from kiwi_core._model.schema import SCHEMAS, Schema
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.task import SECRETS_FOLDER, Task, Tasks
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ExternalError, HookError, InputError, KiwiError, Problem

__all__ = ["Report", "message_of", "plan_tasks", "raise_failed", "read_mounted", "read_tasks", "run_tasks"]

MOST_BYTES: Final = 4096
"""What Kubernetes keeps of a termination message (core/v1, Container.terminationMessagePath)."""


@attrs.frozen(kw_only=True)
class Report:
    """What became of one hook.

    Attributes:
        hook: its name.
        subject: what it is about.
        changed: the steps that were applied, or that a plan has; none when it was converged.
        seconds: how long it took.
        problems: why it failed; none when it did not.
        waits_for: why it cannot be planned until the hooks before it have run.
    """

    hook: str
    subject: str
    changed: tuple[str, ...] = ()
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()


def read_tasks(content: bytes, find: Callable[[str], type], *, file: str) -> Tasks:
    """Read the document of a phase.

    Args:
        content: the document, JSON.
        find: gives the class of a kind of desired states.
        file: where it stands, for messages.

    Raises:
        InputError: it is none, or of a kind that nobody here ships.
    """
    try:
        data = json.loads(content)
    except ValueError as error:
        raise InputError(f"{file}: this is no JSON: {error}") from None
    return Converter({Desired: find, Schema: SCHEMAS.__getitem__}).structure(data, Tasks, file=file, error=InputError)


def read_mounted(key: SecretKey, folder: Path = Path(SECRETS_FOLDER)) -> str:
    """Return the value of a key of a Secret that is mounted.

    Raises:
        ExternalError: it is not there.
    """
    path = folder / key.secret / key.key
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        hint = "a Secret of that name, with that key, has to be in the hook's namespace"
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ExternalError(Problem(f"key {key.key!r} of Secret {key.secret!r}: {reason}", hint=hint)) from None


def run_tasks(
    tasks: Sequence[Task], read: Callable[[SecretKey], str], *, connect_to: Mapping[Address, Address] | None = None
) -> Iterator[Report]:
    """Bring servers to what the tasks want, in order; yield what became of each.

    The first that fails is the last: those after it may rest on it.

    Args:
        tasks: in order.
        read: gives the value of a key of a Secret.
        connect_to: where to connect instead of an address.
    """

    def run(task: Task, session: Session) -> tuple[str, ...]:
        return converge(task.desired, session).changed

    return _each(tasks, run, read, connect_to)


def plan_tasks(
    tasks: Sequence[Task], read: Callable[[SecretKey], str], *, connect_to: Mapping[Address, Address] | None = None
) -> Iterator[Report]:
    """Look at servers and change nothing; yield for each task what is left to do.

    A task may rest on what one before it would do, and cannot be planned until then: its problem is told as such.
    """
    has_more = False
    for report in _each(
        tasks, lambda task, session: outstanding(task.desired, session), read, connect_to, goes_on=True
    ):
        has_more = has_more or bool(report.changed)
        yield attrs.evolve(report, problems=(), waits_for=report.problems) if has_more else report


def _each(
    tasks: Sequence[Task],
    do: Callable[[Task, Session], tuple[str, ...]],
    read: Callable[[SecretKey], str],
    connect_to: Mapping[Address, Address] | None,
    *,
    goes_on: bool = False,
) -> Iterator[Report]:
    with Session(read, connect_to=connect_to) as session:
        for task in tasks:
            started = time.monotonic()
            session.deadline = started + task.timeout
            changed: tuple[str, ...] = ()
            problems: tuple[str, ...] = ()
            try:
                changed = do(task, session)
            except KiwiError as error:
                problems = tuple(map(str, error.problems))
            except Exception as error:  # noqa: BLE001 -- a kind's own code may raise anything; its text may hold a secret
                problems = (f"{type(task.desired).__name__} failed by a mistake of its own: {type(error).__name__}",)
            yield Report(
                hook=task.hook,
                subject=task.desired.subject,
                changed=changed,
                seconds=round(time.monotonic() - started, 3),
                problems=problems,
            )
            if problems and not goes_on:
                return


def message_of(reports: Sequence[Report]) -> bytes:
    """Return the reports as a termination message: JSON, cut where it would be too long to be kept."""
    rows = [
        {key: value for key, value in attrs.asdict(report).items() if value and key != "subject"} for report in reports
    ]
    for most in (1000, 200, 60, 0):
        cut = [{key: _cut(value, most) for key, value in row.items()} for row in rows]
        message = json.dumps({"hooks": cut}, ensure_ascii=False).encode()
        if len(message) <= MOST_BYTES:
            return message
    return json.dumps({"hooks": [], "left_out": len(rows)}).encode()


def _cut(value: object, most: int) -> object:
    if isinstance(value, tuple | list):
        return [str(item)[:most] for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- texts
    return value


def raise_failed(reports: Sequence[Report]) -> None:
    """Raise the problems of what failed, with the hooks' names.

    Raises:
        HookError: something failed.
    """
    problems = [Problem(f"hook {report.hook}: {text}") for report in reports for text in report.problems]
    if problems:
        raise HookError(*problems)
