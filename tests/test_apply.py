"""``kiwistack apply`` with the real helmfile and Helm, on a real API server: nothing runs there, so nothing is waited for."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from apply_scene import Scene
from kiwi_core._deliver.handover import PREFIX
from kiwi_core._model.snapshot import LEASE
from secret_repos import OTHER, SEED
from testbed.kubernetes import Kubernetes
from testbed.servers import wait_until
from trees import kiwistack

pytestmark = pytest.mark.real_server


@pytest.fixture
def scene(
    tmp_path: Path, kubernetes: Kubernetes, helmfile: Path, helm: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    kubernetes.start()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    made = Scene.make(tmp_path, kubernetes, helmfile=helmfile, helm=helm, kubectl=kubectl)
    made.build()
    return made


def is_there(scene: Scene) -> bool:
    return scene.kubectl.find("namespace", scene.namespace) is not None


def set_labels(scene: Scene, secret: str, **labels: str) -> None:
    words = [f"{name}={value}" for name, value in labels.items()]
    scene.kubectl.run("label", "secret", secret, *words, "--overwrite", namespace=scene.namespace)


def test_a_tree_is_delivered_and_again_changes_nothing_but_helms_records(scene: Scene) -> None:
    done = scene.apply()
    assert "release hello is deployed (revision 1)" in done.stdout
    records, before = scene.records(), scene.objects()
    digest = json.loads((scene.customer / "generated" / "manifest.json").read_bytes())["digest"]
    assert {name: (record.revision, record.status) for name, record in records.items()} == dict.fromkeys(
        ("namespace", "foundation", "hello"), (1, "deployed")
    )
    assert {record.tree for record in records.values()} == {digest.removeprefix("sha256:")[:32]}
    assert "networkpolicies/default-deny" in before
    scene.apply()
    assert {record.revision for record in scene.records().values()} == {2}
    assert scene.objects() == before
    lease = scene.kubectl.get("lease", LEASE, namespace=scene.namespace)
    assert lease["spec"]["holderIdentity"] == ""  # type: ignore[index,call-overload]  # JSON


def test_helm_is_reached_with_the_values_and_without_the_seed(scene: Scene) -> None:
    done = scene.apply()
    seen = scene.seen.read_text(encoding="utf-8")
    assert "KIWISTACK_" in seen
    assert SEED not in seen + done.stdout + done.stderr
    assert "MASTER_PASSWORD" not in seen
    modes = {line.split()[0] for line in seen.splitlines() if str(scene.memory / PREFIX) in line and "=" not in line}
    assert modes
    assert all(mode.startswith(("drwx------", "-rw-------")) for mode in modes)
    assert list(scene.memory.iterdir()) == []


def test_another_seed_than_the_one_deployed_reaches_nobody(scene: Scene) -> None:
    kiwistack("secrets", "fingerprint", scene.customer, environment={"MASTER_PASSWORD": SEED})
    scene.build()
    assert "this is not the seed that was deployed" in scene.apply(code=2, seed=OTHER).stderr
    assert not is_there(scene)
    assert not scene.seen.exists()


def test_another_cluster_than_the_one_of_the_spec_is_refused(scene: Scene) -> None:
    spec = scene.platform.cluster / "cluster.py"
    text = spec.read_text("utf-8")
    line = next(line for line in text.splitlines() if "identity=" in line)
    spec.write_text(text.replace(line, '    identity="b8e6c4de-0000-4000-8000-7f4d5e6a0001",'), "utf-8")
    done = scene.apply(code=2)
    assert "the context leads to another cluster: found " in done.stderr
    spec.write_text(text.replace(line, ""), "utf-8")
    done = scene.apply(code=2)
    assert f"where the context leads to it: {line.strip().rstrip(',')}" in done.stderr
    assert not is_there(scene)


def test_only_the_tree_of_the_spec_is_delivered(scene: Scene) -> None:
    spec = scene.customer / "tenant.py"
    spec.write_text(spec.read_text("utf-8").replace("Hello()", 'Hello(greeting="Servus")'), encoding="utf-8")
    done = scene.apply(code=2)
    assert "the tree is not what the spec" in done.stderr
    assert f"kiwistack build {scene.customer}" in done.stderr
    assert not is_there(scene)


def test_a_namespace_of_another_is_refused(scene: Scene) -> None:
    scene.kubectl.run("create", "namespace", scene.namespace)
    done = scene.apply(code=2)
    assert f"namespace {scene.namespace} is there and not ours" in done.stderr
    hint = f"kubectl label namespace {scene.namespace} kiwistack.dev/target={scene.namespace}"
    assert hint in done.stderr
    assert scene.records() == {}
    for label in ("target", "cluster"):
        value = scene.namespace if label == "target" else "core-1"
        scene.kubectl.run("label", "namespace", scene.namespace, f"kiwistack.dev/{label}={value}")
    scene.apply()


def test_a_release_of_another_is_refused(scene: Scene) -> None:
    scene.apply()
    set_labels(scene, scene.records()["hello"].secret, **{"kiwistack.dev/tree": ""})
    done = scene.apply(code=2)
    assert f"release hello in {scene.namespace} is there and not ours" in done.stderr
    assert scene.records()["foundation"].revision == 1


def test_a_second_apply_is_refused_or_waits_and_is_told_who_is_first(scene: Scene) -> None:
    scene.before_helm("sleep 4")
    first = scene.start()
    try:
        assert wait_until(lambda: scene.helms() > 0)
        refused = scene.start()
        waiting = scene.start("--wait", "120")
        out, error = refused.communicate(timeout=120)
        assert refused.returncode == 3, out + error
        assert f"another apply is at work in {scene.namespace}: " in error
        assert f"/{first.pid}-" in error
        out, error = waiting.communicate(timeout=120)
        assert waiting.returncode == 0, out + error
        assert f"/{first.pid}-" in out
    finally:
        assert first.wait(120) == 0, first.communicate()
        first.communicate()
    assert {record.revision for record in scene.records().values()} == {2}


@pytest.mark.parametrize("helms", [0, 3])
def test_killed_it_is_taken_up_again(scene: Scene, helms: int) -> None:
    process = scene.start()
    wait_until(lambda: process.poll() is not None or scene.helms() > helms)
    scene.kill(process)
    done = scene.apply("--wait", "60")
    assert {name: record.status for name, record in scene.records().items()} == dict.fromkeys(
        ("namespace", "foundation", "hello"), "deployed"
    ), done.stdout


def test_a_revision_that_was_left_pending_goes_on(scene: Scene) -> None:
    scene.apply()
    set_labels(scene, scene.records()["hello"].secret, status="pending-upgrade")
    patch = json.dumps({"metadata": {"annotations": {"kiwistack.dev/unfinished": "true"}}})
    scene.kubectl.run("patch", "lease", LEASE, "--type=merge", "--patch", patch, namespace=scene.namespace)
    done = scene.apply()
    assert "release hello: revision 1 was left pending-upgrade; it goes on" in done.stdout
    assert scene.records()["hello"].status == "deployed"


def test_it_is_broken_off_in_good_order(scene: Scene) -> None:
    scene.before_helm("sleep 3")
    process = scene.start()
    assert wait_until(lambda: scene.helms() > 0)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, out + error
    assert "run it again to go on" in error
    assert "Traceback" not in error
    assert list(scene.memory.iterdir()) == []
    scene.before_helm("")
    scene.apply()


def test_what_left_the_spec_is_shown_and_removed_when_asked(scene: Scene) -> None:
    scene.apply()
    spec = scene.customer / "tenant.py"
    spec.write_text(spec.read_text("utf-8").replace("components=(Hello(),)", "components=()"), encoding="utf-8")
    scene.build()
    done = scene.apply()
    assert (
        f"release hello in {scene.namespace}: it left the spec, and is there still; --prune removes it" in done.stdout
    )
    assert "hello" in scene.records()
    assert (
        "nothing/x is in no release that left the spec"
        in scene.apply("--prune", "--delete-data=nothing/x", code=2).stderr
    )
    scene.apply("--prune")
    assert "hello" not in scene.records()


def test_an_account_without_rights_is_told(scene: Scene) -> None:
    namespace = scene.kubernetes.make_namespace()
    token = scene.kubernetes.make_service_account(namespace)
    done = scene.apply(code=3, kubeconfig=scene.kubernetes.make_kubeconfig(token))
    assert "forbidden" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_cluster_that_is_not_there_is_told(scene: Scene, tmp_path: Path) -> None:
    done = scene.apply(code=3, kubeconfig=tmp_path / "nowhere")
    assert "is the context the right one, and the cluster up?" in done.stderr
    assert not scene.seen.exists()
