"""Uses and offers: what a release calls, what a component provides, and what binding the two gives.

A use is identified by its kind and name, never by its settings. An offer is data with a pure ``bind``. A new kind of
service is a subclass of each; those that ship with the core stand in ``services``, ``databases``, ``ldap`` and ``gateways``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Generic, NamedTuple, TypeVar

import attrs

from kiwi_core._model.fields import some_ports
from kiwi_core._model.late import Credential
from kiwi_core._model.names import dns_label

__all__ = ["Asked", "Endpoint", "Home", "Offer", "Use", "UseKey"]

B_co = TypeVar("B_co", covariant=True)


class UseKey(NamedTuple):
    """What identifies a use within a component."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@attrs.frozen
class Use(Generic[B_co]):
    """What a release calls.

    Attributes:
        kind: the kind of service, as the binding is chosen by (``bind={"onyx/postgres": "pg"}``).
        binding: the class of what :class:`Bound` gives for it.
        shared: whether the cluster's gateways serve it; otherwise only the tenant's own components can.
        side_effect: what must be done at the service before it can be used; None when nothing must.
        name: which one of the kind it is, within its component.
    """

    kind: ClassVar[str]
    binding: ClassVar[type]
    shared: ClassVar[bool] = False
    side_effect: ClassVar[str | None] = None

    name: str = attrs.field(validator=dns_label)

    @property
    def key(self) -> UseKey:
        """What identifies this use within its component."""
        return UseKey(self.kind, self.name)


@attrs.frozen(kw_only=True)
class Home:
    """The place that something is built for: what an offer may need to know to bind.

    Attributes:
        slug: the customer's, or the cluster's name.
        namespace: ``cust-<slug>``, or the gateway's ``kiwi-<service>``.
        domain: the customer's; public endpoints are its subdomains. Empty for a gateway.
        cluster: the name of the cluster.
    """

    slug: str
    namespace: str
    domain: str
    cluster: str


@attrs.frozen(kw_only=True)
class Asked:
    """Who asks for a binding.

    Attributes:
        component: the name of the consuming component; the scope of the credentials that the binding names.
    """

    component: str

    def credential(self, use: Use[object], part: str = "") -> Credential:
        """Name the credential of a use: scope is the consumer, purpose the use's key and the part."""
        return Credential(self.component, f"{use.key}/{part}" if part else str(use.key))


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where an offer answers, as NetworkPolicies need it.

    Attributes:
        ports: TCP ports of its pods.
        pods: labels that select its pods.
        namespace: the namespace of a shared service; None is the tenant's own.
    """

    ports: tuple[int, ...] = attrs.field(validator=some_ports)
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])
    namespace: str | None = attrs.field(default=None, validator=attrs.validators.optional(dns_label))


@attrs.frozen(kw_only=True)
class Offer:
    """What a component, or the cluster's gateways, provide. Subclasses add what their binding is made of.

    Attributes:
        kind: the kind of service that it serves.
        name: which one of the kind it is, where a component offers several.
        release: the release of the offering component that must be ready first; None when it already runs.
    """

    kind: ClassVar[str]

    name: str = attrs.field(default="main", validator=dns_label)
    release: str | None = None

    def endpoint(self) -> Endpoint | None:
        """Return where it answers, or None when no policy follows from it."""
        return None

    def bind(self, use: Use[object], asked: Asked, home: Home) -> object:
        """Return the binding, of the class that the use names. Pure."""
        raise NotImplementedError
