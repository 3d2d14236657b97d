"""A customer: the build target whose tree is one namespace."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kiwi_core._model.component import Component, Gateway
from kiwi_core._model.fields import generations, many
from kiwi_core._model.names import dns_label, host_name, namespace_of, slug
from kiwi_core._model.service import Home

__all__ = ["Tenant"]


def _no_gateways(_instance: object, _attribute: object, value: tuple[Component, ...]) -> None:
    for component in value:
        if isinstance(component, Gateway):
            raise TypeError(
                f"component {component.name!r} is a gateway: it belongs to the cluster, for all its customers"
            )


@attrs.frozen(kw_only=True)
class Tenant:
    """A customer: one namespace that holds everything it owns.

    Attributes:
        slug: names the customer; the namespace is ``cust-<slug>``.
        domain: the customer's DNS name; public endpoints are its subdomains.
        cluster: the name of the cluster that it runs on.
        components: what it has.
        bind: where two offers could serve a use: ``"<component>/<kind>"`` or ``"<component>/<kind>/<use>"`` to the
            name of the component that serves it (``"<component>/<offer>"`` where that one offers several).
        generations: credentials that were rotated, as ``<scope>/<purpose>``, with the generation that counts; 1 is the
            first.
        weak_seed: whether a short, typed or published seed will do in lane dev.
        quota: hard limits of the namespace, as a ResourceQuota has them; none by default.
    """

    slug: str = attrs.field(validator=slug)
    domain: str = attrs.field(validator=host_name)
    cluster: str = attrs.field(validator=dns_label)
    components: tuple[Component, ...] = attrs.field(default=(), validator=[many, _no_gateways])
    bind: Mapping[str, str] = attrs.field(factory=dict[str, str])
    generations: Mapping[str, int] = attrs.field(factory=dict[str, int], validator=generations)
    weak_seed: bool = False
    quota: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def namespace(self) -> str:
        """The namespace of everything that the customer owns."""
        return namespace_of(self.slug)

    @property
    def title(self) -> str:
        """What it is, for a reader."""
        return f"tenant {self.slug}"

    def home(self, component: Component) -> Home:  # noqa: ARG002 -- a cluster's components have a home each
        """Return the place that a component is built for: all of a tenant's have one."""
        return Home(slug=self.slug, namespace=self.namespace, domain=self.domain, cluster=self.cluster)
