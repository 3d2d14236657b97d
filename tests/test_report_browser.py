"""The report in a real browser: it opens without a complaint, asks nobody for anything, and can be seen and printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import attrs
import pytest
from testbed.servers import find_or_install
from testbed.tools import ToolError
from trees import EXAMPLES, kiwistack

pytestmark = pytest.mark.real_server

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SIZE = (900, 700)
WRONG = """<!doctype html><title>wrong</title>
<meta http-equiv="Content-Security-Policy" content="style-src 'none'">
<style>body { color: red }</style><img src="http://pixel.example/x.png">"""


@attrs.frozen(kw_only=True)
class Opened:
    """What came of opening a page.

    Attributes:
        dom: the page as the browser understood it.
        complaints: what it wrote to its console.
        requests: addresses that the page asked the network for; the browser's own are none of them.
        pixels: the picture's bytes, filtered as PNG has it: the first pixel is as it is (PNG, section 9).
        pdf: the page as it is printed.
    """

    dom: str
    complaints: Sequence[str]
    requests: Sequence[str]
    pixels: bytes
    pdf: bytes

    @property
    def ground(self) -> tuple[int, ...]:
        """Red, green and blue of the upper left corner."""
        return tuple(self.pixels[1:4])

    @property
    def drawn(self) -> float:
        """How much of the picture differs from what is left of it, above it, or both."""
        return 1 - self.pixels.count(0) / len(self.pixels)


@pytest.fixture(scope="module")
def chromium() -> Path:
    """Chromium, as an executable file."""

    def find() -> Path | None:
        return next((Path(found) for name in PROGRAMS if (found := shutil.which(name))), None)

    try:
        return find_or_install(find, "chromium")
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the largest example."""
    out = tmp_path_factory.mktemp("report")
    kiwistack("build", EXAMPLES / "cust-kiwistack", "--out", out)
    return out / "report.html"


@pytest.fixture(scope="module")
def dark(chromium: Path, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The report, opened by somebody who likes it dark."""
    return opened(chromium, report, tmp_path_factory.mktemp("dark"), scheme="dark")


def opened(program: Path, page: Path, folder: Path, *, scheme: str) -> Opened:
    """Open a page from the disk, with a browser that can reach nobody."""
    done = subprocess.run(
        [
            program,
            *("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking"),
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            f"--user-data-dir={folder / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *("--enable-logging=stderr", f"--log-net-log={folder / 'net.json'}"),
            f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}",
            f"--window-size={SIZE[0]},{SIZE[1]}",
            *(f"--screenshot={folder / 'page.png'}", f"--print-to-pdf={folder / 'page.pdf'}", "--dump-dom"),
            page.as_uri(),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Opened(
        dom=done.stdout,
        complaints=[line for line in done.stderr.splitlines() if ":CONSOLE" in line],
        requests=requests_of(json.loads((folder / "net.json").read_bytes())),
        pixels=pixels_of((folder / "page.png").read_bytes()),
        pdf=(folder / "page.pdf").read_bytes(),
    )


def requests_of(log: dict[str, object]) -> list[str]:
    """Addresses that a page asked for; what the browser asks for itself has no origin."""
    constants = cast("dict[str, dict[str, int]]", log["constants"])
    start = constants["logEventTypes"]["URL_REQUEST_START_JOB"]
    events = cast("list[dict[str, object]]", log["events"])
    asked = [
        cast("dict[str, str]", event["params"]) for event in events if event["type"] == start and "params" in event
    ]
    return [each["url"] for each in asked if "url" in each and each.get("initiator") != "not an origin"]


def pixels_of(png: bytes) -> bytes:
    """The picture data of a PNG with eight bits for each of three or four colours."""
    at, data = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    return zlib.decompress(data)


def test_a_page_that_does_wrong_is_seen_to_do_it(chromium: Path, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(WRONG, encoding="utf-8")
    found = opened(chromium, page, tmp_path, scheme="light")
    assert found.requests == ["http://pixel.example/x.png"]
    assert any("Content Security Policy" in line for line in found.complaints)
    assert found.drawn < 0.01
    assert pages_of(found.pdf) == 1


def test_it_opens_without_a_complaint_and_asks_nobody(dark: Opened) -> None:
    assert dark.complaints == []
    assert dark.requests == []


def test_it_has_its_title_and_all_its_sections(dark: Opened) -> None:
    assert "<title>tenant kiwistack, lane dev · KiwiStack</title>" in dark.dom
    assert re.findall(r'<section id="(\w+)"', dark.dom) == [
        "picture",
        "releases",
        "results",
        "pins",
        "secrets",
        "hooks",
        "network",
    ]
    assert dark.dom.count('<a href="#release-') > 90
    assert dark.dom.count("<tr") > 300


def test_it_can_be_seen_in_the_dark_and_in_the_light(
    chromium: Path, report: Path, dark: Opened, tmp_path: Path
) -> None:
    light = opened(chromium, report, tmp_path, scheme="light")
    assert light.complaints == []
    assert light.ground == (255, 255, 255)
    assert dark.ground == (18, 22, 29)
    for seen in (dark, light):
        assert seen.drawn > 0.02


def test_it_can_be_printed(dark: Opened) -> None:
    assert dark.pdf.startswith(b"%PDF-")
    assert 10 < pages_of(dark.pdf) < 60


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))
