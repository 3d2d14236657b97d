"""A tree: what a build writes, as a map of path to bytes, with its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from kiwi_core._compose.stack import Stack
from kiwi_core.errors import PluginError, Problem, raise_all

__all__ = ["MANIFEST", "Emitter", "Tree", "emit", "manifest_of"]

Tree: TypeAlias = Mapping[str, bytes]
"""Path, with forward slashes, to content."""

Emitter: TypeAlias = Callable[[Stack], Tree]
"""A pure function that writes one part of the tree."""

MANIFEST: Final = "manifest.json"
"""The file that lists every other file of a tree with its SHA-256: what is ours in the output folder."""


def emit(stack: Stack, emitters: Iterable[Emitter]) -> Tree:
    """Run the emitters and add the manifest.

    Raises:
        PluginError: two emitters write one file.
    """
    tree: dict[str, bytes] = {}
    problems: list[Problem] = []
    for emitter in emitters:
        part = emitter(stack)
        problems += [
            Problem(f"emitter {emitter.__name__} writes {path!r}, which another one writes too")
            for path in part
            if path in tree or path == MANIFEST
        ]
        tree.update(part)
    raise_all(PluginError, problems)
    tree = dict(sorted(tree.items()))
    return {**tree, MANIFEST: manifest_of(tree, stack)}


def manifest_of(tree: Tree, stack: Stack) -> bytes:
    """Return the manifest: the target, the digest of each file, and one of the whole."""
    files = {path: hashlib.sha256(content).hexdigest() for path, content in tree.items()}
    whole = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = {
        "target": stack.tenant.namespace,
        "cluster": stack.tenant.cluster,
        "lane": stack.lane.value,
        "digest": f"sha256:{whole}",
        "files": files,
    }
    return json.dumps(manifest, indent=1).encode() + b"\n"
