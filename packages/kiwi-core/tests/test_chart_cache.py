"""What is kept is whole or not there; what cannot be kept is told once, and nothing fails for it."""

from __future__ import annotations

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.chart_cache import Cache, default_folder
from kiwi_core.errors import ExternalError, Problem

DATA = b"a packed chart"
DIGEST = hashlib.sha256(DATA).hexdigest()
FILES = {"Chart.yaml": b"name: x\n", "templates/a.yaml": b"a: b\n"}


def cache(folder: Path, told: list[Problem] | None = None) -> Cache:
    return Cache(folder=folder / "cache", warn=(told if told is not None else []).append)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_environment_says_where_it_is(tmp_path: Path) -> None:
    assert default_folder({"KIWISTACK_CACHE": "/x", "XDG_CACHE_HOME": "/y"}) == Path("/x")
    assert default_folder({"XDG_CACHE_HOME": "/y"}) == Path("/y/kiwistack")
    for none in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert default_folder(none) == Path.home() / ".cache" / "kiwistack"


def test_what_was_kept_is_there_and_nobody_else_reads_it(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    kept.keep_json("renders", "ab12", [["x", {"a": "é\u2028"}]])
    assert kept.json("renders", "ab12") == [["x", {"a": "é\u2028"}]]
    assert kept.json("renders", "other") is None
    assert kept.keep_archive(DATA).read_bytes() == DATA
    assert kept.archive(DIGEST) == kept.path("archives", f"{DIGEST}.tgz")
    folder = kept.keep_folder("cd34", FILES)
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_in(folder)} == FILES
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert not [path for path in files_in(tmp_path) if path.name.startswith(".")]


@given(position=st.integers(0, 200), other=st.binary(min_size=0, max_size=3))
def test_what_is_damaged_is_as_if_it_were_not_there(
    tmp_path_factory: pytest.TempPathFactory, position: int, other: bytes
) -> None:
    kept = cache(tmp_path_factory.mktemp("cache"))
    kept.keep_json("renders", "ab12", {"a": [1, 2, 3]})
    path = kept.path("renders", "ab12")
    whole = path.read_bytes()
    damaged = whole[:position] + other + whole[position + 1 :]
    path.write_bytes(damaged)
    assert kept.json("renders", "ab12") == ({"a": [1, 2, 3]} if damaged == whole else None)
    place = kept.keep_archive(DATA)
    place.write_bytes(DATA[:-1])
    assert kept.archive(DIGEST) is None
    assert not place.exists()


def test_a_folder_that_somebody_changed_is_laid_anew(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    folder = kept.keep_folder("cd34", FILES)
    (folder / "templates" / "evil.yaml").write_bytes(b"x")
    (folder / "Chart.yaml").write_bytes(b"y")
    folder = kept.keep_folder("cd34", FILES)
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_in(folder)} == FILES


def test_many_at_once_find_it_whole(tmp_path: Path) -> None:
    kept = cache(tmp_path)

    def use(_: int) -> bool:
        folder = kept.keep_folder("cd34", FILES)
        return (folder / "templates" / "a.yaml").read_bytes() == b"a: b\n"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(200)))


def test_a_place_that_is_no_folder_is_told_once_and_charts_are_had_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"in the way")
    told: list[Problem] = []
    kept = cache(tmp_path, told)
    kept.keep_json("renders", "ab12", 1)
    assert kept.json("renders", "ab12") is None
    assert kept.keep_archive(DATA).read_bytes() == DATA
    folder = kept.keep_folder("cd34", FILES)
    assert (folder / "templates" / "a.yaml").read_bytes() == b"a: b\n"
    assert len(told) == 1
    assert "nothing can be kept" in told[0].message
    assert "KIWISTACK_CACHE" in str(told[0])


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """/dev/full takes no byte: it stands in for every file that the cache opens."""
    told: list[Problem] = []
    kept = cache(tmp_path, told)
    kept.keep_json("renders", "ab12", {"old": 1})
    before = {path: path.read_bytes() for path in files_in(tmp_path)}
    with pytest.MonkeyPatch.context() as patch:
        opened = os.fdopen

        def full(descriptor: int, mode: str) -> object:
            os.close(descriptor)
            return opened(os.open("/dev/full", os.O_WRONLY), mode)

        patch.setattr(os, "fdopen", full)
        kept.keep_json("renders", "ab12", {"new": 2})
        kept.keep_json("renders", "cd34", {"new": 2})
    assert {path: path.read_bytes() for path in files_in(tmp_path)} == before
    assert [os.strerror(errno.ENOSPC) in problem.message for problem in told] == [True]


def test_no_room_anywhere_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_bytes(b"in the way")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "cache"))
    with pytest.raises(ExternalError, match="no room for a chart") as raised:
        cache(tmp_path).keep_archive(DATA)
    assert "TMPDIR" in str(raised.value)
