"""Rule d: upstream values are never edited; the overlay is applied last, wins, and sets only what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import CUSTOMER, Layer, get
from kiwi_core._contract.chart import capture_command, leads
from kiwi_core._contract.references import is_reference, secret_names
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven, unproven
from kiwi_core._model.capture import ChartCapture
from kiwi_core._model.late import Late, Path, Pin, Value, leaves
from kiwi_core.errors import did_you_mean, dotted

__all__ = ["RULES"]

LETTER = "d"

IMAGE: Final = "an image: pin it in images.yaml"
IMAGE_KEYS: Final = ("registry", "repository", "tag", "digest")
SECRET_KEYS: Final = "*secret*"  # noqa: S105 -- a pattern
NAMESPACE_KEYS: Final = frozenset({"namespace", "namespaceOverride"})
# What kiwi_core.checksum gives.
CHECKSUM: Final = re.compile(r"k[0-9a-f]{31}")


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Look at every layer of every release: where it stands, what it touches, and whether the chart knows its keys."""
    for release in stack.releases:
        yield from _last(release, stack)
        if release.layers[1:]:
            wired = _wired(release, secret_names(release.component, stack))
            for layer in release.layers[1:]:
                yield from _protected(release, layer, wired)
        if release.role == "component":
            yield from _known(release)


def _last(release: StackRelease, stack: Stack) -> Iterator[Result]:
    subject = f"release {release.name}"
    for layer in release.layers[:-1]:
        if layer.origin == CUSTOMER:
            yield finding(
                LETTER,
                subject,
                f"the customer's overlay is followed by that of {release.layers[-1].origin}",
                fix="the customer's overlay is applied last and wins",
            )
    for layer in stack.inputs.overlays.get(release.name, ()):
        if layer not in release.layers[1:]:
            yield finding(
                LETTER,
                subject,
                f"the overlay of {layer.origin} is not among its values",
                where=layer.where(()),
                fix="report this: every overlay that is read is applied",
            )


def _wired(release: StackRelease, names: set[str]) -> Mapping[Path, str]:
    """Return what an overlay must leave alone, with the reason: the component's wiring, and every image."""
    wired: dict[Path, str] = {}
    for path, leaf in leaves(release.layers[0].values):
        why = _why(leaf, names)
        if why == IMAGE:
            wired.update({(*path[:-1], key): IMAGE for key in IMAGE_KEYS})
        if why:
            wired[path] = why
        if is_reference(leaf, names):
            # The switch of the section, where the component sets it, and what says which key of the Secret is which.
            beside = get(release.layers[0].values, path[:-1])
            keys = {"enabled"} & beside.keys() if isinstance(beside, Mapping) else set[str]()
            wired.update({(*path[:-1], key): f"the wiring of Secret {leaf!r}" for key in (*keys, SECRET_KEYS)})
    for image in release.capture.images if release.capture else ():
        steps = tuple(image.path.split(".")) if image.path else ()
        wired.update({(*steps, key): IMAGE for key in image.keys})
    return wired


def _why(leaf: Value, names: set[str]) -> str | None:
    if isinstance(leaf, Pin):
        return IMAGE
    if isinstance(leaf, Late):
        return "the wiring of a credential"
    if isinstance(leaf, str) and leaf in names:
        return f"the wiring of Secret {leaf!r}"
    if isinstance(leaf, str) and CHECKSUM.fullmatch(leaf):
        return "the checksum that restarts consumers"
    return None


def _protected(release: StackRelease, layer: Layer, wired: Mapping[Path, str]) -> Iterator[Result]:
    subject = f"release {release.name}"
    if release.role != "component":
        what = "a hook release" if release.role == "hooks" else f"the {release.role}"
        yield finding(
            LETTER,
            subject,
            f"{layer.origin} sets values of {what}",
            where=layer.where(()),
            fix="what it holds follows from bindings and declarations: change those",
        )
        return
    for path, leaf in _set(layer.values):
        # An empty map is merged into a map that is there, and changes nothing.
        joins = isinstance(leaf, Mapping)
        hits = [(at, why) for at, why in wired.items() if _leads(at, path) or (leads(path, at) and not joins)]
        if path[-1] in NAMESPACE_KEYS and leaf:
            hits.append((path, "the namespace"))
        if hits:
            at, why = hits[0]
            yield finding(
                LETTER,
                subject,
                f"{layer.origin} sets {dotted(path)}, which would touch {dotted(at)}: {why}",
                where=layer.where(path),
                fix="take it out of the overlay; what is wired follows from pins, bindings and the seed",
            )


def _leads(at: Path, path: Path) -> bool:
    """Say whether what is set at a path lies at or in what is wired; :data:`SECRET_KEYS` is any key of such a name."""
    if at[-1:] != (SECRET_KEYS,):
        return leads(at, path)
    above = at[:-1]
    return leads(above, path) and len(path) > len(above) and "secret" in str(path[len(above)]).lower()


def _known(release: StackRelease) -> Iterator[Result]:
    subject = f"release {release.name}"
    capture = release.capture
    if capture is not None:
        every = passed(LETTER, subject, f"every key is one of chart {capture.name} {capture.version}")
        yield from proven(_keys(release, capture), every)
    elif any(layer.values for layer in release.layers):
        version = release.chart.version if release.chart else "of the package"
        yield unproven(
            LETTER,
            subject,
            f"chart {release.declared.chart} {version} was not captured: nobody can say which keys it has",
            fix=capture_command(release),
        )


def _keys(release: StackRelease, capture: ChartCapture) -> Iterator[Result]:
    subject = f"release {release.name}"
    for layer in release.layers:
        for keys, _ in _set(layer.values):
            known = capture.knows(keys)
            if known:
                continue
            path: Path = keys
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


def _set(values: Mapping[str, Value], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield what a layer sets as Helm merges it: all leaves with their paths, a list being one, since it is replaced."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _set(value, (*path, key))
        else:
            yield (*path, key), value


def _hint(capture: ChartCapture, path: tuple[str, ...]) -> str:
    """Name what is close to the first step that the chart does not know."""
    depth = next(depth for depth in range(1, len(path) + 1) if not capture.knows(path[:depth]))
    prefix = path[: depth - 1]
    known: set[str] = set()
    try:
        parent = get(capture.values, prefix)
    except KeyError:
        parent = None
    if isinstance(parent, Mapping):
        known.update(parent)
    for read in capture.reads:
        steps = tuple(read.split("."))
        if len(steps) >= depth and steps[: depth - 1] == prefix:
            known.add(steps[depth - 1])
    return did_you_mean(path[depth - 1], known, otherwise=f"{dotted(prefix) or 'the chart'} has")


RULES = (Rule(letter=LETTER, title="overlay", check=check),)
