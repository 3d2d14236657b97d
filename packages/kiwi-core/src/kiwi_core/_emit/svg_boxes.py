"""The boxes of a picture: names that are broken into lines, versions, and marks of the live state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from kiwi_core._emit.graph import Node
from kiwi_core._emit.layout import Box
from kiwi_core._emit.live import Live
from kiwi_core._emit.markup import Markup, element

__all__ = ["box", "height_of", "told"]

LINE: Final = 14.0
VERSION_LINE: Final = 13.0
MARGIN: Final = 8.0
"""Above and below the lines of a box."""
LETTERS: Final = 18
"""Of a line in a box, in a font that runs wide."""
LINES: Final = 3


def height_of(node: Node) -> float:
    """Return how high the box of a node has to be."""
    return LINE * len(_lines(node.name)) + (VERSION_LINE if _small(node) else 0) + 2 * MARGIN


def told(node: Node, live: Live | None) -> str:
    """Return what a box says to those who ask for more, or cannot see it."""
    seen = live.releases.get(node.name) if live else None
    words: Collection[str] = (node.name, node.version, seen.state.value if seen else "", node.lane, node.namespace)
    return ", ".join(word for word in words if word)


def box(node: Node, place: Box, live: Live | None) -> Iterator[Markup]:
    """Yield what a box is drawn of."""
    yield element("rect", x=place.x, y=place.y, width=place.width, height=place.height, rx=7.0)
    y = place.y + MARGIN + 10
    for line in _lines(node.name):
        yield element("text", line, class_="name", x=place.x + 10, y=y)
        y += LINE
    if small := _small(node):
        yield element("text", _cut(small, LETTERS + 2), class_="small", x=place.x + 10, y=y - 1)
    seen = live.releases.get(node.name) if live else None
    if seen:
        x = place.x + place.width - 4
        yield element("circle", cx=x, cy=place.y + 4, r=8.0, class_=f"state s-{seen.state.name.lower()}")
        yield element("text", seen.state.mark, x=x, y=place.y + 7.5, class_="mark")


def _lines(name: str) -> Sequence[str]:
    """Break a name behind hyphens into lines of a box; what is too long for them ends in an ellipsis."""
    lines = [""]
    pieces = [f"{piece}-" for piece in name.split("-")]
    pieces[-1] = pieces[-1][:-1]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > LETTERS:
            lines.append("")
        lines[-1] += piece
    shown = [_cut(line, LETTERS) for line in lines[:LINES]]
    return shown if len(lines) <= LINES else [*shown[:-1], f"{shown[-1][: LETTERS - 1].rstrip('-…')}…"]


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _small(node: Node) -> str:
    """Return what stands below a name, smaller."""
    return node.namespace if node.role == "shared" else node.version
