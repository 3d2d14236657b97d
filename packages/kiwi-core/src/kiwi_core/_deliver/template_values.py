"""What a template does with a chart's values, told without running it.

Each expression gets the set of things that it may be: paths into the values, text that prints one of them as a whole,
records and lists built on the way, constants, or something that cannot be told. Functions that can reach into a map
are told apart one by one; all others only turn scalars into scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from kiwi_core._deliver.go_templates import Constant
from kiwi_core._model.capture import ANY

__all__ = [
    "NIL",
    "UNKNOWN",
    "Constant",
    "Items",
    "Path",
    "Printed",
    "Record",
    "Root",
    "Steps",
    "Unknown",
    "Uses",
    "Value",
    "is_empty",
    "paths_in",
    "shows_all",
]

Steps: TypeAlias = tuple[str, ...]

# A template that calls itself on what it finds builds ever longer paths; no chart's values are as deep as this.
MAX_STEPS: Final = 24


@attrs.frozen
class Root:
    """What Helm hands to a template: ``.Values``, ``.Release``, ``.Chart`` and so on."""


@attrs.frozen
class Path:
    """What the values hold at a path."""

    steps: Steps


@attrs.frozen
class Printed:
    """Text that prints all that the values hold at a path."""

    steps: Steps


@attrs.frozen
class Record:
    """A ``dict`` made in the template."""

    items: tuple[tuple[str, Value], ...]


@attrs.frozen
class Items:
    """A ``list`` made in the template."""

    items: tuple[Value, ...]


@attrs.frozen
class Unknown:
    """Something that cannot be told."""


Atom: TypeAlias = Root | Path | Printed | Record | Items | Constant | Unknown
Value: TypeAlias = frozenset[Atom]

Arguments: TypeAlias = tuple[Value, ...]
Handler: TypeAlias = "Callable[[Uses, Arguments], Value]"

NIL: Final[Value] = frozenset()
UNKNOWN: Final[Value] = frozenset({Unknown()})


@attrs.define
class Uses:
    """What templates were seen to do; filled while they are read.

    Attributes:
        reads: paths that are read.
        opened: paths that are handed on as a whole.
    """

    reads: set[Steps] = attrs.field(factory=set[Steps])
    opened: set[Steps] = attrs.field(factory=set[Steps])

    def step(self, value: Value, *names: str, quietly: bool = False) -> Value:
        """Return what a field, a key or (:data:`ANY`) every item of a value is; it is read, unless quietly."""
        found: set[Atom] = set()
        for atom in value:
            for name in names:
                found |= self._child(atom, name, quietly=quietly)
        return frozenset(found)

    def open(self, value: Value) -> None:
        """Note that all that a value holds is handed on."""
        self.opened.update(path.steps for path in paths_in(value) if path.steps)

    def call(self, function: str, arguments: tuple[Value, ...]) -> Value:
        """Return what a function of Go, sprig or Helm gives, ``include`` apart."""
        # Each "must" function is its twin that gives an error instead of nothing.
        plain = function.removeprefix("must")
        name = plain[:1].lower() + plain[1:]
        handler = FUNCTIONS.get(name, _scalar)
        return handler(self, arguments)

    def _child(self, atom: Atom, name: str, *, quietly: bool) -> Value:
        match atom:
            case Path(steps) if len(steps) < MAX_STEPS:
                steps = (*steps, name)
                if not quietly:
                    self.reads.add(steps)
                return frozenset({Path(steps)})
            case Record(items):
                return _join(item for key, item in items if ANY in {key, name} or key == name)
            case Items(items):
                return _join(item for index, item in enumerate(items) if name in {str(index), ANY})
            case Root() if name == "Values":
                return frozenset({Path(())})
            case _:
                return UNKNOWN


def paths_in(value: Value) -> Iterator[Path]:
    """Yield the paths that a value is or holds."""
    for atom in value:
        match atom:
            case Path():
                yield atom
            case Record(items):
                for _, item in items:
                    yield from paths_in(item)
            case Items(items):
                for item in items:
                    yield from paths_in(item)
            case _:
                pass


def shows_all(value: Value) -> bool:
    """Say whether all of the values are in reach of whoever is given this one."""
    for atom in value:
        match atom:
            case Root() | Path(()):
                return True
            case Record(items):
                inside = [item for _, item in items]
            case Items(items):
                inside = list(items)
            case _:
                inside = []
        if any(map(shows_all, inside)):
            return True
    return False


def is_empty(atom: Atom) -> bool:
    """Say whether a constant, a record or a list is surely false to a template."""
    match atom:
        case Constant(text):
            return text in {"", "false", "nil", "0"}
        case Record(items) | Items(items):
            return not items
        case _:
            return False


def _names(key: Value) -> tuple[str, ...]:
    """Return the keys that a value may be; all of them when it cannot be told."""
    names = tuple(sorted(atom.text for atom in key if isinstance(atom, Constant)))
    return names if names and len(names) == len(key) else (ANY,)


def _join(values: Iterable[Value]) -> Value:
    return frozenset[Atom]().union(*values)


def _scalar(_uses: Uses, arguments: Arguments) -> Value:
    """Text or a number made of some: where it comes from is kept, what it says is not."""
    joined = _join(arguments)
    return frozenset(atom if isinstance(atom, Path | Printed) else Unknown() for atom in joined) or UNKNOWN


def _told(_uses: Uses, _arguments: Arguments) -> Value:
    """Nothing of what goes in can be followed further."""
    return UNKNOWN


def _any(_uses: Uses, arguments: Arguments) -> Value:
    return _join(arguments)


def _first(_uses: Uses, arguments: Arguments) -> Value:
    return _join(arguments[:1])


def _first_two(_uses: Uses, arguments: Arguments) -> Value:
    return _join(arguments[:2])


def _last(_uses: Uses, arguments: Arguments) -> Value:
    return _join(arguments[-1:])


def _merge(uses: Uses, arguments: Arguments) -> Value:
    uses.open(_join(arguments))
    return _join(arguments)


def _print(uses: Uses, arguments: Arguments) -> Value:
    # `tpl` has the context as its second argument.
    value = _join(arguments[:1])
    uses.open(value)
    printed: set[Atom] = {Printed(path.steps) for path in paths_in(value)}
    return frozenset(printed | {atom for atom in value if isinstance(atom, Printed)}) or UNKNOWN


def _parse(_uses: Uses, arguments: Arguments) -> Value:
    return frozenset(Path(atom.steps) if isinstance(atom, Printed) else Unknown() for atom in _join(arguments))


def _dict(_uses: Uses, arguments: Arguments) -> Value:
    items: dict[str, Value] = {}
    for key, item in zip(arguments[::2], arguments[1::2], strict=False):
        for name in _names(key):
            items[name] = items.get(name, NIL) | item
    return frozenset({Record(tuple(items.items()))})


def _list(_uses: Uses, arguments: Arguments) -> Value:
    return frozenset({Items(arguments)})


def _append(_uses: Uses, arguments: Arguments) -> Value:
    return _join(arguments[:1]) | {Items(arguments[1:])}


def _set(uses: Uses, arguments: Arguments) -> Value:
    # Where the changed map goes is not followed.
    uses.open(_join(arguments[2:]))
    return _join(arguments[:1])


def _index(uses: Uses, arguments: Arguments) -> Value:
    value = _join(arguments[:1])
    for key in arguments[1:]:
        value = uses.step(value, *_names(key))
    return value


def _has_key(uses: Uses, arguments: Arguments) -> Value:
    _index(uses, arguments)
    return UNKNOWN


def _dig(uses: Uses, arguments: Arguments) -> Value:
    *keys, otherwise, value = arguments if len(arguments) > 1 else (UNKNOWN, UNKNOWN)
    return _index(uses, (value, *keys)) | otherwise


def _pluck(uses: Uses, arguments: Arguments) -> Value:
    return frozenset({Items((_index(uses, (_join(arguments[1:]), *arguments[:1])),))})


def _keys(uses: Uses, arguments: Arguments) -> Value:
    uses.step(_join(arguments), ANY)
    return UNKNOWN


def _values(uses: Uses, arguments: Arguments) -> Value:
    return frozenset({Items((uses.step(_join(arguments), ANY),))})


def _item(uses: Uses, arguments: Arguments) -> Value:
    return uses.step(_join(arguments), ANY)


HANDLERS: Final[tuple[tuple[Handler, str], ...]] = (
    (_any, "default coalesce or and concat int int64 float64 toString quote squote trim"),
    (_first, "deepCopy compact uniq sortAlpha reverse rest initial slice without pick omit unset"),
    (_first_two, "ternary"),
    (_last, "required nindent indent"),
    (_merge, "merge mergeOverwrite"),
    (_print, "toYaml toYamlPretty toJson toPrettyJson toRawJson toToml tpl"),
    (_parse, "fromYaml fromYamlArray fromJson fromJsonArray fromToml"),
    (_dict, "dict"),
    (_list, "list tuple"),
    (_append, "append prepend push"),
    (_set, "set"),
    (_index, "index get"),
    (_has_key, "hasKey"),
    (_dig, "dig"),
    (_pluck, "pluck"),
    (_keys, "keys"),
    (_values, "values"),
    (_item, "first last"),
    (_told, "not eq ne lt le gt ge has hasPrefix hasSuffix contains empty len kindIs kindOf typeIs typeOf typeIsLike"),
    (_told, "deepEqual any all regexMatch semver semverCompare lookup until untilStep seq split splitList splitn"),
    (_told, "regexSplit sha1sum sha256sum sha512sum adler32sum fail now uuidv4"),
)
# All other functions take and give scalars.
FUNCTIONS: Final[Mapping[str, Handler]] = {name: handler for handler, names in HANDLERS for name in names.split()}
