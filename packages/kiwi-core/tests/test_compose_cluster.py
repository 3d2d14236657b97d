"""Composing a cluster: a foundation for each gateway's namespace, and one order across all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs
import pytest
from cluster_samples import (
    CLUSTER,
    WEB,
    Edge,
    Llm,
    Search,
    cluster_inputs,
    composed_cluster,
    edge_offer,
    gateway,
    llm_offer,
    search_offer,
)
from kiwi_core import Secret, Stage, Wiring
from kiwi_core._compose.compose import compose
from kiwi_core._compose.edges import namespaces_of
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core.errors import ComposeError, OverlayError
from stack_samples import DB, LLM, component, composed, job, pg, release
from tree_samples import whole


def needs(stack: Stack, name: str) -> set[str]:
    return set(stack.by_name[name].needs)


def test_each_gateway_has_a_foundation_of_its_own_named_after_its_service() -> None:
    stack = composed_cluster(gateway(Llm, release("llm"), name="litellm"), gateway(Search, release("search")))
    assert [(item.name, item.namespace, item.role) for item in stack.releases] == [
        ("namespace-llm", "kiwi-llm", "namespace"),
        ("foundation-llm", "kiwi-llm", "foundation"),
        ("namespace-search", "kiwi-search", "namespace"),
        ("foundation-search", "kiwi-search", "foundation"),
        ("llm", "kiwi-llm", "component"),
        ("search", "kiwi-search", "component"),
    ]
    assert stack.foundations == {"kiwi-llm": "foundation-llm", "kiwi-search": "foundation-search"}
    assert (needs(stack, "llm"), needs(stack, "search")) == ({"foundation-llm"}, {"foundation-search"})
    assert all(item.wait and item.component == "" for item in stack.releases[:4])
    assert {edge.because for edge in stack.edges} == {
        "Helm makes the namespace for it",
        "policies and Secrets stand before anything runs",
    }


def test_a_tenant_has_one_foundation_for_all_of_its_components() -> None:
    stack = composed(component("one", release("one")), component("two", release("two")))
    assert stack.foundations == {"cust-acme": "foundation"}
    assert namespaces_of({}, stack.target) == ("cust-acme",)


def test_a_gateway_that_only_offers_has_a_foundation_with_its_policies() -> None:
    stack = composed_cluster(gateway(Llm, offers=(llm_offer(),)))
    (_, foundation) = stack.releases
    assert foundation.name == "foundation-llm"
    allow = foundation.values["allow"]
    assert isinstance(allow, list)
    assert [item["name"] for item in allow if isinstance(item, Mapping)] == [
        "allow-own-pods",
        "allow-dns",
        "llm-llm-main-from-users",
    ]


def test_a_cluster_without_gateways_has_nothing() -> None:
    stack = composed_cluster()
    assert (stack.releases, stack.edges, stack.policies, dict(stack.parts)) == ((), (), (), {})
    assert namespaces_of(stack.parts, stack.target) == ()


def test_a_foundation_holds_the_policies_and_secrets_of_its_own_namespace_alone() -> None:
    secrets = {name: Secret("admin", {"key": name}) for name in ("llm", "search")}
    stack = composed_cluster(
        gateway(Llm, release("llm"), offers=(llm_offer("llm"),), wiring=Wiring(secrets=(secrets["llm"],))),
        gateway(Search, release("search", LLM), wiring=Wiring(secrets=(secrets["search"],))),
    )
    for name, policies in (
        ("llm", ["allow-own-pods", "allow-dns", "llm-llm-main-from-users"]),
        ("search", ["allow-own-pods", "allow-dns", "search-to-llm-llm"]),
    ):
        found = stack.by_name[f"foundation-{name}"].values
        assert found["secrets"] == {"admin": {"key": name}}
        assert found["quota"] == {}
        assert isinstance(found["allow"], list)
        assert [item["name"] for item in found["allow"] if isinstance(item, Mapping)] == policies


def test_two_secrets_of_one_name_in_one_namespace_are_told() -> None:
    twice = Wiring(secrets=(Secret("admin", {"a": "b"}), Secret("admin", {"c": "d"})))
    with pytest.raises(ComposeError, match="Secret 'admin' is declared twice, by llm and llm"):
        composed_cluster(gateway(Llm, release("llm"), wiring=twice))


def test_a_gateway_waits_for_the_gateway_that_it_uses() -> None:
    stack = composed_cluster(
        gateway(Llm, release("llm"), offers=(llm_offer("llm"),)), gateway(Search, release("search", LLM))
    )
    assert needs(stack, "search") == {"foundation-search", "llm"}
    assert stack.by_name["llm"].wait
    (edge,) = [edge for edge in stack.edges if (edge.before, edge.after) == ("llm", "search")]
    assert edge.because == "search uses llm/llm of component llm"


def test_a_gateway_waits_for_nothing_where_what_it_uses_already_runs() -> None:
    cluster = attrs.evolve(CLUSTER, offers=(llm_offer(),))
    stack = composed_cluster(gateway(Search, release("search", LLM)), cluster=cluster)
    assert needs(stack, "search") == {"foundation-search"}


def test_the_hooks_of_a_gateway_run_in_its_own_namespace_once_what_they_act_on_is_ready() -> None:
    stack = composed_cluster(
        gateway(Llm, release("llm", stage=Stage.LATE_COMPONENTS), offers=(llm_offer("llm"),)),
        gateway(
            Search,
            release("search", LLM, DB, stage=Stage.LATE_COMPONENTS),
            release("pg"),
            offers=(pg("pg"),),
            wiring=Wiring(pre=(job("key", LLM), job("role", DB)), post=(job("index"),)),
        ),
    )
    pre, post = stack.by_name["search-pre"], stack.by_name["search-post"]
    assert (pre.namespace, post.namespace) == ("kiwi-search", "kiwi-search")
    assert pre.stage is Stage.LATE_COMPONENTS
    assert needs(stack, "search-pre") == {"foundation-search", "llm", "pg"}
    assert needs(stack, "search-post") == {"foundation-search", "search", "pg"}
    assert needs(stack, "search") == {"foundation-search", "search-pre", "llm", "pg"}


def test_a_gateway_waits_for_the_gateway_that_brings_an_api() -> None:
    operator = attrs.evolve(release("cert-manager"), brings=("cert-manager.io",))
    issuer = attrs.evolve(release("issuer"), requires=("cert-manager.io", "networking.k8s.io"))
    stack = composed_cluster(gateway(Edge, issuer), gateway(Llm, operator))
    assert needs(stack, "issuer") == {"foundation-edge", "cert-manager"}
    with pytest.raises(ComposeError, match=r"'cert-manager\.io', which no release and no cluster brings"):
        composed_cluster(gateway(Edge, issuer))


def test_gateways_that_need_each_other_are_told_edge_by_edge() -> None:
    llm = gateway(Llm, release("llm", WEB), offers=(llm_offer("llm"),))
    edge = gateway(Edge, release("nginx", LLM), offers=(edge_offer("nginx"),))
    with pytest.raises(ComposeError, match="the order has a cycle") as caught:
        composed_cluster(llm, edge)
    assert "llm goes before nginx: nginx uses llm/llm of component llm" in str(caught.value)
    assert "nginx goes before llm: llm uses ingress/web of component edge" in str(caught.value)


@pytest.mark.parametrize("name", ["foundation-llm", "foundation-search"])
def test_a_release_with_a_name_of_a_foundation_is_told(name: str) -> None:
    with pytest.raises(ComposeError, match=f"release '{name}' is declared by component 'llm', and the platform has"):
        composed_cluster(gateway(Llm, release(name)), gateway(Search, release("search")))
    assert composed_cluster(gateway(Llm, release("foundation"))).by_name["foundation"].role == "component"


def test_an_overlay_of_a_release_that_the_cluster_does_not_have_is_told() -> None:
    layer = Layer(origin=CUSTOMER, file="overlays/foundation.yaml", values={})
    with pytest.raises(OverlayError) as caught:
        compose(cluster_inputs(gateway(Llm, release("llm")), overlays={"foundation": (layer,)}))
    assert str(caught.value) == (
        "overlays/foundation.yaml: an overlay of 'foundation', which is no release of cluster core-1\n"
        "    did you mean 'foundation-llm'?"
    )


def test_an_overlay_reaches_the_foundation_of_its_namespace_alone() -> None:
    layer = Layer(origin=CUSTOMER, file="x.yaml", values={"quota": {"pods": "9"}})
    gateways = (gateway(Llm, release("llm")), gateway(Search, release("search")))
    stack = compose(cluster_inputs(*gateways, overlays={"foundation-llm": (layer,)}))
    quotas = {name: stack.by_name[f"foundation-{name}"].values["quota"] for name in ("llm", "search")}
    assert quotas == {"llm": {"pods": "9"}, "search": {}}


def test_the_order_of_gateways_does_not_count() -> None:
    gateways = (
        gateway(Llm, release("llm", WEB), offers=(llm_offer("llm"),), wiring=Wiring(pre=(job("key", WEB),))),
        gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),)),
        gateway(Search, release("search", LLM, WEB), offers=(search_offer("search"),)),
    )
    one, other = composed_cluster(*gateways), composed_cluster(*gateways[::-1])
    assert [item.name for item in one.releases] == [item.name for item in other.releases]
    assert set(one.edges) == set(other.edges)
    assert {(policy.namespace, policy.name): policy for policy in one.policies} == {
        (policy.namespace, policy.name): policy for policy in other.policies
    }


def test_two_gateways_that_offer_the_same_are_told() -> None:
    with pytest.raises(ComposeError, match="it offers llm/main twice"):
        composed_cluster(
            gateway(Llm, offers=(llm_offer(),)),
            gateway(Edge, offers=(attrs.evolve(llm_offer(), namespace="kiwi-edge"),)),
        )


def test_the_hint_names_what_other_gateways_share() -> None:
    with pytest.raises(ComposeError, match="it offers: search"):
        composed_cluster(gateway(Edge, release("x", LLM)), gateway(Search, offers=(search_offer(),)))


def test_the_summary_has_the_secrets_of_every_namespace() -> None:
    parts = [
        gateway(form, release(form.service), wiring=Wiring(secrets=(Secret("admin", {form.service: "x"}),)))
        for form in (Llm, Edge)
    ]
    secrets = json.loads(whole(composed_cluster(*parts))["stack.json"])["secrets"]
    assert {tuple(secret["keys"]) for secret in secrets} == {(Llm.service,), (Edge.service,)}
