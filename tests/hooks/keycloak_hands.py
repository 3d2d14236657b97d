"""What the tests of clients at Keycloak share: an administrator's own hands, and what is wanted."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import urllib3
from kiwi_core._hooks.keycloak_parts import KeycloakAdmin, OidcMapper
from kiwi_core._hooks.keycloak_state import OidcClientState
from kiwi_core._model.desired import Mounted, Session, Watch
from kiwi_core._model.secrets import SecretKey
from testbed.keycloak import Keycloak
from testbed.rest import insist

REALM = "proofs"
CLIENT, OTHER = "onyx", "onyx-more"
OWNER = "cust-acme/onyx"
USER = "proving-admin"
ADMIN, OLD_ADMIN, WRONG, FEEBLE, SCANTY = (
    SecretKey("keycloak", name) for name in ("admin", "old", "wrong", "weak", "scanty")
)
SECRET, NEXT = SecretKey("onyx", "secret"), SecretKey("onyx", "next")
SECRETS = {
    ADMIN: "Vuqo7?Zigu-Rote",
    OLD_ADMIN: "Fixu2!Bera&Cami",
    WRONG: "of-nobody-at-all",
    SECRET: "9e107d9d372bb6826bd81d3542a419d6",
    NEXT: "e4d909c290d0fb1ca068ffaddf22cbd0+/=&",
}
CALLBACK = "https://chat.acme.example/auth/oauth/callback"
LOGOUT = "https://chat.acme.example/bye"
OWN = "kiwistack.owner"
MAPPER = OidcMapper(
    "oidc-usermodel-attribute-mapper",
    {"user.attribute": "entryUUID", "claim.name": "uuid", "jsonType.label": "String", "id.token.claim": "true"},
)
GROUPS = OidcMapper("oidc-group-membership-mapper", {"claim.name": "groups", "full.path": "false"})

Json = dict[str, Any]  # what Keycloak answers, and a test picks apart


class Account(NamedTuple):
    """An administrator, and the key of its password."""

    user: str
    password: SecretKey


class Hands:
    """An administrator's own hands, and no line of what is proven."""

    def __init__(self, keycloak: Keycloak) -> None:
        self.keycloak = keycloak
        self.secrets = dict(SECRETS)
        self.weak = Account("", FEEBLE)

    def set_up(self) -> None:
        """Make the realm, the administrator of all realms who is lent, and one who may only look."""
        self.keycloak.make_realm(REALM)
        weak = {"passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"}  # else each sign-in costs 50 ms
        for realm in ("master", REALM):
            insist(self.keycloak.ask("PUT", f"/admin/realms/{realm}", weak))
        users = "/admin/realms/master/users"
        insist(self.keycloak.ask("POST", users, {"username": USER, "enabled": True}))
        role = insist(self.keycloak.ask("GET", "/admin/realms/master/roles/admin"))
        insist(self.keycloak.ask("POST", f"{users}/{self.user()}/role-mappings/realm", [role]))
        self.weak = self.make_account("view-clients", key=FEEBLE)

    def make_account(self, *roles: str, key: SecretKey = SCANTY) -> Account:
        """Make an administrator of the one realm."""
        name, self.secrets[key] = self.keycloak.make_admin(REALM, *roles)
        return Account(name, key)

    def session(self, *, seconds: float = 20, watch: Watch | None = None) -> Session:
        """A session that can read all secrets."""
        until = time.monotonic() + seconds
        read = self.secrets.__getitem__
        return Session(read, deadline=until, watch=watch) if watch else Session(read, deadline=until)

    def user(self) -> str:
        (user,) = insist(self.keycloak.ask("GET", f"/admin/realms/master/users?exact=true&username={USER}"))
        return str(user["id"])

    def set_admin_password(self, key: SecretKey) -> None:
        path = f"/admin/realms/master/users/{self.user()}/reset-password"
        insist(self.keycloak.ask("PUT", path, {"type": "password", "value": SECRETS[key], "temporary": False}))

    def change_admin(self, form: Json) -> None:
        insist(self.keycloak.ask("PUT", f"/admin/realms/master/users/{self.user()}", form))

    def end_sessions(self) -> None:
        """Sign the administrator out everywhere."""
        insist(self.keycloak.ask("POST", f"/admin/realms/master/users/{self.user()}/logout"))

    def lets_in(self, key: SecretKey) -> bool:
        return self.keycloak.sign_in("master", USER, SECRETS[key])[0] == 200

    def clients(self, path: str = "") -> str:
        return f"/admin/realms/{REALM}/clients{path}"

    def find(self, client: str = CLIENT) -> Json | None:
        found = insist(self.keycloak.ask("GET", self.clients(f"?clientId={client}")))
        return cast("Json", found[0]) if found else None

    def of(self, client: str = CLIENT, path: str = "") -> str:
        found = self.find(client)
        assert found
        return self.clients(f"/{found['id']}{path}")

    def make(self, form: Json) -> None:
        insist(self.keycloak.ask("POST", self.clients(), {"clientId": CLIENT, **form}))

    def change(self, form: Json) -> None:
        insist(self.keycloak.ask("PUT", self.of(), form))

    def remove(self, client: str = CLIENT) -> None:
        if self.find(client):
            insist(self.keycloak.ask("DELETE", self.of(client)))

    def roles(self) -> list[str]:
        return sorted(role["name"] for role in insist(self.keycloak.ask("GET", self.of(path="/roles"))))

    def make_role(self, name: str) -> None:
        insist(self.keycloak.ask("POST", self.of(path="/roles"), {"name": name}))

    def remove_role(self, name: str) -> None:
        insist(self.keycloak.ask("DELETE", self.of(path=f"/roles/{name}")))

    def scope(self, name: str) -> str:
        found = insist(self.keycloak.ask("GET", f"/admin/realms/{REALM}/client-scopes"))
        return next(str(scope["id"]) for scope in found if scope["name"] == name)

    def set_scope(self, method: str, sort: str, name: str) -> None:
        insist(self.keycloak.ask(method, self.of(path=f"/{sort}-client-scopes/{self.scope(name)}")))

    def signs_in(self, key: SecretKey, client: str = CLIENT) -> bool:
        return self.keycloak.sign_in_client(REALM, client, SECRETS[key])[0] == 200

    def picture(self) -> Json | None:
        """All of the client but its ids and its secret."""
        found = self.find()
        if found is None:
            return None
        del found["id"]
        found.pop("secret", None)
        found["attributes"].pop("client.secret.creation.time", None)
        mappers = found.pop("protocolMappers", [])
        for mapper in mappers:
            del mapper["id"]
        for name, value in found.items():
            if isinstance(value, list):
                found[name] = sorted(cast("list[str]", value))
        ordered = sorted(mappers, key=lambda mapper: str(mapper["name"]))
        return {**found, "protocolMappers": ordered, "roles": self.roles()}

    def claims(self) -> Json:
        """What the token of the client's own account says."""
        token = insist(self.keycloak.sign_in_client(REALM, CLIENT, SECRETS[SECRET]))["access_token"]
        part = token.split(".")[1]
        return cast("Json", json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))

    def browser(self, path: str, **query: str) -> tuple[int, str]:
        """What a browser is told that comes with a query, and where it is sent."""
        url = f"{self.keycloak.url}/realms/{REALM}/protocol/openid-connect/{path}?{urlencode(query)}"
        with urllib3.PoolManager(retries=False, timeout=60) as pool:
            answer = pool.request("GET", url, redirect=False)
        return answer.status, answer.headers.get("Location", "")


def state_at(keycloak: Keycloak, client: str = CLIENT) -> OidcClientState:
    return OidcClientState(
        owner=OWNER,
        admin=KeycloakAdmin(url=keycloak.url, realm=REALM, user=USER, password=Mounted(ADMIN, OLD_ADMIN)),
        client_id=client,
        secret=Mounted(SECRET),
        redirect_uris=(CALLBACK, "http://127.0.0.1:8765/callback"),
        post_logout_uris=(LOGOUT, "https://acme.example/"),
        web_origins=("https://chat.acme.example",),
        service_account=True,
        default_scopes=("basic", "profile", "email"),
        optional_scopes=("phone",),
        mappers={"uuid": MAPPER, "groups": GROUPS},
        roles=("admin", "power user"),
        attributes={"backchannel.logout.url": "https://chat.acme.example/out"},
    )
