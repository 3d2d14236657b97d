"""What a chart would do with a release's values, as far as its capture tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kiwi_core._compose.stack import StackRelease
from kiwi_core._compose.values import get, merge
from kiwi_core._model.capture import UNSAID, ChartCapture, Subchart
from kiwi_core._model.late import Late, Path, Value

__all__ = ["active_subcharts", "capture_command", "effective", "is_on", "leads"]


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
    return isinstance(value, Late) or bool(value)


def active_subcharts(capture: ChartCapture, tree: Mapping[str, Value]) -> Iterator[Subchart]:
    """Yield the subcharts that are switched on: the first condition that exists decides, none means on."""
    for subchart in capture.subcharts:
        for condition in subchart.conditions:
            try:
                value = get(tree, tuple(condition.split(".")))
            except KeyError:
                continue
            if value is not False:
                yield subchart
            break
        else:
            yield subchart


def leads(path: Path, to: Path) -> bool:
    """Say whether a path is another one or one of its parents."""
    return to[: len(path)] == path


def capture_command(release: StackRelease) -> str:
    """Return the command that captures the chart of a release."""
    name = release.chart.name if release.chart else release.declared.chart
    return f"kiwistack component capture chart <folder or .tgz of {name}> --out <package>/facts/charts"
