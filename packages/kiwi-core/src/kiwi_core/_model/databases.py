"""Databases as kinds of services: PostgreSQL and MariaDB."""

from __future__ import annotations

from typing import ClassVar

import attrs

from kiwi_core._model.fields import port
from kiwi_core._model.late import Credential
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Asked, Home, Use
from kiwi_core._model.services import ServerOffer

__all__ = ["Mariadb", "MariadbBinding", "MariadbOffer", "Postgres", "PostgresBinding", "PostgresOffer"]


@attrs.frozen(kw_only=True)
class DatabaseBinding:
    """A database of one's own, with a user that may do everything in it."""

    host: str
    port: int
    database: str
    user: str
    password: Credential


@attrs.frozen(kw_only=True)
class DatabaseOffer(ServerOffer):
    """A database server of the tenant's namespace.

    Attributes:
        admin_user: the administrator's name.
        admin: the key of the Secret that holds the administrator's password; lent to hook jobs only.
    """

    form: ClassVar[type[DatabaseBinding]]

    admin_user: str
    admin: SecretKey

    def bind(self, use: Use[object], asked: Asked, home: Home) -> DatabaseBinding:  # noqa: ARG002 -- the interface
        """Give the database that the use names, with a user of the same name."""
        return self.form(
            host=self.host, port=self.port, database=use.name, user=use.name, password=asked.credential(use)
        )


@attrs.frozen(kw_only=True)
class PostgresBinding(DatabaseBinding):
    """A database of one's own, with a role that owns it."""


@attrs.frozen
class Postgres(Use[PostgresBinding]):
    """A PostgreSQL database; the name is that of the database and its owner."""

    kind: ClassVar[str] = "postgres"
    binding: ClassVar[type] = PostgresBinding
    side_effect: ClassVar[str | None] = "a role and a database"


@attrs.frozen(kw_only=True)
class PostgresOffer(DatabaseOffer):
    """A PostgreSQL server of the tenant's namespace.

    Attributes:
        admin_database: the database that the administrator signs in to: one that is there always.
    """

    kind: ClassVar[str] = "postgres"
    form: ClassVar[type[DatabaseBinding]] = PostgresBinding

    port: int = attrs.field(default=5432, validator=port)
    admin_user: str = "postgres"
    admin_database: str = "postgres"


@attrs.frozen(kw_only=True)
class MariadbBinding(DatabaseBinding):
    """A database of one's own, with a user who may do everything in it."""


@attrs.frozen
class Mariadb(Use[MariadbBinding]):
    """A MariaDB database; the name is that of the database and its user."""

    kind: ClassVar[str] = "mariadb"
    binding: ClassVar[type] = MariadbBinding
    side_effect: ClassVar[str | None] = "a user and a database"


@attrs.frozen(kw_only=True)
class MariadbOffer(DatabaseOffer):
    """A MariaDB server of the tenant's namespace."""

    kind: ClassVar[str] = "mariadb"
    form: ClassVar[type[DatabaseBinding]] = MariadbBinding

    port: int = attrs.field(default=3306, validator=port)
    admin_user: str = "root"
