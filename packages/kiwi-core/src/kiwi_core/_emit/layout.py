"""Where the boxes and curves of a layered picture go. Pure: the same items and links give the same places.

Layers, an order within each that lets few lines cross, and places: the steps of K. Sugiyama, S. Tagawa and M. Toda,
"Methods for Visual Understanding of Hierarchical System Structures", IEEE Transactions on Systems, Man, and
Cybernetics 11(2), 1981, pages 109 to 125. Two things differ. A lane, which has its items for a reason of its own, is cut
into columns of equal length, so that the picture stays as wide as a page; a link between two items of one column bows out
at its side. And a link over several columns is one curve behind the boxes, without a place of its own in between.

No library is used: grandalf, the one that does this in pure Python, had its last release in January 2023, is under GPL
or EPL, knows no lanes, and would be a dependency for what are two hundred lines here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import attrs

__all__ = ["Box", "Curve", "Item", "Layout", "Strip", "lay_out"]

WIDTH: Final = 144.0
"""Of a box; all sizes are in user units of SVG, which are CSS pixels where the picture is not scaled."""
COLUMN_GAP: Final = 34.0
ROW_GAP: Final = 11.0
PADDING: Final = 14.0
"""Between a lane's edge and its boxes."""
LANE_GAP: Final = 14.0
HEAD: Final = 56.0
"""For the name of a lane."""
BOW: Final = 18.0
"""How far the handles of a link within a column stand out: the link itself stays within the padding."""
COLUMNS: Final = 9
"""Of a picture, unless it has more lanes."""
ROWS: Final = 5
"""A lane with no more boxes than these is not cut."""
SWEEPS: Final = 8

Columns: TypeAlias = "list[list[str]]"
Pair: TypeAlias = tuple[str, str]


@attrs.frozen(kw_only=True)
class Item:
    """What becomes a box.

    Attributes:
        name: unique.
        lane: the lane that it stands in.
        height: of the box.
    """

    name: str
    lane: str
    height: float


