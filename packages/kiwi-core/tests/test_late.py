"""Late values: joined as text, walked as leaves, never formatted by accident, and their mark on a pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kiwi_core._model.late import (
    Credential,
    Late,
    Path,
    Pin,
    Quoted,
    Text,
    Value,
    late_leaves,
    leaves,
    parts_of,
    skeleton,
    text,
    url,
)
from kiwi_core._model.secrets import Secret, checksum

PASSWORD = Credential("onyx", "postgres/onyx")
TAG = Pin("onyxBackend", "tag")
WRITERS: tuple[Callable[[Late], str], ...] = (
    str,
    lambda late: f"{late}",
    lambda late: f"{late:>8}",
    "{}".format,
    lambda late: "%s" % late,  # noqa: UP031 -- one of the ways
)
FORMS: tuple[Late, ...] = (PASSWORD, TAG, Quoted(PASSWORD), Text(("a", PASSWORD)))

credentials = st.builds(
    Credential, st.sampled_from(["onyx", "pg"]), st.sampled_from(["a", "b"]), st.integers(min_value=1, max_value=2)
)
pins = st.builds(Pin, st.sampled_from(["web", "api"]), st.sampled_from(["name", "tag"]))
lates: st.SearchStrategy[Credential | Pin | Quoted] = st.one_of(credentials, pins, st.builds(Quoted, credentials))
plain_leaves: st.SearchStrategy[Value] = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
# What a definition could be taken for: the look of a late value, and of its parts.
literals = st.sampled_from(["", "a", "=a", repr(PASSWORD), "Text(segments=('a',))"]) | st.builds(repr, credentials)
secret_values: st.SearchStrategy[str | Credential | Quoted | Text] = st.one_of(
    literals,
    credentials,
    st.builds(Quoted, credentials),
    st.lists(st.one_of(literals, lates), max_size=3).map(lambda segments: Text(tuple(segments))),
)
secrets = st.builds(
    Secret,
    st.sampled_from(["x", "y"]),
    st.dictionaries(st.sampled_from(["password", "url"]), secret_values, min_size=1),
)


def trees(leaf: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Trees of values."""

    def deeper(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
        return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)

    return st.recursive(leaf, deeper, max_leaves=12)


def rebuilt(found: Sequence[tuple[Path, Value]]) -> Value:
    """A tree from its leaves."""
    if found[0][0] == ():
        assert len(found) == 1
        return found[0][1]
    branches: dict[str | int, list[tuple[Path, Value]]] = {}
    for path, leaf in found:
        branches.setdefault(path[0], []).append((path[1:], leaf))
    if all(isinstance(step, int) for step in branches):
        assert list(branches) == list(range(len(branches)))
        return [rebuilt(branch) for branch in branches.values()]
    return {str(step): rebuilt(branch) for step, branch in branches.items()}


def test_a_text_joins_literals_and_late_values_in_order() -> None:
    joined = text("postgres://{user}:{password}@{host}/{{db}}", user="onyx", password=url(PASSWORD), host="pg")
    assert joined == Text(("postgres://", "onyx", ":", Quoted(PASSWORD), "@", "pg", "/{", "db}"))


@given(st.lists(st.tuples(st.text(max_size=5), lates), max_size=4), st.text(max_size=5))
def test_a_text_says_what_format_would_say_of_its_parts(pieces: list[tuple[str, Credential]], end: str) -> None:
    def escaped(literal: str) -> str:
        return literal.replace("{", "{{").replace("}", "}}")

    parts = {f"part{index}": part for index, (_, part) in enumerate(pieces)}
    template = "".join(f"{escaped(literal)}{{part{index}}}" for index, (literal, _) in enumerate(pieces)) + escaped(end)
    shown = {name: skeleton(part) for name, part in parts.items()}
    assert skeleton(text(template, **parts)) == template.format(**shown)


@pytest.mark.parametrize(
    "template", ["{b}", "{a} {b}", "no part at all", "{a!r}", "{a:>8}", "{}{a}", "{0}{a}", "{a.scope}", "{a[0]}", "{a"]
)
def test_a_text_refuses_a_template_that_does_not_fit_its_parts(template: str) -> None:
    with pytest.raises(ValueError, match=r"^text\(|expected '}'"):
        text(template, a=PASSWORD)


@given(st.text())
def test_a_known_part_of_a_url_is_encoded_at_once(value: str) -> None:
    encoded = url(value)
    assert isinstance(encoded, str)
    assert unquote(encoded) == value
    assert all(letter.isalnum() or letter in "-._~%" for letter in encoded)
    assert encoded.isascii()


