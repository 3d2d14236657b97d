"""What is said of a target as its cluster has it: state in, results out."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Wiring
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.live_drift import check_drift, differences, set_by_hand
from kiwi_core._contract.live_owners import check_owners, check_releases
from kiwi_core._contract.live_pods import check_images
from kiwi_core._contract.results import Outcome, Result
from kiwi_core._model.manifest import Object
from kiwi_core._model.snapshot import Key, Record, Snapshot, key_of, newest
from stack_samples import component, composed, release

TREE = "7" * 32
SPACE = "cust-acme"


def record(name: str, revision: int = 1, status: str = "deployed", tree: str = TREE) -> Record:
    return Record(release=name, revision=revision, status=status, tree=tree, secret=f"sh.helm.release.v1.{name}.v1")


# Any: a test picks objects apart.
def thing(kind: str, name: str, api: str = "v1", owner: str = "", **parts: Any) -> dict[str, Any]:
    owners = [{"uid": owner}] if owner else []
    metadata = {"name": name, "namespace": SPACE, "uid": f"uid-{kind}-{name}", "ownerReferences": owners}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **parts}


DEPLOYMENT = thing(
    "Deployment", "app", "apps/v1", spec={"replicas": 1, "template": {"spec": {"containers": [{"name": "a"}]}}}
)


def seen(
    *objects: Object,
    applied: Sequence[Object] = (DEPLOYMENT,),
    merged: Sequence[Object] | None = None,
    records: Mapping[str, Record] | None = None,
) -> Snapshot:
    """What a cluster has of a tenant whose release ``app`` applied some objects."""
    known = {name: record(name) for name in ("namespace", "foundation", "app")} | {**(records or {})}
    return Snapshot(
        objects={key_of(item): item for item in objects},
        records={(SPACE, name): each for name, each in known.items()},
        applied={(SPACE, "app"): applied},
        merged={key_of(item): item for item in (objects if merged is None else merged)},
    )


def built() -> Stack:
    return composed(component("app", release("app"), wiring=Wiring()))


def findings(results: Iterable[Result]) -> list[str]:
    return [f"{each.subject}: {each.message}" for each in results if each.outcome is Outcome.FINDING]


def test_what_is_as_it_was_delivered_gives_no_finding() -> None:
    replica = thing("ReplicaSet", "app-1", "apps/v1", owner="uid-Deployment-app")
    pod = thing("Pod", "app-1-x", owner="uid-ReplicaSet-app-1")
    snapshot = seen(
        DEPLOYMENT, replica, pod, thing("ConfigMap", "kube-root-ca.crt"), thing("ServiceAccount", "default")
    )
    assert findings(check_releases(built(), snapshot, TREE)) == []
    assert findings(check_owners(built(), snapshot)) == []
    assert findings(check_drift(snapshot)) == []


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({"app": record("app", 3, "failed")}, "release app: its revision 3 is failed, expected deployed"),
        (
            {"app": record("app", 2, "pending-upgrade")},
            "release app: its revision 2 is pending-upgrade, expected deployed",
        ),
        (
            {"app": record("app", tree="f" * 32)},
            f"release app: it was delivered from tree {'f' * 32}, and this one is {TREE}",
        ),
        ({"other": record("other")}, f"release other: it is in {SPACE}, and not in the tree"),
    ],
)
def test_a_release_that_is_not_of_the_tree_is_found(records: Mapping[str, Record], said: str) -> None:
    assert findings(check_releases(built(), seen(records=records), TREE)) == [said]


def test_a_release_that_is_not_there_is_found() -> None:
    snapshot = seen()
    without = {place: each for place, each in snapshot.records.items() if place[1] != "app"}
    snapshot = attrs.evolve(snapshot, records=without)
    assert findings(check_releases(built(), snapshot, TREE)) == ["release app: it is not in the cluster"]


def test_the_newest_revision_counts() -> None:
    records = [record("app", 2, "superseded"), record("app", 10), record("app", 9, "failed")]
    assert newest(records) == {"app": records[1]}


def test_what_nobody_owns_is_found_and_so_is_what_only_owns_itself() -> None:
    orphan = thing("ConfigMap", "orphan", owner="uid-gone")
    ring = [thing("Pod", "one", owner="uid-Pod-two"), thing("Pod", "two", owner="uid-Pod-one")]
    found = findings(check_owners(built(), seen(DEPLOYMENT, orphan, *ring)))
    assert found == [
        f"{name}: nothing of the tree made it, in namespace {SPACE}"
        for name in ("ConfigMap/orphan", "Pod/one", "Pod/two")
    ]


def test_the_claims_of_a_stateful_set_are_its_own() -> None:
    templates = [{"metadata": {"name": "data"}}]
    stateful = thing("StatefulSet", "db", "apps/v1", spec={"volumeClaimTemplates": templates})
    claims = [thing("PersistentVolumeClaim", name) for name in ("data-db-0", "data-db-11", "data-db-x", "data-other-0")]
    found = findings(check_owners(built(), seen(stateful, *claims, applied=[stateful])))
    assert [each.partition(":")[0] for each in found] == [
        "PersistentVolumeClaim/data-db-x",
        "PersistentVolumeClaim/data-other-0",
    ]


def test_drift_is_named_by_object_and_field_and_never_by_value() -> None:
    live = copy.deepcopy(DEPLOYMENT)
    live["spec"]["replicas"] = 5
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "secret-value"
    found = findings(check_drift(seen(live, merged=[DEPLOYMENT])))
    assert found == [
        "Deployment/app of release app: it was changed: spec.replicas, spec.template.spec.containers[0].image"
    ]
    assert findings(check_drift(seen(applied=[DEPLOYMENT]))) == ["Deployment/app of release app: it is not there"]


def test_a_job_that_takes_itself_away_is_no_drift() -> None:
    job = thing("Job", "once", "batch/v1", spec={"ttlSecondsAfterFinished": 60})
    assert findings(check_drift(seen(applied=[job]))) == []


def test_what_the_server_sets_is_no_difference() -> None:
    live = copy.deepcopy(DEPLOYMENT)
    live["metadata"] |= {"resourceVersion": "9", "generation": 4, "managedFields": [{"manager": "helm"}]}
    assert list(differences({**live, "status": {"replicas": 1}}, DEPLOYMENT)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["spec", "data", "x"]), JSON), st.dictionaries(st.sampled_from(["spec", "x"]), JSON)
)
def test_there_are_differences_exactly_where_two_objects_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = {**one, "metadata": {"name": "a"}}, {**other, "metadata": {"name": "a"}}
    assert list(differences(first, first)) == []
    assert bool(list(differences(first, second))) == (first != second)
    assert set(differences(first, second)) == set(differences(second, first))


def test_what_somebody_set_with_kubectl_is_told_and_what_a_release_sets_is_not() -> None:
    live = copy.deepcopy(DEPLOYMENT)
    containers: dict[str, Any] = {"f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}, "f:tty": {}}}}
    live["metadata"]["managedFields"] = [
        {
            "manager": "helm",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"a"}': {"f:image": {}}}}}}},
        },
        {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:template": {"f:spec": containers}}}},
        {
            "manager": "kubectl-rollout",
            "fieldsV1": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}},
        },
        {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:paused": {}}}},
        {"manager": "kubectl-scale", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]
    assert list(set_by_hand(live)) == [("spec", "template", "spec", "containers", 0, "tty")]


def test_a_container_runs_what_is_pinned_or_is_told() -> None:
    def pod(image: str, runs: str = "") -> Object:
        status = {"containerStatuses": [{"name": "c", "imageID": runs}]}
        return thing("Pod", "p", spec={"containers": [{"name": "c", "image": image}]}, status=status)

    found = findings(check_images(built(), seen(pod("docker.io/library/other:1"))))
    assert found == ["pod p, container c: it runs docker.io/library/other:1, which is no pin"]


def test_an_object_without_a_namespace_is_known_by_its_kind() -> None:
    namespace: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    assert key_of(namespace, SPACE) == Key("", "Namespace", "", SPACE)
    assert key_of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}, SPACE).namespace == SPACE
    assert str(key_of(DEPLOYMENT)) == "Deployment/app"
