"""The desired state of a PostgreSQL database: it is there, belongs to its role, and has what a component needs in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from kiwi_core._hooks.marks import marked, owner_of, refuse_foreign
from kiwi_core._hooks.postgres_inside import give, install_extension, look_inside
from kiwi_core._hooks.postgres_parts import (
    PostgresGrant,
    PostgresServer,
    database_name,
    extension_name,
    locale_name,
    role_name,
)
from kiwi_core._model.desired import Desired, Orphan, Session, Step
from kiwi_core._model.fields import many
from kiwi_core.errors import HookError, Problem, Unreachable

if TYPE_CHECKING:
    from kiwi_core._hooks.postgres_client import Connection

__all__ = ["DatabaseSeen", "DatabaseState"]

ENCODING: Final = "UTF8"
NEEDS_OWNER: Final = "the rights of the role that the database belongs to"


@attrs.frozen(kw_only=True)
class DatabaseSeen:
    """What is there of a database.

    Attributes:
        administrator: whether the administrator's password is the current one.
        is_there: whether the database is.
        mark: the owner whose mark it bears; empty where it has none.
        role: the role that it belongs to.
        extensions: those of the wanted ones that are installed.
        grants: those of the wanted ones that are in force, by whatever way.
    """

    administrator: bool
    is_there: bool = False
    mark: str = ""
    role: str = ""
    extensions: tuple[str, ...] = ()
    grants: tuple[PostgresGrant, ...] = ()


@attrs.frozen(kw_only=True)
class _Database:
    """A database, and whether the role that it is to belong to is there; no ``role`` where there is no database."""

    has_owner: bool
    role: str | None
    comment: str | None
    encoding: str | None
    collation: str | None
    ctype: str | None
    is_open: bool | None


@attrs.frozen(kw_only=True)
class _Held:
    tables: int
    large_objects: int
    size: str


@attrs.frozen(kw_only=True)
class _Named:
    """A database, the role that it belongs to, and its comment."""

    database: str
    role: str
    comment: str | None


@attrs.frozen(kw_only=True)
class DatabaseState(Desired):
    """A database.

    Attributes:
        server: where it is.
        database: its name.
        role: the role that it belongs to.
        extensions: what is installed in it.
        grants: privileges of other roles.
        locale: collation and character classes that it is made with; None is the server's.
    """

    kind: ClassVar[str] = "postgres-database"

    server: PostgresServer
    database: str = attrs.field(validator=database_name)
    role: str = attrs.field(validator=role_name)
    extensions: tuple[str, ...] = attrs.field(
        default=(), validator=[many, attrs.validators.deep_iterable(attrs.validators.and_(extension_name))]
    )
    grants: tuple[PostgresGrant, ...] = attrs.field(default=(), validator=many)
    locale: str | None = attrs.field(default=None, validator=attrs.validators.optional(locale_name))

    @property
    def subject(self) -> str:
        """The database and the server."""
        return f"database {self.database} at {self.server.at}"

    def observe(self, session: Session) -> DatabaseSeen:
        """Look at the database, and into it where something is wanted in it.

        Raises:
            HookError: the server cannot be looked at; a role is not there yet (Unreachable); or the database is another
                owner's, or cannot become what is wanted.
        """
        connection = self._connect(session)
        database = connection.one(
            f"look at database {self.database}",
            _Database,
            """
            SELECT r.oid IS NOT NULL AS has_owner, pg_get_userbyid(d.datdba)::text AS role,
                   shobj_description(d.oid, 'pg_database') AS comment, pg_encoding_to_char(d.encoding)::text AS encoding,
                   d.datcollate::text AS collation, d.datctype::text AS ctype, d.datallowconn AS is_open
            FROM (SELECT %(database)s::name AS database, %(role)s::name AS role) w
                 LEFT JOIN pg_roles r ON r.rolname = w.role LEFT JOIN pg_database d ON d.datname = w.database
            """,
            database=self.database,
            role=self.role,
        )
        assert database
        if not database.has_owner:
            raise self._not_yet(self.role, "is to own it")
        if database.role is None:
            return DatabaseSeen(administrator=connection.is_current)
        refuse_foreign(self.subject, database.comment, self.owner)
        self._refuse_unfit(database)
        extensions, grants = self._look_inside(session)
        return DatabaseSeen(
            administrator=connection.is_current,
            is_there=True,
            mark=owner_of(database.comment),
            role=database.role,
            extensions=extensions,
            grants=grants,
        )

    def _connect(self, session: Session) -> Connection:
        from kiwi_core._hooks.postgres_client import administrator

        return administrator(self.server, session)

    def _enter(self, session: Session, database: str) -> Connection:
        from kiwi_core._hooks.postgres_client import administrator

        return administrator(self.server, session, database)

    def _not_yet(self, role: str, what: str) -> Unreachable:
        hint = f"a hook PostgresRole that runs before makes role {role}"
        return Unreachable(Problem(f"{self.subject}: role {role}, which {what}, is not there", hint=hint))

    def _refuse_unfit(self, database: _Database) -> None:
        """What a database was made with cannot be changed."""
        anew = "dump it, drop it, let the hook make it, and load the dump"
        if database.encoding != ENCODING:
            raise HookError(Problem(f"{self.subject} has the encoding {database.encoding}, not {ENCODING}", hint=anew))
        found = {database.collation, database.ctype}
        if self.locale is not None and found != {self.locale}:
            shown = " and ".join(sorted(map(str, found)))
            raise HookError(Problem(f"{self.subject} has the locale {shown}, not {self.locale}", hint=anew))
        if not database.is_open:
            hint = f"somebody has shut it; when that is over: ALTER DATABASE {self.database} ALLOW_CONNECTIONS true"
            raise HookError(Problem(f"{self.subject} lets nobody in", hint=hint))

    def _look_inside(self, session: Session) -> tuple[tuple[str, ...], tuple[PostgresGrant, ...]]:
        if not self.extensions and not self.grants:
            return (), ()
        inside = look_inside(self._enter(session, self.database), self.database, self.grants)
        for grant, lack in inside.lacks.items():
            if lack == "role":
                raise self._not_yet(grant.to, f"is to have {grant}")
            if lack == "schema":
                hint = "it has to be there before; where the component makes it itself, grant in a post hook"
                raise HookError(Problem(f"{self.subject} has no schema {grant.schema}", hint=hint))
        extensions = tuple(extension for extension in self.extensions if extension in inside.extensions)
        return extensions, tuple(grant for grant in self.grants if grant not in inside.lacks)

    def plan(self, observed: DatabaseSeen) -> Sequence[Step]:
        """Compare."""
        steps: list[Step] = []
        if not observed.administrator:
            steps.append(Step("set administrator's password", self.server.user))
        if not observed.is_there:
            steps.append(Step("create database", self.database, f"owner {self.role}"))
        if observed.mark != self.owner:
            steps.append(Step("mark database", self.database, self.owner))
        if observed.is_there and observed.role != self.role:
            steps.append(Step("give database", self.database, f"owner {self.role}"))
        missing = (extension for extension in self.extensions if extension not in observed.extensions)
        steps += [Step("install extension", extension, self.database) for extension in missing]
        return [*steps, *(Step("grant", str(grant)) for grant in self.grants if grant not in observed.grants)]

    def apply(self, step: Step, session: Session) -> None:
        """Do one step.

        Raises:
            HookError: it cannot be done.
        """
        from psycopg import sql

        connection = self._connect(session)
        with connection.exclusively(f"database {self.database}", lambda: step in self.plan(self.observe(session))):
            if step.action == "set administrator's password":
                connection.set_own_password()
                return
            if not connection.is_superuser:
                self._take_rights(connection)
            match step.action:
                case "create database":
                    self._create(step, connection)
                case "mark database":
                    found = self._named(connection)
                    comment = sql.Literal(marked(found.comment if found else None, self.owner))
                    statement = "COMMENT ON DATABASE {database} IS {comment}"
                    connection.do(str(step), statement, needs=NEEDS_OWNER, database=self.database, comment=comment)
                case "give database":
                    needs = "CREATEDB, and the rights of the role that it belongs to now"
                    statement = "ALTER DATABASE {database} OWNER TO {role}"
                    connection.do(str(step), statement, needs=needs, database=self.database, role=self.role)
                case "install extension":
                    install_extension(self._enter(session, self.database), self.subject, step.of)
                case _:
                    wanted = next(grant for grant in self.grants if str(grant) == step.of)
                    give(self._enter(session, self.database), self.database, wanted)

    def _create(self, step: Step, connection: Connection) -> None:
        from psycopg import sql

        made_with = sql.SQL("LC_COLLATE {0} LC_CTYPE {0}").format(self.locale) if self.locale else sql.SQL("")
        # Only template0 may be copied with another encoding than its own, and nobody is ever signed in to it.
        connection.do(
            str(step),
            "CREATE DATABASE {database} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' {made_with}",
            needs="CREATEDB",
            database=self.database,
            role=self.role,
            made_with=made_with,
        )

    def _take_rights(self, connection: Connection) -> None:
        """Take the rights of the role that it is to belong to, and of the one that it belongs to."""
        found = self._named(connection)
        for role in dict.fromkeys((self.role, found.role if found else self.role)):
            connection.take_rights_of(role)

    def _named(self, connection: Connection) -> _Named | None:
        return connection.one(
            f"read the comment of database {self.database}",
            _Named,
            """
            SELECT datname::text AS database, pg_get_userbyid(datdba)::text AS role,
                   shobj_description(oid, 'pg_database') AS comment
            FROM pg_database WHERE datname = %(database)s
            """,
            database=self.database,
        )

    def verify(self, session: Session) -> None:
        """Observe again.

        Raises:
            HookError: something is not so.
        """
        connection = self._connect(session)
        try:
            super().verify(session)
        finally:
            connection.release()

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the databases that bear the owner's mark and are not wanted; each holds its tables and large objects."""
        kept = {one.database for one in wanted if isinstance(one, DatabaseState) and one.server.at == self.server.at}
        return [
            Orphan(kind=self.kind, name=name, at=self.server.at, holds=self._holds(name, session))
            for name in self._marked(self._connect(session))
            if name not in kept
        ]

    def _marked(self, connection: Connection) -> list[str]:
        found = connection.rows(
            "look for databases that bear a mark",
            _Named,
            """
            SELECT d.datname::text AS database, pg_get_userbyid(d.datdba)::text AS role, c.description AS comment
            FROM pg_database d JOIN pg_shdescription c ON c.classoid = 'pg_database'::regclass AND c.objoid = d.oid
            WHERE c.description LIKE '%%kiwistack: %%' ORDER BY 1
            """,
        )
        return [one.database for one in found if owner_of(one.comment) == self.owner]

    def _holds(self, database: str, session: Session) -> str:
        found = self._enter(session, database).one(
            f"look into database {database}",
            _Held,
            """
            SELECT count(*) AS tables, (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
                   pg_size_pretty(pg_database_size(current_database())) AS size
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
            """,
        )
        assert found
        parts = [f"{found.tables} tables"] if found.tables else []
        parts += [f"{found.large_objects} large objects"] if found.large_objects else []
        return ", ".join([*parts, found.size]) if parts else ""

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Drop a database that bears the owner's mark; refused while somebody is signed in to it.

        Raises:
            HookError: it is refused, or failed.
        """
        from kiwi_core._hooks.postgres_client import leave

        connection = self._connect(session)
        subject = f"database {orphan.name}"
        with connection.exclusively(subject, lambda: True):
            if orphan.name not in self._marked(connection):
                raise HookError(
                    f"{subject} at {self.server.at} is not there, or does not bear the mark of {self.owner}"
                )
            leave(self.server, session, orphan.name)
            connection.do(f"drop {subject}", "DROP DATABASE {database}", needs=NEEDS_OWNER, database=orphan.name)
        connection.release()
