"""What a cluster shares with its customers: all that a tenant is built against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import attrs

from kiwi_core._compose.bind import declare, shared_offers
from kiwi_core._model.cluster import Cluster
from kiwi_core.errors import ComposeError

__all__ = ["ClusterTree", "digest_of", "with_gateways"]


@attrs.frozen(kw_only=True)
class ClusterTree:
    """The tree that a cluster was last built to, as its manifest has it.

    Attributes:
        digest: of the whole tree.
        shared: of what its customers are built against (:func:`digest_of`).
        customers: slugs of whom it serves.
    """

    digest: str
    shared: str
    customers: tuple[str, ...]


def with_gateways(cluster: Cluster, packages: Mapping[str, object] | None = None) -> Cluster:
    """Return a cluster as its customers see it: with what its gateways offer and bring, and without them.

    Their releases are of another helmfile: nothing of a tenant's can wait for them.

    Raises:
        PluginError: a gateway's own code fails.
        ComposeError: the gateways do not fit together, or two offer the same.
    """
    gateways = declare(cluster.components, packages)
    offers = shared_offers(gateways)
    apis = [api for item in gateways for release in item.declaration.releases for api in release.brings]
    try:
        return attrs.evolve(
            cluster,
            components=(),
            offers=(*cluster.offers, *(attrs.evolve(offer, release=None) for offer in offers)),
            apis=(*cluster.apis, *dict.fromkeys(apis)),
        )
    except ValueError as error:
        raise ComposeError(f"cluster {cluster.name!r}: {error}") from None


def digest_of(cluster: Cluster) -> str:
    """Return the digest of all that tenants are built against: its facts and offers, not whom else it serves.

    Args:
        cluster: as its customers see it (:func:`with_gateways`).
    """
    facts = attrs.asdict(attrs.evolve(cluster, offers=(), customers=(), bind={}, generations={}, weak_seed=False))
    # What manifests are rendered for to be looked at is no part of what is built.
    del facts["kubernetes"], facts["api_versions"]
    facts["offers"] = [{"kind": offer.kind, **attrs.asdict(offer)} for offer in cluster.offers]
    return "sha256:" + hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
