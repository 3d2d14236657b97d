"""MariaDB as hooks use it: sign in, one statement at a time, a lock of one's own, and its errors in our words.

Imported only where hooks run: it needs PyMySQL. No password is ever sent in the clear, neither to sign in nor to be set:
users get the hash that the server keeps, so that no log of it can hold a password.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from typing import Final, LiteralString, NoReturn, cast

from kiwi_core._hooks.exclusive import Exclusive, digest_of
from kiwi_core._hooks.mariadb_parts import MariadbServer
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, ExternalError, Forbidden, HookError, Problem, Refused, Unreachable

try:
    import pymysql
    from pymysql.cursors import DictCursor
except ImportError:
    raise ExternalError(Problem("PyMySQL is not installed", hint="install kiwi-core[hooks]")) from None

__all__ = ["Connection", "administrator", "lets_in", "refuse_unfit"]

LONGEST_SIGN_IN: Final = 10.0
LONGEST_STATEMENT: Final = 60.0
LONGEST_LOCK: Final = 15
"""Seconds."""
OLDEST: Final = (10, 5)
"""The first version whose databases have comments."""
IN_CLEAR: Final = ("mysql_clear_password", "dialog")
CANNOT_SIGN_IN: Final = 2059
BAD_PASSWORD: Final = frozenset({1045, 1698})
BROKEN: Final = 2013

CODES: Final[Mapping[int, type[HookError]]] = {
    1040: Unreachable,  # too many connections
    1053: Unreachable,  # shutting down
    1129: Unreachable,  # the host is blocked for a while
    1203: Unreachable,  # too many connections of the user
    1205: Unreachable,  # a lock is not given back
    1836: Unreachable,  # read-only
    1927: Unreachable,  # the connection was killed
    2002: Unreachable,
    2003: Unreachable,  # no connection
    2006: Unreachable,
    2013: Unreachable,  # the connection broke
    1045: Refused,
    1130: Refused,  # the host may not sign in
    1698: Refused,  # another way than by password
    1820: Refused,
    1862: Refused,  # the password has expired
    4151: Refused,  # the account is locked
    1044: Forbidden,
    1142: Forbidden,
    1227: Forbidden,
    1410: Forbidden,
    1007: Conflict,  # the database is there meanwhile
    1008: Conflict,  # … is gone meanwhile
    1020: Conflict,
    1213: Conflict,  # deadlock
    1396: Conflict,  # the user is there, or gone, meanwhile
}
"""What the server's and the client's codes mean (source: MariaDB's documentation, "MariaDB Error Code Reference")."""


def administrator(server: MariadbServer, session: Session) -> Connection:
    """Return the administrator's connection, which the session keeps.

    Raises:
        HookError: the server does not answer (Unreachable) or does not let the administrator in (Refused).
    """

    def make() -> Connection:
        def enter(password: str) -> pymysql.Connection[DictCursor]:
            return _sign_in(server, session, server.user, password)

        opened, is_current = session.sign_in(server.password, enter)
        return Connection(opened, server, session, is_current=is_current)

    return session.client((Connection, server.host, server.port, server.user), make, Connection.close)


def lets_in(server: MariadbServer, session: Session, user: str, password: str, database: str) -> bool:
    """Sign in to a database; return whether the server lets a user in.

    Raises:
        HookError: the server does not answer.
    """
    try:
        _sign_in(server, session, user, password, database).close()
    except (Refused, Forbidden):
        return False
    return True


def _sign_in(
    server: MariadbServer, session: Session, user: str, password: str, database: str | None = None
) -> pymysql.Connection[DictCursor]:
    if not password:
        raise HookError(f"{server.at}: the password of {user} is empty")
    host, port = session.address(server.host, server.port)
    seconds = session.seconds_left(LONGEST_STATEMENT)
    try:
        with session.request(f"sign in to {server.at} as {user}"):
            return pymysql.connect(
                host=host,
                port=port,
                user=user,
                password=password.encode(),  # a text would have to be Latin-1
                database=database,
                charset="utf8mb4",
                cursorclass=DictCursor,
                autocommit=True,
                connect_timeout=session.seconds_left(LONGEST_SIGN_IN),
                read_timeout=seconds,
                write_timeout=seconds,
                init_command=f"SET lock_wait_timeout = {LONGEST_LOCK}, sql_mode = ''",
                auth_plugin_map=dict.fromkeys(IN_CLEAR, _Never),
            )
    except pymysql.MySQLError as error:
        code, said = _code_of(error)
        if code == CANNOT_SIGN_IN and any(name in said for name in IN_CLEAR):
            hint = (
                "let the account sign in by mysql_native_password or ed25519: hooks never send a password in the clear"
            )
            raise HookError(
                Problem(f"{server.at}: {user} was asked for the password in the clear", hint=hint)
            ) from None
        form = CODES.get(code, HookError)
        why = "the password in its Secret is not the one that the server knows" if code in BAD_PASSWORD else None
        raise form(Problem(f"{server.at}: {user} could not sign in: {said}", hint=why)) from None


class _Never:
    """What PyMySQL asks when a server wants a password in the clear."""

    def __init__(self, connection: object) -> None:
        del connection

    def authenticate(self, packet: object) -> NoReturn:
        """Refuse.

        Raises:
            OperationalError: always.
        """
        del packet
        raise pymysql.OperationalError(CANNOT_SIGN_IN, f"{IN_CLEAR[0]} is not allowed")


def _code_of(error: pymysql.MySQLError) -> tuple[int, str]:
    """Return the code and the words of an error."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = str(error.args[-1]) if error.args else "the connection broke"
    # Where the connection breaks in the middle of an answer, there is neither.
    return code or BROKEN, words.strip().partition("\n")[0] or "the connection broke"


def refuse_unfit(at: str, version: str) -> None:
    """Make sure that a server is one that can do what is asked for.

    Raises:
        HookError: it is MySQL, or too old.
    """
    found = re.search(r"(\d+)\.(\d+)[\d.]*-MariaDB", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        hint = f"this kind of hook needs MariaDB {OLDEST[0]}.{OLDEST[1]} or later"
        raise HookError(Problem(f"{at} is a server of version {version}", hint=hint))


class Connection(Exclusive):
    """A connection of the administrator.

    Attributes:
        is_current: whether the server took the administrator's current password, not that of the generation before.
    """

    def __init__(
        self, opened: pymysql.Connection[DictCursor], server: MariadbServer, session: Session, *, is_current: bool
    ) -> None:
        self._opened = opened
        self._server = server
        self._session = session
        self.is_current = is_current
        refuse_unfit(server.at, cast("str", opened.get_server_info()))  # type: ignore[no-untyped-call] # pyright: ignore[reportUnknownMemberType] -- no types in its stub

    def close(self) -> None:
        """End it."""
        self._opened.close()

    def rows(self, words: str, query: LiteralString, *parameters: object, needs: str = "") -> list[dict[str, object]]:
        """Ask a query; return its rows.

        Args:
            words: what is asked, without a secret.
            query: the query, with ``%s`` for parameters.
            parameters: their values.
            needs: the right that it needs, for the reader.

        Raises:
            HookError: it failed.
        """
        with self._request(words, needs), self._opened.cursor() as cursor:
            cursor.execute(query, parameters)
            return cast("list[dict[str, object]]", list(cursor.fetchall()))

    def do(self, words: str, statement: LiteralString, *values: str, needs: str, **names: str) -> None:
        """Carry out a statement that changes something.

        Args:
            words: what it does, without a secret.
            statement: the statement, with ``%s`` for values and ``{name}`` for names of databases and the like.
            values: the values: they are quoted.
            needs: the right that it needs, for the reader.
            names: the names: they are quoted.

        Raises:
            HookError: it failed.
        """
        quoted = {key: _quoted(name).replace("%", "%%") for key, name in names.items()}
        with self._request(words, needs), self._opened.cursor() as cursor:
            cursor.execute(statement.format(**quoted), values)

    def lock(self, subject: str) -> None:
        """Take a lock of the server; others wait, and so do we."""
        words = f"lock {subject}"
        # Less than is left: the answer that another run has it has to come before the connection is given up.
        seconds = max(int(self._session.seconds_left(LONGEST_LOCK)) - 1, 0)
        (row,) = self.rows(words, "SELECT GET_LOCK(%s, %s) AS answer", _lock_of(subject), seconds)
        if row["answer"] != 1:
            hint = "another run is at it"
            raise Unreachable(Problem(f"{self._server.at}: {words}: it is not given back", hint=hint))

    def unlock(self, subject: str) -> None:
        """Give it back."""
        self.rows(f"unlock {subject}", "SELECT RELEASE_LOCK(%s) AS answer", _lock_of(subject))

    @contextlib.contextmanager
    def _request(self, words: str, needs: str) -> Generator[None]:
        where = f"{self._server.at}: {words}"
        try:
            with self._session.request(f"{words} at {self._server.at}"):
                yield
        except pymysql.MySQLError as error:
            code, said = _code_of(error)
            form = CODES.get(code, HookError)
            if form is Forbidden:
                what = f"{where}: {self._server.user} lacks {needs or 'the right to'}: {said}"
                raise Forbidden(Problem(what, hint=f"give it {needs}" if needs else None)) from None
            if form is HookError and "read-only" in said:
                form = Unreachable  # a replica, or a server that is being switched over
            raise form(f"{where}: {said}") from None


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _lock_of(subject: str) -> str:
    """A lock's name has at most 64 characters."""
    return f"kiwistack/{digest_of(subject).hex()[:40]}"
