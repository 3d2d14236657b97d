"""The state of a customer's team and key at LiteLLM: what is wanted, what there is, and the way from one to the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final, cast

import attrs

from kiwi_core._hooks.urls import at
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core.errors import HookError, Problem

if TYPE_CHECKING:
    from kiwi_core._hooks.litellm_client import Found, LiteLlmClient

__all__ = ["OldKey", "VirtualKeyFound", "VirtualKeyState"]

OWNER: Final = "kiwistack.owner"
CUSTOMER: Final = "kiwistack.customer"
MARK: Final = "mark"
"""Stands for both in a step."""
ROUTES: Final = ("llm_api_routes",)
"""What a key of type ``llm_api`` may call: models, and what there is to know about them."""
SHORTEST: Final = 16
"""Characters of a key (MINIMUM_CUSTOM_KEY_LENGTH)."""
SETS: Final = ("models", "allowed_routes")
"""Lists whose order does not count."""


@attrs.frozen
class OldKey:
    """A key of the customer's that is not the one that is wanted.

    Attributes:
        label: its alias.
        token: its hash, by which LiteLLM knows it.
        is_expiring: whether it will not be taken some time.
        is_expired: whether it is not taken any more.
    """

    label: str
    token: str
    is_expiring: bool
    is_expired: bool


@attrs.frozen(kw_only=True)
class VirtualKeyFound:
    """What there is of a customer's team and key.

    Attributes:
        has_team, has_key: whether they are there.
        team, key: the fields of each that are otherwise.
        old: other keys of the customer's.
    """

    has_team: bool
    has_key: bool
    team: tuple[str, ...]
    key: tuple[str, ...]
    old: tuple[OldKey, ...]


@attrs.frozen(kw_only=True)
class VirtualKeyState(Desired):
    """A customer's team and key at LiteLLM; see :class:`kiwi_core._hooks.virtual_key.VirtualKey`."""

    kind: ClassVar[str] = "virtual-key"

    url: str
    master: Mounted
    customer: str
    key: Mounted
    models: tuple[str, ...] = ()
    max_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    grace: int = 0

    @property
    def subject(self) -> str:
        """The customer and the server."""
        return f"virtual key of {self.customer} at {at(self.url)}"

    @property
    def team(self) -> str:
        """The id of the customer's team."""
        return f"kiwistack-{self.customer}"

    def observe(self, session: Session) -> VirtualKeyFound:
        """Look at the team and its keys; at the key itself, where it is none of them."""
        client, token = self._client(session), self._token(session)
        team = client.find_team(self.team)
        keys = {str(key.get("token")): key for key in client.list_keys(self.team)} if team is not None else {}
        key = keys.get(token) or client.find_key(token, self._alias(token))
        for what, found in (("team", team), ("key", key)):
            self._refuse_foreign(f"{what} of {self.customer}", found)
        old = [self._old(other) for other in keys.values() if other is not key and self._is_own(other)]
        return VirtualKeyFound(
            has_team=team is not None,
            has_key=key is not None,
            team=() if team is None else self._differing(team, self._team_fields),
            key=() if key is None else self._differing(key, self._key_fields(token)),
            old=tuple(sorted(old, key=lambda each: each.token)),
        )

    def plan(self, observed: VirtualKeyFound) -> Sequence[Step]:
        """Make or update the team and the key, then let go of the keys before."""
        steps: list[Step] = []
        for what, is_there, differing in (
            ("team", observed.has_team, observed.team),
            ("key", observed.has_key, observed.key),
        ):
            if not is_there:
                steps.append(Step(f"create {what}", self.customer))
            elif differing:
                steps.append(Step(f"update {what}", self.customer, ", ".join(differing)))
        for old in observed.old:
            if old.is_expired or not self.grace:
                steps.append(Step("delete key", old.label, old.token))
            elif not old.is_expiring:
                steps.append(Step("let expire key", old.label, old.token))
        return steps

    def apply(self, step: Step, session: Session) -> None:
        """Do one step."""
        client, token = self._client(session), self._token(session)
        match step.action:
            case "create team":
                fields = {name: value for name, value in self._team_fields.items() if value is not None}
                body = {"team_id": self.team, **fields, "metadata": self._marks}
                client.change("/team/new", body, f"team {self.team}")
            case "update team":
                body = self._changes(step, self._team_fields, lambda: client.find_team(self.team))
                client.change("/team/update", {"team_id": self.team, **body}, f"team {self.team}")
            case "create key":
                fields = {name: value for name, value in self._key_fields(token).items() if value is not None}
                body = {"key": session.secret(self.key), **fields, "key_type": "llm_api", "metadata": self._marks}
                client.change("/key/generate", body, f"key {self._alias(token)}")
            case "update key":
                label = self._alias(token)
                body = self._changes(step, self._key_fields(token), lambda: client.find_key(token, label))
                client.change("/key/update", {"key": token, **body}, f"key {label}")
            case "let expire key":
                client.lets_in(self.key, self._alias(token))
                client.change("/key/update", {"key": step.detail, "duration": f"{self.grace}h"}, f"key {step.of}")
            case _:
                client.lets_in(self.key, self._alias(token))
                client.delete_key(step.detail, step.of)

    def verify(self, session: Session) -> None:
        """Look again, and use the key."""
        super().verify(session)
        self._client(session).lets_in(self.key, self._alias(self._token(session)))

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the owner's teams and keys of customers that are not wanted."""
        client = self._client(session)
        others = [each for each in wanted if isinstance(each, VirtualKeyState) and each.url == self.url]
        customers = {each.customer for each in others}
        teams = {str(team.get("team_id")): team for team in client.list_teams() if self._is_lost(team, customers)}
        keys = [key for key in client.list_keys() if self._is_lost(key, customers) and key.get("team_id") not in teams]
        found = [*teams.items(), *((_label(key), key) for key in keys)]
        return [Orphan(kind=self.kind, name=name, at=at(self.url), holds=_spent(each)) for name, each in found]

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Remove a team with its keys, or a key."""
        client = self._client(session)
        if (team := client.find_team(orphan.name)) is not None:
            self._refuse_foreign(f"team {orphan.name}", team, needs_mark=True)
            client.change("/team/delete", {"team_ids": [orphan.name]}, f"team {orphan.name}")
            return
        for key in client.list_keys():
            if _label(key) == orphan.name:
                self._refuse_foreign(f"key {orphan.name}", key, needs_mark=True)
                client.delete_key(str(key.get("token")), orphan.name)

    @property
    def _marks(self) -> Mapping[str, str]:
        return {OWNER: self.owner, CUSTOMER: self.customer}

    @property
    def _team_fields(self) -> Mapping[str, object]:
        return {
            "team_alias": self.customer,
            "models": list(self.models),
            "max_budget": self.max_budget,
            "budget_duration": self.budget_duration,
            "tpm_limit": self.tpm_limit,
            "rpm_limit": self.rpm_limit,
        }

    def _key_fields(self, token: str) -> Mapping[str, object]:
        return {
            "key_alias": self._alias(token),
            "team_id": self.team,
            "models": list(self.models),
            "allowed_routes": list(ROUTES),
            "expires": None,
        }

    def _client(self, session: Session) -> LiteLlmClient:
        from kiwi_core._hooks.litellm_client import LiteLlmClient

        return LiteLlmClient.of(self.url, self.master, session)

    def _token(self, session: Session) -> str:
        """Return the hash by which LiteLLM knows the key."""
        value = session.secret(self.key)
        if not value.startswith("sk-") or len(value) < SHORTEST:
            hint = "text('sk-{key}', key=…) makes one"
            message = f"{self.subject}: LiteLLM takes only keys that begin with 'sk-' and have {SHORTEST} characters"
            raise HookError(Problem(message, hint=hint))
        return hashlib.sha256(value.encode()).hexdigest()

    def _alias(self, token: str) -> str:
        """Return the alias of the key: another value has another one, since aliases are unique."""
        return f"{self.team}-{token[:12]}"

    def _differing(self, found: Found, fields: Mapping[str, object]) -> tuple[str, ...]:
        differing = [name for name, value in fields.items() if _plain(name, found.get(name)) != _plain(name, value)]
        return (*differing, *([] if self._is_own(found) else [MARK]))

    def _changes(self, step: Step, fields: Mapping[str, object], read: Callable[[], Found | None]) -> dict[str, object]:
        """Return what a step sends of fields. Metadata goes as a whole: what else stands in it is read and sent back."""
        names = step.detail.split(", ")
        body: dict[str, object] = {name: fields[name] for name in names if name not in {MARK, "expires"}}
        if "expires" in names:
            body["duration"] = None
        if MARK in names:
            body["metadata"] = {**_metadata(read() or {}), **self._marks}
        return body

    def _is_own(self, found: Found) -> bool:
        """Whether it bears the marks of this owner and this customer."""
        marks = _metadata(found)
        return all(marks.get(name) == value for name, value in self._marks.items())

    def _is_lost(self, found: Found, customers: Collection[str]) -> bool:
        """Whether it bears the mark of this owner, and of none of the customers."""
        marks = _metadata(found)
        return marks.get(OWNER) == self.owner and marks.get(CUSTOMER) not in customers

    def _refuse_foreign(self, what: str, found: Found | None, *, needs_mark: bool = False) -> None:
        """Make sure that something is nobody else's.

        Raises:
            HookError: it is marked as another owner's, or as that of another customer.
        """
        marks = _metadata(found or {})
        owner, customer = marks.get(OWNER), marks.get(CUSTOMER)
        place = f"{what} at {at(self.url)}"
        if owner != self.owner and (needs_mark or owner):
            hint = f"let one of them use another gateway; if it is {self.owner}'s now, delete {OWNER!r} of its metadata"
            raise HookError(Problem(f"{place} is {owner or 'nobody'}'s; {self.owner} wants it, too", hint=hint))
        if owner and customer != self.customer and not needs_mark:
            hint = "each customer has a key of its own: rotate one of both"
            raise HookError(Problem(f"{place} is that of customer {customer}", hint=hint))

    def _old(self, key: Found) -> OldKey:
        expires = key.get("expires")
        last = datetime.fromisoformat(expires) if isinstance(expires, str) else None
        if last is not None and last.tzinfo is None:
            last = last.replace(tzinfo=UTC)  # LiteLLM's times are UTC, also where they do not say so
        is_over = last is not None and last < datetime.now(UTC)
        return OldKey(_label(key), str(key.get("token")), is_expiring=last is not None, is_expired=is_over)


def _metadata(found: Found) -> Mapping[str, object]:
    metadata = found.get("metadata")
    return cast("Found", metadata) if isinstance(metadata, Mapping) else {}


def _plain(name: str, value: object) -> object:
    return sorted(map(str, cast("Sequence[object]", value or ()))) if name in SETS else value


def _label(key: Found) -> str:
    return str(key.get("key_alias") or str(key.get("token"))[:12])


def _spent(found: Found) -> str:
    spend = found.get("spend")
    return f"the account of a spend of {spend:.2f}" if isinstance(spend, int | float) and spend else ""
