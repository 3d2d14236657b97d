"""What the spec and ``secrets.lock`` say of credentials, filled into what components wired: generations, and marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from kiwi_core._model.component import Wiring
from kiwi_core._model.late import Credential, Late, Value, with_credentials
from kiwi_core._model.secrets import Checksum, Secret, Secretive

__all__ = ["Resolver"]


@attrs.frozen(kw_only=True)
class Resolver:
    """Fills in what is known of credentials when a stack is composed.

    Attributes:
        generations: name of a credential to its generation, where it is not the first.
        seed_mark: that of the seed, from ``secrets.lock``; empty where there is none.
    """

    generations: Mapping[str, int]
    seed_mark: str

    def wiring(self, wiring: Wiring) -> Wiring:
        """Return a wiring with every credential of its generation, and every checksum as text."""
        return attrs.evolve(
            wiring,
            overlay={release: self.values(values) for release, values in wiring.overlay.items()},
            secrets=tuple(self._secret(secret) for secret in wiring.secrets),
        )

    def values(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return a tree of values, resolved."""
        return {key: self.value(value) for key, value in values.items()}

    def value(self, value: Value) -> Value:
        """Return one value, resolved."""
        if isinstance(value, Late):
            return self._late(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.value(item) for item in value]
        return value

    def binding(self, binding: object) -> object:
        """Return what an offer gave, with each credential of its generation, whatever its class."""
        if isinstance(binding, Late):
            return self._late(binding)
        form = type(binding)
        if not self.generations or not attrs.has(form):
            return binding
        fields = {field.alias: getattr(binding, field.name) for field in attrs.fields(form) if field.init}
        changed = {alias: self.binding(value) for alias, value in fields.items()}
        same = all(changed[alias] is value for alias, value in fields.items())
        return binding if same else form(**changed)

    def _late(self, late: Late) -> Late | str:
        if isinstance(late, Checksum):
            return Checksum(tuple(self._secret(secret) for secret in late.secrets)).text(self.seed_mark)
        return with_credentials(late, self._credential)

    def _credential(self, credential: Credential) -> Credential:
        generation = self.generations.get(credential.name)
        return credential if generation is None else attrs.evolve(credential, generation=generation)

    def _secret(self, secret: Secret) -> Secret:
        data = {
            key: value if isinstance(value, str) else cast("Secretive", with_credentials(value, self._credential))
            for key, value in secret.data.items()
        }
        return attrs.evolve(secret, data=data)
