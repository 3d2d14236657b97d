"""Ask Keycloak as an administrator: its admin REST API, as far as hooks need it, and its token endpoint.

The forms are those of Keycloak's "Admin REST API"; what is said of its ways was seen on Keycloak 26.4.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from kiwi_core._hooks.http import Http, Reply
from kiwi_core._hooks.keycloak_parts import MASTER, KeycloakAdmin
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused, Unreachable

__all__ = ["Keycloak"]

SIGN_IN_CLIENT: Final = "admin-cli"
"""The client that every realm has for administrators with a password."""
RENEWED_BEFORE: Final = 10.0
"""Seconds; a token lives for a minute unless the realm says otherwise."""
PAGE: Final = 100
SAID: Final = ("error_description", "errorMessage", "error")
"""Where Keycloak says what is wrong; it repeats names and URIs there, and no secret."""
NO_REALM: Final = "Realm not found."


class Token(NamedTuple):
    """What lets an administrator in, and until when, of :func:`time.monotonic`."""

    text: str
    good_until: float


class Keycloak:
    """A realm of Keycloak, asked as its administrator.

    Each method makes one request; one more signs in where that is due, and one looks for a client whose id is not known
    yet. It raises Refused when the account is not taken, Forbidden when it lacks a right, Conflict when something has
    come or gone meanwhile, Unreachable when the realm is not there yet, and else as :class:`Http` does.
    """

    def __init__(self, admin: KeycloakAdmin, session: Session) -> None:
        self.admin = admin
        self._session = session
        self._http = Http.kept(admin.url, session, ca=session.secret(admin.ca) if admin.ca else None)
        self._token: Token | None = None
        self._is_current = False
        self._ids: dict[str, str] = {}

    @classmethod
    def kept(cls, admin: KeycloakAdmin, session: Session) -> Keycloak:
        """Return the session's own, signed in already where it was used before."""
        return session.client((cls, admin), lambda: cls(admin, session))

    def is_password_current(self) -> bool:
        """Whether the server takes the current password, and not only that of the generation before."""
        self._bearer()
        return self._is_current

    def set_password(self) -> None:
        """Give the account its current password. Two requests: the first one finds the account's id."""
        admin = self.admin
        users = f"/admin/realms/{quote(admin.user_realm, safe='')}/users"
        query = {"username": admin.user, "exact": "true"}
        found = self._ask("GET", users, query=query, right="manage-users", realm=admin.user_realm).mappings()
        if not found:
            raise HookError(f"{admin.at}: realm {admin.user_realm} shows no user {admin.user}, who has signed in to it")
        path = f"{users}/{quote(str(found[0].get('id')), safe='')}/reset-password"
        body = {"type": "password", "value": self._session.secret(admin.password), "temporary": False}
        self._ask("PUT", path, body=body, right="manage-users", realm=admin.user_realm)
        self._token = None

    def client(self, client_id: str) -> Mapping[str, object] | None:
        """Return a client as Keycloak describes it, with its secret; None when there is none."""
        self._ids.pop(client_id, None)
        found = self._in_realm("GET", "/clients", query={"clientId": client_id}, right="view-clients").mappings()
        for each in found:
            if each.get("clientId") == client_id:
                self._ids[client_id] = str(each.get("id"))
                return each
        return None

    def clients(self) -> Iterator[Mapping[str, object]]:
        """Yield all clients of the realm; it takes a request for each hundred."""
        first = 0
        while True:
            query = {"first": first, "max": PAGE}
            page = self._in_realm("GET", "/clients", query=query, right="view-clients").mappings()
            yield from page
            if len(page) < PAGE:
                return
            first += PAGE

    def create_client(self, form: Mapping[str, object]) -> None:
        """Make a client."""
        reply = self._in_realm("POST", "/clients", body=form)
        self._ids[str(form["clientId"])] = reply.headers.get("location", "").rpartition("/")[2]

    def update_client(self, client_id: str, form: Mapping[str, object]) -> None:
        """Set what a form names: of a client's attributes only those, but all of its mappers; no scopes and no roles."""
        self._of_client("PUT", client_id, body=form)

    def delete_client(self, client_id: str) -> None:
        """Delete a client, with its roles; it may be gone already."""
        self._of_client("DELETE", client_id, takes={404})
        self._ids.pop(client_id, None)

    def roles(self, client_id: str) -> frozenset[str]:
        """Return the names of a client's roles."""
        reply = self._of_client("GET", client_id, "/roles", right="view-clients")
        return frozenset(str(role.get("name")) for role in reply.mappings())

    def create_role(self, client_id: str, name: str) -> None:
        """Make a role of a client."""
        self._of_client("POST", client_id, "/roles", body={"name": name})

    def sessions(self, client_id: str) -> int:
        """Return how many sessions of users there are at a client."""
        count = self._of_client("GET", client_id, "/session-count", right="view-clients").mapping().get("count")
        return count if isinstance(count, int) else 0

    def scopes(self, protocol: str) -> Mapping[str, str]:
        """Return the realm's client scopes of a protocol: name to id."""
        found = self._in_realm("GET", "/client-scopes", right="view-clients").mappings()
        return {str(each.get("name")): str(each.get("id")) for each in found if each.get("protocol") == protocol}

    def add_scope(self, client_id: str, scope: str, sort: str) -> None:
        """Give a client a scope.

        Args:
            client_id: the client.
            scope: its id.
            sort: ``default`` or ``optional``. Nothing happens when the client has it in the other sort, and none is told.
        """
        self._of_client("PUT", client_id, f"/{sort}-client-scopes/{quote(scope, safe='')}")

    def remove_scope(self, client_id: str, scope: str) -> None:
        """Take a scope of either sort from a client; it may be gone already."""
        self._of_client("DELETE", client_id, f"/default-client-scopes/{quote(scope, safe='')}")

    def takes_secret(self, client_id: str, secret: str) -> bool:
        """Return whether the realm takes a client's secret: it may ask about a token, though that is none (RFC 7662)."""
        path = f"/realms/{quote(self.admin.realm, safe='')}/protocol/openid-connect/token/introspect"
        form = {"client_id": client_id, "client_secret": secret, "token": "none"}
        return self._http.ask("POST", path, form=form, takes={400, 401, 403}).status == 200  # noqa: PLR2004 -- OK

    def _of_client(
        self,
        method: str,
        client_id: str,
        path: str = "",
        *,
        body: object = None,
        right: str = "manage-clients",
        takes: Container[int] = (),
    ) -> Reply:
        if client_id not in self._ids and self.client(client_id) is None:
            raise Conflict(f"{self.admin.at}: client {client_id} is gone from realm {self.admin.realm}")
        place = f"/clients/{quote(self._ids[client_id], safe='')}{path}"
        return self._in_realm(method, place, body=body, right=right, takes=takes)

    def _in_realm(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        right: str = "manage-clients",
        takes: Container[int] = (),
    ) -> Reply:
        realm = self.admin.realm
        full = f"/admin/realms/{quote(realm, safe='')}{path}"
        return self._ask(method, full, query=query, body=body, right=right, realm=realm, takes=takes)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        right: str,
        realm: str,
        takes: Container[int] = (),
    ) -> Reply:
        had_token = self._token is not None
        reply = self._send(method, path, query, body)
        if reply.status == 401 and had_token:  # noqa: PLR2004 -- ended by somebody, or by a restart
            self._token = None
            reply = self._send(method, path, query, body)
        if reply.status // 100 == 2 or reply.status in takes:  # noqa: PLR2004 -- done
            return reply
        raise self._error(reply, right, realm)

    def _send(self, method: str, path: str, query: Mapping[str, str | int] | None, body: object) -> Reply:
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        return self._http.ask(method, path, query=query, body=body, headers=headers, takes={400, 401, 403, 404, 409})

    def _error(self, reply: Reply, right: str, realm: str) -> HookError:
        """Return the error of what was answered to an administrator."""
        admin, said = self.admin, reply.said(*SAID)
        match reply.status:
            case 403:
                # In its own realm an administrator has rights from one client, in master from one for each realm.
                client = "realm-management" if admin.user_realm == realm != MASTER else f"{realm}-realm"
                message = f"{admin.at}: administrator {admin.user} of realm {admin.user_realm} may not {reply.words}"
                hint = f"grant it the role {right} of the client {client}"
                return Forbidden(Problem(message, hint=hint))
            case 404 if said == NO_REALM:
                # Not final: realms are imported by jobs that nobody waits for.
                hint = "the realm's name is the end of the issuer's URL"
                return Unreachable(Problem(f"{admin.at}: there is no realm {realm} yet", hint=hint))
            case 404:
                return Conflict(f"{admin.at} answered to {reply.words}: {said or 'not found'}")
            case _:
                return reply.error(said=said)

    def _bearer(self) -> str:
        """Return a token that is good for a while yet; sign in where there is none."""
        kept = self._token
        if kept is not None and time.monotonic() < kept.good_until:
            return kept.text
        self._token = None
        token, self._is_current = self._session.sign_in(self.admin.password, self._enter)
        self._token = token
        return token.text

    def _enter(self, password: str) -> Token:
        """Sign in."""
        admin = self.admin
        path = f"/realms/{quote(admin.user_realm, safe='')}/protocol/openid-connect/token"
        form = {"grant_type": "password", "client_id": SIGN_IN_CLIENT, "username": admin.user, "password": password}
        asked = time.monotonic()
        reply = self._http.ask("POST", path, form=form, takes={400, 401, 403, 404})
        if reply.status != 200:  # noqa: PLR2004 -- OK
            raise self._not_entered(reply)
        data = reply.mapping()
        token, seconds = data.get("access_token"), data.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise reply.unreadable("a token")
        return Token(token, asked + seconds - RENEWED_BEFORE)

    def _not_entered(self, reply: Reply) -> HookError:
        """Return the error of an administrator that was not let in."""
        admin, said = self.admin, reply.said(*SAID)
        who = f"{admin.at}: administrator {admin.user} of realm {admin.user_realm}"
        match reply.status:
            case 404:
                hint = "the administrator's realm has another name, or Keycloak stands under a path, such as /auth"
                return HookError(Problem(f"{who} cannot sign in: {said or 'not found'}", hint=hint))
            case 403:
                hint = "Keycloak lets nobody sign in without TLS from there: give its https:// URL"
                return Forbidden(Problem(f"{who} may not sign in: {said or 'forbidden'}", hint=hint))
            case 400:
                # Not Refused: the password is right, so that of the generation before would not do.
                hint = (
                    "let that account sign in to Keycloak's console once, which asks for what is missing, or unlock it"
                )
                return HookError(Problem(f"{who} cannot sign in: {said or 'bad request'}", hint=hint))
            case _:
                hint = "its password is another one, or too many wrong ones have locked the account for a while"
                return Refused(Problem(f"{who} is not let in: {said or reply.status}", hint=hint))
