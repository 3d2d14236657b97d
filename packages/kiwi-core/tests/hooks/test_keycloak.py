"""Clients at Keycloak without a server: URIs, what is wanted of what is lent, and plans."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, cast
from urllib.parse import urlsplit

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kiwi_core import Asked, Credential, Home, Oidc, OidcBinding, OidcOffer, Postgres, SecretKey
from kiwi_core._hooks.keycloak import OidcClient
from kiwi_core._hooks.keycloak_parts import KeycloakAdmin, OidcMapper, mappers_in, mapping_in, names_in
from kiwi_core._hooks.keycloak_state import OidcClientFound, OidcClientState
from kiwi_core._hooks.urls import at, origin_problem, redirect_problem, server_problem, shown
from kiwi_core._model.desired import Desired, Mounted, Step
from kiwi_core._model.hooks import Lent
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ComposeError, HookError

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
USE = Oidc("onyx")
ADMIN = SecretKey("idp", "password")
CALLBACK = "https://chat.acme.example/auth/callback"
OFFER = OidcOffer(issuer="https://id.{domain}/realms/opendesk", admin_url="http://ums-keycloak:8080", admin=ADMIN)


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: one client."""

    offered: OidcOffer = OFFER
    use: Oidc = USE
    owner: str = "cust-acme/onyx"
    home: Home = HOME

    def binding(self, use: object) -> Any:  # Any: the protocol is generic
        assert use == self.use
        return self.offered.bind(self.use, Asked(component="onyx"), HOME)

    def offer(self, use: object, form: type) -> Any:  # Any: as above
        assert use == self.use
        assert isinstance(self.offered, form)
        return self.offered

    def secret(self, value: object) -> Mounted:
        if isinstance(value, SecretKey):
            return Mounted(value)
        assert isinstance(value, Credential)
        return Mounted(SecretKey("hook", value.name.replace("/", "-")))


def wanted(**choices: Any) -> OidcClientState:  # Any: fields of many types
    fields: dict[str, Any] = {"on": USE, "redirect_uris": (CALLBACK,), **choices}
    return OidcClient(**fields).desired(cast("Lent", Lending()))


@pytest.mark.parametrize(
    "uri",
    [
        CALLBACK,
        "https://chat.acme.example",
        "https://chat.acme.example:8443/a?b=c&d=%20",
        "http://localhost:8765/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:8765/callback",
    ],
)
def test_a_browser_may_come_back_to(uri: str) -> None:
    assert redirect_problem(uri) is None


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("*", "has a wildcard"),
        ("https://*", "has a wildcard"),
        ("https://*.acme.example/cb", "has a wildcard"),
        ("https://chat.acme.example/*", "has a wildcard, so that more places could get what lets a browser in"),
        ("https://chat.acme.example/cb#", "has a fragment, which is not allowed"),
        ("https://chat.acme.example/cb#part", "has a fragment"),
        ("/callback", "is no absolute URI such as"),
        ("chat.acme.example/cb", "is no absolute URI"),
        ("https:///cb", "is no absolute URI"),
        ("https://", "is no absolute URI"),
        ("https://[::1/cb", "is no absolute URI"),
        ("https://host:99999/cb", "is no absolute URI"),
        ("https://host:0/cb", "is no absolute URI"),
        ("javascript:alert(1)", "is no absolute URI"),
        ("com.example.app:/cb", "is no absolute URI"),
        ("urn:ietf:wg:oauth:2.0:oob", "is no absolute URI"),
        ("https://chat.{domain}/cb", "is no absolute URI"),
        ("https://chat.acme.example/ü", "is no absolute URI"),
        ("https://chat.acme.example/a b", "is no absolute URI"),
        ("https://chat.acme.example\\@evil.example/", "is no absolute URI"),
        (f"{CALLBACK}\n", "is no absolute URI"),
        ("https://user@chat.acme.example/cb", "leave out what stands before '@'"),
        ("https://evil.example:443@chat.acme.example/cb", "leave out what stands before '@'"),
        ("http://chat.acme.example/cb", "is not encrypted: use https"),
        ("http://localhost.evil.example/cb", "is not encrypted"),
        ("https://Chat.acme.example/cb", "has capitals in its host"),
        ("", "is no absolute URI"),
    ],
)
def test_no_browser_may_come_back_to(uri: str, problem: str) -> None:
    assert problem in (redirect_problem(uri) or "it was taken")


