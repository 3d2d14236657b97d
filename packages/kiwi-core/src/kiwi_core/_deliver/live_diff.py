"""What delivering a tree would change in its cluster, by object and field: the server says, and keeps nothing of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

import attrs

from kiwi_core._contract.live_drift import differences
from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._deliver.snapshot import merged_of
from kiwi_core._model.manifest import HOOK, Manifest, Object
from kiwi_core._model.snapshot import Key, Snapshot, key_of
from kiwi_core.errors import dotted

__all__ = ["Change", "changes"]


@attrs.frozen(kw_only=True)
class Change:
    """One object that would be another.

    Attributes:
        release: whose it is, or was.
        what: what would become of it.
        object: kind and name.
        fields: where it would change; never what stands there.
    """

    release: str
    what: Literal["made", "changed", "deleted", "refused"]
    object: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.release}: {self.object} would be {self.what}{': ' if self.fields else ''}{', '.join(self.fields)}"
        )


def changes(
    kubectl: Kubectl,
    snapshot: Snapshot,
    rendered: Mapping[tuple[str, str], Sequence[Manifest]],
    hooks: Collection[str],
) -> Iterator[Change]:
    """Yield what would change.

    Args:
        kubectl: the cluster.
        snapshot: what there is.
        rendered: the objects of each release, by namespace and release, with the values that they would have.
        hooks: the releases that run hooks: their jobs are made anew at each deploy, so they are no change.

    Raises:
        ExternalError: the cluster does not answer.
    """
    for (namespace, release), manifests in rendered.items():
        if release in hooks:
            continue
        items = [manifest.object for manifest in manifests if not manifest.hooks]
        wanted = {key_of(item, namespace): item for item in items}
        there = namespace in {key.name for key in snapshot.objects if key.kind == "Namespace"}
        merged = {key_of(item, namespace): item for item in merged_of(kubectl, namespace, items)} if there else {}
        yield from _release(release, wanted, merged, snapshot, is_new=not there)
        before = {key_of(item, namespace) for item in snapshot.applied.get((namespace, release), ())}
        for key in sorted(before - wanted.keys()):
            if key in snapshot.objects and not text_at(snapshot.objects[key], "metadata", "annotations", HOOK):
                yield Change(release=release, what="deleted", object=str(key))


def _release(
    release: str, wanted: Mapping[Key, Object], merged: Mapping[Key, Object], snapshot: Snapshot, *, is_new: bool
) -> Iterator[Change]:
    for key in wanted:
        found, then = snapshot.objects.get(key), merged.get(key)
        if found is None:
            yield Change(release=release, what="made" if then is not None or is_new else "refused", object=str(key))
        elif then is None:
            yield Change(release=release, what="refused", object=str(key))
        elif fields := tuple(dotted(path) for path in differences(found, then)):
            yield Change(release=release, what="changed", object=str(key), fields=fields)
