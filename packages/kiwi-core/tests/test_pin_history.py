"""Charts and images move together, in one commit: what git tells, and what the rule makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from contract_changes import Change, both, evidence, scene, stack, values
from contract_stack import DIGEST, Scene, commit, pin_texts
from kiwi_core import Lane
from kiwi_core._contract.results import Commit, Outcome
from kiwi_core._deliver.git import pin_history

OTHER = "sha256:" + "f" * 64
WHY = "  # alone: the chart was mended, the application is as it was\n"
SUBJECT = "history of the pins"


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    return evidence(history=(commit(before, after),))


FROM = pin_texts("0.9.0", "v1.1.0")
TO = pin_texts()
CHART_ALONE, IMAGE_ALONE = pin_texts(chart="1.0.0", image="v1.1.0"), pin_texts(chart="0.9.0", image="v1.2.0")
INSIDE = "    # alone: it is a fix of the chart\n"
LINE = "{{charts: {{app: {{registry: r.example, name: app, version: {}}}}}}}\n# alone: x\n"


def with_digest(digest: str) -> Mapping[str, str]:
    return {**TO, "charts": TO["charts"] + f"    digest: {digest}\n"}


FOUND = {
    "chart-alone": moved(FROM, CHART_ALONE),
    "image-alone": moved(FROM, IMAGE_ALONE),
    "chart-back": moved(CHART_ALONE, FROM),
    "image-of-another-digest": moved(pin_texts(image=f"v1@{DIGEST}"), pin_texts(image=f"v1@{OTHER}")),
    "image-of-another-repository": moved(TO, {**TO, "images": TO["images"].replace("acme/app", "fork/app")}),
    "image-of-another-registry": moved(TO, {**TO, "images": TO["images"].replace("r.example", "evil.example")}),
    "chart-of-another-digest": moved(with_digest(DIGEST), with_digest(OTHER)),
    "a-comment-at-the-end-of-one-line": moved(
        {**FROM, "charts": LINE.format("0.9.0")}, {**FROM, "charts": LINE.format("1.0.0")}
    ),
    "chart-of-another-name": moved(TO, {**TO, "charts": TO["charts"].replace("name: app", "name: fork")}),
    "an-older-commit": evidence(history=(commit(FROM, TO), commit(FROM, CHART_ALONE))),
    "a-comment-that-says-nothing": moved(FROM, pin_texts("1.0.0", "v1.1.0", note="  # alone:\n")),
    "another-comment": moved(FROM, pin_texts("1.0.0", "v1.1.0", note="  # it is alone, since it is\n")),
    "a-comment-in-the-other-file": moved(FROM, {**CHART_ALONE, "images": "# alone: x\n" + CHART_ALONE["images"]}),
    "a-comment-at-another-entry": moved(
        FROM, {**CHART_ALONE, "charts": CHART_ALONE["charts"] + "  # alone: x\n  db:\n    version: 1.0.0\n"}
    ),
    "a-comment-atop-the-file": moved(FROM, {**CHART_ALONE, "charts": "# alone: x\n" + CHART_ALONE["charts"]}),
    "a-comment-that-was-taken-away": moved(pin_texts("0.9.0", "v1.1.0", note=WHY), CHART_ALONE),
}


@pytest.mark.parametrize("change", FOUND.values(), ids=FOUND)
def test_what_moved_alone_is_found(change: Change) -> None:
    (found,) = change(Scene()).of(Outcome.FINDING)
    assert found.startswith("[c] commit 0123456789ab: it moved the ")
    assert "of app (app)" in found
    assert "# alone: <why>" in found


FINE = {
    "together": moved(FROM, TO),
    "nothing": moved(TO, TO),
    "comments-only": moved(TO, pin_texts(note="  # a note\n")),
    "the-first-commit": moved({}, TO),
    "the-first-commit-of-one-file": moved({"charts": FROM["charts"]}, TO),
    "the-last-commit": moved(TO, {}),
    "a-new-entry": moved({**FROM, "charts": "charts: {}\n"}, CHART_ALONE),
    "an-entry-gone": moved(FROM, {**FROM, "images": "images: {}\n"}),
    "an-entry-of-nobody": moved(FROM, {**FROM, "charts": FROM["charts"] + "  unused:\n    version: 1.0.0\n"}),
    "a-digest-for-an-image": moved(pin_texts(image="v1"), pin_texts(image=f"v1@{DIGEST}")),
    "an-image-without-its-digest": moved(pin_texts(image=f"v1@{DIGEST}"), pin_texts(image="v1")),
    "a-digest-for-a-chart": moved(TO, {**TO, "charts": TO["charts"] + f"    digest: {DIGEST}\n"}),
    "quotes": moved(TO, {**TO, "charts": TO["charts"].replace("1.0.0", '"1.0.0"')}),
    "a-comment-above": moved(FROM, pin_texts("1.0.0", "v1.1.0", note=WHY)),
    "a-comment-above-of-an-image": moved(FROM, pin_texts("0.9.0", "v1.2.0", note=WHY)),
    "a-comment-above-others": moved(FROM, pin_texts("1.0.0", "v1.1.0", note=WHY + "  # and more\n")),
    "a-comment-inside": moved(FROM, {**CHART_ALONE, "charts": CHART_ALONE["charts"] + INSIDE}),
    "a-comment-inside-below-a-gap": moved(FROM, {**CHART_ALONE, "charts": CHART_ALONE["charts"] + "\n" + INSIDE}),
    "a-comment-behind": moved(
        FROM, {**CHART_ALONE, "charts": CHART_ALONE["charts"].replace("1.0.0\n", "1.0.0 # alone: a fix\n")}
    ),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_moved_together_or_says_why_not_is_fine(change: Change) -> None:
    changed = change(Scene())
    assert changed.of(Outcome.FINDING) == []
    assert any(f"{SUBJECT}: 1 commits were looked at" in said for said in changed.of(Outcome.PASS, "c"))


def test_a_component_without_image_pins_has_nothing_to_move_apart() -> None:
    hidden = values("app", {"image": {"repository": "", "tag": ""}, "web": {"image": {"repository": "", "tag": ""}}})
    changed = both(moved(FROM, CHART_ALONE), hidden, values("worker", {"image": {"repository": "", "tag": ""}}))
    assert not any("commit" in found for found in changed(Scene()).of(Outcome.FINDING, "c"))


def test_a_component_whose_charts_come_with_its_package_has_nothing_to_move_apart() -> None:
    own = stack(
        lambda found: attrs.evolve(found, releases=tuple(attrs.evolve(item, chart=None) for item in found.releases))
    )
    assert both(moved(FROM, IMAGE_ALONE), own)(Scene()).of(Outcome.FINDING, "c") == []


def test_files_that_cannot_be_read_are_unproven_and_stop_no_other_commit() -> None:
    broken = commit({**FROM, "images": "images: &x\n  a: *x\n"}, TO)
    changed = evidence(history=(broken, commit(FROM, CHART_ALONE)))(Scene())
    assert any(
        "commit 0123456789ab: a pin file could not be read" in said for said in changed.of(Outcome.UNPROVEN, "c")
    )
    assert len(changed.of(Outcome.FINDING, "c")) == 1
    assert not any(SUBJECT in said for said in changed.of(Outcome.PASS, "c"))


@pytest.mark.parametrize("text", ["[]", "charts: []\n", "charts:\n  app: 1.0.0\n", ""])
def test_files_of_another_form_move_nothing(text: str) -> None:
    for change in (moved(FROM, {**FROM, "charts": text}), moved({**FROM, "charts": text}, FROM)):
        assert change(Scene()).of(Outcome.FINDING) == []


def test_the_history_counts_in_every_lane() -> None:
    assert both(scene(lane=Lane.STABLE), moved(FROM, CHART_ALONE))(Scene()).of(Outcome.FINDING, "c")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template's lane in a git repository, with nothing of the user's own configuration."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "template" / "environments" / "dev"
    folder.mkdir(parents=True)
    git(tmp_path / "template", "init", "--quiet", "--initial-branch=main")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def save(folder: Path, texts: Mapping[str, str]) -> str:
    """Commit pin files; return the revision."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "pins")
    return git(folder, "rev-parse", "HEAD")


