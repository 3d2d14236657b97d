"""``kiwistack pins show`` and ``bump``, and what git has of them; no server is asked here."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kiwi_core.cli import main
from pin_repos import Customer, git

DIGEST = "sha256:" + "a" * 64
BUMP = ("--image", "redis=7.4.2", "--chart", "onyx=0.8.20")


@pytest.fixture
def customer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
    return Customer.make(tmp_path, monkeypatch)


def bump(customer: Customer, *words: str) -> int:
    return main(["pins", "bump", str(customer.root), *words])


def test_show_lists_what_runs_and_where_it_is_pinned(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    customer.edit("images", '"7.4.1"', f'"7.4.1@{DIGEST}"')
    assert main(["pins", "show", str(customer.root)]) == 0
    shown = capsys.readouterr().out
    assert f"image redis: docker.io/library/redis:7.4.1 ({customer.file('images')}:" in shown
    assert f"    {DIGEST}; in onyx-redis\n" in shown
    assert "image onyxBackend: docker.io/onyxdotapp/onyx-backend:v4.6.1" in shown
    assert "    no digest; in onyx\n" in shown
    assert "no digest in a classic Helm repository; in onyx-opensearch" in shown
    assert (
        "not pinned: curlimages/curl:8.10.1 in onyx: hard-coded in templates/tests/test-connection.yaml:14, for"
        in shown
    )
    assert "lane dev: 6 images, 2 charts; 6 without digest (kiwistack pins lock)" in shown
    assert shown.endswith("1 pins are not used here: image hello\n")


def test_show_gives_the_same_as_json(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pins", "show", str(customer.root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    pins = {(pin["kind"], pin["name"]): pin for pin in report["pins"]}
    lines = customer.file("images").read_text().split("\n")
    file, _, line = pins["images", "redis"]["where"].rpartition(":")
    assert (file, lines[int(line) - 1].strip()) == (str(customer.file("images")), 'tag: "7.4.1"')
    assert pins["images", "redis"]["digest"] is None
    assert pins["images", "onyxModelServer"]["releases"] == ["onyx"]
    assert pins["charts", "onyx"]["reference"] == "ghcr.io/onyx-dot-app/charts/onyx 0.8.19"
    assert {other["image"]: bool(other["reason"]) for other in report["unpinned"]}["bitnami/kubectl:latest"]
    assert report["unused"] == ["image hello"]


def test_show_says_which_charts_are_local(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    chart = customer.file("charts").parent / "mine"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: onyx\nversion: 0.8.19\n", encoding="utf-8")
    customer.edit("charts", 'version: "0.8.19"', 'version: "0.8.19"\n    path: "mine"')
    assert main(["pins", "show", str(customer.root)]) == 0
    assert "a local folder stands in for it; in onyx" in capsys.readouterr().out


def test_a_bump_is_one_commit_of_both_files(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    assert bump(customer, *BUMP) == 0
    shown = capsys.readouterr().out
    lines = ["chart onyx: 0.8.19 → 0.8.20", "image redis: 7.4.1 → 7.4.2"]
    revision = git(customer.template, "rev-parse", "--short", "HEAD")
    assert shown.splitlines() == [*lines, f"committed as {revision}"]
    assert git(customer.template, "log", "-1", "--format=%B").splitlines() == ["Bump onyx, redis", "", *lines]
    changed = git(customer.template, "show", "--format=", "--name-only").splitlines()
    assert changed == ["environments/dev/charts.yaml", "environments/dev/images.yaml"]
    assert git(customer.template, "rev-list", "--count", "HEAD") == "2"
    assert git(customer.template, "status", "--porcelain") == ""


def test_a_commit_takes_nothing_else_along(customer: Customer) -> None:
    template = customer.template
    other = customer.file("images", "stable")
    (template / "staged.txt").write_text("staged", encoding="utf-8")
    git(template, "add", "staged.txt")
    other.write_text(other.read_text() + "# changed\n", encoding="utf-8")
    (template / "untracked.txt").write_text("untracked", encoding="utf-8")
    before = git(template, "status", "--porcelain")
    assert bump(customer, *BUMP) == 0
    assert git(template, "status", "--porcelain") == before
    assert git(template, "show", "--format=", "--name-only").splitlines() == [
        "environments/dev/charts.yaml",
        "environments/dev/images.yaml",
    ]


def test_a_bump_without_a_commit_leaves_the_files_edited(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bump(customer, *BUMP, "--no-commit") == 0
    assert capsys.readouterr().out.endswith("not committed: --no-commit\n")
    assert bump(customer, "--image", "redis=7.4.3", "--no-commit") == 0
    assert customer.tag("redis") == "7.4.3"
    assert git(customer.template, "rev-list", "--count", "HEAD") == "1"


@pytest.mark.parametrize("value", ["7.4.1", f"7.4.1@{DIGEST}"])
def test_a_bump_to_what_is_there_is_said_and_is_no_commit(
    value: str, customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    if "@" in value:
        customer.edit("images", '"7.4.1"', f'"{value}"')
    before = customer.state()
    assert bump(customer, "--image", f"redis={value}", "--chart", "onyx=0.8.19") == 0
    said = ["chart onyx: 0.8.19 already", f"image redis: {value} already", "nothing to change"]
    assert capsys.readouterr().out.splitlines() == said
    assert customer.state() == before


def test_a_digest_is_added_to_a_chart_that_has_none(customer: Customer) -> None:
    assert bump(customer, "--chart", f"onyx=0.8.20@{DIGEST}") == 0
    assert f'    version: "0.8.20"\n    digest: "{DIGEST}"\n  opensearch:' in customer.file("charts").read_text()


def test_comments_in_odd_places_stay(customer: Customer) -> None:
    text = (
        "# above\nimages: # beside\n  # before\n  redis: # behind the name\n    registry: docker.io # r\n\n"
        "    # between\n    repository: library/redis\n    tag: '7.4.1' # behind the tag\n    # after\n  # below\n"
    )
    rest = customer.file("images").read_text().partition("images:\n")[2].partition("  redis:")[0]
    customer.file("images").write_text(text + rest, encoding="utf-8")
    git(customer.template, "commit", "--quiet", "--all", "--message", "Comments")
    assert bump(customer, "--image", "redis=7.4.2") == 0
    assert customer.file("images").read_text() == text.replace("'7.4.1'", '"7.4.2"') + rest


def test_where_git_keeps_no_pins_they_are_only_edited(
    customer: Customer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (customer.template / ".git").rename(tmp_path / "gone")
    assert bump(customer, "--image", "redis=7.4.2") == 0
    assert "not committed: " in (said := capsys.readouterr().out)
    assert "is in no git repository" in said
    git(customer.template, "init", "--quiet")
    (customer.template / ".gitignore").write_text("environments\n", encoding="utf-8")
    assert bump(customer, "--image", "redis=7.4.3") == 0
    assert "not committed: git ignores the pin files" in capsys.readouterr().out
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert bump(customer, "--image", "redis=7.4.4") == 0
    assert "not committed: there is no git" in capsys.readouterr().out
    assert customer.tag("redis") == "7.4.4"


def refused(customer: Customer, capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    """Hold that a bump changes nothing; return what it says."""
    before = customer.state()
    assert bump(customer, *(words or BUMP)) == code
    assert customer.state() == before
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


@pytest.mark.parametrize("is_staged", [False, True], ids=["edited", "staged"])
def test_pins_with_changes_of_their_own_are_not_committed_with_a_bump(
    is_staged: bool,  # noqa: FBT001 -- the table's
    customer: Customer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    customer.file("charts").write_text(customer.file("charts").read_text() + "# mine\n", encoding="utf-8")
    if is_staged:
        git(customer.template, "add", ".")
    said = refused(customer, capsys, "--image", "redis=7.4.2")
    assert f"{customer.file('charts')}: it has changes that are not committed" in said
    assert "--no-commit" in said


def test_pins_that_were_never_committed_are_not_committed_with_a_bump(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    git(customer.template, "rm", "--quiet", "--cached", "environments/dev/images.yaml")
    git(customer.template, "commit", "--quiet", "--message", "Out")
    assert f"{customer.file('images')}: it has changes that are not committed" in refused(customer, capsys)


def make_conflict(customer: Customer) -> None:
    """Stop in the middle of a merge of two bumps."""
    git(customer.template, "checkout", "--quiet", "-b", "other")
    customer.edit("images", '"7.4.1"', '"7.4.5"')
    git(customer.template, "checkout", "--quiet", "main")
    customer.edit("images", '"7.4.1"', '"7.4.6"')
    subprocess.run(["git", "merge", "--quiet", "other"], cwd=customer.template, check=False, capture_output=True)


def test_nothing_is_bumped_half_way_through_a_merge(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    make_conflict(customer)
    for words in (("--image", "redis=7.4.7"), ("--chart", "onyx=0.8.20"), ("--image", "redis=7.4.7", "--no-commit")):
        said = refused(customer, capsys, *words)
        assert f"{customer.file('images')}:29: " in said
        assert "merge conflict" in said
    git(customer.template, "checkout", "--ours", "--", "environments/dev/images.yaml")
    git(customer.template, "add", ".")
    assert "a merge is not finished in this repository" in refused(customer, capsys)


@pytest.mark.parametrize("command", ["cherry-pick", "revert", "rebase"])
def test_nothing_is_committed_half_way_through_anything_else(
    command: str, customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    make_conflict(customer)
    git(customer.template, "merge", "--abort")
    words = {"cherry-pick": ["cherry-pick", "other"], "revert": ["revert", "other"], "rebase": ["rebase", "other"]}
    subprocess.run(["git", *words[command]], cwd=customer.template, check=False, capture_output=True)
    git(customer.template, "checkout", "HEAD", "--", "environments/dev/images.yaml")
    assert f"a {command} is not finished in this repository" in refused(customer, capsys)


def test_a_hook_that_refuses_leaves_the_files_as_they_were(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = customer.template / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no bump on Fridays >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    said = refused(customer, capsys, code=3)
    assert "git commit failed: no bump on Fridays" in said


def test_all_that_is_wrong_with_the_words_is_usage(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    assert "NAME=VALUE" in refused(customer, capsys, "--check-registry", "--image", "redis=7.4.2", "--mirror", "x")
    for mirror in ("docker.io=http://mirror.example", "docker.io=mirror.example/../x y", "https://x=y"):
        said = refused(customer, capsys, "--check-registry", "--image", "redis=7.4.2", "--mirror", mirror)
        assert "is no registry and HOST[:PORT][/PREFIX]" in said
    for seconds in ("0", "-1", "nan", "inf", "x"):
        with pytest.raises(SystemExit):
            bump(customer, *BUMP, "--timeout", seconds)


def test_a_wrong_mirror_in_kiwi_toml_is_told_with_its_line(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = customer.root / "kiwi.toml"
    settings.write_text(settings.read_text() + '\n[mirrors]\n"docker.io" = "http://x"\n', encoding="utf-8")
    assert main(["pins", "outdated", str(customer.root)]) == 2
    assert f"{settings}:9: mirrors: mirrors 'docker.io' = 'http://x' is no registry" in capsys.readouterr().err


def test_a_registry_that_is_down_is_told_and_nothing_changes(
    customer: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    before = customer.state()
    words = ["--mirror", f"docker.io={host}", "--image", "redis", "--image", "onyxBackend"]
    assert main(["pins", "lock", str(customer.root), *words]) == 3
    assert customer.state() == before
    said = capsys.readouterr()
    assert said.out == ""
    assert f"images.yaml:29: images.redis.tag: {host} cannot be reached: Connection refused (asked 3 times)" in said.err
    assert "(asked 3 times), and so of 1 more" in said.err


def test_a_build_loads_no_client_for_the_network(customer: Customer) -> None:
    program = (
        "import sys; from kiwi_core.cli import main; main(sys.argv[1:]);"
        "print(sorted({'http.client', 'urllib.request', 'concurrent.futures', 'ssl'} & sys.modules.keys()))"
    )
    for words in (["--version"], ["build", str(customer.root)], ["pins", "bump", str(customer.root), *BUMP]):
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
