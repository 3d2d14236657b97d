"""The report's tables of what runs: releases by stage, the pins that they run, and their hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from kiwi_core._compose.asking import ask
from kiwi_core._compose.phase import Phase
from kiwi_core._compose.stack import Stack
from kiwi_core._emit.graph import ORDER, Graph, Link, Node
from kiwi_core._emit.live import Live
from kiwi_core._emit.markup import Markup, element, escape, join
from kiwi_core._emit.svg import anchor
from kiwi_core._emit.table import Column, Group, Row, badge, lines, listed, muted, plural, section, table
from kiwi_core._emit.usage import Usage
from kiwi_core._model.desired import Desired
from kiwi_core._model.hooks import Hook
from kiwi_core._model.task import Task

__all__ = ["hooks_section", "link_to", "pins_section", "releases_section"]


def link_to(release: str) -> Markup:
    """Return a link to the row of a release."""
    return element("a", release, href=f"#{quote(anchor(release))}")


def releases_section(stack: Stack, graph: Graph, live: Live | None) -> Markup:
    """Return the releases by stage, with what each uses and waits for."""
    links: dict[str, list[Link]] = {}
    for link in graph.links:
        links.setdefault(link.after, []).append(link)
    several = len(stack.foundations) > 1
    stages: dict[str, list[Row]] = {}
    for number, node in enumerate(graph.nodes):
        if node.role != "shared":
            row = _release(stack, number, node, links.get(node.name, ()), live, several=several)
            stages.setdefault(node.lane, []).append(row)
    groups = [Group(f"{stage}, {plural(len(rows), 'release')}", rows) for stage, rows in sorted(stages.items())]
    columns: list[Column] = [
        ("Release", 20),
        *([("Namespace", 15)] if several else []),
        ("Chart", 20),
        ("Uses", 15 if several else 20),
        ("Waits for", 15 if live or several else 25),
        ("Why it is there", 15),
        *([("Found", 10)] if live else []),
    ]
    found = table("Releases", columns, groups)
    intro = "In the order in which they are delivered. What is the platform's own, such as policies and Secrets, goes first."
    return section("releases", "Releases by stage", intro, *([found] if groups else []))


def _release(stack: Stack, number: int, node: Node, links: Sequence[Link], live: Live | None, *, several: bool) -> Row:
    release = stack.by_name[node.name]
    owner = f"hooks of {node.component}" if node.role == "hooks" else node.component or "platform"
    chart = release.chart.name if release.chart else release.declared.chart
    uses = [
        join([element("b", link.kind), link_or_name(stack, link.before)], " ") for link in links if link.kind != ORDER
    ]
    waits = [link_to(link.before) for link in links if link.kind == ORDER and not _is_platform(stack, link.before)]
    cells = [
        lines(element("b", node.name), muted(owner)),
        *([node.namespace] if several else []),
        lines(chart, muted(node.version)),
        lines(*uses),
        listed(waits),
        release.declared.because,
        *([badge(live.releases.get(node.name))] if live else []),
    ]
    return Row(cells, id=anchor(node.name), classes=f"release r{number}")


def _is_platform(stack: Stack, name: str) -> bool:
    return name in stack.by_name and not stack.by_name[name].component


def link_or_name(stack: Stack, name: str) -> Markup:
    """Return a link to a release, or the name of what is none of this target."""
    return link_to(name) if name in stack.by_name else escape(name)


def pins_section(stack: Stack, usage: Usage) -> Markup:
    """Return the charts and images that run, with version, digest, and who runs them."""
    charts = [
        (name, _place(f"{pin.location}/{pin.name}", pin.digest), pin.version, listed(usage.charts.get(name, ())))
        for name, pin in stack.used_charts.items()
    ]
    images = [
        (name, _place(pin.name, pin.digest), pin.tag.partition("@")[0], listed(usage.images.get(name, ())))
        for name, pin in stack.used_images.items()
    ]
    open_ones = sum(not pin.digest for pin in stack.used_images.values())
    intro = f"Lane {stack.lane}: {plural(len(charts), 'chart')} and {plural(len(images), 'image')}; " + (
        f"{plural(open_ones, 'image')} without a digest." if open_ones else "every image has a digest."
    )
    columns = (("Pin", 20), ("Where, and digest", 45), ("Version", 15), ("Run by", 20))
    found = (table("Charts", columns, charts), table("Images", columns, images))
    return section("pins", "Pins", intro, *[each for each in found if each])


def _place(where: str, digest: str | None) -> Markup:
    return lines(where, element("code", digest, class_="muted") if digest else muted("no digest"))


def hooks_section(stack: Stack, live: Live | None) -> Markup:
    """Return the hooks: when each runs, on what it acts, and whether it only reads."""
    rows = [row for phase in stack.phases.values() for row in _hooks(stack, phase, live)]
    columns: list[Column] = [
        ("Hook", 20),
        ("Runs", 10),
        ("Kind", 15),
        ("On", 15),
        ("Wants", 20 if live else 30),
        ("Does", 10),
        *([("Found", 10)] if live else []),
    ]
    intro = "Each one looks first, changes what is not as it should be, and may run again at any time."
    found = table("Hooks, in the order in which they run", columns, rows)
    return section("hooks", "Hooks", intro if rows else "", *([found] if rows else []))


def _hooks(stack: Stack, phase: Phase, live: Live | None) -> Iterator[Row]:
    part = stack.parts[phase.tasks.component]
    declared = {hook.name: hook for hook in (part.wiring.pre if phase.tasks.phase == "pre" else part.wiring.post)}
    when = f"{'before' if phase.tasks.phase == 'pre' else 'after'} {part.name}"
    for task in phase.tasks.tasks:
        kind, wants = task.desired.kind, _wants(task, f"component {part.name!r} ({part.package})")
        does = "reads only" if _is_reader(task.desired) else "acts"
        yield _hook(phase.release, task.hook, when, kind, declared, wants, does, live)
    for job in phase.jobs:
        wants = f"what its own container, of pin {job.image.repository.name}, brings about"
        yield _hook(phase.release, job.name, when, type(job).kind, declared, wants, "acts", live)


def _hook(
    release: str,
    name: str,
    when: str,
    kind: str,
    declared: Mapping[str, Hook],
    wants: str,
    does: str,
    live: Live | None,
) -> Row:
    hook = declared.get(name)
    on = listed(str(use.key) for use in hook.on) if hook else ""
    found = [badge(live.hooks.get((release, name)))] if live else []
    return Row([lines(element("b", name), muted(f"in {release}")), when, kind, on, wants, does, *found])


def _is_reader(desired: Desired) -> bool:
    """Whether a hook can do no step at all, as one that only checks."""
    return type(desired).apply is Desired.apply


def _wants(task: Task, who: str) -> str:
    return ask(who, f"subject of hook {task.hook!r}", lambda: task.desired.subject, str)
