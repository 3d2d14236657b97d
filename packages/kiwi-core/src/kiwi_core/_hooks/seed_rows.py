"""Rows of a table as an author writes them, and as they go to a hook's job."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

import attrs

from kiwi_core._model.desired import Mounted
from kiwi_core._model.fields import many
from kiwi_core._model.secrets import Sealed, SecretKey

__all__ = ["Cell", "Lookup", "Ref", "Row", "Rows", "RowsState", "Sealed", "check_distinct", "check_table", "state_of"]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""A name that Postgres keeps whole (63 bytes: NAMEDATALEN) and that needs no escape within quotes."""
MOST_PARTS: Final = 2
"""Schema and table."""

Attribute: TypeAlias = "attrs.Attribute[Any]"
"""An Attribute is invariant in its type, and authors' code is unchecked."""
Scalar: TypeAlias = None | bool | int | float | str


def check_table(_instance: object, attribute: Attribute, value: object) -> None:
    """Check the name of a table, such as ``llm_provider`` or ``public.llm_provider``.

    Raises:
        ValueError: it is none.
    """
    _check_name(attribute.name, value, most_parts=MOST_PARTS)


def _check_name(what: str, value: object, *, most_parts: int = 1) -> None:
    parts = value.split(".") if isinstance(value, str) else []
    if not 1 <= len(parts) <= most_parts or not all(map(NAME.fullmatch, parts)):
        raise ValueError(
            f"{what}: {value!r} is no name of a {'table' if most_parts > 1 else 'column'}: write it as the catalog has "
            "it, in letters, digits and '_'; a seed takes no SQL, and a statement belongs into a migration"
        )


def _column(_instance: object, attribute: Attribute, value: object) -> None:
    _check_name(attribute.name, value)


def _columns(instance: object, attribute: Attribute, value: tuple[object, ...]) -> None:
    many(instance, attribute, value)
    for name in value:
        _check_name(attribute.name, name)
        if value.count(name) > 1:
            raise ValueError(f"{attribute.name}: {name!r} stands twice")


def _check_value(what: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{what}: found {value!r}, expected a finite number")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"{what}: found a NUL character, which Postgres keeps in no text")
    if not isinstance(value, None | bool | int | float | str | Sealed | Ref):
        raise TypeError(
            f"{what}: found {value!r}, expected text, a number, true, false, None, a secret or a Ref; JSON, arrays and "
            "times are given as the text that Postgres writes for them"
        )


def _check_key(what: str, value: object) -> None:
    if value is None:
        raise ValueError(f"{what}: found None, and no row has such a key: each run would make another row")
    if not isinstance(value, bool | int | float | str | Ref):
        raise TypeError(f"{what}: found a secret, and rows are shown by their keys: take another column")
    _check_value(what, value)


def _lookup(_instance: object, attribute: Attribute, value: object) -> None:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{attribute.name}: found {value!r}, expected columns and values, such as {{'name': 'small'}}")
    for name, item in cast("Mapping[object, object]", value).items():
        _check_name(attribute.name, name)
        _check_key(f"{attribute.name}[{name!r}]", item)


@attrs.frozen
class Ref:
    """A value that another row has: a foreign key to it, whatever number the database gave it.

    Attributes:
        table: the other row's table.
        key: columns and values that find that one row; a value may be a Ref again.
        column: the column whose value is meant.
    """

    table: str = attrs.field(validator=check_table)
    key: Mapping[str, Scalar | Ref] = attrs.field(validator=_lookup)
    column: str = attrs.field(default="id", validator=_column)


SeedValue: TypeAlias = Scalar | Sealed | Ref


def _rows(instance: Rows, attribute: Attribute, value: tuple[object, ...]) -> None:
    many(instance, attribute, value)
    for index, row in enumerate(value):
        if not isinstance(row, Mapping):
            raise TypeError(f"rows[{index}]: found {row!r}, expected columns and values, such as {{'name': 'small'}}")
        cells = cast("Mapping[object, object]", row)
        for column, item in cells.items():
            _check_name(f"rows[{index}]", column)
            _check_value(f"rows[{index}][{column!r}]", item)
        for column in instance.key:
            if column not in cells:
                raise ValueError(f"rows[{index}]: column {column!r} is missing, which is part of the key")
            _check_key(f"rows[{index}][{column!r}]", cells[column])


@attrs.frozen(kw_only=True)
class Rows:
    """Rows of a table.

    A value is text, a number, true, false, None, a secret or a :class:`Ref`. For a column of another type it is the
    text that Postgres writes: ``'{"a": 1}'`` for jsonb, ``'{x,y}'`` for an array.

    Attributes:
        table: the table, as the catalog has it; ``schema.table`` where it is not in the schema public.
        key: the columns that tell one row from all others.
        rows: column to value, in each row at least those of the key.
        once: columns that only a new row is given: they are the application's own from then on.
    """

    table: str = attrs.field(validator=check_table)
    key: tuple[str, ...] = attrs.field(validator=[_columns, attrs.validators.min_len(1)])
    rows: tuple[Mapping[str, SeedValue], ...] = attrs.field(validator=[_rows, attrs.validators.min_len(1)])
    once: tuple[str, ...] = attrs.field(default=(), validator=_columns)

    def __attrs_post_init__(self) -> None:
        if both := sorted(set(self.once) & set(self.key)):
            raise ValueError(f"once: {', '.join(both)} is part of the key, by which a row is found every time")


def check_distinct(_instance: object, _attribute: Attribute, value: tuple[Rows, ...]) -> None:
    """Check that no row is written twice.

    Raises:
        ValueError: one is.
    """
    labels = [row.label for rows in value for row in state_of(rows, lambda _: Mounted(SecretKey("none", "none"))).each]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"tables: {label} stands twice: give its key another column, or leave one out")


