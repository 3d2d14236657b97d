"""Helm's releases as their records tell: Secrets ``sh.helm.release.v1.NAME.vN``, whose labels hold all but the content.

Sources: Helm's ``pkg/storage/driver/secrets.go`` (labels) and ``pkg/release`` (statuses).
"""

from __future__ import annotations

from collections.abc import Mapping

from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._emit.tree import TREE_LABEL
from kiwi_core._model.snapshot import Record

__all__ = ["read_records", "remove_record"]


def read_records(kubectl: Kubectl, namespace: str) -> tuple[Record, ...]:
    """Return the records of a namespace, without their content: the server prints a table of labels alone.

    Raises:
        ExternalError: the server does not answer, or refuses.
    """
    words = ("get", "secrets", "--selector", "owner=helm", "--show-labels", "--no-headers", "--ignore-not-found")
    return tuple(
        _record(cells[0], dict(pair.split("=", 1) for pair in cells[-1].split(",") if "=" in pair))
        for line in kubectl.run(*words, namespace=namespace).splitlines()
        if (cells := line.split())
    )


def _record(secret: str, labels: Mapping[str, str]) -> Record:
    return Record(
        release=labels.get("name", ""),
        revision=int(labels.get("version", "0")),
        status=labels.get("status", ""),
        tree=labels.get(TREE_LABEL, ""),
        secret=secret,
    )


def remove_record(kubectl: Kubectl, namespace: str, record: Record) -> None:
    """Take away the record of a revision that nobody will end; the objects stay, and Helm adopts its own again.

    Raises:
        ExternalError: the server does not answer, or refuses.
    """
    kubectl.run("delete", "secret", record.secret, "--ignore-not-found", namespace=namespace)
