"""Ways to change one thing of a tenant or a cluster that keeps the contract, and the rows of the table of mutations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

import attrs
from contract_stack import LINE, Altered, Scene
from kiwi_core import Component, Declaration, Lane, Offer, Secret, Value, Wiring, Workload
from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import CUSTOMER, Layer, merge
from kiwi_core._derive.lock import LockEntry

Change: TypeAlias = Callable[[Scene], Scene]


def both(*changes: Change) -> Change:
    def change(scene: Scene) -> Scene:
        for one in changes:
            scene = one(scene)
        return scene

    return change


def scene(**fields: object) -> Change:
    """Replace fields of the scene."""
    return lambda scene: attrs.evolve(scene, **fields)  # type: ignore[arg-type]


def tenant(**fields: object) -> Change:
    return lambda scene: attrs.evolve(scene, tenant=attrs.evolve(scene.tenant, **fields))  # type: ignore[arg-type]


def cluster(**fields: object) -> Change:
    return lambda scene: attrs.evolve(scene, cluster=attrs.evolve(scene.cluster, **fields))  # type: ignore[arg-type]


def evidence(**fields: object) -> Change:
    return lambda scene: attrs.evolve(scene, evidence=attrs.evolve(scene.evidence, **fields))  # type: ignore[arg-type]


def joined(*components: Component) -> Change:
    """Add components to the tenant."""
    return lambda scene: attrs.evolve(scene, components=(*scene.components, *components))


def _component(name: str, change: Callable[[Altered], Altered]) -> Change:
    def altered(item: Component) -> Component:
        return change(item) if isinstance(item, Altered) and item.name == name else item

    return lambda scene: attrs.evolve(scene, components=tuple(map(altered, scene.components)))


def declares(component: str, change: Callable[[Declaration], Declaration]) -> Change:
    """Change a component's declaration, after whatever changes it already."""

    def altered(item: Altered) -> Altered:
        first = item.declares

        def again(declaration: Declaration) -> Declaration:
            return change(first(declaration))

        return attrs.evolve(item, declares=again)

    return _component(component, altered)


def wires(component: str, change: Callable[[Wiring], Wiring]) -> Change:
    """Change a component's wiring, after whatever changes it already."""

    def altered(item: Altered) -> Altered:
        first = item.wires

        def again(wiring: Wiring) -> Wiring:
            return change(first(wiring))

        return attrs.evolve(item, wires=again)

    return _component(component, altered)


OWNERS: Final = {"app": "app", "worker": "app", "db": "db", "litellm": "litellm", "llm-db": "litellm", "nginx": "nginx"}


def declared(release: str, /, **fields: object) -> Change:
    """Change what is declared of a release."""

    def change(declaration: Declaration) -> Declaration:
        releases = tuple(
            attrs.evolve(item, **fields) if item.name == release else item  # type: ignore[arg-type]
            for item in declaration.releases
        )
        return attrs.evolve(declaration, releases=releases)

    return declares(OWNERS[release], change)


def values(release: str, tree: Mapping[str, Value]) -> Change:
    """Merge values into the component's overlay."""

    def change(wiring: Wiring) -> Wiring:
        overlay = {**wiring.overlay, release: merge((wiring.overlay[release], tree))}
        return attrs.evolve(wiring, overlay=overlay)

    return wires(OWNERS[release], change)


def secret(name: str, data: Mapping[str, object], component: str = "app") -> Change:
    """Add a Secret to a component; it is in no checksum."""
    added = Secret(name, data)  # type: ignore[arg-type]
    return wires(component, lambda wiring: attrs.evolve(wiring, secrets=(*wiring.secrets, added)))


def hook(phase: Literal["pre", "post"], component: str = "app", /, **fields: object) -> Change:
    """Change the hook of a phase of a component."""

    def change(wiring: Wiring) -> Wiring:
        hooks = tuple(attrs.evolve(item, **fields) for item in getattr(wiring, phase))
        return attrs.evolve(wiring, pre=hooks) if phase == "pre" else attrs.evolve(wiring, post=hooks)

    return wires(component, change)


def overlay(release: str, tree: Mapping[str, Value], origin: str = CUSTOMER) -> Change:
    """Add a layer of values, the customer's or a lane's."""
    layer = Layer(origin=origin, file=f"overlays/{release}.yaml", values=tree, line=lambda _: LINE)
    return lambda scene: attrs.evolve(
        scene, overlays={**scene.overlays, release: (*scene.overlays.get(release, ()), layer)}
    )


def chart(name: str, /, **fields: object) -> Change:
    """Change the pin of a chart."""
    return lambda scene: attrs.evolve(
        scene,
        charts={**scene.charts, name: attrs.evolve(scene.charts[name], **fields)},  # type: ignore[arg-type]
    )


