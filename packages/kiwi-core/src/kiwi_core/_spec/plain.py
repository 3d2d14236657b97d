"""Values of the model as plain data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import attrs

from kiwi_core._spec.document import Steps
from kiwi_core._spec.fault import Fault, InvalidError, check
from kiwi_core._spec.fields import data_attributes, default_of, kind_of
from kiwi_core._spec.wording import found
from kiwi_core.errors import Problem

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["SCALARS", "plain"]

SCALARS: Final = (str, int, float, bool)
"""The types of plain data that hold nothing else; nothing derived from them is one."""


def plain(value: object, path: Steps, faults: list[Fault]) -> Json:
    """Return a value as plain data.

    Args:
        value: a value of the model, or plain data with such values in it.
        path: its path, for faults.
        faults: what plain data cannot hold is added here, and is null in the result.
    """
    if isinstance(value, enum.Enum):
        return plain(value.value, path, faults)
    if value is None or type(value) in SCALARS:
        try:
            check(value)
        except InvalidError as error:
            faults += (Fault(fault.problem, path) for fault in error.faults)
        return cast("Json", value)
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return [plain(item, (*path, index), faults) for index, item in enumerate(items)]
    if isinstance(value, Mapping):
        return _plain_mapping(cast("Mapping[object, object]", value), path, faults)
    if attrs.has(type(value)):
        return _plain_fields(value, path, faults)
    hint = f"write {value.__name__}(…)" if isinstance(value, type) else None
    message = f"found {found(value)}, expected text, a number, a list, a mapping or a value of the model"
    faults.append(Fault(Problem(message, hint=hint), path))
    return None


def _plain_mapping(value: Mapping[object, object], path: Steps, faults: list[Fault]) -> Json:
    data: dict[str, Json] = {}
    for key, item in value.items():
        name = key.value if isinstance(key, enum.Enum) else key
        if isinstance(name, str):
            data[name] = plain(item, (*path, name), faults)
        else:
            faults.append(Fault(Problem(f"found {found(key)} as a key, expected text"), path))
    return data


def _plain_fields(value: object, path: Steps, faults: list[Fault]) -> Json:
    kind = kind_of(type(value))
    data: dict[str, Json] = {} if kind is None else {"kind": kind}
    for key, attribute in data_attributes(type(value)):
        part: object = getattr(value, attribute.name)
        item = plain(part, (*path, key), faults)
        default = default_of(attribute, value)
        # Equal is not enough, since True equals 1; the repr of plain data tells them apart.
        if default is attrs.NOTHING or part != default or repr(item) != repr(plain(default, (), [])):
            data[key] = item
    return data
