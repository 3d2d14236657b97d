"""Read which versions of a chart a classic Helm repository lists in its ``index.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from yaml import YAMLError

from kiwi_core._spec.yamlevents import yaml_events
from kiwi_core.errors import InputError

__all__ = ["read_versions"]

MAX_DEPTH: Final = 100


def read_versions(text: str, chart: str) -> Sequence[str] | None:
    """Return the versions of a chart, as texts; None when there is no such chart.

    Such files are long, and somebody else's: they are read event by event, to a depth that they have, and nothing of other
    charts is kept.

    Raises:
        ValueError: it is no index.
    """
    versions: list[str] | None = None
    # For each level a mapping's key, which is None where one is expected, or "" for a list.
    path: list[str | None] = []
    lists: list[bool] = []
    has_entries = False
    try:
        for event in yaml_events(text, file="index.yaml", error=InputError):
            is_key = bool(path) and not lists[-1] and path[-1] is None
            match event.kind:
                case "document":
                    continue
                case "end":
                    path.pop()
                    lists.pop()
                case "scalar" if is_key:
                    path[-1] = event.text
                    continue
                case "mapping" | "list":
                    if len(path) == MAX_DEPTH:
                        raise ValueError(f"it has more than {MAX_DEPTH} levels")
                    has_entries = has_entries or (path == ["entries"] and event.kind == "mapping")
                    if path == ["entries", chart] and lists == [False, False] and event.kind == "list":
                        versions = []
                    path.append("" if event.kind == "list" else None)
                    lists.append(event.kind == "list")
                    continue
                case _:
                    if versions is not None and path == ["entries", chart, "", "version"]:
                        versions.append(event.text)
            if path and not lists[-1]:
                path[-1] = None
    except (InputError, YAMLError) as error:
        raise ValueError(str(error)) from error
    if not has_entries:
        raise ValueError("it has no entries")
    return versions
