"""The state of a client at Keycloak: what is wanted, what there is, and the way from one to the other."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from kiwi_core._hooks.keycloak_parts import (
    OFF,
    OWNER,
    PKCE,
    POST_LOGOUT,
    PROTOCOL,
    KeycloakAdmin,
    OidcMapper,
    mappers_in,
    mapping_in,
    names_in,
)
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core.errors import HookError, Problem, Unreachable, did_you_mean

if TYPE_CHECKING:
    from kiwi_core._hooks.keycloak_client import Keycloak

__all__ = ["OidcClientFound", "OidcClientState"]

NOWHERE: Final = "-"
"""As post-logout URI: none. Without the attribute, the redirect URIs are allowed."""
SEPARATOR: Final = "##"
"""Between post-logout URIs."""
SERVICE_ACCOUNT: Final = "service_account"
"""The scope that Keycloak gives to every client with a service account (26.4)."""
SET_TOGETHER: Final = {
    "owner": "owner",
    "is_secret_right": "secret",
    "redirect_uris": "redirect URIs",
    "web_origins": "web origins",
    "mappers": "mappers",
}
"""What one request sets, beside flags and attributes, and how it is called."""


@attrs.frozen(kw_only=True)
class OidcClientFound:
    """What there is of a client.

    Attributes:
        is_admin_current: whether Keycloak takes the administrator's current password.
        is_there: whether there is such a client; what follows is empty when there is none.
        owner: whose mark it bears; empty where it bears none.
        is_secret_right: whether its secret is the one that is wanted; True for a public client.
        flags: what it may do, of what matters.
        attributes: those that matter.
        redirect_uris, web_origins: all.
        mappers: all of its own.
        default_scopes, optional_scopes: all but what Keycloak gives of itself; None where they do not matter.
        roles: those that are wanted.
    """

    is_admin_current: bool
    is_there: bool = False
    owner: str = ""
    is_secret_right: bool = False
    flags: Mapping[str, object] = attrs.field(factory=dict[str, object])
    attributes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    redirect_uris: frozenset[str] = frozenset()
    web_origins: frozenset[str] = frozenset()
    mappers: Mapping[str, OidcMapper] = attrs.field(factory=dict[str, OidcMapper])
    default_scopes: frozenset[str] | None = None
    optional_scopes: frozenset[str] | None = None
    roles: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class OidcClientState(Desired):
    """A client as it is wanted. It is marked by an attribute.

    Attributes:
        admin: the realm, and who administers it.
        client_id: the client's name.
        secret: None for a public client.
        redirect_uris, post_logout_uris, web_origins, pkce, service_account, full_scope: as OidcClient has them.
        default_scopes, optional_scopes, mappers, roles, attributes: as OidcClient has them.
    """

    kind: ClassVar[str] = "oidc-client"

    admin: KeycloakAdmin
    client_id: str
    secret: Mounted | None
    redirect_uris: tuple[str, ...] = ()
    post_logout_uris: tuple[str, ...] = ()
    web_origins: tuple[str, ...] = ()
    pkce: bool = True
    service_account: bool = False
    full_scope: bool = False
    default_scopes: tuple[str, ...] | None = None
    optional_scopes: tuple[str, ...] = ()
    mappers: Mapping[str, OidcMapper] = attrs.field(factory=dict[str, OidcMapper])
    roles: tuple[str, ...] = ()
    attributes: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def subject(self) -> str:
        """The client, its realm and its server."""
        return f"client {self.client_id} in realm {self.admin.realm} at {self.admin.at}"

    def wanted(self) -> OidcClientFound:
        """Return what is there when all is as it is wanted."""
        is_public = self.secret is None
        flags: dict[str, object] = {
            "enabled": True,
            "bearerOnly": False,
            "publicClient": is_public,
            "standardFlowEnabled": bool(self.redirect_uris),
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": self.service_account,
            "fullScopeAllowed": self.full_scope,
        }
        attributes = {
            PKCE: "S256" if self.pkce else "",
            POST_LOGOUT: SEPARATOR.join(self.post_logout_uris) or NOWHERE,
            **dict.fromkeys(OFF, ""),
            **self.attributes,
        }
        have_scopes = self.default_scopes is not None
        return OidcClientFound(
            is_admin_current=True,
            is_there=True,
            owner=self.owner,
            is_secret_right=True,
            flags=flags if is_public else {**flags, "clientAuthenticatorType": "client-secret"},
            attributes=attributes,
            redirect_uris=frozenset(self.redirect_uris),
            web_origins=frozenset(self.web_origins),
            mappers={name: mapper.completed for name, mapper in self.mappers.items()},
            default_scopes=frozenset(self.default_scopes or ()) if have_scopes else None,
            optional_scopes=frozenset(self.optional_scopes) if have_scopes else None,
            roles=frozenset(self.roles),
        )

    def observe(self, session: Session) -> OidcClientFound:
        """Look at the client; and at its roles, where some are wanted."""
        keycloak = self._keycloak(session)
        is_current = keycloak.is_password_current()
        client = keycloak.client(self.client_id)
        if client is None:
            return OidcClientFound(is_admin_current=is_current)
        if client.get("protocol") != PROTOCOL:
            hint = "it is for something else: give the use another name, or delete that client"
            raise HookError(Problem(f"{self.subject} is there, and speaks {client.get('protocol')}", hint=hint))
        wanted, attributes = self.wanted(), mapping_in(client.get("attributes"))
        have_scopes = self.default_scopes is not None
        return OidcClientFound(
            is_admin_current=is_current,
            is_there=True,
            owner=attributes.get(OWNER, ""),
            is_secret_right=self.secret is None or _is_same(client.get("secret"), session.secret(self.secret)),
            flags={name: client.get(name) for name in wanted.flags},
            attributes={name: _without_false(name, attributes.get(name, "")) for name in wanted.attributes},
            redirect_uris=names_in(client.get("redirectUris")),
            web_origins=names_in(client.get("webOrigins")),
            mappers=mappers_in(client.get("protocolMappers")),
            default_scopes=names_in(client.get("defaultClientScopes")) - self._given_scopes if have_scopes else None,
            optional_scopes=names_in(client.get("optionalClientScopes")) if have_scopes else None,
            roles=keycloak.roles(self.client_id) & wanted.roles if wanted.roles else frozenset(),
        )

    def plan(self, observed: OidcClientFound) -> Sequence[Step]:
        """Compare. One request sets most of what can differ; each scope and each role takes one more.

        Raises:
            HookError: the client is somebody else's.
        """
        if observed.owner not in {"", self.owner}:
            hint = f"let one of them use another name; if it is {self.owner}'s now, delete its attribute {OWNER}"
            raise HookError(Problem(f"{self.subject} is {observed.owner}'s; {self.owner} wants it, too", hint=hint))
        steps: list[Step] = []
        if not observed.is_admin_current:
            steps.append(Step("set password", f"administrator {self.admin.user}"))
        if not observed.is_there:
            steps.append(Step("create", f"client {self.client_id}"))
        else:
            if differing := tuple(self._differing(observed)):
                steps.append(Step("set", f"client {self.client_id}", ", ".join(differing)))
            steps += self._scope_steps(observed)
        return [*steps, *(Step("add role", role) for role in self.roles if role not in observed.roles)]

    def apply(self, step: Step, session: Session) -> None:
        """Do one step.

        Raises:
            HookError: Keycloak does not do it; Conflict when the client or its role has come or gone meanwhile.
        """
        keycloak = self._keycloak(session)
        match step.action:
            case "set password":
                keycloak.set_password()
            case "create":
                keycloak.create_client({**self._form(session), **self._scopes_form(keycloak)})
            case "set":
                keycloak.update_client(self.client_id, self._form(session))
            case "remove scope":
                keycloak.remove_scope(self.client_id, self._scope_ids(keycloak, (step.of,))[step.of])
            case "add scope":
                scope = self._scope_ids(keycloak, (step.of,))[step.of]
                keycloak.add_scope(self.client_id, scope, step.detail)
            case "add role":
                keycloak.create_role(self.client_id, step.of)
            case _:
                raise AssertionError(f"the plan has no {step}")

    def verify(self, session: Session) -> None:
        """Observe again, and sign in as the client, where it has a secret.

        Raises:
            HookError: something is not so.
        """
        super().verify(session)
        if self.secret and not self._keycloak(session).takes_secret(self.client_id, session.secret(self.secret)):
            hint = "a client policy of the realm may ask for more than a secret"
            raise HookError(Problem(f"{self.subject}: its secret was set, and Keycloak does not take it", hint=hint))

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the realm's clients that bear the owner's mark and are not wanted."""
        keycloak = self._keycloak(session)
        kept = {
            each.client_id
            for each in wanted
            if isinstance(each, OidcClientState)
            and (each.admin.at, each.admin.realm) == (self.admin.at, self.admin.realm)
        }
        marked = [
            str(client.get("clientId"))
            for client in keycloak.clients()
            if mapping_in(client.get("attributes")).get(OWNER) == self.owner
        ]
        return [
            Orphan(kind=self.kind, name=name, at=self.admin.at, holds=_holds(keycloak, name))
            for name in marked
            if self.owner and name not in kept
        ]

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Delete a client, with its roles and sessions.

        Raises:
            HookError: it is somebody else's by now.
        """
        keycloak = self._keycloak(session)
        client = keycloak.client(orphan.name)
        if client is None:
            return
        owner = mapping_in(client.get("attributes")).get(OWNER, "")
        if owner != self.owner:
            subject = attrs.evolve(self, client_id=orphan.name).subject
            raise HookError(f"{subject} is {owner or 'nobody'}'s, not {self.owner}'s: it stays")
        keycloak.delete_client(orphan.name)

    def _keycloak(self, session: Session) -> Keycloak:
        from kiwi_core._hooks.keycloak_client import Keycloak

        return Keycloak.kept(self.admin, session)

    @property
    def _given_scopes(self) -> frozenset[str]:
        """The default scopes that Keycloak gives of itself, and that do not matter unless they are wanted."""
        given = {SERVICE_ACCOUNT} if self.service_account else set[str]()
        return frozenset(given - {*(self.default_scopes or ())})

    def _differing(self, observed: OidcClientFound) -> Iterator[str]:
        """Yield the names of what one request can set, and what is to be set."""
        wanted = self.wanted()
        yield from (
            words for field, words in SET_TOGETHER.items() if getattr(observed, field) != getattr(wanted, field)
        )
        yield from (name for name, value in wanted.flags.items() if observed.flags[name] != value)
        yield from (name for name, value in wanted.attributes.items() if observed.attributes[name] != value)

    def _form(self, session: Session) -> Mapping[str, object]:
        """Return the client as Keycloak is told; web origins in any case, or Keycloak makes some of the redirect URIs."""
        wanted = self.wanted()
        secret = {"secret": session.secret(self.secret)} if self.secret else {}
        return {
            "clientId": self.client_id,
            "protocol": PROTOCOL,
            **wanted.flags,
            **secret,
            "attributes": {**wanted.attributes, OWNER: self.owner},
            "redirectUris": [*self.redirect_uris],
            "webOrigins": [*self.web_origins],
            "protocolMappers": [mapper.form(name) for name, mapper in wanted.mappers.items()],
        }

    def _scopes_form(self, keycloak: Keycloak) -> Mapping[str, object]:
        """Return the scopes that a new client is to have; Keycloak would leave out unknown ones, and say nothing."""
        if self.default_scopes is None:
            return {}
        self._scope_ids(keycloak, (*self.default_scopes, *self.optional_scopes))
        return {"defaultClientScopes": [*self.default_scopes], "optionalClientScopes": [*self.optional_scopes]}

    def _scope_steps(self, observed: OidcClientFound) -> Iterator[Step]:
        """Yield the steps to the wanted scopes: first away, since a client has each in one sort only."""
        wanted = self.wanted()
        sorts = {
            "default": (observed.default_scopes or frozenset(), wanted.default_scopes or frozenset()),
            "optional": (observed.optional_scopes or frozenset(), wanted.optional_scopes or frozenset()),
        }
        for has, wants in sorts.values():
            yield from (Step("remove scope", name) for name in sorted(has - wants))
        for sort, (has, wants) in sorts.items():
            yield from (Step("add scope", name, sort) for name in sorted(wants - has))

    def _scope_ids(self, keycloak: Keycloak, names: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of client scopes.

        Raises:
            Unreachable: the realm has not got them all yet: they are imported with it, by jobs that nobody waits for.
        """
        ids = keycloak.scopes(PROTOCOL)
        problems = [
            Problem(
                f"{self.subject}: the realm has no client scope {name!r} for OpenID Connect",
                hint=did_you_mean(name, ids, otherwise="it has"),
            )
            for name in names
            if name not in ids
        ]
        if problems:
            raise Unreachable(*problems)
        return ids


def _is_same(found: object, secret: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(found.encode(), secret.encode())


def _without_false(name: str, value: str) -> str:
    """Return the value of an attribute; empty where that means the same."""
    return "" if name in OFF and value == "false" else value


def _holds(keycloak: Keycloak, client_id: str) -> str:
    """Return what would be lost with a client."""
    counts = {"role": len(keycloak.roles(client_id)), "session": keycloak.sessions(client_id)}
    return " and ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts.items() if count)
