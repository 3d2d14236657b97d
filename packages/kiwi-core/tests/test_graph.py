"""The graph of a stack and its picture: what is used, what goes before what, and a picture that is well formed."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET  # of our own pictures
from collections.abc import Mapping

import attrs
import pytest
from cluster_samples import WEB as EDGE_WEB
from cluster_samples import Edge, Llm, composed_cluster, edge_offer, gateway
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Credential, ExistingServices, PostgresOffer, Redis, RedisOffer
from kiwi_core._compose.compose import compose
from kiwi_core._emit.graph import ORDER, SHARED, Graph, Link, Node, graph_of
from kiwi_core._emit.live import Live, Seen, State
from kiwi_core._emit.markup import element, escape, raw
from kiwi_core._emit.svg import anchor, draw
from report_samples import live, reported
from stack_samples import ADMIN, CORE, DB, component, composed, inputs, release

SVG = "{http://www.w3.org/2000/svg}"


def links(graph: Graph) -> Mapping[tuple[str, str], Link]:
    return {(link.before, link.after): link for link in graph.links}


def test_releases_that_use_a_service_are_linked_to_who_serves_it() -> None:
    found = links(graph_of(reported()))
    assert found["pg", "app"].kind == "postgres"
    assert found["pg", "app"].because == ("app uses postgres/db of component data",)
    assert found["pg", "app-pre"].kind == "postgres"
    assert found["app", "app-worker"].kind == ORDER
    assert found["app", "app-worker"].because == ("because",)


def test_what_the_cluster_shares_is_a_box_of_its_own() -> None:
    graph = graph_of(reported())
    shared = [node for node in graph.nodes if node.role == "shared"]
    assert [(node.name, node.namespace, node.lane) for node in shared] == [
        ("ingress/main", "kiwi-ingress", SHARED),
        ("llm/main", "kiwi-llm", SHARED),
    ]
    assert links(graph)["llm/main", "app"].kind == "llm"


def test_a_service_that_runs_already_is_its_components_box() -> None:
    postgres = PostgresOffer(host="pg", admin=ADMIN)
    samples = inputs(component("app", release("app", DB)), ExistingServices(name="own", postgres=postgres))
    stack = compose(attrs.evolve(samples, packages={**samples.packages, "existing-services": CORE}))
    found = links(graph_of(stack))
    assert found["own/postgres/main", "app"].because == ("app uses postgres/db of component own",)


def test_a_gateway_that_another_one_uses_is_linked_by_its_release() -> None:
    stack = composed_cluster(
        gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),)), gateway(Llm, release("litellm", EDGE_WEB))
    )
    graph = graph_of(stack)
    assert links(graph)["nginx", "litellm"].kind == "ingress"
    assert not any(node.role == "shared" for node in graph.nodes)


def test_every_edge_of_the_stack_is_a_link_and_has_its_reasons() -> None:
    stack = reported()
    found = links(graph_of(stack))
    for edge in stack.edges:
        assert edge.because in found[edge.before, edge.after].because


def test_a_component_that_serves_itself_has_a_link_from_its_server() -> None:
    cache = Redis("cache")
    offer = RedisOffer(host="cache", password=Credential("app", "redis"), release="cache")
    stack = composed(component("app", release("cache"), release("app", cache), offers=(offer,)))
    assert links(graph_of(stack))["cache", "app"].kind == "redis"


def test_implied_is_what_other_links_lead_to_and_no_service() -> None:
    graph = graph_of(reported())
    shown = {(link.before, link.after) for link in graph.links if not link.implied}
    everything = {(link.before, link.after) for link in graph.links}
    assert shown < everything
    assert reach(shown) == reach(everything)
    served = {(link.before, link.after) for link in graph.links if link.kind != ORDER}
    assert served <= shown
    for pair in shown - served:
        assert pair not in reach(shown - {pair}), "it could have been left out"


def reach(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All pairs that a way leads between."""
    found = set(pairs)
    while True:
        further = {(a, d) for (a, b), (c, d) in itertools.product(found, pairs) if b == c} - found
        if not further:
            return found
        found |= further


def parsed(graph: Graph, *, seen: Live | None = None) -> ET.Element:
    return ET.fromstring(draw(graph, live=seen))


