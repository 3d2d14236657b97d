"""The graph of a stack: releases and what the cluster shares, and what must be ready before what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import attrs

from kiwi_core._compose.bind import Binding
from kiwi_core._compose.stack import Part, Stack, StackRelease
from kiwi_core._compose.workloads import endpoint_of
from kiwi_core._model.service import Use

__all__ = ["ORDER", "SHARED", "Graph", "Link", "Node", "graph_of"]

ORDER: Final = "order"
"""The kind of a link that no service stands behind: one release goes before another."""

SHARED: Final = "shared"
"""The lane of what runs already: the cluster's gateways, and services that a component only names."""


@attrs.frozen(kw_only=True)
class Node:
    """A release, or a service that runs already.

    Attributes:
        name: unique in the graph; a release's own name.
        role: what it is made from, as in the stack; ``shared`` for what is no release of the target.
        lane: the stage of a release, or :data:`SHARED`.
        component: whose it is; empty for the platform and for what the cluster shares.
        namespace: where it runs, as far as it is known.
        version: of its chart; empty for what is no release of the target.
    """

    name: str
    role: Literal["namespace", "foundation", "component", "hooks", "shared"]
    lane: str
    component: str = ""
    namespace: str = ""
    version: str = ""


@attrs.frozen(kw_only=True)
class Link:
    """What one node needs of another.

    Attributes:
        before: what must be ready, or serves.
        after: what needs or uses it.
        kind: the kind of service that is used, or :data:`ORDER`.
        because: the reasons, sorted.
        implied: whether others lead from one to the other anyway, so that a picture can leave it out.
    """

    before: str
    after: str
    kind: str
    because: tuple[str, ...]
    implied: bool


@attrs.frozen(kw_only=True)
class Graph:
    """Nodes in the order in which they could be deployed, what the cluster shares first, and their links, sorted."""

    title: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


def graph_of(stack: Stack) -> Graph:
    """Return the graph of a stack."""
    served = {(before, after): kind for before, after, kind, _ in _served(stack)}
    reasons: dict[tuple[str, str], set[str]] = {}
    for edge in stack.edges:
        reasons.setdefault((edge.before, edge.after), set()).add(edge.because)
    for before, after, _, because in _served(stack):
        if before not in stack.by_name:
            reasons.setdefault((before, after), set()).add(because)
    nodes = (*_shared(stack), *(_node(release, is_local=stack.is_local(release)) for release in stack.releases))
    implied = _implied([node.name for node in nodes], reasons)
    return Graph(
        title=stack.target.title,
        nodes=nodes,
        links=tuple(
            Link(
                before=before,
                after=after,
                kind=served.get((before, after), ORDER),
                because=tuple(sorted(reasons[before, after])),
                implied=(before, after) in implied and (before, after) not in served,
            )
            for before, after in sorted(reasons)
        ),
    )


def _node(release: StackRelease, *, is_local: bool) -> Node:
    version = release.chart.version if release.chart and not is_local else ""
    if release.own_chart and not version:
        version = release.own_chart.version
    return Node(
        name=release.name,
        role=release.role,
        lane=release.stage.value,
        component=release.component,
        namespace=release.namespace,
        version=version,
    )


def _shared(stack: Stack) -> Iterator[Node]:
    found: dict[str, Node] = {}
    for bound in stack.bindings.values():
        for binding in bound.values():
            if binding and binding.offer.release is None:
                endpoint = endpoint_of(binding)
                name = _source(binding)
                namespace = endpoint.namespace or "" if endpoint else ""
                component = binding.provider or ""
                found[name] = Node(name=name, role="shared", lane=SHARED, component=component, namespace=namespace)
    return iter(sorted(found.values(), key=lambda node: node.name))


def _source(binding: Binding) -> str:
    """Return the node that serves a binding; no release has a slash in its name."""
    offer = f"{binding.offer.kind}/{binding.offer.name}"
    return binding.offer.release or (f"{binding.provider}/{offer}" if binding.provider else offer)


def _served(stack: Stack) -> Iterator[tuple[str, str, str, str]]:
    """Yield what serves whom, the kind of service, and why."""
    for part in stack.parts.values():
        bound = stack.bindings[part.name]
        for release, uses in _users(part):
            for use in uses:
                binding = bound.get(use.key)
                if binding:
                    yield _source(binding), release, use.kind, f"{release} uses {use.key} of {binding.source}"


def _users(part: Part) -> Iterator[tuple[str, Sequence[Use[object]]]]:
    for release in part.declaration.releases:
        yield release.name, release.uses
    for phase, hooks in (("pre", part.wiring.pre), ("post", part.wiring.post)):
        if hooks:
            yield f"{part.name}-{phase}", [use for hook in hooks for use in hook.on]


def _implied(order: Sequence[str], links: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the links that others imply: a graph without them is its transitive reduction.

    Args:
        order: the nodes; each link points forward.
        links: pairs of nodes.
    """
    number = {name: index for index, name in enumerate(order)}
    followers: dict[str, list[str]] = {name: [] for name in order}
    for before, after in links:
        followers[before].append(after)
    # Sets of nodes as the bits of a number: thousands of nodes take no time.
    reached: dict[str, int] = {}
    beyond: dict[str, int] = {}
    for name in reversed(order):
        near = far = 0
        for after in followers[name]:
            near |= 1 << number[after]
            far |= reached[after]
        reached[name], beyond[name] = near | far, far
    return frozenset(
        (before, after) for before, found in followers.items() for after in found if beyond[before] >> number[after] & 1
    )
