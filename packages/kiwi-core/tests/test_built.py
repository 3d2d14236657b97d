"""What earlier builds say of themselves is read from their manifests, and told where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from cluster_samples import CLUSTER, Llm, cluster_inputs, gateway, llm_offer
from kiwi_core._compose.compose import compose
from kiwi_core._compose.sharing import ClusterTree, digest_of, with_gateways
from kiwi_core._compose.stack import Stack
from kiwi_core._deliver.built import checked_against, cluster_tree
from kiwi_core._deliver.disk import write_tree
from kiwi_core._emit.tree import MANIFEST
from kiwi_core.errors import OutputError
from stack_samples import component, inputs, release
from tree_samples import whole

GATEWAYS = (gateway(Llm, release("llm"), offers=(llm_offer("llm"),)),)


def built(stack: Stack, folder: Path) -> Path:
    write_tree(folder, whole(stack))
    return folder


def tenant(tree: ClusterTree | None = None) -> Stack:
    return compose(attrs.evolve(inputs(component("app", release("app")), cluster=CLUSTER), cluster_tree=tree))


def with_manifest(folder: Path, content: bytes) -> Path:
    (folder / MANIFEST).write_bytes(content)
    return folder


def refused(folder: Path) -> str:
    """What is said of a folder whose manifest is no cluster's."""
    with pytest.raises(OutputError) as caught:
        cluster_tree(folder)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_clusters_tree_says_what_was_built(tmp_path: Path) -> None:
    stack = compose(cluster_inputs(*GATEWAYS))
    found = cluster_tree(built(stack, tmp_path / "generated"))
    assert found is not None
    assert found.customers == ("acme", "other")
    assert found.shared == digest_of(with_gateways(stack.cluster))
    assert found.digest == json.loads((tmp_path / "generated" / MANIFEST).read_bytes())["digest"]


def test_the_digest_of_a_clusters_tree_follows_its_files(tmp_path: Path) -> None:
    digests = set[str]()
    for index, cluster in enumerate((CLUSTER, attrs.evolve(CLUSTER, customers=CLUSTER.customers[:1]), CLUSTER)):
        found = cluster_tree(built(compose(cluster_inputs(*GATEWAYS, cluster=cluster)), tmp_path / str(index)))
        assert found is not None
        digests.add(found.digest)
    assert len(digests) == 2


def test_a_tenants_tree_says_which_tree_it_was_checked_against(tmp_path: Path) -> None:
    tree = cluster_tree(built(compose(cluster_inputs(*GATEWAYS)), tmp_path / "cluster"))
    assert tree is not None
    assert checked_against(built(tenant(tree), tmp_path / "tenant")) == tree.digest
    assert checked_against(built(tenant(), tmp_path / "early")) is None
    assert checked_against(tmp_path / "cluster") is None


@pytest.mark.parametrize("folder", ["nowhere", "nowhere/deeper", "."])
def test_where_nothing_was_built_there_is_no_tree(tmp_path: Path, folder: str) -> None:
    assert cluster_tree(tmp_path / folder) is None
    assert checked_against(tmp_path / folder) is None


def test_the_tree_of_a_tenant_is_no_tree_of_a_cluster(tmp_path: Path) -> None:
    assert refused(built(tenant(), tmp_path / "generated")) == (
        f"{tmp_path / 'generated' / MANIFEST}: this is no manifest of a cluster's tree\n"
        "    build the cluster again, with --force where something else is in the way"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"digest": "sha256:1", "shared": "sha256:2"}',
        b'{"digest": "sha256:1", "customers": []}',
        b'{"shared": "sha256:2", "customers": []}',
        b'{"digest": null, "shared": "sha256:2", "customers": []}',
        b'{"digest": "sha256:1", "shared": 2, "customers": []}',
        b'{"digest": "sha256:1", "shared": "sha256:2", "customers": "acme"}',
        b'{"digest": "sha256:1", "shared": "sha256:2", "customers": {"acme": 1}}',
    ],
)
def test_a_manifest_that_lacks_what_a_clusters_has_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "this is no manifest of a cluster's tree" in refused(with_manifest(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"{", b"not json", b'{"digest": "\xff"}', b"\xff\xfe"])
def test_a_manifest_that_is_no_json_is_told_with_its_file(tmp_path: Path, content: bytes) -> None:
    said = refused(with_manifest(tmp_path, content))
    assert said.startswith(f"{tmp_path / MANIFEST}: it cannot be read: ")
    assert said.endswith("\n    build it again")
    with pytest.raises(OutputError, match="it cannot be read"):
        checked_against(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b"null", b'"sha256:1"', b"1"])
def test_json_that_is_no_manifest_is_told_with_its_file(tmp_path: Path, content: bytes) -> None:
    assert refused(with_manifest(tmp_path, content)) == (
        f"{tmp_path / MANIFEST}: this is no manifest of a build\n    build it again with --force"
    )
    with pytest.raises(OutputError, match="this is no manifest of a build"):
        checked_against(tmp_path)


def test_what_is_in_the_way_of_a_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / "one" / MANIFEST).mkdir(parents=True)
    (tmp_path / "two").write_bytes(b"a file where a folder should be")
    for name in ("one", "two"):
        assert refused(tmp_path / name).startswith(f"{tmp_path / name / MANIFEST}: it cannot be read: ")


@pytest.mark.parametrize("record", [b"{}", b'{"cluster_tree": null}', b'{"cluster_tree": 5}'])
def test_a_manifest_that_records_no_tree_says_none(tmp_path: Path, record: bytes) -> None:
    assert checked_against(with_manifest(tmp_path, record)) is None
