"""The command as its users see it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from kiwi_core.cli import main
from trees import EXAMPLES

CUSTOMER = str(EXAMPLES / "cust-kiwistack")

EXPLAINED = {
    "onyx": [
        "release onyx of onyx, stage 050-components",
        "after onyx-redis: onyx uses redis/onyx of component onyx",
        "component onyx from kiwi-component-onyx 0.1.0",
        "uses postgres/onyx: served by component opendesk",
        "chart onyx: ghcr.io/onyx-dot-app/charts/onyx 0.8.19 (examples/od-platform/environments/dev/charts.yaml:6",
    ],
    "onyx.api.resources.requests.cpu": [
        'onyx.api.resources.requests.cpu = "500m"',
        "the customer (examples/cust-kiwistack/overlays/onyx.yaml:5)",
    ],
    "onyx.api.replicaCount": ["onyx.api.replicaCount = 2", "component onyx (kiwi-component-onyx 0.1.0): 2"],
    "onyx.api.image.tag": ["onyx.api.image.tag = \"<Pin(name='onyxBackend', part='tag')>\""],
    "onyx.api.workers": ["onyx.api.workers = 1 (the chart's default; no layer sets it)"],
    "onyxBackend": ["docker.io/onyxdotapp/onyx-backend:v4.6.1", "images.yaml:13", "in onyx: api.image.tag"],
    "onyx-postgresql": [
        "Secret onyx-postgresql of component onyx",
        "<Credential(scope='onyx', purpose='postgres/onyx'",
    ],
    "clamav-simple": [
        "release clamav-simple of opendesk, stage 030-services-external",
        "is there: needed by postfix-ox: mail that passes it is scanned for viruses",
        "before open-xchange: attachments are scanned for viruses",
    ],
    "wiki.kiwistack.example": ["wiki.kiwistack.example leads from outside to component opendesk"],
    "10000/udp": ["10000/udp leads from outside to component opendesk"],
    "allow-dns": ["policy allow-dns of cust-kiwistack: every pod resolves names"],
    "opendesk": ["component opendesk from kiwi-component-opendesk", "offers postgres/main", "offers oidc/main"],
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_explain_says_where_it_comes_from(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    assert main(["explain", name, CUSTOMER]) == 0
    shown = capsys.readouterr().out
    for text in EXPLAINED[name]:
        assert text in shown, shown


def test_explain_of_nothing_names_what_is_close(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "onyx-redsi", CUSTOMER]) == 2
    assert "did you mean 'onyx-redis'" in capsys.readouterr().err


def test_component_list_shows_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["component", "list", "--json"]) == 0
    rows = {row["kind"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["onyx"]["distribution"] == "kiwi-component-onyx"
    assert {"postgres/onyx", "bucket/onyx-files", "oidc/onyx (wanted)"} <= set(rows["onyx"]["uses"])
    assert rows["onyx"]["offers"] == ["redis", "opensearch"]
    assert rows["existing-services"]["distribution"] == "kiwi-core"
    assert main(["component", "list"]) == 0
    assert "uses    ingress/hello" in capsys.readouterr().out


def test_captures_are_written_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = EXAMPLES / "kiwi-component-hello" / "src" / "kiwi_component_hello"
    words = ["component", "capture", "chart", str(package / "charts" / "hello"), "--source", "this package"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    written = tmp_path / "charts" / "hello-0.1.0.json"
    assert str(written) in capsys.readouterr().out
    assert written.read_bytes() == (package / "facts" / "charts" / "hello-0.1.0.json").read_bytes()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "kiwistack 0.1.0\n"


@pytest.mark.parametrize("words", [[], ["biuld"], ["pins"], ["build", "--lane", "prod"]])
def test_words_that_are_wrong_are_usage_and_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert raised.value.code == 2
    assert "usage: kiwistack" in capsys.readouterr().err


def test_strict_takes_the_unproven_as_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", CUSTOMER]) == 0
    assert main(["check", CUSTOMER, "--strict"]) == 1
    assert "unproven: [b] release onyx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--image", "onyxBackned=v1"], "did you mean 'onyxBackend'"),
        (["--image", "onyxBackend=v1@sha256:abc"], "64 hexadecimal"),
        (["--chart", "onyx=^0.8"], "one exact version"),
        (["--image", "onyxBackend"], "NAME=VALUE"),
        ([], "no pin was named"),
    ],
)
def test_a_bump_that_is_wrong_changes_nothing(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLES / "od-platform", tmp_path / "od-platform")
    shutil.copytree(EXAMPLES / "cust-kiwistack", tmp_path / "cust", ignore=shutil.ignore_patterns("generated"))
    lane = tmp_path / "od-platform" / "environments" / "dev"
    before = {path: path.read_bytes() for path in lane.iterdir()}
    assert main(["pins", "bump", str(tmp_path / "cust"), *words]) == 2
    assert expected in capsys.readouterr().err
    assert {path: path.read_bytes() for path in lane.iterdir()} == before


def test_a_lane_may_refuse_the_unproven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    customer = tmp_path / "examples" / "cust-kiwistack"
    settings = customer / "kiwi.toml"
    settings.write_text('strict = ["dev", "stable"]\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["build", str(customer)]) == 1
    assert "unproven: [b] release onyx" in capsys.readouterr().out
    assert not (customer / "generated").exists()
