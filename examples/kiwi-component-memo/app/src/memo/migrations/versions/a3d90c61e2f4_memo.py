"""Memos, each of one person."""

from __future__ import annotations

from alembic import op

revision = "a3d90c61e2f4"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE memo (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            owner text NOT NULL,
            body text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX memo_of_owner ON memo (owner, created_at DESC)")
