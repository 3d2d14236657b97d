"""Charts from a real registry, a classic repository and folders: had once, proven by digest, and never half."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import itertools
import shutil
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import attrs
import pytest
from kiwi_core import _engine as engine
from kiwi_core._compose.stack import Stack
from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.charts import Chart, Charts
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.web import Client
from kiwi_core._model.pins import ChartPin
from kiwi_core.errors import ExternalError, PinError
from testbed.registry import Registry
from trees import EXAMPLES, stub_chart

pytestmark = pytest.mark.real_server

NUMBERS = itertools.count(1)
NOWHERE = Registries(client=Client(attempts=1, timeout=1), mirrors={})
OTHER = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def stack() -> Stack:
    return engine.load(EXAMPLES / "cust-acme").stack


@attrs.frozen
class Pushed:
    """A chart in a registry.

    Attributes:
        pin: names it, without a digest.
        digest: of its manifest.
        archive: its file.
    """

    pin: ChartPin
    digest: str
    archive: Path


class Push(Protocol):
    """Pushes a version of a chart; another text makes another chart."""

    def __call__(self, version: str = ..., text: str = ...) -> Pushed: ...


@pytest.fixture
def push(registry: Registry, helm: Path, tmp_path: Path) -> Push:
    """Push versions of a chart with the real Helm."""
    place = f"charts{next(NUMBERS)}"

    def do(version: str = "1.0.0", text: str = "") -> Pushed:
        folder = tmp_path / f"push{next(NUMBERS)}"
        chart = stub_chart(folder / "app", name="app", version=version)
        (chart / "values.yaml").write_text(f"a: '{text}'\n", encoding="utf-8")
        subprocess.run([helm, "package", chart, "-d", folder], check=True, capture_output=True)
        archive = folder / f"app-{version}.tgz"
        target = f"oci://{registry.host}/{place}"
        subprocess.run([helm, "push", archive, target, "--plain-http"], check=True, capture_output=True)
        manifest = registry.get(f"/v2/{place}/app/manifests/{version.replace('+', '_')}")
        pin = ChartPin(registry=registry.host, repository=place, name="app", version=version)
        return Pushed(pin, f"sha256:{hashlib.sha256(manifest).hexdigest()}", archive)

    return do


def get(
    stack: Stack, pin: ChartPin, folder: Path, registries: Registries | None = None, *, refresh: bool = False
) -> Chart:
    """Have a chart fetched for the release ``hello``, whose pin is another one."""
    release = attrs.evolve(stack.by_name["hello"], own_chart=None, chart=pin)
    charts = Charts(cache=Cache(folder=folder / "cache"), registries=registries or Registries(), refresh=refresh)
    return charts.of(release, stack)


def test_a_chart_of_a_registry_is_had_once(stack: Stack, push: Push, tmp_path: Path) -> None:
    pushed = push("1.0.0+build.1")
    for pin in (pushed.pin, attrs.evolve(pushed.pin, digest=pushed.digest)):
        chart = get(stack, pin, tmp_path)
        assert chart.path().read_bytes() == pushed.archive.read_bytes()
        assert chart.digest == hashlib.sha256(pushed.archive.read_bytes()).hexdigest()
        again = get(stack, pin, tmp_path, attrs.evolve(NOWHERE, mirrors={pin.registry: "127.0.0.1:1"}))
        assert (again.digest, again.path().read_bytes()) == (chart.digest, pushed.archive.read_bytes())


def test_another_digest_than_the_pins_is_refused(stack: Stack, push: Push, tmp_path: Path) -> None:
    pushed = push()
    with pytest.raises(PinError) as raised:
        get(stack, attrs.evolve(pushed.pin, digest=OTHER), tmp_path)
    said = str(raised.value)
    assert f"chart hello of release hello: it is pinned as {OTHER}, and is {pushed.digest} where it comes from" in said
    assert "charts.yaml" in said
    assert not (tmp_path / "cache").exists()


def test_a_version_that_somebody_pushed_anew_is_seen_when_asked(stack: Stack, push: Push, tmp_path: Path) -> None:
    first = push(text="one")
    digest = get(stack, first.pin, tmp_path).digest
    pinned = attrs.evolve(first.pin, digest=first.digest)
    get(stack, pinned, tmp_path)
    push(text="two")
    assert get(stack, first.pin, tmp_path).digest == digest
    assert get(stack, first.pin, tmp_path, refresh=True).digest != digest
    assert get(stack, pinned, tmp_path).digest == digest
    with pytest.raises(PinError, match="is pinned as"):
        get(stack, pinned, tmp_path, refresh=True)


def test_a_damaged_chart_is_asked_for_again(stack: Stack, push: Push, tmp_path: Path) -> None:
    pushed = push()
    kept = get(stack, pushed.pin, tmp_path).path()
    kept.write_bytes(b"damaged")
    assert get(stack, pushed.pin, tmp_path).path().read_bytes() == pushed.archive.read_bytes()


def test_a_chart_that_cannot_be_had_says_which_and_why(
    stack: Stack, push: Push, registry: Registry, tmp_path: Path
) -> None:
    pushed = push()
    with pytest.raises(PinError, match=r"chart hello of release hello: .*:7\.0\.0 does not exist"):
        get(stack, attrs.evolve(pushed.pin, version="7.0.0"), tmp_path)
    with pytest.raises(ExternalError, match=r"chart hello of release hello: 127\.0\.0\.1:1 cannot be reached"):
        get(stack, pushed.pin, tmp_path, attrs.evolve(NOWHERE, mirrors={pushed.pin.registry: "127.0.0.1:1"}))
    name = f"images{next(NUMBERS)}"
    registry.push_image(f"{name}/app", "1.0.0")
    with pytest.raises(PinError, match="it is no Helm chart"):
        get(stack, attrs.evolve(pushed.pin, repository=name), tmp_path)


def test_a_damaged_blob_is_found_out(stack: Stack, push: Push, registry: Registry, tmp_path: Path) -> None:
    pushed = push(text="to be damaged")
    blob = registry.blob(f"sha256:{hashlib.sha256(pushed.archive.read_bytes()).hexdigest()}")
    data = bytearray(blob.read_bytes())
    data[40] ^= 1
    blob.write_bytes(bytes(data))
    with pytest.raises(ExternalError, match="damaged"):
        get(stack, pushed.pin, tmp_path)


@contextlib.contextmanager
def served(folder: Path) -> Generator[str]:
    """Serve a folder over HTTP; yield its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_chart_of_a_classic_repository_is_had_by_its_index(stack: Stack, helm: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for version in ("1.0.0", "v1.1.0"):
        chart = stub_chart(tmp_path / version / "app", name="app", version=version)
        subprocess.run([helm, "package", chart, "-d", site / "stable" / "files"], check=True, capture_output=True)
    subprocess.run([helm, "repo", "index", site / "stable"], check=True, capture_output=True)
    archive = (site / "stable" / "files" / "app-1.0.0.tgz").read_bytes()
    with served(site) as address:
        pin = ChartPin(registry=address, repository="stable", name="app", version="1.0.0")
        assert get(stack, pin, tmp_path).path().read_bytes() == archive
        assert get(stack, attrs.evolve(pin, version="1.1.0"), tmp_path).title == "app 1.1.0"
        own = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        assert get(stack, attrs.evolve(pin, digest=own), tmp_path).digest == own[7:]
        with pytest.raises(PinError, match="it is pinned as"):
            get(stack, attrs.evolve(pin, digest=OTHER), tmp_path)
        with pytest.raises(PinError, match=r"no chart 'app' of version 9\.9\.9"):
            get(stack, attrs.evolve(pin, version="9.9.9"), tmp_path)
        with pytest.raises(ExternalError, match="404"):
            get(stack, attrs.evolve(pin, repository="nowhere"), tmp_path)
        shutil.copy(site / "stable" / "files" / "app-v1.1.0.tgz", site / "stable" / "files" / "app-1.0.0.tgz")
        with pytest.raises(ExternalError, match=r"its index says sha256:.*, and sha256:.* came"):
            get(stack, pin, tmp_path / "anew")
    assert get(stack, pin, tmp_path, NOWHERE).path().read_bytes() == archive
