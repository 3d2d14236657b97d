"""Take a target away and make it again from nothing, and compare: what is stored nowhere has to come back as it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._deliver.apply import Delivery, deliver
from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._deliver.snapshot import read_snapshot
from kiwi_core._model.snapshot import Key, Snapshot, key_of
from kiwi_core.errors import ExternalError, Problem

__all__ = ["Comparison", "Volume", "rebuild", "volumes"]

PATIENCE: Final = 600.0
"""Seconds for a namespace to go."""
LOOK: Final = 1.0


@attrs.frozen(kw_only=True)
class Volume:
    """A volume that pods of a target have claimed.

    Attributes:
        namespace, claim: the claim.
        name: the volume.
        size: as the claim asks for it.
        is_kept: whether the cluster keeps it when its claim is gone.
    """

    namespace: str
    claim: str
    name: str
    size: str
    is_kept: bool

    def __str__(self) -> str:
        kept = "is kept; it has to be bound again by hand" if self.is_kept else "goes with its claim"
        return f"volume {self.name or '(none yet)'} of claim {self.claim} in {self.namespace}, {self.size}: {kept}"


def volumes(kubectl: Kubectl, namespaces: Sequence[str]) -> Iterator[Volume]:
    """Yield the volumes of a target.

    Raises:
        ExternalError: the cluster does not answer, or refuses.
    """
    for namespace in namespaces:
        for claim in kubectl.items("persistentvolumeclaims", namespace=namespace):
            name = text_at(claim, "spec", "volumeName")
            volume = kubectl.find("persistentvolume", name) if name else None
            yield Volume(
                namespace=namespace,
                claim=text_at(claim, "metadata", "name"),
                name=name,
                size=text_at(claim, "spec", "resources", "requests", "storage"),
                is_kept=text_at(volume, "spec", "persistentVolumeReclaimPolicy") == "Retain",
            )


@attrs.frozen(kw_only=True)
class Comparison:
    """What a rebuild came to.

    Attributes:
        objects: how many there were that have to come back; those of hooks are made anew at each deploy.
        secrets: how many of them are Secrets.
        differ: what came back otherwise, or not at all, or was not there before.
    """

    objects: int
    secrets: int
    differ: tuple[str, ...]


def rebuild(delivery: Delivery, hooks: Sequence[str]) -> Comparison:
    """Delete the namespaces of a target, deliver its tree, and compare.

    Args:
        delivery: what is delivered.
        hooks: the releases that run hooks.

    Raises:
        ExternalError: the cluster does not answer or refuses, a namespace does not go, or a release failed.
    """
    before = _digests(read_snapshot(delivery.kubectl, delivery.namespaces), hooks)
    for namespace in delivery.namespaces:
        delivery.say(f"deleting namespace {namespace}")
        delivery.kubectl.run("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
    _wait(delivery)
    deliver(delivery)
    after = _digests(read_snapshot(delivery.kubectl, delivery.namespaces), hooks)
    differ = [str(key) for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    secrets = sum(key.kind == "Secret" for key in before)
    return Comparison(objects=len(before), secrets=secrets, differ=tuple(differ))


def _digests(snapshot: Snapshot, hooks: Sequence[str]) -> Mapping[Key, str]:
    """Return a digest of each object as its release applied it: Secrets with what they hold."""
    return {
        key_of(item, namespace): hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
        for (namespace, release), items in snapshot.applied.items()
        if release not in hooks
        for item in items
    }


def _wait(delivery: Delivery) -> None:
    began = time.monotonic()
    left = list(delivery.namespaces)
    while left:
        left = [namespace for namespace in left if delivery.kubectl.find("namespace", namespace)]
        if left and time.monotonic() - began > PATIENCE:
            hint = "its status says what holds it up: kubectl get namespace -o yaml"
            raise ExternalError(Problem(f"namespace {left[0]} is not gone after {PATIENCE:.0f} s", hint=hint))
        if left:
            time.sleep(LOOK)
