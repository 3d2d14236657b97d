"""Which releases there are, in which stage, and what must be ready before what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import attrs

from kiwi_core._compose.bind import Binding, Bindings
from kiwi_core._compose.order import Edge
from kiwi_core._compose.platform import HOOKS_CHART, foundation, namespace_release
from kiwi_core._compose.stack import Part
from kiwi_core._model.cluster import Target
from kiwi_core._model.component import Release
from kiwi_core._model.hooks import Hook
from kiwi_core._model.lane import Stage
from kiwi_core._model.service import UseKey
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import ComposeError, Problem, did_you_mean, raise_all

__all__ = ["PLATFORM", "Placed", "edges_between", "namespaces_of", "needs_of", "place"]


@attrs.frozen(kw_only=True)
class Placed:
    """A release in its place.

    Attributes:
        role: what it is made from.
        component: whose it is; empty for the platform.
    """

    role: Literal["namespace", "foundation", "component", "hooks"]
    component: str
    namespace: str
    release: Release


PLATFORM: Final[Mapping[Literal["namespace", "foundation"], Callable[[Target, str], Release]]] = {
    "namespace": namespace_release,
    "foundation": foundation,
}
"""What makes the platform's releases of each namespace, in their order."""

BUILT_IN_APIS: Final = frozenset(
    (
        *("v1", "apps", "autoscaling", "batch", "policy"),
        *(
            f"{group}.k8s.io"
            for group in (
                *("admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization"),
                *("certificates", "coordination", "discovery", "events", "flowcontrol.apiserver", "networking", "node"),
                *("rbac.authorization", "resource", "scheduling", "storage"),
            )
        ),
    )
)
"""Kubernetes' own API groups (its API reference); others that end in .k8s.io have CRDs, such as the gateway API."""


def place(parts: Mapping[str, Part], bindings: Bindings, target: Target) -> tuple[Placed, ...]:
    """Return all releases with their stages; a hook's stage follows from its component and what it binds to.

    Raises:
        ComposeError: a component's release has the name of one of the platform's.
    """
    namespaces = namespaces_of(parts, target)
    placed = [
        Placed(role=role, component="", namespace=namespace, release=make(target, namespace))
        for namespace in namespaces
        for role, make in PLATFORM.items()
    ]
    _check_names(parts.values(), {item.release.name for item in placed})
    stages = {release.name: release.stage for part in parts.values() for release in part.declaration.releases}
    for part in parts.values():
        own = [release.stage for release in part.declaration.releases]
        namespace = part.home.namespace
        placed.extend(
            Placed(role="component", component=part.name, namespace=namespace, release=release)
            for release in part.declaration.releases
        )
        for phase, hooks in _phases(part):
            served = [stages[name] for name, _ in _providers(hooks, bindings[part.name])]
            base = (min if phase == "pre" else max)(own, key=_number, default=Stage.COMPONENTS)
            release = Release(
                name=f"{part.name}-{phase}",
                chart=HOOKS_CHART,
                stage=max([base, *served], key=_number),
                wait=True,
                timeout=60 + sum(hook.timeout for hook in hooks),
            )
            placed.append(Placed(role="hooks", component=part.name, namespace=namespace, release=release))
    return tuple(placed)


def namespaces_of(parts: Mapping[str, Part], target: Target) -> tuple[str, ...]:
    """Return the namespaces of a target: a customer's one, or one for each gateway."""
    if isinstance(target, Tenant):
        return (target.namespace,)
    return tuple(dict.fromkeys(part.home.namespace for part in parts.values()))


def _check_names(parts: Iterable[Part], foundations: Iterable[str]) -> None:
    taken = dict.fromkeys(foundations, "the platform has one of that name")
    taken |= {
        f"{part.name}-{phase}": f"the hooks of {part.name} have that name"
        for part in parts
        for phase, _ in _phases(part)
    }
    raise_all(
        ComposeError,
        (
            Problem(
                f"release {release.name!r} is declared by component {part.name!r}, and {taken[release.name]}",
                hint="give it another name",
            )
            for part in parts
            for release in part.declaration.releases
            if release.name in taken
        ),
    )


def _phases(part: Part) -> Iterator[tuple[str, Sequence[Hook]]]:
    """Yield the phases that have hooks."""
    if part.wiring.pre:
        yield "pre", part.wiring.pre
    if part.wiring.post:
        yield "post", part.wiring.post


def _number(stage: Stage) -> int:
    return stage.number


def _providers(hooks: Sequence[Hook], bound: Mapping[UseKey, Binding | None]) -> Iterator[tuple[str, str]]:
    """Yield the releases that serve what hooks act on, with what that is."""
    for hook in hooks:
        for use in hook.on:
            binding = bound.get(use.key)
            if binding and binding.offer.release:
                yield binding.offer.release, f"hook {hook.name!r} acts on {use.key}"


