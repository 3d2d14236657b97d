"""Capture an Alembic history from a git repository, at every release tag, without a checkout and without a network."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from kiwi_core._model.alembic_files import Revision, is_revision_file, parse_revision, revisions_of
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.revisions import circle_of, closure, heads_of, in_order
from kiwi_core._model.versions import natural
from kiwi_core.errors import ExternalError, InputError, Problem, Where, raise_all

__all__ = ["capture_schema"]

# Seconds: reading a history of years takes one.
PATIENCE: Final = 300


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
    names = [branch, *sorted(filter(wanted.fullmatch, listed), key=natural, reverse=True)]
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
    if circle := circle_of(parents):
        text = f"revisions go round in a circle: {' -> '.join(circle)}"
        raise InputError(Problem(text, Where(f"{git_dir}: {folder}")))
    revisions = in_order(parents)
    whole = {name: closure(heads_of(history), revisions) for name, history in histories.items() if name != branch}
    return SchemaCapture(
        image=image,
        source=source,
        revisions=revisions,
        tags={
            name: heads_of(histories[name]) for name in sorted(whole, key=natural) if whole[name] == {*histories[name]}
        },
    )


def _histories(
    git_dir: Path, trees: Mapping[str, Mapping[str, str]], folder: str
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return revisions with their parents, by tag; the same file is parsed once."""
    blobs = list(dict.fromkeys(blob for tree in trees.values() for blob in tree.values()))
    parsed: dict[str, Revision | str] = {
        blob: "it is not in this clone" if found is None else parse_revision(found[1])
        for blob, found in zip(blobs, _objects(git_dir, blobs, "blob"), strict=True)
    }
    histories: dict[str, Mapping[str, tuple[str, ...]]] = {}
    problems: dict[tuple[str, str], Problem] = {}
    for tag, tree in trees.items():
        place = f"{tag}:{folder}"
        histories[tag], wrong = revisions_of({file: parsed[blob] for file, blob in tree.items()}, place)
        for problem in wrong:
            # The same file in a hundred tags is one problem.
            problems.setdefault((str(problem.where).removeprefix(place), problem.message), problem)
    raise_all(InputError, problems.values())
    return histories


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
        if mode.startswith(b"100") and is_revision_file(file):
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
