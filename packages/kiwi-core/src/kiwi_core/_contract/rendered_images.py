"""Rule c on manifests: every image of every pod, of init containers and of Helm's hooks too, is one that a pin decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import effective
from kiwi_core._contract.pins import TESTS
from kiwi_core._contract.rendered import containers_in, pods_of, rendering_of, template_of
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven
from kiwi_core._model.late import Pin, Value
from kiwi_core._model.manifest import Manifest, Steps, as_list, as_map, strings
from kiwi_core._model.pins import Pins
from kiwi_core._model.rendered import RenderedChart
from kiwi_core.errors import dotted

__all__ = ["RULES"]

LETTER = "c"

# An image by its registry and a tag with a digit, or by its digest, in an argument or the like (distribution/reference).
WITHIN: Final = re.compile(
    r"(?<![\w.:/@-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?/[a-z0-9][a-z0-9._/-]*"
    r"(?::(?:latest|[\w.-]*\d[\w.-]*)(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})(?![\w/])"
)
# How the kinds of operators call the image of what they run.
IMAGE_KEYS: Final = frozenset({"image", "imageName"})
HUB: Final = ("docker.io/library/", "docker.io/", "index.docker.io/", "registry-1.docker.io/")


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look at every image, and at whether each chart is the one that was captured."""
    rendering = rendering_of(evidence)
    for name, manifests in rendering.releases.items():
        release = stack.by_name[name]
        images = {image for manifest in manifests for _, image in _images(manifest)}
        said = f"all of its {len(images)} images are pinned" if images else "it runs no image"
        yield from proven(_release(release, manifests, stack), passed(LETTER, f"release {name}", said))
        if name in rendering.charts:
            yield from _captured(release, rendering.charts[name])


def _release(release: StackRelease, manifests: tuple[Manifest, ...], stack: Stack) -> Iterator[Result]:
    subject = f"release {release.name}"
    pinned = {_whole(stack.pins.text(Pin(name, "reference"))): name for name in stack.used_images}
    known, told = _known(release, stack.pins), set[str]()
    for manifest in manifests:
        where = template_of(manifest)
        for path, image in _images(manifest):
            if _whole(image) in pinned:
                continue
            reason = next((why for reference, why in known.items() if _is_of(image, reference)), None)
            if reason:
                if image not in told:
                    told.add(image)
                    yield passed(LETTER, subject, f"image {image} is known to be unpinned: {reason}")
            elif manifest.hooks and manifest.hooks <= TESTS:
                if image not in told:
                    told.add(image)
                    yield passed(LETTER, subject, f"image {image} runs for helm test only ({manifest.title})")
            else:
                near = next((name for text, name in pinned.items() if _named(text) == _named(_whole(image))), None)
                off = f": the pin {near!r} is {stack.pins.text(Pin(near, 'reference'))}" if near else ""
                yield finding(
                    LETTER,
                    subject,
                    f"{manifest.title}: {dotted(path)} runs {image or 'no image at all'}, which no pin decides{off}",
                    where=where,
                    fix="set it from a pin in the component's overlay (bound.image('…')), "
                    f"or declare it: unpinned={{{image!r}: '<why it may run>'}}",
                )


def _images(manifest: Manifest) -> Iterator[tuple[Steps, str]]:
    """Yield the images that an object names, with their paths."""
    if manifest.kind == "CustomResourceDefinition":
        return
    pods = pods_of(manifest)
    if pods is None:
        # What an operator makes of it is not known; an image is called one all the same.
        for path, text in strings(manifest.object):
            if path[-1] in IMAGE_KEYS and path[0] not in {"data", "metadata"} and text:
                yield path, text
        return
    for path, container in containers_in(pods):
        image = container.get("image")
        yield (*path, "image"), image if isinstance(image, str) else ""
        for part in ("command", "args", "env"):
            for deeper, text in strings(container.get(part), (*path, part)):
                yield from ((deeper, match[0]) for match in WITHIN.finditer(text))
    for index, volume in enumerate(as_list(pods.spec.get("volumes"))):
        reference = as_map(as_map(volume).get("image")).get("reference")
        if isinstance(reference, str):
            yield (*pods.path, "spec", "volumes", index, "image", "reference"), reference


def _known(release: StackRelease, pins: Pins) -> Mapping[str, str]:
    """Return the images that the component declares unpinned, with the reason: those of templates and of values."""
    known: dict[str, str] = {}
    tree = effective(release, release.capture) if release.capture else release.values
    for path, reason in release.declared.unpinned.items():
        known[path] = reason
        with suppress(KeyError):
            known[_reference(get(tree, tuple(path.split(".")) if path else ()), pins)] = reason
    return {text: reason for text, reason in known.items() if text}


def _reference(value: Value, pins: Pins) -> str:
    """Return the repository that a map of an image in values names, or the reference that a text is."""
    if isinstance(value, Pin):
        return pins.text(value)
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    texts = (_reference(value.get(key), pins) for key in ("registry", "repository"))
    return "/".join(filter(None, texts))


def _whole(image: str) -> str:
    """Return a reference without what Docker Hub's images may leave out."""
    for prefix in HUB:
        image = image.removeprefix(prefix)
    return image


def _named(image: str) -> str:
    """Return a reference's registry and repository."""
    name = image.partition("@")[0]
    last = name.rpartition("/")[2]
    return name[: len(name) - len(last)] + last.partition(":")[0]


def _is_of(image: str, reference: str) -> bool:
    """Say whether an image is a declared one: the very reference, or any tag of a repository that values name."""
    one, other = _whole(image), _whole(reference)
    return one == other or one.endswith(f"/{other}") or (_named(other) == other and _named(one) == other)


def _captured(release: StackRelease, chart: RenderedChart) -> Iterator[Result]:
    """The static rules look at a capture: it has to be of the chart that is delivered."""
    digest = release.capture.digest if release.capture else None
    if digest and chart.digest and digest != f"sha256:{chart.digest}":
        yield finding(
            LETTER,
            f"release {release.name}",
            f"chart {chart.title} is sha256:{chart.digest} where it comes from, and {digest} was captured",
            fix="somebody pushed another chart under this version, or the capture is of another one: look which",
        )


RULES = (Rule(letter=LETTER, title="pins, rendered", check=check, on_manifests=True),)
