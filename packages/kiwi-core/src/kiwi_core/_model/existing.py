"""A component that installs nothing: services that already run in the tenant's namespace."""

from __future__ import annotations

from typing import ClassVar

import attrs

from kiwi_core._model.bound import Bound
from kiwi_core._model.component import Component, Declaration, Wiring
from kiwi_core._model.databases import PostgresOffer
from kiwi_core._model.service import Offer
from kiwi_core._model.services import BucketOffer, OidcOffer, RedisOffer, SmtpOffer

__all__ = ["ExistingServices"]


@attrs.frozen(kw_only=True)
class ExistingServices(Component):
    """Services that already run in the tenant's namespace: where they answer, and the names of their Secrets.

    Attributes:
        postgres, bucket, redis, oidc, smtp: one service of each kind, where there is one.
        others: services of further kinds.
    """

    kind: ClassVar[str] = "existing-services"

    postgres: PostgresOffer | None = None
    bucket: BucketOffer | None = None
    redis: RedisOffer | None = None
    oidc: OidcOffer | None = None
    smtp: SmtpOffer | None = None
    others: tuple[Offer, ...] = ()

    def declare(self) -> Declaration:
        """Offer what is there."""
        named = (self.postgres, self.bucket, self.redis, self.oidc, self.smtp)
        offers: list[Offer] = [offer for offer in named if offer]
        return Declaration(offers=(*offers, *self.others))

    def wire(self, bound: Bound) -> Wiring:  # noqa: ARG002 -- the interface
        """Wire nothing: it has no release."""
        return Wiring()
