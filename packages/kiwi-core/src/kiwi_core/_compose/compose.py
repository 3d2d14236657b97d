"""Compose: from inputs to a stack. The same inputs give the same stack on any machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from kiwi_core._compose.asking import ask
from kiwi_core._compose.bind import Binding, Bindings, Declared, bind, declare, name_of
from kiwi_core._compose.edges import Placed, edges_between, namespaces_of, needs_of, place
from kiwi_core._compose.order import order
from kiwi_core._compose.phase import Phase, phases_in
from kiwi_core._compose.phases import phases_of, schema_checks
from kiwi_core._compose.platform import HOOKS_CHART, foundation_layer, hooks_layer, namespace_layer
from kiwi_core._compose.policies import policies
from kiwi_core._compose.policy import Policy
from kiwi_core._compose.resolve import Resolver
from kiwi_core._compose.sharing import with_gateways
from kiwi_core._compose.stack import ChartFiles, Inputs, Package, Part, Stack, StackRelease
from kiwi_core._compose.values import Layer, check_values
from kiwi_core._model.bound import Bound
from kiwi_core._model.capture import ChartCapture
from kiwi_core._model.cluster import Cluster, Target
from kiwi_core._model.component import Gateway, Release, Wiring
from kiwi_core._model.lane import Lane
from kiwi_core._model.late import Pin, late_leaves
from kiwi_core._model.pins import Pins
from kiwi_core._model.secrets import Secret
from kiwi_core._model.service import UseKey
from kiwi_core.errors import ComposeError, OverlayError, PinError, Problem, Where, did_you_mean, raise_all

__all__ = ["compose"]


def compose(inputs: Inputs) -> Stack:
    """Bind, wire, order and merge.

    Raises:
        ComposeError: the components do not fit together (see :mod:`kiwi_core._compose.bind`), or the order has a cycle.
        OverlayError: an overlay of a release that the target does not have, or a value that cannot reach Helm.
        PinError: a chart or an image that is used has no pin.
        PluginError: a component's own code fails.
    """
    target = inputs.target
    if isinstance(target, Cluster):
        with_gateways(target, inputs.packages)  # refuses what could not be shared
    declared = declare(target.components, inputs.packages)
    resolver = Resolver(generations=target.generations, seed_mark=inputs.lock.seed if inputs.lock else "")
    bindings = bind(declared, target, inputs.cluster, resolver.binding)
    parts = {
        item.name: Part(
            component=item.component,
            home=target.home(item.component),
            declaration=item.declaration,
            wiring=resolver.wiring(_checked(_wire(item, bindings[item.name], inputs), item, inputs)),
            package=inputs.packages[item.component.kind],
        )
        for item in declared
    }
    _check_wirings(parts.values())
    placed = place(parts, bindings, target)
    stages = {item.release.name: item.release.stage for item in placed}
    edges = edges_between(parts, bindings, stages, target, inputs.cluster.apis)
    sequence = order(stages, edges, rank=lambda name: (stages[name].number, name))
    phases = _phases(parts, bindings, resolver, inputs.pins.pins)
    network = policies(parts, bindings, phases, namespaces_of(parts, target), inputs.cluster)
    layers = _layers(parts, phases, placed, network, inputs, resolver)
    _check_generations(layers, target)
    _check_pins(placed, layers, parts, inputs)
    needs = needs_of(edges)
    needed = {edge.before for edge in edges}
    releases = {
        (release := item.release).name: StackRelease(
            role=item.role,
            component=item.component,
            declared=release,
            namespace=item.namespace,
            chart=inputs.pins.pins.charts.get(release.chart),
            own_chart=(own := _own_chart(item.component, release, parts, inputs)),
            capture=_capture(own, item.component, release, parts, inputs),
            needs=needs.get(release.name, ()),
            wait=release.wait or release.name in needed,
            layers=layers[release.name],
        )
        for item in placed
    }
    return Stack(
        inputs=inputs,
        parts=parts,
        bindings=bindings,
        phases=phases,
        releases=tuple(releases[name] for name in sequence),
        edges=edges,
        policies=network,
    )


def _wire(item: Declared, bound: Mapping[UseKey, Binding | None], inputs: Inputs) -> Wiring:
    values = {key: binding.value if binding else None for key, binding in bound.items()}
    customers = inputs.cluster.customers if isinstance(item.component, Gateway) else ()
    read = Bound(
        component=item.name,
        home=inputs.target.home(item.component),
        customers=customers,
        bindings=values,
    )
    return ask(name_of(item.component, inputs.packages), "wire()", lambda: item.component.wire(read), Wiring)


def _checked(wiring: Wiring, item: Declared, inputs: Inputs) -> Wiring:
    """Put the checks of the schema contracts before the component's own hooks."""
    checks = schema_checks(wiring.schema, inputs.packages[item.component.kind], inputs.pins.pins)
    return attrs.evolve(wiring, pre=(*checks, *wiring.pre))


