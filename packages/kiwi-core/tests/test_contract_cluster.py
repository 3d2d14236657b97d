"""What keeps the contract of a cluster, and of what is outside, stays green; what nobody can say is unproven."""

from __future__ import annotations

import attrs
import pytest
from contract_changes import (
    Change,
    both,
    cluster,
    cluster_tree,
    declared,
    declares,
    evidence,
    hook,
    joined,
    manifest,
    policy,
    secret,
    stack,
    tenant,
    values,
    wired,
    works,
)
from contract_cluster import CLUSTER, HOST, ClusterScene
from contract_stack import CACHE, DB, LLM, MAIL, TREE, Scene
from kiwi_core import Caller, Customer, IngressOffer, Lane, LlmOffer, SecretKey, Tier, Value, Workload
from kiwi_core._compose.sharing import digest_of
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Outcome
from mutations_cluster import setting
from mutations_cluster_policies import EDGE_HOME, LLM_HOME, Search, expression, labels, peers
from mutations_outside import SERVED, WEB, rules

HOSTS: dict[str, Change] = {
    "host-of-the-domain": wired(hosts=("app.acme.example",)),
    "domain-itself": wired(hosts=("acme.example",)),
    "host-deep-in-the-domain": wired(hosts=("a.b.c.acme.example", "acme.example")),
    "host-of-another-domain-where-the-spec-says-so": both(tenant(domain="acme.test"), wired(hosts=("app.acme.test",))),
    "hosts-of-two-components": both(wired(hosts=("app.acme.example",)), wired("db", hosts=("db.acme.example",))),
    "host-of-what-is-served": both(SERVED, wired(hosts=("app.acme.example",))),
    "no-host-for-what-nobody-serves": both(
        declared("app", uses=(DB, CACHE, LLM, MAIL, WEB)),
        declares("app", lambda found: attrs.evolve(found, wants=(*found.wants, WEB))),
        works(Workload(name="ui", pods={"app": "web"}, served_by=WEB, ports=(80,))),
    ),
    "port-of-its-own": wired(ports=("10000/udp",)),
    "ingress-of-a-declared-host": both(
        wired(hosts=("app.acme.example", "acme.example")),
        manifest("Ingress", spec=rules("acme.example", "app.acme.example", "acme.example")),
    ),
    "ingress-of-no-rule": manifest("Ingress", spec={"rules": []}),
    "ingress-class-by-name": manifest("ConfigMap", spec=rules("x.example")),
}
TREES: dict[str, Change] = {
    "tree-of-a-cluster-that-serves-others-too": cluster_tree(customers=("other", "acme")),
    "tree-that-was-recorded": evidence(checked_against=TREE),
    "tree-with-another-digest": cluster_tree(digest="sha256:" + "9" * 64),
}
GREEN = {f"b-{name}": change for name, change in HOSTS.items()} | {f"a-{name}": item for name, item in TREES.items()}


@pytest.mark.parametrize("change", GREEN.values(), ids=GREEN.keys())
def test_a_tenant_that_keeps_to_its_own_has_no_finding(change: Change) -> None:
    assert change(Scene()).of(Outcome.FINDING) == []


@pytest.mark.parametrize("name", TREES)
def test_a_tenant_that_was_checked_against_its_clusters_tree_passes(name: str) -> None:
    passes = TREES[name](Scene()).of(Outcome.PASS, "a")
    assert [text for text in passes if text.startswith("[a] cluster core-1: checked against its tree sha256:")]


THIRD = Customer(slug="third", domain="third.example")


def without_tree(found: Stack) -> Stack:
    return attrs.evolve(found, inputs=attrs.evolve(found.inputs, cluster_tree=None))


def test_a_tenant_whose_cluster_was_never_built_is_unproven_and_neither_a_pass_nor_a_finding() -> None:
    changed = both(stack(without_tree), evidence(cluster_command="kiwistack build ../core-1"))(Scene())
    assert (
        "[a] cluster core-1: it has no tree that this one could be checked against\n    kiwistack build ../core-1"
        in (changed.of(Outcome.UNPROVEN, "a"))
    )
    assert changed.of(Outcome.FINDING) == []
    assert not [text for text in changed.of(Outcome.PASS, "a") if "cluster core-1" in text]


def test_what_the_cluster_shares_is_compared_with_what_the_tenant_is_composed_against() -> None:
    shared = digest_of(Scene().cluster)
    changed = both(cluster(ingress_addresses=("192.0.2.80",)), cluster_tree(shared=shared))(Scene())
    (found,) = changed.of(Outcome.FINDING, "a")
    assert "its spec says something other of what it shares than the tree that was built from it" in found
    served = both(cluster(customers=(*Scene().cluster.customers, THIRD)), cluster_tree(shared=shared))(Scene())
    assert served.of(Outcome.FINDING, "a") == []


@pytest.mark.parametrize("lane", Lane)
def test_the_cluster_that_all_mutations_start_from_has_no_finding(lane: Lane) -> None:
    assert ClusterScene(lane=lane).of(Outcome.FINDING) == []


@pytest.mark.parametrize("lane", Lane)
def test_nothing_of_it_is_unproven(lane: Lane) -> None:
    assert ClusterScene(lane=lane).of(Outcome.UNPROVEN) == []


def test_every_rule_passes_something_of_it_and_none_speaks_of_a_tree_that_it_was_checked_against() -> None:
    results = ClusterScene().results()
    assert {found.rule for found in results if found.outcome is Outcome.PASS} == {*"abcdefg", "spec"}
    assert not [found for found in results if "checked against" in found.message]


