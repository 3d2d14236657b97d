"""What the tests let run in the cluster: short manifests under Pod Security's ``restricted``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from testbed.cluster import Cluster

__all__ = ["Manifest", "apply", "container", "pod", "pod_spec", "service", "workload"]

Manifest = Mapping[str, object]
SLEEP = ("sleep", "infinity")


def container(
    image: str,
    *command: str,
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[str, str] | None = None,
    ready: Manifest | None = None,
    memory: str = "256Mi",
    ports: Sequence[Manifest] = (),
) -> Manifest:
    """A container that asks for no right and gets none.

    Args:
        image: its reference.
        command: what it runs instead of the image's own.
        environment: its variables.
        mounts: where the pod's volumes stand in it, by their names.
        ready: what is asked each second to tell whether it is.
        memory: its limit.
        ports: those that have names.
    """
    made: dict[str, object] = {
        "name": "main",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in (environment or {}).items()],
        "ports": list(ports),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in (mounts or {}).items()],
    }
    if command:
        made["command"] = list(command)
    if ready:
        made["readinessProbe"] = {**ready, "periodSeconds": 1}
    return made


def pod_spec(main: Manifest, *, volumes: Mapping[str, Manifest] | None = None, **more: object) -> Manifest:
    """A pod of one container, with its volumes by name, and what else is to stand in its spec."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": name, **source} for name, source in (volumes or {}).items()],
        "containers": [main],
        **more,
    }


def pod(name: str, spec: Manifest, *, labels: Mapping[str, str] | None = None) -> Manifest:
    """A pod."""
    metadata = {"name": name, "labels": {"app": name, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def workload(kind: str, name: str, spec: Manifest, **more: object) -> Manifest:
    """A Deployment or a StatefulSet of one pod, with what else is to stand in its spec."""
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    body = {"selector": {"matchLabels": {"app": name}}, "template": template, **more}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def service(name: str, **ports: int) -> Manifest:
    """A Service for the pods of a name; ``http=8000`` puts its port of that name and number on theirs."""
    listed = [{"name": port, "port": number, "targetPort": number} for port, number in ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": listed},
    }


def apply(cluster: Cluster, namespace: str, *manifests: Manifest) -> None:
    """Apply manifests in a namespace."""
    listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
    cluster.kubectl("apply", "--namespace", namespace, "-f", "-", given=json.dumps(listed))
