"""Put two captures of one image's schema together: what one saw more than the other adds up, and they agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.revisions import closure, in_order
from kiwi_core._model.versions import natural
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["merge_schemas"]


def merge_schemas(old: SchemaCapture, new: SchemaCapture, *, file: str = "the schema capture") -> SchemaCapture:
    """Add what a new capture saw to an older one of the same image.

    Revisions of the old one that none of its tags has were not released yet when it was made: where upstream thought
    better of one, the new word counts.

    Args:
        old: the capture that is there.
        new: the one to add; where it came from is kept, too.
        file: what to call the old one in a message.

    Raises:
        InputError: they are of different images or tools, or one belies the other; all problems at once.
    """
    raise_all(InputError, (Problem(text, Where(file), hint) for text, hint in _contradictions(old, new)))
    tags = {**old.tags, **new.tags}
    return attrs.evolve(
        new,
        source="; ".join(dict.fromkeys((*old.source.split("; "), *new.source.split("; ")))),
        # Nothing released builds on what was not: so no circle can come of it.
        revisions=in_order({**old.revisions, **new.revisions}),
        tags={tag: tags[tag] for tag in sorted(tags, key=natural)},
        digests=dict(sorted({**new.digests, **old.digests}.items(), key=lambda item: (natural(item[1]), item[0]))),
    )


def _released(capture: SchemaCapture) -> set[str]:
    """Return the revisions that a tag has."""
    return closure((head for heads in capture.tags.values() for head in heads), capture.revisions)


def _contradictions(old: SchemaCapture, new: SchemaCapture) -> Iterator[tuple[str, str]]:
    for what in ("image", "tool"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            yield f"it is a capture of {what} {before!r}, and this one is of {after!r}", "write it to another folder"
            return
    anew = "upstream rewrote its history, or one of the two is wrong: remove the file to capture everything anew"
    for name in _both(_released(old), new.revisions):
        if {*old.revisions[name]} != {*new.revisions[name]}:
            was, now = _listed(old.revisions[name]), _listed(new.revisions[name])
            yield f"revision {name} builds on {was} there, and on {now} here", anew
    for tag in _both(old.tags, new.tags):
        if {*old.tags[tag]} != {*new.tags[tag]}:
            yield f"{tag} ends at {_listed(old.tags[tag])} there, and at {_listed(new.tags[tag])} here", anew
    for digest in _both(old.digests, new.digests):
        before, after = old.tags.get(old.digests[digest], ()), new.tags.get(new.digests[digest], ())
        if {*before} != {*after}:
            yield f"{digest} ends at {_listed(before)} there, and at {_listed(after)} here", anew


def _both(one: Iterable[str], other: Iterable[str]) -> list[str]:
    return sorted({*one} & {*other})


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(names)) or "nothing"
