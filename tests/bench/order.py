"""Order 2,000 releases with 12,000 edges."""

from __future__ import annotations

import random

from kiwi_core._compose.order import Edge, order
from timing import report

RELEASES = 2_000
EDGES = 12_000


def main() -> None:
    chance = random.Random(7)
    names = [f"release-{index:04}" for index in range(RELEASES)]
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < EDGES:
        one, other = sorted(chance.sample(range(RELEASES), 2))
        pairs.add((one, other))
    edges = [Edge(names[one], names[other], "it is needed") for one, other in sorted(pairs)]
    rank = {name: (index % 1000, name) for index, name in enumerate(names)}
    report(f"order {RELEASES} releases, {EDGES} edges", lambda: order(names, edges, rank=rank.__getitem__), goal=0.05)


if __name__ == "__main__":
    main()
