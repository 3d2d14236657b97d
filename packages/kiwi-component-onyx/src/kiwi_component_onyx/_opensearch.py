"""OpenSearch as a kind of service.

Onyx names its indexes without the tenant and writes cluster settings at every start, so one cannot be shared.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from kiwi_core import Asked, Home, ServerOffer, Text, Use

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
class OpenSearchOffer(ServerOffer):
    """An OpenSearch cluster of the tenant's namespace.

    Attributes:
        password: the administrator's; OpenSearch refuses one without upper case, lower case, digit and punctuation.
    """

    kind: ClassVar[str] = "opensearch"

    port: int = 9200
    user: str = "admin"
    password: Text

    def bind(self, use: Use[object], asked: Asked, home: Home) -> OpenSearchBinding:  # noqa: ARG002 -- the interface
        """Give the cluster as it is."""
        return OpenSearchBinding(host=self.host, port=self.port, user=self.user, password=self.password)
