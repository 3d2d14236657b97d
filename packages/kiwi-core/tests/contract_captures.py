"""Captures of the charts and of the image that the tenant of the contract's tests is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiwi_core._model.capture import (
    UNSAID,
    CapturedImage,
    ChartCapture,
    ClusterObject,
    HardCodedImage,
    Json,
    SchemaCapture,
    Subchart,
)
from kiwi_core._model.capture import Workload as Pods


def captured(name: str, values: Mapping[str, Json], **facts: object) -> ChartCapture:
    """Capture a chart of one Deployment, whose image and pods' annotations the root of the values chooses."""
    images = (CapturedImage(path="image", keys=("repository", "tag"), repository=f"upstream/{name}", tag=""),)
    pods = (Pods(kind="Deployment", file="templates/app.yaml", annotations="podAnnotations"),)
    common: Mapping[str, Json] = {
        "replicas": 1,
        "image": {"repository": f"upstream/{name}", "tag": ""},
        "podAnnotations": {},
    }
    known: dict[str, object] = {"images": images, "workloads": pods, "open": ("podAnnotations",), **facts}
    return ChartCapture(name=name, version="1.0.0", source="a test", values={**common, **values}, **known)  # type: ignore[arg-type]


SECTION: Final[Mapping[str, Json]] = {"enabled": False, "existingSecret": "", "secretKeys": {}, "values": {}}

APP_CHART: Final = captured(
    "app",
    {
        "web": {"enabled": True, "image": {"repository": "upstream/web", "tag": ""}, "podAnnotations": {}},
        "cache": {"enabled": True, "image": {"repository": "upstream/cache", "tag": "7"}, "persistence": {"size": ""}},
        "search": {"enabled": False},
        "sidecar": {"enabled": False, "image": {"repository": "upstream/sidecar", "tag": "latest"}},
        "auth": {"database": SECTION, "llm": SECTION, "smtp": SECTION},
        "config": {},
        "token": "",
        "rbac": {"create": False},
        "cleanup": {"enabled": False},
        "ingress": {"enabled": False, "host": "", "tls": []},
        "namespaceOverride": "",
        **{name: [] for name in ("extraEnvs", "extraContainers", "extraManifests")},
    },
    open=("podAnnotations", "web.podAnnotations", "config", "auth.database.secretKeys", "auth.smtp.secretKeys"),
    reads=("web.resources.limits.memory",),
    subcharts=(
        Subchart(name="redis", version="1.0.0", alias="cache", conditions=("cache.enabled",), captured=True),
        Subchart(name="search", version="2.0.0", conditions=("search.enabled",)),
    ),
    images=tuple(
        CapturedImage(path=path, keys=("repository", "tag"), repository=f"upstream/{name}", tag=tag)
        for path, name, tag in (
            ("image", "app", ""),
            ("web.image", "web", ""),
            ("cache.image", "cache", "7"),
            ("sidecar.image", "sidecar", "latest"),
        )
    ),
    hard_coded=(
        HardCodedImage(image="busybox:1.36", file="templates/cleanup.yaml", line=9, guards=("cleanup.enabled",)),
        HardCodedImage(image="curlimages/curl:8.10.1", file="templates/tests/test.yaml", line=14, hook="test"),
    ),
    cluster_objects=(
        ClusterObject(kind="ClusterRole", file="templates/rbac.yaml", guards=("rbac.create",)),
        ClusterObject(kind="Namespace", file="templates/sandbox.yaml", guards=("web.enabled", UNSAID)),
    ),
    workloads=(
        Pods(kind="Deployment", file="templates/app.yaml", annotations="podAnnotations"),
        Pods(kind="Deployment", file="templates/web.yaml", guards=("web.enabled",), annotations="web.podAnnotations"),
    ),
)
CHARTS: Final = {
    "app": APP_CHART,
    "worker": captured("worker", {"databaseHost": ""}),
    "db": captured("db", {"existingSecret": ""}),
}
HISTORY: Final = SchemaCapture(
    image="acme/app",
    source="a test",
    revisions={"a1": (), "b2": ("a1",), "c3": ("b2",), "x9": ("a1",)},
    tags={"v1.0.0": ("a1",), "v1.1.0": ("b2",), "v1.2.0": ("c3",), "v1.3.0": ("c3", "x9")},
    digests={"sha256:" + "1" * 64: "v1.0.0"},
)
