"""The database of a seed: one transaction of its own role, and errors that name tables and columns.

Imported only where hooks run: it needs psycopg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import attrs

from kiwi_core._hooks import seed_sql
from kiwi_core._hooks.postgres_client import Connection, administrator
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._hooks.seed_rows import Row
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused, Unreachable

__all__ = ["SeedClient", "Seen"]

T = TypeVar("T")

WRITTEN_FOR: Final = (
    "the seed was written for another schema: let its schema name the revision that has it, and deploy an image that "
    "reaches it"
)


@attrs.frozen
class Seen:
    """A row as it was found.

    Attributes:
        found: how many rows each of its Refs finds: 0 or 1.
        equal: which of its columns are as they should be; None where there is no such row.
    """

    found: tuple[int, ...]
    equal: tuple[bool, ...] | None


class SeedClient:
    """The database, by the session's connection to it.

    Args:
        server: the server, with the account and the database.
        session: the session, which keeps the connection.
    """

    def __init__(self, server: PostgresServer, session: Session) -> None:
        self._server = server
        self._session = session
        self._is_writing = False

    @classmethod
    def kept(cls, server: PostgresServer, session: Session) -> SeedClient:
        """Return the session's own."""
        return session.client((cls, server), lambda: cls(server, session))

    @property
    def _place(self) -> str:
        return f"{self._server.at}, database {self._server.database}"

    def read_revisions(self, table: str) -> tuple[str, ...]:
        """Return the revisions of the schema that a migration tool has written down."""
        read = seed_sql.revisions(table)
        named = {table: ("version_num",)}
        return tuple(row.revision for row in self._ask(f"read {table}", _Revision, read, named, "SELECT on it"))

    def look(self, rows: Sequence[Row]) -> tuple[Seen, ...]:
        """Look for rows of one table.

        Raises:
            HookError: two have the same key, or a Ref finds two.
        """
        table = rows[0].table
        query = seed_sql.look(rows, self._session.secret)
        seen: dict[int, Seen] = {}
        for line in self._ask(f"look at {table}", _Line, query, seed_sql.tables_in(rows), f"SELECT on {table}"):
            row = rows[line.number]
            if line.number in seen:
                hint = (
                    "a key has to tell one row from all others: name more columns, or delete the row that is too many"
                )
                raise HookError(Problem(f"{self._place}: several rows are {row.label}", hint=hint))
            for lookup, count in zip(row.lookups, line.found, strict=True):
                if count == seed_sql.SEVERAL:
                    hint = "the key of a Ref has to find one row: name more columns"
                    raise HookError(
                        Problem(f"{self._place}: {row.label} names {lookup}, of which there are several", hint=hint)
                    )
            seen[line.number] = Seen(tuple(line.found), None if line.equal is None else tuple(line.equal))
        return tuple(seen[number] for number in range(len(rows)))

    def insert(self, row: Row) -> None:
        """Make a row."""
        statement = seed_sql.insert(row, self._session.secret)
        self._write(f"insert {row.label}", statement, row, f"INSERT on {row.table}")

    def update(self, row: Row, columns: Sequence[str]) -> None:
        """Set columns of a row."""
        statement = seed_sql.update(row, columns, self._session.secret)
        self._write(f"update {row.label}", statement, row, f"UPDATE on {row.table}")

    def commit(self) -> None:
        """Make all that was written since the last commit visible at once."""
        self._connection.do("commit", "COMMIT", needs="to commit")
        self._is_writing = False

    def roll_back(self) -> None:
        """Undo what was written since the last commit, and let others write."""
        if self._is_writing:
            self._is_writing = False
            self._connection.do("roll back", "ROLLBACK", needs="to roll back")

    @property
    def _connection(self) -> Connection:
        return administrator(self._server, self._session, self._server.database)

    def _write(self, words: str, statement: seed_sql.Statement, row: Row, needs: str) -> None:
        if not self._is_writing:
            self._connection.do("begin", "BEGIN", needs="to begin")
            self._is_writing = True
            (lock,) = self._connection.rows("lock all seeds", _Done, seed_sql.LOCK)
            if not lock.done:
                self.roll_back()
                raise Conflict(f"{self._place}: another run writes its seed")
        if not self._ask(words, _Done, statement, seed_sql.tables_in([row]), needs):
            self.roll_back()
            raise Conflict(f"{self._place}: {row.label} was changed meanwhile, or what it names")

    def _ask(
        self,
        words: str,
        form: type[T],
        statement: seed_sql.Statement,
        named: Mapping[str, Sequence[str]],
        needs: str,
    ) -> list[T]:
        """Carry out a statement; return its rows.

        Args:
            words: what it does, without a secret.
            form: a class whose fields are the columns of a row.
            statement: the statement.
            named: the tables and columns in it.
            needs: the right that it needs.
        """
        try:
            return self._connection.rows(words, form, statement.text, **statement.parameters)
        except Unreachable:
            raise  # with the connection, the transaction is gone
        except HookError as error:
            self.roll_back()
            match error:
                case Conflict() | Refused():
                    raise
                case Forbidden():
                    hint = f"let the migrations run as {self._server.user}, so that it owns the table, or GRANT {needs}"
                    message = f"{self._place}: {self._server.user} could not {words}: it lacks {needs}"
                    raise Forbidden(Problem(message, hint=hint)) from None
                case _:
                    raise self._explain(error, statement, named) from None

    def _explain(
        self, error: HookError, statement: seed_sql.Statement, named: Mapping[str, Sequence[str]]
    ) -> HookError:
        """Return the error of a statement that the server does not understand, or of a value that it does not take."""
        problems: list[Problem] = []
        forms: list[str] = []
        for table, columns in named.items():
            name = seed_sql.qualified(table)
            found = {
                column.name: column.form
                for column in self._connection.rows(f"columns of {table}", _Column, seed_sql.COLUMNS, table=name)
            }
            if not found:
                problems.append(Problem(f"{self._place}: there is no table {table}", hint=WRITTEN_FOR))
            problems += [
                Problem(
                    f"{self._place}: table {table} has no column {column}, found {', '.join(found)}", hint=WRITTEN_FOR
                )
                for column in columns
                if found and column not in found
            ]
            forms += [f"{table}.{column} {found.get(column, '')}" for column in columns]
        if problems:
            return HookError(*problems)
        message = "; ".join(problem.message for problem in error.problems)
        for secret in statement.secrets:
            message = message.replace(secret, "…")
        return HookError(Problem(message, hint=f"the values have to fit the columns: {', '.join(forms)}"))


@attrs.frozen
class _Line:
    """A line of what :func:`seed_sql.look` asks for."""

    number: int
    found: list[int]
    equal: list[bool] | None


@attrs.frozen
class _Column:
    """A column of a table, with its type."""

    name: str
    form: str


@attrs.frozen
class _Revision:
    """A revision of a schema."""

    revision: str


@attrs.frozen
class _Done:
    """Whether something was done."""

    done: bool
