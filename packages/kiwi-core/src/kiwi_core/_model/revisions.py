"""Revisions and their parents: their order, their heads, and what they build on.

Everything here ends, whatever it is given: also where parents are missing, or revisions go round in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

__all__ = ["Parents", "circle_of", "closure", "heads_of", "in_order"]

Parents: TypeAlias = Mapping[str, tuple[str, ...]]
"""Each revision with those that it builds on directly."""


def in_order(parents: Parents) -> dict[str, tuple[str, ...]]:
    """Return revisions with every parent before its children, otherwise by name; those in a circle are left out."""
    children: dict[str, list[str]] = {}
    missing = {name: len(set(above)) for name, above in parents.items()}
    for name in sorted(parents, reverse=True):
        for parent in set(parents[name]):
            children.setdefault(parent, []).append(name)
    ready = sorted((name for name, count in missing.items() if not count), reverse=True)
    ordered: dict[str, tuple[str, ...]] = {}
    while ready:
        name = ready.pop()
        ordered[name] = parents[name]
        for child in children.get(name, ()):
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return ordered


def circle_of(parents: Parents) -> tuple[str, ...]:
    """Return revisions that go round in a circle, the first one again at the end; empty when none do."""
    known = {name: tuple(parent for parent in above if parent in parents) for name, above in parents.items()}
    left = known.keys() - in_order(known).keys()
    steps: list[str] = []
    name = min(left, default=None)
    while name is not None and name not in steps:
        steps.append(name)
        name = min(left & set(known[name]))
    return () if name is None else (*steps[steps.index(name) :], name)


def heads_of(parents: Parents) -> tuple[str, ...]:
    """Return the revisions that no other builds on, by name."""
    return tuple(sorted(parents.keys() - {parent for above in parents.values() for parent in above}))


def closure(names: Iterable[str], parents: Parents) -> set[str]:
    """Return revisions and all that they build on, as far as it is known."""
    found: set[str] = set()
    left = [*names]
    while left:
        name = left.pop()
        if name not in found and name in parents:
            found.add(name)
            left += parents[name]
    return found
