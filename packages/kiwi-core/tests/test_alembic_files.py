"""Revision files are read and never run, and what their docstrings say is not believed."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._model.alembic_files import MAX_FILE, Revision, is_revision_file, parse_revision, read_revisions
from kiwi_core._model.revisions import circle_of, closure, heads_of, in_order
from kiwi_core.errors import InputError
from oci_samples import revision

READ = {
    "a-first-one": ("revision = 'a'\ndown_revision = None\n", Revision("a", ())),
    "one-parent": ('revision = "a"\ndown_revision = "b"\n', Revision("a", ("b",))),
    "a-merge": ("revision = 'a'\ndown_revision = ('b', 'c')\n", Revision("a", ("b", "c"))),
    "a-merge-as-a-list": ("revision = 'a'\ndown_revision = ['b', 'c']\n", Revision("a", ("b", "c"))),
    "with-types": ("revision: str = 'a'\ndown_revision: Union[str, None] = 'b'\n", Revision("a", ("b",))),
    "the-last-word": ("revision = 'x'\ndown_revision = None\nrevision = 'a'\n", Revision("a", ())),
    "several-names": ("revision = rev = 'a'\ndown_revision = None\n", Revision("a", ())),
    "a-docstring-that-lies": (revision("a", "b").decode(), Revision("a", ("b",))),
    "what-would-fail-if-it-ran": ("1 / 0\nrevision = 'a'\ndown_revision = None\nexit(1)\n", Revision("a", ())),
    "old-escapes": ("revision = 'a'\ndown_revision = None\nx = '\\d'\n", Revision("a", ())),
    "a-byte-order-mark": ("\ufeffrevision = 'a'\ndown_revision = None\n", Revision("a", ())),
    "no-literal": ("revision = make()\ndown_revision = None\n", "'revision' is not assigned a literal text"),
    "a-formatted-text": ("revision = f'a'\ndown_revision = None\n", "'revision' is not assigned a literal text"),
    "joined": ("revision = 'a' + 'b'\ndown_revision = None\n", "'revision' is not assigned a literal text"),
    "in-a-function": ("def f():\n    revision = 'a'\n", "'revision' is not assigned a literal text"),
    "in-a-docstring": ('"""revision = \'a\'"""\n', "'revision' is not assigned a literal text"),
    "declared-only": ("revision: str\ndown_revision = None\n", "'revision' is not assigned a literal text"),
    "no-parent": ("revision = 'a'\n", "'down_revision' is not assigned None, a literal"),
    "a-number": ("revision = 'a'\ndown_revision = 1\n", "'down_revision' is not assigned None, a literal"),
    "a-tuple-of-more": ("revision = 'a'\ndown_revision = ('b', c)\n", "'down_revision' is not assigned None"),
    "a-tuple-of-nothing-in-it": ("revision = 'a'\ndown_revision = (None,)\n", "'down_revision' is not assigned None"),
    "no-python": ("revision = \n", "this is not Python: invalid syntax"),
    "null": ("revision = 'a'\0", "this is not Python: "),
    "deep": ("(" * 100_000, "this is not Python: "),
    "long": ("#" * (MAX_FILE + 1), f"it has {MAX_FILE + 1} bytes; a revision has at most {MAX_FILE}"),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_a_file_is_read_by_its_assignments(text: str, expected: Revision | str) -> None:
    found = parse_revision(text.encode())
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert found.startswith(expected)
    else:
        assert found == expected


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_told(data: bytes) -> None:
    assert isinstance(parse_revision(data), Revision | str)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.py", True), ("__init__.py", False), (".#a.py", False), ("a.pyc", False), ("a.txt", False), ("README", False)],
)
def test_which_files_hold_revisions_is_told_by_their_names(name: str, *, is_one: bool) -> None:
    assert is_revision_file(name) is is_one


def test_a_folder_is_read_parents_first() -> None:
    files = {
        "a.py": revision("three", ("one", "two")),
        "b.py": revision("two", "one"),
        "c.py": revision("one"),
        "__init__.py": b"(",
        "x.md": b"(",
    }
    assert list(read_revisions(files, "/x").items()) == [("one", ()), ("two", ("one",)), ("three", ("one", "two"))]


def problems(files: dict[str, bytes]) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_revisions(files, "an image: /x")
    return list(map(str, caught.value.problems))


def test_all_that_is_wrong_in_a_folder_is_told_at_once() -> None:
    assert problems({"a.py": b"(", "b.py": revision("b"), "c.py": revision("b"), "d.py": revision("d", "gone")}) == [
        "an image: /x/a.py: this is not Python: '(' was never closed (<unknown>, line 1)",
        "an image: /x/c.py: revision 'b' is that of b.py as well",
    ]
    assert problems({"d.py": revision("d", "gone")}) == ["an image: /x/d.py: parent 'gone' is in no file"]
    assert problems({"a.py": revision("a", "b"), "b.py": revision("b", "a")}) == [
        "an image: /x/a.py: revisions go round in a circle: a -> b -> a"
    ]
    assert problems({"x.md": b""}) == ["an image: /x: there is no revision file here"]


# Revisions and their parents

GRAPHS = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=3).map(tuple))


@given(GRAPHS)
def test_revisions_are_ordered_or_go_round_in_a_circle_or_miss_a_parent(parents: dict[str, tuple[str, ...]]) -> None:
    ordered, circle = in_order(parents), circle_of(parents)
    for index, name in enumerate(ordered):
        assert {*parents[name]} <= {*list(ordered)[:index]}
    left_out = parents.keys() - ordered.keys()
    misses = any(parent not in parents for above in parents.values() for parent in above)
    assert bool(left_out) == bool(circle or misses)
    if circle:
        assert circle[0] == circle[-1]
        assert all(parent in parents[child] for child, parent in itertools.pairwise(circle))


@given(GRAPHS)
def test_a_closure_has_every_parent_that_is_known_and_comes_to_an_end(parents: dict[str, tuple[str, ...]]) -> None:
    found = closure(parents, parents)
    assert found == parents.keys()
    for name, above in parents.items():
        assert {name, *(parent for parent in above if parent in parents)} <= closure([name], parents)
    assert closure(["nowhere"], parents) == set()


@given(GRAPHS)
def test_no_other_revision_builds_on_a_head(parents: dict[str, tuple[str, ...]]) -> None:
    built_on = {parent for above in parents.values() for parent in above}
    assert set(heads_of(parents)) == parents.keys() - built_on


def test_reading_files_needs_next_to_nothing() -> None:
    """It runs inside containers, which have what the runtime of hooks brings along and no more."""
    code = (
        "import sys, kiwi_core._model.alembic_files, kiwi_core._model.schema_history\n"
        "own = sorted(name for name in sys.modules if name.startswith('kiwi_core.'))\n"
        "heavy = [name for name in ('yaml', 'pluggy', 'cattrs', 'subprocess', 'urllib.request') if name in sys.modules]\n"
        "layers = {name.split('.')[1] for name in own}\n"
        "assert layers <= {'_model', 'errors'} and not heavy, (own, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
