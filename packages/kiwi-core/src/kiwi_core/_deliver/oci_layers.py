"""The files of an image that are looked at, out of its layers: the upper ones change and take away what lies below.

Nothing is unpacked to disk, and no link is followed: a file that can be read only through one is told as such.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from kiwi_core._deliver.oci_tar import DamagedError, Entry, Meter, entries, unpack

__all__ = ["Found", "ImageFiles", "NotRead", "Wanted"]

WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
INTERNAL: Final = ".wh..wh."
"""What AUFS kept for itself, and some old images still have."""


@attrs.frozen
class NotRead:
    """A file that an image has, and why it is not read."""

    why: str


Found: TypeAlias = bytes | NotRead
"""A file's content, or why it is not read."""


@attrs.frozen(kw_only=True)
class Wanted:
    """Which files of an image are looked at.

    Attributes:
        folder: the folder whose files are wanted, without ``/`` at either end; None for files anywhere.
        name: says of a file's name whether it is wanted.
        content: says whether a content is worth keeping; of one that is not, only the name is kept.
        largest: how many bytes a file may have.
    """

    folder: str | None
    name: Callable[[str], bool]
    content: Callable[[bytes], bool] = lambda _: True
    largest: int

    def path(self, path: str) -> bool:
        """Say whether a file is wanted."""
        folder, _, name = path.rpartition("/")
        return self.folder in {None, folder} and self.name(name)

    def leads(self, path: str) -> bool:
        """Say whether a path leads to the folder."""
        return self.folder is not None and f"{self.folder}/".startswith(f"{path}/")


class _Tree:
    """Files by path, of which those below a folder are quickly taken away."""

    def __init__(self, files: Mapping[str, Found]) -> None:
        self.files: dict[str, Found] = {}
        self._folders: Counter[str] = Counter()
        self.add(files)

    def add(self, files: Mapping[str, Found]) -> None:
        for path, found in files.items():
            self.drop(path)
            self.files[path] = found
            self._folders.update(_above(path))

    def drop(self, path: str) -> None:
        if self.files.pop(path, None) is not None:
            self._folders.subtract(_above(path))

    def drop_below(self, folder: str) -> None:
        if self._folders[folder] > 0:
            for path in [path for path in self.files if path.startswith(f"{folder}/" if folder else "")]:
                self.drop(path)


class ImageFiles:
    """The wanted files of an image, as far as its layers were put on each other.

    Attributes:
        wanted: which they are.
        files: each wanted file by its path, and each link on the way to the wanted folder.
        meter: how much may still be read.
    """

    def __init__(self, wanted: Wanted, files: Mapping[str, Found] | None = None, meter: Meter | None = None) -> None:
        self.wanted = wanted
        self.files: Mapping[str, Found] = files or {}
        self.meter = meter or Meter()

    def with_layer(self, pieces: Iterator[bytes], *, is_packed: bool) -> ImageFiles:
        """Return the files with one more layer on top; all of it is read.

        Args:
            pieces: the layer's bytes.
            is_packed: whether they are packed with gzip.

        Raises:
            DamagedError: the layer is damaged, or has an entry that leads out of the image.
            TooMuchError: it has more than the meter allows.
        """
        meter = attrs.evolve(self.meter)
        lower, own = _Tree(self.files), _Tree({})
        content = unpack(pieces, meter) if is_packed else _counted(pieces, meter)
        for entry, data in entries(content, meter, self._reads):
            _check(entry)
            folder, _, name = entry.path.rpartition("/")
            if name == OPAQUE:
                lower.drop_below(folder)
            elif name.startswith(INTERNAL):
                pass
            elif name.startswith(WHITEOUT):
                # It takes away what lies below, wherever it stands in its layer.
                gone = f"{folder}/{_gone(entry, name)}".removeprefix("/")
                lower.drop(gone)
                lower.drop_below(gone)
            else:
                found = self._look(entry, data, ChainMap(own.files, lower.files))
                for tree in (lower, own):
                    tree.drop(entry.path)
                    if entry.kind != "folder":
                        tree.drop_below(entry.path)
                if found is not None:
                    meter.count(kept=len(found) if isinstance(found, bytes) else 0)
                    own.add({entry.path: found})
        lower.add(own.files)
        return ImageFiles(self.wanted, lower.files, meter)

    def _reads(self, entry: Entry) -> bool:
        return self.wanted.path(entry.path) and entry.size <= self.wanted.largest

    def _look(self, entry: Entry, data: bytes | None, known: Mapping[str, Found]) -> Found | None:
        """Return what an entry is, where it is wanted or leads there."""
        is_wanted = self.wanted.path(entry.path)
        found: Found | None = None
        match entry.kind:
            case "file" if data is not None:
                found = data if self.wanted.content(data) else b""
            case "file" if is_wanted:
                found = NotRead(f"{entry.size} bytes long, and at most {self.wanted.largest} are read")
            case "hard link" if is_wanted:
                shared = known.get(entry.target.removeprefix("./"))
                found = shared if isinstance(shared, bytes) else NotRead(f"a hard link to {entry.target!r}")
            case "link" if is_wanted or self.wanted.leads(entry.path):
                found = NotRead(f"a link to {entry.target!r}")
            case "device" if is_wanted:
                found = NotRead("a device, or what else is no file")
            case _:
                pass
        return found


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the root as an empty text."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _check(entry: Entry) -> None:
    """Refuse an entry that leads out of the image.

    Raises:
        DamagedError: it does.
    """
    parts = entry.path.split("/")
    if entry.path.startswith("/") or ".." in parts or "\0" in entry.path or (entry.path and "" in parts):
        raise DamagedError(f"its entry {entry.path[:200]!r} does not lie in the image")


def _gone(entry: Entry, name: str) -> str:
    """Return the name that a whiteout takes away."""
    gone = name.removeprefix(WHITEOUT)
    if gone in {"", ".", ".."}:
        raise DamagedError(f"its entry {entry.path[:200]!r} takes away nothing that could be there")
    return gone


def _counted(pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    for piece in pieces:
        meter.count(unpacked=len(piece))
        yield piece
