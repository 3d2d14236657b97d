"""The seed at hand: read from where the options say, and held to be the one of this repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core._emit.writing import IDENTITY, SEED
from kiwi_core._model.lane import Lane
from kiwi_core._spec.repo import shown
from kiwi_core.errors import InputError, Problem, Where, did_you_mean, raise_all

if TYPE_CHECKING:
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._derive.password import Seed
    from kiwi_core._derive.taint import Tainted
    from kiwi_core._engine import Project
    from kiwi_core._spec.repo import Repo

__all__ = [
    "check_deployed",
    "check_seed",
    "deployed_seed",
    "identities_of",
    "is_at_hand",
    "open_external",
    "open_externals",
    "take_seed",
    "write_secret",
]


def is_at_hand(source: SeedSource) -> bool:
    """Say whether a seed is given: in the environment, or by an option."""
    return bool(os.environ.get(SEED)) or any(option is not None for option in (source.fd, source.file, source.age))


def take_seed(source: SeedSource, environment: MutableMapping[str, str]) -> Seed:
    """Read the seed, and take it out of the environment: no process that is started from here on inherits it.

    Raises:
        InputError: there is none, there are two, or it is no seed.
    """
    from kiwi_core._deliver.seed_source import read_seed

    try:
        return read_seed(attrs.evolve(source, identities=identities_of(source.identities)), environment)
    finally:
        environment.pop(SEED, None)


def deployed_seed(project: Project, source: SeedSource, environment: MutableMapping[str, str]) -> Seed:
    """Read the seed for a deploy, and hold it to be the one of the repository, so far as ``secrets.lock`` tells.

    Raises:
        InputError: there is none, or it is not fit, or another one.
    """
    from kiwi_core._derive.seeds import mark_of

    seed = take_seed(source, environment)
    mark = mark_of(seed)
    check_seed(seed, mark, project)
    check_deployed(mark, project)
    return seed


def check_seed(seed: Seed, mark: str, project: Project) -> None:
    """Refuse a seed that is too weak for a stack, or the platform's where a customer's own belongs.

    Args:
        seed: the seed at hand.
        mark: its mark.
        project: the repository that it is used for.

    Raises:
        InputError: it is so, or the lock of the cluster is none.
    """
    from kiwi_core._derive.lock import load_lock
    from kiwi_core._derive.seeds import seed_problems
    from kiwi_core._model.tenant import Tenant

    target = project.stack.target
    raise_all(InputError, seed_problems(seed, weak_is_fine=target.weak_seed and project.stack.lane is Lane.DEV))
    platform = project.cluster_repo.lock if project.cluster_repo else None
    if not isinstance(target, Tenant) or platform is None or not platform.is_file():
        return
    if load_lock(platform.read_bytes(), file=shown(platform)).seed == mark:
        message = (
            f"this is the platform's seed, that of {shown(platform)}: a customer has one of its own, "
            "since upstream's charts hand it on"
        )
        hint = f"kiwistack secrets new-seed --customer {target.slug} derives the customer's from it"
        raise InputError(Problem(message, hint=hint))


def check_deployed(mark: str, project: Project) -> None:
    """Refuse a seed that is not the one of ``secrets.lock``.

    Raises:
        InputError: it is another one.
    """
    lock = project.stack.inputs.lock
    if lock and lock.seed != mark:
        where = Where(shown(project.repo.lock))
        hint = "with this one every credential would be another; is it another customer's?"
        raise InputError(Problem("this is not the seed that was deployed", where, hint))


def identities_of(identities: Sequence[Path]) -> tuple[Path, ...]:
    """Return age's identity files: those of the options, or else the one that the environment names."""
    named = os.environ.get(IDENTITY)
    return tuple(identities) or ((Path(named),) if named else ())


def open_externals(project: Project, identities: Sequence[Path]) -> Mapping[str, Tainted]:
    """Decrypt the externals of a stack: name to value.

    Raises:
        InputError: one is missing or cannot be decrypted; all problems at once, with the recipients.
    """
    opened: dict[str, Tainted] = {}
    problems: list[Problem] = []
    for external in project.stack.externals:
        try:
            opened[external.name] = open_external(project.repo, external.name, identities)
        except InputError as error:
            problems += error.problems
    raise_all(InputError, problems)
    return opened


def open_external(repo: Repo, name: str, identities: Sequence[Path]) -> Tainted:
    """Decrypt one external of a repository.

    Raises:
        InputError: there is no such file, no identity is given, or it cannot be decrypted.
    """
    from kiwi_core._deliver.age import decrypt
    from kiwi_core._spec.document import read_bytes

    file = repo.secrets / f"{name}.age"
    recipients = repo.settings.secrets.recipients
    if not file.is_file():
        known = [found.stem for found in repo.secrets.glob("*.age")]
        to = f"; kiwistack secrets seal {name} makes it, for {', '.join(recipients) or 'the recipients in kiwi.toml'}"
        hint = did_you_mean(name, known, otherwise="there are") + to
        raise InputError(Problem("there is no such file", Where(shown(file)), hint))
    keys = identities_of(identities)
    data = read_bytes(file, name=shown(file), error=InputError)
    return decrypt(data, keys, shown(file), recipients=recipients)


def write_secret(secret: Tainted) -> None:
    """Write a secret to stdout; the line ends only where somebody reads it."""
    sys.stdout.write(secret.reveal() + ("\n" if sys.stdout.isatty() else ""))
