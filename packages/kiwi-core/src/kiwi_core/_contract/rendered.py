"""How the rules look at rendered manifests: which pods there are, and where something stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from kiwi_core._contract.results import Evidence
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Manifest, Object, Steps, as_list, as_map
from kiwi_core._model.rendered import Rendering
from kiwi_core.errors import Where

__all__ = ["CONTAINERS", "Pods", "containers_in", "group_of", "pods_of", "rendering_of", "template_of"]

CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
"""Where a pod has its containers."""

TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    **dict.fromkeys(("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"), ("spec", "template")),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}  # fmt: skip
"""Where each kind that makes pods has what they are made after."""


@attrs.frozen(kw_only=True)
class Pods:
    """The pods that an object makes.

    Attributes:
        manifest: the object.
        template: what they are made after, with ``metadata`` and ``spec``.
        path: where that stands in the object.
    """

    manifest: Manifest
    template: Object
    path: Steps

    @property
    def spec(self) -> Object:
        """Their spec."""
        return as_map(self.template.get("spec"))

    @property
    def notes(self) -> Iterator[str]:
        """The values of their annotations and labels."""
        metadata = as_map(self.template.get("metadata"))
        for part in ("annotations", "labels"):
            yield from (value for value in as_map(metadata.get(part)).values() if isinstance(value, str))


def rendering_of(evidence: Evidence) -> Rendering:
    """Return what was rendered: rules on manifests are asked only where there is any."""
    assert evidence.rendered is not None
    return evidence.rendered


def pods_of(manifest: Manifest) -> Pods | None:
    """Return the pods that an object makes; None where it makes none that Kubernetes itself knows of."""
    path = TEMPLATES.get(manifest.kind)
    if path is None:
        return None
    template: Json = manifest.object
    for step in path:
        template = as_map(template).get(step)
    return Pods(manifest=manifest, template=as_map(template), path=path)


def containers_in(pods: Pods) -> Iterator[tuple[Steps, Object]]:
    """Yield every container of pods, init containers included, with its path in the object."""
    for part in CONTAINERS:
        for index, container in enumerate(as_list(pods.spec.get(part))):
            yield (*pods.path, "spec", part, index), as_map(container)


def group_of(api_version: str) -> str:
    """Return the API group of an ``apiVersion``; the core's is empty."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def template_of(manifest: Manifest) -> Where:
    """Return the template that an object comes from."""
    return Where(manifest.source)
