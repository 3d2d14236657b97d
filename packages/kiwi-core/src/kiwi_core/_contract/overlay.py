"""Rule d: upstream values are never edited; the overlay is applied last, wins, and sets only what exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import CUSTOMER, Layer, get
from kiwi_core._contract.chart import capture_command, leads
from kiwi_core._contract.credentials import secret_names
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.capture import ChartCapture
from kiwi_core._model.late import Late, Path, Pin, Value, leaves
from kiwi_core.errors import did_you_mean, dotted

__all__ = ["RULES"]

LETTER = "d"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Look at every layer of every release: where it stands, what it touches, and whether the chart knows its keys."""
    names = secret_names(stack)
    for release in stack.releases:
        yield from _last(release)
        for layer in release.layers[1:]:
            yield from _protected(release, layer, names)
        if release.role == "component":
            yield from _known(release)


def _last(release: StackRelease) -> Iterator[Result]:
    for layer in release.layers[:-1]:
        if layer.origin == CUSTOMER:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"the customer's overlay is followed by that of {release.layers[-1].origin}",
                fix="the customer's overlay is applied last and wins",
            )


def _protected(release: StackRelease, layer: Layer, names: set[str]) -> Iterator[Result]:
    subject = f"release {release.name}"
    if release.role != "component":
        what = "the foundation" if release.role == "foundation" else "a hook release"
        yield finding(
            LETTER,
            subject,
            f"{layer.origin} sets values of {what}",
            where=layer.where(()),
            fix="what it holds follows from bindings and declarations: change those",
        )
        return
    wired = {path: _why(path, leaf, names) for path, leaf in leaves(release.layers[0].values)}
    wired = {path: why for path, why in wired.items() if why}
    if release.capture:
        for image in release.capture.images:
            steps = tuple(image.path.split(".")) if image.path else ()
            wired.update({(*steps, key): "an image: pin it in images.yaml" for key in image.keys})
    for path, leaf in leaves(layer.values):
        hits = [(place, why) for place, why in wired.items() if leads(path, place) or leads(place, path)]
        if not hits and path and path[-1] in {"namespace", "namespaceOverride"} and leaf:
            hits = [(path, "the namespace")]
        if hits:
            place, why = hits[0]
            yield finding(
                LETTER,
                subject,
                f"{layer.origin} sets {dotted(path)}, which would touch {dotted(place)}: {why}",
                where=layer.where(path),
                fix="take it out of the overlay; what is wired follows from pins, bindings and the seed",
            )


def _why(path: Path, leaf: Value, names: set[str]) -> str | None:
    if isinstance(leaf, Pin):
        return "an image: pin it in images.yaml"
    if isinstance(leaf, Late):
        return "the wiring of a credential"
    if isinstance(leaf, str) and leaf in names:
        return f"the wiring of Secret {leaf!r}"
    if any(isinstance(step, str) and step.startswith("checksum/") for step in path):
        return "the checksum that restarts consumers"
    return None


def _known(release: StackRelease) -> Iterator[Result]:
    subject = f"release {release.name}"
    capture = release.capture
    if capture is None:
        if any(layer.values for layer in release.layers):
            version = release.chart.version if release.chart else "of the package"
            yield unproven(
                LETTER,
                subject,
                f"chart {release.declared.chart} {version} was not captured: nobody can say which keys it has",
                fix=capture_command(release),
            )
        return
    clean = True
    for layer in release.layers:
        for keys in _keys(layer.values):
            path: Path = keys
            known = capture.knows(keys)
            if known:
                continue
            clean = False
            where = layer.where(path) if layer.file else None
            if known is None:
                message = f"{layer.origin} sets {dotted(path)}, a key of a subchart that was not captured"
                yield unproven(LETTER, subject, message, where=where)
            else:
                yield finding(
                    LETTER,
                    subject,
                    f"{layer.origin} sets {dotted(path)}, which chart {capture.name} {capture.version} does not have",
                    where=where,
                    fix=_hint(capture, keys),
                )
    if clean:
        yield passed(LETTER, subject, f"every key is one of chart {capture.name} {capture.version}")


def _keys(values: Mapping[str, Value], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all leaves, lists being leaves."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, (*path, key))
        else:
            yield (*path, key)


def _hint(capture: ChartCapture, path: tuple[str, ...]) -> str:
    """Name what is close to the first step that the chart does not know."""
    depth = next(depth for depth in range(1, len(path) + 1) if not capture.knows(path[:depth]))
    try:
        parent = get(capture.values, path[: depth - 1])
    except KeyError:
        parent = {}
    known = set(parent) if isinstance(parent, Mapping) else set[str]()
    prefix = path[: depth - 1]
    for read in capture.reads:
        steps = tuple(read.split("."))
        if len(steps) >= depth and steps[: depth - 1] == prefix:
            known.add(steps[depth - 1])
    return did_you_mean(path[depth - 1], known, otherwise=f"{dotted(prefix) or 'the chart'} has")


RULES = (Rule(letter=LETTER, title="overlay", check=check),)
