"""Kinds of services that a cluster shares: its gateways, each in a ``kiwi-<service>`` namespace of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from kiwi_core._model.fields import port
from kiwi_core._model.late import Credential, Text, text
from kiwi_core._model.names import dns_label
from kiwi_core._model.service import Asked, Endpoint, Home, Offer, Use

__all__ = [
    "Ingress",
    "IngressBinding",
    "IngressOffer",
    "LlmBinding",
    "LlmGateway",
    "LlmOffer",
    "SearchBinding",
    "SearchGateway",
    "SearchOffer",
    "SharedOffer",
]


def _shared_namespace(_instance: object, _attribute: object, value: str) -> None:
    if not value.startswith("kiwi-"):
        raise ValueError(f"a shared service lives in a kiwi-<service> namespace, found {value!r}")


@attrs.frozen(kw_only=True)
class SharedOffer(Offer):
    """A gateway of the cluster, in a ``kiwi-<service>`` namespace of its own.

    Attributes:
        namespace: the gateway's namespace.
        pods: labels that select its pods.
        port: the TCP port of its Service and pods.
        calls_back: whether it calls those who use it, as an ingress does; otherwise they call it.
        is_hooked: whether hooks of the gateway make what each customer needs there, such as a key.
    """

    calls_back: ClassVar[bool] = False

    namespace: str = attrs.field(validator=[dns_label, _shared_namespace])
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])
    port: int = attrs.field(validator=port)
    is_hooked: bool = False

    def endpoint(self) -> Endpoint:
        """Return its pods and port in its own namespace."""
        return Endpoint(ports=(self.port,), pods=self.pods, namespace=self.namespace)


@attrs.frozen(kw_only=True)
class LlmBinding:
    """A language-model gateway with this customer's virtual key.

    Attributes:
        url: base URL of the OpenAI-compatible API.
        key: the customer's virtual key, derived from the customer's own seed.
    """

    url: str
    key: Text


@attrs.frozen
class LlmGateway(Use[LlmBinding]):
    """The cluster's language-model gateway."""

    kind: ClassVar[str] = "llm"
    binding: ClassVar[type] = LlmBinding
    side_effect: ClassVar[str | None] = "a virtual key at the gateway"
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class LlmOffer(SharedOffer):
    """A language-model gateway (LiteLLM) that the cluster shares.

    Attributes:
        service: name of its Service.
    """

    kind: ClassVar[str] = "llm"

    service: str = "litellm"
    port: int = attrs.field(default=4000, validator=port)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> LlmBinding:  # noqa: ARG002 -- the interface
        """Give the gateway with the customer's virtual key: one for all that the customer has."""
        return LlmBinding(url=f"http://{self.service}.{self.namespace}.svc:{self.port}", key=self.key())

    def key(self, customer: str = "") -> Text:
        """Return the virtual key of a customer; LiteLLM's keys begin with ``sk-``.

        Args:
            customer: whose, in the cluster's tree; in the customer's own, nobody is named.
        """
        return text("sk-{key}", key=Credential(self.namespace, "virtual-key", customer=customer))


@attrs.frozen(kw_only=True)
class SearchBinding:
    """A web-search gateway.

    Attributes:
        url: base URL of the SearXNG API.
    """

    url: str


@attrs.frozen
class SearchGateway(Use[SearchBinding]):
    """The cluster's web-search gateway."""

    kind: ClassVar[str] = "search"
    binding: ClassVar[type] = SearchBinding
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class SearchOffer(SharedOffer):
    """A web-search gateway (SearXNG) that the cluster shares.

    Attributes:
        service: name of its Service.
    """

    kind: ClassVar[str] = "search"

    service: str = "searxng"
    port: int = attrs.field(default=8080, validator=port)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> SearchBinding:  # noqa: ARG002 -- the interface
        """Give the gateway as it is; it knows no keys."""
        return SearchBinding(url=f"http://{self.service}.{self.namespace}.svc:{self.port}")


@attrs.frozen(kw_only=True)
class IngressBinding:
    """A way in from outside.

    Attributes:
        class_name: the IngressClass.
        issuer: the cert-manager ClusterIssuer; None when certificates come otherwise.
    """

    class_name: str
    issuer: str | None


@attrs.frozen
class Ingress(Use[IngressBinding]):
    """The cluster's ingress controller. Traffic flows from it to the consumer."""

    kind: ClassVar[str] = "ingress"
    binding: ClassVar[type] = IngressBinding
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class IngressOffer(SharedOffer):
    """An ingress controller that the cluster shares.

    Attributes:
        class_name: the IngressClass.
        issuer: the cert-manager ClusterIssuer; None when certificates come otherwise.
        plain_port, port: TCP ports of its pods for HTTP and HTTPS.
    """

    kind: ClassVar[str] = "ingress"
    calls_back: ClassVar[bool] = True

    class_name: str = "nginx"
    issuer: str | None = None
    plain_port: int = attrs.field(default=80, validator=port)
    port: int = attrs.field(default=443, validator=port)

    def endpoint(self) -> Endpoint:
        """Return its pods with both ports: challenges of ACME are asked for on the plain one."""
        return Endpoint(ports=(self.plain_port, self.port), pods=self.pods, namespace=self.namespace)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> IngressBinding:  # noqa: ARG002 -- the interface
        """Give the class and the issuer."""
        return IngressBinding(class_name=self.class_name, issuer=self.issuer)
