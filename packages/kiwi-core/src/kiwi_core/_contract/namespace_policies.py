"""Rule b, the NetworkPolicies: they open the way to shared services that are bound, to DNS, and to nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._compose.policy import NAMESPACE_LABEL
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.cluster import Cluster
from kiwi_core._model.gateways import SharedOffer
from kiwi_core._model.late import Value
from kiwi_core._model.network import Caller
from kiwi_core._model.service import Offer

__all__ = ["check_policies"]

LETTER = "b"
DIRECTIONS: Final = (("ingress", "from"), ("egress", "to"))


@attrs.frozen
class Ways:
    """The namespaces that the policies of one namespace may open the way to.

    Attributes:
        ingress: from there.
        egress: to there.
    """

    ingress: set[str] = attrs.field(factory=set[str])
    egress: set[str] = attrs.field(factory=set[str])


def check_policies(stack: Stack, shared: Mapping[str, set[str]]) -> Iterator[Result]:
    """Look at each policy that the foundation would apply, as its merged values have it.

    Args:
        stack: the customer or the cluster.
        shared: for each component, the namespaces of the shared services that it is bound to.
    """
    open_to_all = {
        f"{name}-{workload.name}-from-outside"
        for name, part in stack.parts.items()
        for workload in part.wiring.network
        if Caller.OUTSIDE in workload.called_by
    }
    ways = _ways(stack, shared)
    for release in stack.releases:
        if release.role == "foundation":
            for item in _maps(release.values.get("allow")):
                is_open = item.get("name") in open_to_all
                yield from _policy(item, ways.get(release.namespace, Ways()), stack.cluster, is_open=is_open)


def _ways(stack: Stack, shared: Mapping[str, set[str]]) -> Mapping[str, Ways]:
    """Return what follows from bindings, and from whom a gateway serves."""
    ways = {home: Ways(egress={stack.cluster.dns.namespace}) for home in stack.foundations}
    for name, part in stack.parts.items():
        own = ways.setdefault(part.home.namespace, Ways())
        bound = [binding for binding in stack.bindings[name].values() if binding]
        for space in shared[name]:
            own.egress.add(space)
            if any(_calls_back(binding.offer) for binding in bound):
                own.ingress.add(space)
        for offer in part.declaration.offers:
            if isinstance(offer, SharedOffer) and isinstance(stack.target, Cluster):
                users = {customer.namespace for customer in stack.cluster.customers}
                (own.egress if offer.calls_back else own.ingress).update(users)
        for binding in bound:
            if binding.provider and binding.use.shared:
                other = ways.setdefault(stack.parts[binding.provider].home.namespace, Ways())
                (other.egress if _calls_back(binding.offer) else other.ingress).add(part.home.namespace)
    return ways


def _calls_back(offer: Offer) -> bool:
    return isinstance(offer, SharedOffer) and offer.calls_back


def _policy(item: Mapping[str, Value], ways: Ways, cluster: Cluster, *, is_open: bool) -> Iterator[Result]:
    subject = f"policy {item.get('name')}"
    spec = item.get("spec")
    if not isinstance(spec, Mapping):
        return
    for direction, peers in DIRECTIONS:
        allowed = ways.ingress if direction == "ingress" else ways.egress
        for rule in _maps(spec.get(direction)):
            if not rule.get(peers):
                fix = "name whom: policies follow from bindings and declared egress"
                yield finding(LETTER, subject, f"it opens the way to and from everywhere: no {peers!r}", fix=fix)
            for peer in _maps(rule.get(peers)):
                yield from _peer(subject, peer, allowed)
                if not (is_open and direction == "ingress"):
                    yield from _block(subject, peer, cluster)


def _peer(subject: str, peer: Mapping[str, Value], allowed: set[str]) -> Iterator[Result]:
    if "namespaceSelector" not in peer:
        return
    namespaces = _selected(peer["namespaceSelector"])
    if not namespaces:
        yield finding(
            LETTER, subject, "it opens the way to namespaces that it does not name", fix="select one by its name"
        )
    for namespace in namespaces:
        if not isinstance(namespace, str) or namespace not in allowed:
            yield finding(
                LETTER,
                subject,
                f"it opens the way to namespace {namespace!r}, where nobody is that it is bound to",
                fix="policies follow from bindings and the cluster's customers: declare the use",
            )


def _selected(selector: Value) -> Sequence[Value]:
    """Return the namespaces that a selector names: by the label of one, or in an expression of several."""
    labels = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    named = labels.get(NAMESPACE_LABEL) if isinstance(labels, Mapping) else None
    expressions = [*_maps(selector.get("matchExpressions"))] if isinstance(selector, Mapping) else []
    if named is not None:
        return (named,)
    # Expressions all have to hold: one that names namespaces is enough.
    for expression in expressions:
        values = expression.get("values")
        is_named = expression.get("key") == NAMESPACE_LABEL and expression.get("operator") == "In"
        if is_named and isinstance(values, Sequence) and not isinstance(values, str):
            return values
    return ()


def _block(subject: str, peer: Mapping[str, Value], cluster: Cluster) -> Iterator[Result]:
    block = peer.get("ipBlock")
    if isinstance(block, Mapping):
        try:
            reached = [*_reached(block, cluster)]
        except ValueError as error:
            yield finding(LETTER, subject, f"it names no network: {error}", fix="write one such as '192.0.2.0/24'")
            return
        for network in reached:
            yield finding(
                LETTER,
                subject,
                f"it opens the way to {network}, a network of the cluster: every namespace answers there",
                fix="except the cluster's own networks",
            )


def _reached(block: Mapping[str, Value], cluster: Cluster) -> Iterator[str]:
    """Yield the networks of the cluster's pods and Services that an address block reaches into."""
    cidr, excepted = ipaddress.ip_network(str(block.get("cidr"))), block.get("except")
    closed = [ipaddress.ip_network(str(item)) for item in (excepted if isinstance(excepted, Sequence) else ())]
    for text in (*cluster.pod_cidrs, *cluster.service_cidrs):
        network = ipaddress.ip_network(text)
        if not network.overlaps(cidr):
            continue
        if not any(network.subnet_of(other) for other in closed if other.version == network.version):  # type: ignore[arg-type]  # of one version
            yield text


def _maps(value: Value) -> Iterator[Mapping[str, Value]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (item for item in value if isinstance(item, Mapping))
