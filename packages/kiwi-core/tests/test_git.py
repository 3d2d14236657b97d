"""What git tells of pin files in repositories as they come: renamed, cloned in part, merged, run from a hook."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from kiwi_core._contract.results import Commit
from kiwi_core._deliver.git import pin_history

ONE = {"charts": "charts: {}\n# one, of some length, so that git knows it again\n", "images": "images: {}\n# one\n"}
TWO = {"charts": ONE["charts"] + "# two\n", "images": ONE["images"] + "# two\n"}
IDENTITY = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own configuration of git out."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(root: Path) -> Path:
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    return root


def save(folder: Path, texts: Mapping[str, str]) -> str:
    """Commit pin files; return the revision."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "pins")
    return git(folder, "rev-parse", "HEAD")


def history(folder: Path) -> list[Commit]:
    found, why = pin_history(folder)
    assert found is not None, why
    return list(found)


@pytest.mark.parametrize("name", ["dev", "a b", "[d]ev", "*", "ünï", ":(glob)x", "-n", "a/b/c"])
def test_a_folder_of_any_name_is_read(tmp_path: Path, name: str) -> None:
    lane = repository(tmp_path / "root") / name
    first, second = save(lane, ONE), save(lane, TWO)
    save(tmp_path / "root" / "elsewhere", TWO)
    assert history(lane) == [
        Commit(revision=second, before=ONE, after=TWO),
        Commit(revision=first, before={}, after=ONE),
    ]


def test_the_top_of_a_repository_is_a_folder_too(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    revision = save(root, ONE)
    assert history(root) == [Commit(revision=revision, before={}, after=ONE)]


def test_files_that_were_renamed_have_a_history(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    first = save(root / "old", ONE)
    git(root, "mv", "old", "new")
    git(root, "commit", "--quiet", "--message", "moved")
    moved = git(root, "rev-parse", "HEAD")
    changed = save(root / "new", TWO)
    assert history(root / "new") == [
        Commit(revision=changed, before=ONE, after=TWO),
        Commit(revision=moved, before=ONE, after=ONE),
        Commit(revision=first, before={}, after=ONE),
    ]


def test_a_change_that_is_not_committed_is_no_history(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    save(root, ONE)
    (root / "charts.yaml").write_text("other", "utf-8")
    git(root, "add", ".")
    assert [commit.after for commit in history(root)] == [ONE]


def test_what_both_sides_of_a_merge_did_is_seen_once_each(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    save(root, ONE)
    git(root, "checkout", "--quiet", "-b", "side")
    side = save(root, {"charts": TWO["charts"]})
    git(root, "checkout", "--quiet", "main")
    main = save(root, {"images": TWO["images"]})
    git(root, "merge", "--quiet", "--no-edit", "side")
    found = {commit.revision: (commit.before, commit.after) for commit in history(root)}
    assert found[side] == (ONE, {**ONE, "charts": TWO["charts"]})
    assert found[main] == (ONE, {**ONE, "images": TWO["images"]})


def test_a_branch_without_a_commit_is_told_or_empty(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    assert not pin_history(root)[0]
    save(root, ONE)
    git(root, "checkout", "--quiet", "--orphan", "empty")
    found, why = pin_history(root)
    assert not found
    assert found is not None or why


def test_a_partial_clone_is_told_and_nothing_is_fetched(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    save(root, ONE)
    save(root, TWO)
    git(root, "config", "uploadpack.allowFilter", "true")
    part = tmp_path / "part"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", root.as_uri(), str(part))
    before = sorted(path for path in (part / ".git" / "objects").rglob("*") if path.is_file())
    found, why = pin_history(part)
    assert found is None
    assert "partial clone" in why
    assert sorted(path for path in (part / ".git" / "objects").rglob("*") if path.is_file()) == before


def test_a_hook_of_another_repository_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = repository(tmp_path / "root"), repository(tmp_path / "other")
    revision = save(root, ONE)
    save(other, TWO)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert [commit.revision for commit in history(root)] == [revision]


def test_settings_that_change_what_git_prints_change_nothing(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    revision = save(root, ONE)
    for setting in (
        *("log.showSignature=true", "log.decorate=full", "log.follow=true", "color.ui=always", "core.quotePath=true"),
        *("diff.renames=false", "log.date=relative", "format.pretty=oneline", "i18n.logOutputEncoding=latin1"),
    ):
        name, _, value = setting.partition("=")
        git(root, "config", name, value)
    assert history(root) == [Commit(revision=revision, before={}, after=ONE)]


def test_a_file_that_is_no_text_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    root = repository(tmp_path / "root")
    (root / "charts.yaml").write_bytes(b"\xff\xfe\n\x00x\n")
    save(root, {"images": ONE["images"]})
    (commit,) = history(root)
    assert commit.after == {"charts": "\ufffd\ufffd\n\x00x\n", "images": ONE["images"]}


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    found, why = pin_history(tmp_path / "nowhere")
    assert found is None
    assert str(tmp_path / "nowhere") in why