def _phases(parts: Mapping[str, Part], bindings: Bindings, resolver: Resolver, pins: Pins) -> Mapping[str, Phase]:
    """Return the phases that have hooks, by the release that runs them."""
    found: dict[str, Phase] = {}
    problems: list[Problem] = []
    secrets: dict[str, dict[str, Secret]] = {}
    for part in parts.values():
        secrets.setdefault(part.home.namespace, {}).update((secret.name, secret) for secret in part.wiring.secrets)
    for part in parts.values():
        here = secrets[part.home.namespace]
        try:
            for phase in phases_of(part, bindings[part.name], here, resolver, pins):
                found[phase.release] = phase
                if phase.secret and phase.secret.name in here:
                    message = f"component {part.name!r} declares Secret {phase.secret.name!r}, which its hooks have"
                    problems.append(Problem(message, hint="give it another name"))
        except ComposeError as error:
            problems += error.problems
    raise_all(ComposeError, problems)
    return found


def _check_wirings(parts: Iterable[Part]) -> None:
    problems: list[Problem] = []
    owners: dict[tuple[str, str], str] = {}
    for part in parts:
        releases = {release.name for release in part.declaration.releases}
        for name in part.wiring.overlay:
            if name not in releases:
                hint = did_you_mean(name, releases, otherwise="its releases are")
                problems.append(
                    Problem(f"component {part.name!r} sets values of {name!r}, which it does not declare", hint=hint)
                )
        for secret in part.wiring.secrets:
            key = (part.home.namespace, secret.name)
            if key in owners:
                problems.append(Problem(f"Secret {secret.name!r} is declared twice, by {owners[key]} and {part.name}"))
            owners[key] = part.name
        problems += _hook_problems(part)
    raise_all(ComposeError, problems)


def _hook_problems(part: Part) -> Iterator[Problem]:
    used = {use.key: None for release in part.declaration.releases for use in release.uses}
    for phase, hooks in (("pre", part.wiring.pre), ("post", part.wiring.post)):
        seen: set[str] = set()
        for hook in hooks:
            if hook.name in seen:
                yield Problem(f"component {part.name!r} has two {phase} hooks named {hook.name!r}")
            seen.add(hook.name)
            what = f"{phase} hook {hook.name!r} of component {part.name!r}"
            for use in hook.on:
                if use.key not in used:
                    hint = did_you_mean(str(use.key), map(str, used), otherwise="its releases use")
                    yield Problem(f"{what} acts on {use.key}, which none of its releases uses", hint=hint)


def _check_generations(layers: Mapping[str, Sequence[Layer]], target: Target) -> None:
    """Refuse a rotation of what is not there: nothing would rotate."""
    if not target.generations:
        return
    named = {late.name for item in layers.values() for layer in item for _, late in late_leaves(layer.values)}
    raise_all(
        ComposeError,
        (
            Problem(
                f"generations names the credential {name!r}, which {target.title} does not have",
                hint=did_you_mean(name, named, otherwise="it has"),
            )
            for name in target.generations
            if name not in named
        ),
    )


