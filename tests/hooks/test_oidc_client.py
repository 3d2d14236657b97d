"""Clients at a real Keycloak: the proofs, and what they do not ask."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, ClassVar

import attrs
import pytest
from hooks.keycloak_hands import (
    ADMIN,
    CALLBACK,
    CLIENT,
    FEEBLE,
    LOGOUT,
    NEXT,
    OLD_ADMIN,
    OTHER,
    OWN,
    OWNER,
    REALM,
    SECRET,
    SECRETS,
    USER,
    WRONG,
    Hands,
    Json,
    state_at,
)
from kiwi_core._hooks.converge import converge, outstanding
from kiwi_core._hooks.keycloak_client import Keycloak
from kiwi_core._hooks.keycloak_parts import OidcMapper
from kiwi_core._hooks.keycloak_state import OidcClientState
from kiwi_core._model.desired import Mounted, Orphan, Step
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Conflict, Forbidden, HookError, Unreachable
from kiwi_core.testing import HookProofs, Rotated
from testbed.keycloak import Keycloak as Server

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="session")
def hands(keycloak: Server) -> Hands:
    made = Hands(keycloak)
    made.set_up()
    return made


def signed_in(state: OidcClientState, **changes: Any) -> OidcClientState:  # Any: fields of several types
    return attrs.evolve(state, admin=attrs.evolve(state.admin, **changes))


class TestOidcClient(HookProofs):
    missing: ClassVar[str] = "manage-clients"

    @pytest.fixture(autouse=True)
    def _hands(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> Server:
        return self.hands.keycloak

    def desired(self) -> OidcClientState:
        return state_at(self.hands.keycloak)

    def read(self, key: SecretKey) -> str:
        return self.hands.secrets[key]

    def clean(self) -> None:
        for client in (CLIENT, OTHER):
            self.hands.remove(client)
        self.hands.set_admin_password(OLD_ADMIN)

    def state(self) -> object:
        return {
            "client": self.hands.picture(),
            "signs in": (self.hands.signs_in(SECRET), self.hands.signs_in(WRONG)),
            "administrator": (self.hands.lets_in(ADMIN), self.hands.lets_in(OLD_ADMIN)),
        }

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        hands = self.hands
        more = [{"name": "more", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-role-mapper"}]
        return {
            "is_admin_current": lambda: hands.set_admin_password(OLD_ADMIN),
            "is_there": hands.remove,
            "owner": lambda: hands.change({"attributes": {OWN: ""}}),
            "is_secret_right": lambda: hands.change({"secret": "set-by-hand"}),
            "flags": lambda: hands.change({"implicitFlowEnabled": True, "enabled": False}),
            "attributes": lambda: hands.change({"attributes": {"pkce.code.challenge.method": ""}}),
            "redirect_uris": lambda: hands.change({"redirectUris": [CALLBACK, "https://evil.example/*"]}),
            "web_origins": lambda: hands.change({"webOrigins": ["*"]}),
            "mappers": lambda: hands.change({"protocolMappers": more}),
            "default_scopes": lambda: hands.set_scope("PUT", "default", "roles"),
            "optional_scopes": lambda: hands.set_scope("DELETE", "optional", "phone"),
            "roles": lambda: hands.remove_role("admin"),
        }

    def wrong_account(self) -> OidcClientState:
        return signed_in(self.desired(), password=Mounted(WRONG))

    def weak_account(self) -> OidcClientState:
        return signed_in(self.desired(), user=self.hands.weak.user, password=Mounted(FEEBLE), user_realm=REALM)

    def rotations(self) -> Mapping[str, Rotated]:
        return {
            "live": Rotated(
                before=self.desired(),
                after=attrs.evolve(self.desired(), secret=Mounted(NEXT)),
                works=lambda: self._is_only(self.hands.signs_in, NEXT, SECRET),
            ),
            "init": Rotated(
                before=signed_in(self.desired(), password=Mounted(OLD_ADMIN)),
                after=self.desired(),
                works=lambda: self._is_only(self.hands.lets_in, ADMIN, OLD_ADMIN),
            ),
        }

    def other(self) -> OidcClientState:
        return state_at(self.hands.keycloak, OTHER)

    def taken(self) -> str:
        self.hands.make({"attributes": {OWN: "cust-acme/wiki"}, "redirectUris": ["https://wiki.acme.example/in"]})
        return "cust-acme/wiki"

    @staticmethod
    def _is_only(works: Callable[[SecretKey], bool], new: SecretKey, old: SecretKey) -> None:
        assert (works(new), works(old)) == (True, False)


@pytest.fixture
def state(hands: Hands) -> Generator[OidcClientState]:
    """What is wanted, where nothing of it is there, and an administrator whose password is the current one."""
    hands.remove()
    hands.remove(OTHER)
    hands.set_admin_password(ADMIN)
    yield state_at(hands.keycloak)
    hands.remove()
    hands.remove(OTHER)


def run(hands: Hands, state: OidcClientState, *, seconds: float = 20) -> tuple[str, ...]:
    """Converge; return what was changed, as text."""
    with hands.session(seconds=seconds) as session:
        return converge(state, session).changed


def test_a_public_client_has_no_secret_and_heals(hands: Hands, state: OidcClientState) -> None:
    public = attrs.evolve(state, secret=None, service_account=False)
    run(hands, public)
    seen = hands.find()
    assert seen
    assert (seen["publicClient"], seen.get("secret")) == (True, None)
    assert run(hands, public) == ()
    hands.change({"publicClient": False})
    assert run(hands, public) == (f"set client {CLIENT}: publicClient",)
    assert run(hands, state) == (f"set client {CLIENT}: secret, publicClient, serviceAccountsEnabled",)
    assert hands.signs_in(SECRET)
    assert run(hands, public) != ()
    assert run(hands, public) == ()


def test_scopes_that_do_not_matter_are_the_realms(hands: Hands, state: OidcClientState) -> None:
    simple = attrs.evolve(state, default_scopes=None, optional_scopes=(), service_account=False, roles=())
    run(hands, simple)
    seen = hands.find()
    assert seen
    assert {"basic", "profile", "roles"} < set(seen["defaultClientScopes"])
    hands.set_scope("DELETE", "default", "roles")
    assert run(hands, simple) == ()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"enabled": False}, "enabled"),
        ({"bearerOnly": True}, "bearerOnly"),
        ({"standardFlowEnabled": False}, "standardFlowEnabled"),
        ({"implicitFlowEnabled": True}, "implicitFlowEnabled"),
        ({"directAccessGrantsEnabled": True}, "directAccessGrantsEnabled"),
        ({"serviceAccountsEnabled": False}, "serviceAccountsEnabled"),
        ({"fullScopeAllowed": True}, "fullScopeAllowed"),
        ({"clientAuthenticatorType": "client-jwt"}, "clientAuthenticatorType"),
        ({"attributes": {"post.logout.redirect.uris": "+"}}, "post.logout.redirect.uris"),
        ({"attributes": {"pkce.code.challenge.method": "plain"}}, "pkce.code.challenge.method"),
        ({"attributes": {"oidc.ciba.grant.enabled": "true"}}, "oidc.ciba.grant.enabled"),
        ({"attributes": {"standard.token.exchange.enabled": "true"}}, "standard.token.exchange.enabled"),
        (
            {"attributes": {"oauth2.device.authorization.grant.enabled": "true"}},
            "oauth2.device.authorization.grant.enabled",
        ),
        ({"attributes": {"backchannel.logout.url": "https://evil.example"}}, "backchannel.logout.url"),
        ({"redirectUris": []}, "redirect URIs"),
        ({"webOrigins": []}, "web origins"),
        ({"secret": "set-by-hand"}, "secret"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_setting_is_healed(hands: Hands, state: OidcClientState, form: Json, words: str) -> None:
    run(hands, state)
    before = hands.picture()
    hands.change(form)
    (said,) = run(hands, state)
    assert said.startswith(f"set client {CLIENT}: ")
    assert words in said
    assert before
    assert hands.picture() == before
    assert hands.signs_in(SECRET)


def test_mappers_are_those_that_are_wanted(hands: Hands, state: OidcClientState) -> None:
    run(hands, state)
    before = hands.picture()
    assert before
    wanted: list[Json] = before["protocolMappers"]
    groups, uuid = wanted
    renamed, retyped = {**uuid, "name": "other"}, {**uuid, "protocolMapper": "oidc-hardcoded-claim-mapper"}
    for mappers in (
        [],
        [uuid],
        [*wanted, renamed],
        [groups, retyped],
        [groups, {**uuid, "config": {"claim.name": "x"}}],
    ):
        hands.change({"protocolMappers": mappers})
        assert run(hands, state) == (f"set client {CLIENT}: mappers",)
        assert hands.picture() == before


def test_what_nobody_asked_about_stays(hands: Hands, state: OidcClientState) -> None:
    """A name, other attributes and other roles are a person's own."""
    run(hands, state)
    hands.change({"name": "Chat", "consentRequired": True, "attributes": {"access.token.lifespan": "60"}})
    hands.make_role("reader")
    hands.change({"implicitFlowEnabled": True})
    run(hands, state)
    seen = hands.picture()
    assert seen
    assert (seen["name"], seen["consentRequired"], seen["attributes"]["access.token.lifespan"]) == ("Chat", True, "60")
    assert seen["roles"] == ["admin", "power user", "reader"]


