"""What the parts of the cluster's testbed promise that need no cluster: rules for policies, and images."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from testbed.cluster import GIVEN, LOADER, GivenCluster, OwnCluster, from_environment
from testbed.netpol import ruleset
from testbed.oci import Image, files_layer
from testbed.tools import ToolError

Object = Mapping[str, object]
HTTP = {"name": "http", "containerPort": 8000}


@pytest.fixture(autouse=True)
def _own_testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIWISTACK_TESTBED", str(tmp_path / "testbed"))


def make_pod(address: str, namespace: str = "a", phase: str = "Running", **labels: str) -> Object:
    spec = {"containers": [{"ports": [HTTP]}]}
    return {
        "metadata": {"namespace": namespace, "labels": labels},
        "spec": spec,
        "status": {"podIP": address, "phase": phase},
    }


def make_policy(spec: Object, namespace: str = "a") -> Object:
    return {"metadata": {"namespace": namespace}, "spec": spec}


def make_namespace(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}}


def rules(policy: Object, *pods: Object, chain: str) -> Sequence[str]:
    """What a pod's chain has between its own traffic and the end of all."""
    text = ruleset(pods, [make_namespace("a", team="a"), make_namespace("b", team="b")], [make_policy(policy)])
    lines = [line.strip() for line in text.partition(f"chain {chain} {{")[2].partition("}\n chain")[0].splitlines()]
    assert lines[-2:] == ["counter drop", ""] or lines[-1] == "counter drop", text
    return lines[2 : lines.index("counter drop")]


def test_without_a_policy_everything_is_open() -> None:
    text = ruleset([make_pod("10.0.0.1")], [], [])
    assert "drop" not in text
    assert "10.0.0.1" not in text


def test_a_policy_without_rules_shuts_its_pods_and_no_others() -> None:
    shut, other, foreign = make_pod("10.0.0.1", app="x"), make_pod("10.0.0.2"), make_pod("10.0.0.3", "b", app="x")
    policy = {"podSelector": {"matchLabels": {"app": "x"}}, "policyTypes": ["Ingress"]}
    text = ruleset([shut, other, foreign], [], [make_policy(policy)])
    assert "ip daddr vmap { 10.0.0.1 : jump ingress_10_0_0_1 }" in text
    assert "10.0.0.2" not in text
    assert "10.0.0.3" not in text
    assert "saddr vmap" not in text


def test_pods_that_have_ended_or_use_the_nodes_network_are_no_pods() -> None:
    policy: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ended = make_pod("10.0.0.1", phase="Succeeded")
    host: Object = {**make_pod("10.0.0.2"), "spec": {"hostNetwork": True, "containers": []}}
    assert "drop" not in ruleset([ended, host], [], [make_policy(policy)])


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ({"podSelector": {}}, ["10.0.0.1", "10.0.0.2"]),
        ({"podSelector": {"matchLabels": {"app": "y"}}}, ["10.0.0.2"]),
        ({"namespaceSelector": {}}, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, ["10.0.0.3"]),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "y"}}}, ["10.0.0.2", "10.0.0.3"]),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["y"]}]}}, ["10.0.0.1"]),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["y"]}]}}, ["10.0.0.2"]),
        ({"podSelector": {"matchExpressions": [{"key": "old", "operator": "Exists"}]}}, []),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, []),
    ],
    ids=str,
)
def test_peers_are_whom_the_selectors_choose(peer: Object, allowed: Sequence[str]) -> None:
    pods = (make_pod("10.0.0.1", app="x"), make_pod("10.0.0.2", app="y"), make_pod("10.0.0.3", "b", app="y"))
    policy = {
        "podSelector": {"matchLabels": {"app": "x"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer], "ports": [{"protocol": "TCP", "port": 80}]}],
    }
    wanted = [f"ip saddr {address} tcp dport 80 return" for address in allowed]
    assert rules(policy, *pods, chain="ingress_10_0_0_1") == wanted


@pytest.mark.parametrize(
    ("ports", "matches"),
    [
        (None, [""]),
        ([{"port": 53, "protocol": "UDP"}, {"port": 53}], ["udp dport 53 ", "tcp dport 53 "]),
        ([{"port": 1, "endPort": 9}], ["tcp dport 1-9 "]),
        ([{"protocol": "SCTP"}], ["meta l4proto sctp "]),
        ([{"port": "http"}], ["tcp dport 8000 "]),
        ([{"port": "none"}], []),
    ],
    ids=str,
)
def test_ports_are_numbers_ranges_or_names(ports: object, matches: Sequence[str]) -> None:
    policy: Object = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}
    assert rules(policy, make_pod("10.0.0.1"), chain="ingress_10_0_0_1") == [f"{match}return" for match in matches]


