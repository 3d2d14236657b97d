"""Kubernetes objects that stand in values: what a chart renders as it is (``extraManifests``, ``extraDeploy``, …)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._model.late import Late, Path, Value, leaves, skeleton

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


def objects_in(values: Mapping[str, Value]) -> Iterator[Found]:
    """Yield the objects in values: maps with ``apiVersion`` and ``kind``, and texts that hold such YAML."""
    yield from _maps(values, ())
    for path, leaf in leaves(values):
        text = skeleton(leaf, lambda _: "late") if isinstance(leaf, Late) else leaf
        if isinstance(text, str) and "apiVersion:" in text:
            yield from _documents(text, path)


def _maps(tree: Value, path: Path) -> Iterator[Found]:
    if isinstance(tree, Mapping):
        kind = tree.get("kind")
        # A reference to an object has its name beside its kind.
        if "apiVersion" in tree and isinstance(kind, str) and "name" not in tree:
            meta = tree.get("metadata")
            name = meta.get("name") if isinstance(meta, Mapping) else None
            yield Found(path=path, kind=kind, name=name if isinstance(name, str) else "")
        for key, item in tree.items():
            yield from _maps(item, (*path, key))
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for index, item in enumerate(tree):
            yield from _maps(item, (*path, index))


def _documents(text: str, path: Path) -> Iterator[Found]:
    for document in DOCUMENT.split(text):
        columns = {len(version[1]) for version in VERSION.finditer(document)}
        spaces = tuple(NAMESPACE.findall(document))
        for kind in KIND.finditer(document):
            if len(kind[1]) in columns:
                name = NAME.search(document, kind.end())
                yield Found(path=path, kind=kind[2], name=name[1] if name else "", namespaces=spaces)
