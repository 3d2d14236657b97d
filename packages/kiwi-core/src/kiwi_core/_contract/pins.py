"""Rule c: chart versions and image tags stand in one place; dogfood and stable pin images by digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import active_subcharts, capture_command, effective, is_on
from kiwi_core._contract.pin_history import check_history
from kiwi_core._contract.pin_places import check_places
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven, unproven
from kiwi_core._model.capture import CapturedImage, ChartCapture
from kiwi_core._model.late import Path, Pin, Value, parts_of

__all__ = ["RULES", "TESTS", "unpinned_images"]

LETTER = "c"

TESTS: Final = frozenset({"test", "test-success", "test-failure"})
"""Values of ``helm.sh/hook`` of what runs only when somebody asks for it."""

# The keys that make up one image; any other key on an ``image:`` line is an image of its own.
PARTS: Final = frozenset({"registry", "repository", "image", "tag", "digest"})
NAMES: Final = frozenset({"registry", "repository"})


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look for versions outside of the pin files, images left at upstream's default, and pins that float."""
    for release in stack.releases:
        yield from check_places(release)
        if release.role == "component":
            yield from _images_of_chart(release)
    lane = f"lane {stack.lane}"
    if stack.lane.is_pinned:
        pinned = passed(LETTER, lane, f"{len(stack.used_images)} images are pinned by digest")
        yield from proven(_floating(stack, evidence), pinned)
    else:
        yield passed(LETTER, lane, "pins may float in this lane")
    yield from check_history(stack, evidence)


def _images_of_chart(release: StackRelease) -> Iterator[Result]:
    subject = f"release {release.name}"
    capture = release.capture
    if capture is None:
        yield unproven(
            LETTER,
            subject,
            f"chart {release.declared.chart} was not captured: it may run images that nobody pinned",
            fix=capture_command(release),
        )
        return
    yield from proven(
        _chosen(release, capture),
        passed(LETTER, subject, f"{len(capture.images)} images of chart {capture.name} are pinned or off"),
    )


def _chosen(release: StackRelease, capture: ChartCapture) -> Iterator[Result]:
    subject = f"release {release.name}"
    tree = effective(release, capture)
    for path, fault, reason in unpinned_images(release, capture):
        if reason:
            yield passed(LETTER, subject, f"image {path} is known to be unpinned: {reason}")
        else:
            yield finding(
                LETTER,
                subject,
                f"image {path} {fault}",
                fix="set it from a pin in the component's overlay: bound.image('…')",
            )
    yield from _hard_coded(release, capture, tree)
    for subchart in active_subcharts(capture, tree):
        if not subchart.captured:
            yield unproven(
                LETTER,
                subject,
                f"its subchart {subchart.key!r} is on and was not captured: it may run images that nobody pinned",
                fix=f"switch it off, or capture the chart with {subchart.name} in its charts/ folder",
            )


def unpinned_images(release: StackRelease, capture: ChartCapture) -> Iterator[tuple[str, str, str]]:
    """Yield the images that values choose and no pin does: path, what is wrong, and the reason why it may be."""
    tree = effective(release, capture)
    switched_off = {subchart.key for subchart in capture.subcharts}
    switched_off -= {subchart.key for subchart in active_subcharts(capture, tree)}
    for image in capture.images:
        steps = tuple(image.path.split(".")) if image.path else ()
        reason = release.declared.unpinned.get(image.path, "")
        if (steps and steps[0] in switched_off) or (not reason and _is_off(steps, tree)):
            continue
        fault = _fault(image, steps, release.values)
        if fault or reason:
            yield image.path or image.keys[0], fault or "", reason


def _is_off(steps: Path, tree: Mapping[str, Value]) -> bool:
    """Say whether an ``enabled: false`` above an image switches it off."""
    for depth in range(1, len(steps) + 1):
        try:
            if get(tree, (*steps[:depth], "enabled")) is False:
                return True
        except KeyError:
            continue
    return False


def _fault(image: CapturedImage, steps: Path, values: Mapping[str, Value]) -> str | None:
    """Say what keeps an image from being one pin; None when nothing does."""
    found: dict[str, Value] = {}
    for key in image.keys:
        with suppress(KeyError):
            found[key] = get(values, (*steps, key))
    pins = {key: {part for part in parts_of(value) if isinstance(part, Pin)} for key, value in found.items()}
    versions = {part for key in pins for part in pins[key] if part.part in {"tag", "reference"} and key not in NAMES}
    if not versions:
        return f"is left at upstream's default {image.repository or '?'}:{image.tag or '<chart default>'}"
    names = sorted({part.name for key in pins if key in PARTS for part in pins[key]})
    if len(names) > 1:
        return f"is put together from several pins: {', '.join(names)}"
    literals = [value for key, value in found.items() if key in NAMES and value and isinstance(value, str)]
    return (
        f"takes its tag from the pin {names[0]!r} and its name from the literal {literals[0]!r}" if literals else None
    )


def _hard_coded(release: StackRelease, capture: ChartCapture, tree: Mapping[str, Value]) -> Iterator[Result]:
    subject = f"release {release.name}"
    for image in capture.hard_coded:
        on = is_on(image.guards, tree)
        if on is False or image.hook in TESTS:
            continue
        reason = release.declared.unpinned.get(image.image)
        place = f"{image.file}:{image.line}"
        if reason:
            yield passed(LETTER, subject, f"hard-coded image {image.image} ({place}) is known: {reason}")
        elif on is None:
            message = f"its chart hard-codes image {image.image} ({place}) under a condition that values do not tell"
            yield unproven(LETTER, subject, message, fix="helmfile template in the built tree shows whether it runs")
        else:
            yield finding(
                LETTER,
                subject,
                f"its chart hard-codes image {image.image} ({place})",
                fix=f"switch off what uses it, or declare it: unpinned={{{image.image!r}: '<why it may run>'}}",
            )


def _floating(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    files = stack.inputs.pins
    for name, image in stack.used_images.items():
        where = files.where("images", name, "tag")
        command = f"{evidence.pin_command} --image {name}="
        if image.version == "latest":
            yield finding(
                LETTER,
                f"image {name}",
                f"{image.name}:latest floats, and lane {stack.lane} is pinned",
                where=where,
                fix=f"{command}<tag>@sha256:<digest>",
            )
        elif image.digest is None:
            yield finding(
                LETTER,
                f"image {name}",
                f"{image.name}:{image.tag} has no digest, and lane {stack.lane} pins by digest",
                where=where,
                fix=f"{command}{image.tag}@sha256:<digest>",
            )
    for name, chart in stack.used_charts.items():
        where = files.where("charts", name)
        if chart.path is not None:
            yield finding(
                LETTER,
                f"chart {name}",
                f"it is the local folder {chart.path!r}, and lane {stack.lane} is pinned",
                where=where,
                fix="take 'path' out of the pin: the version counts",
            )
        if chart.is_oci and chart.digest is None:
            yield unproven(
                LETTER,
                f"chart {name}",
                f"version {chart.version} has no digest: its registry could serve another chart under it",
                where=where,
                fix=f"{evidence.pin_command} --chart {name}={chart.version}@sha256:<digest>",
            )


RULES = (Rule(letter=LETTER, title="pins", check=check),)
