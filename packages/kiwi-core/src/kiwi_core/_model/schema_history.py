"""What a database schema's history says of an image, and of a database that the image is about to run on.

An image carries the versions that its migrations can bring a database to. A database is at one of them, at an older
one, at a newer one (a roll-back across a migration), or at one of somebody else's. :func:`judge` tells these apart; it
is pure, and the same at build, when a pin is set back, and at deploy.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.revisions import circle_of, closure, heads_of
from kiwi_core._model.schema import ORDERED, Schema
from kiwi_core.errors import Problem, did_you_mean

__all__ = [
    "Carried",
    "History",
    "Level",
    "Standing",
    "Verdict",
    "carried_by",
    "image_problem",
    "judge",
    "runners",
    "runs_on",
]

MOST_SPANS: Final = 4
"""How many groups of tags a line takes."""
MOST_SHOWN: Final = 80
"""How much of a database's own text a line takes."""


@attrs.frozen(kw_only=True)
class History:
    """The revisions that an image carries.

    Attributes:
        revisions: each with its parents.
        ends: its heads, where a capture says them: two that an old release had may have been joined since, by other
            parents; None to tell them from the revisions.
    """

    revisions: Mapping[str, tuple[str, ...]] = attrs.field(hash=False, repr=False)
    ends: tuple[str, ...] | None = None

    @functools.cached_property
    def heads(self) -> tuple[str, ...]:
        """The revisions that no other builds on: what a migration of the image ends at."""
        return heads_of(self.revisions) if self.ends is None else self.ends

    @functools.cached_property
    def circle(self) -> tuple[str, ...]:
        """Revisions that go round in a circle, the first again at the end; empty in a sound history."""
        return circle_of(self.revisions)

    def has(self, version: str) -> bool:
        """Say whether the image carries a revision."""
        return version in self.revisions


@attrs.frozen(kw_only=True)
class Level:
    """The version that an image brings a database to, where versions are numbers.

    Attributes:
        tool: what sorts them.
        version: the version.
    """

    tool: str
    version: str

    @property
    def heads(self) -> tuple[str, ...]:
        """What a migration of the image ends at."""
        return (self.version,)

    @property
    def circle(self) -> tuple[str, ...]:
        """Numbers never go round in a circle."""
        return ()

    def has(self, version: str) -> bool:
        """Say whether the image's version is as high as another one."""
        own, other = (ORDERED[self.tool](text) for text in (self.version, version))
        return own is not None and other is not None and own >= other


Carried: TypeAlias = History | Level
"""What an image carries."""


def carried_by(capture: SchemaCapture, tag: str) -> Carried:
    """Return what the image of a captured tag carries.

    Raises:
        KeyError: the tag was not captured.
    """
    heads = capture.tags[tag]
    if capture.tool in ORDERED:
        return Level(tool=capture.tool, version=heads[0] if heads else "")
    whole = {name: capture.revisions[name] for name in closure(heads, capture.revisions)}
    return History(revisions=whole, ends=heads)


class Standing(enum.StrEnum):
    """Where a database stands, seen from an image."""

    EMPTY = "empty"
    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    FOREIGN = "foreign"
    SPLIT = "split"


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether an image may run on a database.

    Attributes:
        standing: where the database stands.
        says: the same in words.
        problems: why the image may not run; none when it may.
        runs_on: the captured tags whose images can run on this database; all that carry the minimum where it is empty.
    """

    standing: Standing
    says: str
    problems: tuple[Problem, ...] = ()
    runs_on: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the image may run."""
        return not self.problems


def judge(
    schema: Schema,
    *,
    image: str,
    carried: Carried,
    captured: SchemaCapture | None = None,
    live: Sequence[str] | None = None,
) -> Verdict:
    """Say whether an image has what a component needs of it, and whether it can run on a database.

    Args:
        schema: what the component needs.
        image: what to call the image in a message, with its tag.
        carried: what the image carries, read in it or from a capture.
        captured: what is known of all images of its repository; with it, messages name those that can run. One of
            another tool is none.
        live: the rows of the database's version table, as text; None when there is no such table, or no database to
            compare with.
    """
    rows = tuple(dict.fromkeys(live or ()))
    captured = captured if captured is not None and captured.tool == schema.tool else None
    running = runners(captured, schema, rows)
    standing = _stand(rows, carried, captured)
    says = _words(standing, rows, image=image, carried=carried, captured=captured)
    problem = image_problem(schema, image=image, carried=carried, captured=captured)
    problems = [problem] if problem else []
    if standing in {Standing.AHEAD, Standing.FOREIGN, Standing.SPLIT}:
        problems.append(Problem(says, None, _way_out(standing, rows, running, captured)))
    return Verdict(standing=standing, says=says, problems=tuple(problems), runs_on=running)


