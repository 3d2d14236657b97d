"""Writing a tree: only what changed, all or nothing, and nothing that is not ours."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core._deliver.disk import Written, replace_files, write_tree
from kiwi_core._emit.tree import MANIFEST, Tree
from kiwi_core.errors import OutputError


def tree(files: Mapping[str, str]) -> Tree:
    """A tree with its manifest."""
    contents = {path: text.encode() for path, text in files.items()}
    listed = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    return {**contents, MANIFEST: json.dumps({"files": listed}).encode()}


ONE = tree({"helmfile.yaml": "a", "values/app.yaml": "b", "values/old.yaml": "c", "charts/own/x/y.yaml": "d"})
TWO = tree({"helmfile.yaml": "A", "values/app.yaml": "b", "new/deep/file.yaml": "e"})


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder: files with their content, folders without."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in snapshot(folder).items() if content is not None}


def problems(folder: Path, wanted: Tree, *, force: bool = False) -> list[str]:
    """What hinders a tree, and that nothing was done then."""
    before = snapshot(folder)
    with pytest.raises(OutputError) as caught:
        write_tree(folder, wanted, force=force)
    assert snapshot(folder) == before
    return [str(problem).replace(str(folder), "OUT") for problem in caught.value.problems]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds a build."""
    folder = tmp_path / "out"
    write_tree(folder, ONE)
    return folder


def test_the_first_build_writes_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    assert write_tree(folder, ONE) == Written(written=tuple(sorted(ONE)), removed=(), unchanged=0)
    assert files(folder) == ONE
    assert {(folder / path).stat().st_mode & 0o777 for path in ONE} == {0o644}