def test_egress_to_a_named_port_goes_by_the_pod_that_has_it_and_to_a_block_by_its_addresses() -> None:
    block = {"ipBlock": {"cidr": "10.9.0.0/16", "except": ["10.9.1.0/24", "10.9.2.0/24"]}}
    near = make_pod("10.0.0.1")
    far = {**make_pod("10.0.0.2"), "spec": {"containers": [{"ports": [{**HTTP, "containerPort": 9000}]}]}}
    policy: Object = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": "http"}]}, {"to": [block]}],
    }
    assert rules(policy, near, far, chain="egress_10_0_0_1") == [
        "ip daddr 10.0.0.1 tcp dport 8000 return",
        "ip daddr 10.0.0.2 tcp dport 9000 return",
        "ip daddr 10.9.0.0/16 ip daddr != { 10.9.1.0/24, 10.9.2.0/24 } return",
    ]


def make_tree(folder: Path) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "text").write_text("words", encoding="utf-8")
    (folder / "program").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "program").chmod(0o700)
    (folder / "link").symlink_to("deep/text")
    os.link(folder / "program", folder / "same")
    return folder


def test_the_same_files_make_the_same_layer_whenever_and_wherever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = files_layer({"/srv": make_tree(tmp_path / "one"), "/note": b"x"})
    other = make_tree(tmp_path / "other")
    os.utime(other / "deep" / "text", (1, 1))
    monkeypatch.setenv("KIWISTACK_TESTBED", str(tmp_path / "elsewhere"))
    assert files_layer({"/note": b"x", "/srv": other}).digest == first.digest
    (other / "deep" / "text").write_text("other words", encoding="utf-8")
    assert files_layer({"/note": b"x", "/srv": other}).digest != first.digest
    with tarfile.open(first.path) as tar:
        found = {member.name: (oct(member.mode), member.uid, member.size) for member in tar}
        assert tar.getmember("srv/link").linkname == "deep/text"
    assert found["srv/deep/text"] == ("0o644", 0, 5)
    assert found["srv/program"] == found["srv/same"] == ("0o755", 0, 10)


def test_an_image_says_its_digest_and_its_archive_holds_what_it_says() -> None:
    layer = files_layer({"/note": b"x"})
    image = Image(name="note", tag="1", layers=(layer,), entrypoint=("cat", "/note"), environment={"A": "b"})
    archive = io.BytesIO()
    image.write(archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        held = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    blobs = {f"sha256:{name.rpartition('/')[2]}": data for name, data in held.items() if name.startswith("blobs/")}
    assert all(digest == f"sha256:{hashlib.sha256(data).hexdigest()}" for digest, data in blobs.items())
    listed = json.loads(held["index.json"])["manifests"]
    assert {entry["digest"] for entry in listed} == {image.digest}
    names = {entry["annotations"]["io.containerd.image.name"] for entry in listed}
    assert names == {"registry.local/note:1", f"registry.local/note@{image.digest}"}
    assert image.reference == f"registry.local/note:1@{image.digest}"
    config = json.loads(blobs[json.loads(blobs[image.digest])["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [layer.digest]
    assert config["config"]["User"] == "65532:65532"
    assert "A=b" in config["config"]["Env"]


def test_only_the_variable_of_its_own_names_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    monkeypatch.setenv("KUBECONFIG", str(mine))
    monkeypatch.delenv(GIVEN, raising=False)
    assert isinstance(from_environment(), OwnCluster)
    monkeypatch.setenv(GIVEN, str(mine))
    with pytest.raises(ToolError, match=f"{GIVEN}=.*/mine is no file"):
        from_environment()
    mine.touch()
    given = from_environment()
    assert isinstance(given, GivenCluster)
    assert given.kubeconfig == mine
    with pytest.raises(ToolError, match="not the tests' to end"):
        given.restart_api_server()


def test_a_given_cluster_gets_images_by_the_command_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, loaded = tmp_path / "mine", tmp_path / "its images"
    mine.touch()
    loaded.mkdir()
    image = Image(name="note", tag="1", layers=(files_layer({"/note": b"x"}),))
    monkeypatch.setenv(GIVEN, str(mine))
    with pytest.raises(ToolError, match=f"{LOADER} must say how"):
        from_environment().import_image(image)
    monkeypatch.setenv(LOADER, f"cp --target-directory '{loaded}'")
    assert from_environment().import_image(image) == image.reference
    with tarfile.open(loaded / "note.tar") as archive:
        assert f"blobs/sha256/{image.digest.removeprefix('sha256:')}" in archive.getnames()
