"""Rule e, over time: what was deployed is told by ``secrets.lock``, what cannot be derived by the repository."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Result, finding, passed, unproven
from kiwi_core._derive.lock import Changes, compare_names, names_of
from kiwi_core._model.late import Credential, Rotation

__all__ = ["check_lock"]

LETTER = "e"
SUBJECT = "secrets.lock"
SHOWN = 5


def check_lock(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Compare the credentials with those that have a fingerprint, and look for the externals' files."""
    yield from _classes(stack)
    for external in stack.externals:
        if external.name not in stack.inputs.externals:
            message = f"secrets/{external.name}.age is not there, and no seed gives it: {external.because}"
            yield finding(
                LETTER,
                f"external {external.name}",
                message,
                fix=f"kiwistack secrets seal {external.name} {evidence.repo}",
            )
    if not stack.credentials:
        return
    lock = stack.inputs.lock
    if lock is None:
        message = (
            f"it is not there: whether two builds derive the same {len(stack.credentials)} credentials, nobody says"
        )
        yield unproven(LETTER, SUBJECT, message, fix=f"kiwistack secrets fingerprint {evidence.repo}")
        return
    wanted = {name: late.generation for name, late in names_of(stack.credentials).items()}
    known = {name: entry.generation for name, entry in lock.credentials.items()}
    changes = [*_said(compare_names(known, wanted))]
    if changes:
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        message = f"it is not of this spec: {', '.join(changes[:SHOWN])}{more}"
        yield unproven(LETTER, SUBJECT, message, fix=f"kiwistack secrets fingerprint {evidence.repo}")
    else:
        yield passed(LETTER, SUBJECT, f"{len(known)} credentials have a fingerprint")


def _said(changes: Changes) -> Iterator[str]:
    yield from (f"{name} is new" for name in changes.added)
    yield from (f"{name} is gone" for name in changes.removed)
    yield from (f"{old} became {new}" for old, new in changes.reformed)
    for name, (old, new) in changes.rotated.items():
        yield f"{name} is of generation {new}, and was of {old}"


def _classes(stack: Stack) -> Iterator[Result]:
    """A credential is of one class wherever it is named, and one that data hangs on is never rotated."""
    classes: dict[str, set[Rotation]] = {}
    for late in (late for release in stack.releases for late in release.named):
        if isinstance(late, Credential):
            classes.setdefault(late.name, set()).add(late.rotation)
    for name, found in classes.items():
        subject = f"credential {name}"
        if len(found) > 1:
            said = " and ".join(sorted(found))
            yield finding(LETTER, subject, f"it is said to be {said}", fix="say one class wherever it is named")
        if Rotation.DATA_KEY in found and stack.target.generations.get(name, 1) > 1:
            yield finding(
                LETTER,
                subject,
                f"it is rotated to generation {stack.target.generations[name]}, and the data encrypted with it is lost",
                fix="take it out of generations: only a hook that encrypts the data anew could rotate it",
            )
