"""What a component is given to wire itself with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import attrs

from kiwi_core._model.late import Credential, Image, Pin, Rotation
from kiwi_core._model.service import Home, Use, UseKey
from kiwi_core.errors import ComposeError, Problem, did_you_mean

if TYPE_CHECKING:  # a cluster is made of components, and these read this
    from kiwi_core._model.cluster import Customer

__all__ = ["Bound"]

B = TypeVar("B")


@attrs.frozen(kw_only=True)
class Bound:
    """The bindings of one component's uses, and names for what is known only at deploy.

    Attributes:
        component: the component's name.
        home: the place that it is built for.
        customers: all that the cluster serves, for a gateway; nobody else is told.
    """

    component: str
    home: Home
    customers: tuple[Customer, ...] = ()
    _bindings: Mapping[UseKey, object] = attrs.field(alias="bindings")

    def __getitem__(self, use: Use[B]) -> B:
        """Return the binding of a use.

        Raises:
            ComposeError: no release of the component uses it, or it is wanted and nobody serves it.
        """
        binding = self.get(use)
        if binding is None:
            raise ComposeError(
                Problem(
                    f"component {self.component!r} reads the binding of {use.key}, which nobody serves in this tenant",
                    hint=f"it is wanted, not used: read it with bound.get({type(use).__name__}({use.name!r}))",
                )
            )
        return binding

    def get(self, use: Use[B]) -> B | None:
        """Return the binding of a use, or None when it is only wanted and nobody serves it.

        Raises:
            ComposeError: no release of the component uses it.
        """
        if use.key not in self._bindings:
            raise ComposeError(
                Problem(
                    f"component {self.component!r} reads the binding of {use.key}, which none of its releases uses",
                    hint=did_you_mean(str(use.key), map(str, self._bindings), otherwise="its releases use"),
                )
            )
        binding = self._bindings[use.key]
        if binding is not None and not isinstance(binding, use.binding):
            raise ComposeError(f"{use.key} was bound to {binding!r}, expected a {use.binding.__name__}")
        return binding  # type: ignore[return-value]  # checked against the class that the use names

    def image(self, name: str) -> Image:
        """Name an image pin: ``registry/repository`` and ``tag`` (with its digest where it has one)."""
        return Image(Pin(name, "name"), Pin(name, "tag"))

    def credential(self, purpose: str, *, rotation: Rotation = Rotation.LIVE) -> Credential:
        """Name a credential of this component's own scope.

        Args:
            purpose: what it is for.
            rotation: what it takes to change it.
        """
        return Credential(self.component, purpose, rotation=rotation)
