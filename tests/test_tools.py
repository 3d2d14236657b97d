"""Where the tests take Helm, helmfile and age from."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from testbed import tools

ALL = tools.TOOLS + tools.CLUSTER_TOOLS


def make_program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(autouse=True)
def _empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("KIWISTACK_TESTBED", str(tmp_path / "testbed"))
    for tool in ALL:
        monkeypatch.delenv(tool.variable, raising=False)


def test_nothing_is_found_where_nothing_is() -> None:
    assert [tools.find(tool) for tool in ALL] == [None] * len(ALL)


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_a_tool_on_the_path_is_taken_in_its_exact_version_only(tool: tools.Tool, tmp_path: Path) -> None:
    program = make_program(tmp_path / "path" / tool.programs[-1], f"version v{tool.version}")
    assert tools.find(tool) == program
    make_program(program, f"version v{tool.version}1")
    assert tools.find(tool) is None


def test_helm_4_on_the_path_is_no_helm_3(tmp_path: Path) -> None:
    make_program(tmp_path / "path" / "helm", "v4.3.1")
    helm3 = make_program(tmp_path / "path" / "helm3", "v3.22.0")
    assert tools.find(tools.HELM3) == helm3


def test_what_was_built_is_found(tmp_path: Path) -> None:
    kept = make_program(tmp_path / "testbed" / "bin" / "helm-4.3.1", "")
    assert tools.obtain(tools.HELM) == kept


def test_the_tool_that_a_variable_names_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path / "path" / "helmfile", "1.8.0")
    mine = make_program(tmp_path / "mine", "helmfile version 1.8.0")
    monkeypatch.setenv("KIWISTACK_HELMFILE", str(mine))
    assert tools.find(tools.HELMFILE) == mine


@pytest.mark.parametrize(("says", "seen"), [("v4.2.0", "4.2.0"), (None, "no such program")])
def test_a_variable_that_names_something_else_is_an_error(
    says: str | None, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    if says:
        make_program(mine, says)
    monkeypatch.setenv("KIWISTACK_HELM", str(mine))
    with pytest.raises(tools.ToolError, match=f"KIWISTACK_HELM=.*/mine is {seen}; the tests need 4.3.1"):
        tools.find(tools.HELM)


def test_a_build_that_fails_leaves_nothing_and_says_which_step_it_was(tmp_path: Path) -> None:
    make_program(tmp_path / "path" / "go", 'go1.26.0; [ "$1" = env ]')
    with pytest.raises(tools.ToolError, match=r"go get -tool helm\.sh/helm/v4/cmd/helm: .*exit status 1"):
        tools.obtain(tools.HELM)
    assert {path.name for path in (tmp_path / "testbed").rglob("*")} == {"bin", "lock"}


def test_a_tool_of_a_main_package_of_our_own_is_built_from_it(tmp_path: Path) -> None:
    lists = 'cp main.go go.mod "$KIWISTACK_TESTBED"; while [ "$1" != -o ]; do shift; done; echo made >"$2"'
    go = tmp_path / "path" / "go"
    make_program(go, f'go1.26.0; if [ "$1" = build ]; then PATH=/usr/bin:/bin; {lists}; fi')
    assert tools.obtain(tools.COREDNS).read_text(encoding="utf-8") == "made\n"
    kept = tmp_path / "testbed"
    assert "coredns/plugin/kubernetes" in (kept / "main.go").read_text(encoding="utf-8")
    required = "require github.com/coredns/coredns v1.15.0"
    assert required in (kept / "go.mod").read_text(encoding="utf-8")
