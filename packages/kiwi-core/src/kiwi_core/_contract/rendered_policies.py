"""Rule b on manifests, policies of charts: they add to the platform's own, and must not open a way to another namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Manifest, Object, Steps, as_list, as_map

__all__ = ["check_policy"]

NAME: Final = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its name (Kubernetes, "Automatic labelling")."""

SIDES: Final[Mapping[str, str]] = {"ingress": "from", "egress": "to"}
FIX: Final = "switch the chart's policies off: the platform's follow from bindings and declared egress"


def check_policy(manifest: Manifest, namespace: str) -> Iterator[tuple[Steps, str, str]]:
    """Say what a chart's NetworkPolicy opens beyond its namespace: path, fault and fix of each.

    Args:
        manifest: the policy.
        namespace: the release's.
    """
    spec = as_map(manifest.object.get("spec"))
    for side, key in SIDES.items():
        for index, rule in enumerate(as_list(spec.get(side))):
            path: Steps = ("spec", side, index)
            peers = as_list(as_map(rule).get(key))
            if not peers:
                yield path, f"allows {side} {key} everywhere, other namespaces included", FIX
            for number, peer in enumerate(peers):
                fault = _fault(as_map(peer), namespace)
                if fault:
                    yield (*path, key, number), f"allows {side} {key} {fault}", FIX


def _fault(peer: Object, namespace: str) -> str | None:
    if "ipBlock" in peer:
        return f"the addresses {as_map(peer['ipBlock']).get('cidr')}"
    if "namespaceSelector" not in peer:
        return None
    selector = as_map(peer["namespaceSelector"])
    labels = as_map(selector.get("matchLabels"))
    if labels.get(NAME) == namespace or any(
        _is_own(item, namespace) for item in as_list(selector.get("matchExpressions"))
    ):
        return None
    return f"the namespaces {dict(selector)}" if selector else "all namespaces"


def _is_own(expression: Json, namespace: str) -> bool:
    found = as_map(expression)
    return (
        found.get("key") == NAME and found.get("operator") == "In" and list(as_list(found.get("values"))) == [namespace]
    )
