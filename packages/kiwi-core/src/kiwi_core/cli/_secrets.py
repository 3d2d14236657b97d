"""``kiwistack secrets``: seeds, and the fingerprints of what is derived from them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.cli._seed import check_deployed, check_seed, is_at_hand, take_seed, write_secret
from kiwi_core.errors import InputError, Problem, Where

if TYPE_CHECKING:
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._derive.lock import Changes, Lock
    from kiwi_core._derive.password import Seed

__all__ = ["diff", "fingerprint", "new_seed", "verify"]


def new_seed(*, customer: str | None, source: SeedSource) -> int:
    """Print a new seed, or the one of a customer, derived from the platform's."""
    from kiwi_core._derive import seeds

    if customer is None:
        if any(option is not None for option in (source.fd, source.file, source.age)):
            message = "a seed is given, and a new one has nothing to do with it"
            raise InputError(Problem(message, hint="--customer SLUG derives a customer's from it"))
        write_secret(seeds.new_seed())
        return 0
    from kiwi_core.errors import raise_all

    platform = take_seed(source, os.environ)
    raise_all(InputError, seeds.seed_problems(platform, weak_is_fine=False))
    write_secret(seeds.customer_seed(platform, _slug(customer)))
    return 0


def _slug(name: str) -> str:
    from kiwi_core._model.cluster import Customer

    try:
        return Customer(slug=name, domain="any.example").slug
    except ValueError as error:
        raise InputError(Problem(str(error))) from None


def fingerprint(*, path: Path, lane: str | None, other_seed: bool, as_json: bool, source: SeedSource) -> int:
    """Write ``secrets.lock``; with ``other_seed`` even where it is of another seed."""
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._derive.lock import dump_lock

    seed = take_seed(source, os.environ)
    project = engine.load(path, Lane(lane) if lane else None)
    old, new = project.stack.inputs.lock, _derive(seed, project)
    if not other_seed:
        check_deployed(new.seed, project)
    if old != new:
        replace_files({project.repo.lock: dump_lock(new)})
    changes = _compare(old, new)
    if as_json:
        print(json.dumps(_report(changes), indent=1))
        return 0
    _print_changes(changes, is_first=old is None)
    print(f"{shown(project.repo.lock)}: {_count(new.credentials)}, {'unchanged' if old == new else 'written'}")
    return 0


def verify(*, path: Path, lane: str | None, as_json: bool, source: SeedSource) -> int:
    """Prove that the seed at hand gives what ``secrets.lock`` says."""
    seed = take_seed(source, os.environ)
    project = engine.load(path, Lane(lane) if lane else None)
    old = project.stack.inputs.lock
    if old is None:
        where = Where(shown(project.repo.lock))
        hint = f"kiwistack secrets fingerprint {shown(project.repo.root)} writes it, from the seed that was deployed"
        raise InputError(Problem("there is no such file, so nothing says what was deployed", where, hint))
    changes = _compare(old, _derive(seed, project))
    if as_json:
        print(json.dumps(_report(changes), indent=1))
        return 1 if changes else 0
    if changes.is_other_seed:
        print(f"this is not the seed that was deployed: {shown(project.repo.lock)} is of another one")
    _print_changes(changes)
    if not changes:
        print(f"the seed gives what {shown(project.repo.lock)} says: {_count(old.credentials)}")
    return 1 if changes else 0


def diff(*, path: Path, lane: str | None, as_json: bool, source: SeedSource) -> int:
    """Name what the next deploy would change: by names and generations, and by the values where there is a seed."""
    from kiwi_core._derive.lock import compare_names, names_of

    seed = take_seed(source, os.environ) if is_at_hand(source) else None
    project = engine.load(path, Lane(lane) if lane else None)
    old = project.stack.inputs.lock
    named = names_of(project.stack.credentials)
    if seed is None:
        known = {name: entry.generation for name, entry in old.credentials.items()} if old else {}
        changes = compare_names(known, {name: late.generation for name, late in named.items()})
    else:
        changes = _compare(old, _derive(seed, project))
    if as_json:
        print(json.dumps({"by_value": seed is not None, **_report(changes)}, indent=1))
        return 0
    if changes.is_other_seed:
        print(f"this is not the seed that was deployed: with it, all {_count(named)} would change")
    _print_changes(changes, is_first=old is None)
    how = "names, generations and values" if seed else "names and generations (values: with the seed)"
    print(f"{_count(named)}, compared with {shown(project.repo.lock)} by {how}" if old else "nothing was deployed yet")
    return 0


def _derive(seed: Seed, project: engine.Project) -> Lock:
    """Derive all credentials of a stack with a seed that is fit for it.

    Raises:
        InputError: it is not.
    """
    from kiwi_core._derive.lock import lock_of

    credentials = project.stack.credentials
    scopes = len({late.scope for late in credentials})
    print(f"deriving {_count(credentials)} of {scopes} scopes …", file=sys.stderr)
    lock = lock_of(seed, credentials)
    check_seed(seed, lock.seed, project)
    return lock


def _compare(old: Lock | None, new: Lock) -> Changes:
    from kiwi_core._derive.lock import Changes, compare

    return compare(old, new) if old else Changes(added=tuple(new.credentials))


def _print_changes(changes: Changes, *, is_first: bool = False) -> None:
    """Print a line for each change; where all are of one kind by their nature, how many there are."""
    for what, names in _kinds(changes).items():
        if (what == "new" and is_first) or (what == "another value" and changes.is_other_seed):
            print(f"{what}: {_count(names)}")
        else:
            for name in names:
                print(f"{what}: {name if name.isprintable() else repr(name)}")


def _kinds(changes: Changes) -> Mapping[str, Sequence[str]]:
    kinds: dict[str, Sequence[str]] = {
        "new": changes.added,
        "gone": changes.removed,
        "another form": [f"{old} → {new}" for old, new in changes.reformed],
        "another generation": [f"{name}: {old} → {new}" for name, (old, new) in changes.rotated.items()],
        "another value": changes.changed,
    }
    return {what: names for what, names in kinds.items() if names}


def _report(changes: Changes) -> Mapping[str, object]:
    import attrs

    return {"same": not changes, **attrs.asdict(changes)}


def _count(names: Collection[object]) -> str:
    return f"{len(names)} credential{'' if len(names) == 1 else 's'}"
