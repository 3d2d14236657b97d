"""Where a credential goes, and what rotating it does: read from the stack as it is and as it would be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import attrs

from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import Stack
from kiwi_core._model.late import LAST_GENERATION, Credential, Path, Rotation, parts_of
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import InputError, Problem, did_you_mean

__all__ = ["RotationPlan", "Sink", "plan_rotation", "readers_of", "rotation_of", "sinks_of"]

# The heavier one counts, where a credential is said to be of two classes: a finding of rule e.
WEIGHTS: Final = (Rotation.LIVE, Rotation.INIT, Rotation.DATA_KEY)


@attrs.frozen(kw_only=True)
class Sink:
    """A place that a credential goes to.

    Attributes:
        release: whose values hold it.
        namespace: the release's.
        path: the place in the values.
        secret: the key of the Secret that the release makes of it; None for a plain value.
    """

    release: str
    namespace: str
    path: Path
    secret: SecretKey | None


@attrs.frozen(kw_only=True)
class RotationPlan:
    """What giving a credential its next generation does.

    Attributes:
        name: the credential's, as ``scope/purpose``.
        rotation: its class.
        old, new: the generations.
        secrets: Secrets that hold it, by name.
        plain: releases whose values hold it.
        restarts: releases whose values change with it, so that Helm restarts their pods.
        hooks: releases of hooks that read one of the Secrets, or whose values hold it.
        generations: what the spec has to say, its other generations included.
    """

    name: str
    rotation: Rotation
    old: int
    new: int
    secrets: tuple[str, ...]
    plain: tuple[str, ...]
    restarts: tuple[str, ...]
    hooks: tuple[str, ...]
    generations: Mapping[str, int]


def sinks_of(stack: Stack, credentials: Collection[Credential]) -> tuple[Sink, ...]:
    """Return where credentials go, in the order of releases."""
    wanted = frozenset(credentials)
    return tuple(
        Sink(
            release=release.name,
            namespace=release.namespace,
            path=path,
            secret=_secret(path) if release.role == "foundation" else None,
        )
        for release in stack.releases
        for path, leaf in release.leaves
        if not wanted.isdisjoint(parts_of(leaf))
    )


def _secret(path: Path) -> SecretKey | None:
    """Return the Secret at a path of the foundation's values."""
    match path:
        case ("secrets", str(name), str(key)):
            return SecretKey(name, key)
        case _:
            return None


def readers_of(stack: Stack, namespace: str, secret: str) -> tuple[str, ...]:
    """Return the releases of a namespace whose values name a Secret."""
    return tuple(
        release.name
        for release in stack.releases
        if release.namespace == namespace
        and release.role != "foundation"
        and any(leaf == secret for _, leaf in release.leaves)
    )


def rotation_of(stack: Stack, name: str) -> Rotation:
    """Return the class of a credential, the heaviest that is said of it anywhere."""
    named = (late for release in stack.releases for late in release.named if isinstance(late, Credential))
    return max((late.rotation for late in named if late.name == name), key=WEIGHTS.index, default=Rotation.LIVE)


def plan_rotation(stack: Stack, name: str) -> RotationPlan:
    """Say what giving a credential its next generation does.

    Args:
        stack: as it is.
        name: the credential's, as ``scope/purpose``.

    Raises:
        InputError: there is no such credential, data is encrypted with it, or its generations are used up.
    """
    forms = [late for late in stack.credentials if late.name == name]
    if not forms:
        known = {late.name for late in stack.credentials}
        message = f"{stack.target.title} has no credential {name!r}"
        raise InputError(Problem(message, hint=did_you_mean(name, known, otherwise="it has")))
    rotation, old = rotation_of(stack, name), max(late.generation for late in forms)
    if rotation is Rotation.DATA_KEY:
        message = f"{name!r} is a data key: data is encrypted with it, and lost with another one"
        raise InputError(Problem(message, hint="only a hook that encrypts the data anew could rotate it"))
    if old == LAST_GENERATION:
        raise InputError(Problem(f"{name!r} is of generation {old}, and there is none after it"))
    generations = dict(sorted({**stack.target.generations, name: old + 1}.items()))
    inputs = attrs.evolve(stack.inputs, target=attrs.evolve(stack.target, generations=generations))
    rotated = compose(inputs)
    sinks = sinks_of(stack, forms)
    secrets = {(sink.namespace, sink.secret.secret) for sink in sinks if sink.secret}
    plain = {sink.release for sink in sinks if not sink.secret}
    return RotationPlan(
        name=name,
        rotation=rotation,
        old=old,
        new=old + 1,
        secrets=tuple(sorted({secret for _, secret in secrets})),
        plain=tuple(release.name for release in stack.releases if release.name in plain),
        restarts=tuple(
            release.name
            for release in stack.releases
            if release.role == "component" and release.values != rotated.by_name[release.name].values
        ),
        hooks=tuple(_jobs(stack, rotated, secrets)),
        generations=generations,
    )


def _jobs(stack: Stack, rotated: Stack, secrets: Collection[tuple[str, str]]) -> Iterator[str]:
    """Yield the releases of hooks that read a Secret, or that change."""
    for name in stack.phases:
        release = stack.by_name[name]
        named = [str(leaf) for path, leaf in release.leaves if path[-2:] == ("secretKeyRef", "name")]
        read = {(release.namespace, secret) for secret in (*stack.phases[name].mounted, *named)}
        if rotated.by_name[name].values != release.values or not read.isdisjoint(secrets):
            yield name
