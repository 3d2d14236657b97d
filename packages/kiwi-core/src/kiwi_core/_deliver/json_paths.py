"""Read a part of what an API server gave, where it may be there or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kiwi_core._model.capture import Json

__all__ = ["at", "list_at", "text_at"]


def at(tree: Json, *path: str) -> Json:
    """Return what stands at a path; None where nothing does."""
    for step in path:
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def text_at(tree: Json, *path: str) -> str:
    """Return the text at a path; an empty one where there is none."""
    found = at(tree, *path)
    return found if isinstance(found, str) else ""


def list_at(tree: Json, *path: str) -> Sequence[Json]:
    """Return the list at a path; an empty one where there is none."""
    found = at(tree, *path)
    return found if isinstance(found, list) else ()
