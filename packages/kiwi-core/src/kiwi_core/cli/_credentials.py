"""``kiwistack secrets show`` and ``rotate``: one credential."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._model.late import Rotation
from kiwi_core._spec.repo import shown
from kiwi_core.cli._seed import check_deployed, check_seed, is_at_hand, take_seed, write_secret
from kiwi_core.errors import InputError, Problem, did_you_mean, dotted

if TYPE_CHECKING:
    from kiwi_core._compose.rotation import RotationPlan
    from kiwi_core._compose.stack import Stack
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._derive.taint import Derived
    from kiwi_core._model.late import Credential

__all__ = ["rotate", "show"]

CLASSES: Mapping[Rotation, str] = {
    Rotation.LIVE: "a hook or a restart brings the new value in",
    Rotation.INIT: "the server reads it at its first start: a hook has to sign in with the old value and set the new one",
    Rotation.DATA_KEY: "data is encrypted with it, and lost with another one: it is never rotated",
}


@attrs.frozen(kw_only=True)
class Row:
    """What is shown of a credential.

    Attributes:
        fingerprint: that of the value that the seed gives, or else the one of ``secrets.lock``; None without either.
        goes_to: where its value is put, in words.
    """

    name: str
    generation: int
    template: str
    encoding: tuple[str, ...]
    rotation: str
    fingerprint: str | None
    goes_to: tuple[str, ...]


def show(*, name: str, path: Path, lane: str | None, reveal: bool, as_json: bool, source: SeedSource) -> int:
    """Say what a credential is and where it goes, or, with ``reveal``, print its value and nothing else."""
    if reveal and as_json:
        raise InputError(Problem("--reveal prints the value and nothing else", hint="leave --json out"))
    seed = take_seed(source, os.environ) if reveal or is_at_hand(source) else None
    project = engine.load(path, Lane(lane) if lane else None)
    found = _find(project.stack, name)
    if reveal and len(found) > 1:
        hint = f"one of {', '.join(map(repr, found))}"
        raise InputError(Problem(f"{name!r} has {len(found)} forms, and one can be shown", hint=hint))
    derived: Mapping[Credential, Derived] = {}
    if seed:
        from kiwi_core._derive.credentials import derive_all
        from kiwi_core._derive.seeds import mark_of

        mark = mark_of(seed)
        check_seed(seed, mark, project)
        check_deployed(mark, project)
        derived = derive_all(seed, found.values())
    if reveal:
        write_secret(*derived.values())  # one
        return 0
    rows = [_row(project.stack, key, late, derived) for key, late in found.items()]
    if as_json:
        print(json.dumps([attrs.asdict(row) for row in rows], indent=1))
        return 0
    for row in rows:
        form = " | ".join((row.template, *row.encoding))
        print(f"credential {row.name}, generation {row.generation}, {form}, class {row.rotation}")
        print(
            f"  fingerprint {row.fingerprint or 'not known: there is neither a seed at hand nor a secrets.lock of it'}"
        )
        for place in row.goes_to:
            print(f"  {place}")
    return 0


def _find(stack: Stack, name: str) -> Mapping[str, Credential]:
    """Return the credentials of a name, with the names that they have in ``secrets.lock``.

    Raises:
        InputError: there is none.
    """
    from kiwi_core._derive.lock import names_of

    named = names_of(stack.credentials)
    if name in named:
        return {name: named[name]}
    found = {key: late for key, late in named.items() if late.name == name}
    if not found:
        message = f"{stack.target.title} has no credential {name!r}"
        raise InputError(Problem(message, hint=did_you_mean(name, named, otherwise="it has")))
    return found


def _row(stack: Stack, name: str, late: Credential, derived: Mapping[Credential, Derived]) -> Row:
    from kiwi_core._compose.rotation import rotation_of

    entry = stack.inputs.lock.credentials.get(name) if stack.inputs.lock else None
    deployed = entry.fingerprint if entry and entry.generation == late.generation else None
    return Row(
        name=name,
        generation=late.generation,
        template=late.template,
        encoding=late.encoding,
        rotation=rotation_of(stack, late.name).value,
        fingerprint=derived[late].fingerprint if late in derived else deployed,
        goes_to=tuple(_places(stack, late)),
    )


def _places(stack: Stack, late: Credential) -> Iterator[str]:
    from kiwi_core._compose.rotation import readers_of, sinks_of

    reasons = {(item.release, item.path): item.reason for part in stack.parts.values() for item in part.wiring.plain}
    for sink in sinks_of(stack, [late]):
        if sink.secret:
            readers = ", ".join(readers_of(stack, sink.namespace, sink.secret.secret)) or "nothing"
            yield f"key {sink.secret.key!r} of Secret {sink.secret.secret} in {sink.namespace}, read by {readers}"
        else:
            reason = reasons.get((sink.release, dotted(sink.path)))
            yield f"plain value {dotted(sink.path)} of release {sink.release}{f': {reason}' if reason else ''}"


def rotate(*, name: str, path: Path, lane: str | None, plan: bool, as_json: bool) -> int:
    """Say what a new generation of a credential does, and the line of the spec that brings it."""
    assert plan  # the parser wants the word, so that nobody takes this for the deed
    from kiwi_core._compose.rotation import plan_rotation

    project = engine.load(path, Lane(lane) if lane else None)
    planned = plan_rotation(project.stack, name)
    if as_json:
        print(json.dumps(attrs.asdict(planned), indent=1))
        return 0
    print(
        f"credential {name}: generation {planned.old} → {planned.new}, class {planned.rotation}: {CLASSES[planned.rotation]}"
    )
    for what, names in (
        ("changes Secret", planned.secrets),
        ("changes a plain value of", planned.plain),
        ("restarts", planned.restarts),
        ("runs", planned.hooks),
    ):
        print(f"  {what}: {', '.join(names) or 'none'}")
    if planned.rotation is Rotation.INIT and not planned.hooks:
        print("  no hook reads it: the server would keep the old value while its callers take the new one")
    print(f"to rotate it, set in {shown(project.repo.spec)}:")
    print(_line(planned, is_toml=project.repo.spec.suffix == ".toml"))
    return 0


def _line(plan: RotationPlan, *, is_toml: bool) -> str:
    """Return what the spec has to say."""
    words = {json.dumps(name, ensure_ascii=False): number for name, number in plan.generations.items()}
    if is_toml:
        return "\n".join(("[generations]", *(f"{name} = {number}" for name, number in words.items())))
    return f"    generations={{{', '.join(f'{name}: {number}' for name, number in words.items())}}},"
