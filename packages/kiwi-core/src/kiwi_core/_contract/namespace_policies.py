"""Rule b, the NetworkPolicies: they open the way to shared services that are bound, to DNS, and to nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._compose.policies import NAMESPACE_LABEL
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.late import Value
from kiwi_core._model.tenant import Cluster

__all__ = ["check_policies"]

LETTER = "b"
DIRECTIONS: Final = (("ingress", "from"), ("egress", "to"))


def check_policies(stack: Stack, shared: set[str]) -> Iterator[Result]:
    """Look at each policy that the foundation would apply, as its merged values have it.

    Args:
        stack: the tenant.
        shared: the namespaces of the shared services that are bound.
    """
    allowed = {stack.inputs.cluster.dns.namespace, *shared}
    for release in stack.releases:
        if release.role == "foundation":
            for item in _maps(release.values.get("allow")):
                yield from _policy(item, allowed, stack.inputs.cluster)


def _policy(item: Mapping[str, Value], allowed: set[str], cluster: Cluster) -> Iterator[Result]:
    subject = f"policy {item.get('name')}"
    spec = item.get("spec")
    if not isinstance(spec, Mapping):
        return
    for direction, peers in DIRECTIONS:
        for rule in _maps(spec.get(direction)):
            if not rule.get(peers):
                fix = "name whom: policies follow from bindings and declared egress"
                yield finding(LETTER, subject, f"it opens the way to and from everywhere: no {peers!r}", fix=fix)
            for peer in _maps(rule.get(peers)):
                yield from _peer(subject, peer, allowed, cluster)


def _peer(subject: str, peer: Mapping[str, Value], allowed: set[str], cluster: Cluster) -> Iterator[Result]:
    if "namespaceSelector" in peer:
        selector = peer["namespaceSelector"]
        labels = selector.get("matchLabels") if isinstance(selector, Mapping) else None
        namespace = labels.get(NAMESPACE_LABEL) if isinstance(labels, Mapping) else None
        if namespace is None:
            yield finding(
                LETTER, subject, "it opens the way to namespaces that it does not name", fix="select one by its name"
            )
        elif namespace not in allowed:
            yield finding(
                LETTER,
                subject,
                f"it opens the way to namespace {namespace!r}, where no shared service is that anyone uses",
                fix="policies follow from bindings: declare the use",
            )
    block = peer.get("ipBlock")
    if isinstance(block, Mapping):
        for network in _reached(block, cluster):
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
