"""What late values come to: exactly what the emitted template expressions give in helmfile (``_emit/writing.py``)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from kiwi_core._derive.taint import Derived
from kiwi_core._model.late import Credential, Late, Pin, Quoted, Text
from kiwi_core._model.pins import Pins

__all__ = ["encoder", "evaluate"]

_NO_PINS: Final = Pins()


def encoder(encoding: Iterable[str]) -> Callable[[str], str]:
    """Return the function that applies the steps of an encoding to what ``derivePassword`` gave.

    That is ASCII, as all that follows from it is, so that bytes and characters are one. The steps are looked up before
    there is a password, which a traceback could show.

    Args:
        encoding: steps such as ``sha1sum`` and ``trunc:20``: sprig's functions of these names.

    Raises:
        ValueError: there is no such step.
    """
    steps = [_step(step) for step in encoding]

    def encode(password: str) -> str:
        for step in steps:
            password = step(password)
        return password

    return encode


def _step(step: str) -> Callable[[str], str]:
    name, _, argument = step.partition(":")
    match name:
        case "sha1sum":
            # No security rests on it: it turns a password into characters that every reader takes.
            return lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        case "sha256sum":
            return lambda text: hashlib.sha256(text.encode()).hexdigest()
        case "b64enc":
            return lambda text: base64.b64encode(text.encode()).decode()
        case "trunc":
            length = int(argument)
            return lambda text: text[:length]
        case "prefix":
            return lambda text: argument + text
        case _:
            raise ValueError(f"there is no encoding {step!r}")


def evaluate(value: str | Late, derived: Mapping[Credential, Derived], pins: Pins = _NO_PINS) -> str:
    """Return what a value comes to at deploy: the secret itself, for its sink.

    Args:
        value: a literal, a credential, a pin, or what joins them.
        derived: the value of every credential in it.
        pins: the lane's pins, where it names one.

    Raises:
        KeyError: a credential or an image pin is not among those given.
        TypeError: it is a late value of no known form.
    """
    match value:
        case str():
            return value
        case Credential():
            return derived[value].reveal()
        case Quoted():
            # Go's urlquery leaves the same characters as they are, and the template makes its "+" a "%20".
            return quote(derived[value.value].reveal(), safe="")
        case Pin():
            return pins.text(value)
        case Text():
            return "".join(evaluate(part, derived, pins) for part in value.segments)
        case _:
            raise TypeError(f"unknown late value {value!r}")
