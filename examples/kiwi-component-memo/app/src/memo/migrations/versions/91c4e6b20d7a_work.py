"""What the worker finds out. A memo whose text or attachment changed is new to it again."""

from __future__ import annotations

from alembic import op

revision = "91c4e6b20d7a"
down_revision = "5be7124f8c0d"


def upgrade() -> None:
    """Add the columns, and what is still to be done as an index."""
    op.execute(
        """
        ALTER TABLE memo
            ADD COLUMN words integer,
            ADD COLUMN attachment_sha256 text,
            ADD COLUMN done_at timestamptz
        """
    )
    op.execute("CREATE INDEX memo_to_do ON memo (created_at) WHERE done_at IS NULL")
    op.execute(
        """
        CREATE FUNCTION memo_is_new() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.words := NULL;
            NEW.attachment_sha256 := NULL;
            NEW.done_at := NULL;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER memo_changes BEFORE UPDATE OF body, attachment_name, attachment_type, attachment_size
        ON memo FOR EACH ROW EXECUTE FUNCTION memo_is_new()
        """
    )
