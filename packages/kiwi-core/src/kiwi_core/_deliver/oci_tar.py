"""The entries of a layer: gzip and tar, read as a stream, in bounds, and nothing of it written anywhere.

:mod:`tarfile` takes a damaged header in the middle of an archive for its end, and so would lose files without a word.
Here each entry is read on its own (with ``tarfile``'s reader of one header), and what cannot be is an error.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

__all__ = ["DamagedError", "Entry", "Meter", "TooMuchError", "entries", "unpack"]

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)
PIECE: Final = 1 << 18
MAX_HEADER: Final = 1 << 20
"""How many bytes a long name, or the further headers of an entry, may have."""

MOST_DIGITS: Final = 18

GZIP: Final = 31
"""What tells zlib to expect gzip, with its checksum."""

# Types of entries (POSIX pax, and GNU's): what has content, and what speaks of the next entry.
KINDS: Final = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard link",
}
WITHOUT_CONTENT: Final = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE}
)
LONG: Final = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}


class DamagedError(Exception):
    """A layer is not what it should be; says how."""


class TooMuchError(Exception):
    """A layer is larger than anything that is read; says how."""


@attrs.define(kw_only=True)
class Meter:
    """How much may still be read, over all layers.

    Attributes:
        unpacked: bytes, unpacked.
        entries: entries.
        kept: bytes of the files that are kept.
    """

    unpacked: int = 64 << 30
    entries: int = 4_000_000
    kept: int = 128 << 20

    def count(self, *, unpacked: int = 0, entries: int = 0, kept: int = 0) -> None:
        """Take from what may be read.

        Raises:
            TooMuchError: nothing is left.
        """
        for what, amount in (("unpacked", unpacked), ("entries", entries), ("kept", kept)):
            left = getattr(self, what) - amount
            if left < 0:
                words = {"unpacked": "bytes, unpacked,", "entries": "entries", "kept": "bytes of files to look at"}
                raise TooMuchError(f"it has more {words[what]} than are read of an image")
            setattr(self, what, left)


@attrs.frozen(kw_only=True)
class Entry:
    """One entry of a layer.

    Attributes:
        path: as it stands there, but for ``./`` at its start and ``/`` at its end; empty for the root.
        kind: ``file``, ``folder``, ``link``, ``hard link`` or ``device`` (all else).
        target: what a link leads to, as it stands there.
        size: how many bytes its content has.
    """

    path: str
    kind: str
    target: str
    size: int


def unpack(pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
    """Unpack gzip, of one member or several, in pieces of bounded size.

    Raises:
        DamagedError: it is no gzip, or ends too soon.
        TooMuchError: it has more than the meter allows.
    """
    inflate = zlib.decompressobj(GZIP)
    for piece in pieces:
        rest = piece
        while rest:
            if inflate.eof:
                inflate = zlib.decompressobj(GZIP)
            is_full = True
            while is_full:
                try:
                    data = inflate.decompress(rest, PIECE)
                except zlib.error as error:
                    raise DamagedError(f"it is no sound gzip: {error}") from error
                meter.count(unpacked=len(data))
                yield data
                is_full = len(data) == PIECE and not inflate.eof
                rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        raise DamagedError("it is no sound gzip: it ends too soon")


def entries(
    pieces: Iterator[bytes], meter: Meter, wants: Callable[[Entry], bool]
) -> Iterator[tuple[Entry, bytes | None]]:
    """Yield the entries of a tar archive in order, with the content of the files that are wanted.

    Raises:
        DamagedError: the archive is damaged or cut off, or has what no layer has.
        TooMuchError: it has more than the meter allows.
    """
    content = _Content(pieces)
    more: dict[str, str] = {}
    while header := content.read(BLOCK):
        if header == ZEROS:
            if content.read(BLOCK) not in {b"", ZEROS}:
                raise DamagedError("its archive has something behind its end")
            break
        meter.count(entries=1)
        info = _header(header)
        if info.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE}:
            data = _whole(content, info)
            # What is said of all entries is a comment at best.
            more |= _records(data) if info.type != tarfile.XGLTYPE else {}
        elif info.type in LONG:
            more[LONG[info.type]] = _text(_whole(content, info).partition(b"\0")[0])
        else:
            entry = _entry(info, more)
            found = None
            if entry.kind == "file" and wants(entry):
                if any(key.startswith("GNU.sparse.") for key in more):
                    raise DamagedError(f"{entry.path} is a sparse file, and those are not read")
                found = content.read(entry.size)
            if not content.skip(entry.size - len(found or b"") + -entry.size % BLOCK):
                raise DamagedError("its archive ends in the middle of a file")
            more = {}
            yield entry, found
    if more:
        raise DamagedError("its archive ends where a file should follow")
    for _ in pieces:
        pass


class _Content:
    """Reads a stream in order: so many bytes, or past so many."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._have: bytes = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return so many bytes, or those that are left."""
        found: list[bytes] = []
        missing = size
        while missing and self._fill():
            found.append(self._have[self._at : self._at + missing])
            self._at += len(found[-1])
            missing -= len(found[-1])
        return b"".join(found)

    def skip(self, size: int) -> bool:
        """Go past so many bytes; say whether they were there."""
        missing = size
        while missing and self._fill():
            step = min(missing, len(self._have) - self._at)
            self._at += step
            missing -= step
        return not missing

    def _fill(self) -> bool:
        while self._at == len(self._have):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._have, self._at = piece, 0
        return True


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise DamagedError(f"its archive is damaged: {error}") from error
    if info.size < 0:
        raise DamagedError("its archive is damaged: an entry has less than no content")
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise DamagedError(f"{info.name} is a sparse file, and those are not read")
    return info


def _whole(content: _Content, info: tarfile.TarInfo) -> bytes:
    """Return the content of an entry that speaks of the next one."""
    if info.size > MAX_HEADER:
        raise DamagedError(f"its archive is damaged: a header of {info.size} bytes")
    data = content.read(info.size)
    if not content.skip(-info.size % BLOCK) or len(data) < info.size:
        raise DamagedError("its archive ends in the middle of a header")
    return data


def _records(data: bytes) -> dict[str, str]:
    """Read further headers (pax): lines of ``length key=value``."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        length, space, _ = data[at : at + 20].partition(b" ")
        end = at + int(length) if space and length.isdigit() else 0
        key, equals, value = data[at + len(length) + 1 : end].partition(b"=")
        if not equals or not value.endswith(b"\n") or end > len(data):
            raise DamagedError("its archive is damaged: further headers of no known form")
        found[_text(key)] = _text(value[:-1])
        at = end
    return found


def _entry(info: tarfile.TarInfo, more: Mapping[str, str]) -> Entry:
    size = more.get("size", str(info.size))
    if not size.isdecimal() or len(size) > MOST_DIGITS:
        raise DamagedError(f"its archive is damaged: a size of {size[:MOST_DIGITS]!r}")
    path = more.get("path", info.name).rstrip("/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return Entry(
        path="" if path == "." else path,
        kind=KINDS.get(info.type, "device"),
        target=more.get("linkpath", info.linkname),
        size=0 if info.type in WITHOUT_CONTENT else int(size),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
