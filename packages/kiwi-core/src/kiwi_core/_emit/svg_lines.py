"""The lines of a picture: what colour each has, which are faded, where their heads point, and the legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final, TypeAlias

from kiwi_core._emit.graph import ORDER, Graph, Link
from kiwi_core._emit.layout import Curve, Layout
from kiwi_core._emit.markup import Markup, element, join

__all__ = ["fans_of", "heads", "legend", "lines", "weight_of"]

FAN: Final = 8
"""From so many lines at one end on, they are faded."""

KINDS: Final = ("postgres", "mariadb", "redis", "bucket", "oidc", "ldap", "smtp", "ingress", "llm", "search")
"""Kinds of services with a colour of their own; all others share one."""

Fans: TypeAlias = Collection[tuple[str, str]]
"""Names with ``before`` or ``after``: the ends of so many lines that they say little one by one."""

LETTER: Final = 6.6
"""The width of a letter of the legend, in a font that runs wide."""


def fans_of(graph: Graph) -> Fans:
    """Return the ends that so many others go before, or behind, that the lines say little one by one."""
    ends = Counter(
        end
        for link in graph.links
        if link.kind == ORDER and not link.implied
        for end in ((link.before, "before"), (link.after, "after"))
    )
    return {end for end, count in ends.items() if count >= FAN}


def weight_of(link: Link, fans: Fans) -> float:
    """Return how much it matters that a line is short: most where it is seen most."""
    if link.implied:
        return 0.1
    if link.kind != ORDER:
        return 3.0
    return 0.2 if _is_fan(link, fans) else 1.0


def _is_fan(link: Link, fans: Fans) -> bool:
    return link.kind == ORDER and ((link.before, "before") in fans or (link.after, "after") in fans)


def heads() -> Markup:
    """Return the heads of the lines, one of each colour."""
    found = [
        element(
            "marker",
            element("path", d="M0 0 6 3 0 6z", class_=f"head k-{slot}"),
            id=f"head-{slot}",
            markerWidth="6",
            markerHeight="6",
            refX="6",
            refY="3",
            orient="auto",
            markerUnits="userSpaceOnUse",
        )
        for slot in (ORDER, *KINDS, "other")
    ]
    return element("defs", join(found, ""))


def _slot(kind: str) -> str:
    return kind if kind in {ORDER, *KINDS} else "other"


def lines(graph: Graph, layout: Layout, number: Mapping[str, int], fans: Fans) -> Iterator[Markup]:
    """Yield the lines, those of services on top.

    Args:
        graph: whose.
        layout: where they go.
        number: of each node: what the style lights them up by.
        fans: those that are faded.
    """
    curves = {(curve.before, curve.after): curve for curve in layout.curves}
    for link in sorted(graph.links, key=lambda link: (not link.implied, link.kind != ORDER)):
        slot = _slot(link.kind)
        faded = " implied" if link.implied else " fan" if _is_fan(link, fans) else ""
        yield element(
            "path",
            element("title", f"{link.before} → {link.after} ({link.kind}): {'; '.join(link.because)}"),
            class_=f"l k-{slot}{faded} f{number[link.before]} t{number[link.after]}",
            d=_path(curves[link.before, link.after]),
            marker_end=f"url(#head-{slot})",
        )


def _path(curve: Curve) -> str:
    places = " ".join(f"{x:g} {y:g}" for x, y in (curve.first, curve.second, curve.end))
    return f"M{curve.start[0]:g} {curve.start[1]:g}C{places}"


def legend(graph: Graph, *, top: float, width: float) -> tuple[Markup, float]:
    """Return what the colours stand for, in rows of a width, and how high that is."""
    kinds = sorted({link.kind for link in graph.links if not link.implied}, key=lambda kind: (kind != ORDER, kind))
    x, y = 14.0, top + 21
    parts: list[Markup] = []
    for kind in kinds:
        words, slot = "goes before" if kind == ORDER else kind, _slot(kind)
        room = 31 + LETTER * len(words)
        if x + room > width and x > 14:  # noqa: PLR2004 -- where a row begins
            x, y = 14.0, y + 18
        line = f"M{x:g} {y - 4:g}h24"
        parts += (
            element("path", class_=f"l k-{slot}", d=line, marker_end=f"url(#head-{slot})"),
            element("text", words, x=x + 31, y=y),
        )
        x += room + 22
    return element("g", join(parts), class_="legend"), y - top + 13 if parts else 0.0
