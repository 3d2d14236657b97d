"""Where images are: in registries, and in folders of OCI's layout (image-spec, image-layout.md)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import attrs

from kiwi_core._deliver.oci_manifest import Manifest, read_manifest
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.web import Take
from kiwi_core._model.pins import DIGEST, HOST, REPOSITORY, TAG
from kiwi_core.errors import ExternalError, InputError, Problem, Where

__all__ = ["LAYOUT", "Hashed", "Layout", "Reference", "Remote", "Source", "parse_reference", "read_json"]

LAYOUT: Final = "oci:"
"""What a layout's folder is named with, as skopeo has it: ``oci:FOLDER[:NAME]``."""
PIECE: Final = 1 << 18
LIMIT: Final = 4 << 20
"""How many bytes a manifest or a configuration may have."""


@attrs.frozen(kw_only=True)
class Reference:
    """What names an image in a registry.

    Attributes:
        registry: its host; ``docker.io`` where none is named.
        repository: the path in it.
        tag: the tag, if one is named.
        digest: the digest, if one is named; it counts.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return f"{self.name}{f':{self.tag}' if self.tag else ''}{f'@{self.digest}' if self.digest else ''}"


def parse_reference(text: str) -> Reference:
    """Read an image's reference, as ``docker pull`` takes it.

    Raises:
        InputError: it is none.
    """
    rest, at, digest = text.partition("@")
    first, slash, path = rest.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, path) if is_host else ("docker.io", rest)
    repository, colon, tag = path.partition(":")
    if (
        not HOST.fullmatch(registry)
        or not REPOSITORY.fullmatch(repository)
        or (colon and not TAG.fullmatch(tag))
        or (at and not DIGEST.fullmatch(digest))
    ):
        hint = "such as docker.io/onyxdotapp/onyx-backend:v4.6.1, or oci:FOLDER:v4.6.1 for a layout on this machine"
        raise InputError(Problem(f"{text!r} is no reference of an image", None, hint))
    return Reference(registry=registry, repository=repository, tag=tag or None, digest=digest or None)


class Source(Protocol):
    """Where an image is."""

    def manifest(self, digest: str | None) -> Manifest:
        """Return a manifest: the one that was asked for, or one that it lists."""
        ...

    def blob(self, digest: str, size: int, take: Take) -> None:
        """Hand on the bytes of a blob, which nobody has compared with its digest yet."""
        ...


def _mapping(data: bytes, where: Where) -> Mapping[str, object]:
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(Problem("this is no JSON mapping", where))
    return cast("Mapping[str, object]", found)


class Hashed:
    """Hands on a blob's bytes, and hashes them on their way."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._hash.update(piece)
            self._size += len(piece)
            yield piece

    def compare(self, digest: str, size: int | None, where: Where) -> None:
        """Read what is left, and compare the whole with what was promised.

        Raises:
            ExternalError: it is something else.
        """
        for _ in self:
            pass
        found = f"sha256:{self._hash.hexdigest()}"
        if found != digest or size not in {None, self._size}:
            message = f"it is damaged: found {found} of {self._size} bytes"
            hint = "it was damaged or changed where it is kept, or on its way: have it pushed or copied again"
            raise ExternalError(Problem(message, where, hint))


def read_json(source: Source, digest: str, where: Where) -> Mapping[str, object]:
    """Return the JSON mapping that a blob is.

    Raises:
        InputError: it is something else.
        ExternalError: it cannot be had, or is not what its digest says.
    """
    bodies: list[bytes] = []

    def take(pieces: Iterator[bytes]) -> None:
        read = Hashed(pieces)
        bodies.append(b"".join(read))
        read.compare(digest, None, where)

    source.blob(digest, LIMIT, take)
    return _mapping(bodies[-1], where)


@attrs.frozen
class Remote:
    """An image in a registry.

    Attributes:
        registries: who is asked.
        reference: its name.
    """

    registries: Registries
    reference: Reference

    def manifest(self, digest: str | None) -> Manifest:
        """Ask for the manifest that the reference names, or for another one."""
        found = digest or self.reference.digest or self.reference.tag
        assert found is not None  # a reference without both was refused
        return self.registries.manifest(self.reference.registry, self.reference.repository, found)

    def blob(self, digest: str, size: int, take: Take) -> None:
        """Ask for a blob."""
        self.registries.blob(self.reference.registry, self.reference.repository, digest, size=size, take=take)


def _at_most(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield a file, but not much more than so many bytes: it is found out that it is too long."""
    while size > 0 and (piece := file.read(min(size, PIECE))):
        size -= len(piece)
        yield piece


@attrs.frozen
class Layout:
    """An image in a folder of OCI's layout.

    Attributes:
        folder: the folder.
        name: which of its images is meant; empty where there is one.
    """

    folder: Path
    name: str

    @property
    def tag(self) -> str | None:
        """The tag that the name is, or ends in as a reference; None where there is none."""
        last = self.name.rpartition("/")[2].partition("@")[0]
        tag = last.rpartition(":")[2] if "/" not in self.name or ":" in last else ""
        return tag if TAG.fullmatch(tag) else None

    def manifest(self, digest: str | None) -> Manifest:
        """Read a manifest: the layout's own index, less all images but the one that is meant, or another one."""
        if digest is None:
            return self._index()
        where = Where(f"{LAYOUT}{self.folder}: manifest ({digest})")
        found = read_manifest(read_json(self, digest, where), digest)
        if found is None:
            raise InputError(Problem("this is no manifest", where))
        return found

    def blob(self, digest: str, size: int, take: Take) -> None:
        """Read a blob's file."""
        if not DIGEST.fullmatch(digest):
            raise InputError(Problem(f"{digest[:100]!r} is no digest", Where(f"{LAYOUT}{self.folder}")))
        path = self.folder / "blobs" / digest.replace(":", "/")
        try:
            with path.open("rb") as file:
                take(_at_most(file, size + 1))
        except OSError as error:
            raise InputError(Problem(f"it cannot be read: {error.strerror}", Where(str(path)))) from error

    def _index(self) -> Manifest:
        where = Where(str(self.folder / "index.json"))
        try:
            data = (self.folder / "index.json").read_bytes()
            version = _mapping((self.folder / "oci-layout").read_bytes(), Where(str(self.folder / "oci-layout")))
        except OSError as error:
            hint = f"{LAYOUT}FOLDER[:NAME] is a folder that 'skopeo copy docker://… {LAYOUT}FOLDER:NAME' made"
            message = f"this is no layout of images: {error.strerror}"
            raise InputError(Problem(message, Where(str(error.filename or self.folder)), hint)) from error
        if not re.fullmatch(r"1\.\d+\.\d+", str(version.get("imageLayoutVersion"))):
            raise InputError(Problem("this layout is of another version than 1", Where(str(self.folder))))
        found = read_manifest(_mapping(data, where), "")
        if found is None or found.config is not None:
            raise InputError(Problem("this is no index of images", where))
        names = ", ".join(sorted(found.names)) or "none that has a name"
        if self.name:
            if self.name not in found.names:
                raise InputError(Problem(f"there is no image {self.name!r}", where, f"there are: {names}"))
            return attrs.evolve(found, parts={found.names[self.name]: ""})
        if len(found.parts) != 1:
            hint = f"say which: {LAYOUT}{self.folder}:NAME; there are: {names}"
            raise InputError(Problem(f"it holds {len(found.parts)} images", where, hint))
        return attrs.evolve(found, parts=dict.fromkeys(found.parts, ""))
