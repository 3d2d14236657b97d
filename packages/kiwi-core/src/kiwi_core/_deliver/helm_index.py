"""Read which versions of a chart a classic Helm repository lists in its ``index.yaml``, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
from yaml import YAMLError

from kiwi_core._spec.yamlevents import yaml_events
from kiwi_core.errors import InputError

__all__ = ["Entry", "read_entry", "read_versions"]

MAX_DEPTH: Final = 100


@attrs.define
class Entry:
    """A version of a chart, as an index has it.

    Attributes:
        version: the version.
        digest: the SHA-256 of its archive; empty where the index does not say.
        urls: where the archive is, relative to the index.
    """

    version: str = ""
    digest: str = ""
    urls: list[str] = attrs.field(factory=list[str])

    def take(self, path: Sequence[str | None], text: str) -> None:
        """Take a text of the index where it is one that counts."""
        match path:
            case ["version"]:
                self.version = text
            case ["digest"]:
                self.digest = text
            case ["urls", ""]:
                self.urls.append(text)
            case _:
                pass


def read_versions(text: str, chart: str) -> Sequence[str] | None:
    """Return the versions of a chart, as texts; None when there is no such chart.

    Raises:
        ValueError: it is no index.
    """
    entries = _entries(text, chart)
    return None if entries is None else [entry.version for entry in entries if entry.version]


def read_entry(text: str, chart: str, version: str) -> Entry | None:
    """Return what an index says of a version of a chart; None when there is none.

    A leading ``v`` may be there on one side only, as Helm takes it.

    Raises:
        ValueError: it is no index.
    """
    entries = _entries(text, chart) or ()
    exact = [entry for entry in entries if entry.version == version]
    alike = [entry for entry in entries if entry.version.removeprefix("v") == version.removeprefix("v")]
    return next(iter(exact or alike), None)


def _entries(text: str, chart: str) -> Sequence[Entry] | None:
    """Return the versions of a chart.

    Such files are long, and somebody else's: they are read event by event, to a depth that they have, and nothing of other
    charts is kept.
    """
    entries: list[Entry] | None = None
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
                        entries = []
                    if entries is not None and path == ["entries", chart, ""] and event.kind == "mapping":
                        entries.append(Entry())
                    path.append("" if event.kind == "list" else None)
                    lists.append(event.kind == "list")
                    continue
                case _ if entries and path[:3] == ["entries", chart, ""]:
                    entries[-1].take(path[3:], event.text)
                case _:
                    pass
            if path and not lists[-1]:
                path[-1] = None
    except (InputError, YAMLError) as error:
        raise ValueError(str(error)) from error
    if not has_entries:
        raise ValueError("it has no entries")
    return entries
