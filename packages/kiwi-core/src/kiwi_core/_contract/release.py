"""Rule a: every component is releases of the one helmfile, in one order that agrees with the stages."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.platform import FOUNDATION
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed

__all__ = ["RULES"]

LETTER = "a"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Prove that the order is what is emitted, that it agrees with the stages, and that nobody needs the unready."""
    yield from _parts(stack)
    place = {release.name: index for index, release in enumerate(stack.releases)}
    if len(place) != len(stack.releases):
        names = [release.name for release in stack.releases]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield finding(LETTER, f"release {name}", "it stands twice in the helmfile", fix="rename one of them")
    wanted: dict[str, set[str]] = {release.name: set() for release in stack.releases}
    for edge in stack.edges:
        subject = f"{edge.before} → {edge.after}"
        missing = [name for name in (edge.before, edge.after) if name not in place]
        if missing:
            yield finding(LETTER, subject, f"{missing[0]!r} is no release", fix="every edge joins two releases")
            continue
        wanted[edge.after].add(edge.before)
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
            yield finding(
                LETTER, subject, "the order puts them the other way round", fix="report this: the order is wrong"
            )
        if not before.wait:
            yield finding(
                LETTER,
                subject,
                f"{edge.before} is needed and not waited for: Helm would be done before it is ready",
                fix=f"set wait=True on release {edge.before}",
            )
    for release in stack.releases:
        if set(release.needs) != wanted[release.name]:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"it would be emitted with needs {sorted(release.needs)}, and the order has {sorted(wanted[release.name])}",
                fix="needs follow from the order alone",
            )
        if release.name != FOUNDATION.name and FOUNDATION.name not in release.needs:
            yield finding(
                LETTER,
                f"release {release.name}",
                "it does not need the foundation: its pods could start before the policies stand",
                fix="report this: every release needs the foundation",
            )


def _parts(stack: Stack) -> Iterator[Result]:
    for name, part in stack.parts.items():
        declared = {release.name for release in part.declaration.releases}
        there = {
            release.name for release in stack.releases if release.component == name and release.role == "component"
        }
        for release in sorted(declared - there):
            yield finding(LETTER, f"component {name}", f"its release {release!r} is not in the helmfile", fix="add it")
        for release in sorted(there - declared):
            yield finding(
                LETTER, f"component {name}", f"release {release!r} is in the helmfile, undeclared", fix="declare it"
            )
        if not declared and not part.declaration.offers:
            yield finding(
                LETTER,
                f"component {name}",
                "it has neither a release nor an offer: it does nothing, or does it another way",
                fix="a component is one or more releases of the helmfile; there is no other way in",
            )
        hooks = (("pre", part.wiring.pre), ("post", part.wiring.post))
        for phase, _ in ((phase, hooks) for phase, hooks in hooks if hooks):
            if f"{name}-{phase}" not in stack.by_name:
                yield finding(LETTER, f"component {name}", f"its {phase} hooks are in no release", fix="report this")
    if all(part.declaration.releases or part.declaration.offers for part in stack.parts.values()):
        yield passed(LETTER, "order", f"{len(stack.releases)} releases, {len(stack.edges)} edges, one order")


RULES = (Rule(letter=LETTER, title="release", check=check),)
