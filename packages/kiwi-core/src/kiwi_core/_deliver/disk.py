"""Write a tree to a folder: only what changed, all or nothing, and nothing that is not ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

import attrs

from kiwi_core._emit.tree import MANIFEST, Tree
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
    changed by hand, or not ours and in the way: it is reported and nothing is written, unless forced.

    Raises:
        OutputError: files are in the way, or the folder cannot be written; then it is as it was before.
    """
    try:
        ours = _manifest(folder, force=force)
        changed = {path: content for path, content in tree.items() if _digest(folder / path) != _hash(content)}
        gone = [path for path in ours if path not in tree and _digest(folder / path) is not None]
        if not force:
            raise_all(OutputError, _in_the_way(folder, ours, [*changed, *gone]))
        _replace({folder / path: changed[path] for path in sorted(changed, key=lambda path: (path == MANIFEST, path))})
        for path in gone:
            _remove(folder, path)
    except OSError as error:
        place = str(error.filename or folder)
        raise OutputError(
            Problem(f"cannot write: {error.strerror or error}", Where(place), "nothing of this build was left there")
        ) from error
    return Written(written=tuple(sorted(changed)), removed=tuple(sorted(gone)), unchanged=len(tree) - len(changed))


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
    except ValueError:
        manifest = None
    files = cast("object", manifest.get("files")) if isinstance(manifest, dict) else None
    if isinstance(files, dict):
        entries = cast("dict[object, object]", files)
        if all(isinstance(name, str) and _is_inside(name) for name in entries):
            return {str(name): str(digest) for name, digest in entries.items()}
    if force:
        return {}
    raise OutputError(Problem("this is no manifest of a build", Where(str(path)), "remove it, or build with --force"))


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name != MANIFEST


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


def _replace(files: Mapping[Path, bytes]) -> None:
    """Write all files beside their places first, and move them in, in order, only when every one is there."""
    made = [parent for path in files for parent in _missing_parents(path)]
    staged: list[tuple[str, Path]] = []
    try:
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            staged.append((name, target))
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
        while staged:
            name, target = staged[0]
            Path(name).replace(target)
            staged.pop(0)
    except BaseException:
        for name, _ in staged:
            Path(name).unlink(missing_ok=True)
        for parent in reversed(list(dict.fromkeys(made))):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _missing_parents(path: Path) -> list[Path]:
    """Return the folders above a path that are not there, outermost first."""
    missing: list[Path] = []
    for parent in path.parents:
        if parent.exists():
            break
        missing.insert(0, parent)
    return missing


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that it leaves empty."""
    (folder / path).unlink()
    for parent in list((folder / path).parents)[: len(PurePosixPath(path).parents) - 1]:
        with contextlib.suppress(OSError):
            parent.rmdir()
