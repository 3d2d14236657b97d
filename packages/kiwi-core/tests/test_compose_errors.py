"""What does not fit together is told with names, all at once where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest
from kiwi_core import Bound, Desired, Hook, Job, Lane, Lent, Pin, Secret, Wiring, Workload, text
from kiwi_core._compose.compose import compose
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._model.late import Value
from kiwi_core._model.pins import ChartPin, ImagePin, Pins
from kiwi_core.errors import ComposeError, KiwiError, OverlayError, PinError, PluginError
from stack_samples import DB, LLM, TOOL, Sample, component, composed, inputs, job, pg, release


def messages(error: KiwiError) -> list[str]:
    return [problem.message for problem in error.problems]


def test_a_cycle_between_components_is_told_edge_by_edge() -> None:
    one = component("one", release("one", DB), offers=())
    two = component("two", release("two", needs=("three",)), release("three", needs=("two",)), offers=(pg("two"),))
    with pytest.raises(ComposeError, match="the order has a cycle of") as caught:
        composed(one, two)
    assert "two goes before three: component two says that three needs it" in str(caught.value)
    assert "three goes before two: component two says that two needs it" in str(caught.value)


@pytest.mark.parametrize(
    "api", ["pg.exampel", "myapps", "monitoring.coreos.com/v1", "gateway.networking.k8s.io", "snapshot.storage.k8s.io"]
)
def test_an_api_that_nobody_brings_is_told(api: str) -> None:
    user = attrs.evolve(release("app"), requires=(api,))
    operator = attrs.evolve(release("operator"), brings=("pg.example",))
    with pytest.raises(ComposeError) as caught:
        composed(component("app", user, operator))
    (problem,) = caught.value.problems
    assert problem.message == (f"release 'app' has objects of {api!r}, which no release and no cluster brings")
    assert problem.hint == (
        "did you mean 'pg.example'?" if api == "pg.exampel" else "there are: cert-manager.io, pg.example"
    )


def test_every_pin_that_is_missing_is_told_at_once_with_the_closest_name() -> None:
    pins = Pins(
        charts={"onyx": ChartPin(registry="ghcr.io", name="onyx", version="1.0.0")},
        images={"onyxBackend": ImagePin(registry="docker.io", repository="x", tag="1")},
    )
    overlay: Mapping[str, Value] = {
        "image": {"tag": Pin("onyxBackendd", "tag")},
        "other": text("{t}", t=Pin("zzz", "tag")),
    }
    app = component("app", attrs.evolve(release("app"), chart="onyxx"), wiring=Wiring(overlay={"app": overlay}))
    with pytest.raises(PinError) as caught:
        compose(inputs(app, pins=pins, lane=Lane.DOGFOOD))
    assert [str(problem) for problem in caught.value.problems] == [
        (
            "charts.yaml: there is no chart pin 'kiwi-namespace', which release 'namespace' needs\n"
            "    the file has: onyx; add an entry 'kiwi-namespace' to charts.yaml"
        ),
        (
            "charts.yaml: there is no chart pin 'kiwi-foundation', which release 'foundation' needs\n"
            "    the file has: onyx; add an entry 'kiwi-foundation' to charts.yaml"
        ),
        (
            "charts.yaml: there is no chart pin 'onyxx', which release 'app' needs\n"
            "    did you mean 'onyx'?; add an entry 'onyxx' to charts.yaml"
        ),
        (
            "images.yaml: there is no image pin 'onyxBackendd', which release 'app' needs\n"
            "    did you mean 'onyxBackend'?; add an entry 'onyxBackendd' to images.yaml"
        ),
        (
            "images.yaml: there is no image pin 'zzz', which release 'app' needs\n"
            "    the file has: onyxBackend; add an entry 'zzz' to images.yaml"
        ),
    ]


def test_an_overlay_of_a_release_that_is_not_there_is_told() -> None:
    layer = Layer(origin=CUSTOMER, file="overlays/ap.yaml", values={})
    with pytest.raises(OverlayError) as caught:
        compose(inputs(component("app", release("app")), overlays={"ap": (layer,), "zzz": (layer,)}))
    assert [str(problem) for problem in caught.value.problems] == [
        "overlays/ap.yaml: an overlay of 'ap', which is no release of tenant acme\n    did you mean 'app'?",
        "overlays/ap.yaml: an overlay of 'zzz', which is no release of tenant acme\n    its releases are: app, foundation, namespace",
    ]


def test_a_value_that_cannot_reach_helm_is_told_wherever_it_stands() -> None:
    wiring = Wiring(
        overlay={"app": {"x": float("nan")}},
        secrets=(Secret("app", {"k": "\ud800"}),),
        pre=(Job(name="x", image=TOOL, observe=("false",), command=("true",), env={"N": 2**60}),),
    )
    with pytest.raises(OverlayError) as caught:
        composed(component("app", release("app"), wiring=wiring))
    assert [str(problem.where) for problem in caught.value.problems] == [
        "the platform, release foundation: secrets.app.k",
        "component app (kiwi-component-sample 2.3), release app: x",
        "component app, release app-pre: jobs.app-pre-x.env[0].value",
    ]


@pytest.mark.parametrize(
    ("wiring", "message"),
    [
        (Wiring(overlay={"ap": {}}), "component 'app' sets values of 'ap', which it does not declare"),
        (Wiring(pre=(job("a"), job("a"))), "component 'app' has two pre hooks named 'a'"),
        (Wiring(post=(job("a"), job("a"))), "component 'app' has two post hooks named 'a'"),
        (
            Wiring(pre=(job("a", LLM),)),
            "pre hook 'a' of component 'app' acts on llm/llm, which none of its releases uses",
        ),
        (
            Wiring(network=(Workload(name="w", pods={"a": "b"}, calls=(LLM,)),)),
            "workload 'app-w' names llm/llm, which no release of 'app' uses",
        ),
    ],
)
def test_a_wiring_that_contradicts_the_declaration_is_told(wiring: Wiring, message: str) -> None:
    with pytest.raises(ComposeError) as caught:
        composed(component("app", release("app", DB), wants=(DB,), wiring=wiring))
    assert messages(caught.value) == [message]


def test_a_secret_that_two_declare_is_told() -> None:
    wiring = Wiring(secrets=(Secret("shared", {"k": "v"}),))
    with pytest.raises(ComposeError, match="Secret 'shared' is declared twice, by one and two"):
        composed(component("one", release("one"), wiring=wiring), component("two", release("two"), wiring=wiring))


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("app", "foundation"), "'foundation' is declared by component 'app', and the platform has one of that name"),
        (("app", "app-pre"), "'app-pre' is declared by component 'app', and the hooks of app have that name"),
        (("other", "app-pre"), "'app-pre' is declared by component 'other', and the hooks of app have that name"),
    ],
)
def test_a_release_with_a_name_of_the_platforms_is_told(names: tuple[str, str], taken: str) -> None:
    hooked = component("app", release("app"), wiring=Wiring(pre=(job(),)))
    owner, name = names
    components = (
        (component("app", release("app"), release(name), wiring=Wiring(pre=(job(),))),)
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

    def desired(self, lent: Lent) -> Desired:
        raise ZeroDivisionError(lent.owner)


def test_a_components_own_mistakes_are_told_with_package_file_and_line() -> None:
    place = r"test_compose_errors\.py:\d+: component 'app' \(kiwi-component-sample 2\.3\) fails in "
    with pytest.raises(PluginError, match=place + r"wire\(\): ZeroDivisionError: oh"):
        composed(Sample(name="app", wiring=failing))
    with pytest.raises(PluginError, match=place + r"desired\(\) of hook 'x': ZeroDivisionError: cust-acme/app"):
        composed(component("app", release("app"), wiring=Wiring(pre=(FailingHook(name="x"),))))
    wrong: object = None
    with pytest.raises(PluginError, match=r"returns None from wire\(\), expected a Wiring"):
        composed(Sample(name="app", wiring=lambda _: wrong))  # type: ignore[arg-type, return-value]  # the mistake
