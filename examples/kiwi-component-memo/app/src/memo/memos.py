"""Memos in the database."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import attrs
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from memo.schema import revision_in, schema_problem

__all__ = ["EVERYBODY", "LONGEST_TEXT", "Attachment", "Memos", "Row", "Work", "shown"]

EVERYBODY: Final = "*"
"""The owner of memos that everybody sees and nobody changes."""
LONGEST_TEXT: Final = 20_000
"""Characters of a memo."""
PATIENCE: Final = 5.0
"""Seconds to wait for a connection."""

Row = dict[str, object]
Connection = psycopg.Connection[Row]


@attrs.frozen(kw_only=True)
class Attachment:
    """What is known of an attachment before anybody has looked into it."""

    name: str
    type: str
    size: int


@attrs.frozen(kw_only=True)
class Work:
    """A memo that the worker has taken."""

    id: UUID
    text: str
    has_attachment: bool


class Memos:
    """The table of memos, by a pool of connections."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is connected yet.

        Args:
            url: the database with its account.
        """
        options = {"row_factory": dict_row, "connect_timeout": int(PATIENCE)}
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url, connection_class=Connection, min_size=1, max_size=8, timeout=PATIENCE, open=False, kwargs=options
        )

    def open(self) -> None:
        """Begin to connect, and do not wait for it."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def problem(self) -> str | None:
        """Return why the database is of no use now; None when it is.

        Raises:
            psycopg.OperationalError: it cannot be reached.
        """
        with self._pool.connection() as connection:
            return schema_problem(revision_in(connection))

    def add(self, owner: str, text: str) -> Row:
        """Add a memo and return it."""
        with self._pool.connection() as connection:
            made = connection.execute(
                "INSERT INTO memo (owner, body) VALUES (%s, %s) RETURNING *", (owner, text)
            ).fetchone()
        assert made is not None  # an INSERT returns its row
        return made

    def all_of(self, reader: str) -> Sequence[Row]:
        """Return the memos that somebody sees, the newest first."""
        with self._pool.connection() as connection:
            return connection.execute(
                "SELECT * FROM memo WHERE owner IN (%s, %s) ORDER BY created_at DESC, id LIMIT 200", (reader, EVERYBODY)
            ).fetchall()

    def one(self, reader: str, memo: UUID) -> Row | None:
        """Return a memo, where somebody sees it."""
        with self._pool.connection() as connection:
            return connection.execute(
                "SELECT * FROM memo WHERE id = %s AND owner IN (%s, %s)", (memo, reader, EVERYBODY)
            ).fetchone()

    def attach(self, owner: str, memo: UUID, attachment: Attachment) -> Row | None:
        """Say of a memo that it has an attachment now; None where it is not its owner who says so."""
        with self._pool.connection() as connection:
            return connection.execute(
                "UPDATE memo SET attachment_name = %s, attachment_type = %s, attachment_size = %s "
                "WHERE id = %s AND owner = %s RETURNING *",
                (attachment.name, attachment.type, attachment.size, memo, owner),
            ).fetchone()

    @contextmanager
    def next_work(self) -> Generator[tuple[Work | None, Connection]]:
        """Take the oldest memo that nobody has looked at and nobody else has taken; it is taken until the block ends."""
        with self._pool.connection() as connection:
            row = connection.execute(
                "SELECT id, body, attachment_name FROM memo WHERE done_at IS NULL "
                "ORDER BY created_at FOR UPDATE SKIP LOCKED LIMIT 1"
            ).fetchone()
            work = None
            if row and isinstance(row["id"], UUID):
                work = Work(id=row["id"], text=str(row["body"]), has_attachment=row["attachment_name"] is not None)
            yield work, connection


def shown(row: Row) -> Row:
    """Return a memo as the API shows it. What an older schema does not have is left out."""
    attachment = None
    if row["attachment_name"] is not None:
        attachment = {name: row[f"attachment_{name}"] for name in ("name", "type", "size", "sha256")}
    found = {
        "id": str(row["id"]),
        "text": row["body"],
        "created_at": f"{row['created_at']:%Y-%m-%dT%H:%M:%S%z}",
        "is_done": row["done_at"] is not None,
        "words": row["words"],
        "attachment": attachment,
    }
    return found | ({"origin": row["origin"]} if "origin" in row else {})
