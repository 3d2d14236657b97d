"""Rule c on the cluster: every container runs an image that is pinned, by its digest where the pin has one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Result, finding, passed, unproven
from kiwi_core._model.manifest import Object, as_list, as_map
from kiwi_core._model.snapshot import Snapshot

__all__ = ["check_images"]

LETTER: Final = "c"
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def check_images(stack: Stack, snapshot: Snapshot) -> Iterator[Result]:
    """Say of each pod's containers whether they run what is pinned.

    What runs is what the node says: a tag may have moved since. A digest of an index and that of the image for the
    node's platform differ; the container's own reference tells then.
    """
    pins = {f"{pin.registry}/{pin.repository}:{pin.tag}": name for name, pin in stack.used_images.items()}
    hidden = {image for release in stack.releases for image in release.declared.unpinned}
    number = 0
    for key, item in snapshot.objects.items():
        if (key.group, key.kind) != ("", "Pod"):
            continue
        for container, image, runs in _containers(item):
            subject = f"pod {key.name}, container {container}"
            if image in hidden or image.partition(":")[0] in hidden:
                yield unproven(LETTER, subject, f"it runs {image}, which no pin decides")
            elif image not in pins:
                yield finding(LETTER, subject, f"it runs {image}, which is no pin", fix="kiwistack apply")
            elif (digest := _digest(image)) and runs and digest not in {_digest(runs), ""} and image not in runs:
                message = f"the node runs {runs}, and the pin {pins[image]!r} says {digest}"
                yield unproven(LETTER, subject, message, fix="an index has another digest than the image of a platform")
            else:
                number += 1
    yield passed(LETTER, "images", f"{number} containers run what is pinned")


def _containers(pod: Object) -> Iterator[tuple[str, str, str]]:
    """Yield the containers of a pod: name, reference, and what the node says that it runs."""
    spec, status = as_map(pod.get("spec")), as_map(pod.get("status"))
    runs: Mapping[str, str] = {
        str(as_map(item).get("name")): str(as_map(item).get("imageID") or "")
        for kind in ("initContainerStatuses", "containerStatuses")
        for item in as_list(status.get(kind))
    }
    for kind in ("initContainers", "containers"):
        for item in map(as_map, as_list(spec.get(kind))):
            name = str(item.get("name"))
            yield name, str(item.get("image")), runs.get(name, "")


def _digest(reference: str) -> str:
    found = DIGEST.search(reference)
    return found.group() if found else ""
