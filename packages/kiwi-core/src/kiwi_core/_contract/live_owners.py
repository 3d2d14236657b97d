"""Rule a on the cluster: every object in the namespaces is owned by a release of the tree, and every release is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Result, finding, passed
from kiwi_core._model.manifest import Object, as_list, as_map
from kiwi_core._model.snapshot import LEASE, Key, Snapshot, key_of

__all__ = ["check_owners", "check_releases"]

LETTER: Final = "a"
RECORD: Final = "helm.sh/release.v1"
"""The type of the Secrets that Helm keeps its records in (Helm, ``pkg/storage/driver/secrets.go``)."""

OF_KUBERNETES: Final = frozenset(
    {
        ("", "ConfigMap", "kube-root-ca.crt"),
        ("", "ServiceAccount", "default"),
        ("coordination.k8s.io", "Lease", LEASE),
    }
)
"""What stands in every namespace, and the lock of an apply."""

FOLLOWING: Final = frozenset(
    {("", "Endpoints"), ("", "Event"), ("events.k8s.io", "Event"), ("metrics.k8s.io", "PodMetrics")}
)
"""Kinds that follow from others and bear no owner's mark."""


def check_releases(stack: Stack, snapshot: Snapshot, tree: str) -> Iterator[Result]:
    """Say of each release whether it was delivered from this tree, and of each in the namespaces whether it is ours.

    Args:
        stack: what was built.
        snapshot: what there is.
        tree: the digits of the tree's digest that a record's label has.
    """
    for release in stack.releases:
        subject = f"release {release.name}"
        record = snapshot.records.get((release.namespace, release.name))
        if record is None:
            yield finding(LETTER, subject, "it is not in the cluster", fix="kiwistack apply")
        elif record.status != "deployed":
            message = f"its revision {record.revision} is {record.status}, expected deployed"
            yield finding(LETTER, subject, message, fix="kiwistack apply")
        elif record.tree != tree:
            message = f"it was delivered from tree {record.tree or '?'}, and this one is {tree}"
            yield finding(LETTER, subject, message, fix="kiwistack apply")
        else:
            yield passed(LETTER, subject, f"revision {record.revision} is of this tree")
    ours = {(release.namespace, release.name) for release in stack.releases}
    for namespace, name in snapshot.records:
        if (namespace, name) not in ours:
            message = f"it is in {namespace}, and not in the tree"
            yield finding(
                LETTER, f"release {name}", message, fix="kiwistack apply --prune, where it came from an earlier tree"
            )


def check_owners(stack: Stack, snapshot: Snapshot) -> Iterator[Result]:
    """Say of each object in the namespaces whether a release of the tree owns it, itself or through its owners."""
    ours = {(release.namespace, release.name) for release in stack.releases}
    made = {
        key_of(item, namespace)
        for (namespace, release), items in snapshot.applied.items()
        if (namespace, release) in ours
        for item in items
    }
    by_uid = {str(as_map(item.get("metadata")).get("uid")): key for key, item in snapshot.objects.items()}
    claimed = _claims(stack, snapshot)
    number = 0
    for key, item in snapshot.objects.items():
        if _is_known(key, item, claimed) or key in made:
            number += 1
        elif _is_owned(key, snapshot.objects, by_uid, made):
            number += 1
        else:
            message = f"nothing of the tree made it, in namespace {key.namespace}"
            yield finding(LETTER, str(key), message, fix="make it a part of a release, or delete it")
    yield passed(LETTER, "objects", f"{number} are of releases of the tree")


def _is_known(key: Key, item: Object, claimed: Collection[Key]) -> bool:
    is_of_kubernetes = (key.group, key.kind, key.name) in OF_KUBERNETES or key.kind == "Namespace"
    return is_of_kubernetes or (key.group, key.kind) in FOLLOWING or item.get("type") == RECORD or key in claimed


def _claims(stack: Stack, snapshot: Snapshot) -> Collection[Key]:
    """Return the claims that StatefulSets made of their templates: they have no owner (KEP-1847)."""
    namespaces = {release.namespace for release in stack.releases}
    found: set[Key] = set()
    for key, item in snapshot.objects.items():
        if key.kind != "StatefulSet" or key.namespace not in namespaces:
            continue
        for template in as_list(as_map(item.get("spec")).get("volumeClaimTemplates")):
            start = f"{as_map(as_map(template).get('metadata')).get('name')}-{key.name}-"
            found |= {
                other
                for other in snapshot.objects
                if other.kind == "PersistentVolumeClaim"
                and other.namespace == key.namespace
                and other.name.startswith(start)
                and other.name.removeprefix(start).isdigit()
            }
    return found


def _is_owned(key: Key, objects: Mapping[Key, Object], by_uid: Mapping[str, Key], made: Collection[Key]) -> bool:
    """Follow the owners of an object, through any number of steps, to one that a release made."""
    seen: set[Key] = set()
    queue: list[Key] = [key]
    while queue:
        here = queue.pop()
        if here in made:
            return True
        if here in seen or here not in objects:
            continue
        seen.add(here)
        owners: Sequence[object] = as_list(as_map(objects[here].get("metadata")).get("ownerReferences"))
        uids = (str(as_map(owner).get("uid")) for owner in owners if isinstance(owner, Mapping))
        queue += [by_uid[uid] for uid in uids if uid in by_uid]
    return False
