"""The desired state of a MariaDB database: it is there, with a user who may do everything in it and nothing elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, LiteralString

import attrs

from kiwi_core._hooks.mariadb_parts import (
    Account,
    MariadbServer,
    account_of,
    as_pattern,
    collation_name,
    database_name,
    from_pattern,
    native_hash,
    user_name,
)
from kiwi_core._hooks.marks import marked, owner_of, refuse_foreign
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core.errors import HookError, Problem

if TYPE_CHECKING:
    from kiwi_core._hooks.mariadb_client import Connection

__all__ = ["MariadbDatabaseState", "MariadbSeen"]

CHARSET: Final = "utf8mb4"
ANY_HOST: Final = "%"
READS: Final = "SELECT on the database mysql"


@attrs.frozen(kw_only=True)
class MariadbSeen:
    """What is there of a database and its user.

    Attributes:
        administrator: whether the administrator's password is the current one.
        is_there: whether the database is.
        mark: the owner whose mark it bears; empty where it has none.
        collation: that of tables that are made in it without one.
        user: whether the user is there.
        password: whether the server takes the user's password, and nothing else.
        is_open: whether the user's account is.
        rights: whether the user may do everything in the database.
    """

    administrator: bool
    is_there: bool = False
    mark: str = ""
    collation: str = ""
    user: bool = False
    password: bool = False
    is_open: bool = False
    rights: bool = False


@attrs.frozen(kw_only=True)
class MariadbDatabaseState(Desired):
    """A database and its user.

    Attributes:
        server: where it is.
        database: its name.
        user: the name of its user, who may sign in from everywhere.
        password: the user's.
        collation: of tables that are made in it without one; None is the server's for utf8mb4.
    """

    kind: ClassVar[str] = "mariadb-database"

    server: MariadbServer
    database: str = attrs.field(validator=database_name)
    user: str = attrs.field(validator=user_name)
    password: Mounted
    collation: str | None = attrs.field(default=None, validator=attrs.validators.optional(collation_name))

    @property
    def subject(self) -> str:
        """The database and the server."""
        return f"database {self.database} at {self.server.at}"

    def observe(self, session: Session) -> MariadbSeen:
        """Look at the database and at the user.

        Raises:
            HookError: the server cannot be looked at; or the database is another owner's, or the user is.
        """
        connection = self._connect(session)
        databases = {
            str(row["name"]): row
            for row in connection.rows(
                f"look at database {self.database}",
                """
                SELECT schema_name AS name, default_collation_name AS collation, schema_comment AS comment
                FROM information_schema.schemata WHERE schema_name = %s OR schema_comment LIKE '%%kiwistack: %%'
                """,
                self.database,
            )
        }
        found = databases.get(self.database)
        if found:
            refuse_foreign(self.subject, str(found["comment"]), self.owner)
        account, privileges = self._look_at_user(connection)
        if account:
            self._refuse_unfit(account, privileges, databases)
        own = [row for row in privileges if row["Db"] == as_pattern(self.database)]
        stored = native_hash(session.secret(self.password))
        return MariadbSeen(
            administrator=connection.is_current,
            is_there=found is not None,
            mark=owner_of(str(found["comment"])) if found else "",
            collation=str(found["collation"]) if found else "",
            user=account is not None,
            password=account is not None and account.is_plain and account.stored == stored,
            is_open=account is not None and not account.is_locked,
            rights=any(map(_has_all, own)),
        )

    def _connect(self, session: Session) -> Connection:
        from kiwi_core._hooks.mariadb_client import administrator

        return administrator(self.server, session)

    def _look_at_user(self, connection: Connection) -> tuple[Account | None, list[dict[str, object]]]:
        rows = connection.rows(
            f"look at user {self.user}",
            """
            SELECT g.Priv AS entry, d.* FROM mysql.global_priv g LEFT JOIN mysql.db d ON d.User = g.User AND d.Host = g.Host
            WHERE g.User = %s AND g.Host = %s
            """,
            self.user,
            ANY_HOST,
            needs=READS,
        )
        return account_of(str(rows[0]["entry"])) if rows else None, [row for row in rows if row["Db"] is not None]

    def _refuse_unfit(
        self,
        account: Account,
        privileges: Sequence[Mapping[str, object]],
        databases: Mapping[str, Mapping[str, object]],
    ) -> None:
        """A user bears no mark: what it may do elsewhere tells whose it is."""
        subject = f"user {self.user} at {self.server.at}"
        if account.is_role:
            raise HookError(Problem(f"{subject} is a role, as which nobody signs in", hint="choose another name"))
        if account.has_global_rights:
            hint = "choose another name; or, where nobody needs them: REVOKE … ON *.*"
            raise HookError(
                Problem(f"{subject} has rights in all databases, and no hook touches such a user", hint=hint)
            )
        for row in privileges:
            database = from_pattern(str(row["Db"]))
            if database in databases:
                what = f"{subject} has rights in database {database}, which"
                refuse_foreign(what, str(databases[database]["comment"]), self.owner)

    def plan(self, observed: MariadbSeen) -> Sequence[Step]:
        """Compare."""
        steps: list[Step] = []
        if not observed.administrator:
            steps.append(Step("set administrator's password", self.server.user))
        if not observed.is_there:
            steps.append(Step("create database", self.database, self._collated()))
        elif observed.mark != self.owner:
            steps.append(Step("mark database", self.database, self.owner))
        if observed.is_there and not self._is_collated(observed.collation):
            steps.append(Step("alter database", self.database, self._collated()))
        if not observed.user:
            steps.append(Step("create user", self.user))
        if observed.user and not observed.password:
            steps.append(Step("set password", self.user))
        if observed.user and not observed.is_open:
            steps.append(Step("unlock", self.user))
        if not observed.rights:
            steps.append(Step("grant", self.user, f"everything in {self.database}"))
        return steps

    def _collated(self) -> str:
        return self.collation or CHARSET

    def _is_collated(self, found: str) -> bool:
        return found.startswith(f"{CHARSET}_") if self.collation is None else found == self.collation

    def apply(self, step: Step, session: Session) -> None:
        """Do one step.

        Raises:
            HookError: it cannot be done.
        """
        connection = self._connect(session)
        with connection.exclusively(f"database {self.database}", lambda: step in self.plan(self.observe(session))):
            match step.action:
                case "set administrator's password":
                    self._set_administrator(connection, session)
                case "create database" | "mark database" | "alter database":
                    self._set_database(step, connection)
                case "grant":
                    connection.do(
                        str(step),
                        "GRANT ALL ON {database}.* TO %s@%s",
                        self.user,
                        ANY_HOST,
                        needs=f"all rights in {self.database}, and GRANT OPTION",
                        database=as_pattern(self.database),
                    )
                case _:
                    self._set_user(step, connection, session)

    def _set_database(self, step: Step, connection: Connection) -> None:
        collate: LiteralString = " COLLATE %s" if self.collation else ""
        values = [self.collation] if self.collation else []
        statement: LiteralString
        match step.action:
            case "create database":
                statement = "CREATE DATABASE {database} CHARACTER SET utf8mb4" + collate + " COMMENT %s"
                values.append(marked(None, self.owner))
            case "mark database":
                statement = "ALTER DATABASE {database} COMMENT %s"
                values = [marked(self._comment(connection), self.owner)]
            case _:
                statement = "ALTER DATABASE {database} CHARACTER SET utf8mb4" + collate
        needs = f"CREATE and ALTER on {self.database}"
        connection.do(str(step), statement, *values, needs=needs, database=self.database)

    def _comment(self, connection: Connection) -> str:
        query: LiteralString = (
            "SELECT schema_comment AS comment FROM information_schema.schemata WHERE schema_name = %s"
        )
        rows = connection.rows(f"read the comment of database {self.database}", query, self.database)
        return str(rows[0]["comment"]) if rows else ""

    def _set_user(self, step: Step, connection: Connection, session: Session) -> None:
        account = (self.user, ANY_HOST)
        if step.action == "unlock":
            connection.do(str(step), "ALTER USER %s@%s ACCOUNT UNLOCK", *account, needs="CREATE USER")
            return
        stored = native_hash(session.secret(self.password))
        statement: LiteralString = (
            "CREATE USER %s@%s IDENTIFIED BY PASSWORD %s"
            if step.action == "create user"
            else "ALTER USER %s@%s IDENTIFIED BY PASSWORD %s"
        )
        connection.do(str(step), statement, *account, stored, needs="CREATE USER")

    def _set_administrator(self, connection: Connection, session: Session) -> None:
        """Of all accounts of its name: the server may have been made with one for itself and one for all other hosts."""
        name = self.server.user
        (own,) = connection.rows("look who is signed in", "SELECT CURRENT_USER() AS account")
        host = str(own["account"]).rpartition("@")[2]
        query: LiteralString = "SELECT Host AS host, Priv AS entry FROM mysql.global_priv WHERE User = %s"
        rows = connection.rows(f"look at the accounts of {name}", query, name, needs=READS)
        previous = self.server.password.previous
        known = native_hash(session.secret(Mounted(previous))) if previous else ""
        others = [str(row["host"]) for row in rows if account_of(str(row["entry"])).stored == known]
        stored = native_hash(session.secret(self.server.password))
        # Its own is the last: once it is set, nobody looks at the others any more.
        for each in [*(other for other in others if other != host), host]:
            words = f"set the password of {name}@{each}"
            connection.do(words, "SET PASSWORD FOR %s@%s = %s", name, each, stored, needs="CREATE USER")
        connection.is_current = True

    def verify(self, session: Session) -> None:
        """Observe again, and sign in to the database as the user.

        Raises:
            HookError: something is not so.
        """
        from kiwi_core._hooks.mariadb_client import lets_in

        connection = self._connect(session)
        try:
            super().verify(session)
            if not lets_in(self.server, session, self.user, session.secret(self.password), self.database):
                hint = (
                    f"an account {self.user!r} for fewer hosts, or one without a name, may come before "
                    f"{self.user}@{ANY_HOST}: drop it"
                )
                raise HookError(Problem(f"{self.subject}: user {self.user} is set, and not let in", hint=hint))
        finally:
            connection.release()

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the databases that bear the owner's mark and are not wanted; each holds its tables."""
        kept = {
            one.database for one in wanted if isinstance(one, MariadbDatabaseState) and one.server.at == self.server.at
        }
        return [
            Orphan(kind=self.kind, name=name, at=self.server.at, holds=holds)
            for name, holds in self._marked(self._connect(session)).items()
            if name not in kept
        ]

    def _marked(self, connection: Connection) -> Mapping[str, str]:
        """The databases that bear the owner's mark, and what each holds."""
        rows = connection.rows(
            "look for databases that bear a mark",
            """
            SELECT s.schema_name AS name, s.schema_comment AS comment, COUNT(t.table_name) AS tables,
                   CAST(COALESCE(SUM(t.data_length + t.index_length), 0) AS UNSIGNED) DIV 1024 AS size
            FROM information_schema.schemata s LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name
            WHERE s.schema_comment LIKE '%%kiwistack: %%' GROUP BY s.schema_name, s.schema_comment ORDER BY 1
            """,
        )
        return {
            str(row["name"]): f"{row['tables']} tables, {row['size']} kB" if row["tables"] else ""
            for row in rows
            if owner_of(str(row["comment"])) == self.owner
        }

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Drop a database that bears the owner's mark, and the users of all hosts who have rights in it and nowhere else.

        It is refused while somebody is signed in to it, as far as the administrator may see that.

        Raises:
            HookError: it is refused, or failed.
        """
        connection = self._connect(session)
        subject = f"database {orphan.name}"
        with connection.exclusively(subject, lambda: True):
            if orphan.name not in self._marked(connection):
                raise HookError(
                    f"{subject} at {self.server.at} is not there, or does not bear the mark of {self.owner}"
                )
            query: LiteralString = "SELECT COUNT(*) AS many FROM information_schema.processlist WHERE db = %s"
            (used,) = connection.rows(f"look who is signed in to {subject}", query, orphan.name)
            if used["many"]:
                hint = "stop what uses it first"
                raise HookError(Problem(f"{subject} is in use by {used['many']} sessions", hint=hint))
            # The database is the last: it bears the mark by which all this is found. The server would keep its privileges.
            for user, is_elsewhere in self._users_of(orphan.name, connection):
                if is_elsewhere:
                    connection.do(
                        f"revoke the rights of {user} in {subject}",
                        "REVOKE ALL ON {database}.* FROM %s@%s",
                        user,
                        ANY_HOST,
                        needs="GRANT OPTION",
                        database=as_pattern(orphan.name),
                    )
                else:
                    connection.do(f"drop user {user}", "DROP USER %s@%s", user, ANY_HOST, needs="CREATE USER")
            connection.do(f"drop {subject}", "DROP DATABASE {database}", needs="DROP", database=orphan.name)
        connection.release()

    def _users_of(self, database: str, connection: Connection) -> list[tuple[str, bool]]:
        """The users that are as hooks make them, and whether each has rights elsewhere, too."""
        rows = connection.rows(
            f"look for users of database {database}",
            """
            SELECT d.User AS user, g.Priv AS entry,
                   (SELECT COUNT(*) FROM mysql.db a WHERE a.User = d.User AND a.Host = d.Host) AS many
            FROM mysql.db d JOIN mysql.global_priv g ON g.User = d.User AND g.Host = d.Host
            WHERE d.Db = %s AND d.Host = %s AND d.Grant_priv = 'N'
            """,
            as_pattern(database),
            ANY_HOST,
            needs=READS,
        )
        found = [(str(row["user"]), row["many"] != 1, account_of(str(row["entry"]))) for row in rows]
        return [
            (user, is_elsewhere or account.has_global_rights)
            for user, is_elsewhere, account in found
            if not account.is_role
        ]


def _has_all(row: Mapping[str, object]) -> bool:
    """Whether a row of ``mysql.db`` has all privileges, whichever the server's version knows, but to grant them."""
    held = [value == "Y" for name, value in row.items() if name.endswith("_priv") and name != "Grant_priv"]
    return bool(held) and all(held)
