"""Gateways that are what they are told to be, and the inputs of a cluster of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import attrs
from kiwi_core import (
    ApiServer,
    Bound,
    Cluster,
    Customer,
    Declaration,
    Gateway,
    Ingress,
    IngressOffer,
    Lane,
    LlmOffer,
    Offer,
    Release,
    SearchGateway,
    SearchOffer,
    Tier,
    Use,
    Wiring,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import Inputs, Stack
from kiwi_core._compose.values import Layer
from kiwi_core._model.pins import Pins
from stack_samples import PINS, inputs, nothing

WEB, SEARCH = Ingress("web"), SearchGateway("search")
CUSTOMERS = (Customer(slug="acme", domain="acme.example"), Customer(slug="other", domain="other.example"))
CLUSTER = Cluster(
    name="core-1",
    tier=Tier.CORE,
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    api_server=ApiServer(address="192.0.2.1"),
    customers=CUSTOMERS,
)


@attrs.frozen(kw_only=True)
class Shared(Gateway):
    """A gateway that is what it is told to be."""

    kind: ClassVar[str] = "sample"

    declaration: Declaration = attrs.field(factory=Declaration)
    wiring: Callable[[Bound], Wiring] = attrs.field(default=nothing, eq=False, repr=False)

    def declare(self) -> Declaration:
        return self.declaration

    def wire(self, bound: Bound) -> Wiring:
        return self.wiring(bound)


class Llm(Shared):
    """It is in ``kiwi-llm``."""

    service: ClassVar[str] = "llm"


class Edge(Shared):
    """It is in ``kiwi-edge``."""

    service: ClassVar[str] = "edge"


class Search(Shared):
    """It is in ``kiwi-search``."""

    service: ClassVar[str] = "search"


def gateway(
    form: type[Shared],
    *releases: Release,
    wiring: Wiring | None = None,
    offers: tuple[Offer, ...] = (),
    wants: tuple[Use[object], ...] = (),
    name: str | None = None,
) -> Shared:
    """A gateway with releases, offers and a wiring that does not depend on what is bound; its service is its name."""
    declaration = Declaration(releases=releases, offers=offers, wants=wants)
    return form(name=name or form.service, declaration=declaration, wiring=lambda _: wiring or Wiring())


def llm_offer(release: str | None = None, name: str = "main") -> LlmOffer:
    return LlmOffer(namespace="kiwi-llm", pods={"app": "litellm"}, release=release, name=name)


def edge_offer(release: str | None = None, issuer: str | None = None) -> IngressOffer:
    return IngressOffer(namespace="kiwi-edge", pods={"app": "nginx"}, release=release, issuer=issuer)


def search_offer(release: str | None = None) -> SearchOffer:
    return SearchOffer(namespace="kiwi-search", release=release)


def cluster_inputs(
    *gateways: Gateway,
    cluster: Cluster = CLUSTER,
    pins: Pins = PINS,
    lane: Lane = Lane.DEV,
    choose: Mapping[str, str] | None = None,
    overlays: Mapping[str, tuple[Layer, ...]] | None = None,
) -> Inputs:
    """What a stack of a cluster's gateways is made of."""
    target = attrs.evolve(cluster, components=gateways, bind=dict(choose or {}))
    return attrs.evolve(inputs(pins=pins, lane=lane, overlays=overlays, cluster=target), target=target)


def composed_cluster(*gateways: Gateway, cluster: Cluster = CLUSTER, choose: Mapping[str, str] | None = None) -> Stack:
    """A stack of a cluster's gateways."""
    return compose(cluster_inputs(*gateways, cluster=cluster, choose=choose))
