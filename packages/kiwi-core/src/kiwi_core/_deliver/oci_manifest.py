"""Manifests of images and charts, as registries and OCI layouts have them (image-spec 1.1, and Docker's of the form)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, cast

import attrs

from kiwi_core._model.pins import DIGEST

__all__ = ["Blob", "Manifest", "platform_of", "read_manifest"]

HELM: Final = "application/vnd.cncf.helm.config.v1+json"

Json: TypeAlias = Mapping[str, object]


@attrs.frozen(kw_only=True)
class Blob:
    """What a manifest says of a layer.

    Attributes:
        kind: its media type.
        digest: the hash of its bytes, as they are packed.
        size: how many bytes these are.
    """

    kind: str
    digest: str
    size: int


@attrs.frozen(kw_only=True)
class Manifest:
    """A manifest: of one image, of an index of images, or of a chart.

    Attributes:
        digest: the hash of its bytes.
        parts: the manifests that an index lists, by digest: ``os/architecture``, or empty where it does not say.
        names: those of them that bear a name (``org.opencontainers.image.ref.name``), with their digests.
        config: type and digest of the configuration; None for an index.
        layers: the layers of an image, the lowest first.
    """

    digest: str
    parts: Mapping[str, str]
    names: Mapping[str, str] = attrs.field(factory=dict[str, str])
    config: tuple[str, str] | None
    layers: tuple[Blob, ...] = attrs.field(default=(), repr=False)

    @property
    def is_chart(self) -> bool:
        """Whether it is a Helm chart."""
        return self.config is not None and self.config[0] == HELM


def read_manifest(data: Json, digest: str) -> Manifest | None:
    """Return what a manifest says; None when it is none.

    Args:
        data: its content.
        digest: the hash of its bytes.
    """
    listed, config = data.get("manifests"), data.get("config")
    # One that is both is read as either, by whom it suits (CVE-2021-41190).
    if isinstance(listed, list) and config is None:
        parts = _maps(cast("object", listed))
        names = {name: str(part.get("digest")) for part in parts if (name := _name(part))}
        by_digest = {str(part.get("digest")): platform_of(part.get("platform")) for part in parts}
        return Manifest(digest=digest, parts=by_digest, names=names, config=None)
    if isinstance(config, dict) and listed is None:
        kind, hashed = (cast("Json", config).get(key) for key in ("mediaType", "digest"))
        layers = [_blob(layer) for layer in _maps(data.get("layers"))]
        if isinstance(kind, str) and _is_digest(hashed) and None not in layers:
            found = tuple(layer for layer in layers if layer)
            return Manifest(digest=digest, parts={}, config=(kind, str(hashed)), layers=found)
    return None


def platform_of(data: object) -> str:
    """Return ``os/architecture`` of an index's entry or of a configuration; empty where it does not say."""
    if not isinstance(data, dict):
        return ""
    system, architecture = (cast("Json", data).get(key) for key in ("os", "architecture"))
    return f"{system}/{architecture}" if isinstance(system, str) and isinstance(architecture, str) else ""


def _maps(data: object) -> list[Json]:
    """Return the items of a list that are maps, as all are in a manifest."""
    items = cast("list[object]", data) if isinstance(data, list) else []
    return [cast("Json", item) for item in items if isinstance(item, dict)]


def _name(part: Json) -> str:
    notes = part.get("annotations")
    name = cast("Json", notes).get("org.opencontainers.image.ref.name") if isinstance(notes, dict) else None
    return name if isinstance(name, str) else ""


def _blob(layer: Json) -> Blob | None:
    kind, digest, size = (layer.get(key) for key in ("mediaType", "digest", "size"))
    if isinstance(kind, str) and _is_digest(digest) and type(size) is int and size >= 0:
        return Blob(kind=kind, digest=str(digest), size=size)
    return None


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and DIGEST.fullmatch(text) is not None
