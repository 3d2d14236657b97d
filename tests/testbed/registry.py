"""A real registry for the tests: Debian's ``docker-registry`` on a port of this machine, and what is pushed to it.

It is taken from ``PATH``; where it is not there and the tests run as root on Debian or Ubuntu, it is installed.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import attrs
from testbed.tools import ToolError, lock

__all__ = ["USER", "Registry", "find_program", "serve"]

PROGRAM = "docker-registry"
OCI = "application/vnd.oci.image"
USER = ("kiwi", "let me in")
"""Who may in where a login is asked for."""
HTPASSWD = "kiwi:$2b$05$abcdefghijklmnopqrstuu4h2R.N3/mVBA7Xh7aLzKSJDAsK61n52\n"
PATIENCE = 30.0
"""Seconds for the registry to start, and to end."""


@attrs.frozen(kw_only=True)
class Registry:
    """A registry that runs.

    Attributes:
        host: ``127.0.0.1:<port>``.
        data: the folder in which it keeps what was pushed.
    """

    host: str
    data: Path
    _headers: Mapping[str, str] = attrs.field(factory=dict[str, str], alias="headers", repr=False)

    def push_image(self, repository: str, *tags: str, platform: str = "linux/amd64", text: str = "") -> str:
        """Push an image of one platform; return its digest. Another text makes another image."""
        system, architecture = platform.split("/")
        config: dict[str, object] = {"os": system, "architecture": architecture, "x": text}
        manifest: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self._push_blob(repository, f"{OCI}.config.v1+json", json.dumps(config).encode()),
            "layers": [],
        }
        return self._push_manifest(repository, tags, manifest)

    def push_layers(
        self, repository: str, *tags: str, layers: Sequence[Mapping[str, bytes]], packed: bool = True
    ) -> str:
        """Push an image of layers with these files, the lowest first; return its digest."""
        blobs = [_tar(files) for files in layers]
        config = {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in blobs]},
        }
        kind = f"{OCI}.layer.v1.tar+gzip" if packed else f"{OCI}.layer.v1.tar"
        manifest: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self._push_blob(repository, f"{OCI}.config.v1+json", json.dumps(config).encode()),
            "layers": [
                self._push_blob(repository, kind, gzip.compress(blob, mtime=0) if packed else blob) for blob in blobs
            ],
        }
        return self._push_manifest(repository, tags, manifest)

    def push_index(self, repository: str, *tags: str, platforms: Sequence[str]) -> str:
        """Push an index of one image for each platform; return its digest."""
        manifests: list[object] = []
        for platform in platforms:
            digest = self.push_image(repository, platform=platform)
            system, architecture = platform.split("/")
            described = {"os": system, "architecture": architecture}
            size = len(self.get(f"/v2/{repository}/manifests/{digest}"))
            kind = f"{OCI}.manifest.v1+json"
            manifests.append({"mediaType": kind, "digest": digest, "size": size, "platform": described})
        index: dict[str, object] = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}
        return self._push_manifest(repository, tags, index)

    def blob(self, digest: str) -> Path:
        """Return the file in which a blob is kept, so that it can be damaged."""
        name = digest.removeprefix("sha256:")
        return self.data / "docker" / "registry" / "v2" / "blobs" / "sha256" / name[:2] / name / "data"

    def get(self, path: str) -> bytes:
        """Ask for a path, with every kind of manifest welcome."""
        return self._ask("GET", path, headers={"Accept": f"{OCI}.manifest.v1+json, {OCI}.index.v1+json"})[0]

    def _push_manifest(self, repository: str, tags: Sequence[str], manifest: Mapping[str, object]) -> str:
        data = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        for reference in tags or (digest,):
            path = f"/v2/{repository}/manifests/{reference}"
            self._ask("PUT", path, data, {"Content-Type": str(manifest["mediaType"])})
        return digest

    def _push_blob(self, repository: str, kind: str, data: bytes) -> Mapping[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        _, headers = self._ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
        place = headers["location"]
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}".removeprefix(f"http://{self.host}")
        self._ask("PUT", joined, data, {"Content-Type": "application/octet-stream"})
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _ask(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        everything = {**self._headers, **(headers or {})}
        request = urllib.request.Request(f"http://{self.host}{path}", data, everything, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            return response.read(), {name.lower(): value for name, value in response.headers.items()}


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Pack files; a path that starts with ``.wh.`` in its last part takes away what lies below."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return archive.getvalue()


def find_program() -> str:
    """Find the registry's program, or install it.

    Raises:
        ToolError: it is not here, and cannot be installed.
    """
    if found := shutil.which(PROGRAM):
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise ToolError(f"there is no {PROGRAM}: apt-get install {PROGRAM}, as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with lock():
        if found := shutil.which(PROGRAM):
            return found  # another process installed it while this one waited
        for words in (("update",), ("install", "--yes", "--no-install-recommends", PROGRAM)):
            done = subprocess.run([apt, *words], env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}")
    return shutil.which(PROGRAM) or f"/usr/bin/{PROGRAM}"


@contextlib.contextmanager
def serve(folder: Path, *, login: bool = False) -> Generator[Registry]:
    """Run a registry on a port that the system chooses; it ends with the block, however that ends.

    Args:
        folder: an empty one, for its files.
        login: whether it asks who is there; see ``USER``.

    Raises:
        ToolError: it cannot be had, or does not start.
    """
    program = find_program()
    (folder / "htpasswd").write_text(HTPASSWD, encoding="utf-8")
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0"},
    }
    if login:
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], env=environment, stderr=log)
        try:
            host = _address(process, folder / "log")
            yield Registry(host=host, data=folder / "data", headers=_basic() if login else {})
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the log says where the registry listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.02)
    raise ToolError(f"{PROGRAM} did not start: {log.read_text(encoding='utf-8')[-500:]}")


def _basic() -> Mapping[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(':'.join(USER).encode()).decode()}"}