def test_each_commit_comes_with_the_files_before_and_after_it_newest_first(repository: Path) -> None:
    revisions = [save(repository, texts) for texts in (FROM, CHART_ALONE, TO)]
    assert pin_history(repository) == (
        [
            Commit(revision=revisions[2], before=CHART_ALONE, after=TO),
            Commit(revision=revisions[1], before=FROM, after=CHART_ALONE),
            Commit(revision=revisions[0], before={}, after=FROM),
        ],
        "",
    )


def test_commits_that_touch_other_files_are_left_out(repository: Path) -> None:
    first = save(repository, FROM)
    (repository / "README.md").write_text("x", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "words")
    history, _ = pin_history(repository)
    assert history is not None
    assert [found.revision for found in history] == [first]


def test_only_the_newest_commits_are_looked_at(repository: Path) -> None:
    revisions = [save(repository, pin_texts(chart=f"1.0.{number}")) for number in range(4)]
    history, _ = pin_history(repository, commits=2)
    assert history is not None
    assert [found.revision for found in history] == [revisions[3], revisions[2]]


def test_a_file_that_is_not_there_is_left_out(repository: Path) -> None:
    save(repository, {"charts": FROM["charts"]})
    save(repository, {"images": FROM["images"]})
    git(repository, "rm", "--quiet", "charts.yaml")
    git(repository, "commit", "--quiet", "--message", "gone")
    history, _ = pin_history(repository)
    assert history is not None
    assert [(set(found.before), set(found.after)) for found in history] == [
        ({"charts", "images"}, {"images"}),
        ({"charts"}, {"charts", "images"}),
        (set(), {"charts"}),
    ]


