"""Hello: the smallest component, with a chart of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import attrs
from kiwi_core import Bound, Component, Declaration, Ingress, Release, Secret, Wiring, Workload, checksum
from kiwi_core.plugins import hookimpl

__all__ = ["Hello"]

_INGRESS: Final = Ingress("hello")


@attrs.frozen(kw_only=True)
class Hello(Component):
    """A web page that greets. The fields are what a tenant may choose.

    Attributes:
        greeting: what the page says.
        replicas: how many pods say it.
    """

    kind: ClassVar[str] = "hello"

    greeting: str = "Hello"
    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))

    def declare(self) -> Declaration:
        """Say what it is made of: one release of the chart in this package, reached through the cluster's ingress."""
        return Declaration(releases=(Release(name="hello", chart="hello", uses=(_INGRESS,)),))

    def wire(self, bound: Bound) -> Wiring:
        """Wire the chart: an image by the name of its pin, a derived credential in a Secret, one host."""
        repository, tag = bound.image("hello")
        secret = Secret("hello", {"token": bound.credential("token")})
        ingress, host = bound[_INGRESS], f"hello.{bound.home.domain}"
        return Wiring(
            secrets=(secret,),
            hosts=(host,),
            network=(Workload(name="web", pods={"app": "hello"}, served_by=_INGRESS, ports=(8080,)),),
            overlay={
                "hello": {
                    "greeting": self.greeting,
                    "replicas": self.replicas,
                    "image": {"repository": repository, "tag": tag},
                    "existingSecret": secret.name,
                    "podAnnotations": {"checksum/secrets": checksum(secret)},
                    "host": host,
                    "ingressClassName": ingress.class_name,
                }
            },
        )


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship Hello."""
    return [Hello]
