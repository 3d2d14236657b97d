"""Pins: the one place per environment where chart versions and image tags stand.

The two files have openDesk's form (its ``charts.yaml.gotmpl`` and ``images.yaml.gotmpl``): a map of name to pin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

import attrs

from kiwi_core._model.late import Pin
from kiwi_core.errors import Where

__all__ = ["DIGEST", "HOST", "REPOSITORY", "TAG", "ChartPin", "ImagePin", "PinFiles", "Pins"]

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# The grammar of a tag and of a repository: distribution/reference.
TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
REPOSITORY: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
# Semantic versioning 2.0, a leading v allowed as Helm does; a range ("^1.2", "1.x", ">=1") never matches.
VERSION: Final = re.compile(r"v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


# A host with or without port, or the address of a classic Helm repository. What helmfile would take for an instruction
# of its own ("ref+…", fetched by vals) never passes.
HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
REGISTRY: Final = re.compile(rf"{HOST.pattern}(?:/[A-Za-z0-9._/-]*)?|https?://{HOST.pattern}(?:/[A-Za-z0-9._~/-]*)?")
PATH: Final = re.compile(r"[A-Za-z0-9._/-]*")


def _registry(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not REGISTRY.fullmatch(value):
        raise ValueError(
            f"{attribute.name} {value!r} is no host such as 'ghcr.io' or address such as 'https://charts.example'"
        )


def _host(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not HOST.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no host such as 'docker.io'")


def _path(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not PATH.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no path: letters, digits, '.', '_', '-' and '/'")


def _exact(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not VERSION.fullmatch(value) or "ref+" in value:
        raise ValueError(f"{attribute.name} {value!r} is not one exact version such as '1.2.3' (a range floats)")


def _digest(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None and not DIGEST.fullmatch(value):
        raise ValueError(
            f"digest {value!r} is malformed: expected 'sha256:' and 64 hexadecimal digits, found {len(value)} characters"
        )


def _repository(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not REPOSITORY.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is not an image repository such as 'onyxdotapp/onyx-backend'")


def _tag(instance: object, attribute: object, value: str) -> None:
    tag, at, digest = value.partition("@")
    if at:
        _digest(instance, attribute, digest)
    if not TAG.fullmatch(tag):
        raise ValueError(f"tag {tag!r} is no image tag: letters, digits, '.', '_' and '-', at most 128")


@attrs.frozen(kw_only=True)
class ChartPin:
    """A chart at one version.

    Attributes:
        registry: an OCI registry's host, or a classic repository's ``https://`` address.
        repository: the path in it.
        name: the chart's name.
        version: one exact version; a range is refused.
        digest: the artifact's ``sha256:…``, where known.
        verify: whether Helm verifies the chart's provenance.
        path: lane dev only: a local folder that is used in its stead, relative to the pin file.
    """

    registry: str = attrs.field(validator=_registry)
    repository: str = attrs.field(default="", validator=_path)
    name: str = attrs.field(validator=attrs.validators.and_(attrs.validators.min_len(1), _path))
    version: str = attrs.field(validator=_exact)
    digest: str | None = attrs.field(default=None, validator=_digest)
    verify: bool = False
    path: str | None = None

    @property
    def is_oci(self) -> bool:
        """Whether it is pulled from an OCI registry, not from a classic Helm repository."""
        return "://" not in self.registry

    @property
    def location(self) -> str:
        """Registry and repository, without the chart's name."""
        return "/".join(part.strip("/") for part in (self.registry, self.repository) if part)


@attrs.frozen(kw_only=True)
class ImagePin:
    """An image at one tag, and digest where it has one (``tag: v1.2.3@sha256:…``)."""

    registry: str = attrs.field(validator=_host)
    repository: str = attrs.field(validator=_repository)
    tag: str = attrs.field(validator=_tag)

    @property
    def name(self) -> str:
        """``registry/repository``."""
        return f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """The tag without its digest."""
        return self.tag.partition("@")[0]

    @property
    def digest(self) -> str | None:
        """The digest, or None when the pin has none."""
        return self.tag.partition("@")[2] or None


@attrs.frozen(kw_only=True)
class Pins:
    """The pins of one environment.

    Attributes:
        charts, images: by name.
    """

    charts: Mapping[str, ChartPin] = attrs.field(factory=dict[str, ChartPin])
    images: Mapping[str, ImagePin] = attrs.field(factory=dict[str, ImagePin])

    def text(self, pin: Pin) -> str:
        """Return what a late pin stands for.

        Raises:
            KeyError: there is no such image pin.
        """
        image = self.images[pin.name]
        match pin.part:
            case "registry":
                return image.registry
            case "repository":
                return image.repository
            case "name":
                return image.name
            case "tag":
                return image.tag
            case "reference":
                return f"{image.name}:{image.tag}"


@attrs.frozen(kw_only=True)
class PinFiles:
    """The pins of a lane, and where they stand.

    Attributes:
        charts_file, images_file: the two files, as the user knows them.
        line: gives the line of a path such as ``("images", "onyxBackend", "tag")``.
    """

    pins: Pins
    charts_file: str
    images_file: str
    line: Callable[[tuple[str | int, ...]], int | None] = attrs.field(eq=False, repr=False)

    def where(self, what: Literal["charts", "images"], name: str, *path: str) -> Where:
        """Return the place of a pin, or of a part of it."""
        steps = (what, name, *path)
        return Where(self.charts_file if what == "charts" else self.images_file, self.line(steps), steps)
