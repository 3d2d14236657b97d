"""Rule c's history of the pins, on real git repositories: what moved together, what apart, and what git cannot say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from kiwi_core.cli import main
from pin_repos import Customer, git

WHY = "# alone: the chart was mended, the application is as it was"


@attrs.frozen(kw_only=True)
class History:
    """A customer whose template gets commits, and what the contract says of them."""

    customer: Customer
    read: Callable[[], str]

    @property
    def template(self) -> Path:
        """The repository."""
        return self.customer.template

    def set(self, *, chart: str | None = None, image: str | None = None, why: str = "") -> None:
        """Write other versions of Onyx into the pin files."""
        for what, version, entry in (("charts", chart, "onyx"), ("images", image, "onyxBackend")):
            if version is None:
                continue
            lines = self.customer.file(what).read_text(encoding="utf-8").split("\n")
            start = lines.index(f"  {entry}:")
            place = next(n for n in range(start, len(lines)) if lines[n].lstrip().startswith(("version:", "tag:")))
            key = lines[place].partition(":")[0]
            lines[place] = f'{key}: "{version}"{f"  {why}" if why else ""}'
            self.customer.file(what).write_text("\n".join(lines), encoding="utf-8")

    def commit(self, message: str = "Bump") -> str:
        """Commit all; return the revision."""
        git(self.template, "add", "--all")
        git(self.template, "commit", "--quiet", "--message", message)
        return git(self.template, "rev-parse", "HEAD")

    def bump(self, *, chart: str | None = None, image: str | None = None, why: str = "") -> str:
        """Write other versions and commit them; return the revision."""
        self.set(chart=chart, image=image, why=why)
        return self.commit()

    def told(self, outcome: str) -> dict[str, str]:
        """What the rule says of the history: subject to message."""
        main(["check", str(self.customer.root), "--lane", "dev", "--json"])
        results = json.loads(self.read())["results"]
        subjects = ("commit", "history of the pins")
        return {
            result["subject"]: result["message"]
            for result in results
            if result["rule"] == "c" and result["outcome"] == outcome and result["subject"].startswith(subjects)
        }

    def passed(self, number: int) -> None:
        """Hold that so many commits were looked at, and that nothing was found."""
        assert self.told("finding") == {}
        assert self.told("unproven") == {}
        assert self.told("pass") == {"history of the pins": f"{number} commits were looked at"}


def moved(revision: str, what: str, other: str, pin: str) -> dict[str, str]:
    return {f"commit {revision[:12]}": f"it moved the {what} of onyx ({pin}) and none of its {other}"}


def chart_moved(revision: str) -> dict[str, str]:
    return moved(revision, "charts", "images", "onyx")


def image_moved(revision: str) -> dict[str, str]:
    return moved(revision, "images", "charts", "onyxBackend")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> History:
    return History(customer=Customer.make(tmp_path, monkeypatch), read=lambda: capsys.readouterr().out)


def test_bumped_together_is_fine(history: History) -> None:
    history.bump(chart="0.8.20", image="v4.6.2")
    history.passed(2)


def test_bumped_apart_is_found_in_each_commit(history: History) -> None:
    first = history.bump(chart="0.8.20")
    second = history.bump(image="v4.6.2")
    assert history.told("finding") == chart_moved(first) | image_moved(second)


def test_bumped_apart_with_a_reason_is_fine(history: History) -> None:
    history.bump(chart="0.8.20", why=WHY)
    history.passed(2)


def test_a_commit_of_other_files_is_not_looked_at(history: History) -> None:
    (history.template / "README.md").write_text("words", encoding="utf-8")
    history.commit()
    history.passed(1)


def test_a_merge_is_no_bump_of_its_own(history: History) -> None:
    git(history.template, "checkout", "--quiet", "-b", "bump")
    apart = history.bump(chart="0.8.20")
    git(history.template, "checkout", "--quiet", "main")
    (history.template / "README.md").write_text("words", encoding="utf-8")
    history.commit()
    git(history.template, "merge", "--quiet", "--no-ff", "--message", "Merge", "bump")
    assert history.told("finding") == chart_moved(apart)


def test_a_merge_of_two_bumps_counts_each_once(history: History) -> None:
    git(history.template, "checkout", "--quiet", "-b", "bump")
    images = history.bump(image="v4.6.2")
    git(history.template, "checkout", "--quiet", "main")
    charts = history.bump(chart="0.8.20")
    git(history.template, "merge", "--quiet", "--no-ff", "--message", "Merge", "bump")
    assert history.told("finding") == chart_moved(charts) | image_moved(images)


def test_a_merge_that_took_one_side_has_the_history_of_that_side(history: History) -> None:
    git(history.template, "checkout", "--quiet", "-b", "bump")
    history.bump(chart="0.8.21", image="v4.6.3")
    git(history.template, "checkout", "--quiet", "main")
    history.bump(chart="0.8.20", image="v4.6.2")
    git(history.template, "merge", "--quiet", "--no-ff", "--message", "Merge", "--strategy-option=theirs", "bump")
    history.passed(2)


def test_what_was_committed_apart_and_squashed_is_together(history: History) -> None:
    git(history.template, "checkout", "--quiet", "-b", "bump")
    history.bump(chart="0.8.20")
    history.bump(image="v4.6.2")
    git(history.template, "checkout", "--quiet", "main")
    git(history.template, "merge", "--quiet", "--squash", "bump")
    history.commit()
    history.passed(2)


def test_what_was_committed_together_and_rebased_stays_together(history: History) -> None:
    git(history.template, "checkout", "--quiet", "-b", "bump")
    history.bump(chart="0.8.20", image="v4.6.2")
    git(history.template, "checkout", "--quiet", "main")
    (history.template / "README.md").write_text("words", encoding="utf-8")
    history.commit()
    git(history.template, "checkout", "--quiet", "bump")
    git(history.template, "rebase", "--quiet", "main")
    history.passed(2)


def test_a_revert_of_both_is_fine_and_of_one_half_is_found(history: History) -> None:
    history.bump(chart="0.8.20", image="v4.6.2")
    git(history.template, "revert", "--no-edit", "HEAD")
    history.passed(3)
    git(history.template, "revert", "--no-edit", "HEAD")
    git(history.template, "revert", "--no-commit", "HEAD")
    git(history.template, "checkout", "HEAD", "--", "environments/dev/images.yaml")
    git(history.template, "commit", "--quiet", "--message", "Revert the chart")
    assert history.told("finding") == chart_moved(git(history.template, "rev-parse", "HEAD"))


def test_older_mistakes_are_history(history: History) -> None:
    apart = history.bump(chart="0.8.20")
    for number in range(19):
        history.bump(chart=f"0.9.{number}", image=f"v5.0.{number}")
    assert history.told("finding") == chart_moved(apart)
    history.bump(chart="0.9.19", image="v5.0.19")
    history.passed(20)


@pytest.fixture
def outer(history: History, tmp_path: Path) -> Path:
    """A repository that holds the template in a folder, of another name at first."""
    folder = tmp_path / "all"
    git(folder, "init", "--quiet", "--initial-branch=main")
    (history.template / ".git").rename(tmp_path / "gone")
    history.template.rename(folder / "old-platform")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All")
    return folder


def test_files_that_were_renamed_keep_their_history(history: History, outer: Path) -> None:
    charts = outer / "old-platform" / "environments" / "dev" / "charts.yaml"
    charts.write_text(charts.read_text(encoding="utf-8").replace("0.8.19", "0.8.20"), encoding="utf-8")
    git(outer, "commit", "--quiet", "--all", "--message", "Bump")
    apart = git(outer, "rev-parse", "HEAD")
    git(outer, "mv", "old-platform", history.template.name)
    git(outer, "commit", "--quiet", "--message", "Another name")
    assert history.told("finding") == chart_moved(apart)


def test_a_rename_that_bumps_on_the_way_is_a_bump(history: History, outer: Path) -> None:
    git(outer, "mv", "old-platform", history.template.name)
    history.set(image="v4.6.2")
    git(outer, "commit", "--quiet", "--all", "--message", "Another name")
    assert history.told("finding") == image_moved(git(outer, "rev-parse", "HEAD"))


def replaced(history: History, tmp_path: Path, *options: str) -> None:
    """Put a clone in the template's place."""
    history.template.rename(tmp_path / "origin")
    git(tmp_path, "-C", "origin", "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", *options, (tmp_path / "origin").as_uri(), str(history.template))


def test_a_clone_is_as_good_and_a_shallow_or_partial_one_is_unproven(history: History, tmp_path: Path) -> None:
    apart = history.bump(chart="0.8.20")
    replaced(history, tmp_path)
    assert history.told("finding") == chart_moved(apart)
    for options, why in ((("--depth=1",), "shallow clone"), (("--filter=blob:none",), "partial clone")):
        subprocess.run(["rm", "-r", history.template, tmp_path / "x"], check=False, capture_output=True)
        git(tmp_path, "clone", "--quiet", *options, (tmp_path / "origin").as_uri(), str(history.template))
        assert history.told("finding") == {}
        assert why in history.told("unproven")["history of the pins"]


def test_without_git_the_history_is_unproven(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (history.template / ".git").rename(tmp_path / "gone")
    assert "is in no git repository" in history.told("unproven")["history of the pins"]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "there is no git" in history.told("unproven")["history of the pins"]


def test_a_hook_of_another_repository_does_not_lead_astray(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = history.bump(chart="0.8.20")
    git(tmp_path, "init", "--quiet", "customer")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "customer" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "customer" / ".git" / "index"))
    assert history.told("finding") == chart_moved(apart)
