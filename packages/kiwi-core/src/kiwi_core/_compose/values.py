"""Layers of values: the component's, the lane's, the customer's; merged as Helm merges, each value with its origin."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._model.late import Late, Path, Text, Value
from kiwi_core.errors import Problem, Where, dotted

__all__ = ["CUSTOMER", "Layer", "check_values", "get", "merge", "origins"]

MAX_SAFE_INTEGER: Final = 2**53
"""Helm reads numbers as 64-bit floats: beyond this, integers lose digits."""


MAX_KEY: Final = 1000
"""The length of a key in quotes, escapes included; beyond 1,024 it is no simple key (YAML 1.2, section 7.4.2)."""

CUSTOMER: Final = "the customer"
"""The origin of the layer that is applied last and wins."""


def _no_line(_path: Path) -> int | None:
    return None


@attrs.frozen(kw_only=True)
class Layer:
    """One layer of values of one release.

    Attributes:
        origin: whose it is, as a reader of ``explain`` wants to know it.
        file: where it stands, where it is a file.
        values: the values.
        line: gives the line of a path in the file.
    """

    origin: str
    file: str | None = None
    values: Mapping[str, Value]
    line: Callable[[Path], int | None] = attrs.field(default=_no_line, eq=False, repr=False)

    def where(self, path: Path) -> Where:
        """Return the place of a value in this layer."""
        return Where(self.file or self.origin, self.line(path), path)


def merge(layers: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    """Merge layers as Helm does: maps are joined key by key, all else is replaced, the last layer wins.

    A null stays in the result: Helm takes it as "remove the chart's default".
    """
    result: dict[str, Value] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            result[key] = merge((old, value)) if both else value  # type: ignore[arg-type]
    return result


def get(tree: Value, path: Path) -> Value:
    """Return what stands at a path.

    Raises:
        KeyError: nothing does.
    """
    for step in path:
        if isinstance(tree, Mapping) and isinstance(step, str):
            tree = tree[step]
        elif isinstance(tree, list | tuple) and isinstance(step, int):
            try:
                tree = tree[step]
            except IndexError:
                raise KeyError(path) from None
        else:
            raise KeyError(path)
    return tree


def origins(layers: Sequence[Layer], path: Path) -> tuple[Layer, ...]:
    """Return the layers that say something at a path or below it, the one that wins last."""
    found: list[Layer] = []
    for layer in layers:
        try:
            get(layer.values, path)
        except KeyError:
            continue
        found.append(layer)
    return tuple(found)


def check_values(values: Value, *, file: str, path: Path = ()) -> Iterator[Problem]:
    """Find what could not reach Helm as it is meant: foreign types, unsafe numbers, text that is not Unicode."""
    match values:
        case Text():
            for segment in values.segments:
                yield from check_values(segment, file=file, path=path)
        case None | bool() | Late():
            return
        case int() if abs(values) > MAX_SAFE_INTEGER:
            yield Problem(
                f"the integer {values} is beyond ±2^53: Helm would change its last digits",
                Where(file, None, path),
                "make it a text",
            )
        case int():
            return
        case float() if not math.isfinite(values):
            yield Problem(f"{values} is no number that JSON or YAML can carry", Where(file, None, path))
        case float():
            return
        case str():
            try:
                values.encode()
            except UnicodeEncodeError as error:
                hint = "half of a surrogate pair cannot be written as UTF-8"
                yield Problem(f"the text {values!r} is not Unicode: {error.reason}", Where(file, None, path), hint)
        case Mapping():
            for key, item in values.items():
                yield from _check_key(key, file, path)
                yield from check_values(item, file=file, path=(*path, key))
        case list() | tuple():
            for index, item in enumerate(values):
                yield from check_values(item, file=file, path=(*path, index))
        case other:
            yield Problem(
                f"found {other!r} ({type(other).__name__}) at {dotted(path)}",
                Where(file, None, path),
                "values are texts, numbers, booleans, null, lists and maps of these, and late values",
            )


def _check_key(key: object, file: str, path: Path) -> Iterator[Problem]:
    if isinstance(key, str):
        yield from check_values(key, file=file, path=(*path, key))
        # An escape has six letters at most.
        if 6 * len(key) > MAX_KEY and len(json.dumps(key)) > MAX_KEY:
            message = f"the key {key[:40]!r}… has {len(key)} characters: no reader of YAML takes one so long"
            yield Problem(message, Where(file, None, path), "make it shorter, or make a list of it")
    else:
        yield Problem(f"the key {key!r} is of type {type(key).__name__}, expected a text", Where(file, None, path))
