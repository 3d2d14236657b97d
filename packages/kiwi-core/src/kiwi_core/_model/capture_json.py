"""Captures as JSON: deterministic to write, quick and strict to read.

Plain ``json`` and no converter: a check may read several captures at every start. What is wrong in a file is gathered
and named with its path; nothing is coerced. A schema capture holds the hash of its own content, so that an edit by hand
is seen; that keeps nobody out who means to forge one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar, cast

import attrs

from kiwi_core._model.capture import (
    CapturedImage,
    ChartCapture,
    ClusterObject,
    HardCodedImage,
    Json,
    SchemaCapture,
    Subchart,
    Workload,
)
from kiwi_core._model.revisions import circle_of
from kiwi_core._model.schema import ORDERED
from kiwi_core.errors import InputError, Problem, Where, did_you_mean, raise_all

__all__ = ["dump_chart", "dump_schema", "load_chart", "load_schema"]

# The form of the file, and its version: it changes when an older reader would misread a newer file.
FORM: Final = "capture"
CHART: Final = "chart/1"
SCHEMA: Final = "schema/1"
CHECKSUM: Final = "checksum"
MISSING: Final = object()
REFRESH: Final = "a capture is never edited: write it anew with 'kiwistack component capture'"

T = TypeVar("T")


def dump_chart(capture: ChartCapture) -> bytes:
    """Return a chart capture as JSON, the same bytes for the same capture."""
    return _dump({FORM: CHART, **attrs.asdict(capture)}, sort=True)


def dump_schema(capture: SchemaCapture) -> bytes:
    """Return a schema capture as JSON, the same bytes for the same capture; the order of revisions and tags stays."""
    data = {FORM: SCHEMA, **attrs.asdict(capture)}
    return _dump({**data, CHECKSUM: _checksum(data)}, sort=False)


def load_chart(data: bytes, *, file: str = "the chart capture") -> ChartCapture:
    """Read a chart capture.

    Args:
        data: the file's content.
        file: what to call it in a message.

    Raises:
        InputError: it is not what :func:`dump_chart` writes; all problems at once.
    """
    record = _open(data, file, CHART)
    capture = ChartCapture(
        name=record.text("name"),
        version=record.text("version"),
        app_version=record.text_or_none("app_version"),
        digest=record.text_or_none("digest"),
        source=record.text("source"),
        values=record.tree("values"),
        open=record.texts("open"),
        reads=record.texts("reads"),
        unseen=record.texts("unseen"),
        subcharts=tuple(
            Subchart(
                name=item.text("name"),
                version=item.text("version"),
                alias=item.text_or_none("alias"),
                conditions=item.texts("conditions"),
                captured=item.truth("captured"),
            )
            for item in record.records("subcharts")
        ),
        images=tuple(
            CapturedImage(
                path=item.text("path"),
                keys=item.texts("keys"),
                repository=item.text_or_none("repository"),
                tag=item.text_or_none("tag"),
            )
            for item in record.records("images")
        ),
        hard_coded=tuple(
            HardCodedImage(
                image=item.text("image"),
                file=item.text("file"),
                line=item.number("line"),
                guards=item.texts("guards"),
                hook=item.text_or_none("hook"),
            )
            for item in record.records("hard_coded")
        ),
        cluster_objects=tuple(
            ClusterObject(kind=item.text("kind"), file=item.text("file"), guards=item.texts("guards"))
            for item in record.records("cluster_objects")
        ),
        workloads=tuple(
            Workload(
                kind=item.text("kind"),
                file=item.text("file"),
                guards=item.texts("guards"),
                annotations=item.text_or_none("annotations"),
                labels=item.text_or_none("labels"),
                ports=item.numbers_or_texts("ports"),
                hook=item.text_or_none("hook"),
            )
            for item in record.records("workloads")
        ),
    )
    record.close()
    return capture


def load_schema(data: bytes, *, file: str = "the schema capture") -> SchemaCapture:
    """Read a schema capture.

    Args:
        data: the file's content.
        file: what to call it in a message.

    Raises:
        InputError: it is not what :func:`dump_schema` writes, or was edited since, or a parent or a head is none of its
            revisions.
    """
    record = _open(data, file, SCHEMA)
    rest = {key: value for key, value in record.data.items() if key != CHECKSUM}
    if record.text(CHECKSUM) != _checksum(rest) and CHECKSUM in record.data:
        record.complain("the file was edited since it was written", CHECKSUM)
    revisions = record.map_of_texts("revisions")
    tags = record.map_of_texts("tags")
    capture = SchemaCapture(
        tool=record.text("tool"),
        image=record.text("image"),
        source=record.text("source"),
        revisions=revisions,
        tags=tags,
        digests=record.map_of_text("digests"),
    )
    _check_history(record, capture)
    for digest, tag in capture.digests.items():
        if tag not in tags:
            record.complain(f"tag {tag!r} is none of the tags", "digests", digest)
    record.close()
    return capture


def _check_history(record: _Record, capture: SchemaCapture) -> None:
    """Complain of what cannot be: parents and heads that are nowhere, circles, versions that are no numbers."""
    if capture.tool in ORDERED:
        for tag, versions in capture.tags.items():
            if len(versions) != 1 or not capture.knows(versions[0]):
                record.complain(f"found {list(versions)}, expected one {capture.tool} version", "tags", tag)
        return
    earlier: set[str] = set()
    late: list[tuple[str, str]] = []
    for revision, parents in capture.revisions.items():
        late += [(revision, parent) for parent in parents if parent not in earlier]
        earlier.add(revision)
    for revision, parent in late:
        record.complain(f"parent {parent!r} does not stand before it", "revisions", revision)
    if late and (circle := circle_of(capture.revisions)):
        record.complain(f"revisions go round in a circle: {' -> '.join(circle)}", "revisions")
    for tag, heads in capture.tags.items():
        for head in heads:
            if head not in earlier:
                record.complain(f"head {head!r} is none of the revisions", "tags", tag)


def _checksum(data: Mapping[str, object]) -> str:
    """Return the hash of a file's content, whatever its white space; of none that is nested beyond all reason."""
    try:
        compact = json.dumps(data, separators=(",", ":"))
    except RecursionError:
        return ""
    return f"sha256:{hashlib.sha256(compact.encode()).hexdigest()}"