def test_a_client_that_bears_no_mark_is_adopted(hands: Hands, state: OidcClientState) -> None:
    hands.make({"name": "By hand", "redirectUris": ["https://chat.acme.example/*"], "secret": "set-by-hand"})
    hands.make_role("reader")
    id_before = hands.of()
    assert "owner, secret, redirect URIs" in run(hands, state)[0]
    seen = hands.picture()
    assert seen
    assert (hands.of(), seen["attributes"][OWN], seen["name"]) == (id_before, OWNER, "By hand")
    assert "reader" in seen["roles"]
    assert run(hands, state) == ()


def test_a_client_for_something_else_is_left_alone(hands: Hands, state: OidcClientState) -> None:
    hands.make({})
    hands.change({"protocol": "saml"})
    before = hands.find()
    with pytest.raises(HookError, match=rf"client {CLIENT} in realm {REALM} at .* is there, and speaks saml") as caught:
        run(hands, state)
    assert type(caught.value) is HookError
    assert hands.find() == before


@pytest.mark.parametrize("names", [("default", "optional"), ("optional", "default")])
def test_a_scope_changes_its_sort(hands: Hands, state: OidcClientState, names: tuple[str, str]) -> None:
    run(hands, state)
    before = hands.picture()
    old, new = names
    scope = "email" if old == "default" else "phone"
    hands.set_scope("DELETE", old, scope)
    hands.set_scope("PUT", new, scope)
    assert run(hands, state) == (f"remove scope {scope}", f"add scope {scope}: {old}")
    assert hands.picture() == before