def test_a_credential_in_a_url_is_encoded_at_deploy() -> None:
    assert url(PASSWORD) == Quoted(PASSWORD)


@pytest.mark.parametrize("late", FORMS, ids=lambda late: type(late).__name__)
@pytest.mark.parametrize("write", WRITERS, ids=["str", "f-string", "with a width", "format", "percent"])
def test_formatting_a_late_value_raises_and_says_what_to_write(late: Late, write: Callable[[Late], str]) -> None:
    with pytest.raises(TypeError, match=r"known only at deploy.*join it with text\("):
        write(late)
    assert repr(late)


@pytest.mark.parametrize(("scope", "purpose", "generation"), [("", "a", 1), ("a", "", 1), ("a", "b", 0)])
def test_a_credential_has_a_scope_a_purpose_and_a_generation(scope: str, purpose: str, generation: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        Credential(scope, purpose, generation)


@given(trees(plain_leaves | lates))
def test_the_leaves_of_a_tree_are_the_tree(tree: Value) -> None:
    assert rebuilt(list(leaves(tree))) == tree


@given(st.lists(st.tuples(st.lists(st.booleans(), max_size=3), trees(plain_leaves | lates)), max_size=4))
def test_every_late_value_of_a_tree_is_found_at_its_path(branches: list[tuple[list[bool], Value]]) -> None:
    tree: dict[str, Value] = {}
    expected: set[tuple[Path, str]] = set()
    for index, (turns, branch) in enumerate(branches):
        # Down through lists and maps to a text with one credential more than the branch has.
        late = Credential("planted", f"p{index}")
        value: Value = [branch, Text(("a", late))]
        path: Path = (1,)
        for is_list in turns:
            value, path = ([None, value], (1, *path)) if is_list else ({"k": value}, ("k", *path))
        tree[f"b{index}"] = value
        expected.add(((f"b{index}", *path), late.purpose))
    found = list(late_leaves(tree))
    assert {
        (path, part.purpose) for path, part in found if isinstance(part, Credential) and part.scope == "planted"
    } == (expected)
    assert len(found) == sum(len(list(parts_of(leaf))) for _, leaf in leaves(tree))


def test_late_parts_are_found_in_every_form() -> None:
    tree: Mapping[str, Value] = {"a": [TAG, Text((":", Quoted(PASSWORD), TAG))], "b": "plain", "c": Quoted(PASSWORD)}
    assert list(late_leaves(tree)) == [
        (("a", 0), TAG),
        (("a", 1), PASSWORD),
        (("a", 1), TAG),
        (("c",), PASSWORD),
    ]


def test_a_skeleton_shows_late_parts_as_asked() -> None:
    assert skeleton(Text(("a:", Quoted(PASSWORD), "@", TAG)), lambda part: f"<{type(part).__name__}>") == (
        "a:<Credential>@<Pin>"
    )


@given(secrets, secrets)
@example(Secret("x", {"k": PASSWORD}), Secret("x", {"k": Quoted(PASSWORD)}))
@example(Secret("x", {"k": Text((PASSWORD,))}), Secret("x", {"k": Text((repr(PASSWORD),))}))
@example(Secret("x", {"k": PASSWORD}), Secret("x", {"k": Credential("onyx", "postgres/onyx", 2)}))
@example(Secret("x", {"a": "1", "b": "2"}), Secret("x", {"b": "2", "a": "1"}))
def test_a_checksum_changes_exactly_when_a_definition_does(one: Secret, other: Secret) -> None:
    assert (checksum(one).text() == checksum(other).text()) == (one == other)


@given(st.lists(secrets, max_size=3))
def test_a_checksum_of_many_does_not_depend_on_their_order(many: list[Secret]) -> None:
    assert checksum(*many).text() == checksum(*reversed(many)).text()
    assert checksum(*many).text() != checksum(*many, Secret("z", {"k": "v"})).text()


@given(st.lists(secrets, max_size=3))
def test_a_checksum_begins_with_a_letter_and_fits_a_label(many: list[Secret]) -> None:
    mark = checksum(*many).text()
    assert mark[0].isalpha()
    assert mark.isalnum()
    assert mark.isascii()
    assert len(mark) <= 63


def test_a_checksum_tells_nothing_of_a_literal() -> None:
    assert "hunter2" not in checksum(Secret("x", {"k": "hunter2"})).text()


def test_another_seed_gives_another_checksum() -> None:
    mark = checksum(Secret("x", {"k": PASSWORD}))
    assert len({mark.text(), mark.text("k1"), mark.text("k2")}) == 3
    with pytest.raises(TypeError, match="known only at deploy"):
        str(mark)
