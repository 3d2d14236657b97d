"""What keeps the contract stays green when it is rendered, however suspicious it looks; the rest is unproven, and no pass."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from contract_changes import Change, both, capture, cluster, declared
from contract_manifests import HOOK, PINNED, chart, deployment, env, pods, rendered, secret, thing
from contract_stack import DIGEST, Scene
from kiwi_core._contract.results import Outcome, check
from kiwi_core._model.capture import CapturedImage
from kiwi_core.plugins import Plugins

RBAC = "rbac.authorization.k8s.io/v1"
KNOWN = cluster(kubernetes="1.37", api_versions=())

GREEN: Mapping[str, Change] = {
    "nothing-more": rendered(),
    "own-namespace-by-name": rendered(
        thing("RoleBinding", "x", RBAC, metadata={"namespace": "cust-acme"}, subjects=[{"namespace": "cust-acme"}])
    ),
    "own-service-in-full": rendered(thing("ConfigMap", data={"x": "db.cust-acme.svc.cluster.local:5432"})),
    "gateway-that-is-bound": rendered(thing("ConfigMap", data={"x": "http://litellm.kiwi-llm-gateway.svc:4000"})),
    "public-host": rendered(thing("ConfigMap", data={"DB_HOST": "mail.acme.example"})),
    "declared-cluster-object": both(
        declared("app", cluster_objects=("ClusterRole/acme-app",)), rendered(thing("ClusterRole", "acme-app", RBAC))
    ),
    "the-namespace-itself": rendered(thing("Namespace", "cust-acme"), release="namespace"),
    "rights-on-namespaces": rendered(thing("Role", "x", RBAC, rules=[{"resources": ["namespaces"]}])),
    "namespace-of-the-pod": rendered(deployment(pods(container={"args": ["--namespace=$(POD_NAMESPACE)"]}))),
    "setting-called-namespace": rendered(thing("ConfigMap", data={"namespace": "metrics"})),
    "policy-within": rendered(
        thing("NetworkPolicy", "x", "networking.k8s.io/v1", spec={"ingress": [{"from": [{"podSelector": {}}]}]})
    ),
    "policy-of-the-own-namespace": rendered(
        thing(
            "NetworkPolicy",
            "x",
            "networking.k8s.io/v1",
            spec={"egress": [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cust-acme"}}}]}]},
        )
    ),
    "image-in-short": rendered(deployment(pods(PINNED.removeprefix("docker.io/")))),
    "image-in-an-argument": rendered(deployment(pods(container={"args": [f"--image={PINNED}"]}))),
    "host-in-an-argument": rendered(deployment(pods(container={"args": ["--url=https://id.acme.example/realms/x:y"]}))),
    "declared-hard-coded-image": both(
        declared("app", unpinned={"busybox:1.36": "a tool"}), rendered(deployment(pods("docker.io/library/busybox:1.36")))
    ),
    "declared-image-of-values": both(
        declared("app", unpinned={"cache.image": "it is off"}), rendered(deployment(pods("upstream/cache:7")))
    ),
    "image-of-a-test": rendered(
        thing("Pod", "x", "v1", metadata={"annotations": {HOOK: "test"}}, spec={"containers": [{"image": "busybox"}]})
    ),
    "chart-that-was-captured": both(capture("app", digest=DIGEST), rendered(charts=chart("0" * 64))),
    "credential-in-a-secret-of-the-chart": rendered(secret("x", {"a": "<base64 app/token>"})),
    "credential-in-a-secret-as-text": rendered(thing("Secret", "x", stringData={"a": "pw=<app/token>"})),
    "volume-with-a-checksum": rendered(
        deployment(pods(volumes=[{"secret": {"secretName": "app-llm"}}]), annotations={})
    ),
    "job-without-a-checksum": rendered(deployment(pods(container=env("app-db"), note=""), "Job")),
    "secret-of-another": rendered(deployment(pods(container=env("of-an-operator"), note=""))),
}  # fmt: skip


def of(change: Change, outcome: Outcome, rule: str | None = None) -> list[str]:
    scene = change(KNOWN(Scene()))
    rules = [item for item in Plugins(()).rules() if item.on_manifests and rule in {None, item.letter}]
    return [str(found) for found in check(scene.stack(), scene.evidence, rules) if found.outcome is outcome]


@pytest.mark.parametrize("name", GREEN)
def test_what_keeps_the_contract_stays_green(name: str) -> None:
    assert of(GREEN[name], Outcome.FINDING) == []


def test_a_clean_tenant_is_proven_release_by_release() -> None:
    assert of(rendered(), Outcome.UNPROVEN) == []
    passed = "\n".join(of(rendered(), Outcome.PASS))
    for text in (
        "[a] release app: its objects are what Kubernetes 1.37 takes",
        "[b] release app: none of its 4 objects is outside of cust-acme",
        "[c] release worker: all of its 1 images are pinned",
        "[e] release foundation: its 1 credentials stand in Secrets alone",
        "[e] release app: ConfigMap/app: data.TOKEN holds app/token, a declared plain value: the chart reads it",
        "[e] release app: Deployment/app restarts when app-cache changes",
        "[f] release app: its chart runs no hook of Helm's own",
    ):
        assert text in passed


def test_without_manifests_their_rules_say_nothing_and_least_of_all_a_pass() -> None:
    assert not [found for found in Scene().results() if "rendered" in found.subject]


def test_hooks_of_helm_are_listed_and_tests_and_plain_objects_are_not() -> None:
    hooked = {HOOK: "pre-upgrade,post-install"}
    change = rendered(
        thing("Job", "migrate", "batch/v1", metadata={"annotations": hooked}, spec={"template": pods()}),
        thing("Job", "bye", "batch/v1", metadata={"annotations": {HOOK: "pre-delete"}}, spec={"template": pods()}),
        thing("ConfigMap", "of-a-hook", metadata={"annotations": hooked}),
        thing("Pod", "tests", "v1", metadata={"annotations": {HOOK: "test"}}, spec={"containers": []}),
    )
    first, second = of(change, Outcome.UNPROVEN, "f")
    assert "runs Job/migrate as a hook of Helm's own (post-install, pre-upgrade: on every deploy)" in first
    assert "Job/bye" in second
    assert "not on a deploy" in second
    assert not [text for text in of(change, Outcome.PASS, "f") if "release app" in text]


def test_a_secret_that_a_chart_makes_of_a_credential_restarts_nobody_unless_the_chart_sees_to_it() -> None:
    made = secret("made", {"a": "<base64 app/token>"})
    bare = deployment({**pods(container=env("made")), "metadata": {}})
    assert "Deployment/app consumes made" in of(rendered(made, bare), Outcome.UNPROVEN, "e")[0]
    assert of(rendered(made, deployment(pods(container=env("made")))), Outcome.UNPROVEN, "e") == []


def test_what_no_schema_knows_is_unproven_and_named_once() -> None:
    change = rendered(*(thing("Certificate", name, "cert-manager.io/v1") for name in ("x", "y")))
    (said,) = of(change, Outcome.UNPROVEN, "a")
    assert "cert-manager.io/v1 Certificate (2)" in said
    none = of(rendered(schemas=None, no_schemas="there are none"), Outcome.UNPROVEN, "a")
    assert none == ["[a] Kubernetes 1.37: no object was validated: there are none"]


def test_a_cluster_that_does_not_say_what_it_runs_is_unproven() -> None:
    scene = rendered()(cluster(apis=("cert-manager.io", "x.example"), api_versions=("x.example/v1",))(Scene()))
    rules = [item for item in Plugins(()).rules() if item.on_manifests and item.letter == "a"]
    found = [str(item) for item in check(scene.stack(), scene.evidence, rules) if item.outcome is Outcome.UNPROVEN]
    assert "Cluster(kubernetes='1.37')" in found[0]
    assert "of cert-manager.io it says no version" in found[1]


def test_an_image_whose_parts_a_value_names_is_declared_by_its_path() -> None:
    image = CapturedImage(path="tool.image", keys=("registry", "repository", "tag"))
    change = both(
        capture(
            "app",
            images=(image,),
            values={"tool": {"image": {"registry": "q.example", "repository": "a/b", "tag": "1"}}},
        ),
        declared("app", unpinned={"tool.image": "it is off"}),
    )
    assert of(both(change, rendered(deployment(pods("q.example/a/b:1")))), Outcome.FINDING, "c") == []
    assert len(of(both(change, rendered(deployment(pods("q.example/a/c:1")))), Outcome.FINDING, "c")) == 1
