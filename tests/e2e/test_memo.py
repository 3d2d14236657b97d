"""The demonstration from nothing to working, by one command; what it survives, and what heals it.

The tests go on from each other: each leaves the customer as the tree says.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from e2e.memo_site import reach
from e2e.scene import Customer, Deployed, Json, kept
from e2e.workloads import SLEEP, apply, container, pod, pod_spec
from leaks import leaks, watch
from memo_app.memo_hands import PUBLIC
from testbed.cluster import Cluster
from testbed.servers import wait_until

pytestmark = pytest.mark.real_server

RECORD = "helm.sh/release.v1"
CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        print("open")
    except OSError as error:
        print("shut")
"""


@pytest.fixture
def demo(deployed: Deployed) -> Customer:
    return deployed.customer


def secrets_of(customer: Customer) -> Mapping[str, Json]:
    """What each Secret holds that is no record of Helm's."""
    found = customer.get("secrets")["items"]
    return {item["metadata"]["name"]: item["data"] for item in found if item["type"] != RECORD}


def release_of(record: Json) -> bytes:
    """What Helm has written down of a release: values, manifests and notes."""
    return gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"])))


def test_one_apply_from_nothing_gives_an_application_that_works(deployed: Deployed) -> None:
    assert "release memo-post is deployed (revision 1)" in deployed.done.text
    with reach(deployed.customer) as site:
        memo = site.works()
        browser = site.browser()
        page = browser.open(f"{PUBLIC}/", {"text": "of the person alone"}).data.decode()
        assert "of the person alone" in page
        assert "Welcome. What you write here" in page
        assert "buy milk" not in page
        assert any(url.startswith("http://memo-keycloak:8080/realms/memo/") for url in browser.seen)
        listed = site.ask("GET", "/api/memos", token=site.token())[1]["memos"]
        assert {each["origin"] for each in listed} == {"person", "platform"}
        assert memo in {each["id"] for each in listed}
        assert site.ask("GET", "/api/memos", token="nonsense")[0] == 401


def test_what_runs_is_verified(demo: Customer) -> None:
    assert re.search(r"verified: \d\d passed, 0 findings, 0 unproven", demo.verify())
    rows = demo.run("status").text
    assert rows.count("deployed  revision 1  of this tree") == 8
    assert rows.count("1 of 1 pods ready") >= 3


def test_a_second_apply_changes_nothing_and_gives_no_secret_away(demo: Customer, tmp_path: Path) -> None:
    before, pods = kept(demo.objects()), demo.pods()
    done = watch(demo.words("apply"), tmp_path / "temporary", environment=demo.environment)
    assert done.code == 0, done.text
    objects = demo.objects()
    assert kept(objects) == before
    assert demo.pods() == pods

    # What helmfile and Helm are handed stands in their environment, and nowhere else.
    places = {name: content for name, content in done.places.items() if not name.startswith("environment of")}
    assert any(b"upgrade" in content for name, content in places.items() if name.startswith("arguments"))
    for name, item in objects.items():
        if item.get("type") == RECORD:
            places[name] = release_of(item)
        elif item["kind"] != "Secret":
            places[name] = json.dumps(item).encode()
    places["events"] = demo.kubectl("get", "events", "--output=json").encode()
    for name in (name.removeprefix("Pod/") for name in objects if name.startswith("Pod/")):
        places[f"log of {name}"] = demo.kubectl("logs", name, "--all-containers").encode()
    found = leaks(places, {**demo.derived(), "seed": demo.seed})
    foundation = [line for line in found if line.startswith("Secret/sh.helm.release.v1.foundation.")]
    assert foundation  # it has the Secrets, so it shows that the rest is looked through
    assert [line for line in found if line not in foundation] == []


