"""Schema contracts: what seeds need of the image that is pinned, and where a database says how far it is.

There is one kind for each way in which an application numbers its schema. A new one comes with the first component
that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal

import attrs

from kiwi_core._model.service import Use
from kiwi_core._model.versions import Key, semantic, whole

__all__ = ["ORDERED", "SCHEMAS", "AlembicSchema", "Schema", "SemanticSchema", "TableSchema"]

# The names that PostgreSQL and MariaDB take without quotes; a table may have its schema before it.
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
TABLE: Final = re.compile(rf"(?:{NAME.pattern}\.)?{NAME.pattern}", re.ASCII)
# What Alembic takes as the name of a revision (script/revision.py: "@", "-", "+" and ":" mean something to it, and so
# do the words), less what nobody writes.
REVISION: Final = re.compile(r"(?!(?:heads?|base)$)[A-Za-z0-9_.]{1,255}", re.ASCII)
FOLDER: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._@+ -]+)+", re.ASCII)


def _name(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not NAME.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no name of a database's own, such as 'version_num'")


def _table(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not TABLE.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no table such as 'alembic_version' or 'public.version'")


def _revision(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not REVISION.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no Alembic revision such as 'f220515df7b4'")


def _folder(_instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not FOLDER.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no folder of an image such as '/app/alembic/versions'")


def _whole(_instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if type(value) is not int or whole(str(value)) is None:
        raise ValueError(f"{attribute.name} {value!r} is no whole number such as 12")


def _semantic(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if semantic(value) is None or value.startswith("v"):
        raise ValueError(f"{attribute.name} {value!r} is no semantic version such as '1.2.3'")


def _words(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value.strip():
        raise ValueError(f"{attribute.name} is empty: say in a few words what needs it, for whoever reads the finding")


@attrs.frozen(kw_only=True)
class Schema:
    """The minimum schema version that a component's seeds need.

    Attributes:
        tool: how its versions are told apart; the captures of an image are of the same one.
        image: the name of the image pin that carries the migrations.
        on: the database that they migrate, which is looked at on every deploy; None where a check of the image alone
            has to do.
        because: what needs it, in a few words.
    """

    kind: ClassVar[str]
    tool: ClassVar[str]

    on: Use[object] | None = None
    image: str = attrs.field(validator=attrs.validators.min_len(1))
    because: str = attrs.field(validator=_words)

    @property
    def version(self) -> str:
        """The minimum as text, as captures and databases have it."""
        raise NotImplementedError

    @property
    def place(self) -> tuple[str, str]:
        """The table and its column that say how far a database is."""
        raise NotImplementedError

    @property
    def need(self) -> str:
        """A sentence's beginning: what needs which version."""
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class AlembicSchema(Schema):
    """A minimum Alembic revision: the image's history must contain it.

    Attributes:
        minimum: the revision.
        versions: the folder of revision files in the image, such as ``/app/alembic/versions``; None where the captured
            history has to do at deploy, and whoever captures it finds the folder.
        reader: what the image has to copy files with: a shell, or Python.
        table: where Alembic keeps the database's revision (its ``version_table``).
    """

    kind: ClassVar[str] = "alembic-schema"
    tool: ClassVar[str] = "alembic"

    minimum: str = attrs.field(validator=_revision)
    versions: str | None = attrs.field(default=None, validator=_folder)
    reader: Literal["sh", "python"] = attrs.field(default="sh", validator=attrs.validators.in_(("sh", "python")))
    table: str = attrs.field(default="alembic_version", validator=_table)

    @property
    def version(self) -> str:
        """The minimum as text, as captures and databases have it."""
        return self.minimum

    @property
    def place(self) -> tuple[str, str]:
        """The table and its column that say how far a database is."""
        return self.table, "version_num"

    @property
    def need(self) -> str:
        """A sentence's beginning: what needs which version."""
        return f"{self.because} needs alembic revision {self.minimum}"


@attrs.frozen(kw_only=True)
class _VersionSchema(Schema):
    """A version that stands in one row of a table.

    Attributes:
        table: the table, where need be with its schema: ``public.version``.
        column: its column.
    """

    table: str = attrs.field(validator=_table)
    column: str = attrs.field(validator=_name)

    @property
    def place(self) -> tuple[str, str]:
        """The table and its column that say how far a database is."""
        return self.table, self.column

    @property
    def need(self) -> str:
        """A sentence's beginning: what needs which version."""
        return f"{self.because} needs schema version {self.version} ({self.table}.{self.column})"


@attrs.frozen(kw_only=True)
class TableSchema(_VersionSchema):
    """A minimum version that is a whole number, in one row of a table.

    Attributes:
        minimum: the version.
    """

    kind: ClassVar[str] = "table-schema"
    tool: ClassVar[str] = "table"

    minimum: int = attrs.field(validator=_whole)

    @property
    def version(self) -> str:
        """The minimum as text, as captures and databases have it."""
        return str(self.minimum)


@attrs.frozen(kw_only=True)
class SemanticSchema(_VersionSchema):
    """A minimum version that is a semantic one (https://semver.org), in one row of a table.

    Attributes:
        minimum: the version, without a ``v``.
    """

    kind: ClassVar[str] = "semantic-schema"
    tool: ClassVar[str] = "semantic"

    minimum: str = attrs.field(validator=_semantic)

    @property
    def version(self) -> str:
        """The minimum as text, as captures and databases have it."""
        return self.minimum


ORDERED: Final[Mapping[str, Callable[[str], Key | None]]] = {"table": whole, "semantic": semantic}
"""The tools whose versions are numbers, with what sorts them; None for a text that is no version."""

SCHEMAS: Final[Mapping[str, type[Schema]]] = {cls.kind: cls for cls in (AlembicSchema, TableSchema, SemanticSchema)}
"""The kinds of schema contracts by name."""
