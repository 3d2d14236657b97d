"""What a seed over HTTP wants, as it goes to a hook's job: the object, the requests, and the account."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from kiwi_core._hooks.http_body import Body, covers, merged, part, replaced, without
from kiwi_core._hooks.urls import server_problem
from kiwi_core._model.desired import Mounted

__all__ = ["CallState", "LoginState", "Wanted", "check_url"]

Reveal: TypeAlias = Callable[[Mounted], str]
"""Gives a secret."""

MARK: Final = re.compile(r" ?\[kiwistack [0-9a-f]{12}\]\Z")
SCRYPT_COST: Final = 2**12
"""4 MiB and some milliseconds: who sees a mark cannot try out many secrets."""


# An Attribute is invariant in its type. Authors' code is unchecked.
def check_url(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value is the URL of a server.

    Raises:
        ValueError: it is not.
    """
    if problem := server_problem(str(value)):
        raise ValueError(f"{attribute.name}: {problem}")


@attrs.frozen(kw_only=True)
class CallState:
    """A request that changes something."""

    method: str
    path: str
    body: Body = attrs.field(factory=Body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen(kw_only=True)
class LoginState:
    """Sign-in by a form, answered with a cookie."""

    path: str
    user: str
    password: Mounted
    user_field: str
    password_field: str
    register: CallState | None = None


@attrs.frozen(kw_only=True)
class Wanted:
    """The object.

    Attributes:
        match: fields that tell it from all others; none where the API has but one.
        id_field: the field that holds its id.
        body: its fields.
        unread: dotted paths in it of what the API does not give back.
        mark: dotted path of the text that ends with a digest of these; empty for none.
        with_unread: what is sent beside these.
    """

    match: tuple[str, ...] = ()
    id_field: str = "id"
    body: Body
    unread: tuple[str, ...] = ()
    mark: str = ""
    with_unread: Body = attrs.field(factory=Body)

    @property
    def is_secret(self) -> bool:
        """Whether a secret is sent with it."""
        return bool(self.body.secrets or self.with_unread.secrets)

    @property
    def label(self) -> str:
        """What it is called, such as ``name='gateway'``."""
        return ", ".join(f"{name}={self.body.data[name]!r}" for name in self.match) or "all"

    def is_match(self, found: Mapping[str, object]) -> bool:
        """Whether an object is the one that is wanted, marked or not."""
        there = self._unmarked(found)
        return all(name in there and covers(there[name], self.body.data[name]) for name in self.match)

    def differing(self, found: Mapping[str, object], reveal: Reveal) -> tuple[str, ...]:
        """Return the fields that are otherwise; those that cannot be read are not among them, nor is the mark."""
        there = self._unmarked(found)
        wanted = without(self.body.filled(reveal), self.unread)
        return tuple(name for name, item in wanted.items() if name not in there or not covers(there[name], item))

    def is_marked(self, found: Mapping[str, object], reveal: Reveal) -> bool:
        """Whether the server was given these secrets, as far as the mark tells."""
        return not self.mark or str(part(found, self.mark)).endswith(self._mark_of(reveal))

    def sent(self, found: Mapping[str, object], reveal: Reveal, *, with_unread: bool) -> dict[str, object]:
        """Return what is sent of it.

        Args:
            found: the object as it was found; empty where it is to be made.
            reveal: gives a secret.
            with_unread: whether with what the API does not give back.
        """
        body = self.body.filled(reveal)
        if self.mark:
            texts = (part(self.body.data, self.mark), part(self._unmarked(found), self.mark), "")
            text = next(text for text in texts if isinstance(text, str))
            body = replaced(body, self.mark, f"{text} {self._mark_of(reveal)}".lstrip())
        return merged(body, self.with_unread.filled(reveal)) if with_unread else without(body, self.unread)

    def replacement(self, found: Mapping[str, object], sent: Mapping[str, object]) -> dict[str, object]:
        """Return the object as it was found, with what is sent in its place, and without what was masked."""
        return merged(without(found, self.unread), sent)

    def _mark_of(self, reveal: Reveal) -> str:
        values = [part(self.body.filled(reveal), path) for path in self.unread]
        salt = json.dumps([self.label, self.unread]).encode()
        digest = hashlib.scrypt(json.dumps(values).encode(), salt=salt, n=SCRYPT_COST, r=8, p=1, dklen=6)
        return f"[kiwistack {digest.hex()}]"

    def _unmarked(self, found: Mapping[str, object]) -> dict[str, object]:
        text = part(found, self.mark) if self.mark else None
        return replaced(found, self.mark, MARK.sub("", text)) if isinstance(text, str) else dict(found)
