"""Write a tree to a folder: only what changed, all or nothing, and nothing that is not ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

import attrs

from kiwi_core._emit.tree import MANIFEST, Tree, is_path
from kiwi_core.errors import OutputError, Problem, Where, raise_all

__all__ = ["Written", "replace_files", "write_tree"]


@attrs.frozen(kw_only=True)
class Written:
    """What writing a tree did.

    Attributes:
        written, removed: paths of the files that changed, or that left the build.
        unchanged: how many files were already as they should be.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


def write_tree(folder: Path, tree: Tree, *, force: bool = False) -> Written:
    """Make a folder hold a tree.

    A file is ours when the folder's manifest lists it. Ours, and no longer in the tree: it is removed. Ours, and
    changed by hand, or not ours and in the way: it is reported and nothing is written, unless forced. No link in the
    folder is followed or replaced, forced or not: it may lead anywhere.

    Raises:
        OutputError: files are in the way, or the folder cannot be written; then it is as it was before.
    """
    try:
        ours = _manifest(folder, force=force)
        raise_all(OutputError, _links(folder, [*tree, *ours]))
        changed = [path for path, content in tree.items() if _digest(folder / path) != _hash(content)]
        gone = sorted(path for path in ours if path not in tree and _digest(folder / path) is not None)
        if not force:
            raise_all(OutputError, _in_the_way(folder, ours, [*changed, *gone]))
        # The manifest goes last: until then, the old one tells what is ours.
        order = sorted((*changed, *gone), key=lambda path: (path == MANIFEST, path))
        _replace({folder / path: tree.get(path) for path in order})
        _remove_empty(folder, gone)
    except OSError as error:
        place = str(error.filename or folder)
        raise OutputError(
            Problem(f"cannot write: {error.strerror or error}", Where(place), "nothing of this build was left there")
        ) from error
    return Written(written=tuple(sorted(changed)), removed=tuple(gone), unchanged=len(tree) - len(changed))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(path: Path) -> str | None:
    try:
        return _hash(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _manifest(folder: Path, *, force: bool) -> Mapping[str, str]:
    """Return the files that an earlier build wrote there, with their digests."""
    path = folder / MANIFEST
    try:
        manifest: object = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, RecursionError):
        manifest = None
    files = cast("dict[str, object]", manifest).get("files") if isinstance(manifest, dict) else None
    if isinstance(files, dict):
        entries = cast("dict[object, object]", files)
        if all(isinstance(name, str) and is_path(name) for name in entries):
            return {str(name): str(digest) for name, digest in entries.items()}
    if force:
        return {}
    raise OutputError(Problem("this is no manifest of a build", Where(str(path)), "remove it, or build with --force"))


def _links(folder: Path, paths: Iterable[str]) -> Iterator[Problem]:
    places = {folder / part for path in paths for part in (path, *map(str, PurePosixPath(path).parents[:-1]))}
    for place in sorted(places):
        if place.is_symlink():
            yield Problem("this is a link, and a build writes through none", Where(str(place)), "remove it")


def _in_the_way(folder: Path, ours: Mapping[str, str], paths: list[str]) -> Iterator[Problem]:
    hint = "keep your change in an overlay or in the spec; --force overwrites it"
    for path in sorted(paths):
        digest = _digest(folder / path)
        if digest is None or path == MANIFEST:
            continue
        if path not in ours:
            yield Problem("this file was not written by a build", Where(str(folder / path)), "move it away, or --force")
        elif digest != ours[path]:
            yield Problem("this file was written by a build and changed by hand since", Where(str(folder / path)), hint)


def replace_files(files: Mapping[Path, bytes]) -> None:
    """Write files, all or none of them.

    Raises:
        OutputError: one cannot be written.
    """
    try:
        _replace(files)
    except OSError as error:
        place = str(error.filename or next(iter(files)))
        raise OutputError(Problem(f"cannot write: {error.strerror or error}", Where(place))) from error


def _replace(files: Mapping[Path, bytes | None]) -> None:
    """Replace files in order, and remove those without content; when one cannot be, all are as they were.

    Everything is written beside its place first, with a copy of what it replaces: what is short of room fails there.
    """
    made = [parent for path in files for parent in _missing_parents(path)]
    temporary: list[Path] = []
    moves: list[tuple[Path, Path | None, Path | None]] = []
    done: list[tuple[Path, Path | None]] = []
    try:
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            old = _beside(target, temporary) if target.exists() else None
            if old:
                shutil.copy2(target, old)
            new = _beside(target, temporary, content) if content is not None else None
            moves.append((target, old, new))
        for target, old, new in moves:
            done.append((target, old))
            if new:
                new.replace(target)
            else:
                target.unlink()
    except BaseException:
        for target, old in reversed(done):
            if old:
                old.replace(target)
            else:
                target.unlink(missing_ok=True)
        _clear(temporary)
        for parent in reversed(list(dict.fromkeys(made))):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise
    _clear(temporary)


def _beside(target: Path, temporary: list[Path], content: bytes = b"") -> Path:
    """Write a temporary file in the folder of another one, and add it to those that are cleared away."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    path = Path(name)
    temporary.append(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    path.chmod(0o644)
    return path


def _clear(temporary: Iterable[Path]) -> None:
    for path in temporary:
        path.unlink(missing_ok=True)


def _missing_parents(path: Path) -> list[Path]:
    """Return the folders above a path that are not there, outermost first."""
    missing: list[Path] = []
    for parent in path.parents:
        if parent.exists():
            break
        missing.insert(0, parent)
    return missing


def _remove_empty(folder: Path, gone: Iterable[str]) -> None:
    """Remove the folders that removed files leave empty."""
    for path in gone:
        for parent in PurePosixPath(path).parents[:-1]:
            with contextlib.suppress(OSError):
                (folder / parent).rmdir()
