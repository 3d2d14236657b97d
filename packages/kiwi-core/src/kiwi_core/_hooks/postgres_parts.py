"""What the kinds of hooks at PostgreSQL are made of: plain data, and names that mean the same quoted and unquoted."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from kiwi_core._model.desired import Mounted
from kiwi_core._model.fields import many, port

__all__ = ["PostgresGrant", "PostgresServer", "database_name", "extension_name", "locale_name", "role_name"]

LONGEST_NAME: Final = 63
"""Bytes; PostgreSQL cuts what is longer (NAMEDATALEN)."""
NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]*")
LOCALE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
RESERVED_ROLES: Final = frozenset({"public", "none"})
SYSTEM_DATABASES: Final = frozenset({"postgres", "template0", "template1"})
SYSTEM_SCHEMAS: Final = frozenset({"information_schema"})
DATABASE_PRIVILEGES: Final = ("CONNECT", "CREATE", "TEMPORARY")
SCHEMA_PRIVILEGES: Final = ("CREATE", "USAGE")


# An Attribute is invariant in its type. Authors' code is unchecked.
def _name(attribute: attrs.Attribute[Any], value: object) -> str:
    """Check what goes for the names of roles, databases, schemas and extensions alike.

    Raises:
        TypeError: it is no text.
        ValueError: it is no such name.
    """
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name}: found {value!r}, expected a text")
    if value != value.lower() and NAME.fullmatch(value.lower()):
        raise ValueError(
            f"{attribute.name} {value!r} has capitals, which PostgreSQL folds wherever the name is not quoted: "
            f"write {value.lower()!r}"
        )
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{attribute.name} {value!r} is no name that every client can write: use lower-case letters a to z, "
            "digits, '_' and '-', and begin with another than '-'"
        )
    if len(value) > LONGEST_NAME:
        raise ValueError(
            f"{attribute.name} {value!r} has {len(value)} characters, and PostgreSQL cuts names after {LONGEST_NAME}: "
            "choose a shorter one"
        )
    return value


def role_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a role.

    Raises:
        TypeError: it is no text.
        ValueError: it would be cut or folded, is reserved, or has to be quoted with care.
    """
    name = _name(attribute, value)
    if name in RESERVED_ROLES or name.startswith("pg_"):
        raise ValueError(f"{attribute.name} {name!r} is reserved by PostgreSQL: choose another name")


def database_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a database of a component.

    Raises:
        TypeError: it is no text.
        ValueError: as for roles; or it is the server's own.
    """
    name = _name(attribute, value)
    if name in SYSTEM_DATABASES:
        raise ValueError(f"{attribute.name} {name!r} is the server's own: choose another name")


def extension_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name an extension, such as ``pg_trgm`` or ``uuid-ossp``.

    Raises:
        TypeError: it is no text.
        ValueError: it cannot.
    """
    _name(attribute, value)


def locale_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a locale of the server's system, such as ``C`` or ``de_DE.UTF-8``.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(value, str) or not LOCALE.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no locale such as 'C' or 'de_DE.UTF-8'")


@attrs.frozen(kw_only=True)
class PostgresServer:
    """A server, and the account that hooks sign in with.

    Attributes:
        host, port: where it answers.
        user: the administrator: a superuser, or a role with CREATEROLE and CREATEDB.
        password: the administrator's.
        database: the database to sign in to, which is there always.
    """

    host: str
    port: int = attrs.field(validator=port)
    user: str
    password: Mounted
    database: str = "postgres"

    @property
    def at(self) -> str:
        """Where it is, for the reader."""
        return f"{self.host}:{self.port}"


@attrs.frozen(kw_only=True)
class PostgresGrant:
    """Privileges of another role in a database. What it has beyond them stays: nothing is revoked.

    Attributes:
        to: the role.
        privileges: of a schema ``CREATE`` and ``USAGE``, of the database ``CONNECT``, ``CREATE`` and ``TEMPORARY``.
        schema: the schema, which must be there; None is the database itself.
    """

    to: str = attrs.field(validator=role_name)
    privileges: tuple[str, ...] = attrs.field(validator=[many, attrs.validators.min_len(1)])
    schema: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.schema is not None:
            name = _name(attrs.fields(PostgresGrant).schema, self.schema)
            if name in SYSTEM_SCHEMAS or name.startswith("pg_"):
                raise ValueError(f"schema {name!r} is the server's own: its privileges stay as they are")
        known = DATABASE_PRIVILEGES if self.schema is None else SCHEMA_PRIVILEGES
        for privilege in self.privileges:
            if privilege not in known:
                of = "a database" if self.schema is None else "a schema"
                raise ValueError(f"privileges: {privilege!r} is none of {of}: {', '.join(known)}")

    def __str__(self) -> str:
        on = "the database" if self.schema is None else f"schema {self.schema}"
        return f"{', '.join(self.privileges)} on {on} to {self.to}"
