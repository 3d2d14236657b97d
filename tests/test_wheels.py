"""The wheels alone, in an environment of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from trees import ROOT

UV = (sys.executable, "-m", "uv")
PACKAGES = ("kiwi-core", "kiwi-component-onyx", "kiwi-component-opendesk", "kiwi-gateways")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for name in PACKAGES:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
        subprocess.run([*command, str(ROOT / "packages" / name)], check=True, capture_output=True)
    return sorted(folder.glob("*.whl"))


def run(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def kinds(python: Path) -> set[str]:
    return {row["kind"] for row in json.loads(run(python, "-m", "kiwi_core", "component", "list", "--json"))}


def test_installing_a_component_shows_it_and_uninstalling_removes_it(wheels: list[Path], tmp_path: Path) -> None:
    run(*UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    install = (*UV, "pip", "install", "--quiet", "--python", python, "--constraint", ROOT / "requirements.lock")
    run(*install, *wheels)
    gateways = {"cert-manager", "ingress-nginx", "litellm", "searxng"}
    assert kinds(python) == {"existing-services", "onyx", "opendesk", *gateways}
    run(*UV, "pip", "uninstall", "--quiet", "--python", python, "kiwi-component-onyx", "kiwi-gateways")
    assert kinds(python) == {"existing-services", "opendesk"}


def test_a_wheel_carries_its_data_its_types_and_its_licence(wheels: list[Path]) -> None:
    names = {name for wheel in wheels for name in zipfile.ZipFile(wheel).namelist()}
    for path in (
        "kiwi_core/charts/kiwi-foundation/templates/network-policies.yaml",
        "kiwi_core/_emit/graph.css",
        "kiwi_core/_emit/report.css",
        "kiwi_core/py.typed",
        "kiwi_component_onyx/charts/onyx-redis/Chart.yaml",
        "kiwi_component_onyx/facts/charts/onyx-0.8.19.json",
        "kiwi_component_onyx/facts/schemas/onyx-backend.json",
        "kiwi_component_onyx/py.typed",
        "kiwi_component_opendesk/facts/opendesk.json",
        "kiwi_component_opendesk/py.typed",
        "kiwi_gateways/charts/searxng/Chart.yaml",
        "kiwi_gateways/facts/charts/cert-manager-v1.21.1.json",
        "kiwi_gateways/py.typed",
    ):
        assert path in names
    assert sum(name.endswith("/licenses/LICENSE") for name in names) == len(PACKAGES)
