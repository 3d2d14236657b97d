"""Manifests of every release: ours, Helm's own ``template`` one by one, and helmfile's, on the same charts in one run.

The charts are the examples', with a stub for each that cannot be had without a network; so little is rendered and much
is started. ``--charts FOLDER`` takes real ones from the folders in it that are called like a pin.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

import yaml
from kiwi_core import _engine as engine
from kiwi_core._compose.stack import Stack
from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.charts import Charts
from kiwi_core._deliver.handover import hand_over
from kiwi_core._deliver.helm_engine import find_engine
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.render import Renderer
from kiwi_core._derive.password import Seed
from secret_repos import SEED
from testbed import tools
from timing import report
from trees import kiwistack, with_stub_charts

COMMAND = (sys.executable, "-m", "kiwi_core")
TARGET = "cust-kiwistack"


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def with_charts(examples: Path, folder: Path) -> None:
    """Take charts of one's own in place of stubs."""
    lane = examples / "od-platform" / "environments" / "dev"
    pins = yaml.safe_load((lane / "charts.yaml").read_text(encoding="utf-8"))
    for name, pin in pins["charts"].items():
        if (folder / name).is_dir():
            shutil.rmtree(lane / pin["path"])
            shutil.copytree(folder / name, lane / pin["path"])
    (lane / "charts.yaml").write_text(json.dumps(pins), encoding="utf-8")


def renderer(folder: Path, program: Path | None) -> Renderer:
    cache = Cache(folder=folder)
    helm = find_engine(str(program) if program else None, cache)
    return Renderer(engine=helm, charts=Charts(cache=cache, registries=Registries()), cache=cache)


def cold(stack: Stack, program: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        renderer(Path(folder), program).render(stack)


def one_by_one(stack: Stack, helm: Path, folder: Path) -> None:
    """Run ``helm template`` on each release, as somebody would in a shell; values are left out."""
    for release in stack.releases:
        assert release.own_chart is not None
        chart = folder / "charts" / release.declared.chart
        subprocess.run(
            [helm, "template", release.name, chart, "--namespace", release.namespace, "--kube-version", "v1.37.0"],
            check=False,
            capture_output=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--charts", type=Path)
    options, _ = parser.parse_known_args()
    helm, helmfile = tools.obtain(tools.HELM), tools.obtain(tools.HELMFILE)
    with tempfile.TemporaryDirectory() as place:
        examples = with_stub_charts(Path(place) / "examples")
        if options.charts:
            with_charts(examples, options.charts)
        kiwistack("build", examples / TARGET)
        stack = engine.load(examples / TARGET).stack
        out = examples / TARGET / "generated"
        shown = sum(map(len, renderer(Path(place) / "kept", None).render(stack).releases.values()))
        sys.stdout.write(f"{len(stack.releases)} releases, {shown} objects\n")
        words = [str(helmfile), "--helm-binary", str(helm), "template"]
        # Handed over, as by apply: else helmfile derives in its templates, which takes it most of a minute.
        derived = {name: value.reveal() for name, value in hand_over(stack, Seed(SEED), {}).variables.items()}
        handed = {**os.environ, **derived, "HOME": place}
        template = functools.partial(subprocess.run, words, cwd=out, env=handed, check=True, capture_output=True)
        theirs = min(timed(template) for _ in range(2))
        sys.stdout.write(f"{'helmfile template, credentials handed over':<48} {theirs * 1e3:8.1f} ms\n")
        each = min(timed(functools.partial(one_by_one, stack, helm, out)) for _ in range(2))
        sys.stdout.write(f"{'helm template, one release after another':<48} {each * 1e3:8.1f} ms\n")
        report("render, cold, Helm in this process", lambda: cold(stack, None), goal=theirs / 5, runs=5)
        report("render, cold, helm as a program", lambda: cold(stack, helm), goal=theirs / 5, runs=3)
        kept = renderer(Path(place) / "kept", None)
        kept.render(stack)
        report("render, nothing changed", lambda: kept.render(stack), goal=0.3)
        rendering = kept.render(stack)
        project = engine.load(examples / TARGET)
        report("  its contract", lambda: project.check_rendered(rendering), goal=0.3)
        command = [*COMMAND, "render", str(examples / TARGET), "--out", f"{place}/out"]
        environment = {**os.environ, "KIWISTACK_CACHE": f"{place}/kept"}
        whole = functools.partial(subprocess.run, command, env=environment, check=True, capture_output=True)
        report("kiwistack render, nothing changed, whole command", whole, goal=1.0, runs=5)


if __name__ == "__main__":
    main()
