"""Capturing a schema's history from an image: the folder is found, nothing is run, and captures are added to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from kiwi_core._deliver.capture_image import capture_image_schema
from kiwi_core._deliver.oci_tar import Meter
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.capture_json import load_schema
from kiwi_core.cli import main
from kiwi_core.errors import InputError
from oci_samples import Json, LayoutFolder, Member, layer, link, revision

V = "app/alembic/versions"
FIRST: Mapping[str, bytes | None] = {
    "app/main.py": b"print('never run')\n",
    "app/alembic.ini": b"[alembic]\nscript_location = alembic\n\n[other]\nscript_location = tenants\n",
    f"{V}/__init__.py": b"",
    f"{V}/1_one.py": revision("one"),
    f"{V}/2_two.py": revision("two", "one"),
}
SECOND: Mapping[str, bytes | None] = {f"{V}/3_three.py": revision("three", "two")}
TENANTS = {"app/tenants/versions/1_t.py": revision("t")}
THIRD_PARTY = {"usr/lib/python3/site-packages/other/migrations/1_m.py": revision("m")}


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    return LayoutFolder(tmp_path / "layout")


def capture(
    layout: LayoutFolder, *layers: Mapping[str, bytes | None] | list[Member], folder: str | None = None, **options: str
) -> SchemaCapture:
    layout.add(layout.image(*map(layer, layers)), "v1.0.0")
    return capture_image_schema(f"{layout}:v1.0.0", folder=folder, image="acme/app", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("folder", [None, f"/{V}", V, f"/{V}/", "/app/./alembic//versions"])
def test_the_revisions_of_all_layers_are_read(folder: str | None, layout: LayoutFolder) -> None:
    found = capture(layout, FIRST, SECOND, folder=folder)
    assert list(found.revisions.items()) == [("one", ()), ("two", ("one",)), ("three", ("two",))]
    assert found.tags == {"v1.0.0": ("three",)}
    assert list(found.digests.values()) == ["v1.0.0"]
    assert (found.tool, found.image, found.source) == ("alembic", "acme/app", f"an OCI layout /{V}")


def test_what_an_upper_layer_took_away_is_gone(layout: LayoutFolder) -> None:
    found = capture(layout, FIRST, SECOND, {f"{V}/.wh.3_three.py": b""})
    assert found.tags == {"v1.0.0": ("two",)}


def test_several_heads_are_captured_as_such(layout: LayoutFolder) -> None:
    found = capture(layout, FIRST, {f"{V}/4.py": revision("four", "one")})
    assert found.tags == {"v1.0.0": ("four", "two")}


def test_every_digest_of_an_image_is_recorded(layout: LayoutFolder) -> None:
    image = layout.image(layer(FIRST))
    index = layout.index(image)
    layout.add(index, "v1.0.0")
    found = capture_image_schema(f"{layout}:v1.0.0", image="acme/app")
    assert found.digests == {str(index["digest"]): "v1.0.0", str(image["digest"]): "v1.0.0"}


def test_an_image_without_a_tag_is_recorded_by_its_digest(layout: LayoutFolder) -> None:
    image: Json = layout.image(layer(FIRST))
    layout.add(image)
    found = capture_image_schema(str(layout), image="acme/app")
    digest = str(image["digest"])
    assert (found.tags, found.digests) == ({digest: ("two",)}, {digest: digest})
    assert found.tag_of("whatever", digest) == digest


# The folder


@pytest.mark.parametrize(
    "ini",
    [
        b"[alembic]\nscript_location = alembic\n",
        b"[alembic]\nscript_location = %(here)s/alembic\n",
        b"[alembic]\nscript_location = /app/alembic\n",
        b"[alembic]\nscript_location = x\nversion_locations = %(here)s/alembic/versions\n",
        b"[DEFAULT]\nscript_location = alembic\n[alembic]\nfile_template = %%(year)d_%%(rev)s\n",
    ],
)
def test_of_several_folders_the_one_that_alembic_uses_is_read(ini: bytes, layout: LayoutFolder) -> None:
    found = capture(layout, {**FIRST, "app/alembic.ini": ini}, TENANTS, THIRD_PARTY)
    assert found.source.endswith(f" /{V}")


@pytest.mark.parametrize(
    "ini", [b"", b"no ini", b"[alembic]\n", b"[x]\ny=1\n", b"[alembic]\nscript_location = pkg:x\n"]
)
def test_of_several_folders_none_is_guessed(ini: bytes, layout: LayoutFolder) -> None:
    with pytest.raises(InputError) as caught:
        capture(layout, {**FIRST, "app/alembic.ini": ini}, TENANTS, THIRD_PARTY)
    assert "there are 3 folders with Alembic's revisions in them\n    say which: --folder FOLDER, one of " in str(
        caught.value
    )
    assert f"one of /{V}, /app/tenants/versions, /usr/lib/python3/site-packages/other/migrations" in str(caught.value)


def test_two_folders_that_alembic_uses_are_named_without_the_others(layout: LayoutFolder) -> None:
    ini = b"[alembic]\nversion_locations = %(here)s/alembic/versions %(here)s/tenants/versions\n"
    with pytest.raises(InputError, match=rf"there are 2 folders .*\n.* one of /{V}, /app/tenants/versions$"):
        capture(layout, {**FIRST, "app/alembic.ini": ini}, TENANTS, THIRD_PARTY)


def test_without_any_ini_the_only_folder_is_read(layout: LayoutFolder) -> None:
    found = capture(layout, {path: data for path, data in FIRST.items() if not path.endswith(".ini")})
    assert found.source.endswith(f" /{V}")


def test_an_image_without_revisions_is_told(layout: LayoutFolder) -> None:
    with pytest.raises(InputError, match=r"v1\.0\.0: there is no folder with Alembic's revisions in it"):
        capture(layout, {"app/main.py": b"x = 'down_revision'\n"})


def test_a_folder_that_is_not_there_is_told(layout: LayoutFolder) -> None:
    with pytest.raises(InputError, match=r"v1\.0\.0: /app/versions: there is no revision file here"):
        capture(layout, FIRST, folder="/app/versions")


# What cannot be read is no reason to leave it out


@pytest.mark.parametrize("folder", [None, f"/{V}"])
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (link("/etc/passwd"), "4.py: it is a link to '/etc/passwd'\n    nothing of an image is run, and no link"),
        (link("../../../../../etc/passwd"), "4.py: it is a link to '../../../../../etc/passwd'"),
        (link("etc/passwd", b"1"), "4.py: it is a hard link to 'etc/passwd'"),
        (b"#" * ((1 << 20) + 1), "4.py: it is 1048577 bytes long, and at most 1048576 are read"),
        (b"x = 1\n", "4.py: 'revision' is not assigned a literal text"),
        (b"down_revision = None\n", "4.py: 'revision' is not assigned a literal text"),
        (revision("four", "gone"), "4.py: parent 'gone' is in no file"),
        (revision("two"), "4.py: revision 'two' is that of 2_two.py as well"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    what: bytes, expected: str, folder: str | None, layout: LayoutFolder
) -> None:
    members: list[Member] = [*FIRST.items(), (f"{V}/4.py", what)]
    with pytest.raises(InputError) as caught:
        capture(layout, members, folder=folder)
    assert f"{layout}:v1.0.0: /{V}/{expected}" in str(caught.value)


def test_a_folder_behind_a_link_is_told_with_where_it_leads(layout: LayoutFolder) -> None:
    with pytest.raises(InputError, match=r"v1\.0\.0/srv: it is a link to 'app'\n    name the folder that it leads to"):
        capture(layout, [*FIRST.items(), ("srv", link("app"))], folder="/srv/alembic/versions")


def test_a_circle_is_told(layout: LayoutFolder) -> None:
    with pytest.raises(InputError, match="revisions go round in a circle: a -> b -> a"):
        capture(layout, {"v/a.py": revision("a", "b"), "v/b.py": revision("b", "a")})


def test_an_image_that_unpacks_to_too_much_is_told(layout: LayoutFolder) -> None:
    layout.add(layout.image(layer({"x": bytes(10_000_000)})), "v1.0.0")
    with pytest.raises(InputError, match=r"layer 1 of 1 .* it has more bytes, unpacked"):
        capture_image_schema(f"{layout}:v1.0.0", image="a/b", meter=Meter(unpacked=1_000_000))


# Versions that are numbers


def test_a_version_that_is_a_number_is_recorded_with_the_digest(layout: LayoutFolder) -> None:
    found = capture(layout, {"x": b""}, tool="table", version="12")
    assert (found.tool, found.revisions, found.tags) == ("table", {}, {"v1.0.0": ("12",)})
    assert list(found.digests.values()) == ["v1.0.0"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tool": "table"}, "of a table version, the number is recorded"),
        ({"tool": "semantic", "version": "1.2"}, "'1.2' is no semantic version"),
        ({"version": "12"}, "of Alembic's, the folder is read"),
        ({"tool": "table", "version": "1", "folder": "/x"}, "the number is recorded"),
    ],
)
def test_what_does_not_fit_together_is_refused(options: dict[str, str], expected: str, layout: LayoutFolder) -> None:
    with pytest.raises(InputError, match=expected):
        capture(layout, FIRST, **options)


def test_a_layout_does_not_say_under_which_repository_it_is_pinned(layout: LayoutFolder) -> None:
    layout.add(layout.image(layer(FIRST)))
    with pytest.raises(InputError, match="does not say under which repository it is pinned\n    --image ORG/APP"):
        capture_image_schema(str(layout))


# The command


def run(*words: str, out: Path) -> int:
    return main(["component", "capture", "schema", *words, "--out", str(out)])


def read(out: Path) -> SchemaCapture:
    return load_schema((out / "schemas" / "app.json").read_bytes())


def test_the_command_writes_a_capture_and_adds_to_it(
    layout: LayoutFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.add(layout.image(layer(FIRST)), "v1.0.0").add(layout.image(layer(FIRST), layer(SECOND)), "v1.1.0")
    for tag in ("v1.1.0", "v1.0.0", "v1.0.0"):
        assert run(f"{layout}:{tag}", "--image", "acme/app", out=tmp_path) == 0
    said = capsys.readouterr()
    assert f"v1.1.0 ends at three (an OCI layout /{V})\n" in said.out
    assert said.out.endswith(f"{tmp_path}/schemas/app.json: 3 revisions at 2 tags\n")
    assert "layer 2 of 2 (sha256:" in said.err
    found = read(tmp_path)
    assert list(found.tags.items()) == [("v1.0.0", ("two",)), ("v1.1.0", ("three",))]
    assert found.first_tag_with("three") == "v1.1.0"
    assert len(found.digests) == 2
    assert found.source == f"an OCI layout /{V}"


def test_the_command_adds_nothing_that_belies_what_is_there(
    layout: LayoutFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**FIRST, f"{V}/2_two.py": revision("two"), f"{V}/3.py": revision("z", ("two", "one"))}
    layout.add(layout.image(layer(FIRST)), "v1.0.0").add(layout.image(layer(other)), "v1.1.0")
    assert run(f"{layout}:v1.0.0", "--image", "acme/app", out=tmp_path) == 0
    before = (tmp_path / "schemas" / "app.json").read_bytes()
    assert run(f"{layout}:v1.1.0", "--image", "acme/app", out=tmp_path) == 2
    assert "app.json: revision two builds on one there, and on nothing here" in capsys.readouterr().err
    assert run(f"{layout}:v1.0.0", "--image", "other/app", out=tmp_path) == 2
    assert "it is a capture of image 'acme/app'" in capsys.readouterr().err
    assert (tmp_path / "schemas" / "app.json").read_bytes() == before


def test_the_command_adds_nothing_to_a_file_that_was_edited(
    layout: LayoutFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.add(layout.image(layer(FIRST)), "v1.0.0")
    words = (f"{layout}:v1.0.0", "--image", "acme/app")
    assert run(*words, out=tmp_path) == 0
    path = tmp_path / "schemas" / "app.json"
    path.write_text(path.read_text().replace('"two"\n', '"one"\n'))
    assert run(*words, out=tmp_path) == 2
    assert "checksum: the file was edited since it was written" in capsys.readouterr().err


def test_the_command_records_numbers(layout: LayoutFolder, tmp_path: Path) -> None:
    layout.add(layout.image(layer(FIRST)), "v1.0.0")
    words = ("--image", "acme/app", "--tool", "semantic", "--version", "1.2.3")
    assert run(f"{layout}:v1.0.0", *words, out=tmp_path) == 0
    assert read(tmp_path).tags == {"v1.0.0": ("1.2.3",)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("acme/app:v1", "--git", "."), "with --git, acme/app:v1 names a repository and no tag"),
        (("acme/app", "--git", "."), "with --git, these are needed, too: --folder, --source"),
        (("acme/app", "--git", ".", "--tool", "table"), "--git reads Alembic's revisions, and no table versions"),
        (("acme/app",), "acme/app names no tag and no digest"),
        (("ACME",), "'ACME' is no reference of an image"),
        (("oci:/nowhere", "--image", "a/b"), "this is no layout of images"),
        (("acme/app:v1", "--mirror", "x"), "--mirror 'x' is no NAME=VALUE"),
        (("acme/app:v1", "--mirror", "a=b c"), "is no registry and HOST"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, out=tmp_path) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "schemas").exists()
