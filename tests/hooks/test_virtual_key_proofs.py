"""Virtual keys, on a stand-in for LiteLLM: what it has from where stands there. Nothing here is a proof for LiteLLM."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import attrs
import pytest
from kiwi_core._hooks.converge import converge, outstanding
from kiwi_core._hooks.virtual_key_state import CUSTOMER, OWNER, VirtualKeyState
from kiwi_core._model.desired import Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Conflict, Forbidden, HookError, Refused
from kiwi_core.testing import HookProofs, Rotated
from testbed.litellm_fake import LiteLlm
from testbed.rest import ask, insist

GATEWAY = "kiwi-llm-gateway/litellm"
MASTER, WRONG, WEAK = (SecretKey("litellm-master-key", name) for name in ("masterkey", "wrong", "weak"))
KEY, NEXT, OTHER, BY_HAND = (SecretKey("litellm-keys", name) for name in ("acme", "acme-2", "wiki", "by-hand"))
SECRETS = {
    WRONG: "sk-not-the-master-key",
    WEAK: "sk-d41d8cd98f00b204e9800998ecf8427e",
    KEY: "sk-3c363836cf4e16666669a25da280a1865c2d2874",
    NEXT: "sk-1f3870be274f6c49b3e31a0c6728957f5c2d2874",
    OTHER: "sk-4a8a08f09d37b73795649038408b5f335c2d2874",
    BY_HAND: "sk-8277e0910d750195b448797616e091ad5c2d2874",
}
TEAM = "kiwistack-acme"
FIELDS = ("team_alias", "models", "max_budget", "budget_duration", "tpm_limit", "rpm_limit")


def token(key: SecretKey) -> str:
    return hashlib.sha256(SECRETS[key].encode()).hexdigest()


class Hands:
    """An administrator's own hands."""

    def __init__(self, url: str, master_key: str) -> None:
        self.url = url
        self.master_key = SECRETS[MASTER] = master_key

    # Any: JSON, which a test picks apart.
    def ask(self, method: str, path: str, body: object = None) -> Any:
        return insist(ask(method, f"{self.url}{path}", body, token=self.master_key))

    def clean(self) -> None:
        for team in self.ask("GET", "/team/list"):
            self.ask("POST", "/team/delete", {"team_ids": [team["team_id"]]})
        for key in self.ask("GET", "/key/list?size=100")["keys"]:
            self.ask("POST", "/key/delete", {"keys": [key]})

    def make_key(self, key: SecretKey, **fields: object) -> None:
        self.ask("POST", "/key/generate", {"key": SECRETS[key], **fields})

    def update_key(self, key: SecretKey, **fields: object) -> None:
        self.ask("POST", "/key/update", {"key": token(key), **fields})

    def update_team(self, **fields: object) -> None:
        self.ask("POST", "/team/update", {"team_id": TEAM, **fields})

    def team_keys(self, team: str = TEAM) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = self.ask("GET", f"/key/list?return_full_object=true&team_id={team}")["keys"]
        return keys

    def is_let_in(self, key: SecretKey) -> bool:
        return ask("GET", f"{self.url}/v1/models", token=SECRETS[key])[0] == 200

    def models_of(self, key: SecretKey) -> object:
        status, answer = ask("GET", f"{self.url}/v1/models", token=SECRETS[key])
        return sorted(model["id"] for model in answer["data"]) if status == 200 else status


def wanted(hands: Hands, customer: str = "acme", key: SecretKey = KEY) -> VirtualKeyState:
    return VirtualKeyState(
        owner=GATEWAY,
        url=hands.url,
        master=Mounted(MASTER),
        customer=customer,
        key=Mounted(key),
        models=("small",),
        max_budget=200.0,
        budget_duration="30d",
        tpm_limit=100_000,
        rpm_limit=600,
    )


@pytest.fixture(scope="module")
def litellm() -> Generator[LiteLlm]:
    with LiteLlm() as server:
        yield server


@pytest.fixture(scope="module")
def hands(litellm: LiteLlm) -> Hands:
    return Hands(litellm.url, litellm.master_key)


