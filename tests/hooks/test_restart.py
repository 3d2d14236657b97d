"""Restarts at a real Kubernetes API server, which counts the calls that change something."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import pytest
from kiwi_core._compose.policy import HOOKS_LABEL
from kiwi_core._deliver.hook_pods import read_status
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._hooks.restart import MARK, RestartState
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import ExternalError
from kiwi_core.testing import HookProofs
from testbed.kubernetes import Kubernetes

pytestmark = pytest.mark.real_server

NAME = "memo"
RULE = {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [NAME], "verbs": ["get", "patch"]}
MERGE = "application/merge-patch+json"


def deployment() -> dict[str, object]:
    labels = {"app": NAME}
    container = {"name": "web", "image": "registry.example/memo:1"}
    return {
        "metadata": {"name": NAME},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


class TestRestart(HookProofs):
    missing = "patch deployments/memo"

    @pytest.fixture(autouse=True)
    def _server(self, kubernetes: Kubernetes, tmp_path: Path) -> None:
        self.kubernetes = kubernetes
        kubernetes.start()
        self.namespace = kubernetes.make_namespace()
        self.accounts = tmp_path
        self.account("right", kubernetes.make_service_account(self.namespace, RULE))
        self.account("weak", kubernetes.make_service_account(self.namespace, {**RULE, "verbs": ["get"]}))
        self.account("wrong", "no-such-token")

    def account(self, name: str, token: str) -> None:
        folder = self.accounts / name
        folder.mkdir()
        (folder / "token").write_text(token, "utf-8")
        (folder / "ca.crt").write_bytes(self.kubernetes.ca_file.read_bytes())

    def server(self) -> Kubernetes:
        return self.kubernetes

    def desired(self) -> RestartState:
        return RestartState(
            owner="cust-acme/memo",
            namespace=self.namespace,
            workload="Deployment",
            name=NAME,
            mark="kabc",
            api=self.kubernetes.url,
            account=str(self.accounts / "right"),
        )

    def read(self, key: SecretKey) -> str:
        raise AssertionError(key)

    def at(self) -> str:
        return f"{self.kubernetes.host}:{self.kubernetes.port}"

    @property
    def path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def clean(self) -> None:
        self.kubernetes.ask("DELETE", f"{self.path}/{NAME}")
        assert self.kubernetes.ask("POST", self.path, deployment())[0] == 201

    def state(self) -> object:
        found = self.kubernetes.ask("GET", f"{self.path}/{NAME}")[1]
        return found["metadata"].get("labels", {}).get(MARK)

    def patch(self, **body: object) -> Callable[[], object]:
        return lambda: self.kubernetes.ask("PATCH", f"{self.path}/{NAME}", body, content_type=MERGE)

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "mark": self.patch(metadata={"labels": {MARK: "kother"}}),
            "is_new": self.patch(metadata={"labels": {MARK: None}}, spec={"replicas": 2}),
            "version": self.patch(metadata={"labels": {MARK: None}}),
        }

    def wrong_account(self) -> RestartState:
        return attrs.evolve(self.desired(), account=str(self.accounts / "wrong"))

    def weak_account(self) -> RestartState:
        return attrs.evolve(self.desired(), account=str(self.accounts / "weak"))

    def test_pods_of_a_workload_that_was_just_made_are_not_restarted(self) -> None:
        witness = self._begin()
        assert witness.converge(self.desired()).outcome.changed[0].startswith("note the Secrets of")
        found = self.kubernetes.ask("GET", f"{self.path}/{NAME}")[1]
        assert found["metadata"]["generation"] == 1
        changed = witness.converge(attrs.evolve(self.desired(), mark="knext")).outcome.changed
        assert changed[0].startswith("restart Deployment memo")
        found = self.kubernetes.ask("GET", f"{self.path}/{NAME}")[1]
        assert found["spec"]["template"]["metadata"]["annotations"] == {MARK: "knext"}
        assert found["metadata"]["generation"] == 2


MESSAGE = {
    "hooks": [
        {"hook": "postgres-role-memo", "changed": ["create role memo"], "seconds": 0.2},
        {"hook": "s3-bucket-memo", "problems": ["the server says no"], "seconds": 1.5},
    ]
}


def pod(name: str, release: str, message: str, code: int) -> dict[str, object]:
    container = {"name": "hooks", "image": "registry.example/kiwi-hooks:1"}
    metadata = {"name": name, "labels": {HOOKS_LABEL: release}}
    spec = {"containers": [container], "restartPolicy": "Never", "serviceAccountName": "hooks"}
    ended = {"exitCode": code, "reason": "Error", "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
    status = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [
            {**container, "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": ended}}
        ],
    }
    return {"metadata": metadata, "spec": spec, "status": status}


def test_what_jobs_left_in_their_pods_is_read_with_kubectl(
    kubernetes: Kubernetes, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.start()
    namespace = kubernetes.make_namespace()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    assert read_status(namespace, Kubectl(program=str(kubectl))) == ()
    core = f"/api/v1/namespaces/{namespace}"
    kubernetes.ask("POST", f"{core}/serviceaccounts", {"metadata": {"name": "hooks"}})
    for one in (
        pod("memo-pre-1", "memo-pre", json.dumps(MESSAGE), 1),
        pod("memo-post-1", "memo-post", '{"changed":[]}', 0),
        pod("other-post-1", "other-post", "whatever it says", 0),
    ):
        name = one["metadata"]["name"]  # type: ignore[index]  # as made above
        assert kubernetes.ask("POST", f"{core}/pods", one)[0] == 201
        assert kubernetes.ask("PUT", f"{core}/pods/{name}/status", one)[0] == 200
    rows = [
        (row.release, row.hook, row.said, row.failed) for row in read_status(namespace, Kubectl(program=str(kubectl)))
    ]
    assert rows == [
        ("memo-post", "memo-post-1", "unchanged", False),
        ("memo-pre", "postgres-role-memo", "create role memo  (0.2 s)", False),
        ("memo-pre", "s3-bucket-memo", "failed: the server says no  (1.5 s)", True),
        ("other-post", "other-post-1", "error", False),
    ]


def test_a_cluster_that_does_not_answer_is_told(kubectl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ExternalError, match="connection"):
        read_status("cust-acme", Kubectl(program=str(kubectl)))
    with pytest.raises(ExternalError, match="there is no program"):
        read_status("cust-acme", Kubectl(program=str(tmp_path / "kubectl")))
    assert subprocess.run([kubectl, "version", "--client"], capture_output=True, check=False).returncode == 0
