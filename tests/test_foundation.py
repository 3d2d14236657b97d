"""The foundation in a real API server: the namespace is adopted, kept, and never taken from another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from testbed.kubernetes import Kubernetes

pytestmark = pytest.mark.real_server

CHARTS = Path(__file__).parent.parent / "packages/kiwi-core/src/kiwi_core/charts"
OURS = {"kiwistack.dev/target": "cust-acme", "kiwistack.dev/cluster": "core-1"}


@pytest.fixture(params=["helm", "helm3"])
def program(request: pytest.FixtureRequest) -> Path:
    """Helm 4, and Helm 3."""
    found: Path = request.getfixturevalue(request.param)
    return found


def helm(program: Path, kubernetes: Kubernetes, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(kubernetes.folder), "KUBECONFIG": str(kubernetes.kubeconfig)}
    return subprocess.run([program, *words], env=environment, capture_output=True, encoding="utf-8", check=False)


def install(
    program: Path, kubernetes: Kubernetes, namespace: str, folder: Path, labels: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Install or upgrade the platform's two releases as helmfile does it; the second where the first could be."""
    chosen = {
        "namespace": {"labels": labels},
        "foundation": {"namespace": {"labels": labels, "podSecurity": "restricted"}, "quota": {"pods": "9"}},
    }
    for name, own in chosen.items():
        values = folder / f"{name}.yaml"
        values.write_text(yaml.safe_dump(own), "utf-8")
        words = ["upgrade", "--install", name, str(CHARTS / f"kiwi-{name}"), "--values", str(values)]
        words += ["--namespace", namespace, "--create-namespace"]
        done = helm(program, kubernetes, *words, *(("--take-ownership",) if name == "foundation" else ()))
        if done.returncode or name == "foundation":
            return done
    raise AssertionError


def labels_of(kubernetes: Kubernetes, namespace: str) -> dict[str, str]:
    status, found = kubernetes.ask("GET", f"/api/v1/namespaces/{namespace}")
    assert status == 200
    assert "deletionTimestamp" not in found["metadata"]
    return dict(found["metadata"]["labels"])


def test_the_namespace_is_made_labelled_and_outlives_its_release(
    program: Path, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    namespace = f"cust-{program.name.replace('.', '-')}"
    for _ in range(2):
        done = install(program, kubernetes, namespace, tmp_path, OURS)
        assert done.returncode == 0, done.stderr
        labels = labels_of(kubernetes, namespace)
        assert labels.items() >= OURS.items()
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    done = helm(program, kubernetes, "uninstall", "foundation", "--namespace", namespace)
    assert done.returncode == 0, done.stderr
    assert labels_of(kubernetes, namespace).items() >= OURS.items()
    assert kubernetes.ask("GET", f"/api/v1/namespaces/{namespace}/resourcequotas/quota")[0] == 404
    assert install(program, kubernetes, namespace, tmp_path, OURS).returncode == 0


def test_a_namespace_that_somebody_made_is_adopted(program: Path, kubernetes: Kubernetes, tmp_path: Path) -> None:
    namespace = kubernetes.make_namespace()
    done = install(program, kubernetes, namespace, tmp_path, OURS)
    assert done.returncode == 0, done.stderr
    assert labels_of(kubernetes, namespace).items() >= OURS.items()


def test_a_namespace_of_another_is_not_taken(program: Path, kubernetes: Kubernetes, tmp_path: Path) -> None:
    namespace = kubernetes.make_namespace()
    assert install(program, kubernetes, namespace, tmp_path, OURS).returncode == 0
    done = install(program, kubernetes, namespace, tmp_path, {**OURS, "kiwistack.dev/target": "cust-other"})
    assert done.returncode != 0
    assert f"namespace {namespace} is not ours: its label kiwistack.dev/target is cust-acme" in done.stderr
    assert labels_of(kubernetes, namespace).items() >= OURS.items()
