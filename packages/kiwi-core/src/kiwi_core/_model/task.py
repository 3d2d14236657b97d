"""Tasks: what the runtime of hooks is given, as one document for each phase of a component."""

from __future__ import annotations

from typing import Final

import attrs

from kiwi_core._model.desired import Desired

__all__ = ["SECRETS_FOLDER", "TASKS_FILE", "Task", "Tasks"]

SECRETS_FOLDER: Final = "/run/kiwistack/secrets"
"""Where a hook's job finds its Secrets: ``<folder>/<secret>/<key>``."""

TASKS_FILE: Final = "/run/kiwistack/tasks/tasks.json"
"""Where a hook's job finds its tasks."""


@attrs.frozen(kw_only=True)
class Task:
    """One hook, resolved.

    Attributes:
        hook: its name in its component and phase.
        timeout: how long it may take, in seconds, waiting for its server included.
        desired: the state that it wants.
    """

    hook: str
    timeout: int
    desired: Desired


@attrs.frozen(kw_only=True)
class Tasks:
    """The hooks of a component in one phase, in order.

    Attributes:
        namespace: where they run.
        component: whose they are.
        phase: ``pre`` or ``post``.
    """

    namespace: str
    component: str
    phase: str
    tasks: tuple[Task, ...]
