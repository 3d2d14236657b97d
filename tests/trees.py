"""What tests do with built trees: build one, run the real helmfile on it, read what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml
from kiwi_component_opendesk.pins import entries

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SEED = "correct horse battery staple, for tests only"
VARIABLE = re.compile(r"\bKIWISTACK_\w+")

STUB = {
    "Chart.yaml": "apiVersion: v2\nname: {name}\nversion: {version}\n",
    # What Helm would hand to a template, as one JSON text; encoded, since toJson lets through what YAML refuses.
    "templates/values.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}-values\n"
        "data:\n  values: {{{{ .Values | toJson | b64enc }}}}\n"
    ),
}


def stub_chart(folder: Path, *, name: str = "stub", version: str = "1.0.0") -> Path:
    """Make a chart that renders its values, to stand in for one that cannot be had."""
    for path, text in STUB.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.format(name=name, version=version), encoding="utf-8")
    return folder


def kiwistack(*words: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Run the command; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "kiwi_core", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_stub_charts(folder: Path, *, enterprise: bool = False) -> Path:
    """Copy the examples, with a stub in place of every chart that is not a package's own; return the folder.

    Args:
        folder: where to.
        enterprise: whether the pins of openDesk's Enterprise edition are added.
    """
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    lane = folder / "od-platform" / "environments" / "dev"
    if enterprise:
        for what in ("charts", "images"):
            (lane / f"{what}.yaml").write_text(f"{what}:\n{entries(what, enterprise=True)}", encoding="utf-8")
    pins = cast("dict[str, dict[str, dict[str, str]]]", yaml.safe_load((lane / "charts.yaml").read_text()))
    for name, pin in pins["charts"].items():
        stub_chart(lane / "stubs" / name, name=pin["name"], version=pin["version"])
        pin["path"] = f"stubs/{name}"
    (lane / "charts.yaml").write_text(json.dumps(pins), encoding="utf-8")
    return folder


def helmfile(
    program: Path,
    helm: Path,
    folder: Path,
    *words: str,
    seed: str | None = None,
    handed: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run the real helmfile in a tree, with nothing of the environment that could change what it says.

    Args:
        program: helmfile.
        helm: the Helm that it runs.
        folder: the tree.
        words: its command.
        seed: MASTER_PASSWORD.
        handed: credentials that are handed over.
        check: whether it has to succeed.
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent / "home"), **(handed or {})}
    if seed is not None:
        environment["MASTER_PASSWORD"] = seed
    done = subprocess.run(
        [program, "--helm-binary", helm, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def fakes(folder: Path) -> Mapping[str, str]:
    """Return something for each credential that a tree can be handed over: deriving them takes helmfile minutes."""
    values = (path.read_text(encoding="utf-8") for path in sorted((folder / "values").iterdir()))
    names = {name for text in values for name in VARIABLE.findall(text)}
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


def objects(manifests: str) -> list[dict[str, object]]:
    """Read manifests."""
    return [item for item in yaml.safe_load_all(manifests) if item]


def stub_values(manifests: str, release: str) -> object:
    """Return the values that a stub chart was given."""
    for item in objects(manifests):
        if cast("dict[str, str]", item["metadata"])["name"] == f"{release}-values":
            return json.loads(base64.b64decode(cast("dict[str, str]", item["data"])["values"]))
    raise AssertionError(f"{release} was not rendered")


def templated(log: str) -> Sequence[str]:
    """Return the releases in the order in which helmfile rendered them."""
    return [
        line.split("release=")[1].split(",")[0] for line in log.splitlines() if line.startswith("Templating release=")
    ]
