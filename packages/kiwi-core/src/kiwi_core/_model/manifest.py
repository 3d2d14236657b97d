"""What Helm renders: Kubernetes objects, each with the template that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeAlias

import attrs

from kiwi_core._model.capture import Json

__all__ = ["HOOK", "Manifest", "Object", "Steps", "as_list", "as_map", "strings"]

HOOK: Final = "helm.sh/hook"
"""The annotation that makes an object one of Helm's own hooks."""

Object: TypeAlias = Mapping[str, Json]
"""A Kubernetes object, or a part of one."""

Steps: TypeAlias = tuple[str | int, ...]


@attrs.frozen(kw_only=True, slots=False)
class Manifest:
    """A Kubernetes object as a release's chart renders it.

    Attributes:
        release: the release.
        source: the template, as ``<chart>/templates/<file>``; one in ``crds/`` is installed as it stands.
        object: the object; a credential in it is a placeholder, unless it was asked for.
    """

    release: str
    source: str
    object: Object = attrs.field(repr=False)

    @property
    def api_version(self) -> str:
        """Its ``apiVersion``."""
        return str(self.object.get("apiVersion"))

    @property
    def kind(self) -> str:
        """Its ``kind``."""
        return str(self.object.get("kind"))

    @cached_property
    def metadata(self) -> Object:
        """Its ``metadata``."""
        return as_map(self.object.get("metadata"))

    @property
    def name(self) -> str:
        """Its name, or how one is made up for it."""
        name = self.metadata.get("name") or self.metadata.get("generateName")
        return name if isinstance(name, str) else ""

    @property
    def namespace(self) -> str | None:
        """The namespace that it names; None where it goes to its release's."""
        found = self.metadata.get("namespace")
        return found if isinstance(found, str) and found else None

    @property
    def title(self) -> str:
        """Kind and name, as ``kubectl`` takes them."""
        return f"{self.kind}/{self.name}"

    @cached_property
    def hooks(self) -> frozenset[str]:
        """When Helm runs it as a hook of its own: ``pre-upgrade``, ``test``, …; empty where it is a plain object."""
        said = as_map(self.metadata.get("annotations")).get(HOOK)
        return frozenset(word.strip() for word in said.split(",")) if isinstance(said, str) else frozenset()


def as_map(value: Json) -> Object:
    """Return a map as one; anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Json) -> Sequence[Json]:
    """Return a list as one; anything else as an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def strings(value: Json, path: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Walk an object; yield each text with its path."""
    found: list[tuple[Steps, Json]] = [(path, value)]
    while found:
        here, item = found.pop()
        if isinstance(item, str):
            yield here, item
        elif isinstance(item, Mapping):
            found.extend([((*here, key), below) for key, below in item.items()][::-1])
        elif isinstance(item, Sequence):
            found.extend([((*here, index), below) for index, below in enumerate(item)][::-1])
