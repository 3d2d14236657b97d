"""Schema contracts: what they take, and what they refuse where it is written down."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import AlembicSchema, Schema, SemanticSchema, TableSchema
from kiwi_core._model.versions import natural, semantic, whole

ALEMBIC = AlembicSchema(image="app", minimum="f220515df7b4", because="the seed")
TABLE = TableSchema(image="app", minimum=12, because="the seed", table="public.schema_version", column="version")
SEMANTIC = SemanticSchema(image="app", minimum="1.2.3-rc.1", because="the seed", table="meta", column="schema")


@pytest.mark.parametrize(
    ("schema", "tool", "version", "place", "need"),
    [
        (
            ALEMBIC,
            "alembic",
            "f220515df7b4",
            ("alembic_version", "version_num"),
            "the seed needs alembic revision f220515df7b4",
        ),
        (
            TABLE,
            "table",
            "12",
            ("public.schema_version", "version"),
            "the seed needs schema version 12 (public.schema_version.version)",
        ),
        (
            SEMANTIC,
            "semantic",
            "1.2.3-rc.1",
            ("meta", "schema"),
            "the seed needs schema version 1.2.3-rc.1 (meta.schema)",
        ),
    ],
)
def test_each_kind_says_what_is_needed_and_where_it_stands(
    schema: Schema, tool: str, version: str, place: tuple[str, str], need: str
) -> None:
    assert (schema.tool, schema.version, schema.place, schema.need) == (tool, version, place, need)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no-image": (lambda: attrs.evolve(ALEMBIC, image=""), "Length of 'image' must be"),
    "no-reason": (lambda: attrs.evolve(ALEMBIC, because=" \n"), "because is empty: say in a few words"),
    "no-revision": (lambda: attrs.evolve(ALEMBIC, minimum=""), "'' is no Alembic revision such as"),
    "head": (lambda: attrs.evolve(ALEMBIC, minimum="head"), "'head' is no Alembic revision"),
    "heads": (lambda: attrs.evolve(ALEMBIC, minimum="heads"), "'heads' is no Alembic revision"),
    "base": (lambda: attrs.evolve(ALEMBIC, minimum="base"), "'base' is no Alembic revision"),
    "relative": (lambda: attrs.evolve(ALEMBIC, minimum="f2205+1"), "is no Alembic revision"),
    "range": (lambda: attrs.evolve(ALEMBIC, minimum="a:b"), "is no Alembic revision"),
    "branch": (lambda: attrs.evolve(ALEMBIC, minimum="a@b"), "is no Alembic revision"),
    "two-lines": (lambda: attrs.evolve(ALEMBIC, minimum="a\n"), "is no Alembic revision"),
    "a-relative-folder": (lambda: attrs.evolve(ALEMBIC, versions="alembic/versions"), "is no folder of an image"),
    "a-folder-above": (lambda: attrs.evolve(ALEMBIC, versions="/app/../etc"), "is no folder of an image"),
    "the-root": (lambda: attrs.evolve(ALEMBIC, versions="/"), "is no folder of an image"),
    "a-table-with-words": (lambda: attrs.evolve(ALEMBIC, table="x; DROP TABLE y"), "is no table such as"),
    "a-table-in-quotes": (lambda: attrs.evolve(TABLE, table='"x"'), "is no table such as"),
    "a-table-of-three-parts": (lambda: attrs.evolve(TABLE, table="a.b.c"), "is no table such as"),
    "no-table": (lambda: attrs.evolve(TABLE, table=""), "is no table such as"),
    "a-long-table": (lambda: attrs.evolve(TABLE, table="x" * 64), "is no table such as"),
    "a-column-of-two-parts": (lambda: attrs.evolve(TABLE, column="a.b"), "column 'a.b' is no name"),
    "a-column-of-other-letters": (lambda: attrs.evolve(SEMANTIC, column="größe"), "is no name of a database's own"),
    "a-text-for-a-number": (lambda: attrs.evolve(TABLE, minimum="12"), "minimum '12' is no whole number"),  # type: ignore[arg-type]
    "true": (lambda: attrs.evolve(TABLE, minimum=True), "minimum True is no whole number"),
    "below-nothing": (lambda: attrs.evolve(TABLE, minimum=-1), "minimum -1 is no whole number"),
    "a-number-of-no-database": (lambda: attrs.evolve(TABLE, minimum=10**18), "is no whole number"),
    "two-numbers": (lambda: attrs.evolve(SEMANTIC, minimum="1.2"), "is no semantic version such as '1.2.3'"),
    "a-v": (lambda: attrs.evolve(SEMANTIC, minimum="v1.2.3"), "is no semantic version"),
    "a-range": (lambda: attrs.evolve(SEMANTIC, minimum=">=1.2.3"), "is no semantic version"),
    "a-zero-before": (lambda: attrs.evolve(SEMANTIC, minimum="1.02.3"), "is no semantic version"),
}


@pytest.mark.parametrize(("make", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(make: Callable[[], object], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        make()


# The order of versions

ORDER = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.10.0"


def test_semantic_versions_are_ordered_as_their_specification_says() -> None:
    for older, newer in itertools.pairwise(ORDER.split()):
        one, other = semantic(older), semantic(newer)
        assert one is not None
        assert other is not None
        assert one < other


@pytest.mark.parametrize("text", ["1.2.3", "v1.2.3", "1.2.3+build.5", "v1.2.3+exp-1"])
def test_a_v_and_a_build_make_no_difference(text: str) -> None:
    assert semantic(text) == semantic("1.2.3")


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", " 1.2.3", "\u0661.2.3", "vv1.2.3"]
)
def test_what_is_no_semantic_version_has_no_place(text: str) -> None:
    assert semantic(text) is None


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_whole_numbers_are_ordered_as_numbers(one: int, other: int) -> None:
    first, second = whole(str(one)), whole(str(other))
    assert first is not None
    assert second is not None
    assert (first < second) == (one < other)


@pytest.mark.parametrize("text", ["", "01", "-1", "+1", "1.0", "1e3", " 1", "1\n", "\u0663", "9" * 19, "t"])
def test_what_is_no_whole_number_has_no_place(text: str) -> None:
    assert whole(text) is None


def test_tags_are_sorted_with_their_numbers_as_numbers() -> None:
    tags = ["v1.10.0", "latest", "v1.9.0", "sha256:ab", "v1.9.0-rc.1", ""]
    assert sorted(tags, key=natural) == ["", "latest", "sha256:ab", "v1.9.0", "v1.9.0-rc.1", "v1.10.0"]
