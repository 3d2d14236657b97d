"""Hooks: side effects that heal themselves and may run again at any time.

A component says what it wants (:class:`Hook`), over uses and names of credentials. When a stack is composed, that
becomes a :class:`~kiwi_core._model.desired.Desired` state at a server: data that the hook's runtime reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

import attrs

from kiwi_core._model.desired import Desired, Mounted
from kiwi_core._model.fields import many
from kiwi_core._model.late import Image, Value
from kiwi_core._model.names import dns_label
from kiwi_core._model.schema import Schema
from kiwi_core._model.secrets import Sealed, Secret, SecretKey
from kiwi_core._model.service import Home, Offer, Use

__all__ = ["Hook", "Job", "Lent", "one_use"]

B = TypeVar("B")
U = TypeVar("U", bound=Use[object])
O = TypeVar("O", bound=Offer)  # noqa: E741 -- an offer


class Lent(Protocol):
    """What a hook is lent to say what it wants: bindings, the offers behind them, and files of secrets."""

    @property
    def home(self) -> Home:
        """The place that the hook runs in."""
        ...

    @property
    def owner(self) -> str:
        """Who wants it, ``<namespace>/<component>``: the mark that is put on what a hook makes."""
        ...

    def binding(self, use: Use[B]) -> B:
        """Return what the component itself reads of a use.

        Raises:
            ComposeError: no release of the component uses it, or nobody serves it.
        """
        ...

    def offer(self, use: Use[object], form: type[O]) -> O:
        """Return the offer behind a use: it says how to sign in as the server's administrator.

        Raises:
            ComposeError: it is of another class than the hook knows to deal with, or nobody serves the use.
        """
        ...

    def secret(self, value: Sealed) -> Mounted:
        """Have a secret mounted into the hook's job, and return where."""
        ...

    def versions_with(self, schema: Schema) -> tuple[str, ...]:
        """Return all captured revisions that have the minimum of a contract: it, and those that rest on it."""
        ...

    def mark(self, *secrets: Secret) -> str:
        """Return the mark of Secrets, which changes exactly when one of them does (see ``checksum``)."""
        ...


def _uses(value: Use[object] | tuple[Use[object], ...]) -> tuple[Use[object], ...]:
    return (value,) if isinstance(value, Use) else value  # the validator looks at the rest


def _default_name(hook: Hook) -> str:
    return "-".join((type(hook).kind, *(use.name for use in hook.on)))


@attrs.frozen(kw_only=True)
class Hook:
    """A side effect that runs before (pre) or after (post) the releases of its component, on every deploy.

    Attributes:
        kind: the kind of hook.
        on: the uses whose services it acts on: they must be ready first.
        name: unique in its component and phase; the kind and the names of the uses by default.
        timeout: how long it may take, in seconds, waiting for its server included.
    """

    kind: ClassVar[str]

    on: tuple[Use[object], ...] = attrs.field(default=(), converter=_uses, validator=many)
    name: str = attrs.field(default=attrs.Factory(_default_name, takes_self=True), validator=dns_label)
    timeout: int = attrs.field(default=300, validator=attrs.validators.ge(1))

    def is_possible(self, lent: Lent) -> bool:  # noqa: ARG002 -- for those who look
        """Say whether the services lend what it needs. Where not, it is left out, and rule f tells that by hand it is.

        Args:
            lent: as for ``desired``.
        """
        return True

    def desired(self, lent: Lent) -> Desired:
        """Return the state that it wants, with all that its runtime has to know. Pure.

        Args:
            lent: the bindings of its component, and what the providers lend to hooks alone.
        """
        raise NotImplementedError


def one_use(hook: Hook, form: type[U], expected: str) -> U:
    """Return the use that a hook acts on, where it is one and of a class.

    Args:
        hook: the hook.
        form: the class.
        expected: what it is, for the reader.

    Raises:
        TypeError: it is another one, none, or several.
    """
    if len(hook.on) == 1 and isinstance(use := hook.on[0], form):
        return use
    raise TypeError(f"on: found {hook.on!r}, expected {expected}")


@attrs.frozen(kw_only=True)
class Job(Hook):
    """A container of the author's own. Every deploy looks whether it is needed; it must be idempotent all the same.

    Attributes:
        image: what it runs in.
        command: the command and its arguments.
        observe: a command that ends with 0 when there is nothing to do: then ``command`` is not run. ``sh`` runs the
            two, so the image needs one.
        env: environment variables: a plain value, or the key of a Secret.
    """

    kind: ClassVar[str] = "job"

    image: Image
    command: tuple[str, ...] = attrs.field(validator=[many, attrs.validators.min_len(1)])
    observe: tuple[str, ...] = attrs.field(validator=[many, attrs.validators.min_len(1)])
    env: Mapping[str, Value | SecretKey] = attrs.field(factory=dict[str, "Value | SecretKey"])
