"""Rule b, what belongs to the whole cluster: nothing of it is rendered undeclared, and a tenant names it with its slug."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.chart import active_subcharts, capture_command, effective, is_on, place
from kiwi_core._contract.objects import objects_in
from kiwi_core._contract.results import Result, finding, passed, proven, unproven
from kiwi_core._model.capture import UNSAID, ChartCapture
from kiwi_core._model.kubernetes import CLUSTER_KINDS
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import dotted

__all__ = ["check_objects"]

LETTER = "b"


def check_objects(release: StackRelease, stack: Stack) -> Iterator[Result]:
    """Look at what is declared, at the objects in the values, and at what the chart itself would render."""
    if isinstance(stack.target, Tenant):
        yield from _declared(release, stack.target.slug)
    yield from _in_values(release)
    subject = f"release {release.name}"
    if release.role != "component":
        return
    if release.capture is None:
        yield unproven(
            LETTER,
            subject,
            "its chart was not captured: it may render cluster-scoped objects",
            fix=capture_command(release),
        )
        return
    yield from proven(
        _rendered(release, release.capture),
        passed(LETTER, subject, "what its chart renders for the whole cluster is declared or off"),
    )


def _declared(release: StackRelease, slug: str) -> Iterator[Result]:
    for declared in release.declared.cluster_objects:
        name = declared.partition("/")[2]
        if not re.search(rf"(?<![a-z0-9]){re.escape(slug)}(?![a-z0-9])", name):
            yield finding(
                LETTER,
                f"release {release.name}",
                f"the cluster-scoped object {declared!r} does not carry the slug {slug!r}: two customers would collide",
                fix=f"name it with the slug, such as {declared}-{slug}",
            )


def _in_values(release: StackRelease) -> Iterator[Result]:
    subject = f"release {release.name}"
    for found in objects_in(release):
        said, where = f"{dotted(found.path)} is a {found.kind}", place(release, found.path)
        if found.kind in CLUSTER_KINDS and f"{found.kind}/{found.name}" not in release.declared.cluster_objects:
            yield finding(
                LETTER,
                subject,
                f"{said} ({found.name or 'its name is made by a template'}), which belongs to the whole cluster",
                where=where,
                fix=f"take it out, or declare it: cluster_objects=('{found.kind}/<name>',), a customer's with the slug",
            )
        if found.kind.endswith("NetworkPolicy"):
            yield finding(
                LETTER,
                subject,
                f"{said}: it would open what the platform's own policies close",
                where=where,
                fix="policies follow from bindings and declared egress: declare the use, or Egress(to='…')",
            )
        for namespace in sorted({*found.namespaces} - {release.namespace}):
            yield finding(
                LETTER, subject, f"{said} of namespace {namespace!r}", where=where, fix="leave its namespace out"
            )


def _rendered(release: StackRelease, capture: ChartCapture) -> Iterator[Result]:
    subject = f"release {release.name}"
    tree = effective(release, capture)
    kinds = {declared.partition("/")[0] for declared in release.declared.cluster_objects}
    for found in capture.cluster_objects:
        on = is_on(found.guards, tree)
        if on is False or found.kind in kinds:
            continue
        guards = " and ".join(guard for guard in found.guards if guard != UNSAID)
        if on is None:
            when = f" when {guards}" if guards else ""
            message = (
                f"its chart may render a {found.kind}{when} ({found.file}); the condition cannot be told from values"
            )
            yield unproven(LETTER, subject, message, fix="helmfile template in the built tree shows it")
        else:
            switch = f" with {guards}" if guards else ""
            yield finding(
                LETTER,
                subject,
                f"its chart renders a cluster-scoped {found.kind} ({found.file})",
                fix=f"switch it off{switch}, or declare it: cluster_objects=('{found.kind}/<name>',), a customer's with the slug",
            )
    for subchart in active_subcharts(capture, tree):
        if not subchart.captured:
            yield unproven(
                LETTER,
                subject,
                f"its subchart {subchart.key!r} is on and was not captured",
                fix=f"switch it off, or capture the chart with {subchart.name} in its charts/ folder",
            )
