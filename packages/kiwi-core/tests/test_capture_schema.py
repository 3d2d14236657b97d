"""Capturing an Alembic history: small git repositories in, revisions and heads out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.capture_schema import capture_schema
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.capture_json import dump_schema, load_schema
from kiwi_core.errors import ExternalError, InputError

Commit = Callable[[Mapping[str, str | None], str], None]

STABLE = r"v\d+\.\d+\.\d+"


def revision(name: str, parent: object, *, annotated: bool = False) -> str:
    kind = ": str | None" if annotated else ""
    return f'"""Revision ID: wrong\n\nRevises: wrong as well\n"""\nimport nowhere\nrevision{kind} = {name!r}\ndown_revision{kind} = {parent!r}\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def run(folder: Path, *command: str) -> None:
    nobody = {f"GIT_{who}_{what}": "nobody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **nobody, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *command], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def commit(repository: Path) -> Commit:
    """Write files (None takes one away) and tag the commit; an empty tag is none."""

    def write(files: Mapping[str, str | None], tag: str) -> None:
        for name, text in files.items():
            path = repository / "db" / "versions" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        run(repository, "add", "--all")
        run(repository, "commit", "--quiet", "--allow-empty", "--message", tag or "more")
        if tag:
            run(repository, "tag", "--annotate", "--message", tag, tag)

    return write


def capture(repository: Path, tags: str = STABLE, **more: str) -> SchemaCapture:
    return capture_schema(repository, folder="db/versions", image="a/b", tags=tags, source="a test", **more)


def test_revisions_and_heads_are_read_at_every_tag(repository: Path, commit: Commit) -> None:
    commit({"b.py": revision("one", None), "__init__.py": "", "note.md": "x"}, "v1.9.0")
    commit({"a.py": revision("two", "one", annotated=True), "c.py": revision("three", ("one",))}, "v1.10.0")
    commit({"d.py": revision("four", ["two", "three"])}, "v1.10.1-rc.1")
    commit({"e.py": revision("five", "four")}, "")
    found = capture(repository)
    assert (found.tool, found.image, found.source, found.digests) == ("alembic", "a/b", "a test", {})
    assert list(found.revisions.items()) == [
        ("one", ()),
        ("three", ("one",)),
        ("two", ("one",)),
        ("four", ("two", "three")),
        ("five", ("four",)),
    ]
    assert list(found.tags.items()) == [("v1.9.0", ("one",)), ("v1.10.0", ("three", "two"))]
    assert found.first_tag_with("two") == "v1.10.0"
    assert found.first_tag_with("five") is None
    assert found.has("v1.10.0", "four") is False
    assert dump_schema(capture(repository / ".git")) == dump_schema(found)


def test_a_tag_matches_as_a_whole(repository: Path, commit: Commit) -> None:
    commit({"a.py": revision("one", None)}, "v1.0.0")
    commit({}, "v1.0.0-dev")
    assert list(capture(repository).tags) == ["v1.0.0"]
    assert list(capture(repository, "v1.*").tags) == ["v1.0.0", "v1.0.0-dev"]


def test_a_tag_without_the_folder_is_left_out(repository: Path, commit: Commit) -> None:
    run(repository, "commit", "--quiet", "--allow-empty", "--message", "x")
    run(repository, "tag", "v0.1.0")
    commit({"a.py": revision("one", None)}, "v1.0.0")
    found = capture(repository)
    assert found.known("v0.1.0") is False
    assert found.known("v1.0.0") is True


def test_a_history_that_was_rewritten_leaves_out_only_the_tags_that_it_belies(repository: Path, commit: Commit) -> None:
    commit({"a.py": revision("one", None), "b.py": revision("two", "one")}, "v1.0.0")
    # "between" was slipped in below "two" after v1.0.0 had it without.
    commit({"b.py": revision("two", "between"), "c.py": revision("between", "one")}, "v1.1.0")
    found = capture(repository)
    assert found.revisions == {"one": (), "between": ("one",), "two": ("between",)}
    assert found.tags == {"v1.1.0": ("two",)}
    assert found.has("v1.0.0", "between") is None


def test_the_same_wrong_file_in_many_tags_is_one_problem(repository: Path, commit: Commit) -> None:
    commit({"a.py": "revision = make()\n", "b.py": revision("two", None)}, "v1.0.0")
    commit({"c.py": "revision = 'x'\ndown_revision = [1]\n"}, "v1.1.0")
    commit({"d.py": "def ("}, "v1.2.0")
    commit({"e.py": "down_revision = None"}, "v1.3.0")
    with pytest.raises(InputError) as caught:
        capture(repository)
    found = [str(problem).partition("/versions/")[2] for problem in caught.value.problems]
    assert found == [
        "a.py: 'revision' is not assigned a literal text",
        "c.py: 'down_revision' is not assigned None, a literal text or a literal tuple of them",
        "d.py: this is not Python: invalid syntax (<unknown>, line 1)",
        "e.py: 'revision' is not assigned a literal text",
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.py": revision("one", "gone")}, r"db/versions/a\.py: parent 'gone' is in no file"),
        (
            {"a.py": revision("one", "three"), "b.py": revision("two", "one"), "c.py": revision("three", "two")},
            r"db/versions/a\.py: revisions go round in a circle: one -> three -> two -> one",
        ),
        ({"a.py": revision("one", "one")}, r"db/versions/a\.py: revisions go round in a circle: one -> one"),
        (
            {"a.py": revision("one", None), "b.py": revision("one", None)},
            r"db/versions/b\.py: revision 'one' is that of a\.py as well",
        ),
    ],
)
def test_a_history_that_cannot_be_is_refused_with_the_file(
    repository: Path, commit: Commit, files: dict[str, str], message: str
) -> None:
    commit(files, "v1.0.0")
    with pytest.raises(InputError, match=message):
        capture(repository)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("v9.*", r"no tag matches 'v9\.\*'\n    there are 1, such as 'v1\.0\.0'"),
        ("(", r"'\(' is no regular expression"),
    ],
)
def test_tags_that_are_not_there_are_refused(repository: Path, commit: Commit, tags: str, message: str) -> None:
    commit({"a.py": revision("one", None)}, "v1.0.0")
    with pytest.raises(InputError, match=message):
        capture(repository, tags)


def test_a_folder_that_no_tag_has_is_refused(repository: Path) -> None:
    run(repository, "commit", "--quiet", "--allow-empty", "--message", "x")
    run(repository, "tag", "v1.0.0")
    with pytest.raises(InputError, match="none of 1 tags has the folder 'db/versions'"):
        capture(repository)


def test_a_branch_that_is_not_there_is_refused(repository: Path, commit: Commit) -> None:
    commit({"a.py": revision("one", None)}, "v1.0.0")
    assert capture(repository, branch="main").revisions == {"one": ()}
    with pytest.raises(InputError, match="there is no 'mian' with the folder"):
        capture(repository, branch="mian")


def test_a_folder_that_is_no_repository_is_an_outside_failure(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="git failed: fatal: not a git repository"):
        capture(tmp_path / "nothing")


def test_git_that_is_not_installed_is_an_outside_failure(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExternalError, match="git was not found") as caught:
        capture(repository)
    assert caught.value.exit_code == 3


@st.composite
def histories(draw: st.DrawFn) -> SchemaCapture:
    revisions: dict[str, tuple[str, ...]] = {}
    for index in range(draw(st.integers(1, 12))):
        parents = draw(st.lists(st.sampled_from(sorted(revisions)), max_size=3, unique=True)) if revisions else []
        revisions[f"r{index}"] = tuple(parents)
    heads = draw(st.lists(st.sampled_from(sorted(revisions)), min_size=1, max_size=3, unique=True))
    return SchemaCapture(image="a/b", source="a test", revisions=revisions, tags={"v1.0.0": tuple(heads)})


@given(histories())
def test_a_tag_has_exactly_the_ancestors_of_its_heads(history: SchemaCapture) -> None:
    def ancestors(name: str) -> set[str]:
        return {name}.union(*map(ancestors, history.revisions[name]))

    expected = set[str]().union(*map(ancestors, history.tags["v1.0.0"]))
    assert {name for name in history.revisions if history.has("v1.0.0", name)} == expected
    assert {name for name in history.revisions if history.first_tag_with(name)} == expected
    assert load_schema(dump_schema(history)) == history
