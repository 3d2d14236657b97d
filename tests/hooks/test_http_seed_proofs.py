"""Seeds over HTTP, on a stand-in for an application that keeps language-model providers.

The stand-in is no real server, so nothing here is a proof for one; what it shows is that the seed keeps its word to an
API with these traps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import attrs
import pytest
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.http_body import Body, Placed
from kiwi_core._hooks.http_seed_parts import CallState, LoginState, Wanted
from kiwi_core._hooks.http_seed_state import HttpSeedState
from kiwi_core._model.desired import Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import HookError, Refused
from kiwi_core.testing import HookProofs, Rotated
from testbed.providers_fake import Providers
from testbed.rest import ask, insist

ADMIN, WEAK = "admin@acme.example", "weak@acme.example"
PASSWORD, WRONG, WEAK_PASSWORD, TOKEN = (
    SecretKey("onyx-admin", name) for name in ("password", "wrong", "weak", "token")
)
API_KEY, NEXT = SecretKey("onyx-llm", "key"), SecretKey("onyx-llm", "next")
SECRETS = {
    PASSWORD: "0f2b1c9a77de4c1a!&=",
    WRONG: "not-the-password",
    WEAK_PASSWORD: "d41d8cd98f00b204",
    API_KEY: "sk-3c363836cf4e16666669a25da280a186",
    NEXT: "sk-1f3870be274f6c49b3e31a0c6728957f",
}
LIST = "/admin/llm/provider"


def login(user: str = ADMIN, password: SecretKey = PASSWORD) -> LoginState:
    secret = Mounted(password)
    account = Body(data={"email": user, "password": None}, secrets=(Placed(("password",), secret),))
    return LoginState(
        path="/auth/login",
        user=user,
        password=secret,
        user_field="username",
        password_field="password",
        register=CallState(method="POST", path="/auth/register", body=account),
    )


def wanted(key: SecretKey = API_KEY) -> Wanted:
    return Wanted(
        match=("name",),
        body=Body(
            data={
                "name": "gateway",
                "provider": "litellm_proxy",
                "api_base": "http://litellm:4000",
                "is_public": True,
                "model_configurations": [{"name": "small", "is_visible": True}, {"name": "large", "is_visible": False}],
                "api_key": None,
            },
            secrets=(Placed(("api_key",), Mounted(key)),),
        ),
        unread=("api_key",),
        mark="name",
        with_unread=Body(data={"api_key_changed": True}),
    )


class Hands:
    """An administrator's own hands."""

    def __init__(self, server: Providers) -> None:
        self.server = server

    # Any: JSON, which a test picks apart.
    def ask(self, method: str, path: str, body: object = None) -> Any:
        return insist(ask(method, f"{self.server.url}{path}", body, token=self.server.token))

    def register(self, user: str, password: SecretKey) -> None:
        ask("POST", f"{self.server.url}/auth/register", {"email": user, "password": SECRETS[password]})

    def clean(self) -> None:
        for user in (WEAK, ADMIN):
            self.ask("DELETE", f"/auth/user?email={user}")
        for one in self.ask("GET", LIST):
            self.ask("DELETE", f"{LIST}/{one['id']}")
        self.ask("PUT", "/admin/security", {"password_auth_enabled": True, "level": "all"})

    def change(self, **fields: object) -> None:
        for one in self.ask("GET", LIST):
            self.ask("PATCH", f"{LIST}/{one['id']}", fields)

    def api_keys(self) -> list[str]:
        return list(self.ask("GET", "/keys").values())


@pytest.fixture(scope="module")
def hands() -> Generator[Hands]:
    with Providers() as server:
        SECRETS[TOKEN] = server.token
        yield Hands(server)


def seed(hands: Hands) -> HttpSeedState:
    return HttpSeedState(
        owner="cust-acme/onyx",
        url=hands.server.url,
        login=login(),
        find=LIST,
        wanted=wanted(),
        creating=CallState(method="PUT", path=f"{LIST}?is_creation=true"),
        updating=CallState(method="PUT", path=LIST),
        removing=CallState(method="DELETE", path=f"{LIST}/{{id}}"),
    )


