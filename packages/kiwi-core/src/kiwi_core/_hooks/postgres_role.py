"""The desired state of a PostgreSQL role: it is there, may what it should, and signs in with its password."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from kiwi_core._hooks.marks import marked, owner_of, refuse_foreign
from kiwi_core._hooks.postgres_parts import PostgresServer, role_name
from kiwi_core._hooks.scram import fits
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core._model.fields import many
from kiwi_core.errors import HookError, Problem, Unreachable

if TYPE_CHECKING:
    from psycopg.sql import Composable

    from kiwi_core._hooks.postgres_client import Connection

__all__ = ["RoleSeen", "RoleState"]

LOOKS: Final = 20
"""How often to look again whether somebody is signed in: who has just left is shown for a moment yet."""
NEVER_EXPIRES: Final = "VALID UNTIL 'infinity'"
NEEDS: Final = "CREATEROLE (and, from PostgreSQL 16 on, ADMIN OPTION on the role)"


@attrs.frozen(kw_only=True)
class RoleSeen:
    """What is there of a role.

    Attributes:
        administrator: whether the administrator's password is the current one.
        is_there: whether the role is.
        mark: the owner whose mark it bears; empty where it has none.
        password: whether the server takes its password.
        login, createdb, createrole: its attributes.
        expires: whether its password is valid only until some day.
        member_of: those of the wanted roles that it is a member of.
    """

    administrator: bool
    is_there: bool = False
    mark: str = ""
    password: bool = False
    login: bool = False
    createdb: bool = False
    createrole: bool = False
    expires: bool = False
    member_of: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class _Role:
    """A role as the catalogs show it to everybody."""

    login: bool
    createdb: bool
    createrole: bool
    is_superuser: bool
    expires: bool
    comment: str | None
    member_of: list[str]
    shows_verifiers: bool


@attrs.frozen(kw_only=True)
class _Text:
    text: str | None


@attrs.frozen(kw_only=True)
class _Marked:
    """A role that bears a mark; where it has privileges or more, what it owns, and how many are signed in as it."""

    role: str
    comment: str
    databases: list[str]
    owns: list[str]
    sessions: int


@attrs.frozen(kw_only=True)
class RoleState(Desired):
    """A role.

    Attributes:
        server: where it is.
        role: its name.
        password: its password; None where nobody signs in as it.
        createdb: whether it may make databases.
        createrole: whether it may make roles.
        member_of: roles whose rights it has; it may be a member of others, too.
    """

    kind: ClassVar[str] = "postgres-role"

    server: PostgresServer
    role: str = attrs.field(validator=role_name)
    password: Mounted | None
    createdb: bool = False
    createrole: bool = False
    member_of: tuple[str, ...] = attrs.field(
        default=(), validator=[many, attrs.validators.deep_iterable(attrs.validators.and_(role_name))]
    )

    @property
    def subject(self) -> str:
        """The role and the server."""
        return f"role {self.role} at {self.server.at}"

    def observe(self, session: Session) -> RoleSeen:
        """Look at the role, and whether the server takes its password: by its verifier, or by signing in.

        Raises:
            HookError: the server cannot be looked at; or the role is another owner's, or a superuser.
        """
        connection = self._connect(session)
        role = connection.one(
            f"look at role {self.role}",
            _Role,
            """
            SELECT rolcanlogin AS login, rolcreatedb AS createdb, rolcreaterole AS createrole,
                   rolsuper AS is_superuser, COALESCE(rolvaliduntil, 'infinity') <> 'infinity' AS expires,
                   shobj_description(oid, 'pg_authid') AS comment,
                   ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                         WHERE m.member = r.oid) AS member_of,
                   has_table_privilege('pg_authid', 'SELECT') AS shows_verifiers
            FROM pg_roles r WHERE rolname = %(role)s
            """,
            role=self.role,
        )
        if role is None:
            return RoleSeen(administrator=connection.is_current)
        if role.is_superuser:
            hint = "choose another name; or, where nobody needs it as one: ALTER ROLE … NOSUPERUSER"
            raise HookError(Problem(f"{self.subject} is a superuser, which no hook touches", hint=hint))
        refuse_foreign(self.subject, role.comment, self.owner)
        return RoleSeen(
            administrator=connection.is_current,
            is_there=True,
            mark=owner_of(role.comment),
            password=self._takes_password(role, connection, session),
            login=role.login,
            createdb=role.createdb,
            createrole=role.createrole,
            expires=role.expires,
            member_of=tuple(group for group in self.member_of if group in role.member_of),
        )

    def _connect(self, session: Session) -> Connection:
        from kiwi_core._hooks.postgres_client import administrator

        return administrator(self.server, session)

    def _takes_password(self, role: _Role, connection: Connection, session: Session) -> bool:
        from kiwi_core._hooks.postgres_client import takes_password

        if self.password is None:
            return True
        password = session.secret(self.password)
        if role.shows_verifiers and password.isascii():
            found = connection.one(
                f"look at the verifier of role {self.role}",
                _Text,
                "SELECT rolpassword AS text FROM pg_authid WHERE rolname = %(role)s",
                role=self.role,
            )
            return fits(found.text if found else None, password)
        return role.login and takes_password(self.server, session, self.role, password)

    def plan(self, observed: RoleSeen) -> Sequence[Step]:
        """Compare."""
        steps: list[Step] = []
        if not observed.administrator:
            steps.append(Step("set administrator's password", self.server.user))
        if not observed.is_there:
            steps.append(Step("create role", self.role, ", ".join(self._attributes())))
        if observed.mark != self.owner:
            steps.append(Step("mark role", self.role, self.owner))
        if observed.is_there and not observed.password:
            steps.append(Step("set password", self.role))
        if observed.is_there and (attributes := self._differing(observed)):
            steps.append(Step("alter role", self.role, ", ".join(attributes)))
        return [
            *steps,
            *(Step("join", group, self.role) for group in self.member_of if group not in observed.member_of),
        ]

    def _attributes(self) -> list[str]:
        flags = {"LOGIN": self.password is not None, "CREATEDB": self.createdb, "CREATEROLE": self.createrole}
        return [name if is_wanted else f"NO{name}" for name, is_wanted in flags.items()]

    def _differing(self, observed: RoleSeen) -> list[str]:
        """Only what differs: from PostgreSQL 16 on, who has no CREATEDB may not even say NOCREATEDB."""
        found = {"LOGIN": observed.login, "CREATEDB": observed.createdb, "CREATEROLE": observed.createrole}
        has = {name if is_so else f"NO{name}" for name, is_so in found.items()}
        differing = [attribute for attribute in self._attributes() if attribute not in has]
        return [*differing, NEVER_EXPIRES] if observed.expires else differing

    def apply(self, step: Step, session: Session) -> None:
        """Do one step.

        Raises:
            HookError: it cannot be done.
        """
        from psycopg import sql

        connection = self._connect(session)
        with connection.exclusively(f"role {self.role}", lambda: step in self.plan(self.observe(session))):
            match step.action:
                case "set administrator's password":
                    connection.set_own_password()
                case "create role":
                    connection.do(
                        str(step),
                        "CREATE ROLE {role} {attributes} PASSWORD {verifier}",
                        needs="CREATEROLE (and CREATEDB, where it is to give that)",
                        role=self.role,
                        attributes=_spelt(step.detail),
                        verifier=self._verifier(connection, session),
                    )
                case "mark role":
                    comment = sql.Literal(marked(self._comment(connection), self.owner))
                    statement = "COMMENT ON ROLE {role} IS {comment}"
                    connection.do(str(step), statement, needs=NEEDS, role=self.role, comment=comment)
                case "set password":
                    verifier = self._verifier(connection, session)
                    statement = "ALTER ROLE {role} PASSWORD {verifier}"
                    connection.do(str(step), statement, needs=NEEDS, role=self.role, verifier=verifier)
                case "alter role":
                    needs = f"{NEEDS}, and CREATEDB, to give or take that"
                    attributes = _spelt(step.detail)
                    connection.do(
                        str(step), "ALTER ROLE {role} {attributes}", needs=needs, role=self.role, attributes=attributes
                    )
                case _:
                    self._join(step.of, connection)

    def _verifier(self, connection: Connection, session: Session) -> Composable:
        from psycopg import sql

        return sql.SQL("NULL") if self.password is None else connection.verifier(session.secret(self.password))

    def _comment(self, connection: Connection) -> str | None:
        found = connection.one(
            f"read the comment of role {self.role}",
            _Text,
            "SELECT shobj_description(oid, 'pg_authid') AS text FROM pg_roles WHERE rolname = %(role)s",
            role=self.role,
        )
        return found.text if found else None

    def _join(self, group: str, connection: Connection) -> None:
        query = "SELECT rolname::text AS text FROM pg_roles WHERE rolname = %(group)s"
        if connection.one(f"look for role {group}", _Text, query, group=group) is None:
            hint = f"a hook PostgresRole(role={group!r}, …) that runs before makes it"
            raise Unreachable(Problem(f"{self.subject} is to be a member of {group}, which is not there", hint=hint))
        connection.do(
            f"make role {self.role} a member of {group}",
            "GRANT {group} TO {role}",
            needs=f"CREATEROLE (from PostgreSQL 16 on: ADMIN OPTION on {group})",
            group=group,
            role=self.role,
        )

    def verify(self, session: Session) -> None:
        """Observe again, and sign in as the role.

        Raises:
            HookError: something is not so.
        """
        from kiwi_core._hooks.postgres_client import takes_password

        connection = self._connect(session)
        try:
            super().verify(session)
            if self.password and not takes_password(self.server, session, self.role, session.secret(self.password)):
                hint = "its pg_hba.conf may keep the role out, or ask another authority (LDAP, PAM) for the password"
                raise HookError(
                    Problem(f"{self.subject}: its password is set, and the server takes another", hint=hint)
                )
        finally:
            connection.release()

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the roles that bear the owner's mark and are not wanted; a role holds what it owns."""
        kept = {one.role for one in wanted if isinstance(one, RoleState) and one.server.at == self.server.at}
        return [
            Orphan(kind=self.kind, name=found.role, at=self.server.at, holds=", ".join(found.owns))
            for found in self._marked(self._connect(session))
            if found.role not in kept
        ]

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Remove a role with its privileges; refused while it owns something, or somebody is signed in as it.

        Raises:
            HookError: it is refused, or failed.
        """
        from kiwi_core._hooks.postgres_client import administrator

        connection = self._connect(session)
        subject = f"role {orphan.name}"
        with connection.exclusively(subject, lambda: True):
            self._removable(orphan.name, connection)
            connection.take_rights_of(orphan.name)
            # So that nothing comes to belong to it between the last look and the end.
            connection.do(f"shut {subject}", "ALTER ROLE {role} NOLOGIN", needs=NEEDS, role=orphan.name)
            found = self._removable(orphan.name, connection)
            for database in found.databases or [self.server.database]:
                administrator(self.server, session, database).do(
                    f"revoke the privileges of {subject} in database {database}",
                    "DROP OWNED BY {role}",
                    needs=f"membership in {orphan.name}",
                    role=orphan.name,
                )
            connection.do(f"drop {subject}", "DROP ROLE {role}", needs=NEEDS, role=orphan.name)
        connection.release()

    def _removable(self, name: str, connection: Connection) -> _Marked:
        subject = f"role {name} at {self.server.at}"
        found = self._find(name, connection)
        for _ in range(LOOKS):
            if found is None or found.owns or not found.sessions:
                break
            time.sleep(0.1)
            found = self._find(name, connection)
        if found is None:
            raise HookError(f"{subject} is not there, or does not bear the mark of {self.owner}")
        if found.owns:
            hint = "remove what it owns first, or give it to another role (REASSIGN OWNED)"
            raise HookError(Problem(f"{subject} owns {', '.join(found.owns)}", hint=hint))
        if found.sessions:
            hint = "stop what uses it first"
            raise HookError(Problem(f"{subject} is in use by {found.sessions} sessions", hint=hint))
        return found

    def _find(self, name: str, connection: Connection) -> _Marked | None:
        return next((one for one in self._marked(connection) if one.role == name), None)

    def _marked(self, connection: Connection) -> list[_Marked]:
        found = connection.rows(
            "look for roles that bear a mark",
            _Marked,
            """
            SELECT r.rolname::text AS role, c.description AS comment,
                   ARRAY(SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
                         WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid ORDER BY 1) AS databases,
                   ARRAY(SELECT COALESCE('database ' || d.datname, format('%%s objects in database %%s', count(*), i.datname))
                         FROM pg_shdepend s LEFT JOIN pg_database i ON i.oid = s.dbid
                         LEFT JOIN pg_database d ON s.classid = 'pg_database'::regclass AND d.oid = s.objid
                         WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND s.deptype = 'o'
                         GROUP BY i.datname, d.datname ORDER BY 1) AS owns,
                   (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid) AS sessions
            FROM pg_roles r JOIN pg_shdescription c ON c.classoid = 'pg_authid'::regclass AND c.objoid = r.oid
            WHERE c.description LIKE '%%kiwistack: %%' ORDER BY 1
            """,
        )
        return [one for one in found if owner_of(one.comment) == self.owner]


def _spelt(attributes: str) -> Composable:
    """Return the attributes of a step as SQL."""
    from psycopg import sql

    known = {
        "LOGIN": sql.SQL("LOGIN"),
        "NOLOGIN": sql.SQL("NOLOGIN"),
        "CREATEDB": sql.SQL("CREATEDB"),
        "NOCREATEDB": sql.SQL("NOCREATEDB"),
        "CREATEROLE": sql.SQL("CREATEROLE"),
        "NOCREATEROLE": sql.SQL("NOCREATEROLE"),
        NEVER_EXPIRES: sql.SQL("VALID UNTIL 'infinity'"),
    }
    return sql.SQL(" ").join(known[attribute] for attribute in attributes.split(", "))
