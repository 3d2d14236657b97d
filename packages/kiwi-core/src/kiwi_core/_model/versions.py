"""Which of two versions is newer, where they say so at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

__all__ = ["Key", "natural", "newer", "semantic", "whole"]

# An optional word before it ("v", "release-"), numbers, and what follows: a pre-release, a variant such as "-alpine".
FORM: Final = re.compile(r"(?P<before>[A-Za-z]*[-_.]?)(?P<numbers>\d+(?:\.\d+)*)(?P<after>.*)", re.DOTALL)
PRE: Final = re.compile(
    r"[-._]?(?:alpha|beta|rc|cr|pre|preview|dev|snapshot|canary|nightly|next|edge|milestone|m|a|b)"
    r"(?:[-._]?\d+)*(?=$|[-._+])",
    re.IGNORECASE,
)
PIECE: Final = re.compile(r"\d+|[a-z]+")
DIGITS: Final = re.compile(r"(\d+)")
# The grammar of https://semver.org, version 2.0.0; a v before it is what tags have.
SEMANTIC: Final = re.compile(
    r"v?(?P<numbers>(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2})"
    r"(?:-(?P<pre>(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
WHOLE: Final = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
Key: TypeAlias = tuple[tuple[int, int, str], ...]
"""Sorts versions of one form."""


@attrs.frozen(kw_only=True)
class Version:
    """A version, and what may be compared with it.

    Attributes:
        shape: the tag without its numbers; tags of two shapes are not two versions of one thing.
        is_stable: whether it is no pre-release.
        order: sorts versions of one shape.
    """

    shape: tuple[str, int, str]
    is_stable: bool
    order: tuple[Key, bool, Key, Key]


def newer(version: str, known: Iterable[str], *, is_chart: bool = False) -> Sequence[str]:
    """Return the versions that are newer, oldest first.

    Args:
        version: a version or tag. A pre-release is followed by pre-releases, a stable version by stable ones only.
        known: the versions that there are. Those of another form are passed over: ``7.4.1`` is followed by ``7.4.2``,
            and neither by ``7.5``, which floats, nor by ``7.4.2-alpine``.
        is_chart: whether they are semantic versions, where all behind a ``-`` is a pre-release.
    """
    old = _read(version, is_chart=is_chart)
    if old is None:
        return []
    found = {
        text: new
        for text in known
        if (new := _read(text, is_chart=is_chart))
        and new.shape == old.shape
        and new.order > old.order
        and (new.is_stable or not old.is_stable)
    }
    return sorted(found, key=lambda text: (found[text].order, text))


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort numbers in a text as numbers: v1.10.0 comes after v1.9.0."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in DIGITS.split(text))


def semantic(text: str) -> Key | None:
    """Return what sorts a semantic version as https://semver.org says, part 11; None for what is none."""
    form = SEMANTIC.fullmatch(text)
    if form is None:
        return None
    numbers = tuple((int(number), 0, "") for number in form["numbers"].split("."))
    if form["pre"] is None:
        return (*numbers, (1, 0, ""))
    pieces = ((0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in form["pre"].split("."))
    return (*numbers, (0, 0, ""), *pieces)


def whole(text: str) -> Key | None:
    """Return what sorts a whole number; None for what is none, or more than a database's own numbers are."""
    return ((int(text), 0, ""),) if WHOLE.fullmatch(text) else None


def _read(text: str, *, is_chart: bool) -> Version | None:
    """Take a version apart; None for a tag that says nothing of order, such as ``latest``."""
    form = FORM.fullmatch(text)
    if form is None:
        return None
    before, after = form["before"], form["after"]
    if is_chart:
        before, (pre, variant) = before.removeprefix("v"), (after.partition("+")[0], "")
    else:
        said = PRE.match(after)
        pre = said[0] if said else ""
        variant = after[len(pre) :]
    numbers = _key(form["numbers"])
    return Version(
        shape=(before, len(numbers), re.sub(r"\d+", "0", variant)),
        is_stable=not pre,
        order=(numbers, not pre, _key(pre), _key(variant)),
    )


def _key(text: str) -> Key:
    """Return what sorts the pieces of a text: numbers as such, and before words."""
    return tuple((0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in PIECE.findall(text.lower()))
