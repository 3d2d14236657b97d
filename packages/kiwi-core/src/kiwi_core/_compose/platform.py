"""The platform's own releases: the foundation of a namespace, and the hooks of a component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kiwi_core._compose.policy import HOOKS_LABEL, Policy
from kiwi_core._compose.resolve import Resolver
from kiwi_core._compose.values import Layer
from kiwi_core._model.cluster import Target
from kiwi_core._model.component import Release
from kiwi_core._model.hooks import Hook, Job
from kiwi_core._model.lane import Stage
from kiwi_core._model.late import Text, Value
from kiwi_core._model.names import MAX_DNS_LABEL
from kiwi_core._model.secrets import Secret, SecretKey
from kiwi_core._model.tenant import Tenant

__all__ = ["HOOKS_CHART", "MAX_JOB_NAME", "foundation", "foundation_layer", "hooks_layer", "job_name"]

HOOKS_CHART: Final = "kiwi-hooks"
"""The chart of every ``<component>-pre`` and ``<component>-post`` release."""

MAX_JOB_NAME: Final = MAX_DNS_LABEL - len("-r99999")
"""What leaves room for the revision of the release, which the chart adds."""

ORIGIN: Final = "the platform"


def foundation(target: Target, namespace: str) -> Release:
    """Return the release of a namespace's policies, Secrets and quota; every other of that namespace needs it."""
    name = "foundation" if isinstance(target, Tenant) else f"foundation-{namespace.removeprefix('kiwi-')}"
    return Release(name=name, chart="kiwi-foundation", stage=Stage.FOUNDATION, wait=True, timeout=120)


def foundation_layer(quota: Mapping[str, str], secrets: Iterable[Secret], network: Iterable[Policy]) -> Layer:
    """Return the values of the foundation chart of one namespace."""
    return Layer(
        origin=ORIGIN,
        values={
            "allow": [{"name": item.name, "because": item.because, "spec": item.spec} for item in network],
            "secrets": {secret.name: dict(secret.data) for secret in secrets},
            "quota": dict(quota),
        },
    )


def hooks_layer(component: str, phase: str, hooks: Sequence[Hook], resolver: Resolver) -> Layer:
    """Return the values of the hooks chart for one phase of a component."""
    return Layer(
        origin=f"component {component}",
        values=resolver.values(
            {
                "labels": {HOOKS_LABEL: component},
                "jobs": {job_name(component, phase, hook): _job(hook.job()) for hook in hooks},
            }
        ),
    )


def job_name(component: str, phase: str, hook: Hook) -> str:
    """Return the name of a hook's Job, without the revision."""
    return f"{component}-{phase}-{hook.name}"


def _job(job: Job) -> Mapping[str, Value]:
    return {
        "image": Text((job.image.repository, ":", job.image.tag)),
        "command": list(job.command),
        "env": [_env(name, value) for name, value in sorted(job.env.items())],
        "timeout": job.timeout,
    }


def _env(name: str, value: Value | SecretKey) -> Mapping[str, Value]:
    if isinstance(value, SecretKey):
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": value.secret, "key": value.key}}}
    return {"name": name, "value": value}
