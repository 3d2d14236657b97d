"""Alembic's revision files, read and never run.

What a file says of itself is taken from its assignments: it is never imported, and its docstring is not believed (20
of Onyx's tell of other revisions). Only the standard library is needed, and :mod:`kiwi_core.errors`, so that the check
inside a container reads the same as a capture does.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Final

import attrs

from kiwi_core._model.revisions import circle_of, in_order
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["MAX_FILE", "Revision", "is_revision_file", "parse_revision", "read_revisions", "revisions_of"]

MAX_FILE: Final = 1 << 20
"""How many bytes a revision file may have. Onyx's largest has 45 kB."""


@attrs.frozen
class Revision:
    """What one revision file says of itself.

    Attributes:
        name: its identifier.
        parents: the revisions that it builds on: none for the first one, several for a merge.
    """

    name: str
    parents: tuple[str, ...]


def is_revision_file(name: str) -> bool:
    """Say whether a file of a folder of revisions holds one, by its name, as Alembic does (``script/base.py``)."""
    return name.endswith(".py") and not name.startswith(("__", ".#"))


def parse_revision(content: bytes) -> Revision | str:
    """Read a revision file, or say what is wrong with it."""
    if len(content) > MAX_FILE:
        return f"it has {len(content)} bytes; a revision has at most {MAX_FILE}"
    try:
        with warnings.catch_warnings():
            # Old escapes in somebody else's strings.
            warnings.simplefilter("ignore")
            assigned = _assigned(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"this is not Python: {error}"
    name, parents = _literal(assigned.get("revision")), assigned.get("down_revision")
    if name is None:
        return "'revision' is not assigned a literal text"
    items = parents.elts if isinstance(parents, ast.Tuple | ast.List) else [parents]
    texts = [text for item in items if (text := _literal(item)) is not None]
    if len(texts) == len(items):
        return Revision(name, tuple(texts))
    if isinstance(parents, ast.Constant) and parents.value is None:
        return Revision(name, ())
    return "'down_revision' is not assigned None, a literal text or a literal tuple of them"


def _assigned(module: ast.Module) -> Mapping[str, ast.expr]:
    """Return what a module assigns to names, the last word on each."""
    found: dict[str, ast.expr] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found.update({target.id: value for target in targets if isinstance(target, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
            case _:
                pass
    return found


def _literal(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def read_revisions(files: Mapping[str, bytes], folder: str) -> Mapping[str, tuple[str, ...]]:
    """Read a folder of revision files.

    Args:
        files: content by name; those that hold no revision, by their names, are passed over.
        folder: what to call the folder in a message.

    Returns:
        Each revision with its parents, parents first.

    Raises:
        InputError: there are none, or they are no sound history; all problems at once.
    """
    parsed = {name: parse_revision(files[name]) for name in sorted(files) if is_revision_file(name)}
    if not parsed:
        raise InputError(Problem("there is no revision file here", Where(folder)))
    revisions, problems = revisions_of(parsed, folder)
    raise_all(InputError, problems)
    return in_order(revisions)


def revisions_of(
    parsed: Mapping[str, Revision | str], folder: str
) -> tuple[Mapping[str, tuple[str, ...]], tuple[Problem, ...]]:
    """Put the files of one folder together, parsed: return each revision with its parents, and all that is wrong."""
    problems: list[Problem] = []
    files: dict[str, str] = {}
    revisions: dict[str, tuple[str, ...]] = {}
    for file, revision in parsed.items():
        where = Where(f"{folder}/{file}")
        if isinstance(revision, str):
            problems.append(Problem(revision, where))
        elif revision.name in revisions:
            problems.append(Problem(f"revision {revision.name!r} is that of {files[revision.name]} as well", where))
        else:
            files[revision.name] = file
            revisions[revision.name] = revision.parents
    if not problems:
        # A file that could not be read may be the parent that another one misses.
        problems += (
            Problem(f"parent {parent!r} is in no file", Where(f"{folder}/{files[name]}"))
            for name, parents in revisions.items()
            for parent in parents
            if parent not in revisions
        )
    if not problems and (circle := circle_of(revisions)):
        where = Where(f"{folder}/{files[circle[0]]}")
        problems.append(Problem(f"revisions go round in a circle: {' -> '.join(circle)}", where))
    return revisions, tuple(problems)
