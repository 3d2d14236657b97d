"""Seeds over HTTP without a server: what is refused, what is wanted of what is lent, what is sent, and plans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._hooks.http_body import Body, Placed, body_of, covers, merged, part, replaced, without
from kiwi_core._hooks.http_seed import Bearer, Call, FormLogin, HttpSeed
from kiwi_core._hooks.http_seed_parts import MARK, Wanted
from kiwi_core._hooks.http_seed_state import HttpSeeded, HttpSeedState
from kiwi_core._model.desired import Desired, Mounted, Step
from kiwi_core._model.hooks import Lent
from kiwi_core._model.late import Credential, Pin, text
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Home
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import Conflict, HookError

PASSWORD, TOKEN = Credential("onyx", "admin"), SecretKey("onyx-api", "token")
KEY = text("sk-{key}", key=Credential("onyx", "llm/llm"))
HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
SECRET = "sk-0f2b1c9a77de4c1a"


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: files of secrets."""

    owner: str = "cust-acme/onyx"
    home: Home = HOME

    def secret(self, value: object) -> Mounted:
        return mounted(value)


def mounted(value: object) -> Mounted:
    return Mounted(value if isinstance(value, SecretKey) else SecretKey("hook", type(value).__name__.lower()))


LENT = cast("Lent", Lending())
WANTED: Mapping[str, Any] = {"name": "gateway", "api_key": KEY, "models": ({"name": "small"},), "is_public": True}
CREATE, UPDATE = Call("POST", "/providers"), Call("PUT", "/providers/{id}")
SEED = HttpSeed(
    url="http://onyx:8080",
    sign_in=FormLogin(
        path="/auth/login",
        user="admin",
        password=PASSWORD,
        register=Call("POST", "/auth/register", {"email": "admin", "password": PASSWORD}),
    ),
    find="/providers",
    match=("name",),
    wanted=WANTED,
    unread=("api_key",),
    mark="name",
    with_unread={"api_key_changed": True},
    create=CREATE,
    update=UPDATE,
    remove=Call("DELETE", "/providers/{id}"),
)
STATE = SEED.desired(LENT)


def reveal(_: Mounted) -> str:
    return SECRET


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "onyx:8080"}, "is no URL of a server"),
        ({"url": "http://user:password@onyx"}, "is no URL of a server"),
        ({"find": "providers"}, "find: 'providers' is no path such as"),
        ({"find": "/a b"}, "is no path such as"),
        ({"match": "name"}, "write ('name',)"),
        ({"match": ("colour",)}, "wanted has no 'colour'"),
        ({"unread": ("colour",)}, "wanted has no 'colour'"),
        ({"match": ("api_key",)}, "match: 'api_key' is no field to find an object by"),
        ({"match": ("models",)}, "match: 'models' is no field to find an object by"),
        ({"unread": ()}, "mark: 'name' is for what the API does not give back"),
        ({"mark": "api_key"}, "mark: 'api_key' is for what the API does not give back"),
        ({"mark": "models"}, "mark: 'models' is to end with a text"),
        ({"create": None}, "create: the request that makes the object goes with a match"),
        ({"match": ()}, "create: the request that makes the object goes with a match"),
        ({"remove": Call("DELETE", "/providers")}, "remove: '/providers' has no '{id}'"),
        ({"wanted": {}}, "Length of 'wanted' must be >= 1"),
        ({"wanted": ["name"]}, "expected a mapping"),
        ({"wanted": {"name": float("inf")}}, "wanted.name: found inf, expected a finite number"),
        ({"wanted": {"name": [{"a": b"x"}]}}, "wanted.name[0].a: found b'x', expected JSON or a secret"),
        ({"wanted": {1: "x"}}, "found 1 as a key, expected a text"),
        ({"wanted": {"image": Pin("onyx", "tag")}}, "expected JSON or a secret"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        attrs.evolve(SEED, **change)
    assert problem in str(caught.value)


def test_requests_and_accounts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="'method' must be in"):
        Call("GET", "/providers")
    with pytest.raises(TypeError, match="found str, expected a credential"):
        Bearer(cast("Any", "a-token-in-the-code"))
    with pytest.raises(ValueError, match="its body has no such password"):
        FormLogin(path="/login", user="a", password=PASSWORD, register=Call("POST", "/register", {"password": KEY}))


def test_no_secret_stands_in_what_is_wanted() -> None:
    assert STATE.wanted.body == Body(
        data={"name": "gateway", "api_key": None, "models": [{"name": "small"}], "is_public": True},
        secrets=(Placed(("api_key",), mounted(KEY)),),
    )
    assert STATE.login is not None
    assert STATE.login.password == mounted(PASSWORD)
    assert STATE.subject == "name='gateway' of /providers at onyx:8080"
    assert attrs.evolve(SEED, sign_in=Bearer(TOKEN)).desired(LENT).bearer == Mounted(TOKEN)


def test_it_survives_as_data() -> None:
    converter = Converter({Desired: {"http-seed": HttpSeedState}.__getitem__})
    data = json.loads(json.dumps(converter.unstructure(STATE)))
    assert converter.structure(data, Desired, file="the data") == STATE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)
MAPPING = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


@given(MAPPING)
def test_a_body_without_secrets_is_sent_as_it_was_written(data: Any) -> None:
    assert body_of(data, mounted).filled(reveal) == data


