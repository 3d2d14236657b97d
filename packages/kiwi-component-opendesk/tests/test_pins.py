"""openDesk's pins, as a template takes them."""

from __future__ import annotations

import pytest
from kiwi_component_opendesk import OpenDesk
from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._selection import APPS, EXTRAS
from kiwi_component_opendesk.pins import entries, main


def names(text: str) -> list[str]:
    return [line.strip().removesuffix(":") for line in text.splitlines() if line.startswith("  opendesk-")]


@pytest.mark.parametrize("enterprise", [False, True])
def test_every_pin_that_a_release_names_is_there(enterprise: bool) -> None:  # noqa: FBT001 -- a parameter of a test
    extras = tuple(EXTRAS) if enterprise else ("clamav-distributed", "dkimpy", "otterize", "alerts", "dashboards")
    for component in (
        OpenDesk(apps=APPS, enterprise=enterprise),
        OpenDesk(apps=APPS, enterprise=enterprise, extras=extras),
    ):
        declared = component.declare().releases
        assert {release.chart for release in declared} <= set(names(entries("charts", enterprise=enterprise)))
        assert {image for release in declared for image in release.images} <= set(
            names(entries("images", enterprise=enterprise))
        )


def test_an_entry_has_the_form_of_a_pin_file() -> None:
    chart = facts().charts["nextcloud"]
    assert (
        "  opendesk-nextcloud:\n"
        f'    registry: "{chart["registry"]}"\n'
        f'    repository: "{chart["repository"]}"\n'
        f'    name: "{chart["name"]}"\n'
        f'    version: "{chart["version"]}"\n'
        "    verify: true\n"
    ) in entries("charts")
    assert len(names(entries("charts"))) == 51
    assert len(names(entries("charts", enterprise=True))) == 53
    assert len(names(entries("images"))) == 111
    assert len(names(entries("images", enterprise=True))) == 115


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images", "--enterprise"]) == 0
    assert capsys.readouterr().out == entries("images", enterprise=True)
