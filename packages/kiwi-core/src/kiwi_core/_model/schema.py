"""Schema contracts: what seeds need of the image that is pinned."""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = ["AlembicSchema", "Schema"]


@attrs.frozen(kw_only=True)
class Schema:
    """The minimum schema version that a component's seeds need.

    Attributes:
        tool: the migration tool whose captured history decides.
        image: the name of the image pin that carries the migrations.
        because: what needs it, in a few words.
    """

    tool: ClassVar[str]

    image: str
    minimum: str
    because: str


@attrs.frozen(kw_only=True)
class AlembicSchema(Schema):
    """A minimum Alembic revision: the image's history must contain it."""

    tool: ClassVar[str] = "alembic"
