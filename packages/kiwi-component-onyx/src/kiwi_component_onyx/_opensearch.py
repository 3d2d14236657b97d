"""OpenSearch as a kind of service.

Onyx names its indexes without the tenant and writes cluster settings at every start, so one cannot be shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
from kiwi_core import Asked, Endpoint, Home, Offer, Text, Use

__all__ = ["OpenSearch", "OpenSearchBinding", "OpenSearchOffer"]


@attrs.frozen(kw_only=True)
class OpenSearchBinding:
    """An OpenSearch cluster of one's own, with its administrator's account."""

    host: str
    port: int
    user: str
    password: Text


@attrs.frozen
class OpenSearch(Use[OpenSearchBinding]):
    """An OpenSearch cluster that nobody else uses."""

    kind: ClassVar[str] = "opensearch"
    binding: ClassVar[type] = OpenSearchBinding


@attrs.frozen(kw_only=True)
class OpenSearchOffer(Offer):
    """An OpenSearch cluster of the tenant's namespace.

    Attributes:
        host: name of its Service.
        password: the administrator's; OpenSearch refuses one without upper case, lower case, digit and punctuation.
        pods: labels that select its pods.
    """

    kind: ClassVar[str] = "opensearch"

    host: str
    port: int = 9200
    user: str = "admin"
    password: Text
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> OpenSearchBinding:  # noqa: ARG002 -- the interface
        """Give the cluster as it is."""
        return OpenSearchBinding(host=self.host, port=self.port, user=self.user, password=self.password)
