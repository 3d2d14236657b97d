"""The fault sweep: every kind of hook killed before and after each request, on real servers, and healed by the next run.

A point is one kill, what prepares it, and the runs that prove its end; servers are up before it is measured.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

POINTS = re.compile(r"killed at (\d+) points")


class Sweep:
    """Gathers what the sweeps take, by the class of their proofs."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.points: defaultdict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            name = report.nodeid.split("::")[1]
            self.seconds[name] += report.duration
            self.points[name] += sum(map(int, POINTS.findall(report.capstdout)))


def main() -> int:
    sweep = Sweep()
    proofs = Path(__file__).parent.parent / "hooks"
    status = pytest.main(["-q", "--no-header", "-k", "killed_anywhere", str(proofs)], plugins=[sweep])
    for name, points in sweep.points.items():
        seconds = sweep.seconds[name]
        sys.stdout.write(f"{name:<28} {points:4d} points  {seconds:6.1f} s  {seconds / max(points, 1):.3f} s each\n")
    seconds, points = sum(sweep.seconds.values()), sum(sweep.points.values())
    sys.stdout.write(f"{'all':<28} {points:4d} points  {seconds:6.1f} s  {seconds / max(points, 1):.3f} s each\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
