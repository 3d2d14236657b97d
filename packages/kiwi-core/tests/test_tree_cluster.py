"""What is emitted for a cluster: a golden tree of two gateways, and what its customers' trees say of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import attrs
import pytest
import yaml
from cluster_samples import CLUSTER, WEB, Edge, Llm, Shared, cluster_inputs, edge_offer, gateway, llm_offer
from kiwi_core import Bound, Caller, Declaration, Lane, Release, Secret, Stage, Wiring, Workload, checksum
from kiwi_core._compose.compose import compose
from kiwi_core._compose.sharing import ClusterTree, digest_of, with_gateways
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._emit.tree import MANIFEST
from stack_samples import DB, component, composed, inputs, job, pg, release
from tree_samples import PINS, compare, helmfile, releases, whole


def golden_cluster(lane: Lane = Lane.DOGFOOD) -> Stack:
    """A cluster of two gateways: an ingress, and language models with data of their own behind it."""

    def wiring(bound: Bound) -> Wiring:
        db, web = bound[DB], bound[WEB]
        secret = Secret("admin", {"user": db.user, "password": db.password, "key": bound.credential("master")})
        network = Workload(name="ui", pods={"app": "litellm"}, served_by=WEB, ports=(4000,))
        return Wiring(
            overlay={
                "litellm": {
                    "image": dict(zip(("repository", "tag"), bound.image("web"), strict=True)),
                    "ingress": {"class": web.class_name, "host": "llm.platform.example", "issuer": web.issuer},
                    "podAnnotations": {"checksum/secrets": checksum(secret)},
                }
            },
            secrets=(secret,),
            pre=(job("role", DB),),
            network=(network,),
            hosts=("llm.platform.example",),
        )

    llm = Llm(
        name="litellm",
        declaration=Declaration(
            releases=(release("litellm", DB, WEB), Release(name="pg", chart="pg", stage=Stage.SERVICES)),
            offers=(llm_offer("litellm"), pg("pg")),
        ),
        wiring=wiring,
    )
    controller = Workload(
        name="controller", pods={"app": "nginx"}, called_by=(Caller.OUTSIDE,), ports=(80, 443), calls_api=True
    )
    edge = gateway(
        Edge,
        Release(name="nginx", chart="own", stage=Stage.SERVICES),
        offers=(edge_offer("nginx", issuer="letsencrypt"),),
        wiring=Wiring(
            secrets=(Secret("edge-admin", {"user": "edge"}),), network=(controller,), ports=("80/tcp", "443/tcp")
        ),
    )
    overlays = {"nginx": (Layer(origin=CUSTOMER, file="nginx.yaml", values={"replicas": 2}),)}
    return compose(cluster_inputs(llm, edge, pins=PINS, lane=lane, overlays=overlays))


def manifest(stack: Stack) -> Mapping[str, object]:
    return cast("Mapping[str, object]", json.loads(whole(stack)[MANIFEST]))


def test_the_tree_of_a_cluster_is_the_golden_one() -> None:
    compare(whole(golden_cluster()), "golden_cluster")


def test_the_helmfile_of_a_cluster_has_every_release_in_its_namespace_and_needs_across_them() -> None:
    stack = golden_cluster()
    found = releases(whole(stack))
    assert list(found) == [item.name for item in stack.releases]
    assert {name: entry["namespace"] for name, entry in found.items()} == {
        "namespace-edge": "kiwi-edge",
        "namespace-llm": "kiwi-llm",
        "foundation-edge": "kiwi-edge",
        "foundation-llm": "kiwi-llm",
        "nginx": "kiwi-edge",
        "pg": "kiwi-llm",
        "litellm-pre": "kiwi-llm",
        "litellm": "kiwi-llm",
    }
    assert found["litellm"]["needs"] == [
        "kiwi-llm/foundation-llm",
        "kiwi-llm/litellm-pre",
        "kiwi-edge/nginx",
        "kiwi-llm/pg",
    ]
    labels = {name: cast("dict[str, str]", entry["labels"])["component"] for name, entry in found.items()}
    assert labels["foundation-llm"] == labels["foundation-edge"] == "platform"
    assert (labels["nginx"], labels["litellm-pre"]) == ("edge", "litellm")


def test_every_need_in_the_helmfile_of_a_cluster_names_a_release_of_it() -> None:
    found = releases(whole(golden_cluster()))
    there = {f"{entry['namespace']}/{name}" for name, entry in found.items()}
    named = [need for entry in found.values() for need in cast("list[str]", entry.get("needs", []))]
    assert named
    assert set(named) <= there


@pytest.mark.parametrize("lane", Lane)
def test_every_file_that_the_helmfile_of_a_cluster_names_is_there(lane: Lane) -> None:
    tree = whole(golden_cluster(lane))
    named = {path for entry in releases(tree).values() for path in cast("list[str]", entry["values"])}
    assert named == {path for path in tree if path.startswith(("values/", "overlays/"))}
    assert {path for path in named if "foundation" in path} == {
        "values/foundation-edge.yaml.gotmpl",
        "values/foundation-llm.yaml.gotmpl",
    }


@pytest.mark.parametrize("lane", Lane)
def test_a_cluster_without_gateways_gives_a_helmfile_with_no_release(lane: Lane) -> None:
    tree = whole(compose(cluster_inputs(pins=PINS, lane=lane)))
    assert helmfile(tree)[1] == {
        "helmDefaults": {"createNamespace": False, "syncReleaseLabels": True, "forceConflicts": "ACTION"},
        "releases": [],
    }
    assert "\nreleases: []\n" in tree["helmfile.yaml.gotmpl"].decode()
    for kind in ("charts", "images"):
        assert yaml.safe_load(tree[f"environments/{lane}/{kind}.yaml"]) == {kind: {}}


def test_the_manifest_of_a_cluster_says_whom_it_serves_and_what_it_shares() -> None:
    stack = golden_cluster()
    found = manifest(stack)
    assert (found["target"], found["cluster"], found["lane"]) == ("core-1", "core-1", "dogfood")
    assert found["customers"] == ["acme", "other"]
    assert found["shared"] == digest_of(with_gateways(stack.cluster))
    assert "cluster_tree" not in found


def test_the_manifest_of_a_tenant_records_the_tree_that_it_was_built_against() -> None:
    given = inputs(component("app", release("app")), cluster=CLUSTER)
    tree = ClusterTree(digest="sha256:1", shared="sha256:2", customers=("acme",))
    built = manifest(compose(attrs.evolve(given, cluster_tree=tree)))
    assert (built["target"], built["cluster"], built["cluster_tree"]) == ("cust-acme", "core-1", "sha256:1")
    assert manifest(compose(given))["cluster_tree"] is None
    assert "shared" not in built
    assert "customers" not in built


def test_the_summary_of_a_cluster_names_its_customers_and_who_serves_whom() -> None:
    summary = json.loads(whole(golden_cluster())["stack.json"])
    assert (summary["cluster"], summary["customers"]) == ("core-1", ["acme", "other"])
    assert {"component": "litellm", "use": "ingress/web", "by": "component edge"} in summary["bindings"]
    assert {(item["name"], item["namespace"]) for item in summary["releases"]} >= {
        ("foundation-edge", "kiwi-edge"),
        ("litellm", "kiwi-llm"),
    }
    assert {item["namespace"] for item in summary["policies"]} == {"kiwi-edge", "kiwi-llm"}
    assert "tenant" not in summary


def test_the_summary_of_a_tenant_names_its_hosts_in_order() -> None:
    hosts = ("z.acme.example", "acme.example", "a.acme.example")
    stack = composed(
        component("one", release("one"), wiring=Wiring(hosts=hosts[:2])),
        component("two", release("two"), wiring=Wiring(hosts=hosts[2:])),
    )
    assert json.loads(whole(stack)["stack.json"])["hosts"] == sorted(hosts)


def crowd() -> Stack:
    """A cluster with an ingress and many gateways behind it."""
    forms: list[type[Shared]] = [type(f"Form{index}", (Shared,), {"service": f"s{index}"}) for index in range(8)]
    edge = gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),))
    return compose(cluster_inputs(edge, *(gateway(form, release(form.service, WEB)) for form in forms)))


def fingerprint() -> str:
    """The digests of the stacks of two clusters, and of all files of their trees."""
    stacks = (golden_cluster(), crowd())
    digests = {
        f"{index}/{path}": hashlib.sha256(content).hexdigest()
        for index, stack in enumerate(stacks)
        for path, content in {"stack": repr(stack.policies).encode(), **whole(stack)}.items()
    }
    return json.dumps(digests)


def test_the_tree_of_a_cluster_is_the_same_in_every_process(tmp_path: Path) -> None:
    found: set[str] = set()
    for seed in ("0", "1", "4242"):
        environment = {"PYTHONHASHSEED": seed, "HOME": str(tmp_path), "PATH": os.defpath}
        done = subprocess.run(
            [sys.executable, __file__], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert not done.stderr
        found.add(done.stdout)
    assert found == {fingerprint()}


if __name__ == "__main__":
    sys.stdout.write(fingerprint())
