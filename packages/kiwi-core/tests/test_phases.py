"""Hooks in a stack: what their runtime is given, which Secrets it reads, and what the rules say of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import attrs
import pytest
from hook_samples import Word, WordState
from kiwi_core import (
    ApiServer,
    Credential,
    LlmGateway,
    Mounted,
    Postgres,
    PostgresOffer,
    Right,
    Rotation,
    Secret,
    SecretKey,
    Tenant,
    Value,
    Wiring,
    text,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.rotation import plan_rotation
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._contract.results import Evidence, Outcome, check
from kiwi_core._hooks.runtime import read_tasks
from kiwi_core._model.pins import ImagePin, Pins
from kiwi_core.errors import ComposeError
from kiwi_core.plugins import Plugins
from stack_samples import CLUSTER, DB, PINS, component, inputs, release

ADMIN = Credential("pg", "admin", rotation=Rotation.INIT)
SERVER = component(
    "pg",
    release("pg"),
    offers=(PostgresOffer(release="pg", host="pg", admin=SecretKey("pg", "password")),),
    wiring=Wiring(secrets=(Secret("pg", {"password": ADMIN}),)),
)
IMAGES = Pins(images={**PINS.images, "kiwiHooks": ImagePin(registry="r.example", repository="kiwi-hooks", tag="1")})


def stack(
    *hooks: Word,
    generations: Mapping[str, int] | None = None,
    overlays: Mapping[str, tuple[Layer, ...]] | None = None,
    secrets: tuple[Secret, ...] = (),
    has_api_server: bool = True,
) -> Stack:
    app = component("app", release("app", DB), wiring=Wiring(pre=hooks or (Word(on=DB),), secrets=secrets))
    cluster = attrs.evolve(CLUSTER, api_server=ApiServer(address="192.0.2.1") if has_api_server else None)
    given = inputs(SERVER, app, pins=IMAGES, overlays=overlays, cluster=cluster)
    target = cast("Tenant", given.target)
    return compose(attrs.evolve(given, target=attrs.evolve(target, generations=generations or {})))


def findings(found: Stack, letter: str) -> list[str]:
    rules = [rule for rule in Plugins().rules() if rule.letter == letter]
    return [result.message for result in check(found, Evidence(), rules) if result.outcome is Outcome.FINDING]


def runtime(found: Stack) -> Mapping[str, Value]:
    values = found.by_name["app-pre"].values["runtime"]
    assert isinstance(values, Mapping)
    return values


def test_a_hook_knows_its_server_and_where_its_secrets_are() -> None:
    found = stack()
    phase = found.phases["app-pre"]
    (task,) = phase.tasks.tasks
    assert (task.hook, task.timeout) == ("word-db", 300)
    assert task.desired == WordState(
        owner="cust-acme/app",
        file="pg:5432",
        word="db",
        admin=Mounted(SecretKey("pg", "password")),
        password=Mounted(SecretKey("app-pre", "app.postgres.db")),
    )
    assert phase.secret == Secret("app-pre", {"app.postgres.db": Credential("app", "postgres/db")})
    assert phase.mounted == {"app-pre": ("app.postgres.db",), "pg": ("password",)}
    assert [secret.name for secret in phase.definitions] == ["app-pre", "pg"]


def test_its_job_is_given_the_tasks_and_keys_alone() -> None:
    found = stack()
    values = runtime(found)
    assert values["timeout"] == 300
    assert values["secrets"] == {"app-pre": ["app.postgres.db"], "pg": ["password"]}
    assert read_tasks(str(values["tasks"]).encode(), lambda _: WordState, file="x") == found.phases["app-pre"].tasks
    secrets = found.by_name["foundation"].values["secrets"]
    assert isinstance(secrets, Mapping)
    assert secrets["app-pre"] == {"app.postgres.db": Credential("app", "postgres/db")}
    assert found.used_images.keys() == {"kiwiHooks"}


def test_what_a_server_took_at_its_first_start_is_lent_with_the_generation_before() -> None:
    found = stack(generations={"pg/admin": 3, "app/postgres/db": 2}).phases["app-pre"]
    (task,) = found.tasks.tasks
    assert isinstance(task.desired, WordState)
    assert task.desired.admin == Mounted(SecretKey("pg", "password"), SecretKey("app-pre", "pg.admin.2"))
    # That of the role is of class live: the administrator sets it, whatever it was.
    assert task.desired.password == Mounted(SecretKey("app-pre", "app.postgres.db.2"))
    assert found.secret
    assert found.secret.data == {
        "pg.admin.2": attrs.evolve(ADMIN, generation=2),
        "app.postgres.db.2": Credential("app", "postgres/db", generation=2),
    }


def test_the_mark_on_its_job_changes_with_every_secret_that_it_reads() -> None:
    marks = {
        str(runtime(stack(generations=generations))["checksum"])
        for generations in ({}, {"pg/admin": 2}, {"app/postgres/db": 2})
    }
    assert len(marks) == 3


def test_two_values_of_one_credential_have_two_keys() -> None:
    own = Credential("app", "x")

    class Two(Word):
        """Asks for a credential and for a text of it."""

        def desired(self, lent: object) -> WordState:
            state = super().desired(lent)  # type: ignore[arg-type]  # as the base has it
            for value in (own, text("sk-{x}", x=own), own):
                lent.secret(value)  # type: ignore[attr-defined]  # as above
            return state

    phase = stack(Two(on=DB)).phases["app-pre"]
    assert phase.secret
    assert list(phase.secret.data) == ["app.postgres.db", "app.x", "app.x-2"]


def test_rights_give_an_account_and_the_way_to_the_api_server() -> None:
    right = Right(group="apps", resource="deployments", names=("app",), verbs=("get", "patch"))
    found = stack(Word(on=DB, rights=(right, right)))
    assert runtime(found)["rights"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["app"], "verbs": ["get", "patch"]}
    ]
    assert "app-hooks-pre-to-api-server" in {policy.name for policy in found.policies}
    with pytest.raises(ComposeError, match="does not state where that answers"):
        stack(Word(on=DB, rights=(right,)), has_api_server=False)


def test_without_rights_it_has_no_account_of_its_own() -> None:
    found = stack()
    assert runtime(found)["rights"] == []
    assert not [policy for policy in found.policies if "api-server" in policy.name]


def test_what_a_rotation_runs_is_said() -> None:
    assert plan_rotation(stack(), "app/postgres/db").hooks == ("app-pre",)
    assert plan_rotation(stack(), "pg/admin").hooks == ("app-pre",)


@pytest.mark.parametrize("key", ["tasks", "secrets", "checksum", "rights"])
def test_an_overlay_that_changes_what_hooks_are_is_found(key: str) -> None:
    layer = Layer(origin=CUSTOMER, file="overlays/app-pre.yaml", values={"runtime": {key: "other"}})
    assert findings(stack(overlays={"app-pre": (layer,)}), "f") == [f"runtime.{key} is not what its hooks are: word-db"]
    assert findings(stack(), "f") == []


def test_a_secret_of_the_hooks_own_name_is_refused() -> None:
    with pytest.raises(ComposeError, match="declares Secret 'app-pre', which its hooks have"):
        stack(secrets=(Secret("app-pre", {"k": Credential("app", "k")}),))


def test_a_hook_that_reads_another_components_credential_is_found() -> None:
    found = findings(stack(Word(on=DB, password=Credential("pg", "admin"))), "e")
    assert any("names the credential pg/admin" in message for message in found)


def test_a_hook_on_what_nobody_serves_is_refused() -> None:
    app = component("app", release("app", DB, LlmGateway("llm")), wiring=Wiring(pre=(Word(on=Postgres("other")),)))
    with pytest.raises(ComposeError, match="acts on postgres/other, which none of its releases uses"):
        compose(inputs(SERVER, app, pins=IMAGES))


@attrs.frozen(kw_only=True)
class AtGateway(Word):
    """Acts on a server of a gateway."""

    host: str = "db.kiwi-llm.svc"

    def desired(self, lent: object) -> WordState:
        """Name the gateway's server."""
        state = super().desired(lent)  # type: ignore[arg-type]  # as the base has it
        return attrs.evolve(state, file=f"{self.host}:5432")


def test_a_customers_hook_on_a_gateway_is_found() -> None:
    said = "it acts on a server in kiwi-llm, with an account of that gateway in cust-acme"
    assert said in findings(stack(AtGateway(on=DB)), "b")
    assert findings(stack(AtGateway(on=DB, host="db")), "b") == []


def test_the_document_is_the_same_on_any_machine() -> None:
    assert runtime(stack())["tasks"] == runtime(stack())["tasks"]
    assert json.loads(str(runtime(stack())["tasks"]))["component"] == "app"
