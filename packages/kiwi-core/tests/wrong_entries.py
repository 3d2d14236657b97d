"""Kinds of hooks that are wrong, each in one way: the kit has to find it. Its processes import them from here."""
# ruff: noqa: ARG002 -- they do not do what they are asked to

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs
from kiwi_core import Desired, Orphan, Session, Step
from kiwi_core.errors import Conflict, Forbidden, HookError, Refused, Unreachable
from shelf import SECRETS, EntryState, Observed

__all__ = [
    "Adopts",
    "AlwaysSets",
    "AsksBesides",
    "AsksTwiceInOne",
    "Collides",
    "DoesNothing",
    "ForgetsText",
    "GivesUp",
    "HalfRotates",
    "LeaksEncoded",
    "LeaksInCause",
    "LeaksInError",
    "LeaksInObserved",
    "LeaksInRequest",
    "LeavesHalfMade",
    "LooksAway",
    "NamesAll",
    "NamesNoRight",
    "NamesNoServer",
    "NotEqual",
    "NotPlain",
    "PlansAnew",
    "RemovesAll",
    "Stumbles",
    "Sweeps",
    "Touches",
    "WaitsForPassword",
    "WritesWhenRefused",
]


class AlwaysSets(EntryState):
    """Is not idempotent."""

    def plan(self, observed: Observed) -> Sequence[Step]:
        return super().plan(observed) or [Step("set text", self.name, self.text)]

    def verify(self, session: Session) -> None:
        """Trust."""


class Touches(EntryState):
    """Is not idempotent, and does not say so."""

    def observe(self, session: Session) -> Observed:
        observed = super().observe(session)
        if observed.text == self.text:
            self.apply(Step("set text", self.name), session)
        return observed


class ForgetsText(EntryState):
    """Observes more than it heals."""

    def plan(self, observed: Observed) -> Sequence[Step]:
        return [step for step in super().plan(observed) if step.action != "set text"]


class LooksAway(EntryState):
    """Never asks whether the password opens."""

    def observe(self, session: Session) -> Observed:
        observed = super().observe(session)
        return attrs.evolve(observed, opens=observed.text is not None)


class AsksBesides(EntryState):
    """Marks in a request that nobody counts."""

    def apply(self, step: Step, session: Session) -> None:
        super().apply(step, session)
        if step.action == "create":
            super().apply(Step("mark", self.name), uncounted(session))


class AsksTwiceInOne(EntryState):
    """Counts two requests as one."""

    def apply(self, step: Step, session: Session) -> None:
        with session.request("both"):
            super().apply(step, uncounted(session))
            super().apply(Step("mark", self.name), uncounted(session))


def uncounted(session: Session) -> Session:
    """A session with the same secrets that nobody watches."""
    return Session(lambda key: SECRETS[key.key], deadline=session.deadline)


class LeavesHalfMade(EntryState):
    """Makes with a mark that the next run takes for somebody else's."""

    def apply(self, step: Step, session: Session) -> None:
        if step.action == "create":
            EntryState.apply(attrs.evolve(self, owner="in-the-making"), step, session)
            step = Step("mark", self.name)
        super().apply(step, session)


class HalfRotates(EntryState):
    """Changes the administrator's password by way of one that nobody else knows."""

    def apply(self, step: Step, session: Session) -> None:
        if step.action == "change password of":
            self._as_admin(session, "PUT", "/password", {"password": "in-between"})
            self._ask(session, "PUT", "/password", self.user, "in-between", {"password": session.secret(self.admin)})
        else:
            super().apply(step, session)


class Stumbles(EntryState):
    """Has a mistake in it that is no HookError."""

    def apply(self, step: Step, session: Session) -> None:
        raise ZeroDivisionError(step)


class Collides(EntryState):
    """Takes a colleague for an error."""

    def apply(self, step: Step, session: Session) -> None:
        time.sleep(0.1)
        try:
            super().apply(step, session)
        except Conflict as error:
            raise HookError(f"{self.subject}: somebody else was faster") from error


