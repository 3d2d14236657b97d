"""Images in folders of OCI's layout: every digest is compared, and a fault says which part has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.oci_image import OciImage, open_image
from kiwi_core._deliver.oci_layers import Wanted
from kiwi_core._deliver.oci_source import Reference, parse_reference
from kiwi_core._deliver.oci_tar import Meter
from kiwi_core.errors import ExternalError, InputError, KiwiError
from oci_samples import GZIP, OCI, PLAIN, Json, LayoutFolder, hashed, layer, tar

ALL = Wanted(folder=None, name=lambda _: True, largest=1000)
ONE, TWO = layer({"a": b"1"}), layer({"b": b"2"})


@pytest.fixture
def layout(tmp_path: Path) -> LayoutFolder:
    return LayoutFolder(tmp_path / "layout")


def digest(found: Json) -> str:
    return str(found["digest"])


def test_an_image_is_found_by_its_name(layout: LayoutFolder) -> None:
    first, second = layout.image(ONE), layout.image(ONE, TWO)
    layout.add(first, "v1.0.0").add(second, "docker.io/a/b:v2.0.0")
    found = open_image(f"{layout}:docker.io/a/b:v2.0.0")
    assert (found.tag, found.digests, found.repository) == ("v2.0.0", (digest(second),), None)
    assert found.files(ALL) == {"a": b"1", "b": b"2"}
    assert open_image(f"{layout}:v1.0.0").tag == "v1.0.0"


@pytest.mark.parametrize(
    ("name", "tag"),
    [("", None), ("v1", "v1"), ("a/b", None), ("a/b:v1", "v1"), ("h:5000/a/b", None), ("a/b:v1@sha256:0", "v1")],
)
def test_a_name_may_have_a_tag(name: str, tag: str | None, layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE), name)
    assert open_image(f"{layout}:{name}" if name else str(layout)).tag == tag


def test_the_only_image_needs_no_name(layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE))
    assert open_image(str(layout)).files(ALL) == {"a": b"1"}


def test_of_an_index_the_image_of_the_platform_is_read(layout: LayoutFolder) -> None:
    arm, amd = layout.image(TWO, platform="linux/arm64"), layout.image(ONE)
    index = layout.index(arm, amd)
    layout.add(index, "v1")
    found = open_image(f"{layout}:v1")
    assert found.digests == (digest(index), digest(amd))
    assert found.files(ALL) == {"a": b"1"}
    assert open_image(f"{layout}:v1", platform="linux/arm64").files(ALL) == {"b": b"2"}


def test_layers_may_be_plain_or_of_dockers_types(layout: LayoutFolder) -> None:
    docker = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    layout.add(layout.image(tar({"a": b"1"}), kind=PLAIN), "plain").add(layout.image(ONE, kind=docker), "docker")
    for name in ("plain", "docker"):
        assert open_image(f"{layout}:{name}").files(ALL) == {"a": b"1"}


def test_it_says_what_it_reads(layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, TWO))
    said: list[str] = []
    open_image(str(layout)).files(ALL, say=said.append)
    assert said == [
        f"{layout}: layer 1 of 2 ({hashed(ONE)}), {len(ONE)} bytes",
        f"{layout}: layer 2 of 2 ({hashed(TWO)}), {len(TWO)} bytes",
    ]


# Faults


def failure(layout: LayoutFolder, name: str = "", **options: str) -> KiwiError:
    with pytest.raises(KiwiError) as caught:
        open_image(f"{layout}:{name}" if name else str(layout), **options).files(ALL)  # type: ignore[arg-type]
    return caught.value


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["changed", "shorter", "other"])
def test_a_layer_that_is_not_what_its_digest_says_is_named(how: str, layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, TWO))
    path = layout.path(hashed(TWO))
    if how == "changed":
        changed(path)
    else:
        path.write_bytes(TWO[:-4] if how == "shorter" else ONE)
    error = failure(layout)
    assert isinstance(error, ExternalError)
    assert f"layer 2 of 2 ({hashed(TWO)}): it is damaged: found sha256:" in str(error)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE[:-5], "it is no sound gzip: it ends too soon"),
        (b"no gzip", "it is no sound gzip"),
        (layer({"../x": b"1"}), "its entry '../x' does not lie in the image"),
        (b"", "it is no sound gzip: it ends too soon"),
    ],
)
def test_a_layer_that_was_made_wrong_is_named(data: bytes, expected: str, layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, data))
    error = failure(layout)
    assert isinstance(error, InputError)
    assert f"layer 2 of 2 ({hashed(data)}): {expected}" in str(error)


def test_a_bomb_is_named(layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, layer({"b": bytes(50_000_000)})))
    with pytest.raises(InputError, match=r"layer 2 of 2 \(sha256:.*\): it has more bytes, unpacked"):
        open_image(str(layout)).files(ALL, meter=Meter(unpacked=1_000_000))


def test_zstd_is_refused_and_says_what_to_do(layout: LayoutFolder) -> None:
    layout.add(layout.image(b"zstd", kind=f"{PLAIN}+zstd"))
    assert "tar+zstd', which is not read\n    skopeo copy --dest-compress-format gzip" in str(failure(layout))


def test_a_layer_of_another_type_is_refused(layout: LayoutFolder) -> None:
    layout.add(layout.image(b"x", kind="application/x"))
    assert "layer 1 of 1" in str(failure(layout))
    assert "type 'application/x', which is not read" in str(failure(layout))


@pytest.mark.parametrize("size", [0, 7, 10_000])
def test_a_size_that_is_not_the_layers_is_refused(size: int, layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, layers=[{"mediaType": GZIP, "digest": hashed(ONE), "size": size}]))
    assert f"layer 1 of 1 ({hashed(ONE)}): it is damaged: found " in str(failure(layout))


BAD_LAYERS: dict[str, object] = {
    "no-size": {"mediaType": GZIP, "digest": hashed(ONE)},
    "size-below-nothing": {"mediaType": GZIP, "digest": hashed(ONE), "size": -1},
    "a-place-elsewhere": {"mediaType": GZIP, "digest": "sha256:../../../../etc/passwd", "size": 1},
    "another-hash": {"mediaType": GZIP, "digest": "sha512:" + "0" * 128, "size": 1},
    "no-type": {"digest": hashed(ONE), "size": 1},
}


@pytest.mark.parametrize("entry", BAD_LAYERS.values(), ids=BAD_LAYERS)
def test_a_manifest_with_a_layer_that_cannot_be_is_none(entry: object, layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE, layers=[entry]))
    assert "this is no manifest" in str(failure(layout))


def test_a_manifest_that_was_changed_is_refused(layout: LayoutFolder) -> None:
    image = layout.image(ONE)
    layout.add(image)
    changed(layout.path(digest(image)))
    assert f"manifest ({digest(image)}): it is damaged" in str(failure(layout))


def test_a_configuration_that_was_changed_is_refused(layout: LayoutFolder) -> None:
    image = layout.image(ONE)
    layout.add(image)
    config = json.loads(layout.path(digest(image)).read_bytes())["config"]
    changed(layout.path(config["digest"]))
    assert f"configuration ({config['digest']}): it is damaged" in str(failure(layout))


def test_a_configuration_of_another_image_is_refused(layout: LayoutFolder) -> None:
    two = layout.image(ONE, TWO)
    config = json.loads(layout.path(digest(two)).read_bytes())["config"]
    layout.add(layout.image(ONE, config=config))
    assert "it speaks of 2 layers, and the manifest of 1" in str(failure(layout))


def test_an_image_of_another_platform_is_refused(layout: LayoutFolder) -> None:
    arm = layout.image(ONE, platform="linux/arm64")
    layout.add(arm, "one").add(layout.index(arm), "index")
    assert "it is for linux/arm64, expected linux/amd64\n    --platform linux/arm64" in str(failure(layout, "one"))
    assert "it is not there for linux/amd64: it is for linux/arm64" in str(failure(layout, "index"))


def test_a_layer_that_is_not_there_is_named(layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE))
    layout.path(hashed(ONE)).unlink()
    assert f"{hashed(ONE).removeprefix('sha256:')}: it cannot be read: No such file" in str(failure(layout))


def test_a_chart_is_no_image(layout: LayoutFolder) -> None:
    kind = "application/vnd.cncf.helm.config.v1+json"
    layout.add(layout.image(ONE, config={"mediaType": kind, "digest": hashed(b"x")}))
    assert "it is a Helm chart, expected an image" in str(failure(layout))


def test_indexes_in_indexes_come_to_an_end(layout: LayoutFolder) -> None:
    found = layout.image(ONE)
    for _ in range(4):
        found = layout.index({key: value for key, value in found.items() if key != "platform"})
    layout.add(found)
    assert "an index of indexes of indexes" in str(failure(layout))


def test_a_name_that_is_not_there_is_told_with_those_that_are(layout: LayoutFolder) -> None:
    layout.add(layout.image(ONE), "v1").add(layout.image(TWO), "v2")
    assert "there is no image 'v3'\n    there are: v1, v2" in str(failure(layout, "v3"))
    assert "it holds 2 images\n    say which: " in str(failure(layout))


def test_an_empty_layout_holds_nothing(layout: LayoutFolder) -> None:
    assert "it holds 0 images" in str(failure(layout))


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("oci-layout", None, "this is no layout of images: No such file"),
        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}', "of another version than 1"),
        ("oci-layout", "[]", "this is no JSON mapping"),
        ("index.json", None, "this is no layout of images: No such file"),
        ("index.json", "{", "this is no JSON mapping"),
        ("index.json", "{}", "this is no index of images"),
        ("index.json", '{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}', "is no digest"),
        ("index.json", '{"manifests": [1, {}]}', "'None' is no digest"),
    ],
)
def test_a_folder_that_is_no_layout_is_refused(
    file: str, text: str | None, expected: str, layout: LayoutFolder
) -> None:
    if text is None:
        (layout.folder / file).unlink()
    else:
        (layout.folder / file).write_text(text)
    assert expected in str(failure(layout))


@given(st.binary(max_size=300))
def test_an_index_of_any_bytes_is_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    layout = LayoutFolder(tmp_path_factory.mktemp("any") / "layout")
    (layout.folder / "index.json").write_bytes(data)
    assert isinstance(failure(layout), InputError)


# References

DIGEST = hashed(b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx:1", Reference(registry="docker.io", repository="nginx", tag="1")),
        ("a/b:v1", Reference(registry="docker.io", repository="a/b", tag="v1")),
        ("ghcr.io/a/b:v1", Reference(registry="ghcr.io", repository="a/b", tag="v1")),
        ("localhost/a:v1", Reference(registry="localhost", repository="a", tag="v1")),
        ("h:5000/a/b", Reference(registry="h:5000", repository="a/b")),
        (f"a/b@{DIGEST}", Reference(registry="docker.io", repository="a/b", digest=DIGEST)),
        (f"h:5000/a:v1@{DIGEST}", Reference(registry="h:5000", repository="a", tag="v1", digest=DIGEST)),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "A/b:v1", "a/b:", "a/b@", "a/b@sha256:1", "a b", "../a:v1", "a/../b:v1", "docker://a/b:v1", "a:v1:v2", "-x:1"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is no reference of an image\n    such as docker\.io/"):
        parse_reference(text)


def test_an_image_of_a_registry_needs_a_tag_or_a_digest() -> None:
    with pytest.raises(InputError, match="a/b names no tag and no digest"):
        open_image("a/b")


def test_an_image_tells_nothing_of_its_source() -> None:
    assert "source" not in repr(OciImage(name="x", repository=None, tag=None, digests=(), layers=(), source=None))  # type: ignore[arg-type]
    assert OCI in GZIP