@given(
    st.text(max_size=30)
    | st.from_regex(r"(https?://|//|/)?[a-zA-Z.*@:0-9\[\]]{0,12}(/[a-z*#?=]{0,8})?", fullmatch=True)
)
def test_what_is_taken_is_safe_to_browsers(uri: str) -> None:
    if redirect_problem(uri) is None:
        parts = urlsplit(uri)
        assert parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}
        assert parts.geturl() == uri
        assert "@" not in parts.netloc
        assert not set("*#\\ \n") & set(uri)


@pytest.mark.parametrize("origin", ["https://chat.acme.example", "https://a:8443", "http://localhost:3000"])
def test_an_origin(origin: str) -> None:
    assert origin_problem(origin) is None


@pytest.mark.parametrize(
    ("origin", "problem"),
    [
        ("*", "lets every website ask"),
        ("https://*.acme.example", "lets every website ask"),
        ("https://chat.acme.example/", "it has no path, not even '/'"),
        ("https://chat.acme.example/a", "it has no path"),
        ("https://chat.acme.example?a", "is no web origin"),
        ("https://user@chat.acme.example", "is no web origin"),
        ("chat.acme.example", "is no web origin"),
        ("null", "is no web origin"),
        ("https://chat.acme.example:443", "which no browser sends: leave it out"),
        ("http://chat.acme.example", "is not encrypted"),
        ("https://CHAT.acme.example", "has capitals in its host"),
    ],
)
def test_what_is_no_origin(origin: str, problem: str) -> None:
    assert problem in (origin_problem(origin) or "it was taken")


@pytest.mark.parametrize("url", ["http://keycloak:8080", "https://id.acme.example/auth/", "http://[::1]:80"])
def test_a_server(url: str) -> None:
    assert server_problem(url) is None


@pytest.mark.parametrize("url", ["keycloak:8080", "http://a:b@keycloak", "http://x/?a=b", "http://x/#a", "ftp://x", ""])
def test_what_is_no_server(url: str) -> None:
    assert "is no URL of a server such as 'http://keycloak:8080'" in (server_problem(url) or "it was taken")


def test_a_server_is_named_by_host_and_port() -> None:
    assert [at("http://a/x"), at("https://a"), at("http://[::1]:81/")] == ["a:80", "a:443", "[::1]:81"]


@given(st.text(), st.text())
@example("", "/")
def test_what_is_shown_of_a_url_holds_no_secret(user: str, rest: str) -> None:
    mark = "S3cr3t"
    for url in (f"https://{user}:{mark}@host/{rest}", f"https://host/path?{rest}{mark}", f"//host/path#{mark}"):
        if not set("/?#") & set(user):
            assert mark not in shown(url)
            assert shown(url).isascii()
            assert shown(url).isprintable()


