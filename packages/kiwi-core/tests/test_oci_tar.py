"""Layers as streams: read as tarfile reads what is sound, and damage is told that tarfile would pass over."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.oci_tar import DamagedError, Entry, Meter, TooMuchError, entries, unpack
from oci_samples import Member, device, link, tar

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.lists(st.tuples(PATHS, st.one_of(st.none(), st.binary(max_size=1500))), max_size=8)
FORMS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


def cut(data: bytes, size: int = 700) -> Iterator[bytes]:
    """The bytes in pieces, as a network has them."""
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, *, size: int = 700, meter: Meter | None = None) -> list[tuple[Entry, bytes | None]]:
    return list(entries(cut(data, size), meter or Meter(), lambda _: True))


@given(FILES, FORMS, st.integers(1, 3000))
def test_sound_archives_are_read_as_tarfile_reads_them(
    files: list[tuple[str, bytes | None]], form: int, size: int
) -> None:
    data = tar(files, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = [
            (
                member.name,
                "folder" if member.isdir() else "file",
                None if member.isdir() else archive.extractfile(member),
            )
            for member in archive
        ]
        wanted = [(name, kind, file.read() if file else None) for name, kind, file in expected]
    found = [(entry.path, entry.kind, content) for entry, content in read(data, size=size)]
    trimmed = [(without_dots(name), kind, content) for name, kind, content in wanted]
    assert found == trimmed


def without_dots(name: str) -> str:
    name = name.rstrip("/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return "" if name == "." else name


def test_links_and_devices_are_told_apart() -> None:
    members: list[Member] = [
        ("a", b"x"),
        ("b", link("a")),
        ("c", link("./a", tarfile.LNKTYPE)),
        ("d", device),
        ("e/", None),
    ]
    found = [entry for entry, _ in read(tar(members))]
    assert [(entry.path, entry.kind, entry.target) for entry in found] == [
        ("a", "file", ""),
        ("b", "link", "a"),
        ("c", "hard link", "./a"),
        ("d", "device", ""),
        ("e", "folder", ""),
    ]
    assert [entry.size for entry in found] == [1, 0, 0, 0, 0]


def test_a_file_that_is_not_wanted_is_passed_over() -> None:
    data = tar([("a", b"x" * 5000), ("b", b"y")])
    found = list(entries(cut(data), Meter(), lambda entry: entry.path == "b"))
    assert [content for _, content in found] == [None, b"y"]


WHOLE = tar([("one", b"x" * 600), ("two", b"y" * 600)])
LONG = tar([("n" * 300, b"x")])
SPARSE = tarfile.TarInfo("sparse")
SPARSE.type = tarfile.GNUTYPE_SPARSE


def spoilt(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def pax(records: bytes, *, size: int | None = None) -> bytes:
    """An archive of one file with further headers, as they are given."""
    info = tarfile.TarInfo("./PaxHeaders/x")
    info.type, info.size = tarfile.XHDTYPE, len(records) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(-(-len(records) // 512) * 512, b"\0") + tar([("x", b"1")])


DAMAGED = {
    "a-header-in-the-middle": (spoilt(WHOLE, 1536, b"z"), "damaged: bad checksum"),
    "cut-in-a-header": (WHOLE[:1600], "damaged: truncated header"),
    "cut-in-a-file": (WHOLE[:1000], "ends in the middle of a file"),
    "cut-behind-a-long-name": (LONG[:1024], "ends where a file should follow"),
    "cut-in-a-long-name": (LONG[:700], "ends in the middle of a header"),
    "half-an-end": (WHOLE[:3072] + bytes(512) + WHOLE[:512], "something behind its end"),
    "noise": (b"\x01" * 2048, "damaged: "),
    "a-sparse-file": (SPARSE.tobuf(tarfile.GNU_FORMAT), "sparse is a sparse file"),
    "a-sparse-file-of-another-form": (pax(b"26 GNU.sparse.major=1234\n\n"[:25] + b"\n"), "x is a sparse file"),
    "further-headers-of-no-form": (pax(b"what is this?\n"), "further headers of no known form"),
    "further-headers-that-overrun": (pax(b"99 path=a\n"), "further headers of no known form"),
    "further-headers-of-no-length": (pax(b"0 path=a\n"), "further headers of no known form"),
    "no-size": (pax(b"15 size=-10000\n"), "a size of '-10000'"),
    "a-huge-header": (pax(b"11 path=ab\n", size=1 << 30), "a header of 1073741824 bytes"),
}


@pytest.mark.parametrize(("data", "expected"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_told_and_not_taken_for_the_end(data: bytes, expected: str) -> None:
    with pytest.raises(DamagedError, match=expected):
        read(data)


def test_a_negative_size_is_refused() -> None:
    header = bytearray(tar([("one", b"")])[:512])
    header[124:136] = (-1).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(DamagedError, match="less than no content"):
        read(bytes(header) + bytes(1024))


def test_an_archive_may_end_without_saying_so_and_go_on_behind_its_end() -> None:
    assert len(read(WHOLE[:3072])) == 2
    assert len(read(WHOLE[:3072] + bytes(1024) + b"anything")) == 2
    assert read(b"") == []


@given(st.binary(max_size=5000), st.integers(1, 999))
def test_bytes_of_any_kind_end_in_an_error_or_in_entries(data: bytes, size: int) -> None:
    with contextlib.suppress(DamagedError):
        read(data, size=size)


@given(st.integers(0, 511), st.integers(0, 255))
def test_a_header_with_one_byte_changed_says_the_same_or_is_damaged(at: int, byte: int) -> None:
    try:
        found = read(spoilt(WHOLE, at, bytes([byte])))
    except DamagedError:
        return
    assert found == read(WHOLE)


# Packed


def through(data: bytes, size: int = 100, meter: Meter | None = None) -> bytes:
    return b"".join(unpack(cut(data, size), meter or Meter()))


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=3), st.integers(1, 500))
def test_gzip_of_several_members_is_unpacked(parts: list[bytes], size: int) -> None:
    assert through(b"".join(gzip.compress(part) for part in parts), size) == b"".join(parts)


def test_a_long_run_comes_in_pieces_of_bounded_size() -> None:
    packed = gzip.compress(bytes(5_000_000))
    pieces = list(unpack(iter([packed]), Meter()))
    assert sum(map(len, pieces)) == 5_000_000
    assert max(map(len, pieces)) <= 1 << 18


PACKED = gzip.compress(b"x" * 1000)
NO_GZIP = {
    "nothing": b"",
    "cut": PACKED[:-1],
    "cut-in-the-header": PACKED[:5],
    "changed": spoilt(PACKED, len(PACKED) - 6, b"\xff"),
    "zlib": zlib.compress(b"x"),
    "tar": WHOLE,
    "garbage-behind-it": PACKED + b"garbage",
    "a-second-one-cut": PACKED + PACKED[:-1],
}


@pytest.mark.parametrize("data", NO_GZIP.values(), ids=NO_GZIP)
def test_what_is_no_sound_gzip_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError, match="it is no sound gzip"):
        through(data)


# Bounds


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    meter = Meter(unpacked=1_000_000)
    with pytest.raises(TooMuchError, match="more bytes, unpacked, than are read of an image"):
        through(bomb, meter=meter)
    assert meter.unpacked >= 0


def test_entries_are_counted() -> None:
    with pytest.raises(TooMuchError, match="more entries than are read"):
        read(tar([(f"{number}", b"") for number in range(10)]), meter=Meter(entries=9))
