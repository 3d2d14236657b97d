"""What stands for a credential where its value must not be: its fingerprint, in the form that the value would have.

Charts look at what they are given (``required``, a length in a ``values.schema.json``, ``b64dec``), so a placeholder is
as long as the value, and goes through the same last steps of the encoding. It begins with ``fp-`` and holds the digits
of the fingerprint in ``secrets.lock``; where that has none, it begins with ``nofp-``, and its digits are a hash of the
name alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote

from kiwi_core._derive.evaluate import encoder
from kiwi_core._derive.lock import Lock, LockEntry, names_of
from kiwi_core._model.capture import Json
from kiwi_core._model.late import Credential, External, Late, Pin, Quoted, Text, Value
from kiwi_core._model.pins import Pins

__all__ = ["PREFIX", "Named", "Placeholders", "fill"]

PREFIX: Final = "fp-"
"""What every placeholder holds."""
NONE: Final = f"no{PREFIX}"

LENGTHS: Final[Mapping[str, int]] = {"maximum": 20, "long": 14, "medium": 8, "short": 4, "basic": 8, "pin": 4}
"""How long what each template of ``derivePassword`` gives is."""
HASHES: Final[Mapping[str, int]] = {"sha1sum": 40, "sha256sum": 64}
SHORTEST: Final = 12
"""A shorter value is not worth its form: what stands for it has to be found again."""
USUAL: Final = 40

BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
DEEPEST: Final = 2
"""How often base64 may lie within base64."""

Named: TypeAlias = Credential | External
"""What a placeholder stands for."""


class Placeholders:
    """The placeholders of a stack's credentials and externals.

    Args:
        credentials: every credential.
        externals: every external.
        lock: the fingerprints; None where there are none.

    Raises:
        CredentialError: two credentials would have one name.
    """

    def __init__(self, credentials: Iterable[Credential], externals: Iterable[External], lock: Lock | None) -> None:
        names = names_of(credentials)
        locked: Mapping[str, LockEntry] = lock.credentials if lock else {}
        self._texts: dict[Named, str] = {}
        for name, late in names.items():
            entry = locked.get(name)
            known = entry.fingerprint if entry and entry.generation == late.generation else None
            self._texts[late] = _placeholder(late, name, known)
        for external in externals:
            self._texts[external] = _form(NONE, f"external {external.name}", USUAL)
        self.names: Mapping[str, str] = {self._texts[late]: name for name, late in names.items()} | {
            self._texts[external]: f"external {external.name}" for external in externals
        }
        """Placeholder to the name of what it stands for."""
        self._shown = _any_of(text for text in self.names if PREFIX in text)
        self._encoded = _any_of(text for text in self.names if PREFIX not in text)

    def __getitem__(self, late: Named) -> str:
        return self._texts[late]

    def found_in(self, text: str) -> frozenset[str]:
        """Return the names of all whose placeholders stand in a text, in base64 or as they are."""
        return frozenset(self._found(text, DEEPEST)) if self.names else frozenset()

    def _found(self, text: str, depth: int) -> Iterator[str]:
        # Most texts hold none: they are not searched.
        if PREFIX in text and self._shown:
            yield from (self.names[match] for match in self._shown.findall(text))
        if self._encoded:
            yield from (self.names[match] for match in self._encoded.findall(text))
        if depth:
            for match in BASE64.finditer(text):
                inside = _decoded(match[0])
                if inside:
                    yield from self._found(inside, depth - 1)


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Return what matches any of some texts, the longest first: one may begin another where an encoding cuts it off."""
    spelt = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(spelt) if spelt else None


def _decoded(text: str) -> str:
    text = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _placeholder(late: Credential, name: str, fingerprint: str | None) -> str:
    last = max((index for index, step in enumerate(late.encoding) if step in HASHES), default=-1)
    natural = LENGTHS[late.template] if last < 0 else HASHES[late.encoding[last]]
    length = natural if natural >= SHORTEST else USUAL
    text = _form(PREFIX, fingerprint, length) if fingerprint else _form(NONE, name, length)
    return encoder(late.encoding[last + 1 :])(text)


def _form(prefix: str, what: str, length: int) -> str:
    """Return digits behind a prefix: those of a fingerprint, or of a hash of a name, and more where these are too few."""
    digits = what if prefix == PREFIX else ""
    digits += hashlib.sha256(what.encode()).hexdigest()
    return f"{prefix}{digits}"[:length]


def fill(value: Value, read: Callable[[Named], str], pins: Pins) -> Json:
    """Return a tree of values with every late leaf filled in.

    Args:
        value: the values.
        read: gives what stands for a credential or an external.
        pins: give what a pin stands for.

    Raises:
        KeyError: there is no such image pin.
        TypeError: a late value is of no known form.
    """
    match value:
        case str() | None | bool() | int() | float():
            return value
        case Late():
            return _text(value, read, pins)
        case Mapping():
            return {key: fill(item, read, pins) for key, item in value.items()}
        case Sequence():
            return [fill(item, read, pins) for item in value]


def _text(value: Late, read: Callable[[Named], str], pins: Pins) -> str:
    match value:
        case Credential() | External():
            return read(value)
        case Quoted():
            # As the template does it: urlquery, and its "+" made a "%20".
            return quote(read(value.value), safe="")
        case Pin():
            return pins.text(value)
        case Text():
            return "".join(part if isinstance(part, str) else _text(part, read, pins) for part in value.segments)
        case _:
            raise TypeError(f"unknown late value {value!r}")