@pytest.mark.parametrize(
    ("wrong", "error", "problem"),
    [
        ({"on": ()}, TypeError, r"on: found \(\), expected one use such as Oidc"),
        ({"on": Postgres("onyx")}, TypeError, "expected one use such as Oidc"),
        ({"on": (USE, Oidc("more"))}, TypeError, "expected one use such as Oidc"),
        ({"redirect_uris": ()}, ValueError, "redirect_uris: there is none, so nobody could sign in"),
        ({"redirect_uris": CALLBACK}, TypeError, "redirect_uris: .* expected a tuple"),
        ({"redirect_uris": (1,)}, TypeError, "redirect_uris: found 1, expected a text"),
        ({"redirect_uris": ("",)}, ValueError, "redirect_uris: found '', expected a name"),
        ({"redirect_uris": (CALLBACK, CALLBACK)}, ValueError, "stands twice"),
        ({"redirect_uris": ("https://*", "http://a.b/")}, ValueError, "has a wildcard.*is not encrypted"),
        ({"post_logout_uris": ("https://chat.acme.example/*",)}, ValueError, "post_logout_uris: .* has a wildcard"),
        ({"post_logout_uris": ("+",)}, ValueError, "post_logout_uris: '\\+' is no absolute URI"),
        ({"web_origins": ("*",)}, ValueError, "web_origins: '\\*' lets every website ask"),
        ({"is_public": True, "service_account": True}, ValueError, "service_account: a public client has no secret"),
        ({"is_public": True, "pkce": False}, ValueError, "pkce: a public client without is open"),
        ({"optional_scopes": ("phone",)}, ValueError, "optional_scopes: name default_scopes as well"),
        ({"default_scopes": ("a",), "optional_scopes": ("a",)}, ValueError, "optional_scopes: a cannot be among"),
        ({"default_scopes": ("a", "a")}, ValueError, "default_scopes: 'a' stands twice"),
        ({"default_scopes": "profile"}, TypeError, "default_scopes: .* expected a tuple"),
        ({"roles": (" ",)}, ValueError, "roles: found ' ', expected a name"),
        ({"mappers": {"": OidcMapper("x")}}, TypeError, "mappers: .* expected an OidcMapper with a name"),
        ({"mappers": {"a": "oidc-audience-mapper"}}, TypeError, "mappers: .* expected an OidcMapper with a name"),
        ({"attributes": {"a": ""}}, ValueError, "attributes: 'a' is '', expected something"),
        ({"attributes": {"a": True}}, TypeError, "attributes: 'a' is True, expected a text: write 'true'"),
        ({"attributes": {"a": None}}, TypeError, "attributes: 'a' is None, expected a text"),
        ({"attributes": {"pkce.code.challenge.method": "S256"}}, ValueError, "is set by pkce"),
        ({"attributes": {"post.logout.redirect.uris": "+"}}, ValueError, "is set by post_logout_uris"),
        ({"attributes": {"kiwistack.owner": "me"}}, ValueError, "is not the component's to set"),
        ({"attributes": {"client.secret.creation.time": "1"}}, ValueError, "is not the component's to set"),
        ({"attributes": {"oidc.ciba.grant.enabled": "true"}}, ValueError, "is not the component's to set"),
    ],
)
def test_what_an_author_writes_wrongly_is_refused(wrong: dict[str, Any], error: type[Exception], problem: str) -> None:
    fields: dict[str, Any] = {"on": USE, "redirect_uris": (CALLBACK,), **wrong}
    with pytest.raises(error, match=problem):
        OidcClient(**fields)


@pytest.mark.parametrize("config", [{"a": True}, {"a": 1}, {1: "a"}])
def test_settings_of_a_mapper_are_texts(config: dict[Any, Any]) -> None:
    with pytest.raises(TypeError, match="expected a text"):
        OidcMapper("oidc-audience-mapper", config)


def test_the_client_of_a_use_is_wanted_with_what_is_lent() -> None:
    state = wanted(roles=("admin",), web_origins=("+",))
    assert state == OidcClientState(
        owner="cust-acme/onyx",
        admin=KeycloakAdmin(url="http://ums-keycloak:8080", realm="opendesk", user="admin", password=Mounted(ADMIN)),
        client_id="onyx",
        secret=Mounted(SecretKey("hook", "onyx-oidc-onyx")),
        redirect_uris=(CALLBACK,),
        web_origins=("+",),
        roles=("admin",),
    )
    assert state.subject == "client onyx in realm opendesk at ums-keycloak:8080"
    assert OidcClient(on=USE, redirect_uris=(CALLBACK,)).name == "oidc-client-onyx"


