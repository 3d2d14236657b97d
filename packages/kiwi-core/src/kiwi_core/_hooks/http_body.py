"""What HTTP seeds send, and compare with what a server has: trees of JSON with secrets in them. Pure."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, cast

import attrs

from kiwi_core._model.desired import Mounted
from kiwi_core._model.secrets import Sealed

__all__ = [
    "Body",
    "Placed",
    "SeedBody",
    "body_of",
    "check_body",
    "covers",
    "merged",
    "part",
    "replaced",
    "without",
]

SeedBody: TypeAlias = "None | bool | int | float | str | Sealed | Sequence[SeedBody] | Mapping[str, SeedBody]"
"""JSON as an author writes it, with secrets as leaves."""
Path: TypeAlias = tuple[str | int, ...]


@attrs.frozen
class Placed:
    """A secret, and where it stands."""

    path: Path
    secret: Mounted


@attrs.frozen(kw_only=True)
class Body:
    """A JSON mapping on its way to a server.

    Attributes:
        data: the mapping, with null wherever a secret stands.
        secrets: the secrets.
    """

    data: Mapping[str, object] = attrs.field(factory=dict[str, object])
    secrets: tuple[Placed, ...] = ()

    def filled(self, reveal: Callable[[Mounted], str]) -> dict[str, object]:
        """Return it with its secrets: for the server alone."""
        data = copy.deepcopy(dict(self.data))
        for placed in self.secrets:
            # As it was built: lists, and mappings with text as keys.
            holder = cast("dict[str | int, object]", data)
            for step in placed.path[:-1]:
                holder = cast("dict[str | int, object]", holder[step])
            holder[placed.path[-1]] = reveal(placed.secret)
        return data


def check_body(what: str, value: object) -> None:
    """Check that a value is JSON, with secrets as leaves.

    Raises:
        TypeError: it holds something else.
        ValueError: it holds a number that JSON has not.
    """
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str):
                raise TypeError(f"{what}: found {key!r} as a key, expected a text")
            check_body(f"{what}.{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("Sequence[object]", value)):
            check_body(f"{what}[{index}]", item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{what}: found {value!r}, expected a finite number")
    elif not isinstance(value, None | bool | int | float | str | Sealed):
        raise TypeError(f"{what}: found {value!r}, expected JSON or a secret")


def leaves_in(value: SeedBody) -> tuple[object, ...]:
    """Return all that is neither a mapping nor a list."""
    match value:
        case Mapping():
            return tuple(leaf for item in value.values() for leaf in leaves_in(item))
        case list() | tuple():
            return tuple(leaf for item in value for leaf in leaves_in(item))
        case _:
            return (value,)


def body_of(value: Mapping[str, SeedBody], seal: Callable[[Sealed], Mounted]) -> Body:
    """Return a mapping on its way to a server.

    Args:
        value: as the author wrote it.
        seal: gives the place where a secret is mounted.
    """
    secrets: list[Placed] = []
    data = _plain(value, (), secrets, seal)
    return Body(data=cast("Mapping[str, object]", data), secrets=tuple(secrets))


def _plain(value: SeedBody, path: Path, secrets: list[Placed], seal: Callable[[Sealed], Mounted]) -> object:
    if isinstance(value, Sealed):
        secrets.append(Placed(path, seal(value)))
        return None
    match value:
        case Mapping():
            return {key: _plain(item, (*path, key), secrets, seal) for key, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return [_plain(item, (*path, index), secrets, seal) for index, item in enumerate(value)]


def part(data: object, path: str) -> object:
    """Return what stands at a dotted path; None where nothing does."""
    for step in path.split(".") if path else ():
        data = cast("Mapping[str, object]", data).get(step) if isinstance(data, Mapping) else None
    return data


def replaced(data: Mapping[str, object], path: str, value: object) -> dict[str, object]:
    """Return a mapping with another value at a dotted path."""
    first, _, below = path.partition(".")
    item = data.get(first)
    inner = dict(cast("Mapping[str, object]", item)) if isinstance(item, Mapping) else dict[str, object]()
    return {**data, first: replaced(inner, below, value) if below else value}


def without(data: Mapping[str, object], paths: Iterable[str]) -> dict[str, object]:
    """Return a mapping without what stands at dotted paths."""
    rest = dict(data)
    for path in paths:
        first, _, below = path.partition(".")
        item = rest.get(first)
        if not below:
            rest.pop(first, None)
        elif isinstance(item, Mapping):
            rest[first] = without(cast("Mapping[str, object]", item), [below])
    return rest


def covers(found: object, wanted: object) -> bool:
    """Whether a server has what is wanted. It may have more in a mapping; the order of a list does not count."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return False
        there = cast("Mapping[str, object]", found)
        asked = cast("Mapping[str, object]", wanted)
        return all(key in there and covers(there[key], item) for key, item in asked.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and _cover_each(cast("list[object]", found), cast("list[object]", wanted))
    # True equals 1, and so does 1.0; to JSON only the last two are alike.
    return found == wanted and isinstance(found, bool) is isinstance(wanted, bool)


def _cover_each(found: Sequence[object], wanted: Sequence[object]) -> bool:
    if len(found) != len(wanted):
        return False
    left = list(found)
    # What asks for most goes first, so that it is not left with what another could have done without.
    for item in sorted(wanted, key=lambda item: len(str(item)), reverse=True):
        match = next((index for index, other in enumerate(left) if covers(other, item)), None)
        if match is None:
            return False
        del left[match]
    return True


def merged(found: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """Return what a server has, with what is wanted in its place: lists as wanted, mappings merged."""
    result = dict(found)
    for key, item in wanted.items():
        there = result.get(key)
        if isinstance(item, Mapping) and isinstance(there, Mapping):
            result[key] = merged(cast("Mapping[str, object]", there), cast("Mapping[str, object]", item))
        else:
            result[key] = item
    return result
