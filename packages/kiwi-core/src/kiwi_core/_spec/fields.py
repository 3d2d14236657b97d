"""The fields of an attrs class, as data sees them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args, get_origin

import attrs

from kiwi_core._spec.fault import Fault, TypeForm, as_faults
from kiwi_core.errors import KiwiError

__all__ = ["Attribute", "Field", "data_attributes", "default_of", "diagnose", "fields_of", "kind_of", "origin_of"]

Attribute: TypeAlias = "attrs.Attribute[Any]"
"""An attrs attribute; a class's attributes have no common type of values."""

# The first is typed as a function by attrs, the second as not callable.
_FACTORY: Final[Any] = attrs.Factory
_CONVERTER: Final[Any] = attrs.Converter


@attrs.frozen(kw_only=True)
class Field:
    """A field that is part of the data.

    Attributes:
        key: its key in the data: the alias.
        attribute: as attrs has it.
        type: its type, with the type variables of its class filled in.
    """

    key: str
    attribute: Attribute
    type: TypeForm

    @property
    def is_required(self) -> bool:
        """Whether the data must have it."""
        return self.attribute.default is attrs.NOTHING


def origin_of(wanted: TypeForm) -> TypeForm:
    """Return a type without its arguments: ``tuple`` for ``tuple[int, ...]``."""
    origin: TypeForm = get_origin(wanted)
    return wanted if origin is None else origin


def kind_of(cls: type) -> str | None:
    """Return the kind that a class says it has; None where it says none, or where ``kind`` is a field."""
    kind = getattr(cls, "kind", None)
    return kind if isinstance(kind, str) else None


def data_attributes(cls: type) -> Iterator[tuple[str, Attribute]]:
    """Yield the attributes that are part of the data, with their keys: public ones that the constructor takes."""
    for attribute in attrs.fields(cls):
        if attribute.init and not attribute.name.startswith("_"):
            yield attribute.alias or attribute.name, attribute


def fields_of(cls: TypeForm) -> dict[str, Field]:
    """Return the fields of an attrs class, which may be generic, by key.

    Raises:
        NameError: an annotation names what cannot be imported at run time.
    """
    arguments = _arguments(cls)
    # The alias Json is recursive, so it is a text at run time: one that only its own module could read.
    attrs.resolve_types(origin_of(cls), localns={"Json": object})
    return {
        key: Field(
            key=key,
            attribute=attribute,
            type=object if attribute.type is None else _fill(attribute.type, arguments),
        )
        for key, attribute in data_attributes(origin_of(cls))
    }


def default_of(attribute: Attribute, instance: object) -> object:
    """Return the default of an attribute; ``attrs.NOTHING`` where it has none."""
    default: Any = attribute.default
    if isinstance(default, _FACTORY):
        return default.factory(instance) if default.takes_self else default.factory()
    return default


def diagnose(
    cls: type[object], values: Mapping[str, object], fields: Mapping[str, Field], wrong: Collection[str]
) -> list[Fault]:
    """Find every field that its own converter or validator refuses; attrs itself stops at the first.

    Args:
        cls: the class.
        values: the values of fields, by key.
        fields: the class's fields.
        wrong: keys of fields whose value is unknown, since it has a fault already.
    """
    instance = object.__new__(cls)
    faults: list[Fault] = []

    def attempt(key: str, action: Callable[[], object]) -> None:
        try:
            action()
        except (TypeError, ValueError, KiwiError) as error:
            faults.extend(fault.under(key) for fault in as_faults(error))
        except AttributeError:
            # It reads another field, one that has a fault of its own.
            return

    known = {key: field for key, field in fields.items() if key in values or not (field.is_required or key in wrong)}
    for key, field in known.items():
        attempt(key, functools.partial(_fill_in, instance, field.attribute, values.get(key, attrs.NOTHING)))
    for key, field in known.items():
        attribute = field.attribute
        if key in values and attribute.validator is not None and hasattr(instance, attribute.name):
            attempt(key, functools.partial(attribute.validator, instance, attribute, getattr(instance, attribute.name)))
    return faults


def _fill_in(instance: object, attribute: Any, value: object) -> None:  # the stubs know no parameters of a converter
    if value is attrs.NOTHING:
        value = default_of(attribute, instance)
    converter = attribute.converter
    if isinstance(converter, _CONVERTER):
        value = converter(value, instance, attribute)
    elif converter is not None:
        value = converter(value)
    object.__setattr__(instance, attribute.name, value)


def _arguments(cls: TypeForm) -> dict[TypeForm, TypeForm]:
    """Return what the type variables of a class and of its bases stand for."""
    origin = origin_of(cls)
    known: dict[TypeForm, TypeForm] = dict(zip(getattr(origin, "__parameters__", ()), get_args(cls), strict=False))
    for base in getattr(origin, "__orig_bases__", ()):
        if get_origin(base) is not Generic:
            known |= {variable: _fill(argument, known) for variable, argument in _arguments(base).items()}
    return known


def _fill(wanted: TypeForm, arguments: Mapping[TypeForm, TypeForm]) -> TypeForm:
    if isinstance(wanted, TypeVar):
        return arguments.get(wanted, wanted.__bound__ or object)
    parameters = getattr(wanted, "__parameters__", ())
    return wanted[tuple(_fill(parameter, arguments) for parameter in parameters)] if parameters else wanted
