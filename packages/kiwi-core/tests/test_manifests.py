"""Manifests are read as Helm reads them, and what is written is read back the same."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.helm_sdk import documents
from kiwi_core._deliver.manifests import ManifestError, dump, read_manifests, read_plain
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Manifest, Object

# What go-yaml 2 makes of plain scalars, as helm_python.values_from_yaml (Helm 4.2.3) says: tests/test_render_sdk.py.
PLAIN: Mapping[str, Json] = {
    **dict.fromkeys(("", "~", "null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "on", "true", "TRUE"), True),
    **dict.fromkeys(("n", "No", "Off", "False"), False),
    "08": 8, "017": 15, "-017": -15, "0o17": 15, "0x1F": 31, "+0x1F": 31, "0b11": 3, "00": 0,
    "1_000": 1000, "1_": 1, "0x_1": 1, "1e3": 1000, "1.5e+3": 1500, "5.": 5, ".5": 0.5, "+5": 5, "-0": 0, "1.10": 1.1,
    "9223372036854775808": 2**63, "100000000000000000000": 1e20,
    **{text: text for text in ("_1", "0o8", "1e400", "12:30:45", "2001-01-01", "1:2", ".", "-", "e3", "1e", "=", "tRue")},
}  # fmt: skip

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
plain_words = st.sampled_from(
    [*PLAIN, "yes\n", " x", "x ", "a: b", "#x", "- x", "{{ x }}", "&a", "*a", "!x", "|", ">", "%", "@", "`"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    plain_words,
)
trees: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | plain_words, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> list[Object]:
    return [item.object for item in read_manifests(text, release="app", source="app/templates/x.yaml")]


def thing(name: str, **fields: Json) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_scalar_means_what_it_means_to_helm(text: str) -> None:
    found = read_plain(text)
    assert (found, type(found)) == (PLAIN[text], type(PLAIN[text]))


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan"])
def test_a_number_that_json_has_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        read_plain(text)


@given(trees)
def test_what_is_written_is_read_back_the_same(tree: Json) -> None:
    item = Manifest(release="app", source="app/templates/x.yaml", object=thing("x", data=tree))
    text = dump([item, item])
    assert read(text) == [item.object, item.object]
    assert text.count("# Source: app/templates/x.yaml\n") >= 2


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_ends_in_another_error(text: str) -> None:
    try:
        found = read(text)
    except ManifestError:
        return
    assert all(isinstance(item["kind"], str) for item in found)


def test_documents_end_where_helm_ends_them() -> None:
    """Even where no line of their own stands between them: cert-manager's rbac.yaml does so."""
    one, other = "kind: A\n", "kind: B\n"
    for between in ("---\n", "\n---\n\n", "---# a comment\n", "--- \n---\n# nothing\n---\n"):
        found = [out for out in documents("x", f"---\n{one}{between}{other}") if "kind" in out.text]
        assert [out.text.strip().splitlines()[-1] for out in found] == ["kind: A", "kind: B"]
        assert [out.before for out in found] == [1, 2 + between.count("\n") - between.startswith("---# ")]
    assert list(documents("x", "\n---\n \n---\n")) == []


def test_the_items_of_a_list_are_objects_of_their_own() -> None:
    items = "".join(f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}\n" for name in "ab")
    assert read(f"apiVersion: v1\nkind: List\nitems:\n{items}") == [thing("a"), thing("b")]


def test_anchors_merges_and_equal_keys_are_taken_as_helm_takes_them() -> None:
    text = "apiVersion: v1\nkind: C\nmetadata: {name: a}\na: &x {b: 1, c: 3}\ne: {c: 5, <<: *x}\nf: 1\nf: 2\n1: y\ntrue: z\n"
    (found,) = read(text)
    assert found["e"] == {"b": 1, "c": 3}
    assert (found["f"], found["1"], found["true"]) == (2, True, "z")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [\n", 2, "no YAML"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\na: b\n  c: d\n", 6, "no YAML"),
        ("- a\n", 1, "found a list, expected a Kubernetes object"),
        ("\n\nkind: A\n", 3, "no apiVersion"),
        ("apiVersion: v1\n", 1, "no kind"),
        ("apiVersion: v1\nkind: A\n", 1, "the A has no name"),
        ("? [a]\n: b\n", 1, "a key is a list or a map"),
        ("~: b\n", 1, "a key is null"),
        ("a: .nan\n", 1, "no number"),
        ("a: &a [*a]\n", None, "levels|no YAML"),
        ("x: " + "[" * 300 + "]" * 300, 1, "more than 200 levels"),
        ("a: \x01\n", None, "no YAML"),
    ],
)
def test_what_is_no_manifest_is_named_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(ManifestError, match=said) as raised:
        read(text)
    assert line is None or raised.value.line == line


def test_aliases_cannot_make_a_small_text_endless() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(ManifestError, match="entries"):
        read(f"a0: &a0 [x]\n{levels}")


def test_a_number_is_whole_where_it_has_no_fraction() -> None:
    (found,) = read("apiVersion: v1\nkind: A\nmetadata: {name: a}\nx: [1.0, 1.5, 1e300]\n")
    values = found["x"]
    assert isinstance(values, list)
    assert [type(value) for value in values] == [int, float, float]
    assert isinstance(values[2], float)
    assert math.isfinite(values[2])


def test_what_helm_runs_as_a_hook_says_when() -> None:
    item = thing("x", metadata={"name": "x", "annotations": {"helm.sh/hook": "pre-install, post-upgrade"}})
    assert Manifest(release="a", source="s", object=item).hooks == {"pre-install", "post-upgrade"}
    assert Manifest(release="a", source="s", object=thing("x")).hooks == frozenset()