def image(name: str, /, **fields: object) -> Change:
    """Change the pin of an image."""
    return lambda scene: attrs.evolve(
        scene,
        images={**scene.images, name: attrs.evolve(scene.images[name], **fields)},  # type: ignore[arg-type]
    )


def capture(name: str, /, **facts: object) -> Change:
    """Change what was captured of a chart."""
    return lambda scene: attrs.evolve(
        scene,
        captures={**scene.captures, name: attrs.evolve(scene.captures[name], **facts)},  # type: ignore[arg-type]
    )


def uncaptured(name: str) -> Change:
    return lambda scene: attrs.evolve(
        scene, captures={key: item for key, item in scene.captures.items() if key != name}
    )


def schema(**facts: object) -> Change:
    """Change the captured history of the schema."""
    return lambda scene: attrs.evolve(
        scene,
        schemas={"acme/app": attrs.evolve(scene.schemas["acme/app"], **facts)},  # type: ignore[arg-type]
    )


def stack(change: Callable[[Stack], Stack]) -> Change:
    """Change the stack after it was composed."""
    return lambda scene: attrs.evolve(scene, change=change)


def locked(change: Callable[[LockEntry], LockEntry | None]) -> Change:
    """Change what the lock says of each credential, or take it out."""

    def changed(found: Stack) -> Stack:
        lock = found.inputs.lock
        assert lock is not None
        entries = {name: entry for name, old in lock.credentials.items() if (entry := change(old))}
        return attrs.evolve(found, inputs=attrs.evolve(found.inputs, lock=attrs.evolve(lock, credentials=entries)))

    return stack(changed)


def composed(release: str, change: Callable[[StackRelease], StackRelease]) -> Change:
    """Change a release after the stack was composed."""
    return stack(
        lambda stack: attrs.evolve(
            stack, releases=tuple(change(item) if item.name == release else item for item in stack.releases)
        )
    )


def having(release: str, /, **fields: object) -> Change:
    """Replace fields of a release after the stack was composed."""
    return composed(release, lambda item: attrs.evolve(item, **fields))  # type: ignore[arg-type]


def config(value: Value, key: str = "SETTING") -> Change:
    """Set a value in the part of the chart's values that takes any key."""
    return values("app", {"config": {key: value}})


def manifest(kind: str, release: str = "app", /, **fields: Value) -> Change:
    """Add an object to the manifests that the chart of a release renders as they are."""
    found: Value = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "extra"}, **fields}
    return values(release, {"extraManifests": [found]})


def policy(foundation: str = "foundation", /, **spec: Value) -> Change:
    """Add a policy to what a foundation applies, after the stack was composed."""
    extra: Value = {"name": "extra", "because": "a test", "spec": {"podSelector": {}, **spec}}

    def change(release: StackRelease) -> StackRelease:
        base = release.layers[0]
        allow = base.values["allow"]
        assert isinstance(allow, list)
        return attrs.evolve(release, layers=(attrs.evolve(base, values={**base.values, "allow": [*allow, extra]}),))

    return composed(foundation, change)


def wired(component: str = "app", /, **fields: object) -> Change:
    """Replace fields of the wiring of a component."""
    return wires(component, lambda wiring: attrs.evolve(wiring, **fields))  # type: ignore[arg-type]


def offered(*offers: Offer, component: str = "db") -> Change:
    """Add offers to those of a component."""
    return declares(component, lambda found: attrs.evolve(found, offers=(*found.offers, *offers)))


def works(*workloads: Workload, component: str = "app") -> Change:
    """Add workloads to those of a component."""
    return wires(component, lambda wiring: attrs.evolve(wiring, network=(*wiring.network, *workloads)))


def cluster_tree(**fields: object) -> Change:
    """Change what the cluster was built to."""

    def change(found: Stack) -> Stack:
        tree = found.inputs.cluster_tree
        assert tree is not None
        changed = attrs.evolve(tree, **fields)  # type: ignore[arg-type]
        return attrs.evolve(found, inputs=attrs.evolve(found.inputs, cluster_tree=changed))

    return stack(change)


@attrs.frozen(kw_only=True)
class Row:
    """A mutation.

    Attributes:
        rule: the rule that it breaks.
        said: what a finding of that rule says, all of it in one.
        lane: the lane in which it is found.
        start: what is changed: a tenant, or a cluster.
    """

    rule: str
    name: str
    change: Change
    said: tuple[str, ...]
    lane: Lane = Lane.DEV
    start: type[Scene] = Scene

    def __str__(self) -> str:
        return f"{self.rule}-{self.name}"


def row(rule: str, name: str, change: Change, *said: str, lane: Lane = Lane.DEV, start: type[Scene] = Scene) -> Row:
    """Return a mutation, and what a finding says of it."""
    return Row(rule=rule, name=name, change=change, said=said, lane=lane, start=start)
