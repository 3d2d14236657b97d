"""Layers on each other: whiteouts, links that are not followed, and what leads out of the image."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.oci_layers import Found, ImageFiles, NotRead, Wanted
from kiwi_core._deliver.oci_tar import DamagedError, Meter, TooMuchError
from oci_samples import Member, device, layer, link, tar

ALL = Wanted(folder=None, name=lambda _: True, largest=1000)
IN_A = Wanted(folder="app/a", name=lambda name: name.endswith(".py"), largest=1000)


def put(*layers: Sequence[Member], wanted: Wanted = ALL, meter: Meter | None = None) -> Mapping[str, Found]:
    files = ImageFiles(wanted, meter=meter)
    for members in layers:
        files = files.with_layer(iter([layer(members)]), is_packed=True)
    return files.files


def test_upper_layers_change_and_add() -> None:
    assert put([("a", b"1"), ("b", b"2")], [("b", b"3"), ("c", b"4")]) == {"a": b"1", "b": b"3", "c": b"4"}


def test_a_layer_need_not_be_packed() -> None:
    files = ImageFiles(ALL).with_layer(iter([tar([("a", b"1")])]), is_packed=False)
    assert files.files == {"a": b"1"}


def test_the_files_below_are_left_as_they_are() -> None:
    below = ImageFiles(ALL).with_layer(iter([layer([("a", b"1")])]), is_packed=True)
    above = below.with_layer(iter([layer([(".wh.a", b"")])]), is_packed=True)
    assert (below.files, above.files) == ({"a": b"1"}, {})


FIRST: Sequence[Member] = [("d/a", b"1"), ("d/e/b", b"2"), ("dd/c", b"3")]
TAKEN = {
    "a-file": ([("d/.wh.a", b"")], {"d/e/b", "dd/c"}),
    "a-folder": ([(".wh.d", b"")], {"dd/c"}),
    "what-a-folder-had": ([("d/.wh..wh..opq", b""), ("d/new", b"4")], {"d/new", "dd/c"}),
    "what-a-folder-had-said-behind": ([("d/new", b"4"), ("d/.wh..wh..opq", b"")], {"d/new", "dd/c"}),
    "a-file-that-comes-back": ([("d/a", b"4"), ("d/.wh.a", b"")], {"d/a", "d/e/b", "dd/c"}),
    "everything": ([(".wh..wh..opq", b"")], set[str]()),
    "nothing-of-the-kind": ([("d/.wh.x", b""), ("x/.wh..wh..opq", b""), ("d/.wh..wh.plnk", None)], {*dict(FIRST)}),
    "a-folder-by-a-file": ([("d", b"4")], {"d", "dd/c"}),
    "a-folder-by-a-device": ([("d/e", device)], {"d/a", "d/e", "dd/c"}),
    "a-file-by-a-folder": ([("d/a", None)], {"d/e/b", "dd/c"}),
    "a-folder-that-stays": ([("d", None), ("./d/e/", None)], {*dict(FIRST)}),
}


@pytest.mark.parametrize(("second", "expected"), TAKEN.values(), ids=TAKEN)
def test_upper_layers_take_away(second: Sequence[Member], expected: set[str]) -> None:
    assert put(FIRST, second).keys() == expected


STEPS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
CHANGES = st.lists(st.tuples(st.sampled_from(["file", "gone", "opaque"]), STEPS, st.binary(max_size=3)), max_size=5)


@given(st.lists(CHANGES, max_size=4))
def test_layers_are_put_on_each_other_as_the_specification_says(layers: list[list[tuple[str, str, bytes]]]) -> None:
    """Whiteouts and opaque folders concern what lies below and nothing else; then comes what the layer adds."""
    expected: dict[str, bytes] = {}
    archives: list[list[Member]] = []
    for changes in layers:
        members: list[Member] = []
        own: dict[str, bytes] = {}
        for kind, path, data in changes:
            folder, _, name = path.rpartition("/")
            start = f"{folder}/" if folder else ""
            if kind == "file":
                members.append((path, data))
                taken = [other for other in own if other.startswith(f"{path}/")]
                own = {other: content for other, content in own.items() if other not in taken} | {path: data}
            else:
                members.append((f"{start}.wh.{name}", b"") if kind == "gone" else (f"{path}/.wh..wh..opq", b""))
        gone = [path for kind, path, _ in changes if kind in {"gone", "file"}]
        emptied = [path for _, path, _ in changes]
        expected = {
            path: data
            for path, data in expected.items()
            if path not in gone and not any(path.startswith(f"{above}/") for above in emptied)
        }
        expected |= own
        archives.append(members)
    assert put(*archives) == expected


def test_only_the_folder_is_looked_at() -> None:
    found = put([("app/a/x.py", b"1"), ("app/a/x.txt", b"2"), ("app/a/b/y.py", b"3"), ("app/z.py", b"4")], wanted=IN_A)
    assert found == {"app/a/x.py": b"1"}


def test_content_that_is_not_worth_keeping_is_dropped_and_not_the_file() -> None:
    wanted = Wanted(folder=None, name=lambda _: True, content=lambda data: b"keep" in data, largest=1000)
    assert put([("a", b"keep this"), ("b", b"x")], [("a", b"no")], wanted=wanted) == {"a": b"", "b": b""}


def test_what_cannot_be_read_is_told_and_not_left_out() -> None:
    found = put(
        [
            ("app/a/link.py", link("/etc/passwd")),
            ("app/a/up.py", link("../../../etc/passwd")),
            ("app/a/device.py", device),
            ("app/a/large.py", b"x" * 1001),
            ("app/a/hard.py", link("etc/passwd", tarfile.LNKTYPE)),
            ("etc/passwd", b"root"),
        ],
        wanted=IN_A,
    )
    assert {path.rpartition("/")[2]: entry.why for path, entry in found.items() if isinstance(entry, NotRead)} == {
        "link.py": "a link to '/etc/passwd'",
        "up.py": "a link to '../../../etc/passwd'",
        "device.py": "a device, or what else is no file",
        "large.py": "1001 bytes long, and at most 1000 are read",
        "hard.py": "a hard link to 'etc/passwd'",
    }


def test_a_hard_link_within_what_is_read_is_that_file() -> None:
    first: Sequence[Member] = [("app/a/one.py", b"1"), ("app/a/two.py", link("./app/a/one.py", tarfile.LNKTYPE))]
    second: Sequence[Member] = [("app/a/three.py", link("app/a/two.py", tarfile.LNKTYPE))]
    assert put(first, second, wanted=IN_A) == dict.fromkeys(("app/a/one.py", "app/a/two.py", "app/a/three.py"), b"1")


@pytest.mark.parametrize("path", ["app", "app/a"])
def test_a_link_on_the_way_to_the_folder_is_told_until_a_folder_replaces_it(path: str) -> None:
    first: Sequence[Member] = [(path, link("/elsewhere"))]
    assert put(first, wanted=IN_A) == {path: NotRead("a link to '/elsewhere'")}
    assert put(first, [(path, None), ("app/a/x.py", b"1")], wanted=IN_A) == {"app/a/x.py": b"1"}


def test_devices_and_links_elsewhere_are_nobodys_business() -> None:
    assert put([("dev/null", device), ("bin", link("usr/bin")), ("app/a/x.py", b"1")], wanted=IN_A) == {
        "app/a/x.py": b"1"
    }


@pytest.mark.parametrize(
    "path",
    ["../x.py", "app/../../x.py", "app/a/..", "..", "/etc/x.py", "//x.py", "app//x.py", "./../x.py", "a/../.wh.x"],
)
@pytest.mark.parametrize("what", [b"1", link("x"), device])
def test_an_entry_that_does_not_lie_in_the_image_is_refused(path: str, what: bytes) -> None:
    with pytest.raises(DamagedError, match="does not lie in the image"):
        put([("app/a/x.py", b"1"), (path, what)], wanted=IN_A)


@pytest.mark.parametrize("path", ["a/.wh.", "a/.wh..", "a/.wh..."])
def test_a_whiteout_of_nothing_is_refused(path: str) -> None:
    with pytest.raises(DamagedError, match="takes away nothing that could be there"):
        put([(path, b"")])


def test_what_is_kept_is_bounded_over_all_layers() -> None:
    meter = Meter(kept=1500)
    with pytest.raises(TooMuchError, match="more bytes of files to look at"):
        put([("a", b"x" * 900)], [("b", b"x" * 900)], meter=meter)
    assert meter.kept == 1500


def test_what_is_read_is_bounded_over_all_layers() -> None:
    one: Sequence[Member] = [("a", b"x" * 900)]
    assert put(one, one, meter=Meter(unpacked=20480)) == {"a": b"x" * 900}
    with pytest.raises(TooMuchError):
        put(one, one, one, meter=Meter(unpacked=20480))
