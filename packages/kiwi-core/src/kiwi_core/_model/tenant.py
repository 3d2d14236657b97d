"""The two build targets: a customer (tenant) and a cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

import attrs

from kiwi_core._model.component import Component
from kiwi_core._model.fields import port
from kiwi_core._model.lane import Tier
from kiwi_core._model.names import MAX_DNS_LABEL, dns_label, host_name
from kiwi_core._model.service import Home, Offer

__all__ = ["ApiServer", "Cluster", "Dns", "Tenant"]

NAMESPACE_PREFIX: Final = "cust-"


def _slug(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    dns_label(instance, attribute, value)
    most = MAX_DNS_LABEL - len(NAMESPACE_PREFIX)
    if len(value) > most:
        raise ValueError(
            f"slug {value!r} has {len(value)} characters; at most {most} fit, since the namespace is 'cust-<slug>'"
        )


def _networks(_instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}; expected a network such as '10.244.0.0/16'") from None


def _addresses(_instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for address in value:
        _address(_instance, attribute, address)


def _address(_instance: object, attribute: attrs.Attribute[Any], value: str) -> None:  # of one address, or of several
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def _distinct(_instance: object, _attribute: object, value: tuple[Offer, ...]) -> None:
    names = [f"{offer.kind}/{offer.name}" for offer in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it offers {name} twice: give one of them another name")


@attrs.frozen(kw_only=True)
class Tenant:
    """A customer: one namespace that holds everything it owns.

    Attributes:
        slug: names the customer; the namespace is ``cust-<slug>``.
        domain: the customer's DNS name; public endpoints are its subdomains.
        cluster: the name of the cluster that it runs on.
        components: what it has.
        bind: where two offers could serve a use: ``"<component>/<kind>"`` or ``"<component>/<kind>/<use>"`` to the
            name of the component that serves it (``"<component>/<offer>"`` where that one offers several).
        quota: hard limits of the namespace, as a ResourceQuota has them; none by default.
    """

    slug: str = attrs.field(validator=_slug)
    domain: str = attrs.field(validator=host_name)
    cluster: str = attrs.field(validator=dns_label)
    components: tuple[Component, ...] = ()
    bind: Mapping[str, str] = attrs.field(factory=dict[str, str])
    quota: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def namespace(self) -> str:
        """The namespace of everything that the customer owns."""
        return f"{NAMESPACE_PREFIX}{self.slug}"

    @property
    def home(self) -> Home:
        """The place that its components are built for."""
        return Home(slug=self.slug, namespace=self.namespace, domain=self.domain, cluster=self.cluster)


@attrs.frozen(kw_only=True)
class Dns:
    """Where the cluster's DNS answers: the namespace and the labels of its pods."""

    namespace: str = "kube-system"
    pods: Mapping[str, str] = attrs.field(factory=lambda: {"k8s-app": "kube-dns"})


@attrs.frozen(kw_only=True)
class ApiServer:
    """Where the API server answers, as NetworkPolicies need it: its real address, not the Service's."""

    address: str = attrs.field(validator=_address)
    port: int = attrs.field(default=6443, validator=port)


@attrs.frozen(kw_only=True)
class Cluster:
    """A cluster: its facts, and the services that its gateways share.

    Attributes:
        name: what tenants call it.
        tier: what enforces the boundary between customers.
        identity: the UID of its ``kube-system`` namespace; None until it is known.
        dns: where DNS answers.
        api_server: where the API server answers.
        pod_cidrs, service_cidrs, node_cidrs: its networks; what external egress excludes.
        ingress_addresses: addresses that public names resolve to.
        apis: API groups that it has beside Kubernetes' own, such as ``cert-manager.io``.
        offers: the services that it shares.
    """

    name: str = attrs.field(validator=dns_label)
    tier: Tier
    identity: str | None = None
    dns: Dns = attrs.field(factory=Dns)
    api_server: ApiServer | None = None
    pod_cidrs: tuple[str, ...] = attrs.field(default=(), validator=_networks)
    service_cidrs: tuple[str, ...] = attrs.field(default=(), validator=_networks)
    node_cidrs: tuple[str, ...] = attrs.field(default=(), validator=_networks)
    ingress_addresses: tuple[str, ...] = attrs.field(default=(), validator=_addresses)
    apis: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = attrs.field(default=(), validator=_distinct)