def _layers(
    parts: Mapping[str, Part],
    phases: Mapping[str, Phase],
    placed: Sequence[Placed],
    network: Sequence[Policy],
    inputs: Inputs,
    resolver: Resolver,
) -> Mapping[str, tuple[Layer, ...]]:
    names = [item.release.name for item in placed]
    problems = [
        Problem(
            f"an overlay of {name!r}, which is no release of {inputs.target.title}",
            Where(layers[0].file or layers[0].origin) if layers else None,
            did_you_mean(name, names, otherwise="its releases are"),
        )
        for name, layers in inputs.overlays.items()
        if name not in names
    ]
    result: dict[str, tuple[Layer, ...]] = {}
    for item in placed:
        release, component = item.release, item.component
        match item.role:
            case "namespace":
                base = namespace_layer(inputs.target)
            case "foundation":
                here = [part for part in parts.values() if part.home.namespace == item.namespace]
                secrets = [secret for part in here for secret in part.wiring.secrets]
                secrets += [phase.secret for part in here for phase in phases_in(part.name, phases) if phase.secret]
                allowed = (policy for policy in network if policy.namespace == item.namespace)
                base = foundation_layer(inputs.target, here, secrets, allowed)
            case "hooks":
                base = hooks_layer(phases[release.name], resolver)
            case "component":
                part = parts[component]
                overlay = part.wiring.overlay.get(release.name, {})
                base = Layer(origin=f"component {component} ({part.package})", values=overlay)
        problems += check_values(base.values, file=f"{base.origin}, release {release.name}")
        result[release.name] = (base, *inputs.overlays.get(release.name, ()))
    raise_all(OverlayError, problems)
    return result


def _package(component: str, parts: Mapping[str, Part], inputs: Inputs) -> Package:
    return parts[component].package if component else inputs.packages[""]


def _own_chart(component: str, release: Release, parts: Mapping[str, Part], inputs: Inputs) -> ChartFiles | None:
    if release.chart in inputs.local_charts:
        return inputs.local_charts[release.chart]
    own = inputs.packages[""] if release.chart == HOOKS_CHART else _package(component, parts, inputs)
    return own.charts.get(release.chart)


def _capture(
    own: ChartFiles | None, component: str, release: Release, parts: Mapping[str, Part], inputs: Inputs
) -> ChartCapture | None:
    pin = inputs.pins.pins.charts.get(release.chart)
    version = pin.version if pin else own.version if own else ""
    name = pin.name if pin else release.chart
    package = inputs.packages[""] if release.chart == HOOKS_CHART else _package(component, parts, inputs)
    return package.captures.get((name, version))


def _check_pins(
    placed: Sequence[Placed], layers: Mapping[str, Sequence[Layer]], parts: Mapping[str, Part], inputs: Inputs
) -> None:
    pins = inputs.pins.pins
    problems: list[Problem] = []
    for item in placed:
        release = item.release
        floats = inputs.lane is Lane.DEV and _own_chart(item.component, release, parts, inputs)
        if release.chart not in pins.charts and not floats:
            problems.append(_missing("chart", release.chart, release, pins.charts, inputs.pins.charts_file))
        named = [late for layer in layers[release.name] for _, late in late_leaves(layer.values)]
        used = (*release.images, *(late.name for late in named if isinstance(late, Pin)))
        problems += [
            _missing("image", name, release, pins.images, inputs.pins.images_file)
            for name in used
            if name not in pins.images
        ]
    raise_all(PinError, problems)


def _missing(what: str, name: str, release: Release, known: Iterable[str], file: str) -> Problem:
    hint = did_you_mean(name, known, otherwise="the file has") + f"; add an entry {name!r} to {file}"
    return Problem(f"there is no {what} pin {name!r}, which release {release.name!r} needs", Where(file), hint)
