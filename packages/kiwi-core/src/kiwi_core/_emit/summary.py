"""``stack.json``: the resolved stack for other programs, without a value of any credential."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._emit.tree import Tree
from kiwi_core._model.tenant import Tenant

__all__ = ["emit_summary"]


def emit_summary(stack: Stack) -> Tree:
    """Write ``stack.json``."""
    summary = {
        **_target(stack),
        "lane": stack.lane.value,
        "components": {name: str(part.package) for name, part in sorted(stack.parts.items())},
        "releases": [_release(release) for release in stack.releases],
        "edges": [
            {"before": edge.before, "after": edge.after, "because": edge.because}
            for edge in sorted(stack.edges, key=lambda edge: (edge.after, edge.before, edge.because))
        ],
        "bindings": [
            {
                "component": component,
                "use": str(key),
                "by": binding.source if binding else None,
            }
            for component, bound in sorted(stack.bindings.items())
            for key, binding in sorted(bound.items())
        ],
        "policies": [
            {"namespace": policy.namespace, "name": policy.name, "because": policy.because} for policy in stack.policies
        ],
        "secrets": [
            {"namespace": part.home.namespace, "name": secret.name, "keys": sorted(secret.data)}
            for part in stack.parts.values()
            for secret in part.wiring.secrets
        ],
        "credentials": {late.name: late.generation for late in stack.credentials},
        "externals": {late.name: late.because for late in stack.externals},
        "plain_values": [
            {"release": item.release, "path": item.path, "reason": item.reason}
            for part in stack.parts.values()
            for item in part.wiring.plain
        ],
        "charts": {name: f"{pin.location}/{pin.name} {pin.version}" for name, pin in stack.used_charts.items()},
        "images": {name: f"{pin.name}:{pin.tag}" for name, pin in stack.used_images.items()},
    }
    return {"stack.json": json.dumps(summary, indent=1, ensure_ascii=False).encode() + b"\n"}


def _target(stack: Stack) -> Mapping[str, object]:
    target = stack.target
    if isinstance(target, Tenant):
        return {
            "tenant": target.slug,
            "namespace": target.namespace,
            "domain": target.domain,
            "cluster": target.cluster,
            "hosts": sorted(host for part in stack.parts.values() for host in part.wiring.hosts),
        }
    return {"cluster": target.name, "customers": [customer.slug for customer in target.customers]}


def _release(release: StackRelease) -> Mapping[str, object]:
    return {
        "name": release.name,
        "namespace": release.namespace,
        "component": release.component or None,
        "role": release.role,
        "stage": release.stage.value,
        "chart": release.declared.chart,
        "needs": release.needs,
        "wait": release.wait,
    }
