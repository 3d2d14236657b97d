"""An image, in a registry or in a folder of OCI's layout: its manifest, and the files of its layers.

Every digest is compared: of the manifest, of the configuration, and of each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import attrs

from kiwi_core._deliver.oci_layers import Found, ImageFiles, Wanted
from kiwi_core._deliver.oci_manifest import Blob, platform_of
from kiwi_core._deliver.oci_source import LAYOUT, Hashed, Layout, Remote, Source, parse_reference, read_json
from kiwi_core._deliver.oci_tar import DamagedError, Meter, TooMuchError
from kiwi_core._deliver.registry import Registries
from kiwi_core.errors import ExternalError, InputError, Problem, Where

__all__ = ["PLATFORM", "OciImage", "open_image"]

PLATFORM: Final = "linux/amd64"
DEPTH: Final = 3
"""How many indexes may stand in one another."""

# OCI's and Docker's layers; those of gzip end in the last.
TAR: Final = frozenset({"application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"})
GZIPPED: Final = frozenset(
    {"application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"}
)


@attrs.frozen(kw_only=True)
class OciImage:
    """An image of one platform.

    Attributes:
        name: what to call it in a message.
        repository: its repository, without the registry; None in a layout that does not say.
        tag: the tag that it was asked for by; None when there is none.
        digests: the digest of its manifest, and before it those of the indexes that list it.
        layers: its layers, the lowest first.
    """

    name: str
    repository: str | None
    tag: str | None
    digests: tuple[str, ...]
    layers: tuple[Blob, ...] = attrs.field(repr=False)
    _source: Source = attrs.field(alias="source", repr=False)

    def files(
        self, wanted: Wanted, *, meter: Meter | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Mapping[str, Found]:
        """Read its layers, and return the wanted files, by path without ``/`` at the start.

        Args:
            wanted: which they are.
            meter: how much is read at most.
            say: is told what is being read.

        Raises:
            InputError: a layer is damaged, of a kind that is not read, or too large; it says which layer.
            ExternalError: a layer cannot be had, or is another one than its digest says.
        """
        files = ImageFiles(wanted, meter=meter)
        for number, layer in enumerate(self.layers, 1):
            place = f"layer {number} of {len(self.layers)} ({layer.digest})"
            say(f"{self.name}: {place}, {layer.size} bytes")
            files = self._with_layer(files, layer, Where(f"{self.name}: {place}"))
        return files.files

    def _with_layer(self, files: ImageFiles, layer: Blob, where: Where) -> ImageFiles:
        if layer.kind not in TAR | GZIPPED:
            hint = "skopeo copy --dest-compress-format gzip makes one that can be read, and another digest"
            is_packed_otherwise = layer.kind.endswith("zstd")
            message = f"it is of the type {layer.kind!r}, which is not read"
            raise InputError(Problem(message, where, hint if is_packed_otherwise else None))
        found = [files]

        def take(pieces: Iterator[bytes]) -> None:
            read = Hashed(pieces)
            damage: DamagedError | None = None
            try:
                found[0] = files.with_layer(iter(read), is_packed=layer.kind in GZIPPED)
            except DamagedError as error:
                damage = error
            except TooMuchError as error:
                raise InputError(Problem(str(error), where)) from error
            # One that was damaged on its way is not to blame for what it holds.
            read.compare(layer.digest, layer.size, where)
            if damage is not None:
                raise InputError(Problem(str(damage), where)) from damage

        try:
            self._source.blob(layer.digest, layer.size, take)
        except ExternalError as error:
            problems = (attrs.evolve(problem, where=problem.where or where) for problem in error.problems)
            raise ExternalError(*problems) from error
        return found[0]


def open_image(text: str, *, registries: Registries | None = None, platform: str = PLATFORM) -> OciImage:
    """Find an image, and read its manifest and its configuration.

    Args:
        text: its reference, or ``oci:FOLDER[:NAME]``, as skopeo has it.
        registries: who is asked.
        platform: which image of an index is meant, ``os/architecture``.

    Raises:
        InputError: there is no such image, or none for the platform.
        ExternalError: a registry does not answer well, or something is not what its digest says.
    """
    if text.startswith(LAYOUT):
        folder, _, name = text.removeprefix(LAYOUT).partition(":")
        layout = Layout(Path(folder), name)
        return _open(text, layout, platform, None, layout.tag)
    reference = parse_reference(text)
    if reference.tag is None and reference.digest is None:
        raise InputError(Problem(f"{text} names no tag and no digest", None, f"such as {text}:v1.2.3"))
    source = Remote(registries or Registries(), reference)
    return _open(text, source, platform, reference.repository, reference.tag)


def _open(name: str, source: Source, platform: str, repository: str | None, tag: str | None) -> OciImage:
    manifest = source.manifest(None)
    digests = [manifest.digest]
    while manifest.config is None:
        if len(digests) > DEPTH:
            raise InputError(Problem("it is an index of indexes of indexes", Where(name)))
        part = next((digest for digest, of in manifest.parts.items() if of == platform), None)
        if part is None and len(manifest.parts) == 1 and not any(manifest.parts.values()):
            (part,) = manifest.parts  # the index of a layout need not say
        if part is None:
            known = ", ".join(sorted({of for of in manifest.parts.values() if of})) or "nothing that it names"
            hint = "--platform takes another one"
            raise InputError(Problem(f"it is not there for {platform}: it is for {known}", Where(name), hint))
        manifest = source.manifest(part)
        digests.append(manifest.digest)
    if manifest.is_chart:
        raise InputError(Problem("it is a Helm chart, expected an image", Where(name)))
    _check_config(source, manifest.config[1], len(manifest.layers), platform, name)
    is_listed = isinstance(source, Layout)  # by the layout's own index, which is no image's
    return OciImage(
        name=name,
        repository=repository,
        tag=tag,
        digests=tuple(digests[1:] if is_listed else digests),
        layers=manifest.layers,
        source=source,
    )


def _check_config(source: Source, digest: str, layers: int, platform: str, name: str) -> None:
    """Read an image's configuration, and compare it with what is known of the image."""
    where = Where(f"{name}: configuration ({digest})")
    config = read_json(source, digest, where)
    found = platform_of(config)
    if found and found != platform:
        hint = f"--platform {found}, where you want that one"
        raise InputError(Problem(f"it is for {found}, expected {platform}", where, hint))
    root = config.get("rootfs")
    known = cast("Mapping[str, object]", root).get("diff_ids") if isinstance(root, dict) else None
    if isinstance(known, list) and len(cast("list[object]", known)) != layers:
        message = f"it speaks of {len(cast('list[object]', known))} layers, and the manifest of {layers}"
        raise InputError(Problem(message, where))
