"""Lanes, tiers and stages: the few fixed words of delivery."""

from __future__ import annotations

import enum

__all__ = ["Lane", "PodSecurity", "Stage", "Tier"]


class Lane(enum.StrEnum):
    """Where a build goes; a helmfile environment. dev floats, dogfood and stable are pinned."""

    DEV = "dev"
    DOGFOOD = "dogfood"
    STABLE = "stable"

    @property
    def is_pinned(self) -> bool:
        """Whether this lane takes images by digest only."""
        return self is not Lane.DEV


class Tier(enum.StrEnum):
    """What enforces a customer's boundary: NetworkPolicy on a shared cluster (core), or a cluster of its own."""

    CORE = "core"
    MESH = "mesh"
    FLEET = "fleet"


class Stage(enum.StrEnum):
    """The ``deployStage`` label. The names are openDesk's (its helmfile's ``commonLabels``), foundation is ours.

    Stages of one number are not ordered among each other.
    """

    FOUNDATION = "000-foundation"
    MIGRATIONS_PRE = "010-migrations-pre"
    OPENDESK_SERVICES = "030-opendesk-services"
    SERVICES = "030-services-external"
    COMPONENTS = "050-components"
    LATE_COMPONENTS = "060-components"
    MIGRATIONS_POST = "090-migrations-post"

    @property
    def number(self) -> int:
        """The place of the stage in the order, 0 to 999."""
        return int(self.value[:3])


class PodSecurity(enum.StrEnum):
    """A level of Kubernetes' Pod Security Standards: what pods may ask of their node."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"
    PRIVILEGED = "privileged"

    @property
    def weakness(self) -> int:
        """How much it lets through: 0 is the least."""
        return list(PodSecurity).index(self)