def test_secrets_are_put_where_they_stood() -> None:
    body = body_of({"a": [{"b": KEY}, (KEY,)], "c.d": KEY}, mounted)
    assert body.data == {"a": [{"b": None}, [None]], "c.d": None}
    assert body.filled(reveal) == {"a": [{"b": SECRET}, [SECRET]], "c.d": SECRET}
    assert body.data == {"a": [{"b": None}, [None]], "c.d": None}


@given(JSON)
def test_everything_covers_itself(value: Any) -> None:
    assert covers(value, value)


@given(MAPPING, MAPPING)
def test_what_was_merged_covers_what_was_wanted(found: Any, wanted: Any) -> None:
    """So that one update suffices; and what is not wanted stays."""
    both = merged(found, wanted)
    assert covers(both, wanted)
    assert {key: both[key] for key in found.keys() - wanted.keys()} == {
        key: found[key] for key in found.keys() - wanted.keys()
    }


@pytest.mark.parametrize(
    ("found", "wanted", "is_covered"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"b": 2}, {"a": None}, False),
        ({"a": None}, {"a": None}, True),
        ([2, 1], [1, 2], True),
        ([1, 2, 3], [1, 2], False),
        ([1, 1, 2], [1, 2, 2], False),
        ([{"n": 1, "x": 2}, {"n": 1}], [{"n": 1}, {"n": 1, "x": 2}], True),
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        ("1", 1, False),
        ([], {}, False),
        ({}, [], False),
    ],
)
def test_what_covers_what(found: object, wanted: object, is_covered: bool) -> None:  # noqa: FBT001 -- a table
    assert covers(found, wanted) is is_covered


def test_dotted_paths() -> None:
    data = {"a": {"b": 1, "c": 2}, "d": 3}
    assert (part(data, "a.b"), part(data, "a.x"), part(data, "d.x"), part(data, "")) == (1, None, None, data)
    assert without(data, ["a.b", "d", "x.y"]) == {"a": {"c": 2}}
    assert replaced(data, "a.b", 5) == {"a": {"b": 5, "c": 2}, "d": 3}
    assert replaced(data, "x.y", 5) == {**data, "x": {"y": 5}}


def test_a_mark_says_which_secret_was_sent_and_not_what_it_is() -> None:
    sent = STATE.wanted.sent({}, reveal, with_unread=True)
    assert MARK.search(cast("str", sent["name"]))
    assert sent == {**sent, "api_key": SECRET, "api_key_changed": True}
    found = {"id": 1, **sent, "api_key": "sk-0****4c1a"}
    assert STATE.wanted.is_match(found)
    assert STATE.wanted.differing(found, reveal) == ()
    assert STATE.wanted.is_marked(found, reveal)
    assert not STATE.wanted.is_marked(found, lambda _: "sk-another-secret")
    assert not STATE.wanted.is_marked({**found, "name": "gateway"}, reveal)
    assert SECRET not in cast("str", sent["name"])


def test_without_the_secret_nothing_of_it_is_sent() -> None:
    found = {"id": 1, "name": "gateway", "api_key": "sk-0****4c1a", "note": "by hand"}
    sent = STATE.wanted.sent(found, reveal, with_unread=False)
    assert not {"api_key", "api_key_changed"} & set(sent)
    assert STATE.wanted.replacement(found, sent) == {**sent, "id": 1, "note": "by hand"}


def test_a_secret_that_can_be_read_is_compared() -> None:
    wanted = Wanted(match=("name",), body=STATE.wanted.body)
    found = {"name": "gateway", "api_key": SECRET, "models": [{"name": "small", "id": 3}], "is_public": True}
    assert wanted.differing(found, reveal) == ()
    assert wanted.differing({**found, "api_key": "x", "models": []}, reveal) == ("api_key", "models")


def seen(*ids: str, account: bool = True, differing: tuple[str, ...] = (), marked: bool = True) -> HttpSeeded:
    return HttpSeeded(account=account, ids=ids, differing=differing, marked=marked)


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (seen("1"), []),
        (seen(marked=False), [Step("create", "name='gateway'")]),
        (seen(account=False, marked=False), [Step("register", "admin"), Step("create", "name='gateway'")]),
        (seen("1", differing=("models",)), [Step("update", "name='gateway'", "models")]),
        (seen("1", marked=False), [Step("update", "name='gateway'", "api_key")]),
        (seen("1", differing=("models",), marked=False), [Step("update", "name='gateway'", "models, api_key")]),
    ],
)
def test_plans(found: HttpSeeded, steps: list[Step]) -> None:
    assert list(STATE.plan(found)) == steps


def test_several_are_a_conflict_only_where_a_run_takes_its_own_back() -> None:
    with pytest.raises(Conflict, match="with the ids 1, 2"):
        STATE.plan(seen("1", "2"))
    with pytest.raises(HookError, match="delete all but one by hand") as caught:
        attrs.evolve(STATE, removing=None).plan(seen("1", "2"))
    assert not isinstance(caught.value, Conflict)


def test_importing_it_loads_no_client() -> None:
    """It comes with every component."""
    program = "import sys, kiwi_core._hooks.http_seed; sys.exit(bool({'urllib3', 'http.client'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
