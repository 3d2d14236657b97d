"""What was seen of a target where it runs: what a verification hands to the page, so that it shows the live state."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import attrs

__all__ = ["Drift", "Live", "Seen", "State"]


class State(enum.StrEnum):
    """How something was found."""

    GOOD = "as built"
    CHANGED = "changed"
    """It runs, and is not what was built."""
    FAILED = "failed"
    MISSING = "missing"
    UNKNOWN = "not known"

    @property
    def mark(self) -> str:
        """One letter for it, which tells it without a colour."""
        return _MARKS[self]


_MARKS: Final = {State.GOOD: "✓", State.CHANGED: "≠", State.FAILED: "✕", State.MISSING: "∅", State.UNKNOWN: "?"}


@attrs.frozen(kw_only=True)
class Seen:
    """How a release or a hook was found.

    Attributes:
        text: in words what is not as it should be; never a value of a credential.
    """

    state: State
    text: str = ""


@attrs.frozen(kw_only=True)
class Drift:
    """One thing that is not what was built.

    Attributes:
        release: whose it is.
        subject: what it is, such as ``Deployment/onyx-api``.
        message: how it differs; never a value of a credential.
    """

    release: str
    subject: str
    message: str


@attrs.frozen(kw_only=True)
class Live:
    """A target as it was found.

    Attributes:
        when: the time of it, as the reader shall see it: a page with a live state is of one moment.
        releases: by name; one that is not there was not looked at.
        hooks: by the release that runs them and their name.
        drift: what is not what was built.
    """

    when: str
    releases: Mapping[str, Seen] = attrs.field(factory=dict[str, Seen])
    hooks: Mapping[tuple[str, str], Seen] = attrs.field(factory=dict["tuple[str, str]", Seen])
    drift: tuple[Drift, ...] = ()
