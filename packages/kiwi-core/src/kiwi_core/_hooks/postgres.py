"""Hooks at PostgreSQL: a role, and a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from kiwi_core._hooks.postgres_parts import (
    PostgresGrant,
    PostgresServer,
    extension_name,
    locale_name,
    role_name,
)
from kiwi_core._model.databases import Postgres, PostgresBinding, PostgresOffer
from kiwi_core._model.fields import many
from kiwi_core._model.hooks import Hook, Lent, one_use
from kiwi_core._model.secrets import Sealed
from kiwi_core.errors import ComposeError, Problem

if TYPE_CHECKING:
    from kiwi_core._hooks.postgres_database import DatabaseState
    from kiwi_core._hooks.postgres_role import RoleState

__all__ = ["PostgresDatabase", "PostgresGrant", "PostgresRole", "server_of"]


def _one_use(hook: Hook) -> Postgres:
    return one_use(hook, Postgres, "one Postgres use")


def server_of(lent: Lent, use: Postgres) -> tuple[PostgresServer, PostgresBinding]:
    """Return the server behind a use, with its administrator, and what the use is bound to."""
    bound, offer = lent.binding(use), lent.offer(use, PostgresOffer)
    password = lent.secret(offer.admin)
    server = PostgresServer(
        host=bound.host, port=bound.port, user=offer.admin_user, password=password, database=offer.admin_database
    )
    return server, bound


def _refuse_own(what: str, name: str, own: str) -> None:
    if name == own:
        raise ComposeError(
            Problem(f"a hook is to make {what} {name!r}, which is the server's own", hint="choose another name")
        )


@attrs.frozen(kw_only=True)
class PostgresRole(Hook):
    """A role at the server of a use: it is made, may what it should, and signs in with its password.

    Without settings it is the role of the use's own binding. An extra one needs a name and a password of its own::

        PostgresRole(on=DB)
        PostgresRole(on=DB, role="onyx_readonly", password=bound.credential("readonly"), name="readonly")

    Nothing is ever taken from a role but CREATEDB and CREATEROLE; what belongs to it stays.

    Attributes:
        role: its name; by default the user of the binding.
        password: its password; by default that of the binding.
        login: whether one can sign in as it. A role without is for others to be members of, and has no password.
        createdb: whether it may make databases.
        createrole: whether it may make roles.
        member_of: roles whose rights it has. They must be there before; memberships beyond these stay.
    """

    kind: ClassVar[str] = "postgres-role"

    role: str | None = attrs.field(default=None, validator=attrs.validators.optional(role_name))
    password: Sealed | None = None
    login: bool = True
    createdb: bool = False
    createrole: bool = False
    member_of: tuple[str, ...] = attrs.field(
        default=(), validator=[many, attrs.validators.deep_iterable(attrs.validators.and_(role_name))]
    )

    def __attrs_post_init__(self) -> None:
        _one_use(self)
        if self.login and self.role is not None and self.password is None:
            raise ValueError(
                f"role {self.role!r} has no password: give it one of its own, password=bound.credential('…'), or login=False"
            )
        if not self.login and (self.role is None or self.password is not None):
            raise ValueError("login=False is for an extra role: give it a name, role='…', and no password")
        if self.role in self.member_of:
            raise ValueError(f"role {self.role!r} cannot be a member of itself")

    def desired(self, lent: Lent) -> RoleState:
        """Return the role at the server that serves the use."""
        from kiwi_core._hooks.postgres_role import RoleState

        server, bound = server_of(lent, _one_use(self))
        role = self.role or bound.user
        _refuse_own("role", role, server.user)
        return RoleState(
            owner=lent.owner,
            server=server,
            role=role,
            password=lent.secret(self.password or bound.password) if self.login else None,
            createdb=self.createdb,
            createrole=self.createrole,
            member_of=self.member_of,
        )


@attrs.frozen(kw_only=True)
class PostgresDatabase(Hook):
    """The database of a use: it is made, belongs to its role, and has its extensions. Its role must be there before.

    ::

        PostgresDatabase(on=DB, extensions=("pg_trgm", "pgcrypto"))

    It is made with the encoding UTF8. One that is there is taken over with all that it holds; nothing is ever dropped.

    Attributes:
        owner: the role that it belongs to; by default the user of the binding.
        extensions: what is installed in it, each in its own schema or in ``public``.
        grants: privileges of other roles, which must be there before.
        locale: collation and character classes, such as ``C``; by default the server's. It cannot be changed later.
    """

    kind: ClassVar[str] = "postgres-database"

    owner: str | None = attrs.field(default=None, validator=attrs.validators.optional(role_name))
    extensions: tuple[str, ...] = attrs.field(
        default=(), validator=[many, attrs.validators.deep_iterable(attrs.validators.and_(extension_name))]
    )
    grants: tuple[PostgresGrant, ...] = attrs.field(
        default=(), validator=[many, attrs.validators.deep_iterable(attrs.validators.instance_of(PostgresGrant))]
    )
    locale: str | None = attrs.field(default=None, validator=attrs.validators.optional(locale_name))

    def __attrs_post_init__(self) -> None:
        _one_use(self)

    def desired(self, lent: Lent) -> DatabaseState:
        """Return the database at the server that serves the use."""
        from kiwi_core._hooks.postgres_database import DatabaseState

        server, bound = server_of(lent, _one_use(self))
        _refuse_own("database", bound.database, server.database)
        return DatabaseState(
            owner=lent.owner,
            server=server,
            database=bound.database,
            role=self.owner or bound.user,
            extensions=self.extensions,
            grants=self.grants,
            locale=self.locale,
        )
