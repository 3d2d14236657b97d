"""Virtual keys without a server: what is refused, what is wanted of what is lent, and plans."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, cast

import attrs
import pytest
from kiwi_core._hooks.virtual_key import VirtualKey
from kiwi_core._hooks.virtual_key_state import OldKey, VirtualKeyFound, VirtualKeyState
from kiwi_core._model.desired import Desired, Mounted, Step
from kiwi_core._model.hooks import Lent
from kiwi_core._model.late import Credential, External, text, url
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Home
from kiwi_core._spec.convert import Converter

MASTER = SecretKey("litellm-master-key", "masterkey")
CREDENTIAL = Credential("onyx", "llm/llm")
KEY = text("sk-{key}", key=CREDENTIAL)
HOME = Home(slug="core-1", namespace="kiwi-llm-gateway", domain="", cluster="core-1")
TOKEN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: files of secrets."""

    owner: str = "kiwi-llm-gateway/litellm"
    home: Home = HOME

    def secret(self, value: object) -> Mounted:
        return Mounted(value if isinstance(value, SecretKey) else SecretKey("hook", "key"))


LENT = cast("Lent", Lending())
HOOK = VirtualKey(
    customer="acme",
    url="http://litellm:4000",
    master=MASTER,
    key=KEY,
    models=("small", "large"),
    max_budget=200.0,
    budget_duration="30d",
)
STATE = HOOK.desired(LENT)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"customer": "Acme"}, "is no DNS label"),
        ({"url": "litellm:4000"}, "is no URL of a server"),
        ({"master": "sk-in-the-code"}, "'master' must be <class"),
        ({"key": "sk-in-the-code"}, "found str, expected a secret; LiteLLM's keys begin with 'sk-'"),
        ({"key": CREDENTIAL}, "text('sk-{key}', key=…)"),
        ({"key": url(CREDENTIAL)}, "text('sk-{key}', key=…)"),
        ({"key": text("{key}", key=CREDENTIAL)}, "text('sk-{key}', key=…)"),
        ({"key": text("pk-{key}", key=CREDENTIAL)}, "text('sk-{key}', key=…)"),
        ({"models": "small"}, "write ('small',)"),
        ({"models": ("small", "small")}, "'small' stands twice"),
        ({"models": ("",)}, "found '', expected the name of a model"),
        ({"max_budget": -1.0}, "'max_budget' must be >= 0"),
        ({"budget_duration": "monthly"}, "'budget_duration' must match regex"),
        ({"budget_duration": "0d"}, "'budget_duration' must match regex"),
        ({"tpm_limit": -1}, "'tpm_limit' must be >= 0"),
        ({"grace": -1}, "'grace' must be >= 0"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        attrs.evolve(HOOK, **change)
    assert problem in str(caught.value)


@pytest.mark.parametrize("key", [SecretKey("keys", "acme"), External("acme-key", "it was given out"), KEY])
def test_a_key_that_may_begin_so_is_taken(key: Any) -> None:
    assert attrs.evolve(HOOK, key=key).key == key


@pytest.mark.parametrize("duration", ["30s", "1d", "12h", "2w", "1mo", None])
def test_periods_that_litellm_knows_are_taken(duration: str | None) -> None:
    assert attrs.evolve(HOOK, budget_duration=duration).budget_duration == duration


def test_it_is_named_after_its_customer_and_is_on_no_use() -> None:
    assert (HOOK.name, HOOK.on) == ("key-acme", ())


def test_it_names_the_master_key_and_the_customers_own() -> None:
    assert (STATE.master, STATE.key) == (Mounted(MASTER), Mounted(SecretKey("hook", "key")))
    assert STATE.subject == "virtual key of acme at litellm:4000"
    assert STATE.team == "kiwistack-acme"


def test_it_survives_as_data() -> None:
    converter = Converter({Desired: {"virtual-key": VirtualKeyState}.__getitem__})
    for state in (STATE, attrs.evolve(STATE, max_budget=None, budget_duration=None, models=(), grace=24)):
        data = json.loads(json.dumps(converter.unstructure(state)))
        assert converter.structure(data, Desired, file="the data") == state


def found(**changes: Any) -> VirtualKeyFound:  # Any: the fields
    whole: dict[str, Any] = {"has_team": True, "has_key": True, "team": (), "key": (), "old": ()}
    return VirtualKeyFound(**{**whole, **changes})


def old(*, is_expiring: bool = False, is_expired: bool = False) -> OldKey:
    return OldKey("kiwistack-acme-9f86d081884c", TOKEN, is_expiring=is_expiring, is_expired=is_expired)


DELETE = Step("delete key", "kiwistack-acme-9f86d081884c", TOKEN)
LET_EXPIRE = Step("let expire key", "kiwistack-acme-9f86d081884c", TOKEN)


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (found(), []),
        (found(has_team=False, has_key=False), [Step("create team", "acme"), Step("create key", "acme")]),
        (found(has_key=False, old=(old(),)), [Step("create key", "acme"), DELETE]),
        (found(team=("models", "mark")), [Step("update team", "acme", "models, mark")]),
        (found(key=("team_id",), old=(old(),)), [Step("update key", "acme", "team_id"), DELETE]),
    ],
)
def test_plans(seen: VirtualKeyFound, steps: list[Step]) -> None:
    assert list(STATE.plan(seen)) == steps


@pytest.mark.parametrize(
    ("key", "at_once", "with_grace"),
    [
        (old(), [DELETE], [LET_EXPIRE]),
        (old(is_expiring=True), [DELETE], []),
        (old(is_expiring=True, is_expired=True), [DELETE], [DELETE]),
    ],
)
def test_what_becomes_of_the_key_before(key: OldKey, at_once: list[Step], with_grace: list[Step]) -> None:
    assert list(STATE.plan(found(old=(key,)))) == at_once
    assert list(attrs.evolve(STATE, grace=24).plan(found(old=(key,)))) == with_grace


def test_importing_it_loads_no_client() -> None:
    """It comes with every component."""
    program = "import sys, kiwi_core._hooks.virtual_key; sys.exit(bool({'urllib3', 'http.client'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
