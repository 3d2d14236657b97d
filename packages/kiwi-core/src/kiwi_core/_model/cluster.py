"""A cluster: the facts that tenants are built against, and the build target that holds the shared gateways."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from kiwi_core._model.component import MAX_RELEASE_NAME, Component, Gateway
from kiwi_core._model.fields import external_ports, generations, many, port
from kiwi_core._model.lane import Tier
from kiwi_core._model.names import DNS_LABEL, dns_label, host_name, namespace_of, slug
from kiwi_core._model.service import Home, Offer
from kiwi_core._model.tenant import Tenant

__all__ = ["ApiServer", "Cluster", "Customer", "Dns", "Target"]

MAX_SERVICE: Final = MAX_RELEASE_NAME - len("foundation-")
"""What leaves room for the name of the foundation of its namespace."""


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


def _version(_instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not re.fullmatch(r"1\.[0-9]{1,3}(?:\.[0-9]{1,3})?", value):
        raise ValueError(f"{attribute.name} {value!r} is no version of Kubernetes such as '1.37'")


def _api_versions(_instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for item in value:
        if not re.fullmatch(r"[a-z0-9.-]+/v[a-z0-9]+(?:/[A-Za-z0-9]+)?", item):
            raise ValueError(f"{attribute.name}: {item!r} is no API version such as 'cert-manager.io/v1'")


def _distinct(_instance: object, _attribute: object, value: tuple[Offer, ...]) -> None:
    names = [f"{offer.kind}/{offer.name}" for offer in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it offers {name} twice: give one of them another name")


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
class Customer:
    """A customer that the cluster serves, and what of the outside is its own.

    Attributes:
        slug, domain: as its tenant has them.
        ports: external ports that it alone has at its public address, such as ``10000/udp``.
        address: a public address of its own; None when it shares those of the cluster's ingress.
        has_own_seed: whether its seed does not derive from the platform's. What gateways have to know of it is then an
            external of the cluster's repository.
    """

    slug: str = attrs.field(validator=slug)
    domain: str = attrs.field(validator=host_name)
    ports: tuple[str, ...] = attrs.field(default=(), validator=external_ports)
    address: str | None = attrs.field(default=None, validator=attrs.validators.optional(_address))
    has_own_seed: bool = False

    @property
    def namespace(self) -> str:
        """The namespace of everything that it owns."""
        return namespace_of(self.slug)


def _gateways(_instance: object, _attribute: object, value: tuple[Component, ...]) -> None:
    taken: dict[str, str] = {}
    for component in value:
        if not isinstance(component, Gateway):
            raise TypeError(
                f"component {component.name!r} is no gateway, and a cluster has nothing else: give it to a tenant"
            )
        if not DNS_LABEL.fullmatch(component.service) or len(component.service) > MAX_SERVICE:
            raise ValueError(
                f"component {component.name!r} has the service {component.service!r}, which can name no namespace: "
                f"a DNS label of at most {MAX_SERVICE} characters can"
            )
        if component.namespace in taken:
            raise ValueError(
                f"components {taken[component.namespace]!r} and {component.name!r} would share the namespace "
                f"{component.namespace!r}: a cluster has one gateway of a kind"
            )
        taken[component.namespace] = component.name


def _apart(_instance: object, _attribute: object, value: tuple[Customer, ...]) -> None:
    """Keep customers apart: no host name could lead to two of them, no external port to either of two."""
    slugs: set[str] = set()
    ports: dict[tuple[object, str], str] = {}
    for customer in value:
        if customer.slug in slugs:
            raise ValueError(f"customer {customer.slug!r} stands twice")
        slugs.add(customer.slug)
        for external in customer.ports:
            address = ipaddress.ip_address(customer.address) if customer.address else None
            other = ports.setdefault((address, external), customer.slug)
            if other != customer.slug:
                raise ValueError(
                    f"customers {other!r} and {customer.slug!r} have the same external port {external}: "
                    "give one of them another port, or a public address of its own (address='…')"
                )
    _domains_apart(value)


def _own_addresses(instance: Cluster, _attribute: object, value: tuple[Customer, ...]) -> None:
    shared = {ipaddress.ip_address(address) for address in instance.ingress_addresses}
    for customer in value:
        if customer.address and ipaddress.ip_address(customer.address) in shared:
            raise ValueError(
                f"customer {customer.slug!r} has the address {customer.address}, which is the ingress's: "
                "leave it out, or give it one of its own"
            )


def _domains_apart(customers: tuple[Customer, ...]) -> None:
    owners: dict[str, str] = {}
    for customer in customers:
        if customer.domain in owners:
            raise ValueError(
                f"customers {owners[customer.domain]!r} and {customer.slug!r} have one domain, {customer.domain!r}: "
                "each host name would lead to both"
            )
        owners[customer.domain] = customer.slug
    for domain, customer_slug in owners.items():
        labels = domain.split(".")
        for start in range(1, len(labels)):
            above = ".".join(labels[start:])
            if above in owners:
                raise ValueError(
                    f"the domain {domain!r} of customer {customer_slug!r} is within that of customer {owners[above]!r} "
                    f"({above!r}): a host name could lead to both"
                )


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
        apis: API groups that it has beside Kubernetes' own and what its gateways bring, such as ``cert-manager.io``.
        kubernetes: the version of Kubernetes that it runs, such as ``1.37``; None until it is known.
        api_versions: versions of the APIs beside Kubernetes' own that charts may ask for, such as
            ``cert-manager.io/v1``: what they render only where it is there.
        offers: services that it shares and that no component of its own provides.
        components: its gateways.
        bind: as a tenant's: where two offers could serve a use of a gateway.
        generations: credentials that were rotated, as ``<scope>/<purpose>``, with the generation that counts; 1 is the
            first.
        weak_seed: whether a short, typed or published seed will do in lane dev.
        customers: whom it serves.
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
    kubernetes: str | None = attrs.field(default=None, validator=_version)
    api_versions: tuple[str, ...] = attrs.field(default=(), validator=[many, _api_versions])
    offers: tuple[Offer, ...] = attrs.field(default=(), validator=_distinct)
    components: tuple[Component, ...] = attrs.field(default=(), validator=[many, _gateways])
    bind: Mapping[str, str] = attrs.field(factory=dict[str, str])
    generations: Mapping[str, int] = attrs.field(factory=dict[str, int], validator=generations)
    weak_seed: bool = False
    customers: tuple[Customer, ...] = attrs.field(default=(), validator=[many, _apart, _own_addresses])

    @property
    def title(self) -> str:
        """What it is, for a reader."""
        return f"cluster {self.name}"

    def home(self, component: Component) -> Home:
        """Return the place that a gateway is built for: a namespace of its own, without a domain."""
        assert isinstance(component, Gateway)  # the validator has refused every other
        return Home(slug=self.name, namespace=component.namespace, domain="", cluster=self.name)


Target: TypeAlias = Tenant | Cluster
"""What a tree is built for: a customer, or the cluster's gateways."""