def test_an_administrator_may_be_of_the_realm_itself_and_behind_an_authority() -> None:
    ca = SecretKey("tls", "ca.crt")
    offer = attrs.evolve(OFFER, admin_realm="opendesk", admin_user="ops", admin_ca=ca)
    state = OidcClient(on=USE, redirect_uris=(CALLBACK,)).desired(cast("Lent", Lending(offered=offer)))
    assert (state.admin.user_realm, state.admin.user, state.admin.ca) == ("opendesk", "ops", Mounted(ca))


def test_a_public_client_gets_no_secret() -> None:
    assert wanted(is_public=True).secret is None


@pytest.mark.parametrize(
    ("offer", "use", "problems"),
    [
        (
            {"admin": None, "admin_url": None},
            USE,
            ["https://id.acme.example/realms/opendesk lends hooks no administrator"],
        ),
        ({"issuer": "https://login.example"}, USE, ["https://login.example is no realm of Keycloak"]),
        ({"admin_url": "ums-keycloak"}, USE, ["admin_url 'ums-keycloak' is no URL of a server"]),
        ({}, Oidc("account"), ["the client 'account' is Keycloak's own"]),
        ({"issuer": "https://id/realms/master"}, Oidc("acme-realm"), ["the client 'acme-realm' is Keycloak's own"]),
        ({"issuer": "https://x", "admin_url": "x"}, Oidc("broker"), ["is no realm", "is no URL", "Keycloak's own"]),
    ],
)
def test_what_cannot_be_wanted(offer: dict[str, Any], use: Oidc, problems: list[str]) -> None:
    lent = cast("Lent", Lending(offered=attrs.evolve(OFFER, **offer), use=use))
    with pytest.raises(ComposeError) as caught:
        OidcClient(on=use, redirect_uris=(CALLBACK,)).desired(lent)
    assert len(caught.value.problems) == len(problems)
    for problem, expected in zip(caught.value.problems, problems, strict=True):
        assert problem.message.startswith(f"{use.key}: ")
        assert expected in problem.message


def test_a_client_may_be_called_like_a_realm_elsewhere() -> None:
    lent = cast("Lent", Lending(use=Oidc("acme-realm")))
    assert OidcClient(on=Oidc("acme-realm"), redirect_uris=(CALLBACK,)).desired(lent).client_id == "acme-realm"


def test_an_offer_lends_an_administrator_whole_or_not_at_all() -> None:
    for part in ({"admin_url": "http://keycloak:8080"}, {"admin": ADMIN}):
        fields: dict[str, Any] = {"issuer": "https://id/realms/a", **part}
        with pytest.raises(ValueError, match="admin_url and admin go together"):
            OidcOffer(**fields)


@pytest.mark.parametrize(
    ("issuer", "realm"),
    [
        ("https://id.{domain}/realms/opendesk", "opendesk"),
        ("https://id/auth/realms/a%20b/", "a b"),
        ("https://login.example/", ""),
        ("https://id/realms", ""),
    ],
)
def test_an_issuer_names_its_realm(issuer: str, realm: str) -> None:
    assert OidcOffer(issuer=issuer).realm == realm


def test_a_binding_shows_nothing_of_the_administrator() -> None:
    binding = OFFER.bind(USE, Asked(component="onyx"), HOME)
    assert binding == OidcBinding(
        issuer="https://id.acme.example/realms/opendesk",
        client_id="onyx",
        client_secret=Credential("onyx", "oidc/onyx"),
    )


