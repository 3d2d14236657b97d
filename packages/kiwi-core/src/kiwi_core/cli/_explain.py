"""``kiwistack explain``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import get, origins
from kiwi_core._model.lane import Lane
from kiwi_core._model.late import Late, Value, late_leaves, leaves, skeleton
from kiwi_core._model.late import Path as ValuePath
from kiwi_core.errors import InputError, Problem, did_you_mean, dotted

__all__ = ["explain"]


def explain(*, path: Path, name: str, lane: str | None, as_json: bool) -> int:
    """Say where something comes from: a release, a value, a component, a host name, a pin, a policy or a Secret."""
    from kiwi_core import _engine as engine

    stack = engine.load(path, Lane(lane) if lane else None).stack
    lines = list(_lines(stack, name))
    if not lines:
        known = [*stack.by_name, *stack.parts, *stack.pins.images, *stack.pins.charts]
        known += [policy.name for policy in stack.policies]
        for part in stack.parts.values():
            known += [*part.wiring.hosts, *part.wiring.ports, *(secret.name for secret in part.wiring.secrets)]
        raise InputError(
            Problem(
                f"there is no {name!r} in {stack.target.title}", hint=did_you_mean(name, known, otherwise="there are")
            )
        )
    print(json.dumps(lines, indent=1) if as_json else "\n".join(lines))
    return 0


def _lines(stack: Stack, name: str) -> Iterator[str]:
    release, _, rest = name.partition(".")
    if rest and release in stack.by_name:
        yield from _value(stack.by_name[release], _steps(rest))
        return
    if name in stack.by_name:
        yield from _release(stack, stack.by_name[name])
    if name in stack.parts:
        yield from _component(stack, name)
    if name in stack.pins.images or name in stack.pins.charts:
        yield from _pin(stack, name)
    for policy in stack.policies:
        if policy.name == name:
            yield f"policy {name} of {policy.namespace}: {policy.because}"
            yield f"  {json.dumps(policy.spec)}"
    for part in stack.parts.values():
        if name in {*part.wiring.hosts, *part.wiring.ports}:
            yield f"{name} leads from outside to component {part.name}"
        for secret in part.wiring.secrets:
            if secret.name == name:
                yield f"Secret {name} of component {part.name}"
                yield from (f"  {key}: {_shown(value)}" for key, value in secret.data.items())


def _steps(text: str) -> ValuePath:
    """Read a dotted path; a number is a position in a list."""
    steps = text.replace("[", ".").replace("]", "").split(".")
    return tuple(int(step) if step.isdigit() else step for step in steps)


def _release(stack: Stack, release: StackRelease) -> Iterator[str]:
    chart = release.chart
    version = f"{chart.location}/{chart.name} {chart.version}" if chart else "shipped by the package"
    yield f"release {release.name} of {release.component or 'the platform'}, stage {release.stage}"
    if release.declared.because:
        yield f"  is there: {release.declared.because}"
    yield f"  chart {release.declared.chart}: {version}"
    for edge in stack.edges:
        if edge.after == release.name:
            yield f"  after {edge.before}: {edge.because}"
    for edge in stack.edges:
        if edge.before == release.name:
            yield f"  before {edge.after}: {edge.because}"
    for layer in release.layers:
        yield f"  values of {layer.origin}{f' ({layer.file})' if layer.file else ''}: {sum(1 for _ in leaves(layer.values))}"


def _component(stack: Stack, name: str) -> Iterator[str]:
    part = stack.parts[name]
    yield f"component {name} from {part.package}"
    for key, binding in stack.bindings[name].items():
        yield f"  uses {key}: " + (f"served by {binding.source}" if binding else "wanted, and nobody serves it")
    for offer in part.declaration.offers:
        yield f"  offers {offer.kind}/{offer.name}"


def _pin(stack: Stack, name: str) -> Iterator[str]:
    files = stack.inputs.pins
    if name in stack.pins.images:
        image = stack.pins.images[name]
        yield f"image {name}: {image.name}:{image.tag} ({files.where('images', name, 'tag')})"
        if name not in stack.used_images:
            yield "  no release uses it"
        for release in stack.releases:
            for path, late in late_leaves(release.values):
                if getattr(late, "name", None) == name:
                    yield f"  in {release.name}: {dotted(path)}"
    if name in stack.pins.charts:
        chart = stack.pins.charts[name]
        yield f"chart {name}: {chart.location}/{chart.name} {chart.version} ({files.where('charts', name, 'version')})"
        yield from (f"  of release {release.name}" for release in stack.releases if release.declared.chart == name)


def _value(release: StackRelease, path: ValuePath) -> Iterator[str]:
    found = origins(release.layers, path)
    if not found:
        default = _default(release, path)
        if default is not None:
            yield f"{release.name}.{dotted(path)} = {default} (the chart's default; no layer sets it)"
        return
    yield f"{release.name}.{dotted(path)} = {_shown(get(release.values, path))}"
    for layer in reversed(found):
        line = layer.line(path)
        place = f" ({layer.file}{f':{line}' if line else ''})" if layer.file else ""
        yield f"  {layer.origin}{place}: {_shown(get(layer.values, path))}"


def _default(release: StackRelease, path: ValuePath) -> str | None:
    try:
        return _shown(get(release.capture.values, path)) if release.capture else None
    except KeyError:
        return None


def _shown(value: Value) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Value) -> object:
    if isinstance(value, Late):
        return f"<{skeleton(value)}>"
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
