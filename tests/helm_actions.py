"""What template actions print in the real Helm, many in one run."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import yaml

__all__ = ["helm_prints", "helm_says"]

CHART = "apiVersion: v2\nname: probe\nversion: 0.0.1\n"
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: probe\ndata:\n"


def helm_prints(helm: Path, scalars: Sequence[str], values: Mapping[str, object] | None = None) -> tuple[str, ...]:
    """Return what each YAML scalar with template actions in it comes to.

    Args:
        helm: the program.
        scalars: such as ``{{ "a" | toJson }}`` or ``"a{{ 1 }}"``.
        values: the chart's.
    """
    done = _template(helm, "".join(f'  "{index}": {scalar}\n' for index, scalar in enumerate(scalars)), values or {})
    assert done.returncode == 0, done.stderr
    data = cast("dict[str, str]", yaml.safe_load(done.stdout)["data"] or {})
    return tuple(data[str(index)] for index in range(len(scalars)))


def helm_says(helm: Path, scalar: str) -> str:
    """Return Helm's error for a YAML scalar with template actions in it."""
    done = _template(helm, f'  "0": {scalar}\n', {})
    assert done.returncode != 0, done.stdout
    return done.stderr


def _template(helm: Path, data: str, values: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "templates").mkdir()
        (folder / "Chart.yaml").write_text(CHART, encoding="utf-8")
        (folder / "values.yaml").write_text(json.dumps(values), encoding="utf-8")
        (folder / "templates" / "probe.yaml").write_text(HEAD + data, encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "HOME": name}
        return subprocess.run(
            [helm, "template", "probe", name],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
