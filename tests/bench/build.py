"""The main job from a cold process: built anew, built again, and the version."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

from testbed import tools
from timing import report

CUSTOMER = Path(__file__).parent.parent.parent / "examples" / "cust-kiwistack"
COMMAND = (sys.executable, "-m", "kiwi_core")


def run(*words: str | Path) -> None:
    subprocess.run([*COMMAND, *words], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"

        def anew() -> None:
            shutil.rmtree(out, ignore_errors=True)
            run("build", CUSTOMER, "--out", out)

        report("kiwistack build, cold process, empty folder", anew, goal=1.2)
        report("kiwistack build, nothing changed", lambda: run("build", CUSTOMER, "--out", out), goal=0.5)
        programs = (tools.obtain(tools.HELMFILE), "--helm-binary", tools.obtain(tools.HELM))
        listing = functools.partial(subprocess.run, (*programs, "list"), cwd=out, check=True, capture_output=True)
        report("helmfile list of that tree, without a seed", listing, goal=1.0)
    report("kiwistack --version", lambda: run("--version"), goal=0.15)


if __name__ == "__main__":
    main()