def state(path: Path) -> tuple[int, int, int]:
    """What writing a file would change; reading it changes the time of the last access."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_mode


def test_a_build_that_changes_nothing_writes_nothing(out: Path) -> None:
    before = {path: state(out / path) for path in ONE}
    assert write_tree(out, ONE) == Written(written=(), removed=(), unchanged=len(ONE))
    assert {path: state(out / path) for path in ONE} == before


def test_only_what_changed_is_written_and_what_left_is_removed(out: Path) -> None:
    before = state(out / "values/app.yaml")
    done = write_tree(out, TWO)
    assert done == Written(
        written=("helmfile.yaml", MANIFEST, "new/deep/file.yaml"),
        removed=("charts/own/x/y.yaml", "values/old.yaml"),
        unchanged=1,
    )
    assert state(out / "values/app.yaml") == before
    assert files(out) == TWO
    assert not (out / "charts").exists()


def test_a_folder_that_still_holds_something_is_not_removed(out: Path) -> None:
    (out / "charts/own/mine.txt").write_text("mine", "utf-8")
    write_tree(out, TWO)
    assert files(out) == {**TWO, "charts/own/mine.txt": b"mine"}


@pytest.mark.parametrize("force", [False, True])
def test_what_is_not_ours_and_not_in_the_way_stays(out: Path, force: bool) -> None:  # noqa: FBT001 -- of the table
    (out / "values/mine.yaml").write_text("mine", "utf-8")
    write_tree(out, TWO, force=force)
    assert files(out) == {**TWO, "values/mine.yaml": b"mine"}


def test_what_was_changed_by_hand_is_reported_and_kept_unless_forced(out: Path) -> None:
    for path in ("helmfile.yaml", "values/old.yaml"):
        (out / path).write_text("by hand", "utf-8")
    (out / "new/deep").mkdir(parents=True)
    (out / "new/deep/file.yaml").write_text("mine", "utf-8")
    by_hand = (
        "OUT/{}: this file was written by a build and changed by hand since\n"
        "    keep your change in an overlay or in the spec; --force overwrites it"
    )
    assert problems(out, TWO) == [
        by_hand.format("helmfile.yaml"),
        "OUT/new/deep/file.yaml: this file was not written by a build\n    move it away, or --force",
        by_hand.format("values/old.yaml"),
    ]
    write_tree(out, TWO, force=True)
    assert files(out) == TWO


def test_what_was_changed_by_hand_to_what_the_build_wants_is_fine(out: Path) -> None:
    (out / "helmfile.yaml").write_text("A", "utf-8")
    assert "helmfile.yaml" not in write_tree(out, TWO).written
    assert files(out) == TWO


def test_what_was_removed_by_hand_is_written_again(out: Path) -> None:
    (out / "values/app.yaml").unlink()
    (out / "values/old.yaml").unlink()
    assert write_tree(out, TWO).removed == ("charts/own/x/y.yaml",)
    assert files(out) == TWO


BROKEN_MANIFESTS = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"files": {"\xff": ""}}',
    "a list": b"[]",
    "no files": b"{}",
    "files that are a list": b'{"files": []}',
    "too deep": b"[" * 100_000,
    **{
        f"the path {path!a}": json.dumps({"files": {path: hashlib.sha256(b"precious").hexdigest()}}).encode()
        for path in ("../precious", "/precious", "a/../../precious", "", ".", "a//b", "a\0b", "\ud800", MANIFEST)
    },
}


@pytest.mark.parametrize("manifest", BROKEN_MANIFESTS.values(), ids=BROKEN_MANIFESTS)
def test_a_broken_manifest_is_reported_and_removes_nothing(out: Path, manifest: bytes) -> None:
    precious = out.parent / "precious"
    precious.write_text("precious", "utf-8")
    (out / MANIFEST).write_bytes(manifest)
    (found,) = problems(out, TWO)
    assert found == f"OUT/{MANIFEST}: this is no manifest of a build\n    remove it, or build with --force"
    write_tree(out, TWO, force=True)
    assert precious.read_text("utf-8") == "precious"
    assert files(out) == {**TWO, "values/old.yaml": b"c", "charts/own/x/y.yaml": b"d"}


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine", "utf-8")
    for folder in (file, file / "out"):
        with pytest.raises(OutputError, match=r"cannot write: (Not a directory|File exists)"):
            write_tree(folder, ONE)
    assert file.read_text("utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_cannot_be_written(out: Path) -> None:
    out.chmod(0o500)
    assert "cannot write: Permission denied" in problems(out, TWO)[0]
    out.chmod(0o700)


def test_a_folder_where_a_file_should_be_is_reported(out: Path) -> None:
    (out / "new/deep/file.yaml").mkdir(parents=True)
    assert "OUT/new/deep/file.yaml: cannot write: Is a directory" in problems(out, TWO)[0]
    assert problems(out, TWO, force=True)


def test_a_file_where_a_folder_should_be_is_reported(out: Path) -> None:
    (out / "new").write_text("mine", "utf-8")
    assert "cannot write: Not a directory" in problems(out, TWO)[0]


def test_a_full_disk_leaves_the_folder_as_it_was(out: Path) -> None:
    before = snapshot(out)
    code = (
        "import resource, sys; from pathlib import Path; from kiwi_core._deliver.disk import write_tree\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"write_tree(Path({str(out)!r}), {{**{TWO!r}, 'zzz.yaml': b'x' * 200_000}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OutputError" in done.stderr
    assert "cannot write: File too large" in done.stderr
    assert "nothing of this build was left there" in done.stderr
    assert snapshot(out) == before


class Fails:
    """Calls a function, but raises at one of the calls."""

    def __init__(self, function: Callable[..., object], at: int, error: BaseException) -> None:
        self.function, self.left, self.error = function, at, error

    def __call__(self, *arguments: object, **keywords: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.function(*arguments, **keywords)

    def __get__(self, instance: object, _owner: object) -> Callable[..., object]:
        return lambda *arguments, **keywords: self(instance, *arguments, **keywords)


FULL = OSError(errno.ENOSPC, "No space left on device")


# TWO is three new contents over ONE, with copies of two that it changes and of two that it removes.
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "Ctrl-C"])
@pytest.mark.parametrize(
    ("name", "most"), [("mkstemp", 7), ("fdopen", 3), ("mkdir", 3), ("replace", 3), ("chmod", 3), ("copy2", 4)]
)
def test_whatever_fails_while_writing_leaves_the_folder_as_it_was(
    out: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int, error: BaseException
) -> None:
    owner = {"mkstemp": tempfile, "fdopen": os, "copy2": shutil}.get(name, Path)
    before = snapshot(out)
    for at in range(1, most + 1):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, Fails(getattr(owner, name), at, error))
            with pytest.raises((OutputError, KeyboardInterrupt)):
                write_tree(out, TWO)
        assert snapshot(out) == before, f"call {at} of {name}"
    write_tree(out, TWO)
    assert files(out) == TWO


def test_the_manifest_goes_last_since_a_killed_build_is_told_by_the_old_one(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    replace = Path.replace

    def recorded(path: Path, target: Path) -> Path:
        order.append(target.relative_to(out).as_posix())
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", recorded)
    write_tree(out, TWO)
    assert order == ["helmfile.yaml", "new/deep/file.yaml", MANIFEST]


@pytest.mark.parametrize("at", [1, 2])
def test_a_file_that_cannot_be_removed_leaves_the_folder_as_it_was(
    out: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    gone = ["charts/own/x/y.yaml", "values/old.yaml"][at - 1]
    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path == out / gone:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert problems(out, TWO) == [
        f"OUT/{gone}: cannot write: Operation not permitted\n    nothing of this build was left there"
    ]


def test_a_first_build_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fdopen", Fails(os.fdopen, 3, FULL))
    with pytest.raises(OutputError, match="No space left on device"):
        write_tree(tmp_path / "a" / "out", ONE)
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("target", ["precious", "nowhere"])
def test_a_link_in_the_place_of_a_file_is_reported(out: Path, target: str, force: bool) -> None:  # noqa: FBT001 -- of the table
    precious = out.parent / "precious"
    precious.write_text("precious", "utf-8")
    (out / "new/deep").mkdir(parents=True)
    (out / "new/deep/file.yaml").symlink_to(out.parent / target)
    assert problems(out, TWO, force=force) == [
        "OUT/new/deep/file.yaml: this is a link, and a build writes through none\n    remove it"
    ]
    assert precious.read_text("utf-8") == "precious"
    assert not (out.parent / "nowhere").exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_link_in_the_place_of_a_folder_is_reported(out: Path, force: bool) -> None:  # noqa: FBT001 -- of the table
    elsewhere = out.parent / "elsewhere"
    (out / "values").rename(elsewhere)
    (out / "values").symlink_to(elsewhere)
    assert problems(out, TWO, force=force) == [
        "OUT/values: this is a link, and a build writes through none\n    remove it"
    ]
    assert files(elsewhere) == {"app.yaml": b"b", "old.yaml": b"c"}


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write_tree(tmp_path / "out", ONE)
    assert files(tmp_path / "real") == ONE


names = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"])
trees = st.dictionaries(names, st.sampled_from(["1", "2", "3"]), max_size=5).map(tree)


@settings(deadline=None, max_examples=40)
@given(st.lists(trees, min_size=1, max_size=4))
def test_after_any_builds_the_folder_holds_the_last_and_what_is_not_ours(builds: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "c").mkdir()
        (folder / "c" / "mine").write_text("mine", "utf-8")
        for build in builds:
            write_tree(folder, build)
            assert files(folder) == {**build, "c/mine": b"mine"}


def test_files_are_replaced_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    replace_files({one: b"1", other: b"2"})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", Fails(Path.replace, 2, FULL))
        with pytest.raises(OutputError, match="cannot write: No space left on device"):
            replace_files({one: b"3", other: b"4"})
    assert snapshot(tmp_path) == {"one.yaml": b"1", "other.yaml": b"2"}
