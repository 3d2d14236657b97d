"""SearXNG: web search, over a chart of this package's own.

Upstream's chart puts the secret key into plain values and depends on an archived library chart; what SearXNG needs is
one Deployment without state.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs
from kiwi_core import (
    Bound,
    Declaration,
    Egress,
    Gateway,
    Release,
    SearchOffer,
    Secret,
    Value,
    Wiring,
    Workload,
    checksum,
)

from kiwi_gateways._values import CHECKSUM, image

__all__ = ["SearXng"]

PODS: Final = {"app.kubernetes.io/name": "searxng", "app.kubernetes.io/instance": "searxng"}

# searx/settings.yml: only HTML is on by default, and a client that asks for JSON gets 403. The limiter takes programs
# for bots and needs a Valkey; who may call is decided by NetworkPolicies instead.
SETTINGS: Final[Value] = {
    "use_default_settings": True,
    "general": {"instance_name": "Search", "enable_metrics": False},
    "search": {"formats": ["html", "json"], "autocomplete": ""},
    "server": {"limiter": False, "public_instance": False, "image_proxy": False},
}


@attrs.frozen(kw_only=True)
class SearXng(Gateway):
    """SearXNG: web search for all customers of a cluster.

    It keeps nothing: no state, no log of queries, no accounts. It knows no keys either: who may call it is decided by
    NetworkPolicies.

    Attributes:
        replicas: pods.
    """

    kind: ClassVar[str] = "searxng"
    service: ClassVar[str] = "search-gateway"

    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))

    def declare(self) -> Declaration:
        """Say what it is made of."""
        return Declaration(
            releases=(Release(name="searxng", chart="searxng", wait=True),),
            offers=(SearchOffer(namespace=self.namespace, release="searxng", service="searxng", pods=PODS),),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Give the chart its settings and its Secret."""
        secret = Secret("searxng", {"secret": bound.credential("secret-key")})
        return Wiring(
            secrets=(secret,),
            # Search engines are everywhere; what a NetworkPolicy can say is that they are outside.
            network=(Workload(name="search", pods=PODS, egress=(Egress(to="search engines", ports=(80, 443)),)),),
            overlay={
                "searxng": {
                    "image": image(bound, "searxng"),
                    "existingSecret": secret.name,
                    "podAnnotations": {CHECKSUM: checksum(secret)},
                    "replicaCount": self.replicas,
                    "settings": SETTINGS,
                }
            },
        )
