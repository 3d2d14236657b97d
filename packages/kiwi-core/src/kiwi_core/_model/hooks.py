"""Hooks: side effects that heal themselves and may run again at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from kiwi_core._model.fields import many
from kiwi_core._model.late import Image, Value
from kiwi_core._model.names import dns_label
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Use

__all__ = ["Hook", "Job"]


@attrs.frozen(kw_only=True)
class Hook:
    """A side effect that runs before (pre) or after (post) the releases of its component, on every deploy.

    Attributes:
        kind: the kind of hook.
        name: unique in its component and phase.
        on: the uses whose services it acts on: they must be ready first.
    """

    kind: ClassVar[str]

    name: str = attrs.field(validator=dns_label)
    on: tuple[Use[object], ...] = attrs.field(default=(), validator=many)

    def job(self) -> Job:
        """Return the container that does it. Pure."""
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Job(Hook):
    """A container of the author's own. It must be idempotent: it runs on every deploy.

    Attributes:
        image: what it runs in.
        command: the command and its arguments; no shell is added.
        env: environment variables: a plain value, or the key of a Secret.
        timeout: how long it may take, retries included, in seconds.
    """

    kind: ClassVar[str] = "job"

    image: Image
    command: tuple[str, ...] = attrs.field(validator=[many, attrs.validators.min_len(1)])
    env: Mapping[str, Value | SecretKey] = attrs.field(factory=dict[str, "Value | SecretKey"])
    timeout: int = attrs.field(default=300, validator=attrs.validators.ge(1))

    def job(self) -> Job:
        """Return itself."""
        return self
