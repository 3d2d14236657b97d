"""Components that are what they are told to be, and the inputs of a stack of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import attrs
from kiwi_core import (
    Bound,
    Cluster,
    Component,
    Declaration,
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
    SecretKey,
    Stage,
    Tenant,
    Tier,
    Use,
    Wiring,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import ChartFiles, Inputs, Package, Stack
from kiwi_core._compose.values import Layer
from kiwi_core._model.pins import ImagePin, PinFiles, Pins

DB, LLM = Postgres("db"), LlmGateway("llm")
ADMIN = SecretKey("pg", "password")
TOOL = Image(Pin("tool", "name"), Pin("tool", "tag"))
CHART = ChartFiles(name="own", version="1.0.0", files={"Chart.yaml": b"version: 1.0.0\n"})
CORE = Package(
    distribution="kiwi-core",
    version="1",
    charts={name: attrs.evolve(CHART, name=name) for name in ("kiwi-foundation", "kiwi-hooks", "kiwi-namespace")},
)
PACKAGE = Package(distribution="kiwi-component-sample", version="2.3", charts={"own": CHART})
CLUSTER = Cluster(name="core-1", tier=Tier.CORE, apis=("cert-manager.io",), offers=(LlmOffer(namespace="kiwi-llm"),))


def nothing(_bound: Bound) -> Wiring:
    """Wire nothing."""
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
    """A release of the package's own chart."""
    return Release(name=name, chart="own", uses=uses, needs=needs, stage=stage)


def job(name: str = "role", *on: Use[object]) -> Job:
    """A hook."""
    return Job(name=name, image=TOOL, observe=("false",), command=("true",), on=on)


def component(
    name: str,
    *releases: Release,
    wiring: Wiring | None = None,
    offers: tuple[Offer, ...] = (),
    wants: tuple[Use[object], ...] = (),
) -> Sample:
    """A component with releases, offers and a wiring that does not depend on what is bound."""
    declaration = Declaration(releases=releases, offers=offers, wants=wants)
    return Sample(name=name, declaration=declaration, wiring=lambda _: wiring or Wiring())


def pg(release: str | None = None) -> PostgresOffer:
    """An offer of databases."""
    return PostgresOffer(host="pg", admin=ADMIN, release=release)


PINS = Pins(images={"tool": ImagePin(registry="docker.io", repository="tool", tag="1")})


def inputs(
    *components: Component,
    pins: Pins = PINS,
    lane: Lane = Lane.DEV,
    overlays: Mapping[str, tuple[Layer, ...]] | None = None,
    cluster: Cluster = CLUSTER,
) -> Inputs:
    """What a stack of some components is made of."""
    return Inputs(
        target=Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components),
        cluster=cluster,
        lane=lane,
        pins=PinFiles(pins=pins, charts_file="charts.yaml", images_file="images.yaml", line=lambda _: None),
        packages={"": CORE, "sample": PACKAGE, "other": PACKAGE},
        overlays=overlays or {},
    )


def composed(*components: Component) -> Stack:
    """A stack of some components."""
    return compose(inputs(*components))