def _dump(data: Mapping[str, object], *, sort: bool) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=sort, allow_nan=False) + "\n").encode()


def _open(data: bytes, file: str, form: str) -> _Record:
    try:
        content: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"this is not JSON: {error}", Where(file), REFRESH)) from error
    record = _Record(content, Where(file), [])
    if record.text(FORM) != form:
        record.complain(f"found {record.data.get(FORM)!r}, expected {form!r}", FORM)
    if record.problems:
        record.close(whole=False)
    return record


class _Record:
    """A JSON object that is read key by key; what is wrong is noted, and something harmless returned instead."""

    def __init__(self, data: object, where: Where, problems: list[Problem]) -> None:
        self.where = where
        self.problems = problems
        self.read: set[str] = set()
        # JSON objects have no other keys than texts.
        self.data: Mapping[str, object] = cast("dict[str, object]", data) if isinstance(data, dict) else {}
        self.members: list[_Record] = []
        if not isinstance(data, dict):
            self.complain(f"found {_kind(data)}, expected an object")

    def complain(self, message: str, *path: str | int) -> None:
        self.problems.append(Problem(message, attrs.evolve(self.where, path=(*self.where.path, *path)), REFRESH))

    def close(self, *, whole: bool = True) -> None:
        """Raise all that was found, here and in the objects inside; unknown keys, too, when all was read."""
        for record in (self, *self.members) if whole else ():
            for key in sorted(record.data.keys() - record.read):
                record.complain(f"unknown key; {did_you_mean(key, record.read)}", key)
        raise_all(InputError, self.problems)

    def text(self, key: str) -> str:
        value = self._take(key)
        return value if isinstance(value, str) else self._wrong(value, "a text", "", key)

    def text_or_none(self, key: str) -> str | None:
        value = self._take(key)
        return value if value is None or isinstance(value, str) else self._wrong(value, "a text or null", None, key)

    def truth(self, key: str) -> bool:
        value = self._take(key)
        return value if isinstance(value, bool) else bool(self._wrong(value, "true or false", None, key))

    def number(self, key: str) -> int:
        value = self._take(key)
        return value if type(value) is int else self._wrong(value, "a whole number", 0, key)

    def texts(self, key: str) -> tuple[str, ...]:
        return self._texts(self._take(key), key)

    def numbers_or_texts(self, key: str) -> tuple[int | str, ...]:
        found: list[int | str] = []
        for index, item in self._items(self._take(key), key):
            if isinstance(item, str) or type(item) is int:
                found.append(item)
            else:
                self._wrong(item, "a whole number or a text", None, key, index)
        return tuple(found)

    def records(self, key: str) -> Iterator[_Record]:
        for index, item in self._items(self._take(key), key):
            where = attrs.evolve(self.where, path=(*self.where.path, key, index))
            record = _Record(item, where, self.problems)
            self.members.append(record)
            yield record

    def tree(self, key: str) -> Mapping[str, Json]:
        # Whatever JSON holds is a Json.
        return cast("Mapping[str, Json]", self._map(key))

    def map_of_text(self, key: str) -> Mapping[str, str]:
        return {
            name: item if isinstance(item, str) else self._wrong(item, "a text", "", key, name)
            for name, item in self._map(key).items()
        }

    def map_of_texts(self, key: str) -> Mapping[str, tuple[str, ...]]:
        return {name: self._texts(item, key, name) for name, item in self._map(key).items()}

    def _take(self, key: str) -> object:
        self.read.add(key)
        if key not in self.data:
            self.complain("this is missing", key)
            return MISSING
        return self.data[key]

    def _map(self, key: str) -> Mapping[str, object]:
        value = self._take(key)
        return cast("dict[str, object]", value) if isinstance(value, dict) else self._wrong(value, "an object", {}, key)

    def _items(self, value: object, *path: str | int) -> Iterator[tuple[int, object]]:
        if isinstance(value, list):
            yield from enumerate(cast("Sequence[object]", value))
        else:
            self._wrong(value, "a list", None, *path)

    def _texts(self, value: object, *path: str | int) -> tuple[str, ...]:
        return tuple(
            item if isinstance(item, str) else self._wrong(item, "a text", "", *path, index)
            for index, item in self._items(value, *path)
        )

    def _wrong(self, value: object, expected: str, instead: T, *path: str | int) -> T:
        if value is not MISSING:
            self.complain(f"found {_kind(value)}, expected {expected}", *path)
        return instead


def _kind(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return repr(value)
