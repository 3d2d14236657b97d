"""An attachment; its content is in the bucket, under the memo's id."""

from __future__ import annotations

from alembic import op

revision = "5be7124f8c0d"
down_revision = "a3d90c61e2f4"


def upgrade() -> None:
    """Add what is known of it."""
    op.execute(
        """
        ALTER TABLE memo
            ADD COLUMN attachment_name text,
            ADD COLUMN attachment_type text,
            ADD COLUMN attachment_size bigint
        """
    )
