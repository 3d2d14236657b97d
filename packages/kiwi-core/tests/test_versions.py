"""Which versions are newer than a pinned one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._model.versions import newer

numbers = st.integers(min_value=0, max_value=12)
triples = st.tuples(numbers, numbers, numbers)


def _tag(prefix: str, version: tuple[int, ...], suffix: str) -> str:
    return f"{prefix}{'.'.join(map(str, version))}{suffix}"


tags = st.one_of(
    st.builds(
        _tag,
        st.sampled_from(["", "v", "release-"]),
        st.one_of(triples, st.tuples(numbers), st.tuples(numbers, numbers)),
        st.sampled_from(["", "-alpine", "-alpine3.19", "-rc1", "-rc.2", "-beta.1-alpine", "-debian-12-r4", "b2"]),
    ),
    st.text(max_size=12),
)


@pytest.mark.parametrize(
    ("version", "known", "expected"),
    [
        ("7.4.1", "7.4.0 7.4.1 7.4.2 7.4.10 8.0.0 8 8.1 7.4.2-alpine v7.4.2 latest 9.0.0-rc1", "7.4.2 7.4.10 8.0.0"),
        ("7.4.1-alpine", "7.4.2 7.4.2-alpine 7.4.2-alpine3.20 7.4.2-bookworm", "7.4.2-alpine"),
        ("1.2-alpine3.9", "1.2-alpine3.10 1.3-alpine3.2 1.2-alpine4", "1.2-alpine3.10 1.3-alpine3.2"),
        ("v4.6.1", "v4.6.2 4.6.2 v4.7.0-beta.3 v4.7.0-dev nightly-20260101 v4.10.0", "v4.6.2 v4.10.0"),
        ("v4.7.0-beta.3", "v4.7.0-beta.10 v4.7.0-beta.2 v4.7.0-rc.1 v4.7.0 v4.6.9", "v4.7.0-beta.10 v4.7.0-rc.1 v4.7.0"),
        ("RELEASE.2025-01-02T03-04-05Z", "RELEASE.2025-01-02T03-04-06Z RELEASE.2024-12-31T00-00-00Z",
         "RELEASE.2025-01-02T03-04-06Z"),
        ("12.1.0-debian-12-r9", "12.1.0-debian-12-r10 12.1.0-debian-12-r8 12.1.1", "12.1.0-debian-12-r10"),
        ("16", "17 16.1 15 17-alpine", "17"),
        ("latest", "1.0.0 2.0.0 stable", ""),
        ("", "1.0.0", ""),
    ],
)  # fmt: skip
def test_tags_are_followed_by_those_of_their_form(version: str, known: str, expected: str) -> None:
    assert list(newer(version, known.split())) == expected.split()


@pytest.mark.parametrize(
    ("version", "known", "expected"),
    [
        ("0.8.19", "0.8.20 0.9.0-beta 0.10.0 v0.8.21 0.8.2 1 oops", "0.8.20 v0.8.21 0.10.0"),
        ("1.0.0-alpine", "1.0.0 1.0.0-beta 1.0.0-alpha", "1.0.0-beta 1.0.0"),
        ("1.0.0", "1.0.0+build.2 1.0.1+build.1", "1.0.1+build.1"),
        ("1.0.0-rc.9", "1.0.0-rc.10 1.0.0-rc.x 1.0.0-9", "1.0.0-rc.10 1.0.0-rc.x"),
    ],
)
def test_charts_are_followed_as_semantic_versions_say(version: str, known: str, expected: str) -> None:
    assert list(newer(version, known.split(), is_chart=True)) == expected.split()


@given(triples, st.lists(triples))
def test_plain_versions_are_ordered_by_their_numbers(pinned: tuple[int, ...], known: list[tuple[int, ...]]) -> None:
    def text(version: tuple[int, ...]) -> str:
        return ".".join(map(str, version))

    expected = [text(version) for version in sorted({version for version in known if version > pinned})]
    assert list(newer(text(pinned), map(text, known))) == expected


@given(tags, st.lists(tags, max_size=8), st.booleans())
def test_newer_is_an_order(pinned: str, known: list[str], is_chart: bool) -> None:  # noqa: FBT001 -- hypothesis gives it
    found = newer(pinned, known, is_chart=is_chart)
    assert set(found) <= set(known) - {pinned}
    for version in found:
        assert not newer(version, [pinned], is_chart=is_chart)
    for earlier, later in itertools.pairwise(found):
        assert earlier not in newer(later, [earlier], is_chart=is_chart)


@given(triples, tags)
def test_a_stable_version_is_not_followed_by_a_pre_release(pinned: tuple[int, ...], tag: str) -> None:
    text = ".".join(map(str, pinned))
    assert not newer(text, [f"99.0.0{end}" for end in ("-rc1", "-beta.2", "-alpha", ".dev3", "-SNAPSHOT", "a1")])
    assert not newer(text, [tag]) or tag.replace(".", "").isdecimal()
