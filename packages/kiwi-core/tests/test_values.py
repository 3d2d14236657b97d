"""Layers of values: merged as Helm merges, each with its origin, and nothing that Helm would misread."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kiwi_core._compose.values import Layer, check_values, get, merge, origins
from kiwi_core._model.late import Credential, Path, Text, Value, leaves
from kiwi_core.errors import Where

scalars: st.SearchStrategy[Value] = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"])
keys = st.sampled_from(["a", "b", "c"])


def trees(leaf: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Trees of values, with few keys, so that layers meet."""

    def deeper(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
        return st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3)

    return st.recursive(leaf, deeper, max_leaves=8)


layers = st.lists(st.dictionaries(keys, trees(scalars), max_size=3), max_size=4)


def helm(stack: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Merge as Helm does, said another way: a map counts from the last layer on that has none in its place.

    Helm's ``loader.MergeMaps``: two maps are joined, everything else is replaced by the later one, null too.
    """
    result: dict[str, Value] = {}
    for key in dict.fromkeys(key for layer in stack for key in layer):
        tail: list[Mapping[str, Value]] = []
        for value in (layer[key] for layer in stack if key in layer):
            tail = [*tail, value] if isinstance(value, Mapping) else []
            result[key] = value
        if tail:
            result[key] = helm(tail)
    return result


def layer(origin: str, values: Mapping[str, Value]) -> Layer:
    return Layer(origin=origin, values=values)


@given(layers)
@example([{"a": {"b": 1}}, {"a": {}}])
@example([{"a": {"b": 1}}, {"a": None}, {"a": {"c": 2}}])
@example([{"a": {"b": [1, 2]}}, {"a": {"b": [3]}}])
def test_layers_are_merged_as_helm_merges_them(stack: list[dict[str, Value]]) -> None:
    assert merge(stack) == helm(stack)


@given(layers)
def test_a_merge_changes_no_layer(stack: list[dict[str, Value]]) -> None:
    before = repr(stack)
    merge(stack)
    assert repr(stack) == before


def test_lists_are_replaced_and_nulls_stay() -> None:
    below: Mapping[str, Value] = {"a": {"x": 1, "y": 2}, "list": [1, 2], "gone": {"k": 1}}
    above: Mapping[str, Value] = {"a": {"y": None}, "list": [], "gone": None, "new": {}}
    assert merge([below, above]) == {"a": {"x": 1, "y": None}, "list": [], "gone": None, "new": {}}


@given(layers)
def test_the_last_origin_of_a_merged_value_is_where_it_comes_from(stack: list[dict[str, Value]]) -> None:
    named = [layer(f"layer {index}", values) for index, values in enumerate(stack)]
    for path, leaf in leaves(merge(stack)):
        if path:
            found = origins(named, path)
            assert get(found[-1].values, path) == leaf
            assert [item.origin for item in found] == sorted(item.origin for item in found)


def test_a_layer_that_says_nothing_at_a_path_is_no_origin_of_it() -> None:
    one, two, three = layer("one", {"a": {"b": 1}}), layer("two", {"a": {"c": 2}}), layer("three", {"a": {"b": 3}})
    assert origins([one, two, three], ("a", "b")) == (one, three)
    assert origins([one, two, three], ("a",)) == (one, two, three)
    assert origins([one, two, three], ("z",)) == ()


def test_a_layer_knows_the_place_of_its_values() -> None:
    in_a_file = Layer(origin="the customer", file="overlays/onyx.yaml", values={}, line=len)
    assert in_a_file.where(("a", "b")) == Where("overlays/onyx.yaml", 2, ("a", "b"))
    assert layer("component onyx", {}).where(("a",)) == Where("component onyx", None, ("a",))


@given(st.dictionaries(keys, trees(scalars), min_size=1))
def test_every_leaf_is_got_at_its_path(tree: dict[str, Value]) -> None:
    for path, leaf in leaves(tree):
        assert get(tree, path) == leaf


@pytest.mark.parametrize("path", [("z",), ("a", 0), ("list", "0"), ("list", 2), ("text", 0), ("a", "b", "c")])
def test_nothing_is_got_where_nothing_stands(path: Path) -> None:
    with pytest.raises(KeyError):
        get({"a": {"b": 1}, "list": [1, 2], "text": "ab"}, path)


class Colour(enum.Enum):
    RED = "red"


FOREIGN: dict[str, tuple[object, str]] = {
    "a set": ({1}, "found {1} (set)"),
    "bytes": (b"x", "found b'x' (bytes)"),
    "a path": (FilePath("x"), "Path"),
    "an enum": (Colour.RED, "found <Colour.RED: 'red'> (Colour)"),
    "a class": (int, "(type)"),
    "a function": (len, "(builtin_function_or_method)"),
    "a complex": (1j, "(complex)"),
    "an integer that a float cannot hold": (2**53 + 1, "beyond ±2^53"),
    "a large negative integer": (-(2**53) - 1, "beyond ±2^53"),
    "nan": (math.nan, "nan is no number"),
    "infinity": (-math.inf, "-inf is no number"),
    "half of a surrogate pair": ("a\ud800b", "is not Unicode"),
    "half of a surrogate pair in a late text": (Text(("a\udc00", Credential("a", "b"))), "is not Unicode"),
    "a key that is a number": ({1: "x"}, "the key 1 is of type int, expected a text"),
    "a key that is of type boolean": ({True: "x"}, "the key True is of type bool, expected a text"),
    "a key that is null": ({None: "x"}, "the key None is of type NoneType, expected a text"),
    "a key with half of a surrogate pair": ({"\ud800": "x"}, "is not Unicode"),
}


@pytest.mark.parametrize(("value", "message"), FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("depth", ["at the top", "deep"])
def test_what_cannot_reach_helm_is_found_at_its_path(value: object, message: str, depth: str) -> None:
    tree: object = {"k": value} if depth == "at the top" else {"a": [{"fine": 1, "k": value}]}
    path: Path = ("k",) if depth == "at the top" else ("a", 0, "k")
    (problem,) = check_values(tree, file="component onyx")  # type: ignore[arg-type]  # authors' code is unchecked
    assert message in str(problem)
    assert problem.where is not None
    assert (problem.where.file, problem.where.path[: len(path)]) == ("component onyx", path)


def test_everything_that_is_wrong_is_found_at_once() -> None:
    tree: object = {"a": [math.nan, {"b": 2**60}], "c": {1: 2}, "d": "fine"}
    assert len(list(check_values(tree, file="x"))) == 3  # type: ignore[arg-type]  # authors' code is unchecked


@given(trees(scalars | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.text()))
def test_what_json_can_carry_is_fine(tree: Value) -> None:
    assert not list(check_values({"k": tree}, file="x"))


def test_late_values_and_tuples_are_fine() -> None:
    late = Credential("a", "b")
    assert not list(check_values({"k": (late, Text(("ü", late)), {"x": ()})}, file="x"))


def test_a_key_that_no_reader_takes_is_found() -> None:
    assert [problem.message for problem in check_values({"ä" * 200: 1}, file="a file")] == [
        f"the key {'ä' * 40!r}… has 200 characters: no reader of YAML takes one so long"
    ]
    assert list(check_values({"a" * 900: 1}, file="a file")) == []
