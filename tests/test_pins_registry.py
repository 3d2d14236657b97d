"""``kiwistack pins`` and a real registry: what was pushed there, by Helm too, is found and pinned."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import itertools
import json
import subprocess
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from kiwi_core.cli import main
from pin_repos import Customer, git
from testbed.registry import USER, Registry
from trees import stub_chart

pytestmark = pytest.mark.real_server

NUMBERS = itertools.count(1)
BOTH = ("linux/amd64", "linux/arm64")
IMAGES = {
    "kiwiHooks": ("kiwi-hooks", "0.1.0"),
    "onyxBackend": ("onyxdotapp/onyx-backend", "v4.6.1"),
    "onyxModelServer": ("onyxdotapp/onyx-model-server", "v4.6.1"),
    "onyxWebServer": ("onyxdotapp/onyx-web-server", "v4.6.1"),
    "opensearch": ("opensearchproject/opensearch", "3.6.0"),
    "redis": ("library/redis", "7.4.1"),
}
CHARTS = {
    "dev": {"onyx": ("onyx-dot-app/charts", "0.8.19")},
    "dogfood": {
        "onyx": ("onyx-dot-app/charts", "0.8.19"),
        "kiwi-foundation": ("charts", "0.1.0"),
        "kiwi-hooks": ("charts", "0.1.0"),
        "kiwi-namespace": ("charts", "0.1.0"),
        "onyx-redis": ("charts", "0.1.0"),
    },
}
OTHER = "sha256:" + "0" * 64


@attrs.frozen(kw_only=True)
class World:
    """A customer, and a part of the registry that mirrors the registries that its pins name."""

    customer: Customer
    registry: Registry
    prefix: str

    def push(self, image: str, platforms: Sequence[str] = BOTH, *, tag: str | None = None) -> str:
        """Push what an image pin names; return its digest."""
        repository, version = IMAGES[image]
        return self.registry.push_index(f"{self.prefix}/{repository}", tag or version, platforms=platforms)

    @property
    def mirrors(self) -> list[str]:
        """The options that name the mirrors."""
        names = ("docker.io", "ghcr.io", "registry.kiwistack.example")
        return [word for name in names for word in ("--mirror", f"{name}={self.registry.host}/{self.prefix}")]

    def pins(self, command: str, *words: str) -> int:
        """Run a command of ``kiwistack pins``."""
        return main(["pins", command, str(self.customer.root), *self.mirrors, *words])


@pytest.fixture
def world(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return World(customer=Customer.make(tmp_path, monkeypatch), registry=registry, prefix=f"hub{next(NUMBERS)}")


def push_charts(helm: Path, world: World, folder: Path, name: str, repository: str, *versions: str) -> str:
    """Push versions of a chart, with the real Helm; return the digest of the last."""
    for version in versions:
        chart = stub_chart(folder / f"{name}-{version}" / name, name=name, version=version)
        subprocess.run([helm, "package", chart, "-d", folder], check=True, capture_output=True)
        target = f"oci://{world.registry.host}/{world.prefix}/{repository}"
        packed = folder / f"{name}-{version}.tgz"
        subprocess.run([helm, "push", packed, target, "--plain-http"], check=True, capture_output=True)
    tag = versions[-1].replace("+", "_")
    manifest = world.registry.get(f"/v2/{world.prefix}/{repository}/{name}/manifests/{tag}")
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def push_onyx(helm: Path, world: World, folder: Path, *versions: str) -> None:
    """Push versions of the chart that the pin ``onyx`` names."""
    push_charts(helm, world, folder, "onyx", "onyx-dot-app/charts", *versions)


def push_all(helm: Path, world: World, folder: Path, lane: str) -> tuple[dict[str, str], dict[str, str]]:
    """Push all images and charts that run; return their digests."""
    images = {name: world.push(name) for name in IMAGES}
    charts = {name: push_charts(helm, world, folder, name, *place) for name, place in CHARTS[lane].items()}
    return images, charts


@pytest.mark.parametrize("lane", ["dev", "dogfood"])
def test_lock_pins_what_runs_by_digest_in_one_commit(
    lane: str, world: World, helm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image_digests, chart_digests = push_all(helm, world, tmp_path, lane)
    number = len(image_digests) + len(chart_digests)
    words = (
        f"Lock {number} pins of lane {lane}",
        f"environments/{lane}/charts.yaml",
        f"environments/{lane}/images.yaml",
    )
    images, charts = (world.customer.file(what, lane).read_text() for what in ("images", "charts"))
    assert world.pins("lock", "--lane", lane) == 0
    assert "committed as" in capsys.readouterr().out
    for name, digest in image_digests.items():
        version = IMAGES[name][1]
        assert world.customer.tag(name, lane) == f"{version}@{digest}"
        images = images.replace(
            f'{IMAGES[name][0]}"\n    tag: "{version}"', f'{IMAGES[name][0]}"\n    tag: "{version}@{digest}"'
        )
    assert world.customer.file("images", lane).read_text() == images
    for name, digest in chart_digests.items():
        line = f'    name: "{name}"\n    version: "{CHARTS[lane][name][1]}"\n'
        charts = charts.replace(line, f'{line}    digest: "{digest}"\n')
    assert world.customer.file("charts", lane).read_text() == charts
    assert git(world.customer.template, "show", "--format=%s", "--name-only").split("\n") == [words[0], "", *words[1:]]
    assert git(world.customer.template, "status", "--porcelain") == ""
    state = world.customer.state()
    assert world.pins("lock", "--lane", lane) == 0
    assert "0 pins were asked for" in capsys.readouterr().out
    assert world.pins("lock", "--lane", lane, "--all") == 0
    assert f"{number} pins were asked for, {number} are as their registries have them" in capsys.readouterr().out
    assert world.customer.state() == state


def test_after_a_lock_the_contract_misses_no_digest(
    world: World, helm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(world.customer.root)
    main(["check", root, "--lane", "dogfood", "--verbose"])
    assert "has no digest" in capsys.readouterr().out
    push_all(helm, world, tmp_path, "dogfood")
    assert world.pins("lock", "--lane", "dogfood") == 0
    capsys.readouterr()
    main(["check", root, "--lane", "dogfood", "--verbose"])
    shown = capsys.readouterr().out
    assert "6 images are pinned by digest" in shown
    assert "has no digest" not in shown


def test_only_the_pins_that_are_named_are_locked(world: World) -> None:
    digest = world.push("redis")
    assert world.pins("lock", "--image", "redis") == 0
    assert world.customer.tag("redis") == f"7.4.1@{digest}"
    assert world.customer.tag("onyxBackend") == "v4.6.1"


def test_an_image_without_an_index_is_pinned_by_its_manifest(world: World) -> None:
    digest = world.registry.push_image(f"{world.prefix}/library/redis", "7.4.1")
    assert world.pins("lock", "--image", "redis") == 0
    assert world.customer.tag("redis") == f"7.4.1@{digest}"


def test_the_mirrors_of_kiwi_toml_are_asked(world: World) -> None:
    digest = world.push("redis")
    settings = world.customer.root / "kiwi.toml"
    mirror = f'\n[mirrors]\n"docker.io" = "{world.registry.host}/{world.prefix}"\n'
    settings.write_text(settings.read_text() + mirror, encoding="utf-8")
    assert main(["pins", "lock", str(world.customer.root), "--image", "redis"]) == 0
    assert world.customer.tag("redis") == f"7.4.1@{digest}"
    assert 'registry: "docker.io"' in world.customer.file("images").read_text()


def test_all_that_is_wrong_is_told_at_once_and_nothing_changes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push("onyxBackend", ["linux/arm64"])
    world.registry.push_image(f"{world.prefix}/onyxdotapp/onyx-web-server", "v4.6.1", platform="linux/arm64")
    world.push("opensearch", tag="3.6.1")
    world.push("redis")
    world.push("kiwiHooks")
    before = world.customer.state()
    names = [word for name in IMAGES for word in ("--image", name)]
    assert world.pins("lock", *names) == 2
    assert world.customer.state() == before
    said = capsys.readouterr().err
    assert "onyx-backend:v4.6.1 is not there for linux/amd64: it is for linux/arm64" in said
    assert "onyx-web-server:v4.6.1 is not there for linux/amd64: it is for linux/arm64" in said
    assert f"{world.registry.host}/{world.prefix}/opensearchproject/opensearch:3.6.0 does not exist" in said
    assert f"{world.registry.host}/{world.prefix}/onyxdotapp/onyx-model-server:v4.6.1 does not exist" in said
    assert "images.yaml:29: images.redis.tag" not in said
    assert "4 problems" in said


def test_a_moved_tag_is_an_error_until_somebody_takes_the_new_one(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push("redis")
    assert world.pins("lock", "--image", "redis") == 0
    moved = world.push("redis", [*BOTH, "linux/s390x"])
    before = world.customer.state()
    assert world.pins("lock", "--image", "redis") == 2
    assert world.customer.state() == before
    said = capsys.readouterr().err
    assert f"is {moved} in its registry" in said
    assert world.pins("lock", "--image", "redis", "--repin") == 0
    assert world.customer.tag("redis") == f"7.4.1@{moved}"


def test_a_pin_of_one_part_of_an_index_is_right_for_our_platform_only(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push("redis")
    index = json.loads(world.registry.get(f"/v2/{world.prefix}/library/redis/manifests/7.4.1"))
    ours, theirs = (part["digest"] for part in index["manifests"])
    world.customer.edit("images", "7.4.1", f"7.4.1@{ours}")
    assert world.pins("lock", "--image", "redis") == 0
    assert world.customer.tag("redis") == f"7.4.1@{ours}"
    world.customer.edit("images", ours, theirs)
    assert world.pins("lock", "--image", "redis") == 2
    assert f"is pinned as {theirs}" in capsys.readouterr().err


def test_an_image_is_no_chart_and_a_chart_no_image(
    world: World, helm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push_onyx(helm, world, tmp_path, "0.8.19")
    world.customer.edit("images", "onyxdotapp/onyx-backend", "onyx-dot-app/charts/onyx")
    world.customer.edit("images", '"v4.6.1"', '"0.8.19"')
    assert world.pins("lock", "--image", "onyxBackend") == 2
    assert "is a Helm chart, expected an image" in capsys.readouterr().err
    world.registry.push_image(f"{world.prefix}/onyx-dot-app/charts/onyx", "0.8.19")
    assert world.pins("lock", "--chart", "onyx") == 2
    assert "is no Helm chart" in capsys.readouterr().err


@pytest.fixture
def closed(closed_registry: Registry, world: World) -> World:
    return attrs.evolve(world, registry=closed_registry)


def test_a_registry_that_asks_who_is_there_is_told_what_docker_login_left(
    closed: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = closed.push("redis")
    before = closed.customer.state()
    assert closed.pins("lock", "--image", "redis") == 3
    assert f"docker login {closed.registry.host}" in capsys.readouterr().err
    wrong = base64.b64encode(b"kiwi:a wrong password").decode()
    right = base64.b64encode(":".join(USER).encode()).decode()
    for auth, code in ((wrong, 3), (right, 0)):
        config = {"auths": {closed.registry.host: {"auth": auth}}, "credsStore": "a-program-that-is-not-run"}
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert (closed.customer.state() == before, closed.pins("lock", "--image", "redis")) == (True, code)
        said = capsys.readouterr()
        for secret in ("a wrong password", USER[1], auth):
            assert secret not in said.out + said.err
    assert closed.customer.tag("redis") == f"7.4.1@{digest}"


def test_a_bump_to_a_version_that_does_not_exist_is_refused_where_the_registry_is_asked(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = world.push("redis", tag="7.4.2")
    before = world.customer.state()
    assert world.pins("bump", "--check-registry", "--image", "redis=7.4.3") == 2
    assert "library/redis:7.4.3" in capsys.readouterr().err
    assert world.pins("bump", "--check-registry", "--image", f"redis=7.4.2@{OTHER}") == 2
    assert f"is {digest} in its registry" in capsys.readouterr().err
    assert world.customer.state() == before
    assert world.pins("bump", "--check-registry", "--image", "redis=7.4.2") == 0
    assert world.customer.tag("redis") == "7.4.2"


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so, and takes Any
        pass


@pytest.fixture
def classic(helm: Path, tmp_path: Path) -> Generator[str]:
    """A classic Helm repository: what ``helm repo index`` wrote, served from this machine."""
    folder = tmp_path / "classic"
    for version in ("3.5.0", "3.6.0", "3.6.1", "3.7.0-rc.1", "4.0.0"):
        chart = stub_chart(tmp_path / version / "opensearch", name="opensearch", version=version)
        subprocess.run([helm, "package", chart, "-d", folder], check=True, capture_output=True)
    subprocess.run([helm, "repo", "index", folder], check=True, capture_output=True)
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_outdated_lists_the_newer_versions_of_every_kind_of_pin(
    world: World, helm: Path, classic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in IMAGES:
        world.push(name)
    for tag in ("7.4.0", "7.4.2", "7.4.10", "8.0.0", "8", "8.0", "7.4.2-alpine", "9.0.0-rc1", "latest"):
        world.push("redis", tag=tag)
    push_onyx(helm, world, tmp_path, "0.8.19", "0.8.20", "0.9.0-beta.1", "0.10.0+build.5", "0.8.2")
    world.customer.edit("charts", 'https://opensearch-project.github.io"\n    repository: "helm-charts"', f'{classic}"')
    before = world.customer.state()
    assert world.pins("outdated", "--json") == 0
    rows = {(row["kind"], row["name"]): row["newer"] for row in json.loads(capsys.readouterr().out)}
    assert rows == {
        ("charts", "onyx"): ["0.8.20", "0.10.0+build.5"],
        ("charts", "opensearch"): ["3.6.1", "4.0.0"],
        **{("images", name): [] for name in IMAGES},
        ("images", "redis"): ["7.4.2", "7.4.10", "8.0.0"],
    }
    assert world.pins("outdated") == 0
    shown = capsys.readouterr().out
    assert "image redis: 7.4.1 → 8.0.0 (between: 7.4.2, 7.4.10)" in shown
    assert "8 pins: 5 are the newest of their form" in shown
    assert world.customer.state() == before


def test_a_registry_that_fails_hides_no_other_from_outdated(
    world: World, classic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in IMAGES:
        if name != "onyxWebServer":
            world.push(name)
    world.push("redis", tag="7.4.2")
    world.customer.edit("charts", 'https://opensearch-project.github.io"\n    repository: "helm-charts"', f'{classic}"')
    assert world.pins("outdated") == 2
    said = capsys.readouterr()
    assert "image redis: 7.4.1 → 7.4.2" in said.out
    assert f"{world.prefix}/onyxdotapp/onyx-web-server does not exist" in said.err
    assert f"{world.prefix}/onyx-dot-app/charts/onyx does not exist" in said.err