@attrs.frozen(kw_only=True)
class Cell:
    """A value on its way to the server: a text that the server reads by the column's type; NULL when nothing is set."""

    text: str | None = None
    secret: Mounted | None = None
    lookup: Lookup | None = None

    def __str__(self) -> str:
        if self.lookup is not None:
            return str(self.lookup)
        return "a secret" if self.secret is not None else repr(self.text)


@attrs.frozen(kw_only=True)
class Lookup:
    """A value that another row has; see :class:`Ref`."""

    table: str = attrs.field(validator=check_table)
    key: Mapping[str, Cell]
    column: str = attrs.field(validator=_column)

    @property
    def row(self) -> str:
        """The row that it is looked for in, for the reader."""
        return _label(self.table, self.key)

    def __str__(self) -> str:
        return f"{self.row}.{self.column}"


@attrs.frozen(kw_only=True)
class Row:
    """One row of a table.

    Attributes:
        table: the table.
        key: column to value, of the key alone.
        values: column to value, without the key; those that are compared.
        once: column to value, of what only a new row is given.
    """

    table: str
    key: Mapping[str, Cell]
    values: Mapping[str, Cell]
    once: Mapping[str, Cell]

    @property
    def label(self) -> str:
        """What it is called: ``llm_provider(name='gateway')``."""
        return _label(self.table, self.key)

    @property
    def all(self) -> Mapping[str, Cell]:
        """Column to value of the whole row."""
        return {**self.key, **self.values, **self.once}

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """What it names of other rows, each once."""
        return tuple({str(cell): cell.lookup for cell in self.all.values() if cell.lookup is not None}.values())

    def is_found_by(self, lookup: Lookup) -> bool:
        """Whether it is the row that is looked for."""
        mine = self.all
        return lookup.table == self.table and all(mine.get(name) == cell for name, cell in lookup.key.items())


@attrs.frozen(kw_only=True)
class RowsState:
    """Rows of a table on their way to the server; see :class:`Rows`."""

    table: str = attrs.field(validator=check_table)
    key: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    once: tuple[str, ...] = ()

    @property
    def each(self) -> Iterator[Row]:
        """The rows one by one."""
        for row in self.rows:
            rest = {name: cell for name, cell in row.items() if name not in self.key}
            yield Row(
                table=self.table,
                key={name: row[name] for name in self.key},
                values={name: cell for name, cell in rest.items() if name not in self.once},
                once={name: cell for name, cell in rest.items() if name in self.once},
            )


def state_of(rows: Rows, seal: Callable[[Sealed], Mounted]) -> RowsState:
    """Return rows as they go to the server.

    Args:
        rows: as the author wrote them.
        seal: gives the place where a secret is mounted.
    """
    cells = tuple({name: _cell(item, seal) for name, item in row.items()} for row in rows.rows)
    return RowsState(table=_short(rows.table), key=rows.key, rows=cells, once=rows.once)


def _cell(value: SeedValue, seal: Callable[[Sealed], Mounted]) -> Cell:
    match value:
        case None:
            return Cell()
        case bool():
            return Cell(text="true" if value else "false")
        case int() | float() | str():
            return Cell(text=str(value))
        case Ref():
            key = {name: _cell(item, seal) for name, item in value.key.items()}
            return Cell(lookup=Lookup(table=_short(value.table), key=key, column=value.column))
        case _:
            return Cell(secret=seal(value))


def _short(table: str) -> str:
    """Return the one name of a table: that without a schema is of the schema public."""
    return table.removeprefix("public.")


def _label(table: str, key: Mapping[str, Cell]) -> str:
    return f"{table}({', '.join(f'{name}={cell}' for name, cell in key.items())})"
