"""A graph as a picture: SVG that stands alone, or in a page, where each box leads to the row of its release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kiwi_core._emit.graph import ORDER, SHARED, Graph, Link, Node
from kiwi_core._emit.layout import Item, Layout, lay_out
from kiwi_core._emit.live import Live
from kiwi_core._emit.markup import Markup, element, join, raw
from kiwi_core._emit.svg_boxes import box, height_of, told
from kiwi_core._emit.svg_lines import fans_of, heads, legend, lines, weight_of

__all__ = ["anchor", "draw", "style_of"]

STAGES: Final = 2
"""Whose names stand in the head of a lane: there are no more of one number."""
WIDE: Final = 1080.0
"""A wider picture may be scaled down to this, so that it fits."""
HIGHLIGHTED: Final = 400
"""A picture of more boxes lights up none: its style would be longer than itself."""


def anchor(name: str) -> str:
    """Return the id of the row of a release in a page."""
    return f"release-{quote(name, safe='')}"


def draw(graph: Graph, *, live: Live | None = None, is_page: bool = False) -> Markup:
    """Draw a graph.

    Args:
        graph: what to draw.
        live: the state that was seen, for a mark on each box.
        is_page: whether it stands in a page, whose style it then has; otherwise it has one of its own.
    """
    items = [Item(name=node.name, lane=_lane(node), height=height_of(node)) for node in graph.nodes]
    lanes = sorted({item.lane for item in items}, key=lambda lane: (lane != SHARED, lane))
    fans = fans_of(graph)
    layout = lay_out(items, {(link.before, link.after): weight_of(link, fans) for link in graph.links}, lanes)
    number = {node.name: index for index, node in enumerate(graph.nodes)}
    key, more = legend(graph, top=layout.height, width=layout.width)
    height = layout.height + more
    parts = [
        element("title", f"{graph.title}: releases by stage", id="drawing-title"),
        element("desc", _description(graph), id="drawing-text"),
        *([] if is_page else [element("style", raw(style_of(graph)))]),
        element("rect", class_="ground", width=layout.width, height=height),
        heads(),
        join(list(_strips(layout, graph))),
        element("g", join(list(lines(graph, layout, number, fans))), class_="links"),
        element("g", join(list(_nodes(graph, layout, number, live, is_page=is_page))), class_="nodes"),
        key,
    ]
    return element(
        "svg",
        join(parts),
        xmlns="http://www.w3.org/2000/svg",
        class_="picture wide" if layout.width > WIDE else "picture",
        viewBox=f"0 0 {layout.width:g} {height:g}",
        width=layout.width,
        height=height,
        role="group",
        aria_labelledby="drawing-title drawing-text",
    )


def style_of(graph: Graph) -> str:
    """Return the style of a picture: the same for all, and what lights up the links of one release."""
    style = Path(__file__).with_name("graph.css").read_text(encoding="utf-8")
    return "\n".join((style, *_highlights(graph)))


def _highlights(graph: Graph) -> Iterator[str]:
    """Yield what shows, without a script, the links and neighbours of a box that is pointed at, and whose row is chosen."""
    if len(graph.nodes) > HIGHLIGHTED:
        return
    for index in range(len(graph.nodes)):
        chosen = f":root:has(.n{index}:is(:hover,:focus-visible))"
        yield f"{chosen} :is(.f{index},.t{index}){{opacity:1}}"
        yield f"{chosen} .n:not(.n{index},.x{index}){{opacity:.3}}"
        yield f":root:has(.r{index}:target) .n{index} rect{{stroke-width:3}}"


def _lane(node: Node) -> str:
    """Return the lane of a node: stages of one number are not ordered among each other, and share it."""
    return node.lane if node.lane == SHARED else node.lane.partition("-")[0]


def _description(graph: Graph) -> str:
    releases = sum(node.role != "shared" for node in graph.nodes)
    kinds = ", ".join(sorted({link.kind for link in graph.links if link.kind != ORDER}))
    services = f" Coloured lines are services that are used: {kinds}." if kinds else ""
    return (
        f"{releases} releases in the order of their stages, from left to right. A line leads from what must be ready to "
        f"what needs it.{services}"
    )


def _strips(layout: Layout, graph: Graph) -> Iterator[Markup]:
    stages: dict[str, list[str]] = {}
    for node in graph.nodes:
        stage = node.lane.partition("-")[2]
        if stage not in stages.setdefault(_lane(node), []):
            stages[_lane(node)].append(stage)
    for strip in layout.strips:
        rect = element("rect", class_="lane", x=strip.x, y=0.0, width=strip.width, height=layout.height, rx=10.0)
        shared = strip.lane == SHARED
        head, names = ("shared", ["runs already"]) if shared else (strip.lane, sorted(stages[strip.lane]))
        parts = [element("title", f"{head} {', '.join(names)}"), rect]
        parts.append(element("text", head, class_="lane-head", x=strip.x + 14, y=20.0))
        for number, name in enumerate(names[:STAGES]):
            parts.append(element("text", name, class_="lane-name", x=strip.x + 14, y=34.0 + 12 * number))
        yield element("g", *parts)


def _nodes(
    graph: Graph,
    layout: Layout,
    number: Mapping[str, int],
    live: Live | None,
    *,
    is_page: bool,
) -> Iterator[Markup]:
    near = _neighbours(graph.links, number)
    for node in graph.nodes:
        classes = ["n", f"role-{node.role}", f"n{number[node.name]}", *near.get(node.name, ())]
        drawn = (element("title", told(node, live)), *box(node, layout.boxes[node.name], live))
        if is_page and node.role != "shared":
            yield element("a", *drawn, href=f"#{quote(anchor(node.name))}", class_=" ".join(classes))
        else:
            yield element("g", *drawn, class_=" ".join(classes), tabindex="0")


def _neighbours(links: Iterable[Link], number: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
    near: dict[str, list[str]] = {}
    if len(number) <= HIGHLIGHTED:
        for link in links:
            near.setdefault(link.before, []).append(f"x{number[link.after]}")
            near.setdefault(link.after, []).append(f"x{number[link.before]}")
    return near
