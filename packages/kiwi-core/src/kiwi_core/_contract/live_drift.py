"""Drift: what of an object is not as its release applied it, by object and field.

An object is compared with what the server would make of it, were it applied again: defaults, quantities and lists by
key are then the server's to understand. What somebody added by hand stands beside what was applied; the server knows
who set which field (Kubernetes, "Server-Side Apply", field management).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._contract.results import Result, finding, passed
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import HOOK, Object, Steps, as_list, as_map
from kiwi_core._model.snapshot import Snapshot, key_of
from kiwi_core.errors import dotted

__all__ = ["Drifted", "check_drift", "differences", "drifted", "set_by_hand"]

LETTER: Final = "a"
FIX: Final = "kiwistack apply puts it right"
SERVERS: Final = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"})
"""Of metadata: what the server itself sets."""
BY_HAND: Final = "kubectl"
"""What the names of managers begin with whose changes somebody made by hand; a restart by hand is none."""
RESTART: Final = "kubectl.kubernetes.io/restartedAt"


@attrs.frozen(kw_only=True)
class Drifted:
    """One thing that is not as it was applied.

    Attributes:
        release: whose it is.
        object: kind and name.
        message: how it differs; never what stands there.
        fix: what to do.
    """

    release: str
    object: str
    message: str
    fix: str


def check_drift(snapshot: Snapshot) -> Iterator[Result]:
    """Say of each object that a release applied whether it is as it was applied."""
    number = sum(len(items) for items in snapshot.applied.values())
    found = tuple(drifted(snapshot))
    for each in found:
        yield finding(LETTER, f"{each.object} of release {each.release}", each.message, fix=each.fix)
    differ = len({(each.release, each.object) for each in found})
    yield passed(LETTER, "objects", f"{number - differ} are as they were applied")


def drifted(snapshot: Snapshot) -> Iterator[Drifted]:
    """Yield what is not as it was applied."""
    for (namespace, release), items in snapshot.applied.items():
        for item in items:
            key = key_of(item, namespace)
            found = snapshot.objects.get(key)
            if found is None:
                if not _goes_by_itself(item):
                    yield Drifted(release=release, object=str(key), message="it is not there", fix=FIX)
                continue
            paths = list(differences(found, snapshot.merged.get(key, found)))
            if paths:
                message = f"it was changed: {', '.join(dotted(path) for path in paths)}"
                yield Drifted(release=release, object=str(key), message=message, fix=FIX)
            if added := [dotted(path) for path in set_by_hand(found) if not _is_below(path, paths)]:
                message = f"somebody set by hand: {', '.join(added)}"
                fix = "say it in the component or an overlay; take it out here"
                yield Drifted(release=release, object=str(key), message=message, fix=fix)


def _goes_by_itself(item: Object) -> bool:
    """Say whether an object may be gone in good order: a Job with a time to live, or one of Helm's own hooks."""
    notes = as_map(as_map(item.get("metadata")).get("annotations"))
    return HOOK in notes or "ttlSecondsAfterFinished" in as_map(item.get("spec"))


def differences(found: Object, merged: Object) -> Iterator[Steps]:
    """Yield the paths where an object is not what applying it again would make of it; never what stands there."""
    yield from _differences(_without_status(found), _without_status(merged), ())


def _differences(found: Json, merged: Json, path: Steps) -> Iterator[Steps]:
    if isinstance(found, Mapping) and isinstance(merged, Mapping):
        for key in sorted({*found, *merged}):
            if key not in found or key not in merged:
                yield (*path, key)
            else:
                yield from _differences(found[key], merged[key], (*path, key))
    elif isinstance(found, list) and isinstance(merged, list) and len(found) == len(merged):
        for index, (one, other) in enumerate(zip(found, merged, strict=True)):
            yield from _differences(one, other, (*path, index))
    elif found != merged:
        yield path


def _without_status(item: Object) -> Object:
    metadata = {key: value for key, value in as_map(item.get("metadata")).items() if key not in SERVERS}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def set_by_hand(item: Object) -> Iterator[Steps]:
    """Yield the fields that somebody set with kubectl and that no release sets, too; the leaves of them alone.

    An item of a list stands at its place, as in ``differences``, where it is there.
    """
    owned: dict[str, set[Steps]] = {}
    for manager, fields in _owned(item):
        owned.setdefault(manager, set()).update(fields)
    by_others = {path for manager, paths in owned.items() if not manager.startswith(BY_HAND) for path in paths}
    for manager, paths in owned.items():
        if manager.startswith(BY_HAND):
            placed = (_placed(path, item) for path in paths - by_others)
            yield from sorted((path for path in placed if path[-1] != RESTART), key=str)


def _is_below(path: Steps, others: Sequence[Steps]) -> bool:
    return any(path[: len(other)] == other for other in others)


def _owned(item: Object) -> Iterator[tuple[str, Iterator[Steps]]]:
    """Yield each manager with the fields that it owns."""
    for entry in map(as_map, as_list(as_map(item.get("metadata")).get("managedFields"))):
        manager = entry.get("manager")
        if isinstance(manager, str) and not entry.get("subresource"):
            yield manager, _leaves(as_map(entry.get("fieldsV1")), ())


def _leaves(fields: Object, path: Steps) -> Iterator[Steps]:
    """Walk fields as managers own them, down to those that hold no others; ``.`` is the thing itself."""
    for name, below in fields.items():
        if name == ".":
            continue
        inner = as_map(below)
        if set(inner) <= {"."}:
            yield (*path, name)
        else:
            yield from _leaves(inner, (*path, name))


def _placed(path: Steps, item: Object) -> Steps:
    """Return the path of a field of an object from the one by which its manager owns it.

    ``f:name`` is a field, ``k:{…}`` an item of a list by its keys, ``v:…`` one by its value (sigs.k8s.io,
    structured-merge-diff, ``fieldpath/serialize-pe.go``).
    """
    placed: list[str | int] = []
    here: Json = item
    for step in path:
        kind, _, name = str(step).partition(":")
        if kind == "f":
            placed.append(name)
            here = as_map(here).get(name)
            continue
        items, wanted = as_list(here), json.loads(name)
        found = (place for place, each in enumerate(items) if each == wanted or _has(each, wanted))
        place = next(found, None)
        placed.append(name if place is None else place)
        here = None if place is None else items[place]
    return tuple(placed)


def _has(item: Json, keys: Json) -> bool:
    return isinstance(keys, Mapping) and all(as_map(item).get(key) == value for key, value in keys.items())
