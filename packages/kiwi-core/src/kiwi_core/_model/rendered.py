"""All that a stack renders to, with what the rules need to judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from kiwi_core._model.manifest import Manifest, Object, Steps

__all__ = ["Fault", "RenderedChart", "Rendering", "Schemas"]


@attrs.frozen(kw_only=True)
class Fault:
    """What the API server would not take as it stands.

    Attributes:
        path: where in the object.
        message: what is wrong.
    """

    path: Steps
    message: str


@attrs.frozen(kw_only=True)
class Schemas:
    """The schemas of one version of Kubernetes.

    Attributes:
        version: the version, as ``1.37``.
        groups: its API groups; ``""`` is the core's.
        faults: says what is wrong with an object; None where there is no schema of its kind.
    """

    version: str
    groups: frozenset[str] = attrs.field(repr=False)
    faults: Callable[[Object], Sequence[Fault] | None] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class RenderedChart:
    """The chart that a release was rendered from.

    Attributes:
        title: its name and version.
        digest: the SHA-256 of its archive, in hexadecimal digits; None for a folder.
    """

    title: str
    digest: str | None


def _nothing(_: str) -> frozenset[str]:
    return frozenset()


@attrs.frozen(kw_only=True)
class Rendering:
    """The manifests of a stack.

    Attributes:
        releases: release to its objects, those that Helm runs as hooks of its own included.
        charts: release to its chart.
        kubernetes: the version that they were rendered for, as ``1.37``.
        named_in: names the credentials and externals whose placeholders stand in a text, in base64 or as they are.
        schemas: the schemas of that version; None where there are none at hand.
        no_schemas: why there are none.
    """

    releases: Mapping[str, tuple[Manifest, ...]]
    charts: Mapping[str, RenderedChart] = attrs.field(factory=dict[str, RenderedChart])
    kubernetes: str
    named_in: Callable[[str], frozenset[str]] = attrs.field(default=_nothing, repr=False)
    schemas: Schemas | None = None
    no_schemas: str = "the schemas were not asked for"
