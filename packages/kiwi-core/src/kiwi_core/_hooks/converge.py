"""Converge: observe, plan, apply and verify, until a server is as it is wanted or the time is up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

import attrs

from kiwi_core._model.desired import Desired, Session
from kiwi_core.errors import Conflict, Problem, Unreachable

__all__ = ["Outcome", "converge", "outstanding"]

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
MOST_CONFLICTS: Final = 20


@attrs.frozen(kw_only=True)
class Outcome:
    """What a hook did.

    Attributes:
        subject: what it was about.
        changed: the steps that were applied, as text; none when it was converged already.
        seconds: how long it took, waiting included.
    """

    subject: str
    changed: tuple[str, ...]
    seconds: float


def converge(desired: Desired, session: Session, *, pause: Callable[[float], None] = time.sleep) -> Outcome:
    """Bring a server to a desired state.

    A server that does not answer is asked again, ever more slowly, until the session's deadline. When somebody else
    changes the same thing meanwhile, it is observed anew.

    Args:
        desired: the state.
        session: secrets, deadline, connections.
        pause: waits for so many seconds.

    Raises:
        HookError: it cannot be done, or not in time.
    """
    started = time.monotonic()
    changed: list[str] = []
    wait, conflicts = FIRST_PAUSE, 0
    while True:
        try:
            observed = desired.observe(session)
            steps = desired.plan(observed)
            for step in steps:
                desired.apply(step, session)
                changed.append(str(step))
            if steps:
                desired.verify(session)
            return Outcome(subject=desired.subject, changed=tuple(changed), seconds=time.monotonic() - started)
        except Unreachable as error:
            session.close()
            if time.monotonic() + wait > session.deadline:
                waited = f"{desired.subject}: gave up after {time.monotonic() - started:.0f} s"
                raise Unreachable(Problem(waited), *error.problems) from error
        except Conflict:
            conflicts += 1
            if conflicts > MOST_CONFLICTS:
                raise
        # So that two that collide do not do so forever.
        pause(wait * random.uniform(0.5, 1))  # noqa: S311 -- no secret
        wait = min(wait * 2, LONGEST_PAUSE)


def outstanding(desired: Desired, session: Session) -> tuple[str, ...]:
    """Return the steps that a desired state still needs, as text. Changes nothing.

    Raises:
        HookError: the server cannot be looked at.
    """
    return tuple(str(step) for step in desired.plan(desired.observe(session)))
