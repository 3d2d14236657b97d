"""The database's schema: which revision it has, which one this version needs, and the way from one to the other."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import errors

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["SchemaError", "head", "migrate", "revision_in", "schema_problem"]

LOCATION: Final = "memo:migrations"
log = logging.getLogger("memo")


class SchemaError(Exception):
    """The database cannot be brought to the revision that this version needs."""


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", LOCATION)
    return config


@functools.cache
def head() -> str:
    """Return the revision that this version needs: the last that it ships."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision_in(connection: psycopg.Connection[dict[str, object]]) -> str | None:
    """Return the database's revision; None where there is no schema at all."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except errors.UndefinedTable:
        connection.rollback()
        return None
    return str(row["version_num"]) if row else None


def schema_problem(found: str | None) -> str | None:
    """Return why this version cannot work on a database at a revision; None when it can."""
    wanted = head()
    return None if found == wanted else f"the database is at {found or 'no revision'}, and {wanted} is needed"


def migrate(url: str) -> None:
    """Bring the database to the revision that this version needs; does nothing where it is there.

    Several may ask at once: one migrates, and the others wait for it.

    Raises:
        SchemaError: a newer version has migrated the database before, it refuses, or it cannot be reached.
    """
    from alembic import command
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    config = _config()
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        # The driver's own words have no password; SQLAlchemy's would have the statement.
        raise SchemaError(f"{error.orig}".strip()) from None
    except CommandError as error:
        # Alembic does not find the revision that the database says it has.
        raise SchemaError(
            f"{error}: a newer version has migrated this database, and this one ends at {head()}"
        ) from None
    log.info("the database is at %s", head())
