"""Images in folders of OCI's layout, made by hand so that anything can be wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

Json: TypeAlias = Mapping[str, object]
Member: TypeAlias = tuple[str, bytes | None | Callable[[tarfile.TarInfo], None]]
"""A path with its content; None for a folder; or what makes something else of the entry."""

OCI: Final = "application/vnd.oci.image"
GZIP: Final = f"{OCI}.layer.v1.tar+gzip"
PLAIN: Final = f"{OCI}.layer.v1.tar"


def hashed(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def revision(name: str, parent: object = None) -> bytes:
    """A revision file, whose docstring lies."""
    return f'"""Revision ID: wrong\n\nRevises: wrong\n"""\nimport nowhere\nrevision = {name!r}\ndown_revision = {parent!r}\n'.encode()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, target

    return change


def device(info: tarfile.TarInfo) -> None:
    info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 1, 3


def tar(members: Sequence[Member] | Mapping[str, bytes | None], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Make an archive; a path stands in it as it is given."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=form) as archive:
        listed: Sequence[Member] = [*members.items()] if isinstance(members, Mapping) else members
        for path, what in listed:
            info = tarfile.TarInfo(path)
            if what is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(what, bytes):
                info.size = len(what)
            else:
                what(info)
            archive.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
    return file.getvalue()


def layer(members: Sequence[Member] | Mapping[str, bytes | None]) -> bytes:
    """Make a layer, packed."""
    return gzip.compress(tar(members), mtime=0)


class LayoutFolder:
    """A folder of OCI's layout that is being filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[Json] = []
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.write([])

    def blob(self, data: bytes, kind: str) -> dict[str, object]:
        """Keep a blob; return its descriptor."""
        digest = hashed(data)
        self.path(digest).write_bytes(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def path(self, digest: str) -> Path:
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def image(self, *layers: bytes, kind: str = GZIP, platform: str = "linux/amd64", **manifest: object) -> Json:
        """Keep an image; return the descriptor of its manifest."""
        system, architecture = platform.split("/")
        config = {"os": system, "architecture": architecture, "rootfs": {"diff_ids": [hashed(one) for one in layers]}}
        content: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self.blob(json.dumps(config).encode(), f"{OCI}.config.v1+json"),
            "layers": [self.blob(one, kind) for one in layers],
        }
        found = self.blob(json.dumps({**content, **manifest}).encode(), f"{OCI}.manifest.v1+json")
        return {**found, "platform": {"os": system, "architecture": architecture}}

    def index(self, *images: Json) -> Json:
        """Keep an index of images; return its descriptor."""
        content = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": images}
        return self.blob(json.dumps(content).encode(), f"{OCI}.index.v1+json")

    def add(self, found: Json, name: str = "") -> LayoutFolder:
        """List an image or an index."""
        notes = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
        self.write([*self.listed, {**found, **notes}])
        return self

    def write(self, listed: Sequence[Json]) -> None:
        self.listed = [*listed]
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.listed}))

    def __str__(self) -> str:
        return f"oci:{self.folder}"
