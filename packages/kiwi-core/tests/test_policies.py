"""NetworkPolicies follow from bindings and from declared traffic, and from nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    Cluster,
    Component,
    Declaration,
    Dns,
    Egress,
    Endpoint,
    Ingress,
    IngressOffer,
    LlmGateway,
    LlmOffer,
    Postgres,
    PostgresOffer,
    Release,
    SecretKey,
    Tenant,
    Tier,
    Use,
    Wiring,
    Workload,
)
from kiwi_core._compose.bind import bind, declare
from kiwi_core._compose.edges import namespaces_of
from kiwi_core._compose.policies import policies
from kiwi_core._compose.policy import NAMESPACE_LABEL, Policy
from kiwi_core._compose.stack import Part
from kiwi_core._model.late import leaves
from kiwi_core.errors import ComposeError, PluginError
from stack_samples import PACKAGE

DB, LLM, WEB = Postgres("db"), LlmGateway("llm"), Ingress("web")
CLUSTER = Cluster(
    name="core-1",
    tier=Tier.CORE,
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12", "fd00:2::/112"),
    node_cidrs=("192.0.2.0/24",),
    offers=(
        LlmOffer(namespace="kiwi-llm", pods={"app": "litellm"}),
        IngressOffer(namespace="kiwi-ingress", pods={"app": "nginx"}),
    ),
)
PODS = {"app": "web"}


@attrs.frozen(kw_only=True)
class Sample(Component):
    """A component with one release."""

    kind: ClassVar[str] = "sample"

    uses: tuple[Use[object], ...] = ()
    wants: tuple[Use[object], ...] = ()

    def declare(self) -> Declaration:
        pg = PostgresOffer(host="pg", admin=SecretKey("pg", "password"), pods={"app": "pg"})
        return Declaration(
            releases=(Release(name=self.name, chart="x", uses=self.uses),), wants=self.wants, offers=(pg,)
        )


def found(
    *workloads: Workload,
    uses: tuple[Use[object], ...] = (DB, LLM, WEB),
    wants: tuple[Use[object], ...] = (),
    cluster: Cluster = CLUSTER,
) -> Mapping[str, Policy]:
    """The policies of a tenant with one component, by name, without those that every tenant has."""
    components = (Sample(uses=uses, wants=wants),)
    tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components)
    (declared,) = declare(components)
    part = Part(
        component=declared.component,
        home=tenant.home(declared.component),
        declaration=declared.declaration,
        wiring=Wiring(network=workloads),
        package=PACKAGE,
    )
    own, dns, *others = policies(
        {"sample": part}, bind([declared], tenant, cluster), {}, namespaces_of({"sample": part}, tenant), cluster
    )
    assert (own.name, dns.name) == ("allow-own-pods", "allow-dns")
    assert {policy.namespace for policy in (own, dns, *others)} == {"cust-acme"}
    assert len({policy.name for policy in others}) == len(others)
    return {policy.name: policy for policy in others}


def test_own_pods_may_talk_to_each_other_and_to_the_clusters_dns() -> None:
    cluster = attrs.evolve(CLUSTER, dns=Dns(namespace="dns", pods={"app": "coredns"}))
    own, dns = policies({}, {}, {}, ("cust-acme",), cluster)
    assert own.spec == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [{"to": [{"podSelector": {}}]}],
    }
    assert dns.spec == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "dns"}},
                        "podSelector": {"matchLabels": {"app": "coredns"}},
                    }
                ],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        ],
    }


def test_a_service_of_the_tenants_own_needs_no_policy() -> None:
    assert found(uses=(DB,)) == {}


def test_a_shared_service_may_be_called_by_the_pods_that_say_so() -> None:
    (policy,) = found(Workload(name="api", pods=PODS, calls=(LLM,)), uses=(LLM,)).values()
    assert policy.name == "sample-api-to-llm-llm"
    assert policy.because == "sample uses llm/llm, which the cluster serves in kiwi-llm"
    assert policy.spec == {
        "podSelector": {"matchLabels": PODS},
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


def test_a_shared_service_may_be_called_by_all_pods_where_none_are_named() -> None:
    (policy,) = found(Workload(name="other", pods=PODS), uses=(LLM,)).values()
    assert policy.name == "sample-to-llm-llm"
    assert policy.spec["podSelector"] == {}


def test_the_ingress_may_call_the_pods_that_it_serves_and_no_others() -> None:
    (policy,) = found(Workload(name="web", pods=PODS, served_by=WEB, ports=(8080, 9090)), uses=(WEB,)).values()
    assert policy.name == "sample-web-from-ingress"
    assert policy.spec == {
        "podSelector": {"matchLabels": PODS},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "podSelector": {"matchLabels": {"app": "nginx"}},
                        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kiwi-ingress"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 8080}, {"protocol": "TCP", "port": 9090}],
            }
        ],
    }
    assert found(uses=(WEB,)) == {}


def test_what_is_wanted_and_not_there_gives_no_policy() -> None:
    alone = attrs.evolve(CLUSTER, offers=())
    workload = Workload(name="web", pods=PODS, calls=(LLM,), served_by=WEB, ports=(80,))
    assert found(workload, uses=(LLM, WEB), wants=(LLM, WEB), cluster=alone) == {}


def test_egress_leaves_the_cluster_and_reaches_nothing_in_it() -> None:
    egress = (Egress(to="the model hub", ports=(443,)), Egress(to="mail", ports=(465, 443)))
    (policy,) = found(Workload(name="api", pods=PODS, egress=egress), uses=()).values()
    assert policy.because == "sample calls the model hub, mail"
    assert policy.spec == {
        "podSelector": {"matchLabels": PODS},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "ipBlock": {
                            "cidr": "0.0.0.0/0",
                            "except": ["10.244.0.0/16", "10.96.0.0/12", "192.0.2.0/24", "169.254.0.0/16"],
                        }
                    },
                    {"ipBlock": {"cidr": "::/0", "except": ["fd00:2::/112", "fe80::/10"]}},
                ],
                "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 465}],
            }
        ],
    }


networks = st.one_of(
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
)


@given(*[st.lists(networks, min_size=1, max_size=3).map(tuple)] * 3)
def test_every_network_of_the_cluster_is_excluded_in_its_own_family(
    pods: tuple[str, ...], services: tuple[str, ...], nodes: tuple[str, ...]
) -> None:
    cluster = attrs.evolve(CLUSTER, pod_cidrs=pods, service_cidrs=services, node_cidrs=nodes)
    workload = Workload(name="api", pods=PODS, egress=(Egress(to="x"),))
    (policy,) = found(workload, uses=(), cluster=cluster).values()
    cidrs: dict[int, str] = {}
    excluded: dict[int, set[str]] = {}
    for path, leaf in leaves(policy.spec["egress"]):
        match path, leaf:
            case (0, "to", int(index), "ipBlock", "cidr"), str():
                cidrs[index] = leaf
            case (0, "to", int(index), "ipBlock", "except", int()), str():
                excluded.setdefault(index, set()).add(leaf)
            case _:
                assert path[1] == "ports"
    assert list(cidrs.values()) == ["0.0.0.0/0", "::/0"]
    assert {*pods, *services, *nodes} <= excluded[0] | excluded[1]
    for index, version in enumerate((4, 6)):
        assert {ipaddress.ip_network(network).version for network in excluded[index]} == {version}


def test_egress_names_every_fact_that_the_cluster_lacks() -> None:
    bare = Cluster(name="bare", tier=Tier.CORE, pod_cidrs=("10.0.0.0/8",))
    workload = Workload(name="api", pods=PODS, egress=(Egress(to="x"),))
    with pytest.raises(ComposeError) as caught:
        found(workload, uses=(), cluster=bare)
    assert [str(problem) for problem in caught.value.problems] == [
        f"workload 'sample-api' calls outside of the cluster, and cluster 'bare' states no {fact}\n"
        f"    add {fact}=(…,) to the cluster's spec: egress must exclude the cluster's own networks"
        for fact in ("service_cidrs", "node_cidrs")
    ]


def test_a_cluster_that_lacks_facts_is_fine_where_nobody_needs_them() -> None:
    bare = Cluster(name="bare", tier=Tier.CORE)
    assert found(Workload(name="api", pods=PODS), uses=(), cluster=bare) == {}


@pytest.mark.parametrize(
    "workload",
    [Workload(name="api", pods=PODS, calls=(LLM,)), Workload(name="api", pods=PODS, served_by=WEB, ports=(80,))],
)
def test_a_workload_that_names_what_no_release_uses_is_told(workload: Workload) -> None:
    with pytest.raises(ComposeError, match=r"workload 'sample-api' names (llm/llm|ingress/web), which no release of"):
        found(workload, uses=(DB,))


def test_two_policies_of_one_name_are_told() -> None:
    one = Workload(name="api", pods=PODS, calls=(LLM,))
    with pytest.raises(ComposeError, match="two NetworkPolicies are named 'sample-api-to-llm-llm'"):
        found(one, attrs.evolve(one, pods={"app": "other"}), uses=(LLM,))


@attrs.frozen(kw_only=True)
class OddOffer(LlmOffer):
    """An offer whose author made a mistake."""

    def endpoint(self) -> Endpoint:
        raise ZeroDivisionError("oh")


def test_an_offer_that_fails_is_told_with_its_file_and_line() -> None:
    cluster = attrs.evolve(CLUSTER, offers=(OddOffer(namespace="kiwi-llm"),))
    with pytest.raises(PluginError, match=r"test_policies\.py:\d+: OddOffer .* endpoint\(\): ZeroDivisionError: oh"):
        found(uses=(LLM,), cluster=cluster)
