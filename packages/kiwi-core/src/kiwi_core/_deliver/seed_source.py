"""Take the seed from where it is given: the environment, a file descriptor, a private file, or one that age encrypted.

Never from a command's arguments, which every user of the machine can see; and there is no default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._deliver import age, private_files
from kiwi_core._derive.password import CredentialError, Seed, text_problems
from kiwi_core._derive.seeds import seed_problems
from kiwi_core._derive.taint import Tainted
from kiwi_core._emit.writing import SEED
from kiwi_core._spec.document import read_bytes
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["SeedSource", "read_seed"]

_WHAT: Final = "the seed"


@attrs.frozen(kw_only=True)
class SeedSource:
    """Where the seed is; the environment, unless one of the others is given.

    Attributes:
        variable: the environment variable.
        fd: a file descriptor that is open for reading.
        file: a file that only its owner can read.
        age: a file that age encrypted.
        identities: the identity files for it.
    """

    variable: str = SEED
    fd: int | None = None
    file: Path | None = None
    age: Path | None = None
    identities: tuple[Path, ...] = attrs.field(default=(), converter=tuple[Path, ...])


def read_seed(source: SeedSource, environment: Mapping[str, str]) -> Seed:
    """Read the seed; whether it is a strong one is not asked here (see ``seed_problems``).

    Args:
        source: where it is.
        environment: as of ``os.environ``; a variable that is empty counts as one that is not set.

    Raises:
        InputError: none or two are given, it cannot be read, it is empty, or it has a line end or blanks around it.
        ExternalError: pyrage, which an age file needs, is not installed.
    """
    given = _given(source, environment)
    del environment  # from what a traceback shows
    hint = (
        f"give it in {source.variable}, or with --seed-fd N, --seed-file FILE, or --seed-age FILE and --identity FILE"
    )
    if not given:
        raise CredentialError(Problem(f"there is no seed: {source.variable} is not set or empty", hint=hint))
    if len(given) > 1:
        names = " and ".join(str(where) for where, _ in given)
        raise CredentialError(Problem(f"the seed is given {len(given)} times, in {names}", hint="give it once"))
    [(where, read)] = given
    text = read()
    problems = [attrs.evolve(problem, hint=problem.hint or hint) for problem in text_problems(_WHAT, text.reveal())]
    problems = problems or list(seed_problems(Seed(text.reveal()), weak_is_fine=True))
    raise_all(CredentialError, (attrs.evolve(problem, where=where) for problem in problems))
    return Seed(text.reveal())


def _given(source: SeedSource, environment: Mapping[str, str]) -> list[tuple[Where, Callable[[], Tainted]]]:
    """Return the places where a seed is given, and what reads it there."""
    given: list[tuple[Where, Callable[[], Tainted]]] = []
    if environment.get(source.variable):
        text = Tainted(environment[source.variable], _WHAT)
        given.append((Where(f"{source.variable} in the environment"), lambda: text))
    if (fd := source.fd) is not None:
        where = Where(f"file descriptor {fd}")
        given.append((where, lambda: private_files.read_descriptor(fd, _WHAT, where)))
    if (file := source.file) is not None:
        given.append((Where(str(file)), lambda: private_files.read_private_file(file, _WHAT)))
    if (encrypted := source.age) is not None:
        given.append((Where(str(encrypted)), lambda: _decrypt(encrypted, source.identities)))
    return given


def _decrypt(file: Path, identities: tuple[Path, ...]) -> Tainted:
    return age.decrypt(read_bytes(file, error=InputError), identities, str(file))
