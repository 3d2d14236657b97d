"""What a chart would do with a release's values, as far as its capture tells, and how rules read those values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kiwi_core._compose.stack import StackRelease
from kiwi_core._compose.values import get, merge
from kiwi_core._model.capture import UNSAID, ChartCapture, Subchart
from kiwi_core._model.late import Late, Path, Pin, Value, parts_of, skeleton
from kiwi_core.errors import Where

__all__ = [
    "active_subcharts",
    "capture_command",
    "effective",
    "image_pins",
    "is_on",
    "leads",
    "named_leaves",
    "place",
    "text_of",
]


def effective(release: StackRelease, capture: ChartCapture) -> Mapping[str, Value]:
    """Return the chart's defaults under the release's values."""
    return merge((capture.values, release.values))


def is_on(guards: Iterable[str], tree: Mapping[str, Value]) -> bool | None:
    """Say whether all guards are true as Helm sees it; None when one of them cannot be said from values."""
    unsaid = False
    for guard in guards:
        if guard == UNSAID:
            unsaid = True
        elif not _truthy(guard, tree):
            return False
    return None if unsaid else True


def _truthy(path: str, tree: Mapping[str, Value]) -> bool:
    try:
        value = get(tree, tuple(path.split(".")))
    except KeyError:
        return False
    return bool(value)


def active_subcharts(capture: ChartCapture, tree: Mapping[str, Value]) -> Iterator[Subchart]:
    """Yield the subcharts that are switched on: the first condition that is true or false decides, none means on."""
    for subchart in capture.subcharts:
        for condition in subchart.conditions:
            try:
                value = get(tree, tuple(condition.split(".")))
            except KeyError:
                continue
            if isinstance(value, bool):
                if value:
                    yield subchart
                break
        else:
            yield subchart


def leads(path: Path, to: Path) -> bool:
    """Say whether a path is another one or one of its parents."""
    return to[: len(path)] == path


def named_leaves(release: StackRelease) -> Iterator[tuple[Path, str, Value]]:
    """Yield each leaf of a release's merged values with its path and what it is called.

    That is its last key, or in a list of ``{name: …, value: …}``, such as a container's ``env``, the name.
    """
    for path, leaf in release.leaves:
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        if path[-1:] == ("value",):
            try:
                beside = get(release.values, (*path[:-1], "name"))
            except KeyError:
                beside = None
            name = beside if isinstance(beside, str) else name
        yield path, name, leaf


def text_of(leaf: Value) -> str:
    """Return a value as a text, what is known only at deploy as a word; empty for what is no text."""
    if isinstance(leaf, Late):
        return skeleton(leaf, lambda _: "late")
    return leaf if isinstance(leaf, str) else ""


def image_pins(release: StackRelease) -> set[str]:
    """Return the names of the image pins in a release's values."""
    return {late.name for _, leaf in release.leaves for late in parts_of(leaf) if isinstance(late, Pin)}


def place(release: StackRelease, path: Path) -> Where | None:
    """Return the file and line that set a value; None for what no file says."""
    for layer in reversed(release.layers):
        if (line := layer.line(path)) is not None:
            return Where(layer.file or layer.origin, line)
    return None


def capture_command(release: StackRelease) -> str:
    """Return the command that captures the chart of a release."""
    name = release.chart.name if release.chart else release.declared.chart
    return f"kiwistack component capture chart <folder or .tgz of {name}> --out <package>/facts"
