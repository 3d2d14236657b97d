"""What pods need of the network beyond their own namespace."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from kiwi_core._model.fields import many, ports, some_ports
from kiwi_core._model.names import dns_label
from kiwi_core._model.service import Use

__all__ = ["Caller", "Egress", "Workload"]


@attrs.frozen(kw_only=True)
class Egress:
    """Traffic that leaves the cluster.

    Attributes:
        to: who is called, for the reader: NetworkPolicies know addresses, not names.
        ports: TCP ports.
    """

    to: str = attrs.field(validator=attrs.validators.min_len(1))
    ports: tuple[int, ...] = attrs.field(default=(443,), validator=some_ports)


class Caller(enum.StrEnum):
    """Who calls pods from outside of their namespace without being bound to them."""

    OUTSIDE = "outside"
    """Everybody, within the cluster and without: what an external port leads to."""
    API_SERVER = "api-server"
    """The API server, which asks admission webhooks."""


def _served_ports(instance: Workload, _attribute: object, value: tuple[int, ...]) -> None:
    if instance.called_by and not value and not instance.udp_ports:
        raise ValueError(f"workload {instance.name!r} is called by {instance.called_by[0]} and names no ports")
    if instance.served_by is not None and not value:
        raise ValueError(f"workload {instance.name!r} is served by {instance.served_by.key} and names no ports")


@attrs.frozen(kw_only=True)
class Workload:
    """Pods of one kind, and what they call or are called by outside of their namespace.

    Within the namespace everything may talk to everything (a customer's own pods trust each other); a use of a
    service there needs no entry here.

    Attributes:
        name: unique in its component.
        pods: labels that select them.
        calls: shared services that they call.
        egress: traffic that leaves the cluster.
        served_by: the ingress that calls them, with ``ports``.
        called_by: who else calls them, on ``ports``; pods with other ports for other callers are another workload.
        udp_ports: the pods' UDP ports that those of ``called_by`` call.
        ports: the pods' TCP ports that the ingress and those of ``called_by`` call.
        calls_api: whether they call the API server.
    """

    name: str = attrs.field(validator=dns_label)
    pods: Mapping[str, str] = attrs.field(validator=attrs.validators.min_len(1))
    calls: tuple[Use[object], ...] = attrs.field(default=(), validator=many)
    egress: tuple[Egress, ...] = attrs.field(default=(), validator=many)
    served_by: Use[object] | None = None
    called_by: tuple[Caller, ...] = attrs.field(default=(), validator=many)
    udp_ports: tuple[int, ...] = attrs.field(default=(), validator=ports)
    ports: tuple[int, ...] = attrs.field(default=(), validator=[ports, _served_ports])
    calls_api: bool = False

    @property
    def uses(self) -> tuple[Use[object], ...]:
        """All uses that it names."""
        return (*self.calls, self.served_by) if self.served_by else self.calls
