"""Which images the values of a chart choose: told from the values themselves and from the ``image:`` lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kiwi_core._deliver.chart_values import get_value
from kiwi_core._deliver.template_objects import Document
from kiwi_core._deliver.template_values import Steps, paths_in
from kiwi_core._model.capture import ANY, CapturedImage, Json

__all__ = ["chosen_images"]

PARTS: Final = ("registry", "repository", "image", "tag", "digest")


def chosen_images(values: Mapping[str, Json], found: Iterable[Document]) -> tuple[CapturedImage, ...]:
    """Return the images that values choose, by path.

    Args:
        values: the chart's default values.
        found: what its templates print.
    """
    chosen: dict[Steps, set[str]] = {
        steps: set(tree) & {*PARTS} for steps, tree in _maps((), values) if _names(steps, tree)
    }
    for document in found:
        for _, printed, _ in document.images():
            for steps, keys in _read(values, {path.steps for value in printed for path in paths_in(value)}):
                chosen.setdefault(steps, set()).update(keys)
    return tuple(_image(steps, keys, get_value(values, steps)) for steps, keys in sorted(chosen.items()))


def _names(steps: Steps, tree: Mapping[str, Json]) -> bool:
    """Say whether a map of the values names an image."""
    called = bool(steps) and "image" in steps[-1].lower()
    if isinstance(tree.get("repository"), str):
        return called or not tree.keys().isdisjoint({"tag", "digest"})
    return isinstance(tree.get("image"), str) and not tree.keys().isdisjoint({"tag", "digest", "registry"})


def _read(values: Mapping[str, Json], paths: Iterable[Steps]) -> Iterator[tuple[Steps, set[str]]]:
    """Yield the maps that an ``image:`` line reads an image from, with the keys that it reads."""
    groups: dict[Steps, set[str]] = {}
    for steps in paths:
        if not steps or ANY in steps:
            continue
        tree = get_value(values, steps)
        if isinstance(tree, Mapping):
            # Handed on as a whole, to a named template of a library.
            groups.setdefault(steps, set()).update(tree.keys() & {*PARTS})
        elif steps[-1] in PARTS or _speaks_of_image(steps):
            groups.setdefault(steps[:-1], set()).add(steps[-1])
    # A registry or a tag alone is a default that many share.
    return ((steps, keys) for steps, keys in groups.items() if keys - {"registry", "tag", "digest"})


def _speaks_of_image(steps: Steps) -> bool:
    last = steps[-1].lower()
    return ("image" in last and not last.endswith("registry")) or (
        last == "name" and len(steps) > 1 and "image" in steps[-2].lower()
    )


def _image(steps: Steps, keys: Iterable[str], tree: Json) -> CapturedImage:
    ordered = (*(key for key in PARTS if key in keys), *sorted(set(keys).difference(PARTS)))
    held: Mapping[str, Json] = tree if isinstance(tree, Mapping) else {}
    texts = {key: text for key in ordered if isinstance(text := held.get(key), str)}
    repository = texts.get("repository", texts.get("image", texts.get("name")))
    tag = texts.get("tag")
    if repository is not None and tag is None and "tag" not in keys:
        # A whole reference in one text: the colon of a tag stands after the last slash.
        start = repository.rfind("/") + 1
        name, colon, version = repository[start:].partition(":")
        if colon:
            repository, tag = repository[:start] + name, version
    return CapturedImage(path=".".join(steps), keys=ordered, repository=repository, tag=tag)


def _maps(steps: Steps, tree: Mapping[str, Json]) -> Iterator[tuple[Steps, Mapping[str, Json]]]:
    yield steps, tree
    for key, item in tree.items():
        if isinstance(item, Mapping):
            yield from _maps((*steps, key), item)
