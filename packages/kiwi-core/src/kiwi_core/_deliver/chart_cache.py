"""What rendering keeps between runs: charts by the hash of their bytes, and what they gave for which values.

It stands in ``$KIWISTACK_CACHE``, else in ``$XDG_CACHE_HOME/kiwistack``, else in ``~/.cache/kiwistack``, for nobody else
to read. Whatever is in it can be had again: what is damaged is made anew, what cannot be kept is told once and not kept,
and removing the folder costs time only. No secret is ever written there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from kiwi_core._model.capture import Json
from kiwi_core.errors import ExternalError, Problem, Where

__all__ = ["Cache", "default_folder"]

FOLDER: Final = "KIWISTACK_CACHE"
VERSION: Final = "1"
"""The form of what is kept: it changes when an older reader would misread it."""

Shelf: TypeAlias = Literal["archives", "folders", "pins", "renders", "schemas", "programs"]
"""What kind of thing is kept."""


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the cache, as the environment says."""
    if named := environment.get(FOLDER):
        return Path(named)
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "kiwistack"


def _ignore(_: Problem) -> None:
    pass


@attrs.define(kw_only=True)
class Cache:
    """The cache.

    Attributes:
        folder: where it is.
        warn: is told, once, that something could not be kept.
    """

    folder: Path = attrs.field(factory=default_folder)
    warn: Callable[[Problem], None] = _ignore
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, eq=False, repr=False)
    _warned: bool = attrs.field(default=False, init=False)
    _spare: Path | None = attrs.field(default=None, init=False)

    def path(self, shelf: Shelf, name: str) -> Path:
        """Return where something is kept, or would be."""
        return self.folder / f"v{VERSION}" / shelf / name[:2] / name

    def json(self, shelf: Shelf, name: str) -> Json:
        """Return what is kept; None where nothing is, or it is damaged."""
        try:
            head, _, body = self.path(shelf, name).read_bytes().partition(b"\n")
            if head.decode() == hashlib.sha256(body).hexdigest():
                found: Json = json.loads(body)
                return found
        except (OSError, ValueError, RecursionError):
            pass
        return None

    def keep_json(self, shelf: Shelf, name: str, content: Json) -> None:
        """Keep what JSON can hold, with the hash of its bytes before it."""
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        self._write(self.path(shelf, name), hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    def archive(self, digest: str) -> Path | None:
        """Return the file of a packed chart; None where it is not kept, or no longer what its name says.

        Args:
            digest: the SHA-256 of its bytes, in hexadecimal digits.
        """
        path = self.path("archives", f"{digest}.tgz")
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                return path
        except OSError:
            return None
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def keep_archive(self, data: bytes) -> Path:
        """Keep a packed chart; return where it is for as long as this object lives.

        Raises:
            ExternalError: there is no room for it anywhere.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path("archives", f"{digest}.tgz")
        return path if self._write(path, data) else self._aside({f"{digest}.tgz": data}) / f"{digest}.tgz"

    def keep_folder(self, digest: str, files: Mapping[str, bytes]) -> Path:
        """Keep an unpacked chart; return where it is for as long as this object lives.

        Args:
            digest: the hash of all its files, in hexadecimal digits.
            files: path in the chart to content.

        Raises:
            ExternalError: there is no room for it anywhere.
        """
        path = self.path("folders", digest)
        with self._lock:
            if _holds(path, files):
                return path
            try:
                self._make(path.parent)
                made = Path(tempfile.mkdtemp(dir=path.parent, prefix="."))
                try:
                    _lay(made, files)
                    # What another process has put there meanwhile is the same, and may be in use.
                    if not _holds(path, files):
                        shutil.rmtree(path, ignore_errors=True)
                        made.rename(path)
                finally:
                    shutil.rmtree(made, ignore_errors=True)
            except OSError as error:
                if not _holds(path, files):
                    self._tell(error, path)
                    return self._aside({f"{digest}/{name}": data for name, data in files.items()}) / digest
        return path

    def _write(self, path: Path, data: bytes) -> bool:
        """Write a file whole or not at all; say whether it is there."""
        made = None
        try:
            self._make(path.parent)
            descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=".")
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(made).replace(path)
        except OSError as error:
            if made:
                with contextlib.suppress(OSError):
                    Path(made).unlink()
            self._tell(error, path)
            return False
        return True

    def _make(self, folder: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(parents=True, exist_ok=True)

    def _tell(self, error: OSError, path: Path) -> None:
        with self._lock:
            is_first, self._warned = not self._warned, True
        if is_first:
            reason = error.strerror or str(error)
            hint = f"{FOLDER} names another folder; without one, every run renders everything"
            self.warn(Problem(f"nothing can be kept: {reason}", Where(str(path.parent)), hint))

    def _aside(self, files: Mapping[str, bytes]) -> Path:
        """Put files where they stay until this object goes."""
        try:
            with self._lock:
                if self._spare is None:
                    self._spare = Path(tempfile.mkdtemp(prefix="kiwistack-charts-"))
                    weakref.finalize(self, shutil.rmtree, self._spare, ignore_errors=True)
            _lay(self._spare, files)
        except OSError as error:
            where = Where(str(error.filename or tempfile.gettempdir()))
            message = f"there is no room for a chart: {error.strerror}"
            raise ExternalError(Problem(message, where, "TMPDIR names another folder for temporary files")) from None
        return self._spare


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Say whether a folder holds these files and no others."""
    try:
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        return there == set(files) and all((folder / name).read_bytes() == data for name, data in files.items())
    except OSError:
        return False