class Sweeps(EntryState):
    """Takes away what it does not know."""

    def observe(self, session: Session) -> Observed:
        for orphan in self.orphans(session, [self]):
            self.remove(orphan, session)
        return super().observe(session)


class NamesAll(EntryState):
    """Names as orphans what is wanted."""

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        return super().orphans(session, [])


class RemovesAll(EntryState):
    """Removes what it is told, whoever's it is."""

    def remove(self, orphan: Orphan, session: Session) -> None:
        self._as_admin(session, "DELETE", f"/entries/{orphan.name}")


class Adopts(EntryState):
    """Takes what is another's for its own."""

    def observe(self, session: Session) -> Observed:
        try:
            return super().observe(session)
        except (Conflict, Forbidden, Refused, Unreachable):
            raise
        except HookError:
            return Observed(admin=True, owner="", text="", opens=False)

    def verify(self, session: Session) -> None:
        """Trust."""


class PlansAnew(EntryState):
    """Plans something else each time."""

    number: ClassVar = itertools.count()

    def plan(self, observed: Observed) -> Sequence[Step]:
        return [attrs.evolve(step, detail=str(next(self.number))) for step in super().plan(observed)]


@attrs.frozen(kw_only=True)
class NotPlain(EntryState):
    """Holds what JSON cannot."""

    tags: frozenset[str] = frozenset({"short"})


@attrs.frozen(kw_only=True)
class NotEqual(EntryState):
    """Keeps something to itself."""

    _number: int = attrs.field(factory=itertools.count().__next__, alias="number")


class DoesNothing(EntryState):
    """Is content with everything."""

    def plan(self, observed: Observed) -> Sequence[Step]:
        return []


class Wraps(EntryState):
    """Deals with the failures of requests itself."""

    def _ask(
        self,
        session: Session,
        method: str,
        path: str,
        user: str,
        password: str,
        body: Mapping[str, str] | None = None,
    ) -> dict[str, str] | None:
        try:
            return super()._ask(session, method, path, user, password, body)
        except HookError as error:
            self.fail(error, session, password)
            raise

    def fail(self, error: HookError, session: Session, password: str) -> None:
        """Raise another error instead."""


class GivesUp(Wraps):
    """Does not wait for its server."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Unreachable):
            raise HookError(str(error)) from None


class NamesNoServer(Wraps):
    """Does not say which server is down."""

    subject: ClassVar[str] = "entry"  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Unreachable):
            raise Unreachable("the server does not answer") from None


class WaitsForPassword(Wraps):
    """Hopes that a password gets right."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Refused):
            raise Unreachable(str(error)) from None


class WritesWhenRefused(Wraps):
    """Gets in by another way."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Refused) and self.admin.previous is None:
            EntryState._ask(self, session, "DELETE", "/entries/none", self.user, SECRETS["admin-1"])


class NamesNoRight(Wraps):
    """Does not say which right is missing."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Forbidden):
            raise Forbidden(f"{self.subject}: the account lacks a right") from None


class LeaksInError(Wraps):
    """Shows the password that was refused."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Refused):
            raise Refused(f"{self.subject}: {password!r} is wrong") from None


class LeaksEncoded(Wraps):
    """Shows it as it went over the wire."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Refused):
            raise Refused(f"{self.subject}: {base64.b64encode(password.encode()).decode()} is wrong") from None


class LeaksInCause(Wraps):
    """Shows it in what a traceback has as its cause."""

    def fail(self, error: HookError, session: Session, password: str) -> None:
        if isinstance(error, Refused):
            raise Refused(f"{self.subject}: refused") from ValueError(password)


class LeaksInRequest(EntryState):
    """Shows it in the name of a request."""

    def apply(self, step: Step, session: Session) -> None:
        with session.request(f"warm up {session.secret(self.password)}"):
            pass
        super().apply(step, session)


class LeaksInObserved(EntryState):
    """Keeps it in what it observed."""

    def observe(self, session: Session) -> Observed:
        observed = super().observe(session)
        return attrs.evolve(observed, owner=observed.owner or session.secret(self.password))
