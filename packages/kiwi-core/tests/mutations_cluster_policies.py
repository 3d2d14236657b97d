"""The table of mutations, of a cluster: NetworkPolicies that open a gateway's namespace to who is nobody there."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar, Final

import attrs
from contract_changes import Change, Row, both, joined, overlay, policy, row
from contract_cluster import ClusterScene
from kiwi_core import Bound, Declaration, Gateway, SearchOffer, Value, Wiring
from kiwi_core._compose.policy import NAMESPACE_LABEL


@attrs.frozen(kw_only=True)
class Search(Gateway):
    """A gateway that nobody is bound to."""

    kind: ClassVar[str] = "searxng"
    service: ClassVar[str] = "search-gateway"

    def declare(self) -> Declaration:
        return Declaration(offers=(SearchOffer(namespace=self.namespace),))

    def wire(self, bound: Bound) -> Wiring:  # noqa: ARG002 -- the interface
        return Wiring()


ours: Final = functools.partial(row, start=ClusterScene)


def labels(namespace: str) -> Value:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}}}


def expression(*namespaces: str, key: str = NAMESPACE_LABEL, operator: str = "In") -> Value:
    found: Value = {"key": key, "operator": operator, "values": list(namespaces)}
    return {"namespaceSelector": {"matchExpressions": [found]}}


ALL: Final[Value] = {"namespaceSelector": {}}
EVERYWHERE: Final[Value] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def peers(foundation: str, direction: str, *found: Value) -> Change:
    """Add a policy for some peers to a foundation."""
    side = "from" if direction == "ingress" else "to"
    return policy(foundation, **{direction: [{side: list(found)}]})


LLM_HOME, EDGE_HOME = "foundation-llm-gateway", "foundation-ingress"
ROWS: Sequence[Row] = (
    *(
        ours("b", f"policy-{direction}-{name}", peers(LLM_HOME, direction, peer), "policy extra", said)
        for direction in ("ingress", "egress")
        for name, peer, said in (
            ("of-nobody", labels("monitoring"), "namespace 'monitoring', where nobody is"),
            ("of-who-is-no-customer", labels("cust-gone"), "namespace 'cust-gone'"),
            ("of-a-gateway-that-is-not-there", labels("kiwi-search"), "namespace 'kiwi-search'"),
            ("of-nobody-among-customers", expression("cust-acme", "monitoring"), "namespace 'monitoring'"),
            ("of-all-but-some", expression("cust-acme", operator="NotIn"), "does not name"),
            ("by-another-label", expression("cust-acme", key="team"), "does not name"),
            ("of-an-empty-list", expression(), "does not name"),
            ("of-all", ALL, "does not name"),
        )
    ),
    ours(
        "b",
        "policy-into-a-gateway-that-it-is-not-bound-to",
        both(joined(Search()), peers(LLM_HOME, "egress", labels("kiwi-search-gateway"))),
        "policy extra",
        "namespace 'kiwi-search-gateway'",
    ),
    ours(
        "b",
        "policy-from-everywhere",
        policy(LLM_HOME, ingress=[{"from": EVERYWHERE, "ports": [{"port": 4000}]}]),
        "policy extra",
        "10.244.0.0/16",
    ),
    ours("b", "policy-from-everywhere-by-saying-nobody", policy(EDGE_HOME, ingress=[{}]), "everywhere: no 'from'"),
    ours("b", "policy-to-everywhere", policy(EDGE_HOME, egress=[{"to": EVERYWHERE}]), "policy extra", "10.96.0.0/12"),
    ours(
        "b",
        "policy-that-was-open-from-everywhere-to-everywhere",
        overlay(
            EDGE_HOME,
            {
                "allow": [
                    {
                        "name": "nginx-controller-from-outside",
                        "spec": {"podSelector": {}, "egress": [{"to": EVERYWHERE}]},
                    }
                ]
            },
        ),
        "policy nginx-controller-from-outside",
        "10.244.0.0/16",
    ),
    ours(
        "b",
        "policy-from-everywhere-that-the-api-server-alone-was-meant-for",
        overlay(
            EDGE_HOME,
            {
                "allow": [
                    {
                        "name": "nginx-webhook-from-api-server",
                        "spec": {"podSelector": {}, "ingress": [{"from": EVERYWHERE}]},
                    }
                ]
            },
        ),
        "policy nginx-webhook-from-api-server",
        "10.244.0.0/16",
    ),
    ours(
        "b",
        "policy-into-a-customer-that-no-offer-calls-back",
        peers(LLM_HOME, "egress", labels("cust-acme")),
        "'cust-acme', where nobody is that it is bound to",
    ),
    *(
        ours("b", f"policy-of-nonsense-{name}", peers(LLM_HOME, "egress", found), said)
        for name, found, said in (
            ("namespace", {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: ["x"]}}}, "namespace ['x']"),
            ("network", {"ipBlock": {"cidr": "foo"}}, "names no network"),
        )
    ),
)
