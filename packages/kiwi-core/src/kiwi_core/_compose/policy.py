"""One NetworkPolicy, and the pieces that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from kiwi_core._model.late import Value
from kiwi_core._model.service import Endpoint

__all__ = ["EVERYWHERE", "HOOKS_LABEL", "NAMESPACE_LABEL", "Policy", "block", "namespaces", "peer", "select", "tcp"]

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that Kubernetes itself puts on every namespace with its name."""

HOOKS_LABEL: Final = "kiwistack.dev/hooks-of"
"""The label on the pods of hooks, with the release that runs them."""

EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
"""All addresses, of both versions."""


@attrs.frozen(kw_only=True)
class Policy:
    """One NetworkPolicy.

    Attributes:
        namespace: where it stands.
        name: unique in the namespace.
        because: what it follows from.
        spec: as ``networking.k8s.io/v1`` has it.
    """

    namespace: str
    name: str
    because: str
    spec: Mapping[str, Value]


def peer(endpoint: Endpoint) -> Mapping[str, Value]:
    """Return the pods of an endpoint as a peer."""
    found: dict[str, Value] = {"podSelector": select(endpoint.pods)}
    if endpoint.namespace:
        found["namespaceSelector"] = {"matchLabels": {NAMESPACE_LABEL: endpoint.namespace}}
    return found


def namespaces(names: Iterable[str]) -> Mapping[str, Value]:
    """Return all pods of some namespaces as a peer."""
    expression = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def block(cidr: str, excluded: Iterable[str] = ()) -> Mapping[str, Value]:
    """Return a network as a peer, without those of the excluded ones that are of its version."""
    outside = [other for other in excluded if (":" in other) == (":" in cidr)]
    return {"ipBlock": {"cidr": cidr, **({"except": outside} if outside else {})}}


def select(pods: Mapping[str, str]) -> Mapping[str, Value]:
    """Return a selector of pods by their labels; none selects all."""
    return {"matchLabels": dict(pods)} if pods else {}


def tcp(ports: Iterable[int]) -> list[Value]:
    """Return TCP ports as a rule has them."""
    return [{"protocol": "TCP", "port": port} for port in ports]
