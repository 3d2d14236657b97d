"""Releases that left the spec: found in the cluster, shown, and taken away where a person says so.

What holds data goes only by its name. Helm keeps what bears ``helm.sh/resource-policy: keep``, and Kubernetes keeps the
claims that a StatefulSet made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import attrs

from kiwi_core._deliver.helm import Helm
from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._deliver.manifests import read_manifests
from kiwi_core._model.snapshot import newest
from kiwi_core.errors import InputError, Problem, did_you_mean, raise_all

__all__ = ["Orphaned", "find_orphans", "remove_orphans"]

DATA: Final = frozenset({"PersistentVolumeClaim", "PersistentVolume"})
"""Kinds of objects that hold data and go with their release."""


@attrs.frozen(kw_only=True)
class Orphaned:
    """A release of the target's that its tree has no longer.

    Attributes:
        namespace, release: which.
        data: the objects of it that hold data and would go, as ``kind/name`` in lower case.
    """

    namespace: str
    release: str
    data: tuple[str, ...]

    def __str__(self) -> str:
        holds = f", which holds {', '.join(self.data)}" if self.data else ""
        return f"release {self.release} in {self.namespace}{holds}"


def find_orphans(
    kubectl: Kubectl, namespaces: Sequence[str], releases: Collection[str], helm: Helm
) -> tuple[Orphaned, ...]:
    """Return the releases that were delivered from a tree and are in it no longer.

    Raises:
        ExternalError: the cluster does not answer or refuses, or Helm does not.
    """
    return tuple(
        Orphaned(namespace=namespace, release=name, data=tuple(_data(namespace, name, helm)))
        for namespace in namespaces
        for name, record in sorted(newest(read_records(kubectl, namespace)).items())
        if name not in releases and record.tree
    )


def _data(namespace: str, release: str, helm: Helm) -> Iterator[str]:
    text = helm.run("get", "manifest", release, namespace=namespace)
    for item in read_manifests(text, release=release, source=release):
        kept = text_at(item.object, "metadata", "annotations", "helm.sh/resource-policy") == "keep"
        if item.kind in DATA and not kept:
            yield item.title.lower()


def remove_orphans(
    orphans: Sequence[Orphaned], delete_data: Sequence[str], helm: Helm, *, say: Callable[[str], None]
) -> None:
    """Uninstall releases, the last of the order first.

    Args:
        orphans: all that there are.
        delete_data: objects that may go although they hold data, as ``kind/name``.
        helm: what removes them.
        say: is told what goes.

    Raises:
        InputError: one of them holds data that was not named, or what was named is not there. Nothing is removed then.
        ExternalError: Helm failed.
    """
    there = [data for orphan in orphans for data in orphan.data]
    problems = [
        Problem(f"{name} is in no release that left the spec", hint=did_you_mean(name, there, otherwise="there is"))
        for name in delete_data
        if name not in there
    ]
    problems += [
        Problem(f"{orphan}: its data would go with it", hint=f"where it may: --delete-data {data}")
        for orphan in orphans
        for data in orphan.data
        if data not in delete_data
    ]
    raise_all(InputError, problems)
    for orphan in reversed(orphans):
        helm.run("uninstall", orphan.release, "--wait", namespace=orphan.namespace)
        say(f"{orphan} is removed")
