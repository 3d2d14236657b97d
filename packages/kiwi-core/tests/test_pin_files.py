"""Pins are bumped in place: what is not bumped stays as it is, and a mistake changes no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from kiwi_core import Lane
from kiwi_core._deliver.pin_files import bump_pins
from kiwi_core.errors import PinError

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
CHARTS = f"""\
# The charts of this lane.
charts:
  onyx:
    registry: "ghcr.io"
    repository: 'onyx-dot-app/charts'   # theirs
    name: onyx
    version: 0.8.19   # alone: the chart was mended
  # The platform's own.
  kiwi-hooks:
    registry: registry.example
    name: "kiwi-hooks"
    version: "0.1.0"
    digest: "{DIGEST}"
"""
IMAGES = """\
images:
  web: {registry: docker.io, repository: onyxdotapp/onyx-web-server, tag: "v4.6.1"} # one line
  backend:
    registry: docker.io
    repository: onyxdotapp/onyx-backend
    tag: v4.6.1

# the end
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "environments" / "dev"
    folder.mkdir(parents=True)
    (folder / "charts.yaml").write_text(CHARTS, "utf-8")
    (folder / "images.yaml").write_text(IMAGES, "utf-8")
    return tmp_path


def read(template: Path) -> tuple[str, str]:
    folder = template / "environments" / "dev"
    return (folder / "charts.yaml").read_text("utf-8"), (folder / "images.yaml").read_text("utf-8")


def bump(
    template: Path, *, charts: Mapping[str, str] | None = None, images: Mapping[str, str] | None = None
) -> list[str]:
    return list(bump_pins(template, Lane.DEV, charts=charts or {}, images=images or {}))


def problems(
    template: Path, *, charts: Mapping[str, str] | None = None, images: Mapping[str, str] | None = None
) -> list[str]:
    """What is wrong, and that no file has changed."""
    before = read(template)
    with pytest.raises(PinError) as caught:
        bump(template, charts=charts, images=images)
    assert read(template) == before
    return [str(problem).replace(str(template), "TEMPLATE") for problem in caught.value.problems]


def test_charts_and_images_are_bumped_and_all_else_stays(template: Path) -> None:
    lines = bump(
        template,
        charts={"onyx": "0.9.0", "kiwi-hooks": f"0.2.0@{OTHER}"},
        images={"web": "v4.7.0", "backend": f"v4.7.0@{OTHER}"},
    )
    assert lines == [
        "chart onyx: 0.8.19 → 0.9.0",
        f"chart kiwi-hooks: 0.1.0@{DIGEST} → 0.2.0@{OTHER}",
        "image web: v4.6.1 → v4.7.0",
        f"image backend: v4.6.1 → v4.7.0@{OTHER}",
    ]
    charts, images = read(template)
    assert charts == CHARTS.replace("0.8.19", "0.9.0").replace("0.1.0", "0.2.0").replace(DIGEST, OTHER)
    assert images == IMAGES.replace('"v4.6.1"', '"v4.7.0"').replace("tag: v4.6.1", f'tag: "v4.7.0@{OTHER}"')


def test_a_pin_that_is_so_already_changes_nothing(template: Path) -> None:
    before = (template / "environments/dev/charts.yaml").stat()
    assert bump(template, charts={"onyx": "0.8.19"}, images={"web": "v4.6.1"}) == [
        "chart onyx: 0.8.19 already",
        "image web: v4.6.1 already",
    ]
    assert read(template) == (CHARTS, IMAGES)
    assert (template / "environments/dev/charts.yaml").stat() == before


def test_a_digest_is_added_to_a_chart_that_had_none(template: Path) -> None:
    bump(template, charts={"onyx": f"0.9.0@{OTHER}"})
    charts, images = read(template)
    assert OTHER in charts
    assert [line for line in CHARTS.splitlines() if "0.8.19" not in line] == [
        line for line in charts.splitlines() if "0.9.0" not in line and OTHER not in line
    ]
    assert images == IMAGES
    assert bump(template, charts={"onyx": f"0.9.0@{OTHER}"}) == [f"chart onyx: 0.9.0@{OTHER} already"]


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        (
            "charts",
            "onix",
            "TEMPLATE/environments/dev/charts.yaml:2: charts: there is no key 'onix'\n    did you mean 'onyx'?",
        ),
        (
            "images",
            "wep",
            "TEMPLATE/environments/dev/images.yaml:1: images: there is no key 'wep'\n    did you mean 'web'?",
        ),
        (
            "images",
            "zzz",
            "TEMPLATE/environments/dev/images.yaml:1: images: there is no key 'zzz'\n    keys: backend, web",
        ),
    ],
)
def test_a_pin_that_is_not_there_is_told_with_the_closest(template: Path, what: str, name: str, message: str) -> None:
    assert problems(template, **{what: {name: "1.0.0"}}) == [message]


def test_what_is_wrong_in_both_files_is_told_at_once(template: Path) -> None:
    assert len(problems(template, charts={"onix": "1.0.0", "zzz": "1"}, images={"wep": "v1"})) == 3
    assert len(problems(template, charts={"onyx": "^1"}, images={"web": "a b", "backend": "v1@x"})) == 3


def test_a_digest_is_not_lost_unseen(template: Path) -> None:
    assert problems(template, charts={"kiwi-hooks": "0.2.0"}) == [
        (
            "TEMPLATE/environments/dev/charts.yaml: chart 'kiwi-hooks' is pinned with a digest, and '0.2.0' has none\n"
            "    --chart kiwi-hooks=0.2.0@sha256:<digest>"
        )
    ]


@pytest.mark.parametrize(
    ("charts", "images", "message"),
    [
        ({"onyx": "^0.9"}, {}, "charts.yaml:7: charts.onyx.version: .*is not one exact version"),
        ({"onyx": ""}, {}, "is not one exact version"),
        ({"onyx": f"1.0.0@{DIGEST[:-1]}"}, {}, "is malformed"),
        ({"onyx": "1.0.0@"}, {}, "is malformed"),
        ({}, {"web": "a b"}, "images.yaml:2: images.web.tag: .*is no image tag"),
        ({}, {"web": "v1@latest"}, "is malformed"),
        ({}, {"web": ""}, "is no image tag"),
        ({"onyx": "0.9.0"}, {"web": "v1@"}, "is malformed"),
        ({"onyx": "^1"}, {"web": "v5"}, "is not one exact version"),
    ],
)
def test_what_is_malformed_changes_neither_file(
    template: Path, charts: Mapping[str, str], images: Mapping[str, str], message: str
) -> None:
    (found,) = problems(template, charts=charts, images=images)
    assert re.search(message, found)


@pytest.mark.parametrize(("what", "text"), [("charts", "charts: ["), ("images", "images: {web: {}}")])
def test_a_file_that_is_wrong_to_begin_with_is_told(template: Path, what: str, text: str) -> None:
    (template / "environments" / "dev" / f"{what}.yaml").write_text(text, "utf-8")
    found = problems(template, charts={"onyx": "0.9.0"})
    assert found
    assert all(f"{what}.yaml" in problem for problem in found)


def test_another_lane_stays(template: Path) -> None:
    stable = template / "environments" / "stable"
    stable.mkdir()
    (stable / "charts.yaml").write_text(CHARTS, "utf-8")
    bump(template, charts={"onyx": "0.9.0"})
    assert (stable / "charts.yaml").read_text("utf-8") == CHARTS
