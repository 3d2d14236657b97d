"""What Alembic runs: all that is missing in one transaction, while nobody else does the same."""

from __future__ import annotations

from typing import Final

import psycopg
from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

LOCK: Final = 6_337_062
"""The number of the advisory lock, the application's own."""

url: str = context.config.attributes["url"]
engine = create_engine(
    "postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=10), poolclass=NullPool
)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()