def test_a_realm_without_the_scope_gets_no_client(hands: Hands, state: OidcClientState) -> None:
    wrong = attrs.evolve(state, default_scopes=("basic", "proflie"))
    with pytest.raises(Unreachable, match="no client scope 'proflie' for OpenID Connect") as caught:
        run(hands, wrong, seconds=1)
    assert "did you mean 'profile'" in str(caught.value)
    assert hands.find() is None
    saml = attrs.evolve(state, default_scopes=("basic", "role_list"))
    with pytest.raises(Unreachable, match="no client scope 'role_list'"):
        run(hands, saml, seconds=1)


def test_a_realm_may_come_later(hands: Hands, state: OidcClientState) -> None:
    later = signed_in(attrs.evolve(state, default_scopes=None, optional_scopes=()), realm="later")
    with hands.session() as session:
        with pytest.raises(Unreachable, match=r"127.0.0.1:\d+: there is no realm later yet"):
            outstanding(later, session)
        hands.keycloak.make_realm("later")
        try:
            assert converge(later, session).changed
            assert outstanding(later, session) == ()
        finally:
            hands.keycloak.delete_realm("later")


def test_browsers_go_only_where_they_may(hands: Hands, state: OidcClientState) -> None:
    run(hands, state)
    pkce = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    ask = {"client_id": CLIENT, "scope": "openid", "response_type": "code"}
    assert hands.browser("auth", **ask, **pkce, redirect_uri=CALLBACK) == (200, "")
    assert hands.browser("auth", **ask, **pkce, redirect_uri=f"{CALLBACK}/x")[0] == 400
    assert hands.browser("auth", **ask, **pkce, redirect_uri="https://evil.example/")[0] == 400
    status, to = hands.browser("auth", **ask, redirect_uri=CALLBACK)
    assert (status, to.startswith(f"{CALLBACK}?error=invalid_request")) == (302, True)
    assert "code_challenge" in to
    status, to = hands.browser("auth", **{**ask, "response_type": "token"}, redirect_uri=CALLBACK)
    assert (status, "error=unauthorized_client" in to) == (302, True)
    assert hands.browser("logout", client_id=CLIENT, post_logout_redirect_uri=LOGOUT) == (302, LOGOUT)
    assert hands.browser("logout", client_id=CLIENT, post_logout_redirect_uri=CALLBACK)[0] == 400
    run(hands, attrs.evolve(state, post_logout_uris=(), pkce=False))
    assert hands.browser("auth", **ask, redirect_uri=CALLBACK) == (200, "")
    for uri in (LOGOUT, CALLBACK):
        assert hands.browser("logout", client_id=CLIENT, post_logout_redirect_uri=uri)[0] == 400


