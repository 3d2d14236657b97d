"""What hooks left that Helm has forgotten: the Jobs of revisions that were broken off or failed.

Helm removes what the last revision that was deployed has and the new one has not; what a revision in between made, it
does not know of. Every deploy makes new Jobs, so these would stay for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kiwi_core._compose.policy import HOOKS_LABEL
from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._deliver.snapshot import objects_of_record
from kiwi_core._model.snapshot import key_of, newest

__all__ = ["remove_leftovers"]

KINDS: Final = "jobs,configmaps"
"""What the hooks of a phase make anew at each deploy."""


def remove_leftovers(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """Take away the hooks' objects that are no part of what is deployed; yield the name of each.

    Raises:
        ExternalError: the cluster does not answer or refuses, or a record of Helm's is none.
    """
    found = kubectl.items(KINDS, "--selector", HOOKS_LABEL, namespace=namespace)
    if not found:
        return
    records = newest(read_records(kubectl, namespace))
    for release in sorted({text_at(item, "metadata", "labels", HOOKS_LABEL) for item in found}):
        if release not in records:
            continue
        record = kubectl.get("secret", records[release].secret, namespace=namespace)
        deployed = {key_of(item, namespace) for item in objects_of_record(record, namespace)}
        for item in found:
            key = key_of(item)
            if text_at(item, "metadata", "labels", HOOKS_LABEL) == release and key not in deployed:
                kubectl.run("delete", key.kind, key.name, "--ignore-not-found", "--wait=false", namespace=namespace)
                yield str(key)