def test_what_was_changed_by_hand_is_named_and_healed(
    cluster: Cluster, demo: Customer, make_namespace: Callable[[], str], base: str
) -> None:
    other = make_namespace()
    apply(cluster, other, pod("neighbour", pod_spec(container(base, *SLEEP))))
    cluster.kubectl("wait", "--namespace", other, "--for=condition=Ready", "--timeout=60s", "pod/neighbour")
    targets = [f"{name}.{demo.namespace}.svc:{port}" for name, port in (("memo-postgres", 5432), ("memo-s3", 7070))]

    def are(state: str) -> bool:
        words = ("exec", "--namespace", other, "neighbour", "--", "python3", "-c", CONNECT, *targets)
        return cluster.kubectl(*words).split() == [state] * len(targets)

    assert are("shut")
    demo.kubectl("delete", "networkpolicy", "--all")
    assert wait_until(lambda: are("open"), patience=15), "no policy: everybody comes in"

    web = demo.get("deployment", "memo-web")["metadata"]["uid"]
    demo.kubectl("set", "env", "deployment/memo-web", "--containers=web", "S3_REGION=elsewhere")
    demo.kubectl("annotate", "service", "memo", "stray=1")
    demo.kubectl("create", "configmap", "stray")
    patch = json.dumps({"stringData": {"session_key": "x" * 40}})
    demo.kubectl("patch", "secret", "memo-web", f"--patch={patch}")
    demo.kubectl("delete", "service", "memo-s3")
    statements = "ALTER ROLE memo NOLOGIN PASSWORD 'other'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'memo'"
    psql = f'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U postgres -v ON_ERROR_STOP=1 -c "{statements}"'
    demo.kubectl("exec", "memo-postgres-0", "--", "sh", "-c", psql)

    said = demo.verify(code=1)
    for line in (
        "NetworkPolicy/default-deny of release foundation: it is not there",
        "Service/memo-s3 of release memo-s3: it is not there",
        "Secret memo-web: its key 'session_key' holds another value than the seed gives",
        "ConfigMap/stray: nothing of the tree made it",
    ):
        assert line in said
    (changed,) = (line for line in said.splitlines() if "Deployment/memo-web" in line)
    assert re.search(r"release memo: it was changed: spec\.template\.spec\.containers\S*\.env\S*\.value$", changed)

    demo.apply()
    (role,) = (line for line in demo.run("hooks", "status").text.splitlines() if "postgres-role-memo:" in line)
    assert "unchanged" not in role
    findings = [line for line in demo.verify(code=1).splitlines() if line.startswith("finding:")]
    assert len(findings) == 2, findings
    assert "ConfigMap/stray: nothing of the tree made it" in "".join(findings)
    assert "Service/memo of release memo: somebody set by hand: metadata.annotations.stray" in "".join(findings)
    demo.kubectl("delete", "configmap", "stray")
    demo.kubectl("annotate", "service", "memo", "stray-")
    assert "0 findings" in demo.verify()
    assert demo.get("deployment", "memo-web")["metadata"]["uid"] == web
    assert wait_until(lambda: are("shut"), patience=15)
    with reach(demo) as site:
        site.works()


def test_plain_helmfile_without_the_sdk_deploys_the_same(demo: Customer, tmp_path: Path) -> None:
    before, secrets, pods = kept(demo.objects()), secrets_of(demo), demo.pods()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("helm", "helmfile"):
        (programs / name).symlink_to(getattr(demo.platform.programs, name))
    done = subprocess.run(
        [programs / "helmfile", "sync"],
        cwd=demo.tree,
        env={
            "PATH": str(programs),
            "HOME": str(tmp_path),
            "KUBECONFIG": str(demo.platform.cluster.kubeconfig),
            "MASTER_PASSWORD": demo.seed,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert secrets_of(demo) == secrets
    assert kept(demo.objects()) == before
    assert demo.pods() == pods
    assert "0 findings" in demo.verify()


def test_a_rotated_credential_restarts_those_who_read_it_and_no_one_else(demo: Customer) -> None:
    name = "memo/oidc/memo"
    said = demo.run("secrets", "rotate", "--plan", "--json", name).text
    plan = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert plan["restarts"] == ["memo"]
    before = {
        item["metadata"]["name"]: item for item in demo.get("pods", "--field-selector=status.phase=Running")["items"]
    }
    readers = {
        name
        for name, item in before.items()
        if any(f'"{each}"' in json.dumps(item["spec"]) for each in plan["secrets"])
    }
    assert len(readers) == 1
    old = demo.derived()[name]
    demo.edit('cluster="demo-1",', f'cluster="demo-1",\n    generations={{"{name}": 2}},')
    demo.fingerprint()
    assert demo.derived()[name] != old
    demo.apply()
    after = demo.pods()
    assert {name for name in before if name not in after} == readers
    assert len(after) == len(before)
    assert "0 findings" in demo.verify()
    with reach(demo) as site:
        site.works()
        site.browser()


def test_a_namespace_that_was_deleted_is_rebuilt_with_the_same_credentials(demo: Customer) -> None:
    def lasting() -> set[str]:
        return {
            name for name in kept(demo.objects()) if not re.match(r"(Pod|ReplicaSet|EndpointSlice|Secret/sh)", name)
        }

    before, secrets = lasting(), secrets_of(demo)
    demo.platform.cluster.kubectl("delete", "namespace", demo.namespace, "--timeout=120s")
    demo.apply()
    assert secrets_of(demo) == secrets
    assert lasting() == before
    assert "0 findings" in demo.verify()
    with reach(demo) as site:
        site.works()
        site.browser()
