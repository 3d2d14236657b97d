"""Validators of fields that several parts of the model have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from kiwi_core._model.late import LAST_GENERATION

__all__ = ["each_text", "external_ports", "generations", "many", "port", "ports", "some_ports", "texts"]

port: Final = attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(65535))
"""A TCP port."""


# An Attribute is invariant in its type, and this serves tuples of everything. Authors' code is unchecked.
def many(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse one where many are wanted: ``uses=(DB)`` is not a tuple.

    Raises:
        TypeError: it is no tuple.
    """
    if not isinstance(value, tuple):
        hint = "" if isinstance(value, list | set | frozenset) else f": write ({value!r},)"
        raise TypeError(f"{attribute.name}: found {value!r}, expected a tuple{hint}")


Texts: TypeAlias = "Callable[[object, attrs.Attribute[Any], tuple[str, ...]], None]"


def texts(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Check that values are texts, in a tuple.

    Raises:
        TypeError: they are not.
    """
    many(instance, attribute, value)
    for text in value:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- authors' code is unchecked
            raise TypeError(f"{attribute.name}: found {text!r}, expected a text")


def each_text(problem_of: Callable[[str], str | None], *, form: Texts = texts) -> Texts:
    """Return a validator of texts.

    Args:
        problem_of: says what is wrong with one of them; None when nothing is.
        form: looks at them first.
    """

    def validate(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
        form(instance, attribute, value)
        if problems := [problem for text in value if (problem := problem_of(text))]:
            raise ValueError(f"{attribute.name}: {'; '.join(problems)}")

    return validate


ports: Final = attrs.validators.and_(many, attrs.validators.deep_iterable(port))
"""Any number of TCP ports."""

some_ports: Final = attrs.validators.and_(ports, attrs.validators.min_len(1))
"""One TCP port or more: to a NetworkPolicy, none are all."""


def generations(_instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, int]) -> None:
    """Check generations of credentials by name.

    Raises:
        ValueError: a name is none, or a generation is out of range.
    """
    for name, generation in value.items():
        if not all(name.partition("/")[::2]):
            raise ValueError(f"{attribute.name}: {name!r} is no credential such as 'onyx/postgres/onyx'")
        if not 1 <= generation <= LAST_GENERATION:
            raise ValueError(f"{attribute.name}: {name!r} has generation {generation}, expected 1 to {LAST_GENERATION}")


_EXTERNAL: Final = re.compile(r"([1-9]\d{0,4})/(tcp|udp)")


def external_ports(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Check that values are ports with their protocol, such as ``10000/udp``, each once.

    Raises:
        ValueError: one is not, or stands twice.
    """
    many(instance, attribute, value)
    for text in value:
        match = _EXTERNAL.fullmatch(str(text))  # a spec is Python and unchecked
        if match is None or int(match[1]) > 65535:  # noqa: PLR2004 -- the last port
            raise ValueError(f"{attribute.name}: {text!r} is no external port such as '10000/udp' or '25/tcp'")
        if value.count(text) > 1:
            raise ValueError(f"{attribute.name}: {text!r} stands twice")
