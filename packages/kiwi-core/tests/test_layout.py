"""The layout of a picture: boxes apart, lines that touch them, the same for the same graph, and quick."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._emit.layout import BOW, COLUMNS, PADDING, Box, Item, Layout, lay_out

LANES = ("shared", "000", "030", "050", "090")

Links = dict[tuple[str, str], float]


@st.composite
def pictures(draw: st.DrawFn) -> tuple[list[Item], Links]:
    """Items in lanes, in an order that all links follow; lanes need not."""
    count = draw(st.integers(0, 40))
    items = [
        Item(name=f"n{index}", lane=draw(st.sampled_from(LANES)), height=draw(st.sampled_from((30.0, 43.0, 71.0))))
        for index in range(count)
    ]
    pairs = list(itertools.combinations([item.name for item in items], 2))
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=80)) if pairs else []
    return items, {pair: draw(st.sampled_from((0.1, 1.0, 3.0))) for pair in chosen}


def touches(point: tuple[float, float], box: Box) -> bool:
    """Whether a point is on the left or right side of a box."""
    x, y = point
    return x in {box.x, box.x + box.width} and box.y <= y <= box.y + box.height


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(pictures())
def test_no_two_boxes_overlap_and_all_are_within_the_picture(picture: tuple[list[Item], Links]) -> None:
    items, links = picture
    layout = lay_out(items, links, LANES)
    assert set(layout.boxes) == {item.name for item in items}
    assert not any(overlap(one, other) for one, other in itertools.combinations(layout.boxes.values(), 2))
    for box in layout.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height


@given(pictures())
def test_each_box_is_within_its_lane_and_lanes_are_apart(picture: tuple[list[Item], Links]) -> None:
    items, links = picture
    layout = lay_out(items, links, LANES)
    strips = {strip.lane: strip for strip in layout.strips}
    assert list(strips) == [lane for lane in LANES if any(item.lane == lane for item in items)]
    assert all(one.x + one.width < other.x for one, other in itertools.pairwise(layout.strips))
    for item in items:
        strip, box = strips[item.lane], layout.boxes[item.name]
        assert strip.x < box.x
        assert box.x + box.width < strip.x + strip.width


@given(pictures())
def test_each_line_touches_the_boxes_that_it_is_of(picture: tuple[list[Item], Links]) -> None:
    items, links = picture
    layout = lay_out(items, links, LANES)
    assert [(curve.before, curve.after) for curve in layout.curves] == sorted(links)
    for curve in layout.curves:
        assert touches(curve.start, layout.boxes[curve.before])
        assert touches(curve.end, layout.boxes[curve.after])


@given(pictures())
def test_within_a_lane_no_line_leads_to_the_left(picture: tuple[list[Item], Links]) -> None:
    items, links = picture
    layout = lay_out(items, links, LANES)
    lane = {item.name: item.lane for item in items}
    assert all(layout.boxes[one].x <= layout.boxes[other].x for one, other in links if lane[one] == lane[other])


@given(pictures(), st.randoms(use_true_random=False))
def test_the_layout_does_not_depend_on_the_order_of_the_links(
    picture: tuple[list[Item], Links], shuffler: random.Random
) -> None:
    items, links = picture
    shuffled = list(links.items())
    shuffler.shuffle(shuffled)
    assert lay_out(items, dict(shuffled), LANES) == lay_out(items, links, LANES)


def places(layout: Layout) -> Mapping[float, Sequence[str]]:
    """The names in each column, from top to bottom."""
    columns: dict[float, list[str]] = {}
    for name, box in sorted(layout.boxes.items(), key=lambda item: item[1].y):
        columns.setdefault(box.x, []).append(name)
    return columns


def test_lines_that_need_not_cross_do_not() -> None:
    left = [Item(name=f"a{index}", lane="000", height=30) for index in range(5)]
    right = [Item(name=f"b{index}", lane="030", height=30) for index in range(5)]
    links = {(f"a{index}", f"b{4 - index}"): 1.0 for index in range(5)}
    layout = lay_out([*left, *right], links, LANES)
    one, other = places(layout).values()
    assert [name[1] for name in one] == [str(4 - int(name[1])) for name in other]


def test_a_long_chain_in_one_lane_goes_from_the_left_to_the_right() -> None:
    names = [f"n{index:02}" for index in range(24)]
    chain = dict.fromkeys(itertools.pairwise(names[::-1]), 1.0)
    layout = lay_out([Item(name=name, lane="000", height=30) for name in names[::-1]], chain, LANES)
    assert len(places(layout)) > 1
    assert [name for _, column in sorted(places(layout).items()) for name in sorted(column)[::-1]] == names[::-1]


def test_what_matters_more_is_shorter() -> None:
    left = [Item(name=name, lane="000", height=30) for name in ("a", "b", "c")]
    links = {("a", "x"): 0.1, ("c", "x"): 0.1, ("c", "y"): 5.0, ("a", "z"): 5.0}
    layout = lay_out([*left, *(Item(name=name, lane="030", height=30) for name in "xyz")], links, LANES)
    assert abs(layout.boxes["c"].y - layout.boxes["y"].y) < 5
    assert abs(layout.boxes["a"].y - layout.boxes["z"].y) < 5


def test_a_line_within_a_column_stays_within_its_lane() -> None:
    items = [Item(name=name, lane="000", height=30) for name in ("a", "b")]
    (curve,) = lay_out(items, {("a", "b"): 1.0}, LANES).curves
    # A cubic curve goes three quarters of the way to handles that stand out equally.
    assert curve.start[0] == curve.end[0] == curve.first[0] - BOW
    assert 0.75 * BOW < PADDING


def test_a_picture_has_so_many_columns_and_no_more() -> None:
    items = [Item(name=f"n{index}", lane=LANES[1 + index % 2], height=30) for index in range(300)]
    columns = places(lay_out(items, {}, LANES))
    assert len(columns) == COLUMNS
    lengths = [len(column) for column in columns.values()]
    assert max(lengths) <= 38


def test_nothing_is_a_picture_too() -> None:
    layout = lay_out([], {}, LANES)
    assert layout.boxes == {}
    assert layout.width == 0


def test_two_thousand_releases_take_no_more_than_seconds() -> None:
    shuffler = random.Random(7)
    items = [Item(name=f"n{index}", lane=LANES[1 + index // 500], height=43) for index in range(2000)]
    links = {(f"n{shuffler.randrange(index)}", f"n{index}"): 1.0 for index in range(1, 2000) for _ in range(4)}
    started = time.process_time()
    layout = lay_out(items, links, LANES)
    assert time.process_time() - started < 4, "it takes a tenth of that on a quiet machine"
    assert len(layout.boxes) == 2000
