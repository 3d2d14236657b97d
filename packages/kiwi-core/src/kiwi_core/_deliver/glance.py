"""What runs of a target, at a glance: two questions to the API server for each namespace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.json_paths import list_at, text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._model.capture import Json
from kiwi_core._model.snapshot import newest

__all__ = ["Glance", "glance"]

INSTANCE = "app.kubernetes.io/instance"
"""The label by which nearly every chart's pods name their release (Helm, "Labels and Annotations")."""


@attrs.frozen(kw_only=True)
class Glance:
    """One release.

    Attributes:
        release, namespace: which.
        status: as Helm spells it; ``missing`` where it is not there.
        revision: 0 where it is not there.
        tree: what of its tree's digest the record's label has.
        pods, ready: how many there are, of those that name it, and how many of them serve.
    """

    release: str
    namespace: str
    status: str
    revision: int
    tree: str
    pods: int
    ready: int


def glance(kubectl: Kubectl, releases: Sequence[tuple[str, str]]) -> tuple[Glance, ...]:
    """Return what there is of releases, given by namespace and name.

    Raises:
        ExternalError: the cluster does not answer, or refuses.
    """
    rows: list[Glance] = []
    for namespace in dict.fromkeys(namespace for namespace, _ in releases):
        records = newest(read_records(kubectl, namespace))
        pods: Counter[str] = Counter()
        ready: Counter[str] = Counter()
        for pod in kubectl.items("pods", "--field-selector=status.phase!=Succeeded", namespace=namespace):
            owner = text_at(pod, "metadata", "labels", INSTANCE)
            pods[owner] += 1
            ready[owner] += _is_ready(pod)
        for name in (name for where, name in releases if where == namespace):
            record = records.get(name)
            rows.append(
                Glance(
                    release=name,
                    namespace=namespace,
                    status=record.status if record else "missing",
                    revision=record.revision if record else 0,
                    tree=record.tree if record else "",
                    pods=pods[name],
                    ready=ready[name],
                )
            )
    return tuple(rows)


def _is_ready(pod: Json) -> bool:
    conditions = list_at(pod, "status", "conditions")
    return any(text_at(each, "type") == "Ready" and text_at(each, "status") == "True" for each in conditions)