def image_problem(
    schema: Schema, *, image: str, carried: Carried, captured: SchemaCapture | None = None
) -> Problem | None:
    """Say why an image does not have what a component needs, whatever the database; None when it does."""
    if carried.circle:
        way = " -> ".join(map(_shown, carried.circle))
        return Problem(
            f"the revisions of {image} go round in a circle: {way}", None, "capture it again, or pin another"
        )
    if captured is not None and not captured.knows(schema.version) and not carried.has(schema.version):
        hint = did_you_mean(schema.version, captured.revisions, otherwise="its revisions")
        return Problem(f"{schema.need}, which is in no captured history of {captured.image}", None, hint)
    if len(carried.heads) != 1:
        heads = ", ".join(map(_shown, carried.heads))
        message = f"{image} has {len(carried.heads)} schema heads ({heads}): its migration cannot run"
        return Problem(message, None, "pin another tag")
    if carried.has(schema.version):
        return None
    hint = "pin a version that has it"
    if captured is not None:
        first = captured.first_tag_with(schema.version)
        hint = f"pin {first} or later" if first else "no released tag has it yet"
    return Problem(f"{schema.need}, and {image} ends at {_shown(carried.heads[0])}, before it", None, hint)


def runners(captured: SchemaCapture | None, schema: Schema, rows: Sequence[str]) -> tuple[str, ...]:
    """Return the captured tags whose images have what a component needs and can run on a database.

    Args:
        captured: what is known of the images; nothing, where it is None.
        schema: what the component needs.
        rows: where the database is.
    """
    if captured is None:
        return ()
    return tuple(tag for tag in captured.tags_with(schema.version, *rows) if len(captured.tags[tag]) == 1)


def runs_on(captured: SchemaCapture, tags: Sequence[str]) -> str:
    """Return tags as text, with those that follow each other among the stable ones as from first to last."""
    order = {tag: index for index, tag in enumerate(captured.stable)}
    spans: list[list[str]] = []
    for tag in tags:
        if spans and tag in order and order[tag] == order.get(spans[-1][-1], -2) + 1:
            spans[-1].append(tag)
        else:
            spans.append([tag])
    words = [span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans]
    more = sum(map(len, spans[MOST_SPANS:]))
    return ", ".join(words[:MOST_SPANS]) + (f" and {more} more" if more else "")


def _stand(rows: Sequence[str], carried: Carried, captured: SchemaCapture | None) -> Standing:
    """Say where a database stands."""
    if not rows:
        return Standing.EMPTY
    if len(rows) > 1:
        return Standing.SPLIT
    (row,) = rows
    if carried.has(row):
        return Standing.CURRENT if row in carried.heads or _equal(carried, row) else Standing.BEHIND
    return Standing.AHEAD if _is_ahead(carried, captured, row) else Standing.FOREIGN


def _words(
    standing: Standing, rows: Sequence[str], *, image: str, carried: Carried, captured: SchemaCapture | None
) -> str:
    """Say in words where a database stands."""
    shown = " and ".join(map(_shown, rows))
    ends = " and ".join(map(_shown, carried.heads)) or "nothing"
    match standing:
        case Standing.EMPTY:
            return f"the database is empty: {image} makes it anew"
        case Standing.CURRENT:
            return f"the database is at {shown}, as {image} is"
        case Standing.BEHIND:
            return f"the database is at {shown}, and {image} migrates it to {ends}"
        case Standing.SPLIT:
            return f"the database is at {len(rows)} heads at once ({shown}): no migration can run on it"
        case Standing.AHEAD:
            why = "a newer version has migrated it"
        case Standing.FOREIGN if isinstance(carried, Level):
            why = f"that is no {carried.tool} version"
        case Standing.FOREIGN:
            why = f"{image} does not know it"
            if captured is not None:
                is_known = captured.knows(rows[0])
                why = "that is on another branch" if is_known else f"no captured version of {captured.image} knows it"
    return f"the database is at {shown}, and {image} ends at {ends}: {why}"


def _way_out(standing: Standing, rows: Sequence[str], running: Sequence[str], captured: SchemaCapture | None) -> str:
    """Say what can be done about a database that an image cannot run on."""
    if captured is None or not all(map(captured.knows, rows)):
        hint = "pin the version that made it, or restore a database from before"
    elif not running:
        hint = f"no captured tag of {captured.image} can run on it: restore a database from before"
    else:
        hint = f"these can run on it: {runs_on(captured, running)}; pin one of them, or restore a database from before"
    return f"a migration stopped halfway, or two builds ran on it: {hint}" if standing is Standing.SPLIT else hint


def _is_ahead(carried: Carried, captured: SchemaCapture | None, row: str) -> bool:
    """Say whether a database that an image cannot run on is past the image's end."""
    if isinstance(carried, Level):
        return ORDERED[carried.tool](row) is not None
    return captured is not None and captured.knows(row) and closure([row], captured.revisions) >= {*carried.heads}


def _equal(carried: Carried, row: str) -> bool:
    """Say whether a version is that of an image, written in another way (``1.2.3+build``)."""
    return isinstance(carried, Level) and ORDERED[carried.tool](row) == ORDERED[carried.tool](carried.version)


def _shown(text: str) -> str:
    """Return a text from a database or an image as a line of a log may have it."""
    clean = text if text.isprintable() and text.strip() == text and text else repr(text)
    return clean if len(clean) <= MOST_SHOWN else f"{clean[:MOST_SHOWN]}…"
