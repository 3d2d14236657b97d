"""Seeds: rows that a component's database has to have, declared by their keys instead of written as SQL.

A row is looked for by its key, made where it is missing, and changed in the columns that differ. Nothing is ever
deleted, and what else stands in a table is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._hooks.seed_rows import Ref, Row, Rows, RowsState, check_distinct, check_table, state_of
from kiwi_core._model.databases import Postgres
from kiwi_core._model.desired import Desired, Mounted, Session, Step
from kiwi_core._model.fields import many
from kiwi_core._model.hooks import Hook, Lent, one_use
from kiwi_core._model.schema import AlembicSchema
from kiwi_core.errors import HookError, Problem, raise_all

if TYPE_CHECKING:
    from kiwi_core._hooks.seed_client import SeedClient

__all__ = ["Ref", "Rows", "Seed", "SeedState", "Seeded"]

VERSION_TABLE: Final = "alembic_version"


def _database(hook: Hook) -> Postgres:
    return one_use(hook, Postgres, "one use of a database: Postgres('onyx')")


@attrs.frozen(kw_only=True)
class Seed(Hook):
    """Rows that a component's database has to have.

    They are written in one transaction, as the database's own role. A row that is there already is taken over. Rows
    bear no mark, so those that are wanted no more stay, and nothing reports them::

        Seed(
            on=Postgres("onyx"),
            tables=(
                Rows(table="llm_provider", key=("name",), rows=({"name": "gateway", "provider": "litellm_proxy"},)),
                Rows(
                    table="model_configuration",
                    key=("llm_provider_id", "name"),
                    rows=({"llm_provider_id": Ref("llm_provider", {"name": "gateway"}), "name": "small"},),
                ),
            ),
            schema=AlembicSchema(image="onyxBackend", minimum="f220515df7b4", because="it writes llm_provider"),
        )

    A secret in a row is compared by the server, and never shown. A server that logs statements logs it with them.

    Attributes:
        tables: rows, in the order in which they are written: what a Ref names stands before it.
        schema: what they were written for; None where no migration tool keeps a version of the schema.
    """

    kind: ClassVar[str] = "seed"

    tables: tuple[Rows, ...] = attrs.field(validator=[many, attrs.validators.min_len(1), check_distinct])
    schema: AlembicSchema | None = None

    def __attrs_post_init__(self) -> None:
        _database(self)

    def desired(self, lent: Lent) -> SeedState:
        """Return the rows, and the database with its own role."""
        binding = lent.binding(_database(self))
        return SeedState(
            owner=lent.owner,
            host=binding.host,
            port=binding.port,
            database=binding.database,
            user=binding.user,
            password=lent.secret(binding.password),
            tables=tuple(state_of(rows, lent.secret) for rows in self.tables),
            needs_minimum=self.schema.minimum if self.schema else "",
            needs_revisions=lent.versions_with(self.schema) if self.schema else (),
            version_table=self.schema.table if self.schema else VERSION_TABLE,
        )


@attrs.frozen(kw_only=True)
class Seeded:
    """What is there of a seed's rows; each is named by its label.

    Attributes:
        absent: rows that are not there.
        differing: columns that are otherwise, by row.
        unresolved: rows that a row names and that are not there, by the row that names them.
    """

    absent: tuple[str, ...]
    differing: Mapping[str, tuple[str, ...]]
    unresolved: Mapping[str, tuple[str, ...]]


@attrs.frozen(kw_only=True)
class SeedState(Desired):
    """Rows that a database has to have.

    Attributes:
        host, port, database: the database.
        user, password: its own role.
        tables: the rows, in order.
        needs_minimum: the oldest revision of the schema that they fit; empty where none is kept.
        needs_revisions: all revisions that have it: itself, and those that rest on it.
        version_table: where the migration tool keeps the revision that the database has.
    """

    kind: ClassVar[str] = "seed"

    host: str
    port: int
    database: str
    user: str
    password: Mounted
    tables: tuple[RowsState, ...]
    needs_minimum: str = ""
    needs_revisions: tuple[str, ...] = ()
    version_table: str = attrs.field(default=VERSION_TABLE, validator=check_table)

    @property
    def subject(self) -> str:
        """The tables and the database."""
        tables = ", ".join(dict.fromkeys(rows.table for rows in self.tables))
        return f"rows of {tables} in database {self.database} at {self.host}:{self.port}"

    @property
    def rows(self) -> Mapping[str, Row]:
        """All rows in order, by their labels."""
        return {row.label: row for rows in self.tables for row in rows.each}

    @property
    def _server(self) -> PostgresServer:
        return PostgresServer(
            host=self.host, port=self.port, user=self.user, password=self.password, database=self.database
        )

    def observe(self, session: Session) -> Seeded:
        """Look for the rows, once the schema is known to be one that they fit."""
        from kiwi_core._hooks.seed_client import SeedClient

        client = SeedClient.kept(self._server, session)
        client.roll_back()
        self._check_revision(client)
        absent: list[str] = []
        differing: dict[str, tuple[str, ...]] = {}
        unresolved: dict[str, tuple[str, ...]] = {}
        for rows in self.tables:
            each = tuple(rows.each)
            for row, seen in zip(each, client.look(each), strict=True):
                if seen.equal is None:
                    absent.append(row.label)
                elif columns := tuple(name for name, is_so in zip(row.values, seen.equal, strict=True) if not is_so):
                    differing[row.label] = columns
                needed = (
                    row.all if seen.equal is None else {name: row.values[name] for name in differing.get(row.label, ())}
                )
                lost = [lookup for lookup, count in zip(row.lookups, seen.found, strict=True) if not count]
                if lost := [lookup for lookup in lost if any(cell.lookup == lookup for cell in needed.values())]:
                    unresolved[row.label] = tuple(map(str, lost))
        return Seeded(absent=tuple(absent), differing=differing, unresolved=unresolved)

    def plan(self, observed: Seeded) -> Sequence[Step]:
        """Insert what is absent and update what differs, in one transaction."""
        self._check_named(observed)
        steps = [
            *(Step("insert", label) for label in self.rows if label in observed.absent),
            *(Step("update", label, ", ".join(columns)) for label, columns in observed.differing.items()),
        ]
        order = list(self.rows)
        steps.sort(key=lambda step: order.index(step.of))
        return [*steps, Step("commit", f"{len(steps)} row{'s' if len(steps) > 1 else ''}")] if steps else []

    def apply(self, step: Step, session: Session) -> None:
        """Do one step of the transaction, which begins with the first."""
        from kiwi_core._hooks.seed_client import SeedClient

        client = SeedClient.kept(self._server, session)
        match step.action:
            case "commit":
                client.commit()
            case "insert":
                client.insert(self.rows[step.of])
            case _:
                client.update(self.rows[step.of], step.detail.split(", "))

    def _check_revision(self, client: SeedClient) -> None:
        if not self.needs_minimum:
            return
        live = client.read_revisions(self.version_table)
        if not set(live) & set(self.needs_revisions):
            found = ", ".join(live) or "none"
            message = f"{self.subject}: they need revision {self.needs_minimum} of the schema or one that rests on it, found {found}"
            hint = "deploy an image whose migrations reach it, let them run, and deploy again"
            raise HookError(Problem(message, hint=hint))

    def _check_named(self, observed: Seeded) -> None:
        """Make sure that each row that is named is there, or is made before the one that names it."""
        made: list[Row] = []
        problems: list[Problem] = []
        for label, row in self.rows.items():
            lost = observed.unresolved.get(label, ())
            for lookup in row.lookups:
                if str(lookup) in lost and not any(earlier.is_found_by(lookup) for earlier in made):
                    message = f"{self.subject}: {label} names {lookup.row}, and there is no such row"
                    problems.append(Problem(message, hint="seed that row before, or correct the key of the Ref"))
            if label in observed.absent or label in observed.differing:
                made.append(row)
        raise_all(HookError, problems)
