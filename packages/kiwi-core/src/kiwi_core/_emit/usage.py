"""Who uses what: the releases behind each credential and each pin, gathered in one walk over all values."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._model.late import Credential, External, Late, Named, Path, Pin, Rotation, parts_of

__all__ = ["NamedUse", "Usage", "usage_of"]

WEIGHTS = tuple(Rotation)
"""The heaviest last: it counts, where a credential is said to be of two classes."""


@attrs.frozen(kw_only=True)
class NamedUse:
    """Where a credential or an external goes.

    Attributes:
        name: as ``secrets.lock`` and the spec call it.
        generation: the highest that is used; 0 for an external.
        rotation: the class of a credential; None for an external.
        secrets: ``secret/key``, with the namespace before it where the target has several.
        plain: releases whose values hold it.
        readers: releases whose values name one of these Secrets, or whose hooks read it.
    """

    name: str
    generation: int
    rotation: Rotation | None
    secrets: tuple[str, ...]
    plain: tuple[str, ...]
    readers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Usage:
    """Who uses what.

    Attributes:
        credentials, externals: by name.
        images, charts: pin to releases.
    """

    credentials: tuple[NamedUse, ...]
    externals: tuple[NamedUse, ...]
    images: Mapping[str, tuple[str, ...]]
    charts: Mapping[str, tuple[str, ...]]


@attrs.define
class _Found:
    generation: int = 0
    rotation: Rotation | None = None
    secrets: dict[tuple[str, str, str], None] = attrs.field(factory=dict["tuple[str, str, str]", None])
    plain: dict[str, None] = attrs.field(factory=dict[str, None])


def usage_of(stack: Stack) -> Usage:
    """Look through all values of a stack; releases are told in their order."""
    found: dict[tuple[type[Named], str], _Found] = {}
    images: dict[str, dict[str, None]] = {}
    charts: dict[str, dict[str, None]] = {}
    texts: dict[tuple[str, str], dict[str, None]] = {}
    for release in stack.releases:
        if release.chart and not stack.is_local(release):
            charts.setdefault(release.declared.chart, {})[release.name] = None
        for name in release.declared.images:
            images.setdefault(name, {})[release.name] = None
        for path, leaf in release.leaves:
            if isinstance(leaf, str):
                if release.role != "foundation":
                    texts.setdefault((release.namespace, leaf), {})[release.name] = None
            elif isinstance(leaf, Late):
                for late in parts_of(leaf):
                    if isinstance(late, Pin):
                        images.setdefault(late.name, {})[release.name] = None
                    else:
                        _note(found.setdefault((type(late), late.name), _Found()), late, release, path)
    for name, phase in stack.phases.items():
        for secret in phase.mounted:
            texts.setdefault((stack.by_name[name].namespace, secret), {})[name] = None
    several = len(stack.foundations) > 1
    uses = {key: _use(key[1], item, texts, several=several) for key, item in sorted(found.items(), key=_by_name)}
    return Usage(
        credentials=tuple(use for (kind, _), use in uses.items() if kind is Credential),
        externals=tuple(use for (kind, _), use in uses.items() if kind is External),
        images={name: tuple(users) for name, users in images.items()},
        charts={name: tuple(users) for name, users in charts.items()},
    )


def _by_name(item: tuple[tuple[type[Named], str], _Found]) -> str:
    return item[0][1]


def _note(found: _Found, late: Named, release: StackRelease, path: Path) -> None:
    if isinstance(late, Credential):
        found.generation = max(found.generation, late.generation)
        if found.rotation is None or WEIGHTS.index(late.rotation) > WEIGHTS.index(found.rotation):
            found.rotation = late.rotation
    match path:
        case ("secrets", str(secret), str(key)) if release.role == "foundation":
            found.secrets[release.namespace, secret, key] = None
        case _:
            found.plain[release.name] = None


def _use(name: str, found: _Found, texts: Mapping[tuple[str, str], Mapping[str, None]], *, several: bool) -> NamedUse:
    readers = [texts.get((namespace, secret), {}) for namespace, secret, _ in found.secrets]
    return NamedUse(
        name=name,
        generation=found.generation,
        rotation=found.rotation,
        secrets=tuple(
            f"{f'{namespace}/' if several else ''}{secret}/{key}" for namespace, secret, key in found.secrets
        ),
        plain=tuple(found.plain),
        readers=tuple(dict.fromkeys(release for each in readers for release in each)),
    )
