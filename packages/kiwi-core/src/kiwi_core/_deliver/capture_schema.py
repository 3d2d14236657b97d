"""Capture an Alembic history from a git repository, at every release tag, without a checkout and without a network."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._model.capture import SchemaCapture
from kiwi_core.errors import ExternalError, InputError, Problem, Where, raise_all

__all__ = ["capture_schema"]

# Seconds: reading a history of years takes one.
PATIENCE: Final = 300
DIGITS: Final = re.compile(r"(\d+)")


@attrs.frozen
class _Revision:
    """What one revision file says of itself."""

    name: str
    parents: tuple[str, ...]


def capture_schema(
    git_dir: Path, *, folder: str, image: str, tags: str, source: str, branch: str = "HEAD"
) -> SchemaCapture:
    """Capture an Alembic history; an image tag is the git tag of the same name.

    Each file's ``revision`` and ``down_revision`` are read from its assignments: it is never imported, and what its
    docstring says is not believed.

    Args:
        git_dir: a git repository, bare or with its ``.git`` folder.
        folder: the folder of revision files in it, e.g. ``backend/alembic/versions``.
        image: the repository of the image that carries them.
        tags: a regular expression; the tags that match it as a whole are read.
        source: where the repository was taken from, for the record.
        branch: what is read besides the tags: the newest revisions, not yet in any of them. Where an old tag and the
            newest one disagree on a revision's parents, the newest one is right.

    Raises:
        InputError: no tag matches, none has the folder, or files there are no sound history; all problems at once.
        ExternalError: git is not there, or fails.
    """
    try:
        wanted = re.compile(tags)
    except re.error as error:
        raise InputError(f"{tags!r} is no regular expression: {error}") from error
    listed = _git(git_dir, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags").decode().split()
    # Newest first: the newest word on a revision counts.
    names = [branch, *sorted(filter(wanted.fullmatch, listed), key=_natural, reverse=True)]
    if len(names) == 1:
        hint = "the repository has no tags" if not listed else f"there are {len(listed)}, such as {listed[-1]!r}"
        raise InputError(Problem(f"no tag matches {tags!r}", Where(str(git_dir)), hint))
    trees = _trees(git_dir, names, folder.strip("/"))
    if branch != "HEAD" and branch not in trees:
        raise InputError(Problem(f"there is no {branch!r} with the folder {folder!r}", Where(str(git_dir))))
    if not trees.keys() - {branch}:
        raise InputError(Problem(f"none of {len(names) - 1} tags has the folder {folder!r}", Where(str(git_dir))))
    histories = _histories(git_dir, trees, folder.strip("/"))
    parents: dict[str, tuple[str, ...]] = {}
    for history in histories.values():
        parents = {**history, **parents}
    revisions = _in_order(parents)
    raise_all(InputError, (Problem(text, Where(f"{git_dir}: {folder}")) for _, text in _circle(parents, revisions)))
    whole = {name: _closure(_heads(history), revisions) for name, history in histories.items() if name != branch}
    return SchemaCapture(
        image=image,
        source=source,
        revisions=revisions,
        tags={
            name: _heads(histories[name]) for name in sorted(whole, key=_natural) if whole[name] == {*histories[name]}
        },
    )


def _histories(
    git_dir: Path, trees: Mapping[str, Mapping[str, str]], folder: str
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return revisions with their parents, by tag; the same file is parsed once."""
    blobs = list(dict.fromkeys(blob for tree in trees.values() for blob in tree.values()))
    problems: list[Problem] = []
    parsed: dict[str, _Revision | str] = {
        blob: "it is not in this clone" if found is None else _parse(found[1])
        for blob, found in zip(blobs, _objects(git_dir, blobs, "blob"), strict=True)
    }
    histories: dict[str, dict[str, tuple[str, ...]]] = {}
    said: set[tuple[str, str]] = set()
    for tag, tree in trees.items():
        files: dict[str, str] = {}
        history = histories.setdefault(tag, {})
        for file, blob in tree.items():
            revision = parsed[blob]
            where = Where(f"{tag}:{folder}/{file}")
            if isinstance(revision, str):
                # The same file in a hundred tags is one problem.
                if (file, revision) not in said:
                    said.add((file, revision))
                    problems.append(Problem(revision, where))
            elif revision.name in history:
                problems.append(Problem(f"revision {revision.name!r} is that of {files[revision.name]} as well", where))
            else:
                files[revision.name] = file
                history[revision.name] = revision.parents
        problems += (
            Problem(f"parent {parent!r} is in no file", Where(f"{tag}:{folder}/{files[name]}"))
            for name, parents in history.items()
            for parent in parents
            if parent not in history and len(history) == len(tree)
        )
        if not problems:
            circle = _circle(history, _in_order(history))
            problems += (Problem(text, Where(f"{tag}:{folder}/{files[name]}")) for name, text in circle)
    raise_all(InputError, problems)
    return histories


