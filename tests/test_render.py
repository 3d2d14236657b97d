"""``kiwistack render`` as its users see it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, cast

import pytest
from kiwi_core import _engine as engine
from kiwi_core.cli import main
from leaks import files_in, leaks
from secret_repos import SEED
from trees import EXAMPLES, objects, stub_chart, with_stub_charts

pytestmark = pytest.mark.real_server

CLUSTER_ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: too-much}\nrules: []\n"


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = with_stub_charts(tmp_path_factory.mktemp("stubbed") / "examples")
    for name in ("core-1", "cust-acme"):
        assert main(["build", str(folder / name)]) == 0
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KIWISTACK_CACHE", str(folder))
    return folder


def with_chart(examples: Path, name: str, text: str) -> Path:
    """Add a template to the stub of a chart; return the file, to be removed."""
    file = (
        stub_chart(examples / "od-platform" / "environments" / "dev" / "stubs" / name, name=name)
        / "templates"
        / "more.yaml"
    )
    file.write_text(text, encoding="utf-8")
    return file


def test_it_prints_what_helm_makes_of_every_release(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(examples / "core-1")]) == 0
    said = capsys.readouterr()
    found = objects(said.out)
    kinds = [str(item["kind"]) for item in found]
    assert {"Namespace", "NetworkPolicy", "Secret", "Deployment", "Job", "ClusterIssuer"} <= set(kinds)
    assert f"{len(found)} objects of 16 releases, for Kubernetes 1.37; contract: " in said.err
    assert " 0 findings" in said.err


def test_credentials_are_fingerprints_and_nothing_that_is_kept_is_secret(
    examples: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PASSWORD", SEED)
    target = str(examples / "core-1")
    assert main(["render", target, "--reveal", "--release", "foundation-llm-gateway"]) == 0
    revealed = _secret(capsys.readouterr().out, "litellm-db-admin")
    kept = {str(path): path.read_bytes() for path in cache.rglob("*") if path.is_file() and "renders" in path.parts}
    assert kept == {}
    assert main(["render", target, "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 16
    shown = _secret((tmp_path / "out" / "foundation-llm-gateway.yaml").read_text(encoding="utf-8"), "litellm-db-admin")
    assert shown.keys() == revealed.keys()
    for key, value in shown.items():
        assert "fp-" in value
        assert len(value) == len(revealed[key])
    secrets = {"the seed": SEED, **{key: value for key, value in revealed.items() if len(value) > 8}}
    assert leaks({**files_in(cache), **files_in(tmp_path / "out")}, secrets) == []


def _secret(text: str, name: str) -> dict[str, str]:
    for item in objects(text):
        if item["kind"] == "Secret" and cast("dict[str, str]", item["metadata"])["name"] == name:
            data = cast("dict[str, str]", item["data"])
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
    raise AssertionError(f"there is no Secret {name}")


def test_with_the_lock_the_fingerprints_are_its_own(
    examples: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PASSWORD", SEED)
    target = examples / "cust-acme"
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert main(["secrets", "fingerprint", str(target)]) == 0
    capsys.readouterr()
    try:
        assert main(["render", str(target), "--json", "--release", "foundation"]) == 0
        printed = json.loads(capsys.readouterr().out)
        lock = json.loads((target / "secrets.lock").read_bytes())["credentials"]
        held = json.dumps([_data(item["object"]) for item in printed["releases"]["foundation"]["objects"]])
        assert "nofp-" not in held
        assert sum(entry["fingerprint"][:20] in held for entry in lock.values()) > 2
    finally:
        (target / "secrets.lock").unlink()
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def _data(item: dict[str, Any]) -> list[str]:
    return [base64.b64decode(value).decode() for value in item.get("data", {}).values() if item["kind"] == "Secret"]


def test_reveal_writes_no_files_and_wants_the_seed(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(examples / "core-1")
    assert main(["render", target, "--reveal", "--out", str(tmp_path / "out")]) == 2
    assert "--reveal writes no files" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["render", target, "--reveal"]) == 2
    assert "MASTER_PASSWORD" in capsys.readouterr().err


def test_what_is_unchanged_is_not_written_again(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["render", str(examples / "core-1"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert "16 files" in capsys.readouterr().out
    changed = tmp_path / "out" / "litellm.yaml"
    changed.write_text("changed", encoding="utf-8")
    assert main(words) == 0
    assert "1 written, 15 unchanged" in capsys.readouterr().out
    assert changed.read_text(encoding="utf-8") != "changed"


def test_a_release_alone_and_one_that_is_none(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(examples / "core-1"), "--release", "searxng"]) == 0
    assert "of 1 releases" in capsys.readouterr().err
    assert main(["render", str(examples / "core-1"), "--release", "serxng"]) == 2
    assert "did you mean 'searxng'?" in capsys.readouterr().err


def test_a_finding_is_told_and_the_exit_code_says_so(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = with_chart(examples, "litellm-helm", CLUSTER_ROLE)
    try:
        assert main(["render", str(examples / "core-1")]) == 1
        said = capsys.readouterr()
        assert (
            "finding: [b] release litellm: litellm-helm/templates/more.yaml: ClusterRole/too-much belongs" in said.err
        )
        assert "too-much" in said.out
        assert main(["check", str(examples / "core-1")]) == 0
        assert "too-much" not in capsys.readouterr().out
        assert main(["check", "--rendered", "--json", str(examples / "core-1")]) == 1
        results = json.loads(capsys.readouterr().out)["results"]
        assert [item["message"] for item in results if item["outcome"] == "finding" and "too-much" in item["message"]]
    finally:
        file.unlink()
    assert main(["render", str(examples / "core-1")]) == 0


def test_a_template_that_fails_names_chart_release_file_and_line(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = with_chart(examples, "litellm-helm", "a: b\nb: {{ fail .Values.masterkeySecretName }}\n")
    try:
        assert main(["render", str(examples / "core-1")]) == 2
        said = capsys.readouterr().err
        assert (
            "error: litellm-helm/templates/more.yaml:2: release litellm: chart litellm-helm 1.0.0 cannot be rendered"
            in said
        )
    finally:
        file.unlink()


def test_a_failing_template_shows_no_revealed_credential(
    examples: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_PASSWORD", SEED)
    stack = engine.load(examples / "cust-acme").stack
    plain = next(item for part in stack.parts.values() for item in part.wiring.plain if item.release == "postgresql")
    chart = stack.by_name["postgresql"].declared.chart
    file = with_chart(examples, chart, f"a: {{{{ fail (.Values.{plain.path} | toString) }}}}\n")
    try:
        assert main(["render", str(examples / "cust-acme"), "--reveal", "--release", "postgresql"]) == 2
        said = capsys.readouterr()
        assert "cannot be rendered" in said.err
        assert "fp-" in said.err
        from kiwi_core._derive.credentials import derive_all
        from kiwi_core._derive.password import Seed

        values = {late.name: value.reveal() for late, value in derive_all(Seed(SEED), stack.credentials).items()}
        assert leaks({"out": said.out.encode(), "err": said.err.encode()}, values) == []
    finally:
        file.unlink()


def test_what_cannot_be_kept_is_a_warning(examples: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.write_bytes(b"in the way")
    assert main(["render", str(examples / "core-1")]) == 0
    said = capsys.readouterr()
    assert said.err.count("warning: ") == 1
    assert "nothing can be kept" in said.err
    assert len(objects(said.out)) > 50


def test_another_helm_is_taken_where_it_is_named(
    examples: Path, helm3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(examples / "core-1"), "--helm", str(helm3)]) == 0
    one = capsys.readouterr().out
    assert main(["render", str(examples / "core-1")]) == 0
    assert capsys.readouterr().out == one
    assert main(["render", str(examples / "core-1"), "--helm", str(tmp_path / "none")]) == 3
    assert "there is no program" in capsys.readouterr().err


def test_a_chart_that_nobody_has_is_told_with_its_pin(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for host in ("ghcr.io", "registry.opencode.de") for word in ("--mirror", f"{host}=127.0.0.1:1")]
    assert main(["render", str(EXAMPLES / "cust-acme"), *words, "--timeout", "1"]) == 3
    said = capsys.readouterr().err
    assert "127.0.0.1:1 cannot be reached" in said
    assert "charts.yaml:" in said
    assert os.environ["KIWISTACK_CACHE"] not in said
