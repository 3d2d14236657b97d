"""Rule c: chart versions and image tags stand in one place; dogfood and stable pin images by digest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import active_subcharts, capture_command, effective, is_on
from kiwi_core._contract.pin_history import check_history
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.capture import CapturedImage, ChartCapture
from kiwi_core._model.late import Late, Path, Pin, Value, leaves, parts_of
from kiwi_core.errors import dotted

__all__ = ["RULES"]

LETTER = "c"

# An image reference with a tag or digest (distribution/reference), as a value of its own.
REFERENCE: Final = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
TAG_KEYS: Final = frozenset({"tag", "imageTag", "digest"})


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look for versions outside of the pin files, images left at upstream's default, and pins that float."""
    for release in stack.releases:
        yield from _second_places(release)
        if release.role == "component":
            yield from _images_of_chart(release, stack)
    yield from _floating(stack, evidence)
    yield from check_history(stack, evidence)


def _second_places(release: StackRelease) -> Iterator[Result]:
    """A literal tag or image reference in the values is a second place for a version."""
    for path, leaf in leaves(release.values):
        if not isinstance(leaf, str) or not leaf:
            continue
        last = next((step for step in reversed(path) if isinstance(step, str)), "")
        tagged = ":" in leaf.rpartition("/")[2] or "@" in leaf
        is_image = "image" in last.lower() and tagged and REFERENCE.fullmatch(leaf)
        if last in TAG_KEYS or is_image:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} is the literal {leaf!r}: a second place for a version",
                fix="name the pin instead: repository, tag = bound.image('…'); the version stays in images.yaml",
            )


def _images_of_chart(release: StackRelease, stack: Stack) -> Iterator[Result]:
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
    tree = effective(release, capture)
    switched = {subchart.key for subchart in capture.subcharts} - {
        subchart.key for subchart in active_subcharts(capture, tree)
    }
    for image in capture.images:
        steps = tuple(image.path.split(".")) if image.path else ()
        if steps[:1] and steps[0] in switched:
            continue
        reason = release.declared.unpinned.get(image.path)
        if reason:
            yield passed(LETTER, subject, f"image {image.path} is known to be unpinned: {reason}")
        elif not _is_off(steps, tree) and not _is_pinned(image, steps, release.values):
            shown = f"{image.repository or '?'}:{image.tag or '<chart default>'}"
            yield finding(
                LETTER,
                subject,
                f"image {image.path or image.keys[0]} is left at upstream's default {shown}",
                fix="set it from a pin in the component's overlay: bound.image('…')",
            )
    yield from _hard_coded(release, capture, tree)
    yield passed(LETTER, subject, f"{len(capture.images)} images of chart {capture.name} are pinned or off")


def _is_off(steps: Path, tree: Mapping[str, Value]) -> bool:
    """Say whether an ``enabled: false`` above an image switches it off."""
    for depth in range(1, len(steps) + 1):
        try:
            if get(tree, (*steps[:depth], "enabled")) is False:
                return True
        except KeyError:
            continue
    return False


def _is_pinned(image: CapturedImage, steps: Path, values: Mapping[str, Value]) -> bool:
    """Say whether the part of an image that says its version comes from a pin."""
    deciding = [key for key in image.keys if key not in {"registry", "repository"}] or list(image.keys)
    for key in deciding:
        try:
            value = get(values, (*steps, key))
        except KeyError:
            continue
        if isinstance(value, Late) and any(isinstance(part, Pin) for part in parts_of(value)):
            return True
    return False


def _hard_coded(release: StackRelease, capture: ChartCapture, tree: Mapping[str, Value]) -> Iterator[Result]:
    subject = f"release {release.name}"
    for image in capture.hard_coded:
        on = is_on(image.guards, tree)
        if on is False or image.hook in {"test", "test-success", "test-failure"}:
            continue
        reason = release.declared.unpinned.get(image.image)
        place = f"{image.file}:{image.line}"
        if reason:
            yield passed(LETTER, subject, f"hard-coded image {image.image} ({place}) is known: {reason}")
        elif on is None:
            message = f"its chart hard-codes image {image.image} ({place}) under a condition that values do not tell"
            yield unproven(LETTER, subject, message, fix="kiwistack render shows whether it runs")
        else:
            yield finding(
                LETTER,
                subject,
                f"its chart hard-codes image {image.image} ({place})",
                fix=f"switch off what uses it, or declare it: unpinned={{{image.image!r}: '<why it may run>'}}",
            )


def _floating(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    files = stack.inputs.pins
    if not stack.lane.is_pinned:
        yield passed(LETTER, f"lane {stack.lane}", "pins may float in this lane")
        return
    images = stack.used_images
    for name, image in images.items():
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
    yield passed(LETTER, f"lane {stack.lane}", f"{len(images)} images were looked at")


RULES = (Rule(letter=LETTER, title="pins", check=check),)
