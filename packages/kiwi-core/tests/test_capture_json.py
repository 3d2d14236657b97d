"""Captures in files: the same bytes, the same capture, and a word on whatever was edited into nonsense."""

from __future__ import annotations

import json
from typing import cast

import pytest
from kiwi_core._model.capture import (
    CapturedImage,
    ChartCapture,
    ClusterObject,
    HardCodedImage,
    SchemaCapture,
    Subchart,
    Workload,
)
from kiwi_core._model.capture_json import dump_chart, dump_schema, load_chart, load_schema
from kiwi_core.errors import InputError

CHART = ChartCapture(
    name="small",
    version="1.2.3",
    app_version="4",
    digest="sha256:" + "0" * 64,
    source="a test",
    values={"b": {"c": [1, {"d": None}], "ü": 1.5}, "a": True},
    open=("b.e",),
    reads=("x.*",),
    unseen=("t",),
    subcharts=(Subchart(name="s", version="1", alias="t", conditions=("a", "b"), captured=True),),
    images=(CapturedImage(path="i", keys=("tag",), repository="r", tag=""),),
    hard_coded=(HardCodedImage(image="b:1", file="f", line=3, guards=("?",), hook="test"),),
    cluster_objects=(ClusterObject(kind="Namespace", file="f", guards=("g",)),),
    workloads=(Workload(kind="Job", file="f", guards=("g",), annotations="a", labels="l", ports=(1, "p"), hook="h"),),
)
SCHEMA = SchemaCapture(
    image="a/b",
    source="a test",
    revisions={"z": (), "b": ("z",), "a": ("z",), "m": ("a", "b")},
    tags={"v1.9.0": ("z",), "v1.10.0": ("a", "b"), "v1.10.1-rc.1": ("m",), "v2.0.0": ("m",), "edge": ("m",)},
    digests={"sha256:1": "v1.9.0"},
)


def edited(data: bytes, path: tuple[str | int, ...], value: object) -> bytes:
    """Return JSON with something else at a path; ``...`` takes it away."""
    tree: object = json.loads(data)
    place = tree
    for step in path[:-1]:
        place = cast("dict[str | int, object]", place)[step]
    if value is ...:
        del cast("dict[str | int, object]", place)[path[-1]]
    else:
        cast("dict[str | int, object]", place)[path[-1]] = value
    return json.dumps(tree).encode()


def test_a_chart_capture_comes_back_from_its_file() -> None:
    data = dump_chart(CHART)
    assert load_chart(data) == CHART
    assert dump_chart(load_chart(data)) == data
    assert data.endswith(b"}\n")


def test_the_order_of_values_makes_no_difference_to_the_file() -> None:
    other = ChartCapture(name="x", version="1", source="s", values={"a": 1, "b": 2})
    same = ChartCapture(name="x", version="1", source="s", values={"b": 2, "a": 1})
    assert dump_chart(other) == dump_chart(same)


