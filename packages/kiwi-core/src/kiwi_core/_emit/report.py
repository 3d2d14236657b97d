"""``report.html``: one page that shows a tree at a glance, made of nothing but itself.

It has no script, asks no network for anything (its Content-Security-Policy allows one style, by its digest, and nothing
else) and names no value of a credential, no time and no machine: the same stack gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Outcome, Result
from kiwi_core._emit.graph import Graph, graph_of
from kiwi_core._emit.live import Live, State
from kiwi_core._emit.markup import Markup, element, escape, join, raw
from kiwi_core._emit.report_network import network_section, secrets_section
from kiwi_core._emit.report_results import portable, results_section
from kiwi_core._emit.report_stack import hooks_section, link_or_name, pins_section, releases_section
from kiwi_core._emit.svg import draw, style_of
from kiwi_core._emit.table import listed, plural, section, table
from kiwi_core._emit.tree import Emitter, Tree
from kiwi_core._emit.usage import Usage, usage_of
from kiwi_core._model.tenant import Tenant

__all__ = ["REPORT", "page", "report_of"]

REPORT: Final = "report.html"
"""The file of the page in a tree."""

AGAINST: Final = "Checked against the cluster's tree"
BROAD: Final = ("Namespaces", "Components", AGAINST)
"""Facts that take the room of two."""

SECTIONS: Final = (
    ("picture", "Picture"),
    ("releases", "Releases"),
    ("results", "Findings and unproven"),
    ("pins", "Pins"),
    ("secrets", "Credentials"),
    ("hooks", "Hooks"),
    ("network", "Network"),
)


def report_of(results: Sequence[Result], evidence: Evidence) -> Emitter:
    """Return the emitter of the page.

    Args:
        results: what the contract said of the stack.
        evidence: what the rules looked at.
    """

    def emit_report(stack: Stack) -> Tree:
        return {REPORT: page(stack, portable(results, evidence)).encode()}

    return emit_report


def page(stack: Stack, results: Sequence[Result], *, live: Live | None = None) -> str:
    """Return the page of a stack.

    Args:
        stack: what it shows.
        results: what the contract said of it, in words that are the same on every machine.
        live: what was seen of it where it runs; then the page is of that moment.
    """
    graph, usage = graph_of(stack), usage_of(stack)
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8") + style_of(graph)
    sections = [
        _picture(graph, live),
        releases_section(stack, graph, live),
        results_section(stack, results),
        pins_section(stack, usage),
        secrets_section(stack, usage),
        hooks_section(stack, live),
        network_section(stack),
    ]
    body = element(
        "body",
        join(
            [
                element("a", "Skip the picture", href="#releases", class_="skip"),
                _header(stack, results, usage, live),
                _navigation(live),
                element("main", join([*_drift(stack, live), *sections])),
                element("footer", element("p", _foot(stack))),
            ]
        ),
    )
    return f'<!doctype html>\n<html lang="en">\n{_head(stack, style)}\n{body}\n</html>\n'


def _head(stack: Stack, style: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        join(
            [
                element("meta", charset="utf-8"),
                element("meta", http_equiv="Content-Security-Policy", content=policy),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="referrer", content="no-referrer"),
                element("link", rel="icon", href="data:,"),
                element("title", f"{stack.target.title}, lane {stack.lane} · KiwiStack"),
                element("style", raw(style)),
            ]
        ),
    )


def _header(stack: Stack, results: Sequence[Result], usage: Usage, live: Live | None) -> Markup:
    facts = [
        element("div", element("dt", name), element("dd", value), class_="broad" if name in BROAD else None)
        for name, value in _facts(stack)
    ]
    tiles = [
        element("div", element("dt", name), element("dd", f"{value}"), class_=f"tile {mood}".strip())
        for name, value, mood in _numbers(stack, results, usage, live)
    ]
    kind = "Customer" if isinstance(stack.target, Tenant) else "Cluster"
    name = stack.target.slug if isinstance(stack.target, Tenant) else stack.target.name
    return element(
        "header",
        join(
            [
                element("p", f"KiwiStack · {kind}", class_="eyebrow"),
                element("h1", name),
                element("dl", join(tiles), class_="tiles"),
                element("dl", join(facts), class_="facts"),
            ]
        ),
    )


def _facts(stack: Stack) -> Iterator[tuple[str, str]]:
    target, tree = stack.target, stack.inputs.cluster_tree
    components = listed(f"{name} ({part.package})" for name, part in sorted(stack.parts.items()))
    if isinstance(target, Tenant):
        yield "Domain", target.domain
        yield "Namespace", target.namespace
    else:
        yield "Customers", listed(customer.slug for customer in target.customers)
        yield "Namespaces", listed(sorted(stack.foundations))
    yield "Lane", stack.lane.value
    yield "Cluster", f"{stack.cluster.name}, tier {stack.cluster.tier}"
    yield "Components", components
    if isinstance(target, Tenant):
        digest = element("code", tree.digest) if tree else escape("no tree of the cluster was there to check against")
        yield AGAINST, digest


def _numbers(
    stack: Stack, results: Sequence[Result], usage: Usage, live: Live | None
) -> Iterator[tuple[str, int | str, str]]:
    findings = sum(result.outcome is Outcome.FINDING for result in results)
    unproven = sum(result.outcome is Outcome.UNPROVEN for result in results)
    hooks = sum(len(phase.tasks.tasks) + len(phase.jobs) for phase in stack.phases.values())
    yield "Releases", len(stack.releases), ""
    yield "Findings", findings, "bad" if findings else "good"
    yield "Unproven", unproven, "open" if unproven else "good"
    yield "Images", len(stack.used_images), ""
    yield "Charts", len(stack.used_charts), ""
    yield "Credentials", len(usage.credentials), ""
    yield "Hooks", hooks, ""
    yield "Host names", sum(len(part.wiring.hosts) for part in stack.parts.values()), ""
    if live:
        good = sum(seen.state is State.GOOD for seen in live.releases.values())
        yield "As built", f"{good}/{len(stack.releases)}", "good" if good == len(stack.releases) else "bad"
        yield "Differences", len(live.drift), "bad" if live.drift else "good"


def _navigation(live: Live | None) -> Markup:
    wanted = ((("drift", "Live state"),) if live else ()) + SECTIONS
    links = [element("li", element("a", title, href=f"#{name}")) for name, title in wanted]
    return element("nav", element("ul", join(links)), aria_label="Sections")


def _picture(graph: Graph, live: Live | None) -> Markup:
    intro = (
        "From left to right, by stage. A line leads from what must be ready to what needs it; point at a box, or step "
        "to it with the tab key, to see its own lines alone. A box leads to its row."
    )
    drawn = element(
        "div",
        draw(graph, live=live, is_page=True),
        class_="scroll figure",
        tabindex="0",
        role="region",
        aria_label="Picture",
    )
    return section("picture", "Releases and what they use", intro, drawn)


def _drift(stack: Stack, live: Live | None) -> Iterator[Markup]:
    if live:
        rows = [(link_or_name(stack, item.release), item.subject, item.message) for item in live.drift]
        found = table("What is not as it was built", (("Release", 25), ("What", 25), ("How it differs", 50)), rows)
        intro = f"As found {live.when}: {plural(len(live.drift), 'difference')}."
        yield section("drift", "Live state", intro, *([found] if rows else []))


def _foot(stack: Stack) -> str:
    return (
        f"Written by kiwistack build for {stack.target.title}. manifest.json has this file's digest; stack.json has the "
        "same facts for programs. The page has no script, loads nothing, and has no value of a credential."
    )