class Box(NamedTuple):
    """A rectangle: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


class Strip(NamedTuple):
    """A lane, from the top of the picture to its bottom."""

    lane: str
    x: float
    width: float


class Curve(NamedTuple):
    """A cubic Bézier curve from the right side of one box to a side of another."""

    before: str
    after: str
    start: tuple[float, float]
    first: tuple[float, float]
    second: tuple[float, float]
    end: tuple[float, float]


@attrs.frozen(kw_only=True)
class Layout:
    """A picture's places.

    Attributes:
        boxes: by the name of the item.
        strips: the lanes, from left to right.
        curves: in the order of the links.
    """

    width: float
    height: float
    boxes: Mapping[str, Box]
    strips: tuple[Strip, ...]
    curves: tuple[Curve, ...]


def lay_out(items: Sequence[Item], links: Mapping[Pair, float], lanes: Sequence[str]) -> Layout:
    """Give every item and link its place.

    Args:
        items: in an order in which no link points backward.
        links: pairs of names of items, none twice the same one, with how much it matters that the link is short.
        lanes: from left to right; one without items gets no place.
    """
    known = {item.name: item for item in items}
    pairs = dict(sorted(links.items()))
    used = [lane for lane in dict.fromkeys(lanes) if any(item.lane == lane for item in items)]
    cut = _columns(items, pairs, used)
    columns = _untangle([column for lane in used for column in cut[lane]], pairs)
    height = max((_height(column, known) for column in columns), default=0.0)
    boxes: dict[str, Box] = {}
    strips: list[Strip] = []
    x, rest = 0.0, iter(columns)
    for lane in used:
        start = x
        x += PADDING
        for number in range(len(cut[lane])):
            column = next(rest)
            x += COLUMN_GAP if number else 0.0
            y = HEAD + (height - _height(column, known)) / 2
            for name in column:
                boxes[name] = Box(x, y, WIDTH, known[name].height)
                y += known[name].height + ROW_GAP
            x += WIDTH
        x += PADDING
        strips.append(Strip(lane, start, x - start))
        x += LANE_GAP
    return Layout(
        width=max(0.0, x - LANE_GAP),
        height=HEAD + height + PADDING,
        boxes=boxes,
        strips=tuple(strips),
        curves=tuple(_curve(before, after, boxes) for before, after in pairs),
    )


def _height(column: Sequence[str], known: Mapping[str, Item]) -> float:
    return sum(known[name].height for name in column) + ROW_GAP * max(0, len(column) - 1)


def _columns(items: Sequence[Item], pairs: Mapping[Pair, float], lanes: Sequence[str]) -> Mapping[str, Columns]:
    """Cut each lane into columns, the fullest first; within a lane no link points to a column further left."""
    lane_of = {item.name: item.lane for item in items}
    before: dict[str, list[str]] = {}
    for first, second in pairs:
        if lane_of[first] == lane_of[second]:
            before.setdefault(second, []).append(first)
    depth: dict[str, int] = {}
    members: dict[str, list[str]] = {lane: [] for lane in lanes}
    for item in items:
        depth[item.name] = max((depth[name] + 1 for name in before.get(item.name, ())), default=0)
        members[item.lane].append(item.name)
    number = dict.fromkeys(lanes, 1)
    for _ in range(COLUMNS - len(lanes)):
        lane = max(lanes, key=lambda lane: len(members[lane]) / number[lane], default="")
        if not lane or len(members[lane]) <= ROWS * number[lane]:
            break
        number[lane] += 1
    found: dict[str, Columns] = {}
    for lane, names in members.items():
        names.sort(key=depth.__getitem__)
        ends = [len(names) * part // number[lane] for part in range(number[lane] + 1)]
        found[lane] = [names[start:end] for start, end in itertools.pairwise(ends)]
    return found


def _untangle(columns: Columns, pairs: Mapping[Pair, float]) -> Columns:
    """Order each column by the mean place of what its items are linked to, to and fro; return the best that was seen."""
    place = {name: number for number, column in enumerate(columns) for name in column}
    left: dict[str, list[tuple[str, float]]] = {name: [] for name in place}
    right: dict[str, list[tuple[str, float]]] = {name: [] for name in place}
    for pair, weight in pairs.items():
        first, second = sorted(pair, key=place.__getitem__)
        if place[first] != place[second]:
            left[second].append((first, weight))
            right[first].append((second, weight))
    rows: dict[str, float] = {}
    for column in columns:
        _number(column, rows)
    best, least = [list(column) for column in columns], _length(pairs, rows)
    for sweep in range(SWEEPS):
        linked, order = (left, columns) if sweep % 2 == 0 else (right, columns[::-1])
        for column in order:
            means = {name: _mean(linked[name], rows, rows[name]) for name in column}
            column.sort(key=lambda name: (means[name], rows[name]))
            _number(column, rows)
        length = _length(pairs, rows)
        if length < least:
            best, least = [list(column) for column in columns], length
    return best


def _number(column: Sequence[str], rows: dict[str, float]) -> None:
    """Give the items of a column their rows; columns are centred, so the middle one is row 0."""
    for number, name in enumerate(column):
        rows[name] = number - (len(column) - 1) / 2


def _mean(linked: Sequence[tuple[str, float]], rows: Mapping[str, float], otherwise: float) -> float:
    weight = sum(weight for _, weight in linked)
    return sum(rows[name] * weight for name, weight in linked) / weight if weight else otherwise


def _length(pairs: Mapping[Pair, float], rows: Mapping[str, float]) -> float:
    """Return how far up and down all links go together: what crossings and long ways have in common."""
    return sum(abs(rows[first] - rows[second]) * weight for (first, second), weight in pairs.items())


def _curve(before: str, after: str, boxes: Mapping[str, Box]) -> Curve:
    one, other = boxes[before], boxes[after]
    start = (one.x + one.width, one.y + one.height / 2)
    if one.x == other.x:
        end = (other.x + other.width, other.y + other.height / 2)
        return Curve(before, after, start, (start[0] + BOW, start[1]), (end[0] + BOW, end[1]), end)
    end = (other.x, other.y + other.height / 2)
    reach = max(COLUMN_GAP, abs(end[0] - start[0]) / 2)
    return Curve(before, after, start, (start[0] + reach, start[1]), (end[0] - reach, end[1]), end)
