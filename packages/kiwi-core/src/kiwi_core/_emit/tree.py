"""A tree: what a build writes, as a map of path to bytes, with its manifest."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final, TypeAlias, cast

from kiwi_core._compose.asking import ask
from kiwi_core._compose.sharing import digest_of, with_gateways
from kiwi_core._compose.stack import Stack
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import PluginError, Problem, raise_all

__all__ = ["MANIFEST", "TREE_DIGITS", "TREE_LABEL", "Emitter", "Tree", "emit", "is_path", "manifest_of"]

Tree: TypeAlias = Mapping[str, bytes]
"""Path, with forward slashes, to content."""

Emitter: TypeAlias = Callable[[Stack], Tree]
"""A pure function that writes one part of the tree."""

MANIFEST: Final = "manifest.json"
"""The file that lists every other file of a tree with its SHA-256: what is ours in the output folder."""

TREE_LABEL: Final = "kiwistack.dev/tree"
"""Of a Helm release's record: the tree that it was delivered from."""

TREE_DIGITS: Final = 32
"""How much of the tree's digest that label has."""


def emit(stack: Stack, emitters: Iterable[Emitter]) -> Tree:
    """Run the emitters and add the manifest.

    Raises:
        PluginError: two emitters write one file, or one fails or writes what is no file of a tree.
    """
    tree: dict[str, bytes] = {}
    problems: list[Problem] = []
    for emitter in emitters:
        name = f"emitter {getattr(emitter, '__name__', repr(emitter))}"
        part = cast("Mapping[str, object]", ask(name, "its call", functools.partial(emitter, stack), Mapping))
        for path, content in part.items():
            if path in tree or path == MANIFEST:
                problems.append(Problem(f"{name} writes {path!r}, which another one writes too"))
            elif not is_path(path):
                problems.append(Problem(f"{name} writes {path!r}, expected a path within the tree such as 'a/b.yaml'"))
            elif not isinstance(content, bytes):
                problems.append(Problem(f"{name} writes {type(content).__name__} to {path!r}, expected bytes"))
            else:
                tree[path] = content
    raise_all(PluginError, problems)
    tree = dict(sorted(tree.items()))
    return {**tree, MANIFEST: manifest_of(tree, stack)}


def is_path(name: str) -> bool:
    """Whether a name is a path of a file within a tree: relative, in its shortest form, and fit to be shown."""
    path = PurePosixPath(name)
    is_plain = bool(path.parts) and str(path) == name and name.isprintable()
    return is_plain and not path.is_absolute() and ".." not in path.parts and name != MANIFEST


def manifest_of(tree: Tree, stack: Stack) -> bytes:
    """Return the manifest: the target, the digest of each file, and one of the whole."""
    files = {path: hashlib.sha256(content).hexdigest() for path, content in tree.items()}
    whole = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = {
        **_target(stack),
        "lane": stack.lane.value,
        "digest": f"sha256:{whole}",
        "files": files,
    }
    return json.dumps(manifest, indent=1).encode() + b"\n"


def _target(stack: Stack) -> Mapping[str, object]:
    target, tree = stack.target, stack.inputs.cluster_tree
    if isinstance(target, Tenant):
        return {"target": target.namespace, "cluster": target.cluster, "cluster_tree": tree.digest if tree else None}
    return {
        "target": target.name,
        "cluster": target.name,
        "customers": [customer.slug for customer in target.customers],
        "shared": digest_of(with_gateways(target, stack.inputs.packages)),
    }
