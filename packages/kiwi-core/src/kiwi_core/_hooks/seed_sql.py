"""The statements of a seed.

Values go to the server as parameters of no type: it reads each by the type of the column that it stands beside, and
compares by that type. Names are quoted, and those without a schema are of the schema public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, LiteralString, TypeAlias, cast

import attrs
from psycopg.sql import SQL, Composable, Identifier, Literal, Placeholder

from kiwi_core._hooks.postgres_client import table_of
from kiwi_core._hooks.seed_rows import Cell, Lookup, Row
from kiwi_core._model.desired import Mounted

__all__ = ["COLUMNS", "LOCK", "Statement", "insert", "look", "qualified", "revisions", "tables_in", "update"]

Reveal: TypeAlias = Callable[[Mounted], str]
"""Gives a secret."""

LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(hashtextextended('kiwistack/seed', 0)) AS done"
"""One seed at a time in a database: a key need not be unique there."""
COLUMNS: Final[LiteralString] = """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS form FROM pg_attribute
    WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
"""The columns of a table with their types; none of a table that is not there."""
SEVERAL: Final = 2
"""Stands for all numbers above one."""


@attrs.frozen
class Statement:
    """A statement.

    Attributes:
        text: the statement.
        parameters: what stands in it, by name.
        secrets: those of them that are secret.
    """

    text: LiteralString
    parameters: Mapping[str, str | None] = attrs.field(repr=False)
    secrets: Sequence[str] = attrs.field(repr=False)


def qualified(table: str) -> str:
    """Return the name of a table as SQL has it: ``"public"."llm_provider"``."""
    return table_of(table).as_string(None)


def tables_in(rows: Sequence[Row]) -> Mapping[str, tuple[str, ...]]:
    """Return the tables that rows are of and that they name, each with the columns that are named."""
    found: dict[str, dict[str, None]] = {}
    for table, column in _columns_in(rows):
        found.setdefault(table, {})[column] = None
    return {table: tuple(columns) for table, columns in found.items()}


def revisions(table: str) -> Statement:
    """Return the query for the revision that a migration tool has brought the schema to."""
    return _Builder().done(SQL("SELECT version_num AS revision FROM {}").format(table_of(table)))


def look(rows: Sequence[Row], reveal: Reveal) -> Statement:
    """Return the query for rows of one table.

    It gives the row's number, how many rows each Ref finds, and, once for each row of that key, which columns are equal:
    NULL where there is no such row.
    """
    made = _Builder(reveal)
    form = SQL(
        "SELECT {} AS number, ARRAY[{}]::bigint[] AS found, t.equal FROM (SELECT) AS one LEFT JOIN LATERAL "
        "(SELECT ARRAY[{}]::boolean[] AS equal FROM {} AS t WHERE {} LIMIT {}) AS t ON true"
    )
    queries: list[Composable] = []
    for number, row in enumerate(rows):
        found = SQL(", ").join([made.found(lookup) for lookup in row.lookups])
        equal = SQL(", ").join([made.equals(name, cell) for name, cell in row.values.items()])
        key = made.matches("t", row.key)
        queries.append(form.format(Literal(number), found, equal, table_of(row.table), key, Literal(SEVERAL)))
    return made.done(SQL(" UNION ALL ").join([SQL("({})").format(query) for query in queries]))


def insert(row: Row, reveal: Reveal) -> Statement:
    """Return the statement that makes a row: nothing where it is there meanwhile, or what it names is not."""
    made = _Builder(reveal)
    names = SQL(", ").join(map(Identifier, row.all))
    values = SQL(", ").join([made.value(cell) for cell in row.all.values()])
    key, found = made.matches("t", row.key), made.all_found(row.lookups)
    form = SQL("INSERT INTO {} ({}) SELECT {} WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}){} RETURNING true AS done")
    return made.done(form.format(table_of(row.table), names, values, table_of(row.table), key, found))


def update(row: Row, columns: Sequence[str], reveal: Reveal) -> Statement:
    """Return the statement that sets columns of a row: nothing where it is gone, or what it names is."""
    made = _Builder(reveal)
    cells = {name: row.values[name] for name in columns}
    values = SQL(", ").join([SQL("{} = {}").format(Identifier(name), made.value(cells[name])) for name in columns])
    lookups = [lookup for lookup in row.lookups if any(cell.lookup == lookup for cell in cells.values())]
    key, found = made.matches("t", row.key), made.all_found(lookups)
    form = SQL("UPDATE {} AS t SET {} WHERE {}{} RETURNING true AS done")
    return made.done(form.format(table_of(row.table), values, key, found))


class _Builder:
    """Puts a statement together, and gathers its parameters."""

    def __init__(self, reveal: Reveal | None = None) -> None:
        self._reveal = reveal
        self._parameters: dict[str, str | None] = {}
        self._secrets: list[str] = []

    def done(self, statement: Composable) -> Statement:
        # Of the texts of this module, quoted names and placeholders alone.
        text = cast("LiteralString", statement.as_string(None))  # type: ignore[redundant-cast]  # mypy has no LiteralString
        return Statement(text, self._parameters, self._secrets)

    def value(self, cell: Cell) -> Composable:
        """A value: a parameter, or a subquery that gives NULL where the row that it names is not there."""
        if cell.lookup is not None:
            form = SQL("(SELECT {} FROM {} AS r WHERE {} LIMIT 1)")
            column = Identifier("r", cell.lookup.column)
            return form.format(column, table_of(cell.lookup.table), self.matches("r", cell.lookup.key))
        name = f"p{len(self._parameters)}"
        self._parameters[name] = cell.text
        if cell.secret is not None and self._reveal is not None:
            self._parameters[name] = secret = self._reveal(cell.secret)
            self._secrets.append(secret)
        return Placeholder(name)

    def matches(self, alias: str, key: Mapping[str, Cell]) -> Composable:
        """The condition that a row has a key."""
        return SQL(" AND ").join(
            [SQL("{} = {}").format(Identifier(alias, name), self.value(cell)) for name, cell in key.items()]
        )

    def equals(self, name: str, cell: Cell) -> Composable:
        """Whether a column has a value. A Ref that finds nothing equals nothing, not even NULL."""
        form = SQL("({} = {}) IS TRUE") if cell.lookup is not None else SQL("{} IS NOT DISTINCT FROM {}")
        return form.format(Identifier("t", name), self.value(cell))

    def found(self, lookup: Lookup) -> Composable:
        """How many rows a Ref finds."""
        form = SQL("(SELECT count(*) FROM (SELECT FROM {} AS r WHERE {} LIMIT {}) AS n)")
        return form.format(table_of(lookup.table), self.matches("r", lookup.key), Literal(SEVERAL))

    def all_found(self, lookups: Sequence[Lookup]) -> Composable:
        """The condition that each Ref finds one row."""
        return SQL("").join([SQL(" AND {} = 1").format(self.found(lookup)) for lookup in lookups])


def _columns_in(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        yield from ((row.table, name) for name in row.all)
        for lookup in row.lookups:
            yield from _columns_of(lookup)


def _columns_of(lookup: Lookup) -> Iterator[tuple[str, str]]:
    yield lookup.table, lookup.column
    for name, cell in lookup.key.items():
        yield lookup.table, name
        if cell.lookup is not None:
            yield from _columns_of(cell.lookup)
