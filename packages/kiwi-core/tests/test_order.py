"""The order: every edge points forward, the same for the same graph, and a cycle is told edge by edge."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._compose.order import Edge, order
from kiwi_core.errors import ComposeError


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[Edge], dict[str, int]]:
    """Nodes, edges without a cycle, and a stage for each node."""
    nodes = draw(st.permutations([f"n{index}" for index in range(draw(st.integers(1, 12)))]))
    pairs = [(before, after) for index, before in enumerate(nodes) for after in nodes[index + 1 :]]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    stages = {node: draw(st.integers(0, 3)) for node in sorted(nodes)}
    return sorted(nodes), [Edge(before, after, f"{after} uses {before}") for before, after in edges], stages


def told(error: ComposeError) -> list[Edge]:
    """The edges that the text of a cycle tells, in order."""
    (problem,) = error.problems
    lines = [line.strip() for line in problem.message.splitlines()[1:]]
    steps = [(line.partition(": ")[0].split(" goes before "), line.partition(": ")[2]) for line in lines]
    return [Edge(before, after, because) for (before, after), because in steps]


@given(graphs())
def test_every_edge_points_forward(graph: tuple[list[str], list[Edge], dict[str, int]]) -> None:
    nodes, edges, _ = graph
    place = {node: index for index, node in enumerate(order(nodes, edges))}
    assert sorted(place) == nodes
    assert all(place[edge.before] < place[edge.after] for edge in edges)


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_of_the_input(
    graph: tuple[list[str], list[Edge], dict[str, int]], shuffler: random.Random
) -> None:
    nodes, edges, stages = graph
    expected = order(nodes, edges, rank=lambda node: (stages[node], node))
    shuffler.shuffle(nodes)
    shuffler.shuffle(edges)
    assert order(nodes, edges, rank=lambda node: (stages[node], node)) == expected


@given(graphs())
def test_among_the_free_the_lowest_rank_goes_first(graph: tuple[list[str], list[Edge], dict[str, int]]) -> None:
    nodes, edges, stages = graph
    left = set(nodes)
    for node in order(nodes, edges, rank=lambda name: (stages[name], name)):
        free = [name for name in left if not any(edge.after == name and edge.before in left for edge in edges)]
        assert (stages[node], node) == min((stages[name], name) for name in free)
        left.remove(node)


@given(graphs(), st.data())
def test_a_cycle_is_told_edge_by_edge(graph: tuple[list[str], list[Edge], dict[str, int]], data: st.DataObject) -> None:
    nodes, edges, _ = graph
    sequence = order(nodes, edges)
    last = data.draw(st.integers(0, len(sequence) - 1))
    first = data.draw(st.integers(0, last))
    # Forward through some nodes, and back to the first of them.
    path = (*sequence[first : last + 1], sequence[first])
    edges += [Edge(before, after, f"{before} comes first") for before, after in itertools.pairwise(path)]
    with pytest.raises(ComposeError, match=r"^the order has a cycle of ") as caught:
        order(nodes, edges)
    steps = told(caught.value)
    reasons = {(edge.before, edge.after): {other.because for other in edges} for edge in edges}
    assert steps
    assert all(step.because in reasons[step.before, step.after] for step in steps)
    assert [step.after for step in steps] == [step.before for step in [*steps[1:], steps[0]]]
    assert len({step.before for step in steps}) == len(steps)


def test_the_text_of_a_cycle_names_all_in_it_with_their_reasons() -> None:
    edges = [
        Edge("keycloak", "onyx-pre", "hook 'client' acts on oidc/onyx"),
        Edge("onyx-pre", "onyx", "it is a pre hook of onyx"),
        Edge("onyx", "keycloak", "keycloak uses search/keycloak of component onyx"),
        Edge("onyx", "keycloak", "another reason for the same"),
        Edge("foundation", "onyx", "policies and Secrets stand before anything runs"),
    ]
    with pytest.raises(ComposeError) as caught:
        order(["foundation", "keycloak", "onyx", "onyx-pre"], edges)
    (problem,) = caught.value.problems
    assert problem.hint == "take one of these edges away"
    head, *steps = problem.message.splitlines()
    assert sorted(head.removeprefix("the order has a cycle of ").removesuffix(":").split(", ")) == [
        "keycloak",
        "onyx",
        "onyx-pre",
    ]
    assert sorted(steps) == [
        "      keycloak goes before onyx-pre: hook 'client' acts on oidc/onyx",
        "      onyx goes before keycloak: keycloak uses search/keycloak of component onyx",
        "      onyx-pre goes before onyx: it is a pre hook of onyx",
    ]


def test_a_release_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(ComposeError, match="a goes before a: it says so"):
        order(["a"], [Edge("a", "a", "it says so")])


def test_the_longest_cycle_is_told_whole() -> None:
    names = [f"{index:02}-{'r' * 50}" for index in range(40)]
    edges = [Edge(before, after, "b" * 80) for before, after in zip(names, [*names[1:], names[0]], strict=True)]
    with pytest.raises(ComposeError) as caught:
        order(names, edges)
    assert {(step.before, step.after) for step in told(caught.value)} == {(edge.before, edge.after) for edge in edges}
    assert max(map(len, str(caught.value).splitlines()[1:])) < 210


def many(count: int, edges: int) -> tuple[Sequence[str], Sequence[Edge]]:
    """A graph of some size that is the same on each run."""
    dice = random.Random(count)
    names = [f"release-{index}" for index in range(count)]
    pairs = (sorted(dice.sample(range(count), 2)) for _ in range(edges))
    return names, [Edge(names[before], names[after], "it says so") for before, after in pairs]


def test_two_thousand_releases_with_twelve_thousand_edges_are_ordered() -> None:
    names, edges = many(2_000, 12_000)
    place = {name: index for index, name in enumerate(order(names, edges))}
    assert len(place) == 2_000
    assert all(place[edge.before] < place[edge.after] for edge in edges)
