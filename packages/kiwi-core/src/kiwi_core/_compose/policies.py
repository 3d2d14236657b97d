"""NetworkPolicies: what is allowed beyond the default deny follows from bindings, customers and declared egress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._compose.bind import Bindings
from kiwi_core._compose.phase import Phase, phases_in
from kiwi_core._compose.policy import HOOKS_LABEL, Policy, namespaces, peer, select, tcp
from kiwi_core._compose.stack import Part
from kiwi_core._compose.workloads import Workloads, endpoint_of, outgoing
from kiwi_core._model.cluster import Cluster
from kiwi_core._model.component import Gateway
from kiwi_core._model.gateways import IngressBinding, SharedOffer
from kiwi_core._model.late import Value
from kiwi_core._model.network import Workload
from kiwi_core._model.service import Endpoint, UseKey
from kiwi_core.errors import ComposeError, Problem, raise_all

__all__ = ["policies"]

# cert-manager, pkg/issuer/acme/http/{http,pod}.go: the pods that it starts for a challenge.
ACME_SOLVER: Final = {"acme.cert-manager.io/http01-solver": "true"}
ACME_PORT: Final = 8089


def policies(
    parts: Mapping[str, Part], bindings: Bindings, phases: Mapping[str, Phase], homes: Sequence[str], cluster: Cluster
) -> tuple[Policy, ...]:
    """Return what the namespaces of a target allow; the default deny stands in the foundation chart itself.

    Args:
        parts: the components.
        bindings: what they are bound to.
        phases: their hooks.
        homes: the namespaces.
        cluster: where they are.

    Raises:
        ComposeError: the cluster states no fact that a policy needs, a workload calls what its component does not
            use, or two policies have one name.
        PluginError: an offer's own code fails.
    """
    problems: list[Problem] = []
    found = [policy for home in homes for policy in (_own_pods(home), _dns(home, cluster))]
    for name, part in parts.items():
        workloads = Workloads(part, bindings[name], cluster, problems)
        spoken_for: set[UseKey] = set()
        for workload in (*part.wiring.network, *_hooks(name, phases)):
            spoken_for.update(use.key for use in workload.uses)
            found += workloads.policies(workload)
        for key, binding in bindings[name].items():
            endpoint = endpoint_of(binding)
            if binding and endpoint and endpoint.namespace and key not in spoken_for and not _calls_back(binding.offer):
                found.append(outgoing(part, name, {}, binding, endpoint))
        found += _users(part, parts, bindings, cluster)
    found += _solvers(parts, bindings)
    counts = Counter((policy.namespace, policy.name) for policy in found)
    problems += [
        Problem(f"two NetworkPolicies are named {name!r}", hint="give one of the workloads another name")
        for (_, name), count in counts.items()
        if count > 1
    ]
    raise_all(ComposeError, problems)
    return tuple(found)


def _hooks(component: str, phases: Mapping[str, Phase]) -> Iterator[Workload]:
    """Yield the hooks of a component that call the API server."""
    for phase in phases_in(component, phases):
        if phase.rights:
            name = f"hooks-{phase.release.removeprefix(f'{component}-')}"
            yield Workload(name=name, pods={HOOKS_LABEL: phase.release}, calls_api=True)


def _calls_back(offer: object) -> bool:
    return isinstance(offer, SharedOffer) and offer.calls_back


def _users(part: Part, parts: Mapping[str, Part], bindings: Bindings, cluster: Cluster) -> Iterator[Policy]:
    """Yield the way between a gateway's offers and all who use them: customers, and gateways that are bound."""
    for offer in part.declaration.offers if isinstance(part.component, Gateway) else ():
        if not isinstance(offer, SharedOffer):
            continue
        bound = (binding for item in bindings.values() for binding in item.values() if binding)
        gateways = {
            parts[binding.component].home.namespace
            for binding in bound
            if binding.provider == part.name and binding.offer == offer
        }
        users = [*(customer.namespace for customer in cluster.customers), *sorted(gateways - {part.home.namespace})]
        if not users:
            continue
        direction, side = ("Egress", "to") if offer.calls_back else ("Ingress", "from")
        rule: dict[str, Value] = {side: [namespaces(users)]}
        if not offer.calls_back:
            rule["ports"] = tcp(offer.endpoint().ports)
        yield Policy(
            namespace=part.home.namespace,
            name=f"{part.name}-{offer.kind}-{offer.name}-{side}-users",
            because=f"{part.name} offers {offer.kind}/{offer.name} to the cluster's customers",
            spec={"podSelector": select(offer.pods), "policyTypes": [direction], direction.lower(): [rule]},
        )


def _solvers(parts: Mapping[str, Part], bindings: Bindings) -> Iterator[Policy]:
    """Yield the way from an ingress to the pods that answer ACME's HTTP-01 challenge, in the namespace that asks."""
    done: set[tuple[str, object]] = set()
    for name, part in parts.items():
        for binding in bindings[name].values():
            endpoint = endpoint_of(binding)
            if not binding or not endpoint or not isinstance(binding.value, IngressBinding) or not binding.value.issuer:
                continue
            namespace = part.home.namespace
            suffix = f"-{binding.offer.name}" if binding.offer.name != "main" else ""
            if (namespace, suffix) not in done:
                done.add((namespace, suffix))
                yield Policy(
                    namespace=namespace,
                    name=f"allow-acme-solvers{suffix}",
                    because=f"{binding.value.issuer} proves by a challenge that the host names are the customer's",
                    spec={
                        "podSelector": select(ACME_SOLVER),
                        "policyTypes": ["Ingress"],
                        "ingress": [{"from": [peer(endpoint)], "ports": tcp([ACME_PORT])}],
                    },
                )


def _own_pods(namespace: str) -> Policy:
    return Policy(
        namespace=namespace,
        name="allow-own-pods",
        because="the pods of one namespace may talk to each other",
        spec={
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
            "egress": [{"to": [{"podSelector": {}}]}],
        },
    )


def _dns(namespace: str, cluster: Cluster) -> Policy:
    pods = peer(Endpoint(ports=(53,), pods=cluster.dns.pods, namespace=cluster.dns.namespace))
    ports: list[Value] = [{"protocol": "UDP", "port": 53}, *tcp([53])]
    return Policy(
        namespace=namespace,
        name="allow-dns",
        because="every pod resolves names",
        spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [pods], "ports": ports}]},
    )
