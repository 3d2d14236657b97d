"""The state of a seed over HTTP: what is wanted, what there is, and the way from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

from kiwi_core._hooks.http_body import part
from kiwi_core._hooks.http_seed_parts import CallState, LoginState, Wanted, check_url
from kiwi_core._hooks.urls import at
from kiwi_core._model.desired import Desired, Mounted, Session, Step
from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused, Unreachable

if TYPE_CHECKING:
    from kiwi_core._hooks.http import Reply
    from kiwi_core._hooks.http_seed_client import HttpSeedClient

__all__ = ["HttpSeedState", "HttpSeeded"]


@attrs.frozen(kw_only=True)
class HttpSeeded:
    """What is there of the object.

    Attributes:
        account: whether the server takes the account.
        ids: of the objects that match.
        differing: the fields of the object that are otherwise.
        marked: whether it was given the secrets that are wanted, as far as its mark tells.
    """

    account: bool
    ids: tuple[str, ...]
    differing: tuple[str, ...]
    marked: bool


@attrs.frozen(kw_only=True)
class HttpSeedState(Desired):
    """An object that an application's own API has to have; see :class:`kiwi_core._hooks.http_seed.HttpSeed`."""

    kind: ClassVar[str] = "http-seed"

    url: str = attrs.field(validator=check_url)
    login: LoginState | None = None
    bearer: Mounted | None = None
    find: str
    items: str = ""
    wanted: Wanted
    creating: CallState | None = None
    updating: CallState
    removing: CallState | None = None

    @property
    def subject(self) -> str:
        """The object and the server."""
        return f"{self.wanted.label} of {self.find} at {at(self.url)}"

    def observe(self, session: Session) -> HttpSeeded:
        """Sign in and look for the object."""
        from kiwi_core._hooks.http_seed_client import HttpSeedClient

        try:
            client = HttpSeedClient.kept(self, session)
        except Refused:
            if self.login is None or self.login.register is None:
                raise
            return HttpSeeded(account=False, ids=(), differing=(), marked=False)
        found = client.find()
        one = found[0] if len(found) == 1 else None
        return HttpSeeded(
            account=True,
            ids=tuple(map(client.id_of, found)),
            differing=() if one is None else self.wanted.differing(one, session.secret),
            marked=one is not None and self.wanted.is_marked(one, session.secret),
        )

    def plan(self, observed: HttpSeeded) -> Sequence[Step]:
        """Register, create or update.

        Raises:
            HookError: several objects match.
        """
        if len(observed.ids) > 1:
            raise self._several(observed.ids)
        whom = self.login.user if self.login else ""
        first = [] if observed.account else [Step("register", whom)]
        if not observed.ids:
            return [*first, Step("create", self.wanted.label)]
        what = [*observed.differing, *(() if observed.marked else self.wanted.unread)]
        return [Step("update", self.wanted.label, ", ".join(what))] if what else []

    def apply(self, step: Step, session: Session) -> None:
        """Do one step."""
        from kiwi_core._hooks.http_seed_client import HttpSeedClient, register

        if step.action == "register":
            register(self, session)
        elif step.action == "create":
            self._create(HttpSeedClient.kept(self, session), session)
        else:
            self._update(HttpSeedClient.kept(self, session), session)

    def _create(self, client: HttpSeedClient, session: Session) -> None:
        if self.creating is None or client.find():
            raise Conflict(f"{self.subject}: it was made meanwhile")
        body = self.wanted.sent({}, session.secret, with_unread=True)
        try:
            reply = client.send(self.creating, body, is_secret=self.wanted.is_secret)
        except (Unreachable, Refused, Forbidden, Conflict):
            raise
        except HookError as error:
            # Many APIs answer 400 to what is there already.
            if client.find():
                raise Conflict(*error.problems) from None
            raise
        ids = tuple(map(client.id_of, client.find()))
        if len(ids) > 1:
            self._take_back(client, reply, ids)

    def _take_back(self, client: HttpSeedClient, reply: Reply, ids: Sequence[str]) -> None:
        """Remove what was made a moment ago, since another run has made the same."""
        own = reply.json() if reply.body else None
        mine = str(part(own, self.wanted.id_field))
        if self.removing is None or mine not in ids:
            raise self._several(ids)
        client.send(self.removing, None, to=mine, is_secret=False)
        raise Conflict(f"{self.subject}: another run made it at the same time")

    def _update(self, client: HttpSeedClient, session: Session) -> None:
        found = client.find()
        if len(found) != 1:
            raise Conflict(f"{self.subject}: it was removed or made anew meanwhile")
        (one,) = found
        resent = not self.wanted.is_marked(one, session.secret)
        body = self.wanted.sent(one, session.secret, with_unread=resent)
        if self.updating.method != "PATCH":
            body = self.wanted.replacement(one, body)
        client.send(self.updating, body, to=client.id_of(one), is_secret=self.wanted.is_secret)

    def _several(self, ids: Sequence[str]) -> HookError:
        """Return the error of several objects: a conflict where a run that is at work takes its own back."""
        message = f"{self.subject}: {len(ids)} objects match, with the ids {', '.join(ids)}"
        hint = "nothing tells which one is meant, so none is changed or deleted: delete all but one by hand"
        form = HookError if self.removing is None else Conflict
        return form(Problem(message, hint=hint))
