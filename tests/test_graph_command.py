"""``kiwistack graph``, and the report that ``kiwistack build`` writes, as their users get them."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET  # of our own pictures
from pathlib import Path

import pytest
from kiwi_core.cli import main
from pin_repos import alone_with_git, git
from trees import EXAMPLES, kiwistack

CUSTOMER = EXAMPLES / "cust-kiwistack"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The examples, to be changed."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    return folder


def titles(root: ET.Element) -> set[str]:
    return {each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")}


def test_the_picture_is_svg_in_ascii_with_every_release(tmp_path: Path) -> None:
    drawn = kiwistack("graph", CUSTOMER, environment={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert drawn.isascii()
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    kiwistack("build", CUSTOMER, "--out", tmp_path)
    summary = json.loads((tmp_path / "stack.json").read_bytes())
    found = titles(root)
    for release in summary["releases"]:
        assert any(title.startswith(f"{release['name']}, ") for title in found)
    for edge in summary["edges"]:
        assert any(title.startswith(f"{edge['before']} → {edge['after']} ") for title in found)


def test_the_picture_goes_to_a_file_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "core.svg"
    assert main(["graph", str(EXAMPLES / "core-1"), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{out}: 16 boxes" in shown.err
    assert list(out.parent.iterdir()) == [out]
    assert main(["graph", str(EXAMPLES / "core-1")]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")


def test_nodes_and_edges_are_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", str(CUSTOMER), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["target"] == "tenant kiwistack"
    nodes = {node["name"]: node for node in told["nodes"]}
    assert nodes["onyx"] | {"version": ""} == {
        "name": "onyx",
        "role": "component",
        "lane": "050-components",
        "component": "onyx",
        "namespace": "cust-kiwistack",
        "version": "",
    }
    assert nodes["llm/main"]["namespace"] == "kiwi-llm-gateway"
    edges = {(edge["before"], edge["after"]): edge for edge in told["edges"]}
    assert edges["postgresql", "onyx"]["kind"] == "postgres"
    assert edges["redis", "opendesk-nextcloud"] == {
        "before": "redis",
        "after": "opendesk-nextcloud",
        "kind": "order",
        "because": ["its cache is redis-headless"],
        "implied": True,
    }
    assert all(name in nodes for pair in edges for name in pair)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["graph", str(EXAMPLES / "core-1"), "--out", str(tmp_path / "file" / "x.svg")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_the_report_is_the_same_with_a_history_and_without_and_wherever_it_is_built(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone_with_git(copy, monkeypatch)
    customer = copy / "cust-kiwistack"
    kiwistack("build", customer)
    report = (customer / "generated" / "report.html").read_bytes()
    git(copy, "init", "--quiet")
    git(copy, "add", "od-platform")
    git(copy, "commit", "--quiet", "--message", "pins")
    assert " 0 written" in kiwistack("build", ".", cwd=customer)
    assert (customer / "generated" / "report.html").read_bytes() == report
    assert str(copy.parent).encode() not in report


def test_the_report_says_what_check_says(copy: Path) -> None:
    customer = copy / "cust-acme"
    printed = kiwistack("build", customer, "--out", copy / "out")
    counted = re.search(r"contract: \d+ passed, 0 findings, (\d+) unproven", printed)
    assert counted
    report = (copy / "out" / "report.html").read_text(encoding="utf-8")
    # The history of the pins, of which nothing is known in a folder without git, is no part of a tree.
    assert f"0 findings, {int(counted[1]) - 1} unproven" in report
    assert "kiwistack secrets fingerprint &lt;the repository&gt;" in report


def test_a_tree_with_a_report_is_one_that_apply_takes_for_the_specs(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer = copy / "cust-acme"
    kiwistack("build", customer)
    assert main(["apply", str(customer), "--helmfile", "no-such-program"]) == 3
    assert "no-such-program" in capsys.readouterr().err
