"""NetworkPolicies that follow from a workload: what its pods call outside of their namespace, and who calls them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._compose.asking import ask
from kiwi_core._compose.bind import Binding
from kiwi_core._compose.policy import EVERYWHERE, Policy, block, peer, select, tcp
from kiwi_core._compose.stack import Part
from kiwi_core._model.cluster import ApiServer, Cluster
from kiwi_core._model.late import Value
from kiwi_core._model.network import Caller, Workload
from kiwi_core._model.service import Endpoint, UseKey
from kiwi_core.errors import Problem

__all__ = ["Workloads", "endpoint_of", "outgoing"]

LINK_LOCAL: Final = ("169.254.0.0/16", "fe80::/10")
"""Where clouds answer with metadata and credentials (RFC 3927, RFC 4291)."""


def endpoint_of(binding: Binding | None) -> Endpoint | None:
    """Return where what was bound answers, as its offer says.

    Raises:
        PluginError: the offer's own code fails.
    """
    if binding is None:
        return None
    who = f"{type(binding.offer).__name__} of {binding.source}"
    return ask(who, "endpoint()", binding.offer.endpoint, Endpoint, type(None))


def outgoing(part: Part, name: str, pods: Mapping[str, str], binding: Binding, endpoint: Endpoint) -> Policy:
    """Return the way from pods to a shared service."""
    return Policy(
        namespace=part.home.namespace,
        name=f"{name}-to-{binding.use.kind}-{binding.use.name}",
        because=f"{binding.component} uses {binding.use.key}, which {binding.source} serves in {endpoint.namespace}",
        spec=_spec("Egress", pods, [peer(endpoint)], endpoint.ports),
    )


@attrs.frozen
class Workloads:
    """The policies of a component's workloads.

    Attributes:
        problems: what no policy can be made of is put here.
    """

    part: Part
    bound: Mapping[UseKey, Binding | None]
    cluster: Cluster
    problems: list[Problem]

    def policies(self, workload: Workload) -> Iterator[Policy]:
        """Yield what follows from one of them."""
        name = f"{self.part.name}-{workload.name}"
        self.problems.extend(
            Problem(f"workload {name!r} names {use.key}, which no release of {self.part.name!r} uses")
            for use in workload.uses
            if use.key not in self.bound
        )
        for use in workload.calls:
            binding = self.bound.get(use.key)
            endpoint = endpoint_of(binding)
            if binding and endpoint and endpoint.namespace:
                yield outgoing(self.part, name, workload.pods, binding, endpoint)
        ingress = self.bound.get(workload.served_by.key) if workload.served_by else None
        endpoint = endpoint_of(ingress)
        if ingress and endpoint:
            reason = f"is reached from outside through {ingress.use.key}"
            yield self._policy(workload, f"from-{ingress.use.kind}", reason, "Ingress", [peer(endpoint)])
        if Caller.OUTSIDE in workload.called_by:
            peers = [block(cidr) for cidr in EVERYWHERE]
            udp: list[Value] = [{"protocol": "UDP", "port": port} for port in workload.udp_ports]
            rule: Mapping[str, Value] = {"from": peers, "ports": [*tcp(workload.ports), *udp]}
            opened: Mapping[str, Value] = {
                "podSelector": select(workload.pods),
                "policyTypes": ["Ingress"],
                "ingress": [rule],
            }
            yield self._named(f"{name}-from-outside", f"{self.part.name} is reached from outside", opened)
        if Caller.API_SERVER in workload.called_by:
            peers = [_address(server) for server in self._api_server(name)]
            yield self._policy(workload, "from-api-server", "is asked by the API server", "Ingress", peers)
        if workload.calls_api:
            for server in self._api_server(name):
                spec = _spec("Egress", workload.pods, [_address(server)], (server.port,))
                yield self._named(f"{name}-to-api-server", f"{self.part.name} calls the API server", spec)
        if workload.egress:
            yield self._egress(name, workload)

    def _egress(self, name: str, workload: Workload) -> Policy:
        excluded = (*self._networks(name), *LINK_LOCAL)
        ports = sorted({port for egress in workload.egress for port in egress.ports})
        because = f"{self.part.name} calls " + ", ".join(egress.to for egress in workload.egress)
        peers = [block(cidr, excluded) for cidr in EVERYWHERE]
        return self._named(f"{name}-egress", because, _spec("Egress", workload.pods, peers, ports))

    def _policy(
        self, workload: Workload, suffix: str, reason: str, direction: str, peers: Sequence[Mapping[str, Value]]
    ) -> Policy:
        spec = _spec(direction, workload.pods, peers, workload.ports)
        return self._named(f"{self.part.name}-{workload.name}-{suffix}", f"{self.part.name} {reason}", spec)

    def _named(self, name: str, because: str, spec: Mapping[str, Value]) -> Policy:
        return Policy(namespace=self.part.home.namespace, name=name, because=because, spec=spec)

    def _api_server(self, name: str) -> tuple[ApiServer, ...]:
        if self.cluster.api_server is None:
            self.problems.append(
                Problem(
                    f"workload {name!r} and the API server call each other, and cluster {self.cluster.name!r} does not "
                    "state where that answers",
                    hint='add api_server=ApiServer(address="…", port=6443) to the cluster\'s spec: its real address, '
                    "as kubectl get endpoints kubernetes shows it",
                )
            )
            return ()
        return (self.cluster.api_server,)

    def _networks(self, name: str) -> tuple[str, ...]:
        """Return the cluster's own networks: what is no outside."""
        self.problems.extend(
            Problem(
                f"workload {name!r} calls outside of the cluster, and cluster {self.cluster.name!r} states no {fact}",
                hint=f"add {fact}=(…,) to the cluster's spec: egress must exclude the cluster's own networks",
            )
            for fact in ("pod_cidrs", "service_cidrs", "node_cidrs")
            if not getattr(self.cluster, fact)
        )
        return (*self.cluster.pod_cidrs, *self.cluster.service_cidrs, *self.cluster.node_cidrs)


def _address(server: ApiServer) -> Mapping[str, Value]:
    return block(str(ipaddress.ip_network(server.address)))


def _spec(
    direction: str, pods: Mapping[str, str], peers: Sequence[Mapping[str, Value]], ports: Sequence[int]
) -> Mapping[str, Value]:
    side = "to" if direction == "Egress" else "from"
    rule: Mapping[str, Value] = {side: list(peers), "ports": tcp(ports)}
    return {"podSelector": select(pods), "policyTypes": [direction], direction.lower(): [rule]}