def test_it_survives_as_data() -> None:
    state = wanted(
        default_scopes=("basic",),
        optional_scopes=("phone",),
        mappers={"groups": OidcMapper("oidc-group-membership-mapper", {"claim.name": "groups"})},
        attributes={"backchannel.logout.url": "https://chat.acme.example/out"},
        service_account=True,
    )
    for each in (state, wanted(is_public=True)):
        converter = Converter({Desired: {"oidc-client": OidcClientState}.__getitem__})
        data = json.loads(json.dumps(converter.unstructure(each)))
        assert converter.structure(data, cast("type[object]", Desired), file="it") == each


def test_nothing_is_planned_when_all_is_there() -> None:
    state = wanted(roles=("admin",), default_scopes=("basic",))
    assert list(state.plan(state.wanted())) == []


def test_from_nothing_it_is_made_with_its_roles() -> None:
    state = wanted(roles=("admin", "reader"), default_scopes=("basic",))
    steps = [Step("create", "client onyx"), Step("add role", "admin"), Step("add role", "reader")]
    assert list(state.plan(OidcClientFound(is_admin_current=True))) == steps
    password = Step("set password", "administrator admin")
    assert list(state.plan(OidcClientFound(is_admin_current=False))) == [password, *steps]


def test_what_is_set_together_is_one_step() -> None:
    state = wanted()
    there = attrs.evolve(
        state.wanted(),
        is_secret_right=False,
        redirect_uris=frozenset({CALLBACK, "https://evil.example/"}),
        flags={**state.wanted().flags, "implicitFlowEnabled": True},
    )
    assert list(state.plan(there)) == [Step("set", "client onyx", "secret, redirect URIs, implicitFlowEnabled")]


def test_scopes_go_before_they_come() -> None:
    state = wanted(default_scopes=("basic", "email"), optional_scopes=("phone",))
    there = attrs.evolve(
        state.wanted(),
        default_scopes=frozenset({"basic", "phone"}),
        optional_scopes=frozenset({"email", "address"}),
    )
    assert list(state.plan(there)) == [
        Step("remove scope", "phone"),
        Step("remove scope", "address"),
        Step("remove scope", "email"),
        Step("add scope", "email", "default"),
        Step("add scope", "phone", "optional"),
    ]


def test_what_is_anothers_is_refused_before_all_else() -> None:
    state = wanted()
    there = attrs.evolve(state.wanted(), owner="cust-acme/wiki", is_admin_current=False)
    with pytest.raises(HookError, match="is cust-acme/wiki's; cust-acme/onyx wants it, too"):
        state.plan(there)


@pytest.mark.parametrize(
    ("config", "completed"),
    [
        ({"id.token.claim": "true"}, {"id.token.claim": "true", "userinfo.token.claim": "true"}),
        ({"id.token.claim": "false"}, {"id.token.claim": "false", "userinfo.token.claim": "false"}),
        ({"id.token.claim": "true", "userinfo.token.claim": "false"}, None),
        ({"access.token.claim": "true"}, None),
        ({}, None),
    ],
)
def test_a_mapper_has_what_keycloak_adds(config: dict[str, str], completed: dict[str, str] | None) -> None:
    assert OidcMapper("x", config).completed == OidcMapper("x", completed or config)


@pytest.mark.parametrize("said", [None, "text", 1, [], {}, [None], [1], {"a": 1}])
def test_what_keycloak_leaves_out_is_nothing(said: object) -> None:
    assert names_in(said) in (frozenset(), {"None"}, {"1"})
    assert mapping_in(said) == {}
    assert mappers_in(said) == {}


def test_a_mapper_of_keycloaks_without_settings() -> None:
    said = [{"name": "a", "protocolMapper": "b", "config": {"x": "", "y": "z"}}, {"name": "c"}]
    assert mappers_in(said) == {"a": OidcMapper("b", {"y": "z"}), "c": OidcMapper("unknown")}


def test_what_authors_import_is_light() -> None:
    script = (
        "import sys; import kiwi_core._hooks.keycloak; "
        "print(sorted({'urllib3', 'ssl', 'http.client', 'kiwi_core._hooks.http'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