def test_a_picture_has_a_box_for_each_node_a_line_for_each_link_and_says_what_it_is() -> None:
    graph = graph_of(reported())
    root = parsed(graph)
    title, text = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert text is not None
    assert title.text == "tenant acme: releases by stage"
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {text.attrib['id']}"
    nodes = [each for each in root.iter() if each.attrib.get("class", "").startswith("n ")]
    lines = [each for each in root.iter(f"{SVG}path") if re.search(r" f\d+ t\d+$", each.attrib.get("class", ""))]
    assert len(nodes) == len(graph.nodes)
    assert len(lines) == len(graph.links)
    assert {each.attrib["tabindex"] for each in nodes} == {"0"}
    for line in lines:
        assert line.attrib["marker-end"].removeprefix("url(#").removesuffix(")") in {
            each.attrib["id"] for each in root.iter(f"{SVG}marker")
        }


def test_a_box_in_a_page_leads_to_the_row_of_its_release() -> None:
    root = ET.fromstring(draw(graph_of(reported()), is_page=True))
    assert [each.attrib["href"] for each in root.iter(f"{SVG}a")] == [f"#{anchor(name)}" for name in reported().by_name]


def test_a_live_picture_has_a_mark_for_what_was_looked_at() -> None:
    root = parsed(graph_of(reported()), seen=live())
    marks = [each.text for each in root.iter(f"{SVG}text") if each.attrib.get("class") == "mark"]
    assert sorted(filter(None, marks)) == sorted(state.mark for state in State)
    titles = [each.text or "" for each in root.iter(f"{SVG}title")]
    assert any(title.startswith("cache, 7.0.0, missing") for title in titles)


def test_a_picture_is_the_same_every_time() -> None:
    assert draw(graph_of(reported())) == draw(graph_of(reported()))


def test_a_picture_of_very_many_lights_up_none() -> None:
    def many(count: int) -> Graph:
        nodes = tuple(Node(name=f"n{index}", role="component", lane="050-components") for index in range(count))
        return Graph(title="many", nodes=nodes, links=())

    assert ":hover,:focus-visible)) :is(.f3,.t3)" in draw(many(4))
    assert ":is(.f3,.t3)" not in draw(many(401))


names = st.text(min_size=1, max_size=60)


@given(st.lists(names, min_size=1, max_size=6, unique=True), names)
def test_no_name_becomes_markup_and_the_picture_is_well_formed(chosen: list[str], words: str) -> None:
    nodes = tuple(
        Node(name=name, role="component", lane=f"050-{words}", component=words, namespace=words, version=words)
        for name in chosen
    )
    pairs = itertools.pairwise(chosen)
    found = tuple(Link(before=a, after=b, kind=words, because=(words,), implied=False) for a, b in pairs)
    plain = Graph(
        title="x",
        nodes=tuple(Node(name=f"n{n}", role="component", lane="050-x", version="x") for n, _ in enumerate(nodes)),
        links=tuple(
            Link(before=f"n{n}", after=f"n{n + 1}", kind="x", because=("x",), implied=False)
            for n, _ in enumerate(found)
        ),
    )
    seen = Live(when=words, releases={name: Seen(state=State.GOOD, text=words) for name in chosen})
    root = ET.fromstring(draw(Graph(title=words, nodes=nodes, links=found), live=seen).encode())
    same = parsed(plain, seen=Live(when="x", releases={n.name: Seen(state=State.GOOD) for n in plain.nodes}))
    assert kinds(root) == kinds(same)


def kinds(root: ET.Element) -> list[str]:
    """The elements, but for those that the length of a name decides on."""
    return sorted(each.tag for each in root.iter() if each.tag != f"{SVG}text")


@given(st.text())
def test_a_text_is_shown_as_it_is_or_as_what_cannot_be_printed(text: str) -> None:
    shown = ET.fromstring(element("p", text, title=text).encode())
    expected = "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text)
    assert (shown.text or "") == expected
    assert shown.attrib["title"] == expected


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\x00", "\x1b", "\ud800", "\ufeff", "\ufffe"])
def test_what_hides_or_turns_a_text_is_seen(hidden: str) -> None:
    assert escape(f"a{hidden}b") == "a\ufffdb"


def test_markup_stays_and_attributes_have_their_names() -> None:
    assert element("a", raw("<b>1</b>"), "<", class_="x", aria_label="'", href=None) == (
        '<a class="x" aria-label="&#x27;"><b>1</b>&lt;</a>'
    )
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert element("rect", x=1.5, y=2.0) == '<rect x="1.5" y="2"></rect>'
