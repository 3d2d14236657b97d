"""Kubernetes Secrets, declared where they are consumed; one copy, in the consumer's own namespace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from kiwi_core._model.late import Credential, External, Late, Quoted, Text
from kiwi_core._model.names import dns_label

__all__ = ["Checksum", "PlainValue", "Sealed", "Secret", "SecretKey", "Secretive", "checksum"]


Secretive: TypeAlias = Credential | External | Quoted | Text
"""What stands for a secret that a Secret is to hold."""


@attrs.frozen
class SecretKey:
    """A key of a Secret of this namespace, by name."""

    secret: str = attrs.field(validator=dns_label)
    key: str = attrs.field(validator=attrs.validators.min_len(1))


Sealed: TypeAlias = Secretive | SecretKey
"""What stands for a secret, one that a Secret holds already included."""


@attrs.frozen
class Secret:
    """A Secret of the consumer's namespace.

    Attributes:
        name: a DNS label, unique in the tenant.
        data: key to value: a credential, an external, a text with such in it, or a literal that is no secret
            (a user name that must stand beside its password).
    """

    name: str = attrs.field(validator=dns_label)
    data: Mapping[str, str | Secretive] = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen(kw_only=True)
class PlainValue:
    """A derived value that stands in a release's values, since the upstream chart takes nothing else.

    Attributes:
        release: the release whose values hold it.
        path: the dotted path in the values.
        reason: why no Secret serves.
    """

    release: str
    path: str
    reason: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen
class Checksum(Late):
    """A mark of Secrets, filled in when a stack is composed: generations and the seed's own mark are known then."""

    secrets: tuple[Secret, ...]

    def text(self, seed_mark: str = "") -> str:
        """Return the mark.

        Args:
            seed_mark: that of the seed, from ``secrets.lock``; empty where there is none.
        """
        definitions = sorted(
            json.dumps([secret.name, {key: repr(value) for key, value in secret.data.items()}], sort_keys=True)
            for secret in self.secrets
        )
        digest = hashlib.sha256(json.dumps([*definitions, seed_mark] if seed_mark else definitions).encode())
        return f"k{digest.hexdigest()[:31]}"


def checksum(*secrets: Secret) -> Checksum:
    """Return a mark that changes exactly when the definition of one of the Secrets does, or the seed.

    It is made of names, generations, encodings, literals, and the seed's mark in ``secrets.lock``, so it needs no seed
    and tells nothing about a value. It goes on the pod template that consumes the Secrets, so that Helm restarts it.
    The order of the Secrets does not count. It begins with a letter: charts print annotations and labels unquoted, and
    some hex strings read as numbers.
    """
    return Checksum(secrets)
