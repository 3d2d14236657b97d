"""Which images and charts a tenant runs, where each is pinned, and which no pin decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import attrs

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.chart import effective, is_on
from kiwi_core._contract.pins import TESTS, unpinned_images
from kiwi_core._model.late import Pin, late_leaves

__all__ = ["PinUse", "Unpinned", "pin_uses", "unpinned", "unused_pins"]


@attrs.frozen(kw_only=True)
class PinUse:
    """A pin that counts.

    Attributes:
        kind: the file that it stands in.
        reference: what it stands for, without its digest.
        where: file and line.
        releases: who uses it.
        is_local: whether a local folder is taken in its stead, as lane dev may.
    """

    kind: Literal["charts", "images"]
    name: str
    reference: str
    digest: str | None
    where: str
    releases: Sequence[str]
    is_oci: bool = True
    is_local: bool = False


@attrs.frozen(kw_only=True)
class Unpinned:
    """An image that upstream decides.

    Attributes:
        release: who runs it.
        image: what it is, or the path of the values that choose it.
        how: how it comes to run.
        reason: why it may, as its component declares; empty where it does not.
    """

    release: str
    image: str
    how: str
    reason: str


def pin_uses(stack: Stack) -> Iterator[PinUse]:
    """Yield the pins that the tenant's releases use, charts first, by name."""
    files = stack.inputs.pins
    charts = {release.declared.chart: release.chart for release in stack.releases if release.chart}
    for name, chart in sorted(charts.items()):
        where = files.where("charts", name)
        yield PinUse(
            kind="charts",
            name=name,
            reference=f"{chart.location}/{chart.name} {chart.version}",
            digest=chart.digest,
            where=f"{where.file}:{where.line}",
            releases=[release.name for release in stack.releases if release.chart and release.declared.chart == name],
            is_oci=chart.is_oci,
            is_local=name not in stack.used_charts,
        )
    users = {release.name: _images(release) for release in stack.releases}
    for name, image in stack.used_images.items():
        where = files.where("images", name, "tag")
        yield PinUse(
            kind="images",
            name=name,
            reference=f"{image.name}:{image.version}",
            digest=image.digest,
            where=f"{where.file}:{where.line}",
            releases=[release for release, images in users.items() if name in images],
        )


def _images(release: StackRelease) -> set[str]:
    """Return the image pins of a release, those included that a higher layer covers."""
    names = {late.name for layer in release.layers for _, late in late_leaves(layer.values) if isinstance(late, Pin)}
    return names.union(release.declared.images)


def unpinned(stack: Stack) -> Iterator[Unpinned]:
    """Yield the images that run, or may run, as upstream chose them: hard-coded ones, and defaults that were left."""
    for release in stack.releases:
        if release.role != "component" or (capture := release.capture) is None:
            continue
        known = release.declared.unpinned
        for path, fault, reason in unpinned_images(release, capture):
            yield Unpinned(
                release=release.name, image=path, how="no pin decides it" if reason else fault, reason=reason
            )
        tree = effective(release, capture)
        for image in capture.hard_coded:
            on = is_on(image.guards, tree)
            if on is False:
                continue
            how = f"hard-coded in {image.file}:{image.line}"
            if image.hook in TESTS:
                how += ", for helm test only"
            elif on is None:
                how += ", under a condition that values do not tell"
            yield Unpinned(release=release.name, image=image.image, how=how, reason=known.get(image.image, ""))


def unused_pins(stack: Stack) -> Sequence[str]:
    """Return the pins that no release of the tenant uses, as ``chart NAME`` and ``image NAME``."""
    used = {(pin.kind, pin.name) for pin in pin_uses(stack)}
    charts = [f"chart {name}" for name in sorted(stack.pins.charts) if ("charts", name) not in used]
    return [*charts, *(f"image {name}" for name in sorted(stack.pins.images) if ("images", name) not in used)]