def test_claims_reach_the_token(hands: Hands, state: OidcClientState) -> None:
    claim = OidcMapper("oidc-hardcoded-claim-mapper", {"claim.name": "tenant", "claim.value": "acme"})
    in_tokens = attrs.evolve(claim, config={**claim.config, "access.token.claim": "true"})
    run(hands, attrs.evolve(state, mappers={"tenant": in_tokens}))
    assert hands.claims()["tenant"] == "acme"


def test_an_orphan_tells_what_it_holds(hands: Hands, state: OidcClientState) -> None:
    other = attrs.evolve(state, client_id=OTHER)
    run(hands, state)
    run(hands, other)
    with hands.session() as session:
        expected = Orphan(kind="oidc-client", name=OTHER, at=state.admin.at, holds="2 roles")
        assert list(state.orphans(session, [state])) == [expected]
        elsewhere = signed_in(other, realm="elsewhere")
        assert list(state.orphans(session, [state, elsewhere])) == [expected]
        assert list(state.orphans(session, [state, other])) == []
        state.remove(expected, session)
        state.remove(expected, session)
    assert (hands.find(OTHER), hands.find() is None) == (None, False)


def test_orphans_are_found_behind_many_clients(
    hands: Hands, state: OidcClientState, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(hands, state)
    nobody = attrs.evolve(state, owner="cust-acme/nobody")
    for size in (1, 2, 3):
        monkeypatch.setattr("kiwi_core._hooks.keycloak_client.PAGE", size)
        with hands.session() as session:
            assert [orphan.name for orphan in state.orphans(session, [])] == [CLIENT]
            assert list(nobody.orphans(session, [])) == []


def test_a_token_that_was_ended_is_had_anew(hands: Hands, state: OidcClientState) -> None:
    run(hands, state)
    with hands.session() as session:
        assert outstanding(state, session) == ()
        hands.end_sessions()
        assert outstanding(state, session) == ()


def test_a_token_is_renewed_before_its_end(
    hands: Hands, state: OidcClientState, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def watch(words: str, *, done: bool) -> None:
        if done:
            seen.append(words)

    signing_in = "POST /realms/master/protocol/openid-connect/token"
    for margin, times in ((10.0, 1), (60.0, 2)):  # seconds; a token of the realm master lives for 60
        monkeypatch.setattr("kiwi_core._hooks.keycloak_client.RENEWED_BEFORE", margin)
        seen.clear()
        with hands.session(watch=watch) as session:
            assert outstanding(attrs.evolve(state, roles=()), session)
        assert seen.count(signing_in) == times


def test_who_was_faster_makes_a_conflict(hands: Hands, state: OidcClientState) -> None:
    run(hands, state)
    with hands.session() as session:
        state.observe(session)
        with pytest.raises(Conflict, match=r"to POST .*: Client onyx already exists"):
            state.apply(Step("create", CLIENT), session)
        with pytest.raises(Conflict, match=r"Role with name admin already exists"):
            state.apply(Step("add role", "admin"), session)
        hands.remove()
        with pytest.raises(Conflict, match=r"answered to PUT .*: Could not find client"):
            state.apply(Step("set", CLIENT), session)
    with hands.session() as session, pytest.raises(Conflict, match=f"client {CLIENT} is gone from realm {REALM}"):
        state.apply(Step("add role", "admin"), session)


def test_an_administrator_needs_one_right(hands: Hands, state: OidcClientState) -> None:
    account = hands.make_account("manage-clients")
    enough = signed_in(state, user=account.user, password=Mounted(account.password), user_realm=REALM)
    run(hands, enough)
    assert run(hands, state) == ()
    hands.set_scope("DELETE", "default", "email")
    hands.remove_role("admin")
    hands.change({"enabled": False})
    assert len(run(hands, enough)) == 3


def test_an_administrator_who_may_not_look_is_told_the_right(hands: Hands, state: OidcClientState) -> None:
    account = hands.make_account("manage-users")
    blind = signed_in(state, user=account.user, password=Mounted(account.password), user_realm=REALM)
    with pytest.raises(Forbidden, match=rf"{account.user} of realm {REALM} may not GET /admin/realms/{REALM}/clients"):
        run(hands, blind)
    with pytest.raises(Forbidden, match="grant it the role view-clients of the client realm-management"):
        run(hands, blind)


def test_an_administrator_who_may_not_change_its_password_is_told_the_right(
    hands: Hands, state: OidcClientState
) -> None:
    account = hands.make_account("manage-clients")
    stale = signed_in(state, user=account.user, password=Mounted(WRONG, account.password), user_realm=REALM)
    with pytest.raises(Forbidden, match="grant it the role manage-users of the client realm-management"):
        run(hands, stale)
    assert hands.find() is None


def test_a_secret_is_tried(hands: Hands, state: OidcClientState) -> None:
    run(hands, state)
    with hands.session() as session:
        keycloak = Keycloak.kept(state.admin, session)
        assert keycloak.takes_secret(CLIENT, SECRETS[SECRET])
        assert not keycloak.takes_secret(CLIENT, SECRETS[NEXT])
        hands.change({"secret": SECRETS[NEXT]})
        assert keycloak.takes_secret(CLIENT, SECRETS[NEXT])
        hands.change({"enabled": False})
        assert not keycloak.takes_secret(CLIENT, SECRETS[NEXT])


def test_keycloak_says_why_an_account_is_not_let_in(hands: Hands, state: OidcClientState) -> None:
    hands.change_admin({"requiredActions": ["UPDATE_PASSWORD"]})
    try:
        with pytest.raises(
            HookError, match=f"administrator {USER} of realm master cannot sign in: Account is not fully"
        ):
            run(hands, state)
        hands.change_admin({"requiredActions": [], "enabled": False})
        with pytest.raises(HookError, match="Account disabled"):
            run(hands, state)
    finally:
        hands.change_admin({"requiredActions": [], "enabled": True})


def test_another_realm_or_path_for_signing_in_is_told(hands: Hands, state: OidcClientState) -> None:
    with pytest.raises(HookError, match="of realm nowhere cannot sign in: Realm does not exist") as caught:
        run(hands, signed_in(state, user_realm="nowhere"))
    assert type(caught.value) is HookError
    with pytest.raises(HookError, match="cannot sign in: Unable to find matching target") as caught:
        run(hands, signed_in(state, url=f"{state.admin.url}/auth"))
    assert "such as /auth" in str(caught.value)