class TestHttpSeed(HookProofs):
    missing = "GET /admin/llm/provider"

    @pytest.fixture(autouse=True)
    def _server(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> Providers:
        return self.hands.server

    def desired(self) -> HttpSeedState:
        return seed(self.hands)

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        self.hands.clean()

    def state(self) -> object:
        form = {"username": ADMIN, "password": SECRETS[PASSWORD]}
        status, _ = ask("POST", f"{self.hands.server.url}/auth/login", form=form)
        providers = [
            {name: value for name, value in one.items() if name not in {"id", "api_key"}}
            for one in self.hands.ask("GET", LIST)
        ]
        return status, providers, [key == SECRETS[API_KEY] for key in self.hands.api_keys()]

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "account": lambda: self.hands.ask("DELETE", f"/auth/user?email={ADMIN}"),
            "ids": lambda: [self.hands.ask("DELETE", f"{LIST}/{one['id']}") for one in self.hands.ask("GET", LIST)],
            "differing": lambda: self.hands.change(api_base="http://elsewhere", model_configurations=[]),
            "marked": lambda: self.hands.change(name="gateway", api_key="sk-by-hand-and-wrong"),
        }

    def wrong_account(self) -> HttpSeedState:
        self.hands.register(ADMIN, PASSWORD)
        return attrs.evolve(self.desired(), login=login(password=WRONG))

    def weak_account(self) -> HttpSeedState:
        self.hands.register(ADMIN, PASSWORD)
        self.hands.register(WEAK, WEAK_PASSWORD)
        return attrs.evolve(self.desired(), login=login(WEAK, WEAK_PASSWORD))

    def rotations(self) -> Mapping[str, Rotated]:
        def works() -> object:
            assert self.hands.api_keys() == [SECRETS[NEXT]]
            return "taken"

        return {
            "live": Rotated(before=self.desired(), after=attrs.evolve(self.desired(), wanted=wanted(NEXT)), works=works)
        }


@pytest.fixture
def session(hands: Hands) -> Iterator[Session]:
    hands.clean()
    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30) as opened:
        yield opened


@pytest.fixture
def token(hands: Hands, session: Session) -> HttpSeedState:
    """With the token instead of an account."""
    return attrs.evolve(seed(hands), login=None, bearer=Mounted(TOKEN))


def error_of(desired: HttpSeedState, session: Session) -> str:
    with pytest.raises(HookError) as caught:
        converge(desired, session, pause=lambda _: None)
    assert not any(secret in str(caught.value) for secret in SECRETS.values())
    return str(caught.value)


def test_what_it_was_not_told_of_is_sent_back_as_it_was(hands: Hands, session: Session, token: HttpSeedState) -> None:
    converge(token, session)
    hands.change(note="written by hand", provider="openai")
    assert converge(token, session).changed == ("update name='gateway': provider",)
    (one,) = hands.ask("GET", LIST)
    assert (one["note"], one["provider"]) == ("written by hand", "litellm_proxy")
    assert hands.api_keys() == [SECRETS[API_KEY]]


def test_a_key_is_sent_again_only_when_its_mark_differs(hands: Hands, session: Session, token: HttpSeedState) -> None:
    converge(token, session)
    hands.change(api_key="sk-by-hand-and-unseen", is_public=False)
    assert converge(token, session).changed == ("update name='gateway': is_public",)
    assert hands.api_keys() == ["sk-by-hand-and-unseen"]
    (one,) = hands.ask("GET", LIST)
    assert one["name"].startswith("gateway [kiwistack ")
    assert converge(attrs.evolve(token, wanted=wanted(NEXT)), session).changed == ("update name='gateway': api_key",)
    assert hands.api_keys() == [SECRETS[NEXT]]


def test_without_a_mark_a_key_is_sent_once(hands: Hands, session: Session, token: HttpSeedState) -> None:
    converge(attrs.evolve(token, wanted=attrs.evolve(wanted(), mark="")), session)
    assert [one["name"] for one in hands.ask("GET", LIST)] == ["gateway"]
    assert converge(attrs.evolve(token, wanted=attrs.evolve(wanted(NEXT), mark="")), session).changed == ()
    assert hands.api_keys() == [SECRETS[API_KEY]]


def test_a_mark_keeps_what_a_person_has_written_beside_it(hands: Hands, session: Session, token: HttpSeedState) -> None:
    noted = attrs.evolve(token, wanted=attrs.evolve(wanted(), mark="note"))
    converge(noted, session)
    hands.change(note="ask Ada", provider="openai")
    converge(noted, session)
    (one,) = hands.ask("GET", LIST)
    assert one["note"].startswith("ask Ada [kiwistack ")
    assert one["name"] == "gateway"


