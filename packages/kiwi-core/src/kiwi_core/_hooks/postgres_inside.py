"""What a component needs within its PostgreSQL database: extensions, and privileges of other roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import attrs

from kiwi_core._hooks.postgres_parts import PostgresGrant
from kiwi_core.errors import Forbidden, HookError, Problem

if TYPE_CHECKING:
    from kiwi_core._hooks.postgres_client import Connection

__all__ = ["Inside", "give", "install_extension", "look_inside"]

Lack = Literal["role", "schema", "privilege"]


@attrs.frozen(kw_only=True)
class Inside:
    """What is in a database.

    Attributes:
        extensions: all that are installed.
        lacks: the grants that are not in force, and what is missing.
    """

    extensions: Sequence[str]
    lacks: Mapping[PostgresGrant, Lack]


@attrs.frozen(kw_only=True)
class _Inside:
    extensions: list[str]
    lacks: list[Lack | None]


@attrs.frozen(kw_only=True)
class _Extension:
    """An extension that can be installed."""

    schema: str | None
    is_trusted: bool
    is_superusers: bool


def look_inside(connection: Connection, database: str, grants: Sequence[PostgresGrant]) -> Inside:
    """Look into the database of a connection.

    Raises:
        HookError: it cannot be looked into.
    """
    asked = [(grant, privilege) for grant in grants for privilege in grant.privileges]
    found = connection.one(
        f"look into database {database}",
        _Inside,
        """
        SELECT ARRAY(SELECT extname::text FROM pg_extension) AS extensions,
               ARRAY(SELECT CASE WHEN r.oid IS NULL THEN 'role'
                                 WHEN g.schema <> '' AND n.oid IS NULL THEN 'schema'
                                 WHEN NOT CASE WHEN g.schema = '' THEN has_database_privilege(r.oid, d.oid, g.privilege)
                                               ELSE has_schema_privilege(r.oid, n.oid, g.privilege) END
                                 THEN 'privilege' END
                     FROM unnest(%(roles)s::text[], %(schemas)s::text[], %(privileges)s::text[])
                          WITH ORDINALITY AS g(role, schema, privilege, place)
                          JOIN pg_database d ON d.datname = current_database()
                          LEFT JOIN pg_roles r ON r.rolname = g.role
                          LEFT JOIN pg_namespace n ON n.nspname = g.schema
                     ORDER BY g.place) AS lacks
        """,
        roles=[grant.to for grant, _ in asked],
        schemas=[grant.schema or "" for grant, _ in asked],
        privileges=[privilege for _, privilege in asked],
    )
    assert found
    lacks: dict[PostgresGrant, Lack] = {
        grant: lack for (grant, _), lack in zip(asked, found.lacks, strict=True) if lack
    }
    return Inside(extensions=found.extensions, lacks=lacks)


def install_extension(connection: Connection, subject: str, extension: str) -> None:
    """Install an extension in the database of a connection, in its own schema or in ``public``, with what it requires.

    Raises:
        HookError: the server does not have it, or it needs a superuser (Forbidden).
    """
    from psycopg import sql

    found = connection.one(
        f"look for extension {extension}",
        _Extension,
        """
        SELECT v.schema::text AS schema, v.trusted AS is_trusted, v.superuser AS is_superusers
        FROM pg_available_extensions e
             JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
        WHERE e.name = %(extension)s
        """,
        extension=extension,
    )
    what = f"{subject}: extension {extension}"
    if found is None:
        major = connection.version // 10000
        hint = (
            f"it comes with the server's contrib modules (Debian: postgresql-{major}) or in a package of its own "
            f"(such as postgresql-{major}-pgvector); take an image of the server that has it"
        )
        raise HookError(Problem(f"{what} is not installed on the server", hint=hint))
    if found.is_superusers and not found.is_trusted and not connection.is_superuser:
        hint = "let a superuser install it once: the hook finds it then"
        raise Forbidden(Problem(f"{what} needs a superuser, which {connection.user} is not", hint=hint))
    place = sql.SQL("" if found.schema else " SCHEMA public")
    statement = "CREATE EXTENSION {extension}{place} CASCADE"
    connection.do(f"install extension {extension}", statement, needs="CREATE", extension=extension, place=place)


def give(connection: Connection, database: str, grant: PostgresGrant) -> None:
    """Grant privileges in the database of a connection.

    Raises:
        HookError: they cannot be granted.
    """
    from psycopg import sql

    words = {name: sql.SQL(name) for name in ("CONNECT", "CREATE", "TEMPORARY", "USAGE")}
    of = "the database" if grant.schema is None else "the schema"
    connection.do(
        f"grant {grant}",
        "GRANT {privileges} ON {what} {name} TO {role}",
        needs=f"the rights of the role that {of} belongs to",
        privileges=sql.SQL(", ").join(words[privilege] for privilege in grant.privileges),
        what=sql.SQL("DATABASE" if grant.schema is None else "SCHEMA"),
        name=grant.schema or database,
        role=grant.to,
    )
