"""What an image and a database say to each other: over histories of any form, and in words that help."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import AlembicSchema, Schema, SemanticSchema, TableSchema
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.schema_history import (
    History,
    Level,
    Standing,
    Verdict,
    carried_by,
    image_problem,
    judge,
    runners,
    runs_on,
)

RUNS = {Standing.EMPTY, Standing.CURRENT, Standing.BEHIND}

# a1 - b2 - c3 - e5   and from b2 a hot fix x9, which f6 takes in: f6 builds on e5 and x9
CAPTURE = SchemaCapture(
    image="acme/app",
    source="a test",
    revisions={
        "a1": (),
        "b2": ("a1",),
        "c3": ("b2",),
        "e5": ("c3",),
        "x9": ("b2",),
        "f6": ("e5", "x9"),
        "g7": ("f6",),
    },
    tags={
        "v1.0.0": ("a1",),
        "v1.1.0": ("b2",),
        "v1.1.1": ("x9",),
        "v1.2.0": ("c3",),
        "v1.2.1": ("c3",),
        "v1.3.0": ("e5", "x9"),
        "v1.4.0": ("f6",),
        "v1.5.0-rc.1": ("f6",),
    },
)
NEED = AlembicSchema(image="app", minimum="b2", because="the seed")


def ask(tag: str, *live: str, schema: Schema = NEED, capture: SchemaCapture = CAPTURE) -> Verdict:
    return judge(schema, image=f"app:{tag}", carried=carried_by(capture, tag), captured=capture, live=live)


def one(verdict: Verdict) -> str:
    (problem,) = verdict.problems
    return str(problem)


@pytest.mark.parametrize("live", [None, ()])
def test_an_empty_database_passes(live: Sequence[str] | None) -> None:
    found = judge(NEED, image="app:v1.2.0", carried=carried_by(CAPTURE, "v1.2.0"), captured=CAPTURE, live=live)
    assert (found.standing, found.passes) == (Standing.EMPTY, True)
    assert found.says == "the database is empty: app:v1.2.0 makes it anew"
    assert found.runs_on == ("v1.1.0", "v1.1.1", "v1.2.0", "v1.2.1", "v1.4.0")


def test_a_current_database_passes() -> None:
    found = ask("v1.2.0", "c3")
    assert (found.standing, found.passes, found.says) == (
        Standing.CURRENT,
        True,
        "the database is at c3, as app:v1.2.0 is",
    )


def test_a_database_behind_the_image_passes() -> None:
    found = ask("v1.4.0", "a1")
    assert (found.standing, found.passes) == (Standing.BEHIND, True)
    assert found.says == "the database is at a1, and app:v1.4.0 migrates it to f6"


def test_a_database_ahead_of_the_image_fails_and_names_what_can_run_on_it() -> None:
    found = ask("v1.1.0", "c3")
    assert found.standing is Standing.AHEAD
    assert one(found) == (
        "the database is at c3, and app:v1.1.0 ends at b2: a newer version has migrated it\n"
        "    these can run on it: v1.2.0 to v1.2.1, v1.4.0; pin one of them, or restore a database from before"
    )
    assert found.runs_on == ("v1.2.0", "v1.2.1", "v1.4.0")


def test_a_database_ahead_of_every_release_fails_and_says_so() -> None:
    assert one(ask("v1.4.0", "g7")) == (
        "the database is at g7, and app:v1.4.0 ends at f6: a newer version has migrated it\n"
        "    no captured tag of acme/app can run on it: restore a database from before"
    )


def test_a_database_on_another_branch_fails() -> None:
    found = ask("v1.2.0", "x9")
    assert found.standing is Standing.FOREIGN
    assert one(found) == (
        "the database is at x9, and app:v1.2.0 ends at c3: that is on another branch\n"
        "    these can run on it: v1.1.1, v1.4.0; pin one of them, or restore a database from before"
    )


def test_a_database_of_somebody_else_fails() -> None:
    found = ask("v1.2.0", "deadbeef")
    assert found.standing is Standing.FOREIGN
    assert one(found) == (
        "the database is at deadbeef, and app:v1.2.0 ends at c3: no captured version of acme/app knows it\n"
        "    pin the version that made it, or restore a database from before"
    )


def test_two_heads_at_once_fail_even_where_the_image_knows_both() -> None:
    found = ask("v1.4.0", "e5", "x9")
    assert found.standing is Standing.SPLIT
    assert one(found) == (
        "the database is at 2 heads at once (e5 and x9): no migration can run on it\n"
        "    a migration stopped halfway, or two builds ran on it: these can run on it: v1.4.0; pin one of them, or "
        "restore a database from before"
    )
    assert "no captured tag of acme/app can run on it" in one(ask("v1.2.0", "g7", "c3"))
    assert "pin the version that made it" in one(ask("v1.2.0", "c3", "deadbeef"))


def test_the_same_row_twice_is_one() -> None:
    assert ask("v1.2.0", "c3", "c3").passes


@pytest.mark.parametrize("row", ["", " c3", "c3\n", "\x1b[2Jc3", "x" * 10_000, "'; DROP TABLE x", "\ud800"])
def test_what_stands_in_a_database_is_shown_and_not_believed(row: str) -> None:
    found = ask("v1.2.0", row)
    assert found.standing is Standing.FOREIGN
    assert one(found).count("\n") == 1
    assert one(found).replace("\n    ", "").isprintable()
    assert len(found.says) < 250


def test_without_a_capture_an_image_is_judged_by_its_own_files() -> None:
    carried = carried_by(CAPTURE, "v1.2.0")
    assert judge(NEED, image="app", carried=carried, live=["b2"]).passes
    foreign = judge(NEED, image="app", carried=carried, live=["e5"])
    assert one(foreign) == (
        "the database is at e5, and app ends at c3: app does not know it\n"
        "    pin the version that made it, or restore a database from before"
    )
    assert foreign.runs_on == ()
    missing = judge(attrs.evolve(NEED, minimum="e5"), image="app", carried=carried)
    assert (
        one(missing)
        == "the seed needs alembic revision e5, and app ends at c3, before it\n    pin a version that has it"
    )


def test_a_capture_of_another_tool_is_none() -> None:
    other = SchemaCapture(tool="table", image="acme/app", source="a test", revisions={}, tags={"v9.0.0": ("9",)})
    found = judge(NEED, image="app", carried=carried_by(CAPTURE, "v1.2.0"), captured=other, live=["e5"])
    assert "app does not know it" in one(found)


# The image

SOUND = [("v1.1.0", "b2"), ("v1.1.1", "x9"), ("v1.2.0", "b2")]


@pytest.mark.parametrize(("tag", "minimum"), SOUND)
def test_an_image_with_the_minimum_passes(tag: str, minimum: str) -> None:
    assert ask(tag, schema=attrs.evolve(NEED, minimum=minimum)).passes


def test_an_image_before_the_minimum_fails_and_names_the_first_that_has_it() -> None:
    assert one(ask("v1.0.0")) == (
        "the seed needs alembic revision b2, and app:v1.0.0 ends at a1, before it\n    pin v1.1.0 or later"
    )
    assert "no released tag has it yet" in one(ask("v1.4.0", schema=attrs.evolve(NEED, minimum="g7")))


def test_a_minimum_that_is_in_no_history_is_told_with_the_closest() -> None:
    revisions = {"f220515df7b4": (), "0123456789ab": ("f220515df7b4",)}
    capture = attrs.evolve(CAPTURE, revisions=revisions, tags={"v1.0.0": ("0123456789ab",)})
    found = ask("v1.0.0", schema=attrs.evolve(NEED, minimum="f220515df7b5"), capture=capture)
    assert one(found) == (
        "the seed needs alembic revision f220515df7b5, which is in no captured history of acme/app\n"
        "    did you mean 'f220515df7b4'?"
    )


def test_an_image_with_two_heads_fails() -> None:
    assert one(ask("v1.3.0")) == (
        "app:v1.3.0 has 2 schema heads (e5, x9): its migration cannot run\n    pin another tag"
    )


def test_an_image_whose_revisions_go_round_in_a_circle_fails() -> None:
    carried = History(revisions={"a": ("c",), "b": ("a",), "c": ("b",), "d": ("c",)})
    found = judge(attrs.evolve(NEED, minimum="d"), image="app", carried=carried, live=["d"])
    assert "the revisions of app go round in a circle: a -> c -> b -> a" in one(found)


def test_an_image_without_a_revision_fails() -> None:
    assert "app has 0 schema heads ()" in one(judge(NEED, image="app", carried=History(revisions={})))


def test_what_is_wrong_with_the_image_and_with_the_database_is_told_at_once() -> None:
    found = ask("v1.0.0", "c3")
    assert [problem.message.split(",")[0] for problem in found.problems] == [
        "the seed needs alembic revision b2",
        "the database is at c3",
    ]


# Versions that are numbers

NUMBERS = SchemaCapture(
    tool="table",
    image="acme/app",
    source="a test",
    revisions={},
    tags={"v1.0.0": ("9",), "v1.1.0": ("10",), "v1.2.0": ("12",)},
)
TABLE = TableSchema(image="app", minimum=10, because="the seed", table="version", column="number")
SEMANTICS = attrs.evolve(NUMBERS, tool="semantic", tags={"v1.0.0": ("1.9.0",), "v1.1.0": ("1.10.0",)})
SEMANTIC = SemanticSchema(image="app", minimum="1.9.1", because="the seed", table="version", column="number")


@pytest.mark.parametrize(
    ("tag", "live", "standing"),
    [
        ("v1.1.0", (), Standing.EMPTY),
        ("v1.1.0", ("10",), Standing.CURRENT),
        ("v1.1.0", ("9",), Standing.BEHIND),
        ("v1.1.0", ("11",), Standing.AHEAD),
        ("v1.1.0", ("9", "10"), Standing.SPLIT),
        ("v1.1.0", ("ten",), Standing.FOREIGN),
    ],
)
def test_whole_numbers_are_judged_by_their_order(tag: str, live: tuple[str, ...], standing: Standing) -> None:
    found = ask(tag, *live, schema=TABLE, capture=NUMBERS)
    assert (found.standing, found.passes) == (standing, standing in RUNS)


def test_numbers_are_told_with_what_can_run() -> None:
    assert one(ask("v1.0.0", schema=TABLE, capture=NUMBERS)) == (
        "the seed needs schema version 10 (version.number), and app:v1.0.0 ends at 9, before it\n    pin v1.1.0 or later"
    )
    assert "these can run on it: v1.2.0; " in one(ask("v1.1.0", "11", schema=TABLE, capture=NUMBERS))
    assert "no captured tag of acme/app can run on it" in one(ask("v1.1.0", "13", schema=TABLE, capture=NUMBERS))
    assert "that is no table version" in one(ask("v1.1.0", "1.0", schema=TABLE, capture=NUMBERS))


@pytest.mark.parametrize(
    ("live", "standing"),
    [
        ("1.10.0", Standing.CURRENT),
        ("v1.10.0", Standing.CURRENT),
        ("1.10.0+build.7", Standing.CURRENT),
        ("1.9.9", Standing.BEHIND),
        ("1.10.0-rc.1", Standing.BEHIND),
        ("1.10.1-rc.1", Standing.AHEAD),
        ("1.10", Standing.FOREIGN),
    ],
)
def test_semantic_versions_are_judged_by_their_order(live: str, standing: Standing) -> None:
    assert ask("v1.1.0", live, schema=SEMANTIC, capture=SEMANTICS).standing is standing


def test_a_semantic_minimum_is_between_what_was_captured() -> None:
    assert "ends at 1.9.0, before it\n    pin v1.1.0 or later" in one(ask("v1.0.0", schema=SEMANTIC, capture=SEMANTICS))
    assert ask("v1.1.0", schema=SEMANTIC, capture=SEMANTICS).passes
    assert carried_by(SEMANTICS, "v1.1.0") == Level(tool="semantic", version="1.10.0")


# Tags in words


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ((), ""),
        (("v1.1.0",), "v1.1.0"),
        (("v1.0.0", "v1.1.0", "v1.1.1"), "v1.0.0 to v1.1.1"),
        (("v1.0.0", "v1.1.1"), "v1.0.0, v1.1.1"),
        (("v1.5.0-rc.1",), "v1.5.0-rc.1"),
        (("v1.0.0", "v1.1.1", "v1.2.1", "v1.4.0", "v1.5.0-rc.1", "x"), "v1.0.0, v1.1.1, v1.2.1, v1.4.0 and 2 more"),
    ],
)
def test_tags_that_follow_each_other_are_said_from_first_to_last(tags: tuple[str, ...], expected: str) -> None:
    assert runs_on(CAPTURE, tags) == expected


def test_where_no_stable_tag_can_run_others_are_named() -> None:
    capture = attrs.evolve(CAPTURE, tags={"v1.0.0": ("a1",), "edge": ("c3",), "v1.2.0-rc.1": ("c3",)})
    assert runners(capture, NEED, ["c3"]) == ("edge", "v1.2.0-rc.1")
    assert runners(None, NEED, []) == ()


# Histories of any form


@st.composite
def captures(draw: st.DrawFn) -> SchemaCapture:
    """A history with merges, branches and several roots, and tags anywhere in it."""
    revisions: dict[str, tuple[str, ...]] = {}
    for index in range(draw(st.integers(1, 14))):
        known = sorted(revisions)
        parents = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        revisions[f"r{index}"] = tuple(parents)
    heads = st.lists(st.sampled_from(sorted(revisions)), min_size=1, max_size=2, unique=True)
    tags = {f"v1.{index}.0": tuple(draw(heads)) for index in range(draw(st.integers(1, 5)))}
    return SchemaCapture(image="acme/app", source="a test", revisions=revisions, tags=tags)


def ancestors(capture: SchemaCapture, name: str) -> set[str]:
    return {name}.union(*(ancestors(capture, parent) for parent in capture.revisions[name]))


@given(captures(), st.data())
def test_every_database_stands_somewhere_and_only_what_the_image_has_passes(
    capture: SchemaCapture, data: st.DataObject
) -> None:
    tag = data.draw(st.sampled_from(sorted(capture.tags)))
    live = data.draw(st.sampled_from([*sorted(capture.revisions), "foreign"]))
    minimum = data.draw(st.sampled_from(sorted(capture.revisions)))
    schema = attrs.evolve(NEED, minimum=minimum)
    carried = carried_by(capture, tag)
    own = set[str]().union(*(ancestors(capture, head) for head in capture.tags[tag]))
    found = judge(schema, image="app", carried=carried, captured=capture, live=[live])

    assert isinstance(carried, History)
    assert carried.revisions.keys() == own
    if live in own:
        assert found.standing is (Standing.CURRENT if live in carried.heads else Standing.BEHIND)
    elif live == "foreign":
        assert found.standing is Standing.FOREIGN
    else:
        is_ahead = {*carried.heads} <= ancestors(capture, live)
        assert found.standing is (Standing.AHEAD if is_ahead else Standing.FOREIGN)
    is_sound = len(capture.tags[tag]) == 1 and minimum in own
    assert found.passes == (is_sound and live in own)
    assert (image_problem(schema, image="app", carried=carried, captured=capture) is None) == is_sound
    # Whatever is named can in truth run.
    for other in found.runs_on:
        again = judge(schema, image="app", carried=carried_by(capture, other), captured=capture, live=[live])
        assert again.passes


@given(captures(), st.data())
def test_nothing_that_could_run_is_left_unnamed(capture: SchemaCapture, data: st.DataObject) -> None:
    live = data.draw(st.lists(st.sampled_from(sorted(capture.revisions)), max_size=2, unique=True))
    schema = attrs.evolve(NEED, minimum=data.draw(st.sampled_from(sorted(capture.revisions))))
    named = ask(next(iter(capture.tags)), *live, schema=schema, capture=capture).runs_on
    for tag, heads in capture.tags.items():
        own = set[str]().union(*(ancestors(capture, head) for head in heads))
        assert (tag in named) == ({schema.minimum, *live} <= own and len(heads) == 1)


@given(captures())
def test_rolling_back_is_refused_exactly_where_a_migration_lies_between(capture: SchemaCapture) -> None:
    schema = attrs.evolve(NEED, minimum=next(iter(capture.revisions)))
    for newer, heads in capture.tags.items():
        for older in capture.tags:
            if len(heads) > 1:
                continue
            found = judge(schema, image=older, carried=carried_by(capture, older), captured=capture, live=heads)
            assert (found.standing in RUNS) == all(map(carried_by(capture, older).has, heads)), (newer, older)