def test_a_patch_sends_only_what_is_wanted(hands: Hands, session: Session, token: HttpSeedState) -> None:
    patched = attrs.evolve(token, updating=CallState(method="PATCH", path=f"{LIST}/{{id}}"))
    converge(patched, session)
    hands.change(note="by hand", provider="openai")
    converge(patched, session)
    (one,) = hands.ask("GET", LIST)
    assert (one["note"], one["provider"]) == ("by hand", "litellm_proxy")


def test_one_that_is_there_already_is_taken_over(hands: Hands, session: Session, token: HttpSeedState) -> None:
    hands.ask("PUT", f"{LIST}?is_creation=true", {"name": "gateway", "provider": "openai"})
    hands.ask("PUT", f"{LIST}?is_creation=true", {"name": "another", "provider": "openai"})
    assert [step.partition(" ")[0] for step in converge(token, session).changed] == ["update"]
    assert [one["provider"] for one in hands.ask("GET", LIST)] == ["openai", "litellm_proxy"]


def test_several_that_match_are_told_and_none_is_touched(hands: Hands, session: Session, token: HttpSeedState) -> None:
    ids = [str(hands.ask("PUT", f"{LIST}?is_creation=true", {"name": "gateway", "provider": "x"})["id"]) for _ in "ab"]
    for each in (token, attrs.evolve(token, removing=None)):
        text = error_of(each, session)
        assert f"2 objects match, with the ids {ids[1]}, {ids[0]}" in text
        assert "delete all but one by hand" in text
    assert len(hands.ask("GET", LIST)) == 2


def test_made_twice_at_once_the_last_is_taken_back(hands: Hands, session: Session, token: HttpSeedState) -> None:
    """Another run makes the object between this run's last look and its request."""
    desired = attrs.evolve(token)
    made: list[object] = []

    def watch(words: str, *, done: bool) -> None:
        if words.startswith("PUT") and not done and not made:
            body = {**wanted().body.data, "name": "gateway", "api_key": SECRETS[API_KEY], "api_key_changed": True}
            made.append(hands.ask("PUT", f"{LIST}?is_creation=true", body)["id"])

    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as racing:
        converge(desired, racing, pause=lambda _: None)
    assert [one["id"] for one in hands.ask("GET", LIST)] == made
    assert converge(desired, session).changed == ()


def test_made_twice_at_once_without_a_way_back_it_is_told(hands: Hands, session: Session, token: HttpSeedState) -> None:
    def watch(words: str, *, done: bool) -> None:
        if words.startswith("PUT") and not done:
            hands.ask("PUT", f"{LIST}?is_creation=true", {"name": "gateway", "provider": "x"})

    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as racing:
        assert "2 objects match" in error_of(attrs.evolve(token, removing=None), racing)


def test_an_object_of_which_there_is_one_is_only_changed(hands: Hands, session: Session, token: HttpSeedState) -> None:
    security = attrs.evolve(
        token,
        find="/admin/security",
        wanted=Wanted(body=Body(data={"password_auth_enabled": False})),
        creating=None,
        updating=CallState(method="PUT", path="/admin/security"),
        removing=None,
    )
    assert converge(security, session).changed == ("update all: password_auth_enabled",)
    assert hands.ask("GET", "/admin/security") == {"password_auth_enabled": False, "level": "all"}
    assert converge(security, session).changed == ()


def test_what_the_server_refuses_is_told_without_its_words(
    hands: Hands, session: Session, token: HttpSeedState
) -> None:
    data = {name: item for name, item in wanted().body.data.items() if name != "provider"}
    broken = attrs.evolve(wanted(), body=attrs.evolve(wanted().body, data=data))
    text = error_of(attrs.evolve(token, wanted=broken), session)
    assert "answered 422" in text
    assert hands.ask("GET", LIST) == []


def test_a_list_that_is_elsewhere_is_told(hands: Hands, session: Session, token: HttpSeedState) -> None:
    assert "not a list of JSON mappings at 'items'" in error_of(attrs.evolve(token, items="items"), session)


def test_an_account_of_another_password_cannot_be_registered(hands: Hands, session: Session) -> None:
    hands.register(ADMIN, WRONG)
    with pytest.raises(Refused, match="400 to POST /auth/register, so it was not made"):
        converge(seed(hands), session)


def test_it_signs_in_once_and_asks_once_when_converged(hands: Hands, session: Session) -> None:
    converge(seed(hands), session)
    asked: list[str] = []

    def watch(words: str, *, done: bool) -> None:
        if done:
            asked.append(words)

    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as again:
        converge(seed(hands), again)
    assert asked == [f"POST /auth/login as {ADMIN}", f"GET {LIST}"]