def edges_between(
    parts: Mapping[str, Part],
    bindings: Bindings,
    stages: Mapping[str, Stage],
    target: Target,
    apis: Collection[str],
) -> tuple[Edge, ...]:
    """Return what must be ready before what.

    Args:
        parts: the components.
        bindings: what they are bound to.
        stages: the stages of all releases.
        target: whose they are.
        apis: API groups that the cluster has beside Kubernetes' own.

    Raises:
        ComposeError: a release has objects of an API group that nobody brings.
    """
    bringers: dict[str, list[str]] = {}
    for part in parts.values():
        for release in part.declaration.releases:
            for api in release.brings:
                bringers.setdefault(api, []).append(release.name)
    edges = [
        Edge(
            namespace_release(target, namespace).name,
            foundation(target, namespace).name,
            "Helm makes the namespace for it",
        )
        for namespace in namespaces_of(parts, target)
    ]
    problems: list[Problem] = []
    for part in parts.values():
        edges += _own_edges(part, bindings[part.name])
        base = foundation(target, part.home.namespace).name
        for release in part.declaration.releases:
            edges.append(_after(base, release.name))
            for api in release.requires:
                if api not in bringers and api not in apis and api not in BUILT_IN_APIS:
                    problems.append(_missing_api(release, api, [*bringers, *apis]))
                edges += [
                    Edge(bringer, release.name, f"{release.name} has objects of {api}, which it brings")
                    for bringer in bringers.get(api, ())
                    if bringer != release.name
                ]
    raise_all(ComposeError, problems)
    needs = needs_of(edges)
    for part in parts.values():
        base = foundation(target, part.home.namespace).name
        edges += _hook_edges(part, bindings[part.name], needs, stages, base)
    return tuple(edges)


def _after(base: str, release: str) -> Edge:
    return Edge(base, release, "policies and Secrets stand before anything runs")


def _own_edges(part: Part, bound: Mapping[UseKey, Binding | None]) -> Iterator[Edge]:
    """Yield the edges of a component's releases from their needs and uses."""
    for release in part.declaration.releases:
        for need in release.needs:
            reason = release.reasons.get(need, f"component {part.name} says that {release.name} needs it")
            yield Edge(need, release.name, reason)
        for use in release.uses:
            binding = bound[use.key]
            if binding and binding.offer.release:
                yield Edge(binding.offer.release, release.name, f"{release.name} uses {use.key} of {binding.source}")


def _hook_edges(
    part: Part,
    bound: Mapping[UseKey, Binding | None],
    needs: Mapping[str, Sequence[str]],
    stages: Mapping[str, Stage],
    base: str,
) -> Iterator[Edge]:
    """Yield the edges of a component's hooks.

    A pre hook may act on a service that the component itself runs, or that needs one of the component's releases: it
    goes before the others alone. A release of an earlier stage that uses none of what a hook acts on does not wait.
    """
    for phase, hooks in _phases(part):
        hooked = f"{part.name}-{phase}"
        yield _after(base, hooked)
        providers = list(_providers(hooks, bound))
        yield from (Edge(provider, hooked, because) for provider, because in providers)
        acted_on = {use.key for hook in hooks for use in hook.on}
        first = _with_needs({provider for provider, _ in providers}, needs)
        for release in part.declaration.releases:
            if phase == "post":
                yield Edge(release.name, hooked, f"it is a post hook of {part.name}")
            elif release.name not in first and (
                release.stage.number >= stages[hooked].number or any(use.key in acted_on for use in release.uses)
            ):
                yield Edge(hooked, release.name, f"it is a pre hook of {part.name}")


def _with_needs(releases: set[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return releases and all that they need, through any number of steps."""
    found: set[str] = set()
    queue = list(releases)
    while queue:
        release = queue.pop()
        if release not in found:
            found.add(release)
            queue += needs.get(release, ())
    return found


def _missing_api(release: Release, api: str, known: Iterable[str]) -> Problem:
    return Problem(
        f"release {release.name!r} has objects of {api!r}, which no release and no cluster brings",
        hint=did_you_mean(api, known, otherwise="there are"),
    )


def needs_of(edges: Iterable[Edge]) -> Mapping[str, tuple[str, ...]]:
    """Return for each release what it needs, sorted."""
    needs: dict[str, set[str]] = {}
    for edge in edges:
        needs.setdefault(edge.after, set()).add(edge.before)
    return {name: tuple(sorted(before)) for name, before in needs.items()}
