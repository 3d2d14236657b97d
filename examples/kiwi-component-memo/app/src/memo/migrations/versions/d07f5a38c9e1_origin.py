"""Where a memo comes from: a person, or whoever runs the application."""

from __future__ import annotations

from alembic import op

revision = "d07f5a38c9e1"
down_revision = "91c4e6b20d7a"


def upgrade() -> None:
    """Add the column; what is there was written by people."""
    op.execute("ALTER TABLE memo ADD COLUMN origin text NOT NULL DEFAULT 'person'")
