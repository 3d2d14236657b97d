"""The table of mutations: NetworkPolicies that open what nobody declared (b)."""

from __future__ import annotations

from collections.abc import Sequence

from contract_changes import Row, policy, row
from kiwi_core._compose.policy import NAMESPACE_LABEL

ROWS: Sequence[Row] = (
    row(
        "b",
        "policy-into-another-customer",
        policy(egress=[{"to": [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "cust-other"}}}]}]),
        "policy extra",
        "'cust-other'",
    ),
    row(
        "b",
        "policy-from-another-customer",
        policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "cust-other"}}}]}]),
        "policy extra",
        "'cust-other'",
    ),
    row(
        "b",
        "policy-into-every-namespace",
        policy(egress=[{"to": [{"namespaceSelector": {}}]}]),
        "policy extra",
        "does not name",
    ),
    row(
        "b",
        "policy-by-another-label",
        policy(egress=[{"to": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}]),
        "policy extra",
        "does not name",
    ),
    row("b", "policy-into-everything", policy(egress=[{}]), "policy extra", "everywhere"),
    row("b", "policy-from-everything", policy(ingress=[{"ports": [{"port": 80}]}]), "policy extra", "everywhere"),
    row(
        "b",
        "policy-to-every-address",
        policy(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]),
        "policy extra",
        "10.244.0.0/16",
    ),
    row(
        "b",
        "policy-to-a-service-address",
        policy(egress=[{"to": [{"ipBlock": {"cidr": "10.96.7.0/24"}}]}]),
        "policy extra",
        "10.96.0.0/12",
    ),
    row(
        "b",
        "policy-to-all-but-a-part",
        policy(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.1.0/24", "10.96.0.0/12"]}}]}]),
        "policy extra",
        "10.244.0.0/16",
    ),
)
