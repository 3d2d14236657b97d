"""``kiwistack graph``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown

if TYPE_CHECKING:
    from kiwi_core._emit.graph import Graph

__all__ = ["graph"]


def graph(*, path: Path, lane: str | None, out: Path | None, as_json: bool) -> int:
    """Draw a target's releases by stage, with what they use and wait for; or tell them as JSON."""
    project = engine.load(path, Lane(lane) if lane else None)
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._emit.graph import graph_of

    found = graph_of(project.stack)
    text = _json(found) if as_json else _svg(found)
    if out:
        replace_files({out: text.encode()})
        print(f"{shown(out)}: {len(found.nodes)} boxes, {len(found.links)} lines", file=sys.stderr)
    else:
        print(text, end="")
    return 0


def _json(found: Graph) -> str:
    nodes, edges = ([attrs.asdict(each) for each in part] for part in (found.nodes, found.links))
    return json.dumps({"target": found.title, "nodes": nodes, "edges": edges}, indent=1) + "\n"


def _svg(found: Graph) -> str:
    from kiwi_core._emit.svg import draw

    # What is no ASCII as references, since a terminal or a pipe may have any encoding.
    drawn = draw(found).encode("ascii", "xmlcharrefreplace").decode()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn}\n'
