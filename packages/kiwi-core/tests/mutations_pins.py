"""The table of mutations: versions and images (c)."""

from __future__ import annotations

from collections.abc import Sequence

from contract_changes import (
    Row,
    both,
    capture,
    chart,
    config,
    declared,
    evidence,
    hook,
    image,
    manifest,
    overlay,
    row,
    uncaptured,
    values,
)
from contract_stack import DIGEST, TOGETHER, commit, pin_texts
from kiwi_core import (
    Lane,
    Pin,
    Value,
    text,
)
from kiwi_core._model.capture import CapturedImage, HardCodedImage

SHA = "@" + DIGEST
APP_TAG, WEB_NAME = Pin("app", "tag"), Pin("web", "name")
CONTAINER: Value = {"name": "x", "image": "busybox"}
ROWS: Sequence[Row] = (
    row("c", "tag-literal", values("app", {"image": {"tag": "v1.2.0"}}), "release app: image.tag", "'v1.2.0'"),
    row("c", "tag-a-number", values("app", {"image": {"tag": 16}}), "image.tag is the literal '16'"),
    row("c", "tag-a-decimal", values("app", {"image": {"tag": 1.27}}), "image.tag is the literal '1.27'"),
    row("c", "tag-latest", values("app", {"image": {"tag": "latest"}}), "'latest'"),
    row("c", "tag-in-a-part-that-is-off", values("app", {"sidecar": {"image": {"tag": "1"}}}), "sidecar.image.tag"),
    row("c", "tag-under-another-name", config("v1", "imageTag"), "config.imageTag"),
    row("c", "tag-of-an-image-in-a-setting", config("v1", "SANDBOX_IMAGE_TAG"), "config.SANDBOX_IMAGE_TAG"),
    row("c", "tag-without-a-capture", both(uncaptured("app"), config("v1", "tag")), "config.tag"),
    row("c", "tag-by-the-customer", overlay("app", {"image": {"tag": "v9"}}), "overlays/app.yaml:7", "image.tag"),
    row("c", "tag-by-the-lane", overlay("app", {"image": {"tag": "v9"}}, "lane dev"), "overlays/app.yaml:7"),
    row("c", "digest-literal", values("app", {"image": {"digest": DIGEST}}), "image.digest"),
    row(
        "c",
        "version-of-all",
        values("app", {"global": {"version": "v4.6.1"}}),
        "global.version",
    ),
    row(
        "c",
        "version-latest",
        values("app", {"global": {"version": "latest"}}),
        "global.version is the literal 'latest'",
    ),
    row(
        "c",
        "version-beside-an-image",
        values("app", {"config": {"repository": "x", "version": "1.2.3"}}),
        "config.version",
    ),
    row("c", "image-literal", config("acme/sandbox:v1", "SANDBOX_IMAGE"), "config.SANDBOX_IMAGE"),
    row("c", "image-by-digest", config("acme/sandbox" + SHA, "ANYTHING"), "config.ANYTHING"),
    row("c", "image-by-its-registry", config("ghcr.io/acme/sandbox:1.2", "ANYTHING"), "config.ANYTHING"),
    row(
        "c",
        "image-in-env",
        values("app", {"extraEnvs": [{"name": "SANDBOX_IMAGE", "value": "acme/x:1"}]}),
        "extraEnvs[0].value",
    ),
    row("c", "image-in-an-argument", config("--sandbox-image=acme/x:1", "args"), "config.args"),
    row(
        "c",
        "image-in-a-container",
        values("app", {"extraContainers": [{"name": "x", "image": "busybox:1.36"}]}),
        "extraContainers[0].image",
    ),
    row(
        "c",
        "image-without-a-tag-in-a-container",
        values("app", {"extraContainers": [CONTAINER]}),
        "extraContainers[0].image",
    ),
    row(
        "c",
        "image-in-a-container-of-the-customer",
        overlay("app", {"extraContainers": [CONTAINER]}),
        "overlays/app.yaml:7",
    ),
    row(
        "c",
        "image-in-a-manifest",
        manifest("Pod", spec={"containers": [{"name": "x", "image": "busybox:1"}]}),
        "spec.containers[0].image",
    ),
    row(
        "c",
        "image-in-a-manifest-as-text",
        config("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: busybox:1\n"),
        "config.SETTING",
    ),
    row(
        "c",
        "image-with-a-version-of-its-own",
        values("app", {"image": {"tag": text("{n}:v9", n=Pin("app", "name"))}}),
        "image.tag is the literal '…:v9'",
    ),
    row("c", "image-in-a-hook", hook("pre", env={"IMAGE": "acme/x:1"}), "release app-pre", "'acme/x:1'"),
    row(
        "c",
        "image-left-at-its-default",
        values("app", {"web": {"image": {"tag": None}}}),
        "release app: image web.image is left",
        "upstream/web:",
    ),
    row(
        "c",
        "image-with-its-name-for-a-tag",
        values("app", {"image": {"tag": Pin("app", "name")}}),
        "image image is left",
    ),
    row("c", "image-with-a-pinned-name-only", values("app", {"image": {"tag": ""}}), "image image is left"),
    row(
        "c",
        "image-of-a-subchart-that-is-on",
        values("app", {"cache": {"enabled": True}}),
        "image cache.image is left",
        "upstream/cache:7",
    ),
    row(
        "c",
        "image-of-a-subchart-whose-switch-is-gone",
        values("app", {"cache": {"enabled": None}}),
        "image cache.image",
    ),
    row(
        "c", "image-of-a-part-that-is-on", overlay("app", {"sidecar": {"enabled": True}}), "image sidecar.image is left"
    ),
    row("c", "image-of-a-part-off-as-a-text", values("app", {"sidecar": {"enabled": "false"}}), "image sidecar.image"),
    row(
        "c",
        "image-of-two-pins",
        values("app", {"image": {"repository": WEB_NAME}}),
        "image image is put together",
        "app, web",
    ),
    row(
        "c",
        "image-with-a-literal-name",
        values("app", {"image": {"repository": "evil/app"}}),
        "image image takes its tag",
        "'evil/app'",
    ),
    row(
        "c",
        "image-at-the-root",
        capture("db", images=(CapturedImage(path="", keys=("image",), repository="x"),)),
        "release db: image image is left",
    ),
    row(
        "c",
        "image-hard-coded",
        values("app", {"cleanup": {"enabled": True}}),
        "release app",
        "busybox:1.36 (templates/cleanup.yaml:9)",
    ),
    row("c", "image-hard-coded-for-the-customer", overlay("app", {"cleanup": {"enabled": True}}), "busybox:1.36"),
    row(
        "c",
        "image-hard-coded-always",
        capture("db", hard_coded=(HardCodedImage(image="x:1", file="t", line=3),)),
        "release db",
        "x:1 (t:3)",
    ),
    row(
        "c",
        "image-hard-coded-in-a-hook",
        capture("db", hard_coded=(HardCodedImage(image="x:1", file="t", line=3, hook="pre-delete"),)),
        "x:1 (t:3)",
    ),
    row(
        "c",
        "image-hard-coded-and-another-declared",
        both(declared("app", unpinned={"busybox:1.35": "old"}), values("app", {"cleanup": {"enabled": True}})),
        "busybox:1.36",
    ),
    row(
        "c",
        "latest-in-dogfood",
        image("app", tag="latest"),
        "image app: images.yaml:7",
        "docker.io/acme/app:latest floats",
        lane=Lane.DOGFOOD,
    ),
    row(
        "c",
        "latest-by-digest-in-dogfood",
        image("app", tag="latest" + SHA),
        "image app",
        ":latest floats",
        lane=Lane.DOGFOOD,
    ),
    row(
        "c",
        "no-digest-in-dogfood",
        image("web", tag="v1.2.0"),
        "image web: images.yaml:7",
        "no digest",
        lane=Lane.DOGFOOD,
    ),
    row("c", "no-digest-in-stable", image("web", tag="v1.2.0"), "image web", "lane stable", lane=Lane.STABLE),
    row("c", "no-digest-of-a-hooks-image", image("tools", tag="v1.2.0"), "image tools", "no digest", lane=Lane.DOGFOOD),
    row(
        "c",
        "local-chart-in-dogfood",
        chart("app", path="../app"),
        "chart app: charts.yaml:7",
        "'../app'",
        lane=Lane.DOGFOOD,
    ),
    row("c", "local-chart-in-stable", chart("db", path="../db"), "chart db", "lane stable", lane=Lane.STABLE),
    row(
        "c",
        "chart-moved-alone",
        evidence(history=(commit(pin_texts("0.9.0"), pin_texts()),)),
        "commit 0123456789ab",
        "charts of app (app)",
    ),
    row(
        "c",
        "image-moved-alone",
        evidence(history=(TOGETHER, commit(pin_texts(image="v1"), pin_texts()))),
        "images of app (app)",
    ),
)
