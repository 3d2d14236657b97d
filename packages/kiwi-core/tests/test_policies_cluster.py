"""NetworkPolicies of gateways follow from the cluster's customers, from bindings and from declared callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import attrs
import pytest
from cluster_samples import (
    CLUSTER,
    SEARCH,
    WEB,
    Edge,
    Llm,
    Search,
    Shared,
    composed_cluster,
    edge_offer,
    gateway,
    llm_offer,
    search_offer,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core import ApiServer, Caller, Cluster, Customer, Egress, Offer, Value, Wiring, Workload
from kiwi_core._compose.compose import compose
from kiwi_core._compose.policy import NAMESPACE_LABEL, Policy
from kiwi_core._compose.values import get
from kiwi_core.errors import ComposeError
from stack_samples import LLM, component, inputs, pg, release

PODS = {"app": "x"}
EVERY_POD = {"allow-own-pods", "allow-dns"}


def found(
    *gateways: Shared, cluster: Cluster = CLUSTER, choose: Mapping[str, str] | None = None
) -> Mapping[tuple[str, str], Policy]:
    """The policies by service and name, without those that every namespace has."""
    policies = composed_cluster(*gateways, cluster=cluster, choose=choose).policies
    return {
        (policy.namespace.removeprefix("kiwi-"), policy.name): policy
        for policy in policies
        if policy.name not in EVERY_POD
    }


def users(*namespaces: str) -> Value:
    expression = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(namespaces)}
    return [{"namespaceSelector": {"matchExpressions": [expression]}}]


def served_llm(*offers: Offer) -> Shared:
    return gateway(Llm, release("llm"), offers=offers or (llm_offer("llm"),))


def with_workload(workload: Workload, form: type[Shared] = Edge) -> Shared:
    return gateway(form, release(form.service), wiring=Wiring(network=(workload,)))


def test_each_namespace_of_a_cluster_has_the_same_of_its_own() -> None:
    policies = composed_cluster(gateway(Llm, release("llm")), gateway(Search)).policies
    assert [(policy.namespace, policy.name) for policy in policies] == [
        (namespace, name) for namespace in ("kiwi-llm", "kiwi-search") for name in ("allow-own-pods", "allow-dns")
    ]
    own, dns, *second = policies
    assert [policy.spec for policy in second] == [own.spec, dns.spec]


def test_the_customers_may_call_what_a_gateway_offers_on_its_port() -> None:
    (policy,) = found(served_llm()).values()
    assert (policy.namespace, policy.name) == ("kiwi-llm", "llm-llm-main-from-users")
    assert policy.because == "llm offers llm/main to the cluster's customers"
    assert policy.spec == {
        "podSelector": {"matchLabels": {"app": "litellm"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": users("cust-acme", "cust-other"), "ports": [{"protocol": "TCP", "port": 4000}]}],
    }


def test_without_customers_nobody_may_call_a_gateway() -> None:
    alone = attrs.evolve(CLUSTER, customers=())
    edge = gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),))
    assert found(served_llm(), edge, cluster=alone) == {}


def test_an_ingress_may_call_the_customers_on_the_ports_that_theirs_open() -> None:
    (policy,) = found(gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),))).values()
    assert (policy.namespace, policy.name) == ("kiwi-edge", "edge-ingress-main-to-users")
    assert policy.spec == {
        "podSelector": {"matchLabels": {"app": "nginx"}},
        "policyTypes": ["Egress"],
        "egress": [{"to": users("cust-acme", "cust-other")}],
    }


def test_a_gateway_that_is_bound_is_let_in_and_out() -> None:
    policies = found(served_llm(), gateway(Search, release("search", LLM)))
    assert set(policies) == {("llm", "llm-llm-main-from-users"), ("search", "search-to-llm-llm")}
    admitted = policies["llm", "llm-llm-main-from-users"].spec
    assert get(admitted, ("ingress", 0, "from")) == users("cust-acme", "cust-other", "kiwi-search")
    assert policies["search", "search-to-llm-llm"].spec == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "podSelector": {"matchLabels": {"app": "litellm"}},
                        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kiwi-llm"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 4000}],
            }
        ],
    }


def test_a_gateway_that_is_served_from_outside_is_reached_by_the_ingress_alone() -> None:
    workload = Workload(name="ui", pods=PODS, served_by=WEB, ports=(8080,))
    llm = gateway(Llm, release("llm", WEB), wiring=Wiring(network=(workload,), hosts=("llm.platform.example",)))
    policies = found(llm, gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),)))
    assert set(policies) == {("edge", "edge-ingress-main-to-users"), ("llm", "llm-ui-from-ingress")}
    out = policies["edge", "edge-ingress-main-to-users"].spec
    assert get(out, ("egress", 0, "to")) == users("cust-acme", "cust-other", "kiwi-llm")
    assert policies["llm", "llm-ui-from-ingress"].spec == {
        "podSelector": {"matchLabels": PODS},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "podSelector": {"matchLabels": {"app": "nginx"}},
                        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kiwi-edge"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 8080}],
            }
        ],
    }


def test_gateways_that_are_bound_are_let_in_where_there_is_no_customer() -> None:
    alone = attrs.evolve(CLUSTER, customers=())
    policies = found(served_llm(), gateway(Search, release("search", LLM)), cluster=alone)
    admitted = policies["llm", "llm-llm-main-from-users"].spec
    assert get(admitted, ("ingress", 0, "from")) == users("kiwi-search")


def test_who_is_bound_to_one_offer_is_not_let_in_by_another() -> None:
    llm = served_llm(llm_offer("llm"), attrs.evolve(llm_offer("llm", "fast"), port=4001))
    policies = found(llm, gateway(Search, release("search", LLM)), choose={"search/llm": "llm/fast"})
    admitted = {
        name: get(policy.spec, ("ingress", 0, "from")) for (home, name), policy in policies.items() if home == "llm"
    }
    assert admitted == {
        "llm-llm-main-from-users": users("cust-acme", "cust-other"),
        "llm-llm-fast-from-users": users("cust-acme", "cust-other", "kiwi-search"),
    }


def test_a_gateway_that_uses_its_own_offer_needs_no_way_to_itself() -> None:
    llm = gateway(Llm, release("server"), release("llm", LLM), offers=(llm_offer("server"),))
    policies = found(llm, cluster=attrs.evolve(CLUSTER, customers=()))
    assert "llm-llm-main-from-users" not in {name for _, name in policies}


def test_a_gateways_data_and_what_brings_no_offer_are_open_to_nobody() -> None:
    assert found(gateway(Llm, release("llm"), offers=(pg(),)), gateway(Edge, release("nginx"))) == {}


def test_a_gateway_that_wants_what_nobody_shares_gets_no_policy() -> None:
    workload = Workload(name="api", pods=PODS, calls=(SEARCH,))
    llm = gateway(Llm, release("llm", SEARCH), wants=(SEARCH,), wiring=Wiring(network=(workload,)))
    assert found(llm) == {}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), unique=True, min_size=1, max_size=6))
def test_whoever_the_customers_are_they_and_nobody_else_may_call(slugs: list[str]) -> None:
    customers = tuple(Customer(slug=slug, domain=f"{slug}.example") for slug in slugs)
    (policy,) = found(served_llm(), cluster=attrs.evolve(CLUSTER, customers=customers)).values()
    assert get(policy.spec, ("ingress", 0, "from")) == users(*(f"cust-{slug}" for slug in slugs))


def rule(direction: str, peers: Sequence[Value], *ports: int) -> Mapping[str, Value]:
    side = "from" if direction == "Ingress" else "to"
    return {
        "podSelector": {"matchLabels": PODS},
        "policyTypes": [direction],
        direction.lower(): [{side: peers, "ports": [{"protocol": "TCP", "port": port} for port in ports]}],
    }


def test_what_is_called_from_outside_is_open_to_every_address_on_its_ports_alone() -> None:
    workload = Workload(name="proxy", pods=PODS, called_by=(Caller.OUTSIDE,), ports=(80, 443))
    (policy,) = found(with_workload(workload)).values()
    assert (policy.name, policy.because) == ("edge-proxy-from-outside", "edge is reached from outside")
    everywhere: list[Value] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
    assert policy.spec == rule("Ingress", everywhere, 80, 443)


ADDRESSES = [("192.0.2.1", "192.0.2.1/32"), ("2001:db8::1", "2001:db8::1/128"), ("2001:0db8:0::1", "2001:db8::1/128")]


@pytest.mark.parametrize(("address", "block"), ADDRESSES)
def test_the_api_server_may_ask_a_webhook_from_its_own_address_alone(address: str, block: str) -> None:
    cluster = attrs.evolve(CLUSTER, api_server=ApiServer(address=address, port=443))
    workload = Workload(name="webhook", pods=PODS, called_by=(Caller.API_SERVER,), ports=(10250,))
    (policy,) = found(with_workload(workload), cluster=cluster).values()
    assert (policy.name, policy.because) == ("edge-webhook-from-api-server", "edge is asked by the API server")
    assert policy.spec == rule("Ingress", [{"ipBlock": {"cidr": block}}], 10250)


@pytest.mark.parametrize(("address", "block"), ADDRESSES)
def test_what_calls_the_api_server_reaches_its_address_and_port_alone(address: str, block: str) -> None:
    cluster = attrs.evolve(CLUSTER, api_server=ApiServer(address=address))
    (policy,) = found(with_workload(Workload(name="controller", pods=PODS, calls_api=True)), cluster=cluster).values()
    assert (policy.name, policy.because) == ("edge-controller-to-api-server", "edge calls the API server")
    assert policy.spec == rule("Egress", [{"ipBlock": {"cidr": block}}], 6443)


def test_a_workload_may_be_called_and_call_in_every_way_at_once() -> None:
    workload = Workload(
        name="all", pods=PODS, called_by=(Caller.OUTSIDE, Caller.API_SERVER), calls_api=True, ports=(443,),
        egress=(Egress(to="letsencrypt.org"),),
    )  # fmt: skip
    assert {name for _, name in found(with_workload(workload))} == {
        "edge-all-from-outside",
        "edge-all-from-api-server",
        "edge-all-to-api-server",
        "edge-all-egress",
    }


def test_where_the_api_server_answers_has_to_be_said_and_is_asked_for_once() -> None:
    unknown = attrs.evolve(CLUSTER, api_server=None)
    both = Workload(name="all", pods=PODS, called_by=(Caller.API_SERVER,), calls_api=True, ports=(443,))
    with pytest.raises(ComposeError) as caught:
        found(with_workload(both), cluster=unknown)
    assert str(caught.value) == (
        "workload 'edge-all' and the API server call each other, and cluster 'core-1' does not state where that "
        'answers\n    add api_server=ApiServer(address="…", port=6443) to the cluster\'s spec: its real address, as '
        "kubectl get endpoints kubernetes shows it"
    )
    quiet = Workload(name="quiet", pods=PODS, called_by=(Caller.OUTSIDE,), ports=(443,))
    assert len(found(with_workload(quiet), cluster=unknown)) == 1


def test_a_tenants_pods_may_be_called_from_outside_and_call_the_api_server_too() -> None:
    workload = Workload(name="video", pods=PODS, called_by=(Caller.OUTSIDE,), calls_api=True, ports=(10000,))
    app = component("app", release("app"), wiring=Wiring(network=(workload,), ports=("10000/udp",)))
    policies = compose(inputs(app, cluster=CLUSTER)).policies
    assert [(policy.namespace, policy.name) for policy in policies if policy.name not in EVERY_POD] == [
        ("cust-acme", "app-video-from-outside"),
        ("cust-acme", "app-video-to-api-server"),
    ]


def test_two_gateways_may_have_policies_of_one_name_and_one_gateway_may_not() -> None:
    out = Workload(name="b-c", pods=PODS, egress=(Egress(to="x"),))
    one = gateway(Llm, release("llm"), wiring=Wiring(network=(out,)), name="a")
    two = gateway(Search, release("search"), wiring=Wiring(network=(attrs.evolve(out, name="c"),)), name="a-b")
    assert {key for key in found(one, two) if "egress" in key[1]} == {
        ("llm", "a-b-c-egress"),
        ("search", "a-b-c-egress"),
    }
    twice = gateway(Llm, release("llm"), wiring=Wiring(network=(out, attrs.evolve(out, pods={"app": "y"}))))
    with pytest.raises(ComposeError, match="two NetworkPolicies are named 'llm-b-c-egress'"):
        found(twice)


def test_an_ingress_with_an_issuer_reaches_the_pods_that_answer_its_challenge() -> None:
    edge = gateway(Edge, release("nginx"), offers=(edge_offer("nginx", issuer="letsencrypt"),))
    policies = found(
        gateway(Llm, release("one", WEB), release("two", WEB)), gateway(Search, offers=(search_offer(),)), edge
    )
    (policy,) = [policy for (_, name), policy in policies.items() if name == "allow-acme-solvers"]
    assert policy.namespace == "kiwi-llm"
    assert policy.spec == {
        "podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "podSelector": {"matchLabels": {"app": "nginx"}},
                        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kiwi-edge"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 8089}],
            }
        ],
    }


def test_each_namespace_has_the_way_to_its_solvers_once_and_none_without_an_issuer() -> None:
    apps = (component("one", release("one", WEB)), component("two", release("two", WEB)))
    for issuer, names in (("letsencrypt", ["allow-acme-solvers"]), (None, [])):
        policies = compose(inputs(*apps, cluster=attrs.evolve(CLUSTER, offers=(edge_offer(issuer=issuer),)))).policies
        assert [policy.name for policy in policies if policy.name not in EVERY_POD] == names


def test_udp_ports_are_opened_to_the_outside() -> None:
    video = Workload(name="video", pods={"app": "video"}, called_by=(Caller.OUTSIDE,), udp_ports=(10000,))
    edge = gateway(Edge, release("x"), wiring=Wiring(ports=("10000/udp",), network=(video,)))
    (opened,) = (item for item in composed_cluster(edge).policies if item.name.endswith("-from-outside"))
    (rule,) = cast("list[dict[str, object]]", opened.spec["ingress"])
    assert rule["ports"] == [{"protocol": "UDP", "port": 10000}]


def test_a_tenants_offer_of_a_shared_kind_opens_nothing_to_customers() -> None:
    given = inputs(component("app", release("app"), offers=(llm_offer("app"),)), cluster=CLUSTER)
    assert not any("users" in item.name for item in compose(given).policies)
