"""Secrets in memory that cannot be shown by accident: a name and a mark are all that printing gives.

A traceback with locals, a log, an assertion, ``pprint`` and ``json.dumps(default=str)`` print an object's text; pickle,
YAML's object dumper and a queue between processes take it apart. The former get the mark, the latter are refused. What
reads the memory of the process is not kept out, and neither is who calls :meth:`Tainted.reveal`.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, Self, final

from kiwi_core._model.late import Credential

__all__ = ["Derived", "Tainted"]

_SHOWN_DIGITS: Final = 8


class Tainted:
    """A secret text that is not a ``str``; :meth:`reveal` gives it to a sink.

    Two are equal when class, mark and text are; the comparison takes the same time wherever the texts differ.
    """

    # No __dict__: vars(), and with it many a serializer, has nothing to show. No attrs: asdict() would take it apart.
    __slots__ = ("_shown", "_value")
    _shown: str
    _value: str

    def __init__(self, value: str, shown: str) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_shown", shown)

    def reveal(self) -> str:
        """Return the secret itself. Hand it to its sink at once: a variable that holds it can be printed."""
        return self._value

    def __repr__(self) -> str:
        # A traceback also shows what failed in its constructor.
        return f"<{getattr(self, '_shown', 'unfinished')}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tainted):
            return NotImplemented
        same = hmac.compare_digest(self._value.encode(), other._value.encode())
        return same and type(self) is type(other) and self._shown == other._shown

    def __hash__(self) -> int:
        # Of the mark alone: the hash of a text can be tried against guesses.
        return hash((type(self), self._shown))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self!r} is frozen")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{self!r} is a secret and is not written: neither pickled nor sent to another process")

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(None)


@final
class Derived(Tainted):
    """The value of a credential.

    Printed as ``<derived 'onyx/postgres' generation 1, 9f86d081>``, with the first digits of the fingerprint.
    """

    __slots__ = ("credential", "fingerprint")
    credential: Credential
    """What it is the value of."""
    fingerprint: str
    """128 bits as hexadecimal digits; equal for equal seed, scope, purpose and value, and safe to show (see ScopeKey)."""

    def __init__(self, credential: Credential, value: str, fingerprint: str) -> None:
        mark = fingerprint[:_SHOWN_DIGITS]
        super().__init__(value, f"derived {credential.name!r} generation {credential.generation}, {mark}")
        object.__setattr__(self, "credential", credential)
        object.__setattr__(self, "fingerprint", fingerprint)
