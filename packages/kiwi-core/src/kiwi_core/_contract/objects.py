"""Kubernetes objects that stand in values: what a chart renders as it is (``extraManifests``, ``extraDeploy``, …)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from kiwi_core._compose.stack import StackRelease
from kiwi_core._compose.values import get
from kiwi_core._model.late import Late, Path, Value, skeleton

__all__ = ["Found", "objects_in"]

DOCUMENT: Final = re.compile(r"(?m)^---")
# Keys of a YAML document, with the column where each begins: an object's kind stands in that of its version.
VERSION: Final = re.compile(r"(?m)^([ -]*)apiVersion:")
KIND: Final = re.compile(r"""(?m)^([ -]*)kind:\s*["']?(\w+)""")
NAME: Final = re.compile(r"""(?m)^ +name:\s*["']?([\w.:-]+)""")
NAMESPACE: Final = re.compile(r"""(?m)^[ -]*namespace:\s*["']?([\w.-]+)""")


@attrs.frozen(kw_only=True)
class Found:
    """An object in values.

    Attributes:
        path: where it stands.
        kind, name: what it is; the name is empty where it is made up by a template.
        namespaces: those that it names, where it is a text; a map's own are values like any other.
    """

    path: Path
    kind: str
    name: str
    namespaces: tuple[str, ...] = ()


def objects_in(release: StackRelease) -> Iterator[Found]:
    """Yield the objects in a release's values: maps with ``apiVersion`` and ``kind``, and texts that hold such YAML."""
    for path, leaf in release.leaves:
        if path[-1:] == ("apiVersion",):
            yield from _map(get(release.values, path[:-1]), path[:-1])
        text = skeleton(leaf, lambda _: "late") if isinstance(leaf, Late) else leaf
        if isinstance(text, str) and "apiVersion:" in text:
            yield from _documents(text, path)


def _map(tree: Value, path: Path) -> Iterator[Found]:
    kind = tree.get("kind") if isinstance(tree, Mapping) else None
    # A reference to an object has its name beside its kind.
    if isinstance(tree, Mapping) and isinstance(kind, str) and "name" not in tree:
        meta = tree.get("metadata")
        name = meta.get("name") if isinstance(meta, Mapping) else None
        yield Found(path=path, kind=kind, name=name if isinstance(name, str) else "")


def _documents(text: str, path: Path) -> Iterator[Found]:
    for document in DOCUMENT.split(text):
        columns = {len(version[1]) for version in VERSION.finditer(document)}
        spaces = tuple(NAMESPACE.findall(document))
        for kind in KIND.finditer(document):
            if len(kind[1]) in columns:
                name = NAME.search(document, kind.end())
                yield Found(path=path, kind=kind[2], name=name[1] if name else "", namespaces=spaces)
