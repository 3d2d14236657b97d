"""Compose: stages and edges of hooks, what is needed and brought, pins, and the same stack on any machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from kiwi_core import (
    Bound,
    Cluster,
    Component,
    Declaration,
    Hook,
    Image,
    Job,
    Lane,
    LlmGateway,
    LlmOffer,
    Offer,
    Pin,
    Postgres,
    PostgresOffer,
    Release,
    Secret,
    SecretKey,
    Stage,
    Tenant,
    Tier,
    Use,
    Wiring,
    Workload,
    checksum,
    text,
    url,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import ChartFiles, Inputs, Package, Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._emit.helmfile import emit_helmfile
from kiwi_core._emit.summary import emit_summary
from kiwi_core._emit.tree import emit
from kiwi_core._model.late import Value
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core.errors import ComposeError, KiwiError, OverlayError, PinError, PluginError

DB, LLM = Postgres("db"), LlmGateway("llm")
ADMIN = SecretKey("pg", "password")
TOOL = Image(Pin("tool", "name"), Pin("tool", "tag"))
CHART = ChartFiles(name="own", version="1.0.0", files={"Chart.yaml": b"version: 1.0.0\n"})
CORE = Package(
    distribution="kiwi-core",
    version="1",
    charts={name: attrs.evolve(CHART, name=name) for name in ("kiwi-foundation", "kiwi-hooks")},
)
PACKAGE = Package(distribution="kiwi-component-sample", version="2.3", charts={"own": CHART})
CLUSTER = Cluster(name="core-1", tier=Tier.CORE, apis=("cert-manager.io",), offers=(LlmOffer(namespace="kiwi-llm"),))


def nothing(_bound: Bound) -> Wiring:
    return Wiring()


@attrs.frozen(kw_only=True)
class Sample(Component):
    """A component that is what it is told to be."""

    kind: ClassVar[str] = "sample"

    declaration: Declaration = attrs.field(factory=Declaration)
    wiring: Callable[[Bound], Wiring] = attrs.field(default=nothing, eq=False, repr=False)

    def declare(self) -> Declaration:
        return self.declaration

    def wire(self, bound: Bound) -> Wiring:
        return self.wiring(bound)


def release(name: str, *uses: Use[object], needs: tuple[str, ...] = (), stage: Stage = Stage.COMPONENTS) -> Release:
    return Release(name=name, chart="own", uses=uses, needs=needs, stage=stage)


def job(name: str = "role", *on: Use[object]) -> Job:
    return Job(name=name, image=TOOL, command=("true",), on=on)


def component(
    name: str, *releases: Release, offers: tuple[Offer, ...] = (), wants: tuple[Use[object], ...] = (), **wiring: object
) -> Sample:
    """A component with releases and offers; what else is named is its wiring."""
    make: Callable[..., Wiring] = Wiring
    declaration = Declaration(releases=releases, offers=offers, wants=wants)
    return Sample(name=name, declaration=declaration, wiring=lambda _: make(**wiring))


def pg(release: str | None = None) -> PostgresOffer:
    return PostgresOffer(host="pg", admin=ADMIN, release=release)


PINS = Pins(images={"tool": ImagePin(registry="docker.io", repository="tool", tag="1")})


def inputs(
    *components: Component,
    pins: Pins = PINS,
    lane: Lane = Lane.DEV,
    overlays: Mapping[str, tuple[Layer, ...]] | None = None,
    cluster: Cluster = CLUSTER,
) -> Inputs:
    return Inputs(
        tenant=Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components),
        cluster=cluster,
        lane=lane,
        pins=PinFiles(pins=pins, charts_file="charts.yaml", images_file="images.yaml", line=lambda _: None),
        packages={"": CORE, "sample": PACKAGE, "other": PACKAGE},
        overlays=overlays or {},
    )


def composed(*components: Component) -> Stack:
    return compose(inputs(*components))


def needs(stack: Stack, name: str) -> set[str]:
    """What a release needs beside the foundation."""
    return set(stack.by_name[name].needs) - {"foundation"}


def messages(error: KiwiError) -> list[str]:
    return [problem.message for problem in error.problems]


def test_a_release_is_placed_with_its_stage_its_needs_and_its_layers() -> None:
    stack = composed(component("app", release("app", DB)), component("pg", release("pg"), offers=(pg("pg"),)))
    assert [item.name for item in stack.releases] == ["foundation", "pg", "app"]
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
    stack = composed(component("app", release("app"), pre=(job(),), post=(job(),)))
    assert all("foundation" in item.needs for item in stack.releases[1:])
    assert stack.releases[0].wait
    assert [item.role for item in stack.releases] == ["foundation", "hooks", "component", "hooks"]


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
        component("app", release("app", DB, stage=own), pre=(job("role", DB),)),
        component("pg", release("pg", stage=provider), offers=(pg("pg"),)),
    )
    assert stack.by_name["app-pre"].stage is stage
    assert needs(stack, "app-pre") == {"pg"}
    assert needs(stack, "app") == {"app-pre", "pg"}


def test_the_pre_hooks_go_before_the_first_release_and_the_post_hooks_after_the_last() -> None:
    early, late = release("early", stage=Stage.SERVICES), release("late", stage=Stage.LATE_COMPONENTS)
    stack = composed(component("app", late, early, pre=(job(),), post=(job(),)))
    assert [(item.name, item.stage) for item in stack.releases] == [
        ("foundation", Stage.FOUNDATION),
        ("app-pre", Stage.SERVICES),
        ("early", Stage.SERVICES),
        ("app-post", Stage.LATE_COMPONENTS),
        ("late", Stage.LATE_COMPONENTS),
    ] or [item.name for item in stack.releases] == ["foundation", "app-pre", "early", "late", "app-post"]
    assert needs(stack, "app-post") == {"early", "late"}


def test_a_hook_release_has_time_for_all_its_jobs() -> None:
    stack = composed(component("app", release("app"), pre=(job("a"), attrs.evolve(job("b"), timeout=40))))
    hooks = stack.by_name["app-pre"]
    assert hooks.declared.timeout == 60 + 300 + 40
    assert hooks.values["jobs"] == {
        f"app-pre-{name}": {
            "image": text("{r}:{t}", r=TOOL[0], t=TOOL[1]),
            "command": ["true"],
            "env": [],
            "timeout": t,
        }
        for name, t in (("a", 300), ("b", 40))
    }


def test_the_environment_of_a_job_holds_values_and_keys_of_secrets() -> None:
    env: dict[str, object] = {"USER": "db", "PASSWORD": SecretKey("pg", "password")}
    make: Callable[..., Job] = Job
    stack = composed(component("app", release("app"), pre=(make(name="x", image=TOOL, command=("sh",), env=env),)))
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
        pre=(job("role", DB),),
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
    own = component("app", operator, server, release("app", DB), offers=(pg("pg"),), pre=(job("role", DB),))
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
        "desk", release("pg"), release("files", sign_on, DB), offers=(pg("pg"),), pre=(job("client", sign_on),)
    )
    keycloak = component(
        "keycloak", release("keycloak", DB), offers=(SignOnOffer(host="k", admin=ADMIN, release="keycloak"),)
    )
    stack = composed(desk, keycloak)
    assert [item.name for item in stack.releases] == ["foundation", "pg", "keycloak", "desk-pre", "files"]
    assert needs(stack, "pg") == set()


def test_a_cycle_between_components_is_told_edge_by_edge() -> None:
    one = component("one", release("one", DB), offers=())
    two = component("two", release("two", needs=("three",)), release("three", needs=("two",)), offers=(pg("two"),))
    with pytest.raises(ComposeError, match="the order has a cycle of") as caught:
        composed(one, two)
    assert "two goes before three: component two says that three needs it" in str(caught.value)
    assert "three goes before two: component two says that two needs it" in str(caught.value)


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


@pytest.mark.parametrize(
    "api", ["pg.exampel", "myapps", "monitoring.coreos.com/v1", "gateway.networking.k8s.io", "snapshot.storage.k8s.io"]
)
def test_an_api_that_nobody_brings_is_told(api: str) -> None:
    user = attrs.evolve(release("app"), requires=(api,))
    operator = attrs.evolve(release("operator"), brings=("pg.example",))
    with pytest.raises(ComposeError) as caught:
        composed(component("app", user, operator))
    (problem,) = caught.value.problems
    assert problem.message == (
        f"release 'app' has objects of {api!r}, which neither a release of the tenant nor the cluster brings"
    )
    assert problem.hint == (
        "did you mean 'pg.example'?" if api == "pg.exampel" else "there are: cert-manager.io, pg.example"
    )


def test_a_component_that_was_not_chosen_leaves_no_trace() -> None:
    chosen, other = component("app", release("app", LLM)), component("shadow", release("shadow"), pre=(job(),))
    both, one = composed(chosen, other), composed(chosen)
    assert "shadow" in repr(both)
    tree = emit(one, (emit_helmfile, emit_summary))
    assert not [path for path in tree if "shadow" in path]
    assert not [path for path, content in tree.items() if b"shadow" in content]
    assert "shadow" not in repr(one)


def test_every_pin_that_is_missing_is_told_at_once_with_the_closest_name() -> None:
    pins = Pins(
        charts={"onyx": ChartPin(registry="ghcr.io", name="onyx", version="1.0.0")},
        images={"onyxBackend": ImagePin(registry="docker.io", repository="x", tag="1")},
    )
    overlay: Mapping[str, Value] = {
        "image": {"tag": Pin("onyxBackendd", "tag")},
        "other": text("{t}", t=Pin("zzz", "tag")),
    }
    app = component("app", attrs.evolve(release("app"), chart="onyxx"), overlay={"app": overlay})
    with pytest.raises(PinError) as caught:
        compose(inputs(app, pins=pins, lane=Lane.DOGFOOD))
    assert [str(problem) for problem in caught.value.problems] == [
        "charts.yaml: there is no chart pin 'kiwi-foundation', which release 'foundation' needs\n"
        "    the file has: onyx; add an entry 'kiwi-foundation' to charts.yaml",
        "charts.yaml: there is no chart pin 'onyxx', which release 'app' needs\n"
        "    did you mean 'onyx'?; add an entry 'onyxx' to charts.yaml",
        "images.yaml: there is no image pin 'onyxBackendd', which release 'app' needs\n"
        "    did you mean 'onyxBackend'?; add an entry 'onyxBackendd' to images.yaml",
        "images.yaml: there is no image pin 'zzz', which release 'app' needs\n"
        "    the file has: onyxBackend; add an entry 'zzz' to images.yaml",
    ]


def test_an_own_chart_needs_no_pin_in_dev_alone() -> None:
    app = component("app", release("app"))
    assert compose(inputs(app)).by_name["app"].own_chart == CHART
    with pytest.raises(PinError, match="there is no chart pin 'own'"):
        compose(inputs(app, lane=Lane.STABLE))


def test_overlays_come_after_the_components_layer_and_the_last_wins() -> None:
    app = component("app", release("app"), overlay={"app": {"a": 1, "b": {"c": 1}}})
    lane = Layer(origin="lane dev", file="dev.yaml", values={"b": {"c": 2, "d": 2}})
    customer = Layer(origin=CUSTOMER, file="app.yaml", values={"b": {"c": 3}, "e": None})
    found = compose(inputs(app, overlays={"app": (lane, customer)})).by_name["app"]
    assert found.layers[1:] == (lane, customer)
    assert found.values == {"a": 1, "b": {"c": 3, "d": 2}, "e": None}


def test_an_overlay_of_a_release_that_is_not_there_is_told() -> None:
    layer = Layer(origin=CUSTOMER, file="overlays/ap.yaml", values={})
    with pytest.raises(OverlayError) as caught:
        compose(inputs(component("app", release("app")), overlays={"ap": (layer,), "zzz": (layer,)}))
    assert [str(problem) for problem in caught.value.problems] == [
        "overlays/ap.yaml: an overlay of 'ap', which is no release of this tenant\n    did you mean 'app'?",
        "overlays/ap.yaml: an overlay of 'zzz', which is no release of this tenant\n    its releases are: app, foundation",
    ]


def test_a_value_that_cannot_reach_helm_is_told_wherever_it_stands() -> None:
    bad: object = {"x": {1}}
    hook: Callable[..., Job] = Job
    app = component(
        "app",
        release("app"),
        overlay={"app": bad},
        secrets=(Secret("app", {"k": "\ud800"}),),
        pre=(hook(name="x", image=TOOL, command=("true",), env={"N": 2**60}),),
    )
    with pytest.raises(OverlayError) as caught:
        composed(app)
    assert [str(problem.where) for problem in caught.value.problems] == [
        "the platform, release foundation: secrets.app.k",
        "component app (kiwi-component-sample 2.3), release app: x",
        "component app, release app-pre: jobs.app-pre-x.env[0].value",
    ]


@pytest.mark.parametrize(
    ("wiring", "message"),
    [
        ({"overlay": {"ap": {}}}, "component 'app' sets values of 'ap', which it does not declare"),
        ({"pre": (job("a"), job("a"))}, "component 'app' has two pre hooks named 'a'"),
        ({"post": (job("a"), job("a"))}, "component 'app' has two post hooks named 'a'"),
        (
            {"pre": (job("a", LLM),)},
            "pre hook 'a' of component 'app' acts on llm/llm, which none of its releases uses",
        ),
        (
            {"pre": (job("a" * 50),)},
            f"pre hook {'a' * 50!r} of component 'app' has too long a name for its Job: 'app-pre-{'a' * 50}' has 58 "
            "characters, at most 56 fit",
        ),
        (
            {"network": (Workload(name="w", pods={"a": "b"}, calls=(LLM,)),)},
            "workload 'app-w' names llm/llm, which no release of 'app' uses",
        ),
    ],
)
def test_a_wiring_that_contradicts_the_declaration_is_told(wiring: Mapping[str, object], message: str) -> None:
    with pytest.raises(ComposeError) as caught:
        composed(component("app", release("app", DB), wants=(DB,), **wiring))
    assert messages(caught.value) == [message]


def test_a_secret_that_two_declare_is_told() -> None:
    secrets = (Secret("shared", {"k": "v"}),)
    with pytest.raises(ComposeError, match="Secret 'shared' is declared twice, by one and two"):
        composed(component("one", release("one"), secrets=secrets), component("two", release("two"), secrets=secrets))


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("app", "foundation"), "'foundation' is declared by component 'app', and the platform has one of that name"),
        (("app", "app-pre"), "'app-pre' is declared by component 'app', and the hooks of app have that name"),
        (("other", "app-pre"), "'app-pre' is declared by component 'other', and the hooks of app have that name"),
    ],
)
def test_a_release_with_a_name_of_the_platforms_is_told(names: tuple[str, str], taken: str) -> None:
    hooked = component("app", release("app"), pre=(job(),))
    owner, name = names
    components = (
        (component("app", release("app"), release(name), pre=(job(),)),)
        if owner == "app"
        else (hooked, component(owner, release(name)))
    )
    with pytest.raises(ComposeError) as caught:
        composed(*components)
    assert messages(caught.value) == [f"release {taken}"]


def failing(_bound: Bound) -> Wiring:
    raise ZeroDivisionError("oh")


@attrs.frozen(kw_only=True)
class FailingHook(Hook):
    """A hook whose author made a mistake."""

    kind: ClassVar[str] = "failing"

    def job(self) -> Job:
        return Job(name="No Label", image=TOOL, command=("true",))


def test_a_components_own_mistakes_are_told_with_package_file_and_line() -> None:
    place = r"test_compose\.py:\d+: component 'app' \(kiwi-component-sample 2\.3\) fails in "
    with pytest.raises(PluginError, match=place + r"wire\(\): ZeroDivisionError: oh"):
        composed(Sample(name="app", wiring=failing))
    with pytest.raises(PluginError, match=place + r"job\(\) of hook 'x': ValueError: name 'No Label'"):
        composed(component("app", release("app"), pre=(FailingHook(name="x"),)))
    wrong: object = None
    with pytest.raises(PluginError, match=r"returns None from wire\(\), expected a Wiring"):
        composed(Sample(name="app", wiring=lambda _: wrong))  # type: ignore[arg-type, return-value]  # the mistake


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
    assert found == {fingerprint() + "\n"}


def test_the_order_of_components_changes_neither_order_nor_files() -> None:
    one, other = compose(inputs(*whole())), compose(inputs(*reversed(whole())))
    assert [item.name for item in one.releases] == [item.name for item in other.releases]
    trees = [
        {path: content for path, content in emit_helmfile(stack).items() if "foundation" not in path}
        for stack in (one, other)
    ]
    assert trees[0] == trees[1]


if __name__ == "__main__":
    print(fingerprint())
