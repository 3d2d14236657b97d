"""Which keys of Secrets a component may name: its own, and what its bindings lend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import attrs

from kiwi_core._compose.bind import Binding
from kiwi_core._model.component import Wiring
from kiwi_core._model.late import Credential, Late, parts_of
from kiwi_core._model.secrets import SecretKey

__all__ = ["named_in", "secret_keys"]


def named_in(value: object) -> Iterator[Credential | SecretKey]:
    """Yield the credentials and keys of Secrets in a binding or an offer, whatever its class."""
    if isinstance(value, SecretKey):
        yield value
    elif isinstance(value, Late):
        yield from (part for part in parts_of(value) if isinstance(part, Credential))
    elif isinstance(value, Mapping):
        for item in cast("Mapping[object, object]", value).values():
            yield from named_in(item)
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[object]", value):
            yield from named_in(item)
    elif attrs.has(form := type(value)):
        for field in attrs.fields(form):
            yield from named_in(getattr(value, field.name))


def secret_keys(wiring: Wiring, bound: Iterable[Binding | None]) -> frozenset[SecretKey]:
    """Return the keys of Secrets that a component's releases may name.

    Args:
        wiring: the component's.
        bound: its bindings.
    """
    lent = {key for binding in bound if binding for key in named_in(binding.value) if isinstance(key, SecretKey)}
    return frozenset(lent | {SecretKey(secret.name, key) for secret in wiring.secrets for key in secret.data})
