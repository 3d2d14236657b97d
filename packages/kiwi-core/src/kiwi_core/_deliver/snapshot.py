"""Read what a cluster has of a target: its objects, Helm's records, and what applying them again would give."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.json_paths import list_at, text_at
from kiwi_core._deliver.kubectl import Kubectl, KubectlError
from kiwi_core._deliver.manifests import ManifestError, read_manifests
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Object
from kiwi_core._model.snapshot import Key, Record, Snapshot, key_of, newest
from kiwi_core.errors import ExternalError, Problem

__all__ = ["merged_of", "read_snapshot"]

MANAGER: Final = "kiwistack-verify"
"""Who asks what applying again would give; the server keeps nothing of it."""
PATIENCE: Final = 120.0
OPTIONS: Final = ("--ignore-not-found", "--show-managed-fields")


def read_snapshot(kubectl: Kubectl, namespaces: Sequence[str]) -> Snapshot:
    """Look at a target.

    Raises:
        ExternalError: the cluster does not answer or refuses, or a record of Helm's is none.
    """
    objects: dict[Key, Object] = {}
    records: dict[tuple[str, str], Record] = {}
    applied: dict[tuple[str, str], Sequence[Object]] = {}
    merged: dict[Key, Object] = {}
    kinds = _kinds(kubectl)
    for namespace in namespaces:
        there = kubectl.find("namespace", namespace)
        if there is None:
            continue
        objects[key_of(there)] = there
        objects |= {key_of(item): item for item in kubectl.items(kinds, *OPTIONS, namespace=namespace)}
        own = newest(read_records(kubectl, namespace))
        records |= {(namespace, name): record for name, record in own.items()}
        kept = {record.secret for record in own.values()}
        for key, item in objects.items():
            if key.namespace == namespace and key.kind == "Secret" and key.name in kept:
                applied[namespace, text_at(item, "metadata", "labels", "name")] = tuple(
                    objects_of_record(item, namespace)
                )
        mine = [item for (where, _), items in applied.items() if where == namespace for item in items]
        merged |= {key_of(item, namespace): item for item in merged_of(kubectl, namespace, mine)}
        objects |= _others(kubectl, namespace, mine, objects)
    return Snapshot(objects=objects, records=records, applied=applied, merged=merged)


def _kinds(kubectl: Kubectl) -> str:
    """Return the kinds of objects that a namespace can hold and that can be listed, but for events."""
    said = kubectl.run("api-resources", "--namespaced", "--verbs=list", "--output=name")
    return ",".join(kind for kind in said.split() if kind.partition(".")[0] != "events")


def objects_of_record(secret: Object, namespace: str) -> Iterator[Object]:
    """Yield the objects of a record: base64 in base64, gzip, JSON (Helm, ``pkg/storage/driver/util.go``).

    Raises:
        ExternalError: it is none.
    """
    name = text_at(secret, "metadata", "name")
    try:
        packed = base64.b64decode(base64.b64decode(text_at(secret, "data", "release"), validate=True), validate=True)
        release = cast("Json", json.loads(gzip.decompress(packed)))
        texts = [text_at(release, "manifest"), *(text_at(hook, "manifest") for hook in list_at(release, "hooks"))]
        for text in texts:
            yield from (item.object for item in read_manifests(text, release=name, source=name))
    except (ValueError, OSError, EOFError, zlib.error, ManifestError):
        message = f"Secret {name} in {namespace} is no record of Helm's, or was changed"
        raise ExternalError(Problem(message, hint="kiwistack apply writes a new one")) from None


def merged_of(kubectl: Kubectl, namespace: str, items: Sequence[Object]) -> Iterator[Object]:
    """Yield what objects would be, were they applied; what the server refuses of them is left out.

    Raises:
        ExternalError: the cluster does not answer.
    """
    words = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", f"--field-manager={MANAGER}")
    wanted: Mapping[str, Json] = {"apiVersion": "v1", "kind": "List", "items": [dict(item) for item in items]}
    if not items:
        return
    try:
        text = kubectl.run(
            *words, "--filename=-", "--output=json", namespace=namespace, stdin=json.dumps(wanted), patience=PATIENCE
        )
    except KubectlError:
        if len(items) == 1:
            return
        half = len(items) // 2
        yield from merged_of(kubectl, namespace, items[:half])
        yield from merged_of(kubectl, namespace, items[half:])
        return
    found = cast("Object", json.loads(text))
    yield from cast("Sequence[Object]", found.get("items") if found.get("kind") == "List" else (found,))


def _others(
    kubectl: Kubectl, namespace: str, items: Sequence[Object], known: Mapping[Key, Object]
) -> Mapping[Key, Object]:
    """Return the objects that releases applied outside of the namespace: those that have none."""
    found: dict[Key, Object] = {}
    for item in items:
        key = key_of(item, namespace)
        if key in known:
            continue
        kind = f"{key.kind}.{key.group}" if key.group else key.kind
        there = kubectl.find(kind, key.name, namespace=key.namespace or None)
        if there is not None:
            found[key] = there
    return found
