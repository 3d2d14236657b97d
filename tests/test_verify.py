"""``kiwistack verify`` and ``status`` on a real API server: what is as it was built, and each way in which it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apply_scene import Scene
from secret_repos import SEED
from testbed.kubernetes import Kubernetes

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def delivered(
    tmp_path_factory: pytest.TempPathFactory, kubernetes: Kubernetes, helmfile: Path, helm: Path, kubectl: Path
) -> Scene:
    """A customer that was delivered once; each test puts back what it changed."""
    kubernetes.start()
    scene = Scene.make(tmp_path_factory.mktemp("delivered"), kubernetes, helmfile=helmfile, helm=helm, kubectl=kubectl)
    scene.build()
    scene.apply()
    return scene


def run(scene: Scene, command: str, *words: str, seed: str | None = SEED) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(scene.kubernetes.kubeconfig), "MASTER_PASSWORD": seed or ""}
    program = f"--kubectl={scene.programs['kubectl']}"
    return subprocess.run(
        [sys.executable, "-m", "kiwi_core", command, str(scene.customer), program, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def findings(scene: Scene) -> set[str]:
    """What verify finds: subject and message."""
    done = run(scene, "verify", "--json")
    assert done.returncode in {0, 1}, done.stderr
    rows = json.loads(done.stdout)
    found = {f"{row['subject']}: {row['message']}" for row in rows if row["outcome"] == "finding"}
    assert bool(found) == (done.returncode == 1)
    return found


def test_what_was_delivered_is_what_was_built(delivered: Scene) -> None:
    assert findings(delivered) == set()
    done = run(delivered, "verify", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 keys hold what the seed gives" in done.stdout
    assert SEED not in done.stdout + done.stderr


def test_without_a_seed_credentials_are_unproven(delivered: Scene) -> None:
    done = run(delivered, "verify", "-v", seed=None)
    assert "unproven: [e] Secrets: there is no seed to compare them with" in done.stdout
    assert run(delivered, "verify", "--strict", seed=None).returncode == 1


def test_drift_is_named_by_object_and_field(delivered: Scene) -> None:
    kubectl, namespace = delivered.kubectl, delivered.namespace
    kubectl.run("scale", "deployment", "hello", "--replicas=3", namespace=namespace)
    kubectl.run("set", "env", "deployment/hello", "BY_HAND=1", namespace=namespace)
    kubectl.run("delete", "networkpolicy", "allow-dns", namespace=namespace)
    found = findings(delivered)
    assert "Deployment/hello of release hello: it was changed: spec.replicas" in found
    assert "NetworkPolicy/allow-dns of release foundation: it is not there" in found
    (by_hand,) = [each for each in found if "by hand" in each]
    assert "spec.template.spec.containers[0].env[1].value" in by_hand
    delivered.apply()
    assert not [each for each in findings(delivered) if "it was changed" in each or "not there" in each]
    kubectl.run("set", "env", "deployment/hello", "BY_HAND-", namespace=namespace)
    assert findings(delivered) == set()


def test_a_secret_that_somebody_changed_is_found_and_not_shown(delivered: Scene) -> None:
    kubectl, namespace = delivered.kubectl, delivered.namespace
    patch = json.dumps({"stringData": {"token": "made-up-by-hand"}})
    kubectl.run("patch", "secret", "hello", "--patch", patch, namespace=namespace)
    found = findings(delivered)
    assert f"Secret hello: its key 'token' holds another value than the seed gives, in namespace {namespace}" in found
    assert "made-up-by-hand" not in str(found)
    delivered.apply()
    assert findings(delivered) == set()


def test_what_nothing_of_the_tree_made_is_found(delivered: Scene) -> None:
    kubectl, namespace = delivered.kubectl, delivered.namespace
    kubectl.run("create", "configmap", "stranger", namespace=namespace)
    try:
        assert findings(delivered) == {f"ConfigMap/stranger: nothing of the tree made it, in namespace {namespace}"}
    finally:
        kubectl.run("delete", "configmap", "stranger", namespace=namespace)


def test_another_tree_than_the_delivered_one_is_told(delivered: Scene) -> None:
    spec = delivered.customer / "tenant.py"
    text = spec.read_text("utf-8")
    spec.write_text(text.replace("Hello()", 'Hello(greeting="Servus")'), "utf-8")
    try:
        assert {each.partition(":")[0] for each in findings(delivered)} == {
            "release namespace",
            "release foundation",
            "release hello",
        }
        assert run(delivered, "status").returncode == 1
    finally:
        spec.write_text(text, "utf-8")


def test_the_status_is_a_line_for_each_release(delivered: Scene) -> None:
    done = run(delivered, "status")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(lines) == {"namespace", "foundation", "hello"}
    assert "deployed" in lines["hello"]
    assert "of this tree" in lines["hello"]
    rows = json.loads(run(delivered, "status", "--json").stdout)
    assert {row["release"] for row in rows} == set(lines)


def test_what_delivering_would_change_is_shown_by_object_and_field(delivered: Scene) -> None:
    kubectl, namespace = delivered.kubectl, delivered.namespace
    helm = f"--helm={delivered.programs['real']}"
    done = run(delivered, "diff", "--live", helm)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 objects would change")
    spec = delivered.customer / "tenant.py"
    text = spec.read_text("utf-8")
    spec.write_text(text.replace("Hello()", 'Hello(greeting="Servus")'), "utf-8")
    kubectl.run("delete", "networkpolicy", "allow-dns", namespace=namespace)
    try:
        rows = json.loads(run(delivered, "diff", "--live", helm, "--json").stdout)["changes"]
    finally:
        spec.write_text(text, "utf-8")
        delivered.apply()
    assert {(row["release"], row["what"], row["object"]) for row in rows} == {
        ("foundation", "made", "NetworkPolicy/allow-dns"),
        ("hello", "changed", "ConfigMap/hello"),
    }
    assert any(field.startswith("data") for row in rows for field in row["fields"])


def test_the_report_shows_what_was_found(delivered: Scene, tmp_path: Path) -> None:
    kubectl, namespace = delivered.kubectl, delivered.namespace
    kubectl.run("delete", "networkpolicy", "allow-dns", namespace=namespace)
    try:
        run(delivered, "verify", f"--report={tmp_path / 'live.html'}")
    finally:
        delivered.apply()
    page = (tmp_path / "live.html").read_text("utf-8")
    assert "NetworkPolicy/allow-dns" in page
    run(delivered, "verify", f"--report={tmp_path / 'live.html'}")
    assert "NetworkPolicy/allow-dns" not in (tmp_path / "live.html").read_text("utf-8")
