"""A target as its cluster has it at one moment: what a verification looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import attrs

from kiwi_core._model.kubernetes import CLUSTER_KINDS
from kiwi_core._model.manifest import Object, as_map

__all__ = ["LEASE", "Key", "Record", "Snapshot", "key_of", "newest"]

LEASE: Final = "kiwistack-apply"
"""The Lease that an apply holds in a namespace of its target."""

PENDING: Final = "pending-"


class Key(NamedTuple):
    """What tells an object from all others of a cluster; its API version may change while it stays the same.

    Attributes:
        group: the API group; empty for the core.
        namespace: empty where it has none.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def key_of(item: Object, namespace: str = "") -> Key:
    """Return the key of an object.

    Args:
        item: the object.
        namespace: where it goes when it names none.
    """
    metadata, (group, slash, _) = as_map(item.get("metadata")), str(item.get("apiVersion")).partition("/")
    kind = str(item.get("kind"))
    return Key(
        group=group if slash else "",
        kind=kind,
        namespace="" if kind in CLUSTER_KINDS else str(metadata.get("namespace") or namespace),
        name=str(metadata.get("name")),
    )


@attrs.frozen(kw_only=True)
class Record:
    """One revision of a Helm release.

    Attributes:
        release: its name.
        revision: from 1.
        status: as Helm spells it, such as ``deployed``, ``failed``, ``pending-upgrade``.
        tree: what of the tree's digest its label has; empty where it has none.
        secret: the Secret that it stands in.
    """

    release: str
    revision: int
    status: str
    tree: str
    secret: str

    @property
    def is_pending(self) -> bool:
        """Whether Helm is at work on it, or was when it ended."""
        return self.status.startswith(PENDING)


def newest(records: Sequence[Record]) -> Mapping[str, Record]:
    """Return the last revision of each release of a namespace."""
    found: dict[str, Record] = {}
    for record in records:
        if record.release not in found or found[record.release].revision < record.revision:
            found[record.release] = record
    return found


@attrs.frozen(kw_only=True)
class Snapshot:
    """A target at one moment.

    Attributes:
        objects: every object in its namespaces and the namespaces themselves, by key.
        records: the last revision of each Helm release, by namespace and name.
        applied: what Helm says that it applied, by release as in ``records``; with what its own hooks made.
        merged: what each of these objects would be, were it applied again; one that the server refuses is missing.
    """

    objects: Mapping[Key, Object] = attrs.field(repr=False)
    records: Mapping[tuple[str, str], Record]
    applied: Mapping[tuple[str, str], Sequence[Object]] = attrs.field(repr=False)
    merged: Mapping[Key, Object] = attrs.field(repr=False)
