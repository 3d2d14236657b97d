"""The one strict converter between plain data and the model.

It is a cattrs converter whose every rule is our own, since those of cattrs coerce: there ``2.9`` becomes 2, ``True``
becomes 1, ``"abc"`` becomes three texts, and unknown keys are dropped. Here nothing is changed silently, and all that
is wrong in a document is gathered, each with its path and line.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args

import attrs

from kiwi_core._spec.document import Lines, no_lines, place
from kiwi_core._spec.fault import (
    Fault,
    Hook,
    InvalidError,
    TypeForm,
    as_faults,
    check,
    each,
    invalid,
    items,
    mapping,
    unexpected,
)
from kiwi_core._spec.fields import Field, diagnose, fields_of, kind_of, origin_of
from kiwi_core._spec.plain import SCALARS, plain
from kiwi_core._spec.wording import expected, found, one_of
from kiwi_core.errors import InputError, KiwiError, Problem, SpecError, did_you_mean

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["Converter"]

T = TypeVar("T")

_LISTS = (tuple, list, collections.abc.Sequence)
_MAPPINGS = (dict, collections.abc.Mapping)
_UNIONS = (Union, types.UnionType)


class Converter:
    """Turns plain data into values of the model, and back.

    Plain data is what JSON can hold: mappings with text as keys, lists (tuples too), text, finite numbers, true, false
    and null. An attrs class is a mapping of its fields, by alias; private fields and those with ``init=False`` are no
    part of it. A class with a class variable ``kind`` has the key ``kind`` as well.

    Args:
        tagged: for an abstract base, the function that gives the class of a kind. It may raise a KiwiError, whose
            problems get their place where they have none.
    """

    def __init__(self, tagged: Mapping[type, Callable[[str], type]] = types.MappingProxyType({})) -> None:
        self._tagged = dict(tagged)

    def structure(
        self,
        data: object,
        cls: type[T],
        *,
        file: str,
        lines: Lines = no_lines,
        error: type[InputError] = SpecError,
    ) -> T:
        """Make a value of a class from plain data.

        Args:
            data: the data.
            cls: an attrs class, or any type that a field may have.
            file: where the data stands, for messages.
            lines: gives the line of a path into the data.
            error: what is raised.

        Raises:
            InputError: of the given class, with all that is wrong, in the order of lines.
            TypeError: a field's type has no strict rule.
        """
        try:
            return cast("T", self._hook(cls)(data, cls))
        except InvalidError as failure:
            faults = failure.faults
        problems = [
            attrs.evolve(fault.problem, where=fault.problem.where or place(file, lines, fault.path)) for fault in faults
        ]
        problems.sort(key=lambda problem: (problem.where and problem.where.line) or 0)
        raise error(*dict.fromkeys(problems))

    def unstructure(self, value: object, *, file: str = "the value", lines: Lines = no_lines) -> Json:
        """Return a value as plain data, from which ``structure`` makes an equal value.

        Fields that are equal to their default are left out.

        Args:
            value: a value of the model, or plain data with such values in it.
            file: where the value stands, for messages.
            lines: gives the line of a path into the data.

        Raises:
            SpecError: it holds something that plain data cannot hold.
        """
        faults: list[Fault] = []
        data = plain(value, (), faults)
        if faults:
            raise SpecError(*(attrs.evolve(fault.problem, where=place(file, lines, fault.path)) for fault in faults))
        return data

    def _hook(self, wanted: TypeForm) -> Hook:
        return cast("Hook", self._cattrs.get_structure_hook(wanted))

    @functools.cached_property
    def _cattrs(self) -> Any:  # a cattrs.Converter, whose methods take and give types of any form
        """The cattrs converter: it finds the rule for a type, keeps it, and unwraps NewTypes and aliases."""
        # Only reading needs it: the child that runs a spec starts without.
        from cattrs import Converter as CattrsConverter

        converter = CattrsConverter()
        for scalar in (*SCALARS, enum.Enum):
            converter.register_structure_hook(scalar, _scalar)
        for lax in (bytes, Path):
            converter.register_structure_hook(lax, _refuse)
        # Later rules are asked first: the first one shuts out what cattrs itself would take laxly, such as sets.
        rules: tuple[tuple[Callable[[TypeForm], bool], Callable[[TypeForm], Hook]], ...] = (
            (_is_class, lambda wanted: _refuse(None, wanted)),
            (attrs.has, self._class_rule),
            (self._is_abstract, self._abstract_rule),
            (lambda wanted: origin_of(wanted) in _LISTS, self._list_rule),
            (lambda wanted: origin_of(wanted) in _MAPPINGS, self._mapping_rule),
            (lambda wanted: origin_of(wanted) is Literal, _literal_rule),
            (lambda wanted: origin_of(wanted) in _UNIONS, self._union_rule),
            (lambda wanted: wanted is object or wanted is Any, lambda _: _json),
        )
        for predicate, rule in rules:
            converter.register_structure_hook_factory(predicate, rule)
        return converter

    def _list_rule(self, wanted: TypeForm) -> Hook:
        members = get_args(wanted) or (object, ...)
        if origin_of(wanted) is not tuple or members[-1] is ...:
            member = members[0]
            hook = self._hook(member)

            def many(value: object, _: TypeForm) -> object:
                parts = each((index, hook, member, item) for index, item in enumerate(items(value)))
                return parts if origin_of(wanted) is list else tuple(parts)

            return many
        hooks = [self._hook(member) for member in members]

        def fixed(value: object, _: TypeForm) -> object:
            parts = items(value)
            if len(parts) != len(members):
                raise invalid(f"found a list of {len(parts)}, expected one of {len(members)}")
            return tuple(each(zip(range(len(parts)), hooks, members, parts, strict=True)))

        return fixed

    def _mapping_rule(self, wanted: TypeForm) -> Hook:
        key, member = get_args(wanted) or (str, object)
        key_hook, hook = self._hook(key), self._hook(member)

        def structure(value: object, _: TypeForm) -> object:
            data = mapping(value, wanted)
            names = each((name, key_hook, key, name) for name in data)
            return dict(zip(names, each((name, hook, member, item) for name, item in data.items()), strict=True))

        return structure

    def _union_rule(self, wanted: TypeForm) -> Hook:
        members = get_args(wanted)
        forms = [form for member in members if (form := _compound(member))]
        if len(forms) != len(set(forms)):
            raise TypeError(f"{wanted} has no strict rule: two of its members are written alike")
        hooks = [(member, self._hook(member)) for member in members if member is not type(None)]

        def structure(value: object, _: TypeForm) -> object:
            if value is None and type(None) in members:
                return None
            failure = unexpected(value, wanted)
            for member, hook in hooks:
                try:
                    return hook(value, member)
                except InvalidError as error:
                    # The only member, or the one that is written like the value, tells more than the list of all.
                    if len(hooks) == 1 or _compound(member) == _compound(type(value)) != "":
                        failure = error
            raise failure

        return structure

    def _is_abstract(self, wanted: TypeForm) -> bool:
        cls = origin_of(wanted)
        if not isinstance(cls, type):
            return False
        return cls in self._tagged or (kind_of(cls) is None and any(issubclass(cls, base) for base in self._tagged))

    def _abstract_rule(self, wanted: TypeForm) -> Hook:
        base: type = origin_of(wanted)
        find = next(function for known, function in self._tagged.items() if issubclass(base, known))

        def structure(value: object, _: TypeForm) -> object:
            data = mapping(value, wanted)
            if "kind" not in data:
                raise invalid("the field 'kind' is missing, expected text")
            kind = data["kind"]
            if not isinstance(kind, str):
                raise unexpected(kind, str, at=("kind",))
            try:
                cls = find(kind)
            except KiwiError as error:
                raise InvalidError(*(fault.under("kind") for fault in as_faults(error))) from None
            if not issubclass(cls, base):
                raise invalid(f"the kind {kind!r} is {found(cls)}, expected a {base.__name__}", at=("kind",))
            return self._hook(cls)(value, cls)

        return structure

    def _class_rule(self, wanted: TypeForm) -> Hook:
        # Classes refer to each other: their fields are looked up when the first value comes.
        fields = functools.cache(lambda: fields_of(wanted))
        return lambda value, _: self._instance(mapping(value, wanted), origin_of(wanted), fields())

    def _instance(self, data: Mapping[str, object], cls: type[object], fields: Mapping[str, Field]) -> object:
        kind = kind_of(cls)
        faults: list[Fault] = []
        values: dict[str, object] = {}
        for key, value in data.items():
            try:
                if key in fields:
                    values[key] = self._hook(fields[key].type)(value, fields[key].type)
                elif key != "kind" or kind is None:
                    raise invalid(f"{cls.__name__} has no field {key!r}", did_you_mean(key, fields, otherwise="fields"))
                elif value != kind:
                    raise invalid(f"found {found(value)}, expected {kind!r}")
            except InvalidError as error:
                faults += (fault.under(key) for fault in error.faults)
        faults += (
            Fault(Problem(f"the field {key!r} is missing, expected {expected(field.type)}"))
            for key, field in fields.items()
            if field.is_required and key not in data
        )
        if faults:
            raise InvalidError(*faults, *diagnose(cls, values, fields, data.keys() - values.keys()))
        try:
            # In the data and in the constructor alike, a field is named by its alias.
            return cls(**values)
        except (TypeError, ValueError, KiwiError) as error:
            raise InvalidError(*diagnose(cls, values, fields, ()) or as_faults(error)) from None


def _is_class(wanted: TypeForm) -> bool:
    # Annotated is a class up to Python 3.12; cattrs unwraps it.
    return isinstance(origin_of(wanted), type) and origin_of(wanted) is not Annotated


def _compound(wanted: TypeForm) -> str:
    """Return the form that values of a type are written in, when they hold others; empty for scalars."""
    origin = origin_of(wanted)
    if origin in _LISTS:
        return "list"
    return "mapping" if origin in _MAPPINGS or attrs.has(origin) else ""


def _scalar(value: object, wanted: type) -> object:
    """Take exactly a text, an integer, a float (an integer for one, too), a boolean, or the value of an enum."""
    if issubclass(wanted, enum.Enum):
        return _choice(value, [(member.value, member) for member in wanted])
    if wanted not in SCALARS:
        _refuse(value, wanted)
    if type(value) is not wanted and not (wanted is float and type(value) is int):
        raise unexpected(value, wanted)
    check(value)
    return value


def _literal_rule(wanted: TypeForm) -> Hook:
    choices = [(member.value if isinstance(member, enum.Enum) else member, member) for member in get_args(wanted)]
    return lambda value, _: _choice(value, choices)


def _choice(value: object, choices: Iterable[tuple[object, object]]) -> object:
    written = [choice for choice, _ in choices]
    for choice, meant in choices:
        # True equals 1, and so does 1.0: the type decides as well.
        if type(choice) is type(value) and choice == value:
            return meant
    texts = [choice for choice in written if isinstance(choice, str)]
    hint = did_you_mean(value, texts) if isinstance(value, str) and texts else None
    raise invalid(f"found {found(value)}, expected {one_of(written)}", hint)


def _json(value: object, _: TypeForm) -> object:
    if isinstance(value, list | tuple):
        each((index, _json, object, item) for index, item in enumerate(items(cast("object", value))))
    elif isinstance(value, Mapping):
        each((key, _json, object, item) for key, item in mapping(cast("object", value), dict).items())
    elif value is None or type(value) in SCALARS:
        check(value)
    else:
        raise invalid(f"found {found(value)}, expected JSON: text, numbers, true, false, null, lists or mappings")
    # The checks above narrow it to partly unknown types.
    return cast("Json", value)


def _refuse(_value: object, wanted: TypeForm) -> NoReturn:
    raise TypeError(f"{wanted} has no strict rule: the converter takes no such field")
