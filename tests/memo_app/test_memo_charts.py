"""The charts of examples/kiwi-component-memo in the real Helm: what Kubernetes is asked to run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from memo_app.memo_hands import MEMO

pytestmark = pytest.mark.real_server

CHARTS = MEMO / "src" / "kiwi_component_memo" / "charts"
Json = dict[str, Any]  # Kubernetes objects, which a test picks apart


def render(helm: Path, chart: str, **values: object) -> list[Json]:
    """Render a chart as a release named like the component's."""
    everything: Json = {"image": {"repository": "r/x", "tag": "1@sha256:0"}, **values}
    done = subprocess.run(
        [helm, "template", f"memo-{chart}", CHARTS / chart, "--values", "/dev/stdin"],
        input=json.dumps(everything),
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def pods(objects: list[Json]) -> Iterator[Json]:
    """The pods of workloads."""
    for item in objects:
        if item["kind"] in {"Deployment", "StatefulSet"}:
            yield item["spec"]["template"]["spec"]


@pytest.mark.parametrize("chart", ["memo", "postgres", "s3", "keycloak"])
def test_pods_are_restricted_and_know_no_token(helm: Path, chart: str) -> None:
    """As the profile ``restricted`` of Pod Security has it."""
    found = list(pods(render(helm, chart)))
    assert len(found) == (2 if chart == "memo" else 1)
    for pod in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["image"] == "r/x:1@sha256:0"
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"].get("readOnlyRootFilesystem", False) is (chart != "keycloak")
            assert container["resources"]["limits"]["memory"]
        assert all("livenessProbe" in container for container in pod["containers"])


@pytest.mark.parametrize("chart", ["postgres", "s3", "keycloak"])
@pytest.mark.parametrize("size", ["", "2Gi"])
def test_data_is_in_a_volume_of_the_size_or_goes_with_the_pod(helm: Path, chart: str, size: str) -> None:
    (server,) = (item for item in render(helm, chart, size=size) if item["kind"] == "StatefulSet")
    volumes = [volume["name"] for volume in server["spec"]["template"]["spec"]["volumes"]]
    claims = [
        (claim["metadata"]["name"], claim["spec"]["resources"]["requests"]["storage"])
        for claim in server["spec"].get("volumeClaimTemplates", [])
    ]
    assert ("data" in volumes, claims) == ((False, [("data", "2Gi")]) if size else (True, []))


def test_an_ingress_is_there_where_there_is_a_host(helm: Path) -> None:
    for chart in ("memo", "keycloak"):
        assert not [item for item in render(helm, chart) if item["kind"] == "Ingress"]
        found = render(helm, chart, host="x.example", ingressClassName="nginx", issuer="letsencrypt")
        (ingress,) = (item for item in found if item["kind"] == "Ingress")
        assert ingress["spec"]["tls"] == [{"hosts": ["x.example"], "secretName": f"{ingress['metadata']['name']}-tls"}]
        assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