def test_a_schema_capture_comes_back_from_its_file_in_order() -> None:
    found = load_schema(dump_schema(SCHEMA))
    assert found == SCHEMA
    assert list(found.revisions) == ["z", "b", "a", "m"]
    assert list(found.tags) == list(SCHEMA.tags)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), ..., "the file: name: this is missing"),
        (("name",), 1, "the file: name: found 1, expected a text"),
        (("digest",), [], "the file: digest: found a list, expected a text or null"),
        (("values",), [], "the file: values: found a list, expected an object"),
        (("open", 0), {}, r"the file: open\[0\]: found an object, expected a text"),
        (("open",), "a", "the file: open: found 'a', expected a list"),
        (("images", 0), "a", r"the file: images\[0\]: found 'a', expected an object"),
        (("images", 0, "keys", 0), None, r"the file: images\[0\]\.keys\[0\]: found None, expected a text"),
        (("hard_coded", 0, "line"), True, r"the file: hard_coded\[0\]\.line: found True, expected a whole number"),
        (("subcharts", 0, "captured"), 1, r"subcharts\[0\]\.captured: found 1, expected true or false"),
        (("workloads", 0, "ports", 1), 1.5, r"ports\[1\]: found 1.5, expected a whole number or a text"),
        (("workloads", 0, "anotations"), "a", r"anotations: unknown key; did you mean 'annotations'\?"),
        (("valeus",), {}, r"valeus: unknown key; did you mean 'values'\?"),
        (("capture",), "schema/1", "found 'schema/1', expected 'chart/1'"),
        (("capture",), ..., "capture: this is missing"),
    ],
)
def test_nonsense_in_a_chart_capture_is_named(path: tuple[str | int, ...], value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_chart(edited(dump_chart(CHART), path, value), file="the file")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("revisions", "m"), ["a", "q"], "the file: revisions.m: parent 'q' does not stand before it"),
        (("revisions", "z"), ["m"], "the file: revisions.z: parent 'm' does not stand before it"),
        (("revisions", "z"), None, "the file: revisions.z: found None, expected a list"),
        (("tags", "edge"), ["q"], "the file: tags.edge: head 'q' is none of the revisions"),
        (("tags",), ..., "the file: tags: this is missing"),
        (("digests", "sha256:1"), 1, "found 1, expected a text"),
        (("digests", "sha256:1"), "v0", "the file: digests.*: tag 'v0' is none of the tags"),
        (("checksum",), ..., "the file: checksum: this is missing"),
        (("checksum",), "", "the file: checksum: the file was edited since it was written"),
        (("checksum",), None, "the file: checksum: found None, expected a text"),
        (("tool",), "table", r"the file: tags\['v1\.9\.0'\]: found \['z'\], expected one table version"),
    ],
)
def test_nonsense_in_a_schema_capture_is_named(path: tuple[str | int, ...], value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_schema(edited(dump_schema(SCHEMA), path, value), file="the file")


EDITS: dict[str, tuple[tuple[str, ...], object]] = {
    "a-tag": (("tags", "v2.0.0"), ["z"]),
    "a-new-tag": (("tags", "v3.0.0"), ["m"]),
    "a-tag-taken-out": (("tags", "edge"), ...),
    "a-revision": (("revisions", "a"), []),
    "a-revision-added": (("revisions", "n"), ["m"]),
    "a-digest": (("digests", "sha256:2"), "edge"),
    "the-image": (("image",), "a/c"),
    "the-source": (("source",), "elsewhere"),
}


@pytest.mark.parametrize(("path", "value"), EDITS.values(), ids=EDITS)
def test_a_schema_capture_that_was_edited_by_hand_is_refused(path: tuple[str, ...], value: object) -> None:
    with pytest.raises(InputError) as caught:
        load_schema(edited(dump_schema(SCHEMA), path, value), file="the file")
    (problem,) = caught.value.problems
    assert str(problem) == (
        "the file: checksum: the file was edited since it was written\n"
        "    a capture is never edited: write it anew with 'kiwistack component capture'"
    )


def test_a_schema_capture_in_other_white_space_is_the_same() -> None:
    data = dump_schema(SCHEMA)
    assert load_schema(json.dumps(json.loads(data)).encode()) == SCHEMA
    assert load_schema(json.dumps(json.loads(data), indent=4).encode()) == SCHEMA


def test_a_circle_in_a_captured_history_is_named() -> None:
    data = edited(edited(dump_schema(SCHEMA), ("revisions", "z"), ["m"]), ("revisions", "m"), ["a"])
    with pytest.raises(InputError, match="revisions: revisions go round in a circle: a -> z -> m -> a"):
        load_schema(data)


@pytest.mark.parametrize(("tool", "versions"), [("table", ["9", "10"]), ("semantic", ["1.9.0", "1.10.0"])])
def test_versions_that_are_numbers_need_no_revisions(tool: str, versions: list[str]) -> None:
    tags = {f"v1.{index}.0": (version,) for index, version in enumerate(versions)}
    capture = SchemaCapture(tool=tool, image="a/b", source="a test", revisions={}, tags=tags)
    assert load_schema(dump_schema(capture)) == capture
    assert [capture.has("v1.0.0", version) for version in versions] == [True, False]
    assert [capture.first_tag_with(version) for version in versions] == ["v1.0.0", "v1.1.0"]
    assert capture.tags_with(*versions) == ("v1.1.0",)
    assert (capture.knows(versions[0]), capture.knows("x")) == (True, False)
    assert capture.has("v1.0.0", "x") is False


def test_an_image_is_known_by_its_digest_or_by_its_tag() -> None:
    assert SCHEMA.tag_of("v1.10.0") == "v1.10.0"
    assert SCHEMA.tag_of("v9.0.0") is None
    assert SCHEMA.tag_of("v9.0.0", "sha256:1") == "v1.9.0"
    assert SCHEMA.tag_of("v1.10.0", "sha256:2") == "v1.10.0"
    # v1.9.0 was captured as another image than this one.
    assert SCHEMA.tag_of("v1.9.0", "sha256:2") is None
    assert SCHEMA.tag_of("v1.9.0") == "v1.9.0"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    for load in (load_chart, load_schema):
        with pytest.raises(InputError, match="the file"):
            load(data, file="the file")


def test_all_that_is_wrong_is_named_at_once() -> None:
    data = edited(edited(dump_chart(CHART), ("name",), 1), ("images", 0, "path"), ...)
    with pytest.raises(InputError) as caught:
        load_chart(data)
    assert len(caught.value.problems) == 2


def test_a_tag_has_what_its_heads_build_on() -> None:
    assert [SCHEMA.has("v1.10.0", revision) for revision in "zabm"] == [True, True, True, False]
    assert [SCHEMA.has("v2.0.0", revision) for revision in "zabm"] == [True, True, True, True]
    assert SCHEMA.has("v2.0.0", "unheard of") is False


def test_what_an_unknown_tag_has_cannot_be_said() -> None:
    assert SCHEMA.known("v2.0.0") is True
    assert SCHEMA.known("v3.0.0") is False
    assert SCHEMA.has("v3.0.0", "z") is None


def test_the_first_tag_is_the_lowest_stable_version() -> None:
    assert [SCHEMA.first_tag_with(revision) for revision in "zabm"] == ["v1.9.0", "v1.10.0", "v1.10.0", "v2.0.0"]
    assert SCHEMA.first_tag_with("unheard of") is None
