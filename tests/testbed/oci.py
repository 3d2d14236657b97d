"""Container images made without a container engine: layers as tar archives, and around them what OCI asks for.

What slowly becomes a layer is kept in the testbed, under a key of all that went in. The same files always give the same
layer (sorted, without owners, of one time), and so the same image with the same digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import attrs
from testbed.tools import ToolError, home, lock

__all__ = ["EPOCH", "REGISTRY", "Image", "Layer", "files_layer", "key_of", "make_layer", "pack"]

REGISTRY = "registry.local"
"""Where the images seem to come from; there is no such host, so one that was not imported cannot be pulled either."""
EPOCH = 1767225600
"""The time of every file, in seconds since 1970: the first of January 2026."""
OCI = "application/vnd.oci.image"
NAME = "io.containerd.image.name"
"""The annotation by which containerd names what it imports."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}


@attrs.frozen(kw_only=True)
class Layer:
    """A part of a file system.

    Attributes:
        path: its tar archive, not packed.
        digest: ``sha256:<hex>`` of that.
    """

    path: Path
    digest: str


@attrs.frozen(kw_only=True)
class Image:
    """An image of one platform, that of this machine.

    Attributes:
        name: without registry and tag.
        tag: so that people know it; pods should rather go by its digest.
        layers: the lowest first.
        entrypoint: what a container runs.
        command: the arguments, unless a pod gives others.
        environment: beyond ``PATH``, or instead of it.
        user: a number: Pod Security wants to see that it is not root.
        folder: where a container starts.
    """

    name: str
    tag: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    user: str = "65532:65532"
    folder: str = "/"

    @property
    def tagged(self) -> str:
        """How a pod names it, e.g. ``registry.local/base:1``."""
        return f"{REGISTRY}/{self.name}:{self.tag}"

    @property
    def reference(self) -> str:
        """How a pod names this very image, e.g. ``registry.local/base:1@sha256:…``."""
        return f"{self.tagged}@{self.digest}"

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of its manifest."""
        return _digest(self._manifest())

    def write(self, output: IO[bytes]) -> None:
        """Write it as an archive of OCI's layout, which ``ctr images import``, ``podman load`` and others read."""
        manifest, config = self._manifest(), self._config()
        described = {"mediaType": f"{OCI}.manifest.v1+json", "digest": self.digest, "size": len(manifest)}
        names = (self.tagged, f"{REGISTRY}/{self.name}@{self.digest}")  # containerd looks a digest up by such a name
        annotated = [{**described, "annotations": {NAME: name}} for name in names]
        with tarfile.open(fileobj=output, mode="w|") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            _add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": annotated}).encode())
            for blob in (manifest, config):
                _add(archive, _blob(_digest(blob)), blob)
            for layer in {layer.digest: layer for layer in self.layers}.values():
                info = tarfile.TarInfo(_blob(layer.digest))
                info.size = layer.path.stat().st_size
                with layer.path.open("rb") as file:
                    archive.addfile(info, file)

    def save(self, path: Path) -> None:
        """Write the archive to a file."""
        with path.open("wb") as file:
            self.write(file)

    def _manifest(self) -> bytes:
        config = self._config()
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": f"{OCI}.config.v1+json", "digest": _digest(config), "size": len(config)},
            "layers": [
                {"mediaType": f"{OCI}.layer.v1.tar", "digest": layer.digest, "size": layer.path.stat().st_size}
                for layer in self.layers
            ],
        }
        return json.dumps(manifest).encode()

    def _config(self) -> bytes:
        config = {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "Env": [f"{name}={value}" for name, value in {"PATH": PATH, **self.environment}.items()],
                "Entrypoint": list(self.entrypoint),
                "Cmd": list(self.command),
                "User": self.user,
                "WorkingDir": self.folder,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
        }
        return json.dumps(config).encode()


def key_of(*inputs: object) -> str:
    """A key for what goes into a layer: of a path its bytes count, of anything else its ``repr``."""
    digest = hashlib.sha256()
    for value in inputs:
        part = value.read_bytes() if isinstance(value, Path) else repr(value).encode()
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


def make_layer(key: str, make: Callable[[Path], None]) -> Layer:
    """Take a layer from the testbed, or make it.

    Args:
        key: what it is kept under; see ``key_of``.
        make: writes the archive to a path that it is given.

    Raises:
        ToolError: it could not be made.
    """
    folder = home() / "images"
    if found := _kept(folder, key):
        return found
    with lock():
        if found := _kept(folder, key):
            return found  # another process made it while this one waited
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as build:
            archive = Path(build) / "layer.tar"
            make(archive)
            with archive.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            archive.replace(folder / f"{key}-{digest}.tar")
    found = _kept(folder, key)
    if found is None:
        raise ToolError(f"{folder} lost the layer {key}")
    return found


def files_layer(files: Mapping[str, Path | bytes], *, programs: Sequence[str] = ()) -> Layer:
    """Make a layer of files and folders.

    Args:
        files: what each path in the image holds: bytes, a file, or a folder with all that is in it.
        programs: which of the paths are to be executable, beside the files that are.
    """
    inputs = [(target, _state(source)) for target, source in sorted(files.items())]

    def make(archive: Path) -> None:
        with tempfile.TemporaryDirectory(dir=archive.parent) as root:
            for target, source in files.items():
                place = Path(root, target.lstrip("/"))
                place.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(source, bytes):
                    place.write_bytes(source)
                elif source.is_dir():
                    shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
                else:
                    shutil.copy(source, place)
                if target in programs:
                    place.chmod(0o755)
            pack(Path(root), archive)

    return make_layer(key_of(inputs, sorted(programs)), make)


def pack(root: Path, archive: Path) -> None:
    """Pack all that is under a folder, in order, as files of root that everybody may read."""
    with tarfile.open(archive, "w") as tar:
        for path in sorted(root.rglob("*")):
            info = tar.gettarinfo(path, str(path.relative_to(root)))
            if info.islnk():  # a hard link to a file that may stand elsewhere
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
            executable = info.isdir() or info.mode & stat.S_IXUSR
            info.mode = 0o777 if info.issym() else 0o755 if executable else 0o644
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            info.mtime = EPOCH
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)


def _state(source: Path | bytes) -> object:
    """What tells one content from another: of a file its bytes, of a folder those of all of its files."""
    if isinstance(source, bytes):
        return source
    if not source.is_dir():
        return _file_state(source)
    return [(str(path.relative_to(source)), _file_state(path)) for path in sorted(source.rglob("*"))]


def _file_state(path: Path) -> object:
    if path.is_symlink():
        return os.readlink(path)  # noqa: PTH115 — as it is written there
    if path.is_dir():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), bool(path.stat().st_mode & stat.S_IXUSR)


def _kept(folder: Path, key: str) -> Layer | None:
    for path in folder.glob(f"{key}-*.tar"):
        return Layer(path=path, digest=f"sha256:{path.stem.removeprefix(f'{key}-')}")
    return None


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
