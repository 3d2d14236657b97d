"""Rule a: every component is releases of the one helmfile, in one order that agrees with the stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kiwi_core._compose.edges import PLATFORM, namespaces_of
from kiwi_core._compose.order import Edge
from kiwi_core._compose.stack import Part, Stack
from kiwi_core._contract.cluster_tree import check_cluster_tree
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven

__all__ = ["RULES"]

LETTER = "a"
REPORT = "report this: the order is wrong"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Prove that the order is what is emitted, that it agrees with the stages, and that nobody needs the unready."""
    order = passed(LETTER, "order", f"{len(stack.releases)} releases, {len(stack.edges)} edges, one order")
    yield from proven(_all(stack), order)
    yield from check_cluster_tree(stack, evidence)


def _all(stack: Stack) -> Iterator[Result]:
    for name, part in stack.parts.items():
        yield from _part(name, part, stack)
        yield from _bound(name, part, stack)
    yield from _strangers(stack)
    place = {release.name: index for index, release in enumerate(stack.releases)}
    for edge in stack.edges:
        missing = [name for name in (edge.before, edge.after) if name not in place]
        if missing:
            subject = f"{edge.before} → {edge.after}"
            yield finding(LETTER, subject, f"{missing[0]!r} is no release", fix="every edge joins two releases")
        else:
            yield from _edge(edge, place, stack)
    yield from _needs(stack)


def _part(name: str, part: Part, stack: Stack) -> Iterator[Result]:
    subject = f"component {name}"
    declared = {release.name for release in part.declaration.releases}
    there = {release.name for release in stack.releases if release.component == name and release.role == "component"}
    for release in sorted(declared - there):
        yield finding(LETTER, subject, f"its release {release!r} is not in the helmfile", fix="add it")
    for release in sorted(there - declared):
        yield finding(LETTER, subject, f"release {release!r} is in the helmfile, undeclared", fix="declare it")
    if not declared and not part.declaration.offers:
        yield finding(
            LETTER,
            subject,
            "it has neither a release nor an offer: it does nothing, or does it another way",
            fix="a component is one or more releases of the helmfile; there is no other way in",
        )
    for phase, hooks in (("pre", part.wiring.pre), ("post", part.wiring.post)):
        if hooks and f"{name}-{phase}" not in stack.by_name:
            yield finding(LETTER, subject, f"its {phase} hooks are in no release", fix="report this")


def _bound(name: str, part: Part, stack: Stack) -> Iterator[Result]:
    """What a release was declared to need, or is bound to, is among its needs, whatever the edges say."""
    for declared in part.declaration.releases:
        release = stack.by_name.get(declared.name)
        if release is None:
            continue  # told as missing
        wanted = dict.fromkeys(declared.needs, f"component {name} says so")
        for use in declared.uses:
            binding = stack.bindings[name].get(use.key)
            if binding and binding.offer.release:
                wanted[binding.offer.release] = f"it uses {use.key} of {binding.source}"
        for need, because in wanted.items():
            if need not in release.needs:
                yield finding(
                    LETTER,
                    f"release {declared.name}",
                    f"it would start without waiting for {need}, which it needs: {because}",
                    fix=REPORT,
                )


def _strangers(stack: Stack) -> Iterator[Result]:
    """There is no release that nothing declares, and none that stands twice."""
    for name, count in Counter(release.name for release in stack.releases).items():
        if count > 1:
            yield finding(LETTER, f"release {name}", "it stands twice in the helmfile", fix="rename one of them")
    hooks = {
        f"{name}-{phase}"
        for name, part in stack.parts.items()
        for phase, found in (("pre", part.wiring.pre), ("post", part.wiring.post))
        if found
    }
    homes = namespaces_of(stack.parts, stack.target)
    names: dict[str, set[str]] = {"hooks": hooks}
    for role, make in PLATFORM.items():
        names[role] = {make(stack.target, home).name for home in homes}
    for release in stack.releases:
        # Those of a component that is there were compared with its declaration.
        known = release.component in stack.parts if release.role == "component" else False
        if not known and release.name not in names.get(release.role, ()):
            yield finding(
                LETTER,
                f"release {release.name}",
                "it is in the helmfile, and no component declares it",
                fix="a release comes from a component; there is no other way in",
            )


def _edge(edge: Edge, place: dict[str, int], stack: Stack) -> Iterator[Result]:
    subject = f"{edge.before} → {edge.after}"
    before, after = stack.by_name[edge.before], stack.by_name[edge.after]
    if before.stage.number > after.stage.number:
        yield finding(
            LETTER,
            subject,
            f"{edge.after} in stage {after.stage} needs {edge.before} in the later stage {before.stage} "
            f"({edge.because})",
            fix=f"move {edge.after} to stage {before.stage} or later, or {edge.before} to {after.stage} or earlier",
        )
    if place[edge.before] >= place[edge.after]:
        yield finding(LETTER, subject, "the order puts them the other way round", fix=REPORT)
    if not before.wait:
        yield finding(
            LETTER,
            subject,
            f"{edge.before} is needed and not waited for: Helm would be done before it is ready",
            fix=f"set wait=True on release {edge.before}",
        )


def _needs(stack: Stack) -> Iterator[Result]:
    wanted: dict[str, set[str]] = {}
    for edge in stack.edges:
        wanted.setdefault(edge.after, set()).add(edge.before)
    for release in stack.releases:
        before = wanted.get(release.name, set())
        if {*release.needs} != before:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"it would be emitted with needs {sorted(release.needs)}, and the order has {sorted(before)}",
                fix="needs follow from the order alone",
            )
        if release.role not in PLATFORM and stack.foundations.get(release.namespace) not in release.needs:
            yield finding(
                LETTER,
                f"release {release.name}",
                "it does not need the foundation: its pods could start before the policies stand",
                fix="report this: every release needs the foundation",
            )


RULES = (Rule(letter=LETTER, title="release", check=check),)
