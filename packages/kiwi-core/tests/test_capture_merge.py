"""Two captures of one image: what they saw adds up, and where they disagree, that is told."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.capture_json import dump_schema, load_schema
from kiwi_core._model.capture_merge import merge_schemas
from kiwi_core.errors import InputError

D1, D2 = "sha256:" + "1" * 64, "sha256:" + "2" * 64
OLD = SchemaCapture(
    image="a/b",
    source="git",
    revisions={"r1": (), "r2": ("r1",), "soon": ("r2",)},
    tags={"v1.0.0": ("r1",), "v1.10.0": ("r2",)},
)
NEW = SchemaCapture(
    image="a/b",
    source="docker.io/a/b /app/versions",
    revisions={"r1": (), "r2": ("r1",), "r3": ("r2",)},
    tags={"v1.11.0": ("r3",)},
    digests={D1: "v1.11.0"},
)


def test_what_both_saw_adds_up() -> None:
    found = merge_schemas(OLD, NEW)
    assert dict(found.revisions) == {"r1": (), "r2": ("r1",), "r3": ("r2",), "soon": ("r2",)}
    assert list(found.tags.items()) == [("v1.0.0", ("r1",)), ("v1.10.0", ("r2",)), ("v1.11.0", ("r3",))]
    assert found.digests == {D1: "v1.11.0"}
    assert found.source == "git; docker.io/a/b /app/versions"


def test_the_same_again_changes_nothing() -> None:
    once = merge_schemas(OLD, NEW)
    assert dump_schema(merge_schemas(once, NEW)) == dump_schema(once)
    assert dump_schema(merge_schemas(once, OLD)) == dump_schema(merge_schemas(OLD, once))


def test_another_digest_of_the_same_tag_is_added() -> None:
    found = merge_schemas(merge_schemas(OLD, NEW), attrs.evolve(NEW, digests={D2: "v1.11.0"}))
    assert found.digests == {D1: "v1.11.0", D2: "v1.11.0"}


def test_a_digest_under_another_tag_keeps_the_first() -> None:
    found = merge_schemas(NEW, attrs.evolve(NEW, tags={"latest": ("r3",)}, digests={D1: "latest"}))
    assert found.digests == {D1: "v1.11.0"}
    assert list(found.tags) == ["latest", "v1.11.0"]


def test_what_was_not_released_gives_way() -> None:
    thought_better = attrs.evolve(
        NEW, revisions={"r1": (), "r2": ("r1",), "r3": ("r2",), "soon": ("r3",)}, tags={"v1.11.0": ("soon",)}
    )
    assert merge_schemas(OLD, thought_better).revisions["soon"] == ("r3",)


WRONG = {
    "another-image": (attrs.evolve(NEW, image="c/d"), "it is a capture of image 'a/b', and this one is of 'c/d'"),
    "another-tool": (attrs.evolve(NEW, tool="table"), "it is a capture of tool 'alembic', and this one is of 'table'"),
    "other-parents": (
        attrs.evolve(NEW, revisions={"r1": (), "x": ("r1",), "r2": ("x",), "r3": ("r2",)}),
        "revision r2 builds on r1 there, and on x here",
    ),
    "other-heads": (attrs.evolve(NEW, tags={"v1.10.0": ("r3",)}), "v1.10.0 ends at r2 there, and at r3 here"),
}


@pytest.mark.parametrize(("new", "expected"), WRONG.values(), ids=WRONG)
def test_where_they_disagree_that_is_told(new: SchemaCapture, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        merge_schemas(OLD, new, file="x.json")
    assert all(str(problem).startswith("x.json: ") and problem.hint for problem in caught.value.problems)


def test_a_digest_that_ends_elsewhere_is_told() -> None:
    old = attrs.evolve(OLD, digests={D1: "v1.0.0"})
    with pytest.raises(InputError, match=f"{D1} ends at r1 there, and at r3 here"):
        merge_schemas(old, NEW)


def test_all_that_disagrees_is_told_at_once() -> None:
    new = attrs.evolve(NEW, revisions={"r1": ("r0",), "r0": (), "r2": ("r0",)}, tags={"v1.0.0": ("r2",)}, digests={})
    with pytest.raises(InputError) as caught:
        merge_schemas(OLD, new)
    assert len(caught.value.problems) == 3


@st.composite
def pairs(draw: st.DrawFn) -> tuple[SchemaCapture, SchemaCapture]:
    """Two captures of one history, each of some of its images."""
    revisions: dict[str, tuple[str, ...]] = {}
    for index in range(draw(st.integers(1, 9))):
        parents = draw(st.lists(st.sampled_from(sorted(revisions)), max_size=2, unique=True)) if revisions else []
        revisions[f"r{index}"] = tuple(parents)
    tags = {f"v1.{index}.0": (name,) for index, name in enumerate(revisions)}
    whole = SchemaCapture(image="a/b", source="s", revisions=revisions, tags=tags)
    return part(whole, draw(st.sets(st.sampled_from(sorted(tags))))), part(
        whole, draw(st.sets(st.sampled_from(sorted(tags))))
    )


def part(whole: SchemaCapture, tags: set[str]) -> SchemaCapture:
    wanted = [name for name in whole.revisions if any(whole.has(tag, name) for tag in tags)]
    return attrs.evolve(
        whole,
        revisions={name: whole.revisions[name] for name in wanted},
        tags={tag: heads for tag, heads in whole.tags.items() if tag in tags},
    )


@given(pairs())
def test_captures_of_one_history_agree_in_any_order(both: tuple[SchemaCapture, SchemaCapture]) -> None:
    one, other = both
    found = merge_schemas(one, other)
    assert dump_schema(found) == dump_schema(merge_schemas(other, one))
    assert load_schema(dump_schema(found)) == found
    assert found.tags.keys() == one.tags.keys() | other.tags.keys()
    for capture in both:
        for tag in capture.tags:
            assert {name for name in found.revisions if found.has(tag, name)} == {
                name for name in capture.revisions if capture.has(tag, name)
            }
