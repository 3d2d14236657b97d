"""Pins are refused where a registry or Helm would refuse them, and where they float."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Pin
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST.upper(),
        DIGEST.replace("sha256", "sha512"),
        DIGEST[7:],
        "latest",
    ],
)
def test_a_malformed_digest_is_refused(digest: str) -> None:
    message = rf"is malformed: expected 'sha256:' and 64 hexadecimal digits, found {len(digest)} characters"
    with pytest.raises(ValueError, match=message):
        ChartPin(registry="ghcr.io", name="x", version="1.0.0", digest=digest)
    with pytest.raises(ValueError, match=message):
        ImagePin(registry="ghcr.io", repository="x", tag=f"v1@{digest}")


@pytest.mark.parametrize(
    "version", ["^1.2.3", "~1.2.3", ">=1.2.3", "1.x", "1.2", "1.2.x", "*", "", "latest", "1.2.3 - 2.0.0", "1.2.3\n"]
)
def test_a_version_range_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"version .* is not one exact version such as '1\.2\.3' \(a range floats\)"):
        ChartPin(registry="ghcr.io", name="x", version=version)


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+build.5", "0.0.0-0+0"])
def test_one_exact_version_is_taken(version: str) -> None:
    assert ChartPin(registry="ghcr.io", name="x", version=version).version == version


@pytest.mark.parametrize("registry", ["oci://ghcr.io", "file:///charts", "ghcr.io ", "", "ghcr.io:port"])
def test_a_registry_is_a_host_or_the_address_of_a_classic_repository(registry: str) -> None:
    with pytest.raises(ValueError, match=r"registry .* is no host such as 'ghcr\.io' or address"):
        ChartPin(registry=registry, name="x", version="1.0.0")


@pytest.mark.parametrize(
    ("registry", "repository", "location", "is_oci"),
    [
        ("ghcr.io", "charts/onyx", "ghcr.io/charts/onyx", True),
        ("registry.example:5000", "", "registry.example:5000", True),
        ("https://charts.example", "stable", "https://charts.example/stable", False),
        ("https://charts.example/", "/stable/", "https://charts.example/stable", False),
    ],
)
def test_a_chart_is_pulled_from_a_registry_or_a_classic_repository(
    registry: str,
    repository: str,
    location: str,
    is_oci: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    pin = ChartPin(registry=registry, repository=repository, name="x", version="1.0.0")
    assert (pin.location, pin.is_oci) == (location, is_oci)


@pytest.mark.parametrize("registry", ["https://docker.io", "docker.io/", "docker io", "", "docker.io/library"])
def test_the_registry_of_an_image_is_a_host(registry: str) -> None:
    with pytest.raises(ValueError, match=r"registry .* is no host such as 'docker\.io'"):
        ImagePin(registry=registry, repository="x", tag="v1")


@pytest.mark.parametrize("repository", ["", "/x", "x/", "X", "a//b", "a b", "x:v1", "a..b"])
def test_an_image_repository_keeps_to_the_grammar(repository: str) -> None:
    with pytest.raises(ValueError, match="is not an image repository"):
        ImagePin(registry="docker.io", repository=repository, tag="v1")


@pytest.mark.parametrize("tag", ["", "a b", "-a", ".a", "a" * 129, "ä", f"@{DIGEST}", "a/b"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is no image tag"):
        ImagePin(registry="docker.io", repository="x", tag=tag)


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True), st.booleans())
def test_a_tag_is_told_from_its_digest(tag: str, has_digest: bool) -> None:  # noqa: FBT001 -- drawn
    pin = ImagePin(registry="docker.io", repository="a/b", tag=f"{tag}@{DIGEST}" if has_digest else tag)
    assert (pin.version, pin.digest) == (tag, DIGEST if has_digest else None)


def test_a_late_pin_stands_for_a_part_of_its_image() -> None:
    pins = Pins(images={"web": ImagePin(registry="docker.io", repository="a/b", tag=f"v1@{DIGEST}")})
    assert {part: pins.text(Pin("web", part)) for part in ("registry", "repository", "name", "tag", "reference")} == {
        "registry": "docker.io",
        "repository": "a/b",
        "name": "docker.io/a/b",
        "tag": f"v1@{DIGEST}",
        "reference": f"docker.io/a/b:v1@{DIGEST}",
    }
    with pytest.raises(KeyError):
        pins.text(Pin("other", "tag"))


def test_a_pin_knows_its_file_and_line() -> None:
    files = PinFiles(pins=Pins(), charts_file="c.yaml", images_file="i.yaml", line=len)
    assert str(files.where("charts", "onyx")) == "c.yaml:2: charts.onyx"
    assert str(files.where("images", "web", "tag")) == "i.yaml:3: images.web.tag"
