"""The schema check: before a component's release, its image must have what the seeds need, and suit the database.

It changes nothing. What the image carries is read from its own files, where the job could copy them out of it; else the
history captured for it decides, and the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import attrs

from kiwi_core._hooks.postgres import server_of
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._model.alembic_files import read_revisions
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.databases import Postgres
from kiwi_core._model.desired import Desired, Session, Step
from kiwi_core._model.hooks import Hook, Lent
from kiwi_core._model.names import dns_label
from kiwi_core._model.schema import AlembicSchema, Schema
from kiwi_core._model.schema_history import Carried, History, Verdict, carried_by, judge
from kiwi_core.errors import HookError, InputError, Problem, Where

__all__ = ["SCHEMAS_FOLDER", "SchemaCheck", "SchemaState"]

SCHEMAS_FOLDER: Final = "/run/kiwistack/schemas"
"""Where the job of the hooks finds the revision files of images: ``<folder>/<pin>/``."""


@attrs.frozen(kw_only=True)
class SchemaCheck(Hook):
    """Looks whether a pinned image has the schema that a component needs. The engine adds one for each contract.

    Attributes:
        schema: the contract.
        image: the repository of the image that is pinned.
        tag: its tag, with the digest where it has one: ``v1.2.3@sha256:…``.
        captured: the captured history of the images of its repository.
    """

    kind: ClassVar[str] = "schema-check"

    schema: Schema
    image: str
    tag: str
    captured: SchemaCapture | None
    name: str = attrs.field(
        default=attrs.Factory(lambda self: f"schema-{self.schema.image.lower()}", takes_self=True),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType] -- attrs types it so
        validator=dns_label,
    )

    @property
    def folder(self) -> str | None:
        """Where the job puts the image's revision files; None where it has none that are known."""
        is_known = isinstance(self.schema, AlembicSchema) and self.schema.versions is not None
        return f"{SCHEMAS_FOLDER}/{self.schema.image}" if is_known else None

    def desired(self, lent: Lent) -> SchemaState:
        """Name the image, the histories and the database."""
        server, database = None, ""
        if isinstance(self.schema.on, Postgres):
            server, bound = server_of(lent, self.schema.on)
            database = bound.database
        return SchemaState(
            schema=attrs.evolve(self.schema, on=None),
            image=self.image,
            tag=self.tag,
            captured=self.captured,
            folder=self.folder,
            server=server,
            database=database,
        )


@attrs.frozen(kw_only=True)
class SchemaSeen:
    """What was found.

    Attributes:
        verdict: whether the image suits; None where nothing is known of what it carries.
    """

    verdict: Verdict | None


@attrs.frozen(kw_only=True)
class _Text:
    text: str


@attrs.frozen(kw_only=True)
class SchemaState(Desired):
    """An image has what a component needs, and can run on the database that is there.

    Attributes:
        schema: the contract.
        image, tag, captured: as in the hook.
        folder: where the image's revision files are, inside the job.
        server, database: what it migrates; None where it is not said.
    """

    kind: ClassVar[str] = "schema-check"

    schema: Schema
    image: str
    tag: str
    captured: SchemaCapture | None
    folder: str | None = None
    server: PostgresServer | None = None
    database: str = ""

    @property
    def subject(self) -> str:
        """The image, and what was believed of it."""
        if self._files is not None:
            source = "by its own files"
        elif self._known:
            source = "by the history captured for it"
        else:
            source = "of which nothing is known here: unproven"
        return f"schema of {self._shown}, {source}"

    @property
    def _shown(self) -> str:
        return f"{self.image}:{self.tag.partition('@')[0]}"

    @property
    def _files(self) -> Path | None:
        folder = Path(self.folder) if self.folder else None
        return folder if folder and folder.is_dir() else None

    @property
    def _known(self) -> str | None:
        """The captured tag that the image stands for; None where there is none."""
        version, _, digest = self.tag.partition("@")
        return self.captured.tag_of(version, digest or None) if self.captured else None

    def observe(self, session: Session) -> SchemaSeen:
        """Read what the image carries, and where the database is.

        Raises:
            HookError: the image's files are no sound history, or the database cannot be read.
        """
        carried = self._carried()
        if carried is None:
            return SchemaSeen(verdict=None)
        live = self._live(session)
        verdict = judge(self.schema, image=self._shown, carried=carried, captured=self.captured, live=live)
        return SchemaSeen(verdict=verdict)

    def plan(self, observed: SchemaSeen) -> Sequence[Step]:
        """Plan nothing: a check changes nothing.

        Raises:
            HookError: the image does not suit.
        """
        if observed.verdict and observed.verdict.problems:
            raise HookError(*observed.verdict.problems)
        return ()

    def _carried(self) -> Carried | None:
        if self._files is not None:
            files = {path.name: path.read_bytes() for path in sorted(self._files.glob("*.py"))}
            return History(revisions=_sound(files, self._shown))
        return carried_by(self.captured, self._known) if self.captured and self._known else None

    def _live(self, session: Session) -> tuple[str, ...] | None:
        """Return the rows of the database's version table; None where there is none yet."""
        if self.server is None:
            return None
        from kiwi_core._hooks.postgres_client import administrator

        query = "SELECT datname AS text FROM pg_database WHERE datname = %(name)s"
        home = administrator(self.server, session)
        if not home.one(f"look for database {self.database}", _Text, query, name=self.database):
            return None
        return administrator(self.server, session, self.database).column(*self.schema.place)


def _sound(files: Mapping[str, bytes], image: str) -> Mapping[str, tuple[str, ...]]:
    try:
        return read_revisions(files, image)
    except InputError as error:
        hint = "the files are the image's own: pin another, or tell those who build it"
        raise HookError(*(Problem(each.message, each.where or Where(image), hint) for each in error.problems)) from None
