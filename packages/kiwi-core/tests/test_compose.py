"""Compose: stages and edges of hooks, what is needed and brought, pins, and the same stack on any machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from kiwi_core import (
    Bound,
    Declaration,
    Job,
    Lane,
    Postgres,
    PostgresOffer,
    Secret,
    SecretKey,
    Stage,
    Wiring,
    checksum,
    text,
    url,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._emit.helmfile import emit_helmfile
from kiwi_core._emit.summary import emit_summary
from kiwi_core._emit.tree import emit
from kiwi_core._model.late import Value
from kiwi_core.errors import PinError
from stack_samples import ADMIN, CHART, DB, LLM, TOOL, Sample, component, composed, inputs, job, pg, release


def needs(stack: Stack, name: str) -> set[str]:
    """What a release needs beside the foundation."""
    return set(stack.by_name[name].needs) - {"foundation"}


def test_a_release_is_placed_with_its_stage_its_needs_and_its_layers() -> None:
    stack = composed(component("app", release("app", DB)), component("pg", release("pg"), offers=(pg("pg"),)))
    assert [item.name for item in stack.releases] == ["namespace", "foundation", "pg", "app"]
    app = stack.by_name["app"]
    assert (app.role, app.component, app.namespace) == ("component", "app", "cust-acme")
    assert app.needs == ("foundation", "pg")
    assert (app.wait, stack.by_name["pg"].wait) == (False, True)
    assert [layer.origin for layer in app.layers] == ["component app (kiwi-component-sample 2.3)"]
    assert {edge.because for edge in stack.edges if edge.after == "app"} == {
        "policies and Secrets stand before anything runs",
        "app uses postgres/db of component pg",
    }


def test_every_release_needs_the_foundation_and_it_is_waited_for() -> None:
    stack = composed(component("app", release("app"), wiring=Wiring(pre=(job(),), post=(job(),))))
    assert [item.role for item in stack.releases] == ["namespace", "foundation", "hooks", "component", "hooks"]
    namespace, foundation, *others = stack.releases
    assert (foundation.needs, foundation.wait, namespace.wait) == (("namespace",), True, True)
    assert all("foundation" in item.needs for item in others)


@pytest.mark.parametrize(
    ("provider", "own", "stage"),
    [
        (Stage.SERVICES, Stage.COMPONENTS, Stage.COMPONENTS),
        (Stage.OPENDESK_SERVICES, Stage.SERVICES, Stage.SERVICES),
        (Stage.COMPONENTS, Stage.COMPONENTS, Stage.COMPONENTS),
        (Stage.COMPONENTS, Stage.LATE_COMPONENTS, Stage.LATE_COMPONENTS),
        (Stage.LATE_COMPONENTS, Stage.COMPONENTS, Stage.LATE_COMPONENTS),
        (Stage.COMPONENTS, Stage.SERVICES, Stage.COMPONENTS),
    ],
)
def test_a_pre_hook_goes_in_the_stage_of_its_component_or_of_what_it_acts_on(
    provider: Stage, own: Stage, stage: Stage
) -> None:
    stack = composed(
        component("app", release("app", DB, stage=own), wiring=Wiring(pre=(job("role", DB),))),
        component("pg", release("pg", stage=provider), offers=(pg("pg"),)),
    )
    assert stack.by_name["app-pre"].stage is stage
    assert needs(stack, "app-pre") == {"pg"}
    assert needs(stack, "app") == {"app-pre", "pg"}


def test_the_pre_hooks_go_before_the_first_release_and_the_post_hooks_after_the_last() -> None:
    early, late = release("early", stage=Stage.SERVICES), release("late", stage=Stage.LATE_COMPONENTS)
    stack = composed(component("app", late, early, wiring=Wiring(pre=(job(),), post=(job(),))))
    assert [item.name for item in stack.releases] == ["namespace", "foundation", "app-pre", "early", "late", "app-post"]
    assert (stack.by_name["app-pre"].stage, stack.by_name["app-post"].stage) == (Stage.SERVICES, Stage.LATE_COMPONENTS)
    assert needs(stack, "app-post") == {"early", "late"}


def test_a_hook_release_has_time_for_all_its_jobs() -> None:
    stack = composed(
        component("app", release("app"), wiring=Wiring(pre=(job("a"), attrs.evolve(job("b"), timeout=40))))
    )
    hooks = stack.by_name["app-pre"]
    assert hooks.declared.timeout == 60 + 300 + 40
    assert hooks.values["jobs"] == {
        f"app-pre-{name}": {
            "image": text("{r}:{t}", r=TOOL[0], t=TOOL[1]),
            "command": [
                "sh",
                "-c",
                """if false; then printf '%s' '{"changed":[]}' > /dev/termination-log; else exec true; fi""",
            ],
            "env": [],
            "timeout": t,
        }
        for name, t in (("a", 300), ("b", 40))
    }


def test_the_environment_of_a_job_holds_values_and_keys_of_secrets() -> None:
    env: dict[str, Value | SecretKey] = {"USER": "db", "PASSWORD": SecretKey("pg", "password")}
    hook = Job(name="x", image=TOOL, observe=("false",), command=("sh",), env=env)
    stack = composed(component("app", release("app"), wiring=Wiring(pre=(hook,))))
    jobs = stack.by_name["app-pre"].values["jobs"]
    assert isinstance(jobs, Mapping)
    found = jobs["app-pre-x"]
    assert isinstance(found, Mapping)
    assert found["env"] == [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "pg", "key": "password"}}},
        {"name": "USER", "value": "db"},
    ]


def test_a_pre_hook_on_ones_own_service_goes_after_it_and_before_the_rest() -> None:
    own = component(
        "app",
        release("disk"),
        release("pg", needs=("disk",)),
        release("app", DB),
        release("web"),
        offers=(pg("pg"),),
        wiring=Wiring(pre=(job("role", DB),)),
    )
    stack = composed(own)
    assert needs(stack, "app-pre") == {"pg"}
    assert needs(stack, "pg") == {"disk"}
    assert needs(stack, "disk") == set()
    assert needs(stack, "app") == {"app-pre", "pg"}
    assert needs(stack, "web") == {"app-pre"}


def test_a_pre_hook_on_a_service_that_ones_own_operator_runs_gives_no_cycle() -> None:
    operator = attrs.evolve(release("operator"), brings=("pg.example",))
    server = attrs.evolve(release("pg"), requires=("pg.example",))
    own = component(
        "app", operator, server, release("app", DB), offers=(pg("pg"),), wiring=Wiring(pre=(job("role", DB),))
    )
    stack = composed(own)
    assert needs(stack, "pg") == {"operator"}
    assert needs(stack, "operator") == set()
    assert needs(stack, "app-pre") == {"pg"}


def test_a_pre_hook_on_a_service_that_uses_ones_own_gives_no_cycle() -> None:
    @attrs.frozen
    class SignOn(Postgres):
        kind: ClassVar[str] = "sign-on"

    @attrs.frozen(kw_only=True)
    class SignOnOffer(PostgresOffer):
        kind: ClassVar[str] = "sign-on"

    sign_on = SignOn("x")
    desk = component(
        "desk",
        release("pg"),
        release("files", sign_on, DB),
        offers=(pg("pg"),),
        wiring=Wiring(pre=(job("client", sign_on),)),
    )
    keycloak = component(
        "keycloak", release("keycloak", DB), offers=(SignOnOffer(host="k", admin=ADMIN, release="keycloak"),)
    )
    stack = composed(desk, keycloak)
    assert [item.name for item in stack.releases] == ["namespace", "foundation", "pg", "keycloak", "desk-pre", "files"]
    assert needs(stack, "pg") == set()


def test_what_has_objects_of_an_api_goes_after_what_brings_it() -> None:
    operator = attrs.evolve(release("operator", stage=Stage.SERVICES), brings=("pg.example",))
    user = attrs.evolve(
        release("app"), requires=("pg.example", "cert-manager.io", "apps", "batch", "rbac.authorization.k8s.io")
    )
    both = attrs.evolve(release("self"), brings=("x.example",), requires=("x.example",))
    stack = composed(component("app", user), component("operator", operator, both))
    assert needs(stack, "app") == {"operator"}
    assert needs(stack, "self") == set()
    assert {edge.because for edge in stack.edges if edge.before == "operator"} == {
        "app has objects of pg.example, which it brings"
    }


def test_a_component_that_was_not_chosen_leaves_no_trace() -> None:
    chosen, other = (
        component("app", release("app", LLM)),
        component("shadow", release("shadow"), wiring=Wiring(pre=(job(),))),
    )
    both, one = composed(chosen, other), composed(chosen)
    assert "shadow" in repr(both)
    tree = emit(one, (emit_helmfile, emit_summary))
    assert not [path for path in tree if "shadow" in path]
    assert not [path for path, content in tree.items() if b"shadow" in content]
    assert "shadow" not in repr(one)


def test_an_own_chart_needs_no_pin_in_dev_alone() -> None:
    app = component("app", release("app"))
    assert compose(inputs(app)).by_name["app"].own_chart == CHART
    with pytest.raises(PinError, match="there is no chart pin 'own'"):
        compose(inputs(app, lane=Lane.STABLE))


def test_overlays_come_after_the_components_layer_and_the_last_wins() -> None:
    app = component("app", release("app"), wiring=Wiring(overlay={"app": {"a": 1, "b": {"c": 1}}}))
    lane = Layer(origin="lane dev", file="dev.yaml", values={"b": {"c": 2, "d": 2}})
    customer = Layer(origin=CUSTOMER, file="app.yaml", values={"b": {"c": 3}, "e": None})
    found = compose(inputs(app, overlays={"app": (lane, customer)})).by_name["app"]
    assert found.layers[1:] == (lane, customer)
    assert found.values == {"a": 1, "b": {"c": 3, "d": 2}, "e": None}


def test_what_is_bound_is_what_a_component_wires() -> None:
    def wiring(bound: Bound) -> Wiring:
        db, llm = bound[DB], bound.get(LLM)
        return Wiring(overlay={"app": {"host": db.host, "llm": llm.url if llm else None, "domain": bound.home.domain}})

    app = Sample(name="app", declaration=Declaration(releases=(release("app", DB, LLM),)), wiring=wiring)
    stack = composed(app, component("pg", offers=(pg(),)))
    assert stack.by_name["app"].values == {
        "host": "pg",
        "llm": "http://litellm.kiwi-llm.svc:4000",
        "domain": "acme.example",
    }


def whole() -> tuple[Sample, ...]:
    """A tenant with something of everything."""

    def wiring(bound: Bound) -> Wiring:
        db = bound[DB]
        secret = Secret("app", {"url": text("postgres://{p}@{h}", p=url(db.password), h=db.host), "user": "ü"})
        values: dict[str, Value] = {
            "mark": checksum(secret),
            "image": {"tag": TOOL.tag},
            "set": sorted({"b", "a", "c"}),
        }
        return Wiring(overlay={"app": values}, secrets=(secret,), pre=(job("role", DB),), post=(job(),))

    declaration = Declaration(releases=(release("app", DB, LLM), release("web", LLM)))
    return (
        Sample(name="app", declaration=declaration, wiring=wiring),
        component("pg", release("pg", stage=Stage.SERVICES), offers=(pg("pg"),)),
        *(component(f"c{index}", release(f"r{index}", LLM)) for index in range(5)),
    )


def fingerprint() -> str:
    """The digests of a stack and of the tree that is emitted from it."""
    stack = compose(inputs(*whole()))
    tree = emit(stack, (emit_helmfile, emit_summary))
    digests = [hashlib.sha256(content).hexdigest() for content in (repr(stack).encode(), *tree.values())]
    return "\n".join(f"{path} {digest}" for path, digest in zip(("stack", *tree), digests, strict=True))


def test_the_same_inputs_give_the_same_stack_and_tree_on_any_machine(tmp_path: Path) -> None:
    found: set[str] = set()
    for seed, zone, language in (
        ("0", "UTC", "C"),
        ("1", "Asia/Kathmandu", "de_DE.UTF-8"),
        ("4242", "US/Samoa", "tr_TR"),
    ):
        environment = {
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LANG": language,
            "HOME": str(tmp_path / seed),
            "PATH": os.defpath,
        }
        done = subprocess.run(
            [sys.executable, __file__], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert not done.stderr
        found.add(done.stdout)
    assert found == {fingerprint()}


def test_the_order_of_components_changes_neither_order_nor_files() -> None:
    one, other = compose(inputs(*whole())), compose(inputs(*reversed(whole())))
    assert [item.name for item in one.releases] == [item.name for item in other.releases]
    trees = [
        {path: content for path, content in emit_helmfile(stack).items() if "foundation" not in path}
        for stack in (one, other)
    ]
    assert trees[0] == trees[1]


if __name__ == "__main__":
    sys.stdout.write(fingerprint())
