"""TOML files: the data, the lines of every path, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._spec.tomlfile import parse_toml, read_toml
from kiwi_core.errors import PinError, Problem, SpecError, Where

TEXT = '''\
# A tenant.
slug = "acme" # the slug
"quoted key" = 1
site.name = "a"
site . "sub.name" = 'b'
text = """
[not.a.table]
key = "no"
"""
raw = \'\'\'
[[neither]]\'\'\'
list = [
  1, # one
  "]", [ 2,
    3 ],
]
inline = { a = 1, b.c = [ "x" ], d = {} }

[cluster]
name = "core"

[cluster.dns.labels]
app = "x"

[[components]]
kind = "onyx"

  [components.options]
  replicas = 2

[[components]]
kind = "dex"
[[components.hooks]]
name = "one"
[[components.hooks]]
name = "two"
'''

LINES = {
    (): 1,
    ("slug",): 2,
    ("quoted key",): 3,
    ("site",): 4,
    ("site", "name"): 4,
    ("site", "sub.name"): 5,
    ("text",): 6,
    ("raw",): 10,
    ("list",): 12,
    ("list", 0): 13,
    ("list", 1): 14,
    ("list", 2): 14,
    ("list", 2, 0): 14,
    ("list", 2, 1): 15,
    ("inline",): 17,
    ("inline", "a"): 17,
    ("inline", "b"): 17,
    ("inline", "b", "c"): 17,
    ("inline", "b", "c", 0): 17,
    ("inline", "d"): 17,
    ("cluster",): 19,
    ("cluster", "name"): 20,
    ("cluster", "dns"): 22,
    ("cluster", "dns", "labels"): 22,
    ("cluster", "dns", "labels", "app"): 23,
    ("components",): 25,
    ("components", 0): 25,
    ("components", 0, "kind"): 26,
    ("components", 0, "options"): 28,
    ("components", 0, "options", "replicas"): 29,
    ("components", 1): 31,
    ("components", 1, "kind"): 32,
    ("components", 1, "hooks"): 33,
    ("components", 1, "hooks", 0): 33,
    ("components", 1, "hooks", 0, "name"): 34,
    ("components", 1, "hooks", 1): 35,
    ("components", 1, "hooks", 1, "name"): 36,
}


def paths(data: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Return every path into the data."""
    parts: list[tuple[str | int, object]] = []
    if isinstance(data, dict):
        parts += cast("dict[str, object]", data).items()
    elif isinstance(data, list):
        parts += enumerate(cast("list[object]", data))
    return {path}.union(*(paths(item, (*path, step)) for step, item in parts))


def problems(data: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(PinError) as caught:
        parse_toml(data.encode() if isinstance(data, str) else data, file="f.toml", error=PinError)
    return caught.value.problems


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_path_has_its_line(newline: str) -> None:
    document = parse_toml(TEXT.replace("\n", newline).encode(), file="f")
    assert document.data == tomllib.loads(TEXT)
    assert paths(document.data) == set(LINES)
    assert {path: document.line(path) for path in LINES} == LINES
    assert document.line(("nothing",)) is None


keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.booleans() | st.integers(-9, 9) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(sign):08x}" if sign in '"\\\x7f' or sign < " " else sign for sign in text) + '"'


def written(value: object, newline: str) -> str:
    """Return a value as TOML, on a line for each item of a list."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case list():
            items = cast("list[object]", value)
            return f"[{newline}" + "".join(f"{written(item, newline)} , # ]{newline}" for item in items) + "]"
        case dict():
            table = cast("dict[str, object]", value)
            return "{" + ", ".join(f"{quoted(key)}={written(item, newline)}" for key, item in table.items()) + "}"
        case _:
            return str(value)


@given(st.dictionaries(keys, values, max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_any_value_is_scanned_to_its_end(table: dict[str, object], newline: str) -> None:
    text = "".join(f"{quoted(key)}\t={written(value, newline)}#{newline}" for key, value in table.items())
    document = parse_toml(text.encode(), file="f")
    assert document.data == table
    assert all(document.line(path) is not None for path in paths(table))
    line = 1
    for key, value in table.items():
        assert document.line((key,)) == line
        line += 1 + written(value, newline).count(newline)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T12:00:00Z", "2024-01-31 12:00:00+00:00"),
        ("2024-01-31 12:00:00", "2024-01-31 12:00:00"),
        ("12:30:45", "12:30:45"),
    ],
)
def test_a_date_or_time_is_refused(value: str, shown: str) -> None:
    assert problems(f"a = 1\n[b]\nc = [\n{value}]\n") == (
        Problem(
            f"found a date or time, {shown}, expected text",
            Where("f.toml", 4, ("b", "c", 0)),
            f'write it in quotes: "{shown}"',
        ),
    )


def test_all_that_json_cannot_hold_is_gathered() -> None:
    found = problems("a = inf\nb = [nan]\nc = 9007199254740993\nd = 2024-01-31\n")
    assert [(str(problem.where), problem.message) for problem in found] == [
        ("f.toml:1: a", "found inf, expected a finite number"),
        ("f.toml:2: b[0]", "found nan, expected a finite number"),
        ("f.toml:3: c", "found an integer beyond 2^53, which Helm would change"),
        ("f.toml:4: d", "found a date or time, 2024-01-31, expected text"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb == 2\n", 2, "this is no TOML: Invalid value (column 4)"),
        ("a = 1\na = 2\n", 2, "this is no TOML: Cannot overwrite a value (column 6)"),
        ("a = 1\n\nb = [1,\n", 4, "this is no TOML: Invalid value (end of the file)"),
        ("a = 1\n<<<<<<< HEAD\n", 2, "found the marker of a git merge conflict: <<<<<<<"),
        (f"a = {'9' * 5000}\n", None, None),
        (f"a = {'[' * 5000}\n", None, "found more than 100 levels, one in the other"),
        (f"a = {'[' * 102}{']' * 102}\n", 1, "found more than 100 levels, one in the other"),
        (f"[{'a.' * 101}b]\n", 1, "found more than 100 levels, one in the other"),
    ],
)
def test_broken_toml_is_named_with_its_line(text: str, line: int | None, message: str | None) -> None:
    (problem,) = problems(text)
    assert problem.where is not None
    assert problem.where.line == line
    assert problem.message == message or (
        message is None and problem.message.startswith("this is no TOML: Exceeds the limit")
    )


def test_a_file_is_utf_8() -> None:
    assert problems(b"\xef\xbb\xbfa = 1")[0].message == "found a byte-order mark, expected plain UTF-8 (byte 0)"
    assert problems(b"a = 1\nb = '\xff'")[0].where == Where("f.toml", 2)


def test_a_file_is_called_by_its_path_unless_it_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "kiwi.toml"
    path.write_text("a = 1\n")
    assert read_toml(path).file == str(path)
    assert read_toml(path, name="kiwi.toml").file == "kiwi.toml"
    assert read_toml(path).data == {"a": 1}
    with pytest.raises(SpecError) as caught:
        read_toml(tmp_path, name="here", error=SpecError)
    assert caught.value.problems == (Problem("found a folder, expected a file", Where("here")),)
