"""Time a call several times and print a row: what, the median, the goal."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

__all__ = ["report"]


def report(what: str, call: Callable[[], object], *, goal: float, runs: int = 7) -> None:
    """Call once to warm up, then ``runs`` times; print median, minimum, maximum and the goal, in milliseconds."""
    call()
    seconds: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds)
    verdict = "within" if median <= goal else "ABOVE"
    sys.stdout.write(
        f"{what:<48} {median * 1e3:8.1f} ms  (min {min(seconds) * 1e3:.1f}, max {max(seconds) * 1e3:.1f})  "
        f"{verdict} the goal of {goal * 1e3:.0f} ms\n"
    )