def _parse(content: bytes) -> _Revision | str:
    """Read a revision file, or say what is wrong with it."""
    try:
        with warnings.catch_warnings():
            # Old escapes in somebody else's strings.
            warnings.simplefilter("ignore")
            statements = ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"this is not Python: {error}"
    found: dict[str, ast.expr] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found.update({target.id: value for target in targets if isinstance(target, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
            case _:
                pass
    match found.get("revision"):
        case ast.Constant(value=str(name)):
            pass
        case _:
            return "'revision' is not assigned a literal text"
    match found.get("down_revision"):
        case ast.Constant(value=None):
            return _Revision(name, ())
        case ast.Constant(value=str(parent)):
            return _Revision(name, (parent,))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            parents = tuple(
                item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
            if len(parents) == len(items):
                return _Revision(name, parents)
        case _:
            pass
    return "'down_revision' is not assigned None, a literal text or a literal tuple of them"


def _in_order(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return revisions with every parent before its children, otherwise by name; those in a circle are left out."""
    children: dict[str, list[str]] = {}
    missing = {name: len(set(above)) for name, above in parents.items()}
    for name in sorted(parents, reverse=True):
        for parent in set(parents[name]):
            children.setdefault(parent, []).append(name)
    ready = sorted((name for name, count in missing.items() if not count), reverse=True)
    ordered: dict[str, tuple[str, ...]] = {}
    while ready:
        name = ready.pop()
        ordered[name] = parents[name]
        for child in children.get(name, ()):
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return ordered


def _circle(parents: Mapping[str, tuple[str, ...]], ordered: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield a revision that is among its own ancestors, and how; nothing when there is none."""
    steps: list[str] = []
    name = min(parents.keys() - ordered.keys(), default=None)
    while name is not None and name not in steps:
        steps.append(name)
        name = min(set(parents[name]) - ordered.keys())
    if name is not None:
        yield name, f"revisions go round in a circle: {' -> '.join((*steps[steps.index(name) :], name))}"


def _heads(history: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(history.keys() - {parent for parents in history.values() for parent in parents}))


def _closure(heads: Iterable[str], revisions: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the heads and all that they build on."""
    found: set[str] = set()
    left = [*heads]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += revisions[name]
    return found


def _natural(tag: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort numbers in a tag as numbers: v1.10.0 comes after v1.9.0."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in DIGITS.split(tag))


def _trees(git_dir: Path, names: Sequence[str], folder: str) -> dict[str, dict[str, str]]:
    """Return the revision files of a folder with their blobs, by tag; a tag without the folder is left out."""
    found = _objects(git_dir, [f"{name}:{folder}" for name in names], "tree")
    return {name: dict(_entries(*tree)) for name, tree in zip(names, found, strict=True) if tree is not None}


def _entries(name: str, tree: bytes) -> Iterator[tuple[str, str]]:
    """Yield the Python files of a git tree: each entry is a mode, a name and a hash as long as the tree's own."""
    size = len(name) // 2
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, raw = tree[at:end].partition(b" ")
        file = raw.decode(errors="replace")
        at = end + 1 + size
        if mode.startswith(b"100") and file.endswith(".py") and not file.startswith("__"):
            yield file, tree[end + 1 : at].hex()


def _objects(git_dir: Path, names: Sequence[str], kind: str) -> Iterator[tuple[str, bytes] | None]:
    """Yield hashes and contents of objects of one kind, all from one git; None for one that is not there."""
    if any("\n" in name for name in names):
        raise InputError("a name in git has no line break")
    answer = _git(git_dir, "cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode())
    at = 0
    for _ in names:
        end = answer.index(b"\n", at)
        head = answer[at:end].decode(errors="replace").split(" ")
        at = end + 1
        if not head[-1].isdecimal():
            yield None
            continue
        content = answer[at : at + int(head[-1])]
        at += len(content) + 1
        yield (head[0], content) if head[1] == kind else None


def _git(git_dir: Path, *command: str, given: bytes = b"") -> bytes:
    folder = git_dir / ".git" if (git_dir / ".git").exists() else git_dir
    # A clone that lacks objects shall not fetch them.
    environment = {**os.environ, "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    call = ["git", "--no-replace-objects", f"--git-dir={folder}", *command]
    try:
        done = subprocess.run(call, input=given, capture_output=True, check=True, env=environment, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise ExternalError(Problem("git was not found", None, "install git")) from error
    except subprocess.TimeoutExpired as error:
        raise ExternalError(Problem(f"git did not answer in {PATIENCE} seconds", Where(str(git_dir)))) from error
    except subprocess.CalledProcessError as error:
        reason = bytes(error.stderr).decode(errors="replace").strip()
        raise ExternalError(Problem(f"git failed: {reason}", Where(str(git_dir)))) from error
    return done.stdout