HARMLESS = {
    "slug-alone": "acme",
    "slug-in-a-word": "acme-models",
    "namespace-of-no-customer": "cust-acmecorp",
    "namespace-that-goes-on": "cust-acme-two",
    "domain-that-ends-alike": "my-acme.example",
    "domain-that-goes-on": "acme.example-models.org",
    "domain-above": "example",
    "platform": "https://models.platform.example/",
    "public": "https://api.openai.com/v1",
    "own-namespace": "http://llm-db.kiwi-llm-gateway.svc.cluster.local:5432/",
    "own-namespace-by-its-account": "system:serviceaccount:kiwi-llm-gateway:default",
    "own-namespace-by-a-template": "{{ .Release.Name }}.{{ .Release.Namespace }}.svc",
    "gateway-in-use": "http://nginx.kiwi-ingress.svc:80",
    "gateways-own-credential": "LITELLM_SALT_KEY",
}
MASTER: Value = {"secretKeyRef": {"name": "litellm", "key": "LITELLM_MASTER_KEY"}}
EVERYONE = ("cust-acme", "cust-other", "cust-apart")
CLUSTERS: dict[str, Change] = {
    **{f"value-{name}": setting(value) for name, value in HARMLESS.items()},
    "gateways-own-credential-by-its-secret": setting({"name": "LITELLM_MASTER_KEY", "valueFrom": MASTER}),
    "gateways-own-credential-in-a-hook": hook(
        "pre", "litellm", env={"PROXY_MASTER_KEY": SecretKey("litellm", "password")}
    ),
    "gateway-in-use-in-a-secret": secret("extra", {"url": "http://nginx.kiwi-ingress.svc"}, "litellm"),
    "own-namespace-said": values("nginx", {"namespaceOverride": "kiwi-ingress"}),
    "own-namespace-in-an-object": manifest("Role", "nginx", metadata={"name": "x", "namespace": "kiwi-ingress"}),
    "secrets-of-one-name": both(
        secret("extra", {"x": "http://nginx.kiwi-ingress.svc"}, "litellm"), secret("extra", {"x": "a"}, "nginx")
    ),
    "object-without-a-slug": both(
        declared("litellm", cluster_objects=("ClusterRole/litellm",)),
        manifest("ClusterRole", "litellm", metadata={"name": "litellm"}),
        values("litellm", {"rbac": True}),
    ),
    "policy-from-the-customers": peers(LLM_HOME, "ingress", expression(*EVERYONE)),
    "policy-from-one-customer": peers(LLM_HOME, "ingress", labels("cust-other")),
    "policy-to-one-customer": peers(EDGE_HOME, "egress", labels("cust-other")),
    "policy-from-who-is-bound-to-it": peers(EDGE_HOME, "egress", expression(*EVERYONE, "kiwi-llm-gateway")),
    "policy-to-what-it-is-bound-to": peers(LLM_HOME, "ingress", labels("kiwi-ingress")),
    "policy-to-dns": peers(LLM_HOME, "egress", labels("kube-system")),
    "policy-of-two-expressions": policy(
        EDGE_HOME,
        egress=[
            {
                "to": [
                    {
                        "namespaceSelector": {
                            "matchExpressions": [
                                {"key": "team", "operator": "Exists"},
                                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["cust-acme"]},
                            ]
                        }
                    }
                ]
            }
        ],
    ),
    "open-to-everywhere-as-declared": both(
        wired("litellm", ports=("9000/tcp",)),
        works(
            Workload(name="open", pods={"app": "litellm"}, called_by=(Caller.OUTSIDE,), ports=(9000,)),
            component="litellm",
        ),
    ),
    "domain-that-begins-as-a-customers": both(
        values("litellm", {"config": {"ONE": "https://acme.example.org/", "TWO": "https://www.acme.example.com.au/"}})
    ),
    "port-of-a-customer-at-an-address-of-its-own": cluster(
        customers=(attrs.evolve(THIRD, ports=("443/tcp", "80/tcp"), address="192.0.2.33"),)
    ),
    "port-of-a-customer-with-another-protocol": cluster(customers=(attrs.evolve(THIRD, ports=("443/udp",)),)),
    "host-beside-a-customers-domain": wired(
        "litellm", hosts=(HOST, "my-acme.example", "acme.example.org", "org.example")
    ),
    "host-above-a-customers-domain": cluster(
        customers=(*CLUSTER.customers, Customer(slug="below", domain=f"acme.{HOST}"))
    ),
    "no-customer": cluster(customers=()),
    "another-tier": cluster(tier=Tier.FLEET),
    "gateway-that-nobody-uses": joined(Search()),
    "ingress-of-a-declared-host": manifest("Ingress", "litellm", spec=rules(HOST)),
    "ingress-that-the-cluster-has-otherwise": both(
        cluster(offers=(IngressOffer(namespace="kiwi-outer", name="outer"), LlmOffer(namespace="kiwi-llm2", name="x"))),
        cluster(bind={"litellm/ingress": "outer"}),
        setting("http://nginx.kiwi-outer.svc"),
    ),
}


@pytest.mark.parametrize("change", CLUSTERS.values(), ids=CLUSTERS.keys())
def test_a_cluster_that_keeps_to_its_own_has_no_finding(change: Change) -> None:
    assert change(ClusterScene()).of(Outcome.FINDING) == []


def test_of_an_address_in_the_cluster_nobody_can_say_whose_it_is() -> None:
    said = ClusterScene()
    assert any(
        "config.SETTING calls 10.96.0.7" in text
        for text in setting("http://10.96.0.7:80/")(said).of(Outcome.UNPROVEN, "b")
    )