class TestVirtualKey(HookProofs):
    missing: ClassVar[str] = "proxy_admin"

    @pytest.fixture(autouse=True)
    def _server(self, litellm: LiteLlm, hands: Hands) -> None:
        self.litellm = litellm
        self.hands = hands

    def server(self) -> LiteLlm:
        return self.litellm

    def desired(self) -> VirtualKeyState:
        return wanted(self.hands)

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        self.hands.clean()

    def state(self) -> object:
        teams = [
            (team["team_id"], *(team[name] for name in FIELDS), sorted(team["metadata"].items()))
            for team in self.hands.ask("GET", "/team/list")
        ]
        keys = [
            (key["token"], key["key_alias"], key["models"], key["allowed_routes"], sorted(key["metadata"].items()))
            for key in self.hands.team_keys()
        ]
        return sorted(teams), sorted(keys), self.hands.models_of(KEY)

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        hands = self.hands
        marks = {OWNER: GATEWAY, CUSTOMER: "acme"}
        return {
            "has_team": lambda: hands.ask("POST", "/team/delete", {"team_ids": [TEAM]}),
            "has_key": lambda: hands.ask("POST", "/key/delete", {"keys": [token(KEY)]}),
            "team": lambda: hands.update_team(models=["large"], max_budget=None, metadata={}),
            "key": lambda: hands.update_key(KEY, models=[], key_alias="by-hand", metadata={}, duration="1h"),
            "old": lambda: hands.make_key(BY_HAND, key_alias="old", team_id=TEAM, metadata=marks),
        }

    def wrong_account(self) -> VirtualKeyState:
        return attrs.evolve(self.desired(), master=Mounted(WRONG))

    def weak_account(self) -> VirtualKeyState:
        self.hands.make_key(WEAK, key_alias="weak")
        return attrs.evolve(self.desired(), master=Mounted(WEAK))

    def rotations(self) -> Mapping[str, Rotated]:
        def works() -> object:
            assert (self.hands.is_let_in(NEXT), self.hands.is_let_in(KEY)) == (True, False)
            return "taken"

        return {"live": Rotated(before=self.desired(), after=wanted(self.hands, key=NEXT), works=works)}

    def other(self) -> VirtualKeyState:
        return wanted(self.hands, "wiki", OTHER)

    def taken(self) -> str:
        marks = {OWNER: "kiwi-other/litellm", CUSTOMER: "acme"}
        self.hands.ask("POST", "/team/new", {"team_id": TEAM, "metadata": marks})
        self.hands.ask("POST", "/team/new", {"team_id": "kiwistack-wiki", "metadata": marks})
        return "kiwi-other/litellm"


@pytest.fixture
def session(hands: Hands) -> Iterator[Session]:
    hands.clean()
    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30) as opened:
        yield opened


