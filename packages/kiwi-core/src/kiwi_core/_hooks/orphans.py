"""Orphans: what hooks once made, and no hook wants any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kiwi_core._model.desired import Desired, Orphan, Session

__all__ = ["find_orphans", "remove_orphans"]


def find_orphans(desired: Sequence[Desired], session: Session) -> tuple[tuple[Desired, Orphan], ...]:
    """Ask the servers of desired states for what bears their owner's mark and is none of them. Changes nothing.

    A server that no hook acts on any more is not known, and not asked.

    Args:
        desired: all that is wanted in a namespace.
        session: secrets and connections.

    Returns:
        Each orphan once, with a desired state of its kind at its server, by which it can be removed.

    Raises:
        HookError: a server cannot be looked at.
    """
    found: dict[Orphan, Desired] = {}
    for one in desired:
        wanted = [other for other in desired if other.kind == one.kind]
        for orphan in one.orphans(session, wanted):
            found.setdefault(orphan, one)
    return tuple((one, orphan) for orphan, one in found.items())


def remove_orphans(
    found: Sequence[tuple[Desired, Orphan]], names: Collection[str], session: Session
) -> tuple[str, ...]:
    """Remove the orphans that are named ``<kind>/<name>``, with what they hold; return their names.

    Raises:
        HookError: one cannot be removed.
    """
    removed: list[str] = []
    for desired, orphan in found:
        name = f"{orphan.kind}/{orphan.name}"
        if name in names:
            desired.remove(orphan, session)
            removed.append(name)
    return tuple(removed)
