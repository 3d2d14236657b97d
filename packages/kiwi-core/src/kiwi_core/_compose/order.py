"""Order: one directed acyclic graph over releases, emitted as helmfile's ``needs``."""

from __future__ import annotations

import graphlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from kiwi_core.errors import ComposeError, Problem

__all__ = ["Edge", "order"]


@attrs.frozen
class Edge:
    """One release must be ready before another.

    Attributes:
        because: why, as a reader of ``explain`` or of a cycle wants to know it.
    """

    before: str
    after: str
    because: str


def order(
    nodes: Iterable[str], edges: Sequence[Edge], *, rank: Callable[[str], tuple[int, str]] = lambda node: (0, node)
) -> tuple[str, ...]:
    """Sort nodes so that each edge points forward; among those that are free, the lowest rank goes first.

    The result depends on the graph and the ranks alone, not on the order in which they are given.

    Args:
        nodes: the names; every edge joins two of them.
        edges: what must come before what.
        rank: stage number and name.

    Raises:
        ComposeError: there is a cycle; it is told edge by edge.
    """
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter(dict.fromkeys(nodes, ()))
    for edge in edges:
        sorter.add(edge.after, edge.before)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise ComposeError(_cycle(error.args[1], edges)) from None
    free: list[tuple[tuple[int, str], str]] = []
    result: list[str] = []
    while sorter.is_active():
        for node in sorter.get_ready():
            heapq.heappush(free, (rank(node), node))
        _, node = heapq.heappop(free)
        result.append(node)
        sorter.done(node)
    return tuple(result)


def _cycle(nodes: Sequence[str], edges: Sequence[Edge]) -> Problem:
    reasons: Mapping[tuple[str, str], str] = {(edge.before, edge.after): edge.because for edge in reversed(edges)}
    # graphlib reports each node before the one that it must precede, first and last the same.
    steps = [f"{before} goes before {after}: {reasons[before, after]}" for before, after in itertools.pairwise(nodes)]
    return Problem(
        "the order has a cycle of " + ", ".join(nodes[:-1]) + ":\n      " + "\n      ".join(steps),
        hint="take one of these edges away",
    )