def test_the_new_key_is_made_before_the_old_one_goes(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    first = token(KEY)
    assert converge(wanted(hands, key=NEXT), session).changed == (
        "create key acme",
        f"delete key {TEAM}-{first[:12]}: {first}",
    )


def test_the_old_key_stays_while_the_new_one_is_not_taken(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)

    def watch(words: str, *, done: bool) -> None:
        if done and words.startswith("POST /key/generate"):
            hands.update_key(NEXT, duration="0h")

    with (
        Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as watched,
        pytest.raises(HookError, match="answered 401"),
    ):
        converge(wanted(hands, key=NEXT), watched)
    assert hands.is_let_in(KEY)
    converge(wanted(hands, key=NEXT), session)
    assert (hands.is_let_in(NEXT), hands.is_let_in(KEY)) == (True, False)


def test_with_grace_the_old_key_expires_and_is_deleted_then(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    desired = attrs.evolve(wanted(hands, key=NEXT), grace=48)
    label = f"{TEAM}-{token(KEY)[:12]}"
    assert converge(desired, session).changed == ("create key acme", f"let expire key {label}: {token(KEY)}")
    (old,) = [key for key in hands.team_keys() if key["token"] == token(KEY)]
    left = datetime.fromisoformat(old["expires"]) - datetime.now(UTC)
    assert timedelta(hours=47) < left <= timedelta(hours=48)
    assert hands.is_let_in(KEY)
    assert converge(desired, session).changed == ()
    hands.update_key(KEY, duration="0h")
    assert not hands.is_let_in(KEY)
    assert converge(desired, session).changed == (f"delete key {label}: {token(KEY)}",)


def test_back_to_the_key_before_it_expires_no_more(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    converge(attrs.evolve(wanted(hands, key=NEXT), grace=48), session)
    converge(wanted(hands), session)
    assert [(key["token"], key["expires"]) for key in hands.team_keys()] == [(token(KEY), None)]


def test_what_was_spent_stays_with_another_key(hands: Hands, session: Session, litellm: LiteLlm) -> None:
    converge(wanted(hands), session)
    hands.ask("POST", "/team/spend", {"team_id": TEAM, "spend": 12.345})
    converge(wanted(hands, key=NEXT), session)
    assert hands.ask("GET", f"/team/info?team_id={TEAM}")["team_info"]["spend"] == 12.345
    (orphan,) = wanted(hands, "wiki", OTHER).orphans(session, [wanted(hands, "wiki", OTHER)])
    assert (orphan.name, orphan.holds) == (TEAM, "the account of a spend of 12.35")


def test_metadata_of_others_stays(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    hands.update_team(metadata={"cost-centre": "4711"})
    hands.update_key(KEY, metadata={"note": "by hand"})
    converge(wanted(hands), session)
    team = hands.ask("GET", f"/team/info?team_id={TEAM}")["team_info"]
    marks = {OWNER: GATEWAY, CUSTOMER: "acme"}
    assert team["metadata"] == {"cost-centre": "4711", **marks}
    assert hands.team_keys()[0]["metadata"] == {"note": "by hand", **marks}


def test_a_key_that_others_made_in_the_team_stays(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    hands.make_key(BY_HAND, key_alias="debug", team_id=TEAM)
    assert converge(wanted(hands), session).changed == ()
    converge(wanted(hands, key=NEXT), session)
    assert hands.is_let_in(BY_HAND)


def test_a_key_that_was_moved_is_brought_back(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    hands.ask("POST", "/team/new", {"team_id": "elsewhere"})
    hands.update_key(KEY, team_id="elsewhere")
    assert converge(wanted(hands), session).changed == ("update key acme: team_id",)


def test_an_unmarked_team_and_key_are_taken_over(hands: Hands, session: Session) -> None:
    hands.ask("POST", "/team/new", {"team_id": TEAM, "team_alias": "acme"})
    hands.make_key(KEY, key_alias="old-name", team_id=TEAM)
    converge(wanted(hands), session)
    assert converge(wanted(hands), session).changed == ()
    assert len(hands.team_keys()) == 1


def test_what_an_operator_has_blocked_stays_blocked(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    hands.ask("POST", "/team/block", {"team_id": TEAM})
    assert converge(wanted(hands), session).changed == ()
    converge(wanted(hands, key=NEXT), session)
    assert not hands.is_let_in(NEXT)
    hands.ask("POST", "/team/unblock", {"team_id": TEAM})
    assert (hands.is_let_in(NEXT), hands.is_let_in(KEY)) == (True, False)


def test_one_key_for_two_customers_is_refused(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    with pytest.raises(HookError, match=r"key of wiki at .* is that of customer acme"):
        converge(wanted(hands, "wiki", KEY), session)


def test_an_alias_that_another_key_has_is_a_conflict(hands: Hands, session: Session) -> None:
    hands.make_key(BY_HAND, key_alias=f"{TEAM}-{token(KEY)[:12]}")
    with pytest.raises(Conflict, match="it is there already"):
        converge(wanted(hands), session, pause=lambda _: None)


def test_without_limits_none_are_set(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    free = VirtualKeyState(owner=GATEWAY, url=hands.url, master=Mounted(MASTER), customer="acme", key=Mounted(KEY))
    assert converge(free, session).changed == (
        "update team acme: models, max_budget, budget_duration, tpm_limit, rpm_limit",
        "update key acme: models",
    )
    assert hands.models_of(KEY) == ["large", "small"]


@pytest.mark.parametrize("value", ["no-sk-in-front-of-it", "sk-short"])
def test_a_value_that_litellm_does_not_take_is_told_and_not_shown(hands: Hands, value: str) -> None:
    with (
        Session(lambda key: value if key == KEY else SECRETS[key]) as session,
        pytest.raises(HookError, match="begin with 'sk-'") as caught,
    ):
        converge(wanted(hands), session)
    assert value not in str(caught.value)


def test_a_customers_own_key_is_no_master_key(hands: Hands, session: Session) -> None:
    """LiteLLM forbids a key of that type the routes as such."""
    converge(wanted(hands), session)
    with pytest.raises(Forbidden, match="proxy_admin"):
        converge(attrs.evolve(wanted(hands), master=Mounted(KEY)), session)
    with pytest.raises(Refused, match="not the master key"):
        outstanding(attrs.evolve(wanted(hands), master=Mounted(WRONG)), session)


def test_keys_beyond_the_first_page_are_seen(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    for number in range(101):
        body = {"key": f"sk-{number:040}", "key_alias": str(number), "team_id": TEAM}
        hands.ask("POST", "/key/generate", body)
    assert converge(wanted(hands), session).changed == ()
    converge(wanted(hands, key=NEXT), session)
    assert not hands.is_let_in(KEY)


def test_a_stray_key_of_a_customer_that_is_gone_is_an_orphan(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    hands.make_key(BY_HAND, key_alias="stray", metadata={OWNER: GATEWAY, CUSTOMER: "gone"})
    (orphan,) = wanted(hands).orphans(session, [wanted(hands)])
    assert (orphan.name, orphan.holds) == ("stray", "")
    wanted(hands).remove(orphan, session)
    assert not hands.is_let_in(BY_HAND)
    assert hands.is_let_in(KEY)


def test_converged_it_asks_twice(hands: Hands, session: Session) -> None:
    converge(wanted(hands), session)
    asked: list[str] = []

    def watch(words: str, *, done: bool) -> None:
        if done:
            asked.append(words)

    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as again:
        converge(wanted(hands), again)
    assert asked == [f"GET team {TEAM}", f"GET keys of team {TEAM}"]
