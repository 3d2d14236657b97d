"""NetworkPolicies: what is allowed beyond the default deny follows from bindings and declared egress."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from kiwi_core._compose.asking import ask
from kiwi_core._compose.bind import Binding, Bindings
from kiwi_core._model.component import Wiring
from kiwi_core._model.late import Value
from kiwi_core._model.network import Workload
from kiwi_core._model.service import Endpoint, UseKey
from kiwi_core._model.tenant import Cluster
from kiwi_core.errors import ComposeError, Problem, raise_all

__all__ = ["Policy", "policies"]

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that Kubernetes itself puts on every namespace with its name."""

HOOKS_LABEL = "kiwistack.dev/hooks-of"
"""The label on hook pods, with the component's name."""


@attrs.frozen(kw_only=True)
class Policy:
    """One NetworkPolicy.

    Attributes:
        name: unique in the namespace.
        because: what it follows from.
        spec: as ``networking.k8s.io/v1`` has it.
    """

    name: str
    because: str
    spec: Mapping[str, Value]


def policies(wirings: Mapping[str, Wiring], bindings: Bindings, cluster: Cluster) -> tuple[Policy, ...]:
    """Return what a customer's namespace allows; the default deny stands in the foundation chart itself.

    Raises:
        ComposeError: the cluster states no fact that a policy needs, a workload calls what its component does not
            use, or two policies have one name.
        PluginError: an offer's own code fails.
    """
    problems: list[Problem] = []
    found = [_own_pods(), _dns(cluster)]
    for component, wiring in wirings.items():
        bound = bindings[component]
        spoken_for: set[UseKey] = set()
        for workload in wiring.network:
            spoken_for.update(use.key for use in workload.uses)
            found += _workload(component, workload, bound, cluster, problems)
        for key, binding in bound.items():
            endpoint = _endpoint(binding)
            if binding and endpoint and endpoint.namespace and key not in spoken_for and binding.use.kind != "ingress":
                found.append(_call(f"{component}-to-{key.kind}-{key.name}", {}, binding, endpoint))
    names = [policy.name for policy in found]
    problems += [
        Problem(f"two NetworkPolicies are named {name!r}", hint="give one of the workloads another name")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    raise_all(ComposeError, problems)
    return tuple(found)


def _endpoint(binding: Binding | None) -> Endpoint | None:
    if binding is None:
        return None
    who = f"{type(binding.offer).__name__} of {binding.source}"
    return ask(who, "endpoint()", binding.offer.endpoint, Endpoint, type(None))


def _workload(
    component: str,
    workload: Workload,
    bound: Mapping[UseKey, Binding | None],
    cluster: Cluster,
    problems: list[Problem],
) -> Iterator[Policy]:
    name = f"{component}-{workload.name}"
    problems += [
        Problem(f"workload {name!r} names {use.key}, which no release of {component!r} uses")
        for use in workload.uses
        if use.key not in bound
    ]
    for use in workload.calls:
        binding = bound.get(use.key)
        endpoint = _endpoint(binding)
        if binding and endpoint and endpoint.namespace:
            yield _call(f"{name}-to-{use.kind}-{use.name}", workload.pods, binding, endpoint)
    ingress = bound.get(workload.served_by.key) if workload.served_by else None
    endpoint = _endpoint(ingress)
    if ingress and endpoint:
        yield Policy(
            name=f"{name}-from-{ingress.use.kind}",
            because=f"{component} is reached from outside through {ingress.use.key}",
            spec={
                "podSelector": _select(workload.pods),
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [_peer(endpoint)], "ports": _tcp(workload.ports)}],
            },
        )
    if workload.egress:
        excluded = _cluster_networks(name, cluster, problems)
        yield Policy(
            name=f"{name}-egress",
            because=f"{component} calls " + ", ".join(egress.to for egress in workload.egress),
            spec={
                "podSelector": _select(workload.pods),
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "ipBlock": {
                                    "cidr": everywhere,
                                    "except": [c for c in excluded if (":" in c) == (":" in everywhere)],
                                }
                            }
                            for everywhere in ("0.0.0.0/0", "::/0")
                        ],
                        "ports": _tcp(sorted({port for egress in workload.egress for port in egress.ports})),
                    }
                ],
            },
        )


def _cluster_networks(name: str, cluster: Cluster, problems: list[Problem]) -> tuple[str, ...]:
    """Return what is no outside: the cluster's own networks, and link-local metadata services (RFC 3927)."""
    problems += [
        Problem(
            f"workload {name!r} calls outside of the cluster, and cluster {cluster.name!r} states no {fact}",
            hint=f"add {fact}=(…,) to the cluster's spec: egress must exclude the cluster's own networks",
        )
        for fact in ("pod_cidrs", "service_cidrs", "node_cidrs")
        if not getattr(cluster, fact)
    ]
    return (*cluster.pod_cidrs, *cluster.service_cidrs, *cluster.node_cidrs, "169.254.0.0/16", "fe80::/10")


def _own_pods() -> Policy:
    return Policy(
        name="allow-own-pods",
        because="a customer's own pods may talk to each other",
        spec={
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
            "egress": [{"to": [{"podSelector": {}}]}],
        },
    )


def _dns(cluster: Cluster) -> Policy:
    return Policy(
        name="allow-dns",
        because="every pod resolves names",
        spec={
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: cluster.dns.namespace}},
                            "podSelector": _select(cluster.dns.pods),
                        }
                    ],
                    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                }
            ],
        },
    )


def _call(name: str, pods: Mapping[str, str], binding: Binding, endpoint: Endpoint) -> Policy:
    return Policy(
        name=name,
        because=f"{binding.component} uses {binding.use.key}, which {binding.source} serves in {endpoint.namespace}",
        spec={
            "podSelector": _select(pods),
            "policyTypes": ["Egress"],
            "egress": [{"to": [_peer(endpoint)], "ports": _tcp(endpoint.ports)}],
        },
    )


def _peer(endpoint: Endpoint) -> Mapping[str, Value]:
    peer: dict[str, Value] = {"podSelector": _select(endpoint.pods)}
    if endpoint.namespace:
        peer["namespaceSelector"] = {"matchLabels": {NAMESPACE_LABEL: endpoint.namespace}}
    return peer


def _select(pods: Mapping[str, str]) -> Mapping[str, Value]:
    return {"matchLabels": dict(pods)} if pods else {}


def _tcp(ports: Sequence[int]) -> list[Value]:
    return [{"protocol": "TCP", "port": port} for port in ports]
