"""What the cluster promises to the tests that deploy to it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e.workloads import SLEEP, apply, container, pod, pod_spec, service, workload
from testbed.cluster import Cluster, GivenCluster
from testbed.servers import wait_until
from testbed.tools import ToolError

pytestmark = pytest.mark.real_server
CHART = Path(__file__).with_name("charts") / "tiny"
SERVE = ("python3", "-m", "http.server", "-d", "/etc", "8000")
PAGE = {"httpGet": {"path": "/hostname", "port": 8000}}
FETCH = """
import sys, urllib.request
for url in sys.argv[1:]:
    print(urllib.request.urlopen(url, timeout=5).read().decode().strip())
"""
CONNECT = """
import concurrent.futures, json, socket, sys
def connect(target):
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return type(error).__name__
    return "open"
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(json.dumps(dict(zip(sys.argv[1:], pool.map(connect, sys.argv[1:])))))
"""


def wait_ready(cluster: Cluster, namespace: str, *names: str) -> None:
    cluster.kubectl("wait", "--namespace", namespace, "--for=condition=Ready", "--timeout=60s", *names)


def run_in(cluster: Cluster, namespace: str, name: str, *command: str) -> str:
    return cluster.kubectl("exec", "--namespace", namespace, name, "--", *command).strip()


def test_pods_answer_behind_the_name_of_a_service(cluster: Cluster, namespace: str, base: str) -> None:
    server = pod_spec(container(base, *SERVE, ready=PAGE))
    apply(
        cluster,
        namespace,
        workload("Deployment", "web", server, replicas=2),
        service("web", http=8000),
        pod("client", pod_spec(container(base, *SLEEP))),
    )
    cluster.kubectl("rollout", "status", "--namespace", namespace, "deployment/web", "--timeout=60s")
    wait_ready(cluster, namespace, "pod/client")
    url = f"http://web.{namespace}.svc.cluster.local:8000/hostname"
    names: list[str] = []

    def all_answer() -> bool:  # a ready pod is behind its Service a moment later
        try:
            names[:] = run_in(cluster, namespace, "client", "python3", "-c", FETCH, *[url] * 20).split()
        except ToolError:
            return False
        return len(set(names)) == 2

    assert wait_until(all_answer, patience=10), names
    listed = cluster.kubectl("get", "pods", "--namespace", namespace, "-l", "app=web", "-o", "name")
    assert {f"pod/{name}" for name in names} == set(listed.split())
    assert "GET /hostname" in cluster.kubectl("logs", "--namespace", namespace, "deployment/web", "--all-pods")


def test_a_test_reaches_a_service_from_outside(cluster: Cluster, namespace: str, base: str) -> None:
    import urllib.request

    apply(cluster, namespace, pod("web", pod_spec(container(base, *SERVE, ready=PAGE))), service("web", http=8000))
    wait_ready(cluster, namespace, "pod/web")
    with cluster.reach(namespace, "service/web", 8000) as port:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/hostname", timeout=10) as answer:
            assert answer.read().strip() == b"web"


def test_a_pod_that_takes_more_memory_than_its_limit_is_killed(cluster: Cluster, namespace: str, base: str) -> None:
    greedy = container(base, "python3", "-c", "b'x' * (200 << 20)", memory="64Mi")
    apply(cluster, namespace, pod("greedy", pod_spec(greedy, restartPolicy="Never")))
    reason = "jsonpath={.status.containerStatuses[0].state.terminated.reason}=OOMKilled"
    cluster.kubectl("wait", "--namespace", namespace, "--timeout=60s", f"--for={reason}", "pod/greedy")


def test_pod_security_refuses_what_is_not_restricted(cluster: Cluster, namespace: str, base: str) -> None:
    spec = {**pod_spec(container(base, *SLEEP)), "hostNetwork": True}
    with pytest.raises(ToolError, match=r'violates PodSecurity "restricted.*host namespaces'):
        apply(cluster, namespace, pod("bold", spec))


def test_an_image_that_was_not_imported_is_missed_at_once(cluster: Cluster, namespace: str) -> None:
    missing = f"registry.local/none:1@sha256:{'0' * 64}"
    apply(cluster, namespace, pod("lost", pod_spec(container(missing))))
    reason = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull"
    started = time.monotonic()
    cluster.kubectl("wait", "--namespace", namespace, "--timeout=60s", f"--for={reason}", "pod/lost")
    assert time.monotonic() - started < 15


def test_a_stateful_set_keeps_its_volume(cluster: Cluster, namespace: str, base: str) -> None:
    cluster.make_volume(f"{namespace}-data")
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    note = container(base, "sh", "-c", "echo start >>/data/starts; exec sleep infinity", mounts={"data": "/data"})
    more = {"serviceName": "keeper", "volumeClaimTemplates": [claim]}
    apply(cluster, namespace, workload("StatefulSet", "keeper", pod_spec(note), **more))
    cluster.kubectl("rollout", "status", "--namespace", namespace, "statefulset/keeper", "--timeout=60s")
    cluster.kubectl("delete", "--namespace", namespace, "pod/keeper-0")
    cluster.kubectl("rollout", "status", "--namespace", namespace, "statefulset/keeper", "--timeout=60s")
    assert run_in(cluster, namespace, "keeper-0", "cat", "/data/starts") == "start\nstart"


def test_helm_installs_upgrades_and_rolls_back(cluster: Cluster, namespace: str, base: str, helm: Path) -> None:
    def run(*words: str) -> None:
        command = [str(helm), "--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace, *words]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HELM_PLUGINS": "/nonexistent"})

    def message() -> str:
        with cluster.reach(namespace, "service/tiny", 80) as port:
            return subprocess.run(
                ["python3", "-c", FETCH, f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True
            ).stdout.strip()

    run("install", "tiny", str(CHART), "--set", f"image={base}", "--wait", "--timeout=60s")
    assert message() == "hello"
    run("upgrade", "tiny", str(CHART), "--reuse-values", "--set", "message=bonjour", "--wait", "--timeout=60s")
    assert message() == "bonjour"
    run("rollback", "tiny", "1", "--wait", "--timeout=60s")
    assert message() == "hello"
    run("uninstall", "tiny", "--wait", "--timeout=60s")
    assert not cluster.kubectl("get", "deployments,services", "--namespace", namespace, "-o", "name")


def policy(name: str, selected: Mapping[str, str], **ways: object) -> Mapping[str, object]:
    types = [way.capitalize() for way in ways]
    allowed = {way: rules for way, rules in ways.items() if rules}
    spec = {"podSelector": {"matchLabels": selected}, "policyTypes": types, **allowed}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_network_policies_hold(cluster: Cluster, make_namespace: Callable[[], str], base: str) -> None:
    inner, outer = make_namespace(), make_namespace()
    both = "python3 -m http.server -d /etc 9000 & exec python3 -m http.server -d /etc 8000"
    named = ({"name": "http", "containerPort": 8000},)
    server = pod_spec(container(base, "sh", "-c", both, ready=PAGE, ports=named))
    idle = pod_spec(container(base, *SLEEP))
    apply(cluster, inner, pod("web", server), service("web", http=8000, other=9000))
    apply(cluster, inner, pod("good", idle, labels={"role": "good"}))
    apply(cluster, outer, pod("good", idle, labels={"role": "good"}), pod("bad", idle, labels={"role": "bad"}))
    for namespace in (inner, outer):
        wait_ready(cluster, namespace, "pods", "--all")
    http, other, server_of_api = f"web.{inner}.svc:8000", f"web.{inner}.svc:9000", "kubernetes.default.svc:443"
    clients = {"good": (outer, "good"), "bad": (outer, "bad"), "near": (inner, "good")}

    def open_to(client: str) -> set[str]:
        namespace, name = clients[client]
        said = run_in(cluster, namespace, name, "python3", "-c", CONNECT, http, other, server_of_api)
        return {target for target, outcome in json.loads(said).items() if outcome == "open"}

    def expect(step: str, **expected: set[str]) -> None:
        found: dict[str, set[str]] = {}

        def is_so() -> bool:
            with ThreadPoolExecutor() as pool:
                found.update(zip(expected, pool.map(open_to, expected), strict=True))
            return found == expected

        assert wait_until(is_so, patience=10), (step, found)

    everything = {http, other, server_of_api}
    expect("no policy", good=everything, bad=everything, near=everything)

    apply(cluster, inner, policy("deny", {}, ingress=None))
    only_api = {server_of_api}
    expect("nobody comes in", good=only_api, bad=only_api, near=only_api)

    team = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": outer}}}
    friend = {**team, "podSelector": {"matchLabels": {"role": "good"}}}
    rule = {"from": [friend], "ports": [{"protocol": "TCP", "port": "http"}]}
    apply(cluster, inner, policy("allow", {"app": "web"}, ingress=[rule]))
    expect(
        "only the good of the other team, on the named port", good={http, server_of_api}, bad=only_api, near=only_api
    )

    names = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    apply(cluster, outer, policy("names-only", {"role": "good"}, egress=[names]))
    expect("the good may ask for names and nothing else", good=set(), bad=only_api, near=only_api)

    cluster.kubectl("delete", "networkpolicy", "--namespace", outer, "names-only")
    expect("the good may go out again", good={http, server_of_api}, bad=only_api, near=only_api)
    wait_ready(cluster, inner, "pod/web")  # the kubelet's probes pass all the while


def test_pods_live_on_while_the_api_server_starts_anew(cluster: Cluster, namespace: str, base: str) -> None:
    if isinstance(cluster, GivenCluster):
        pytest.skip("its API server is not the tests' to end")
    apply(cluster, namespace, pod("web", pod_spec(container(base, *SERVE, ready=PAGE))), service("web", http=8000))
    wait_ready(cluster, namespace, "pod/web")
    cluster.restart_api_server()
    apply(cluster, namespace, policy("deny", {}, ingress=None), pod("client", pod_spec(container(base, *SLEEP))))
    wait_ready(cluster, namespace, "pod/web", "pod/client")

    def is_shut() -> bool:
        said = run_in(cluster, namespace, "client", "python3", "-c", CONNECT, "web:8000")
        outcomes: dict[str, str] = json.loads(said)
        return outcomes == {"web:8000": "no answer"}

    assert wait_until(is_shut, patience=10)
    path = "jsonpath={.status.containerStatuses[0].restartCount}"
    assert cluster.kubectl("get", "pod", "web", "--namespace", namespace, "-o", path) == "0"
