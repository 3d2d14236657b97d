"""What earlier builds say of themselves: the manifests of trees on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from kiwi_core._compose.sharing import ClusterTree
from kiwi_core._emit.tree import MANIFEST
from kiwi_core.errors import OutputError, Problem, Where

__all__ = ["checked_against", "cluster_tree"]


def cluster_tree(folder: Path) -> ClusterTree | None:
    """Return what a cluster was built to, or None when there is no tree.

    Raises:
        OutputError: the folder holds the manifest of something else.
    """
    manifest = _manifest(folder)
    if manifest is None:
        return None
    digest, shared, customers = (manifest.get(key) for key in ("digest", "shared", "customers"))
    if not isinstance(digest, str) or not isinstance(shared, str) or not isinstance(customers, list):
        raise OutputError(
            Problem(
                "this is no manifest of a cluster's tree",
                Where(str(folder / MANIFEST)),
                "build the cluster again, with --force where something else is in the way",
            )
        )
    slugs = tuple(str(slug) for slug in cast("list[object]", customers))
    return ClusterTree(digest=digest, shared=shared, customers=slugs)


def checked_against(folder: Path) -> str | None:
    """Return the digest of the cluster's tree that a tenant's tree records, or None when there is none of either.

    Raises:
        OutputError: the manifest cannot be read.
    """
    digest = (_manifest(folder) or {}).get("cluster_tree")
    return digest if isinstance(digest, str) else None


def _manifest(folder: Path) -> Mapping[str, object] | None:
    path = folder / MANIFEST
    try:
        manifest: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(Problem(f"it cannot be read: {error}", Where(str(path)), "build it again")) from None
    if not isinstance(manifest, dict):
        raise OutputError(Problem("this is no manifest of a build", Where(str(path)), "build it again with --force"))
    return cast("dict[str, object]", manifest)
