"""PostgreSQL as hooks use it: sign in, one statement at a time, a lock of one's own, and its errors in our words.

Imported only where hooks run: it needs psycopg. No password is ever sent in the clear: the client refuses to sign in
where it would be, and roles get a SCRAM verifier that is computed here, so that no log of the server can hold one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Any, Final, LiteralString, TypeVar

import attrs

from kiwi_core._hooks.exclusive import Exclusive, digest_of
from kiwi_core._hooks.postgres_errors import BROKEN, error_of, lets_in_anybody, why_not
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._model.desired import Session
from kiwi_core.errors import ExternalError, Forbidden, HookError, Problem, Refused, Unreachable

try:
    import psycopg
    from psycopg import pq, rows, sql
    from psycopg.conninfo import make_conninfo
except ImportError:
    raise ExternalError(Problem("psycopg is not installed", hint="install kiwi-core[hooks]")) from None

__all__ = ["Connection", "administrator", "leave", "takes_password"]

T = TypeVar("T")

LONGEST_SIGN_IN: Final = 10.0
LONGEST_STATEMENT: Final = 120.0
"""Seconds; CREATE DATABASE copies a template, and may wait for the disk."""
SETTINGS: Final = {
    # Whoever owns a database may put functions into its schemas; the administrator must never call one by accident.
    "search_path": "pg_catalog",
    # … and whoever owns one may set these for it.
    "default_transaction_read_only": "off",
    "statement_timeout": f"{LONGEST_STATEMENT:.0f}s",
    "lock_timeout": "15s",
    "client_min_messages": "warning",
    # A run that was cut off from the network lets go of its locks.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
NEVER_IN_CLEAR: Final = "scram-sha-256,md5"
FIRST_WITH_REQUIRE_AUTH: Final = 160000
FIRST_WITH_OPTIONS: Final = 160000
"""Memberships have options of their own: whether rights are inherited, and whether one may SET ROLE."""


def administrator(server: PostgresServer, session: Session, database: str | None = None) -> Connection:
    """Return the administrator's connection to a database, which the session keeps.

    Raises:
        HookError: the server does not answer (Unreachable) or does not let the administrator in (Refused).
    """
    name = database or server.database

    def make() -> Connection:
        def enter(password: str) -> _Bounded:
            return _sign_in(server, session, server.user, password, name)

        opened, is_current = session.sign_in(server.password, enter)
        return Connection(opened, server, session, is_current=is_current)

    return session.client(_key(server, name), make, Connection.close)


def leave(server: PostgresServer, session: Session, database: str) -> None:
    """End the connection to a database, which nobody can drop while there is one."""
    key = _key(server, database)
    kept = session.client(key, _no_connection)
    if kept:
        kept.close()
    session.forget(key)


def _no_connection() -> Connection | None:
    return None


def _key(server: PostgresServer, database: str) -> object:
    return (Connection, server.host, server.port, server.user, database)


def takes_password(server: PostgresServer, session: Session, role: str, password: str) -> bool:
    """Sign in as a role; return whether the server takes the password.

    Raises:
        HookError: the server does not answer, or would let in anybody.
    """
    try:
        _sign_in(server, session, role, password, server.database).close()
    except Refused:
        return False
    except Forbidden:
        pass  # it asks for the right to connect to the database after it has taken the password
    return True


def _sign_in(server: PostgresServer, session: Session, user: str, password: str, database: str) -> _Bounded:
    place = f"{server.at}, database {database}"
    if not password:
        raise HookError(f"{place}: the password of {user} is empty")
    host, port = session.address(server.host, server.port)
    settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    only = {"require_auth": NEVER_IN_CLEAR} if pq.version() >= FIRST_WITH_REQUIRE_AUTH else {}
    try:
        with session.request(f"sign in to {place} as {user}"):
            opened = _Bounded.connect(
                make_conninfo(
                    host=host,
                    port=port,
                    user=user,
                    password=password,
                    dbname=database,
                    connect_timeout=max(1, round(session.seconds_left(LONGEST_SIGN_IN))),
                    application_name="kiwistack",
                    options=settings,
                    gssencmode="disable",
                    **only,
                ),
                prepare_threshold=None,
                autocommit=True,
            )
    except psycopg.Error as error:
        said = str(error) if password not in str(error) else ""
        used = error.pgconn is not None and error.pgconn.used_password
        raise why_not(said, f"{place}: {user}", used_password=used) from None
    if not opened.pgconn.used_password:
        opened.close()
        raise lets_in_anybody(f"{place}: {user}")
    return opened


class Connection(Exclusive):
    """A connection of the administrator to one database.

    Attributes:
        user: the administrator.
        is_current: whether the server took the administrator's current password, not that of the generation before.
        is_superuser: whether the administrator is one.
        version: of the server, as 150004.
    """

    def __init__(self, opened: _Bounded, server: PostgresServer, session: Session, *, is_current: bool) -> None:
        self._opened = opened
        self._server = server
        self._session = session
        self.user = server.user
        self.is_current = is_current
        self.is_superuser = opened.pgconn.parameter_status(b"is_superuser") == b"on"
        self.version = opened.info.server_version

    def close(self) -> None:
        """End it."""
        self._opened.close()

    # Any: a statement's parameters are of whatever psycopg can send.
    def rows(self, words: str, form: type[T], query: LiteralString, **parameters: Any) -> list[T]:
        """Ask a query; return its rows as values of a class whose fields are the columns.

        Args:
            words: what is asked, without a secret.
            form: the class.
            query: the query, with ``%(name)s`` for parameters.
            parameters: their values.

        Raises:
            HookError: it failed.
        """
        with self._request(words, needs="to read it"), self._opened.cursor(row_factory=rows.class_row(form)) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def one(self, words: str, form: type[T], query: LiteralString, **parameters: Any) -> T | None:
        """Ask a query as :meth:`rows` does; return the first row, or None where there is none.

        Raises:
            HookError: it failed.
        """
        found = self.rows(words, form, query, **parameters)
        return found[0] if found else None

    def do(self, words: str, statement: LiteralString, *, needs: str, **parts: str | sql.Composable) -> None:
        """Carry out a statement that changes something.

        Args:
            words: what it does, without a secret.
            statement: the statement, with ``{name}`` for parts.
            needs: the right that it needs, for the reader.
            parts: a text is an identifier, and is quoted.

        Raises:
            HookError: it failed.
        """
        made = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in parts.items()}
        with self._request(words, needs=needs):
            self._opened.execute(sql.SQL(statement).format(**made))

    def column(self, table: str, column: str) -> tuple[str, ...] | None:
        """Return a column of a table as text; None where there is no such table.

        Raises:
            HookError: it cannot be read.
        """
        name = table_of(table)
        query = "SELECT to_regclass(%(name)s) IS NOT NULL AS answer"
        found = self.one(f"look for {table}", _Answer, query, name=name.as_string(None))
        if not (found and found.answer):
            return None
        select = sql.SQL("SELECT {}::text FROM {}").format(sql.Identifier(column), name)
        with self._request(f"read {table}", needs=f"SELECT on {table}"):
            return tuple(str(row[0]) for row in self._opened.execute(select).fetchall())

    def verifier(self, password: str) -> sql.Literal:
        """Return what the server keeps of a password (RFC 5803), to be sent instead of it."""
        made = self._opened.pgconn.encrypt_password(password.encode(), b"", b"scram-sha-256")
        return sql.Literal(made.decode())

    def set_own_password(self) -> None:
        """Set the administrator's password to the current one, where the server let it in with the one before.

        Raises:
            HookError: it cannot be set.
        """
        self.do(
            f"set the password of {self._server.user}",
            "ALTER ROLE {role} PASSWORD {verifier}",
            needs="the right to change its own password",
            role=self._server.user,
            verifier=self.verifier(self._session.secret(self._server.password)),
        )
        self.is_current = True

    def take_rights_of(self, role: str) -> None:
        """Make the administrator a member of a role, unless it may do all that the role may.

        Who is no superuser has to be, to make something that belongs to the role or to change it.

        Raises:
            HookError: it cannot be made one.
        """
        if self.is_superuser:
            return
        knows_options = self.version >= FIRST_WITH_OPTIONS
        found = self.one(
            f"look for membership in {role}",
            _Answer,
            "SELECT pg_has_role(%(role)s, 'USAGE') AND pg_has_role(%(role)s, %(change)s) AS answer",
            role=role,
            change="SET" if knows_options else "MEMBER",
        )
        if not (found and found.answer):
            self.do(
                f"make the administrator a member of {role}",
                "GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE"
                if knows_options
                else "GRANT {role} TO CURRENT_USER",
                needs=f"CREATEROLE (from PostgreSQL 16 on: ADMIN OPTION on {role})",
                role=role,
            )

    def lock(self, subject: str) -> None:
        """Take a lock of the database that it is signed in to: the same one for all runs."""
        query: LiteralString = "SELECT pg_advisory_lock(%(lock)s)::text AS answer"
        self.rows(f"lock {subject}", _Answer, query, lock=_number(subject))

    def unlock(self, subject: str) -> None:
        """Give it back."""
        query: LiteralString = "SELECT pg_advisory_unlock(%(lock)s) AS answer"
        self.rows(f"unlock {subject}", _Answer, query, lock=_number(subject))

    @contextlib.contextmanager
    def _request(self, words: str, *, needs: str) -> Generator[None]:
        where = f"{self._server.at}: {words}"
        seconds = self._session.seconds_left(LONGEST_STATEMENT)
        self._opened.deadline = time.monotonic() + seconds
        try:
            with self._session.request(f"{words} at {self._server.at}"):
                yield
        except TimeoutError:
            self._opened.close()
            raise Unreachable(f"{where}: no answer within {seconds:.0f} s") from None
        except psycopg.Error as error:
            state = error.sqlstate or (BROKEN if self._opened.closed else "")
            said = error.diag.message_primary or "the connection broke"
            raise error_of(state, said, where, f"{self._server.user} lacks {needs}") from None


def table_of(name: str) -> sql.Identifier:
    """Return a table by its name; in schema ``public`` where no other stands before it."""
    schema, _, table = name.rpartition(".")
    return sql.Identifier(schema or "public", table)


def _number(subject: str) -> int:
    return int.from_bytes(digest_of(subject)[:8], signed=True)


@attrs.frozen
class _Answer:
    answer: object


class _Bounded(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose statements end in time, also where the server is there and does not answer."""

    deadline: float = float("inf")

    # Any: what psycopg passes on to itself differs from version to version.
    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for an answer.

        Raises:
            TimeoutError: there is none until the deadline.
        """
        answer: T = super().wait(_until(self.deadline, gen), *arguments, **options)
        return answer


def _until(deadline: float, steps: Generator[T, Any, Any]) -> Generator[T, Any, Any]:
    """Go through the steps of a request, which psycopg takes at least ten times a second, while there is time."""
    try:
        step = next(steps)
        while True:
            ready = yield step
            if time.monotonic() > deadline:
                raise TimeoutError
            step = steps.send(ready)
    except StopIteration as end:
        return end.value
