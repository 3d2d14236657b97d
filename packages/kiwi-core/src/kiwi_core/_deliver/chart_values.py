"""Walking a chart's default values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kiwi_core._deliver.template_values import Steps
from kiwi_core._model.capture import Json

__all__ = ["dotted_paths", "empty_paths", "get_value", "has_value", "lay_over", "may_be_open"]


def get_value(tree: Json, steps: Steps) -> Json:
    """Return what the values hold at a path; None when they hold nothing there."""
    for step in steps:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(step)
    return tree


def has_value(tree: Json, steps: Steps) -> bool:
    """Say whether the values hold something, if only null, at a path."""
    above = get_value(tree, steps[:-1])
    return not steps or (isinstance(above, Mapping) and steps[-1] in above)


def empty_paths(tree: Json, steps: Steps = ()) -> Iterator[Steps]:
    """Yield the paths of all that is ``{}`` or null: there is a place, and what goes there is not said."""
    if steps and (tree is None or tree == {}):
        yield steps
    if isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from empty_paths(item, (*steps, key))


def may_be_open(tree: Json, steps: Steps) -> bool:
    """Say whether what a template hands on as a whole can be a map: a number, a full text or a list is none."""
    value = get_value(tree, steps)
    return value is None or value == "" or isinstance(value, Mapping)


def lay_over(below: Mapping[str, Json], above: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return values with others laid over them, as Helm does: maps merge, null takes a key away."""
    result = dict(below)
    for key, item in above.items():
        under = result.get(key)
        if item is None and key in result:
            del result[key]
        elif isinstance(item, Mapping) and isinstance(under, Mapping):
            result[key] = lay_over(under, item)
        else:
            result[key] = item
    return result


def dotted_paths(paths: Iterable[Steps]) -> tuple[str, ...]:
    """Return paths as dotted texts, sorted; one with a dot in a step cannot be told so, and is left out."""
    return tuple(sorted({".".join(steps) for steps in paths if steps and not any("." in step for step in steps)}))
