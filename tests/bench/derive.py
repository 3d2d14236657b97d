"""Derive openDesk's whole set of secrets, by us and by the real Helm in the same run: the ratio of the times.

The machine's load strikes both alike: they take turns, and the best of each counts. The ratio of processor time is what
is left where there is but one core.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kiwi_component_opendesk._credentials import credential
from kiwi_component_opendesk._facts import facts
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import Seed
from kiwi_core._emit.writing import expression, go_string

HANDED = re.compile(r'\(env "KIWISTACK_[0-9A-F]{24}"\)')
"""What was handed over, by a function of helmfile's that Helm does not have: nothing, here."""
EMPTY = '""'

SEED = "correct horse battery staple, for tests only"
GOAL = 0.2
TURNS = 2
OURS = 3
"""Runs of ours in each turn: Helm's takes half a minute."""


def measured(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds by the clock and those of the processor, children's included."""
    wall, cpu = time.perf_counter(), os.times()
    call()
    now = os.times()
    return time.perf_counter() - wall, sum(now[:4]) - sum(cpu[:4])


def main() -> None:
    sys.path.append(str(Path(__file__).parent.parent))
    from testbed import tools

    helm = tools.obtain(tools.HELM)
    credentials = {path: credential(path) for path in facts().secrets}
    scopes = {late.scope for late in credentials.values()}
    seed = Seed(SEED)
    with tempfile.TemporaryDirectory() as name:
        chart = Path(name)
        asked = '(requiredEnv "MASTER_PASSWORD")'
        lines = [f"  {json.dumps(path)}: {HANDED.sub(EMPTY, expression(late))}\n" for path, late in credentials.items()]
        manifest = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: probe\nstringData:\n" + "".join(lines)
        (chart / "templates").mkdir()
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: probe\nversion: 0.0.1\n", encoding="utf-8")
        (chart / "templates" / "secret.yaml").write_text(manifest.replace(asked, go_string(SEED)), encoding="utf-8")

        printed: list[str] = []

        def by_helm() -> None:
            done = subprocess.run([helm, "template", "probe", chart], check=True, capture_output=True, text=True)
            printed.append(done.stdout)

        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for _ in range(TURNS):
            theirs.append(measured(by_helm))
            ours += [measured(lambda: derive_all(seed, credentials.values())) for _ in range(OURS)]
    derived = derive_all(seed, credentials.values())
    for path, late in credentials.items():
        assert f'"{path}": "{derived[late].reveal()}"' in printed[0], path
    for index, kind in enumerate(("by the clock", "of processor time")):
        we, they = min(row[index] for row in ours), min(row[index] for row in theirs)
        what = f"{len(credentials)} secrets of {len(scopes)} users, {kind}"
        verdict = "" if index else f"  {'within' if we / they <= GOAL else 'ABOVE'} the goal of {GOAL}"
        sys.stdout.write(f"{what:<48} {we:6.2f} s, Helm {they:6.2f} s: {we / they:.3f}{verdict}\n")


if __name__ == "__main__":
    main()