def test_texts_are_as_git_has_them(repository: Path) -> None:
    hostile = {"charts": "charts: {}\n# ünïcödé\n\n", "images": "\n0 missing\nabc blob 3\n"}
    save(repository, hostile)
    history, _ = pin_history(repository)
    assert history is not None
    assert history[0].after == hostile


def test_a_merge_is_compared_with_what_it_was_merged_into(repository: Path) -> None:
    save(repository, FROM)
    git(repository, "checkout", "--quiet", "-b", "bump")
    save(repository, TO)
    git(repository, "checkout", "--quiet", "main")
    (repository / "README.md").write_text("x", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "words")
    git(repository, "merge", "--quiet", "--no-ff", "--message", "merge", "bump")
    history, _ = pin_history(repository)
    assert history is not None
    assert evidence(history=history)(Scene()).of(Outcome.FINDING) == []


def test_a_repository_without_a_commit_has_nothing_to_tell(repository: Path) -> None:
    assert not pin_history(repository)[0]


def test_pins_that_were_never_committed_have_nothing_to_tell(repository: Path) -> None:
    save(repository, {"README": "x"})
    (repository / "charts.yaml").write_text(FROM["charts"], encoding="utf-8")
    assert pin_history(repository) == ([], "")


def test_a_shallow_clone_is_told(repository: Path, tmp_path: Path) -> None:
    save(repository, FROM)
    save(repository, CHART_ALONE)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", (tmp_path / "template").as_uri(), str(shallow))
    history, why = pin_history(shallow / "environments" / "dev")
    assert history is None
    assert "shallow" in why
    assert "git fetch --unshallow" in why


def test_a_folder_in_no_repository_is_told(repository: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "template" / ".git")
    history, why = pin_history(repository)
    assert history is None
    assert "no git repository" in why


def test_a_machine_without_git_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    history, why = pin_history(repository)
    assert history is None
    assert "no git to ask" in why


def test_nothing_that_a_repository_configures_is_run(repository: Path, tmp_path: Path) -> None:
    save(repository, FROM)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n", encoding="utf-8")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand"):
        git(repository, "config", key, str(trap))
    pin_history(repository)
    assert not (tmp_path / "sprung").exists()
