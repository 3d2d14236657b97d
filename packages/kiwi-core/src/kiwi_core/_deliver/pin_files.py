"""Edit pin files in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kiwi_core._deliver.disk import replace_files
from kiwi_core._model.lane import Lane
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.repo import shown
from kiwi_core._spec.template import pin_file, read_pins
from kiwi_core._spec.yamlfile import edit_yaml
from kiwi_core.errors import PinError, Problem, Where, raise_all

__all__ = ["bump_pins", "edit_pins"]


def bump_pins(template: Path, lane: Lane, *, charts: Mapping[str, str], images: Mapping[str, str]) -> Iterator[str]:
    """Set versions of charts and tags of images in both files, or in none; see ``edit_pins``.

    Yields:
        What changed, a line for each pin.
    """
    files, lines = edit_pins(template, lane, charts=charts, images=images)
    replace_files(files)
    yield from lines


def edit_pins(
    template: Path, lane: Lane, *, charts: Mapping[str, str], images: Mapping[str, str]
) -> tuple[Mapping[Path, bytes], Sequence[str]]:
    """Set versions of charts and tags of images; comments and everything else stay as they are.

    Args:
        template: the template's folder.
        lane: whose pins.
        charts: name to ``VERSION`` or ``VERSION@sha256:…``.
        images: name to ``TAG`` or ``TAG@sha256:…``.

    Returns:
        The new content of the files that change, not yet written, and what changes, a line for each pin.

    Raises:
        PinError: a name is no pin, or a value is no version, tag or digest.
    """
    old = read_pins(template, lane, Converter())
    changes: dict[str, dict[tuple[str, ...], str]] = {"charts": {}, "images": {}}
    lines: list[str] = []
    for name, value in charts.items():
        version, at, digest = value.partition("@")
        pin = old.pins.charts.get(name)
        if pin and pin.digest and not at:
            raise PinError(
                Problem(
                    f"chart {name!r} is pinned with a digest, and {value!r} has none",
                    Where(old.charts_file),
                    f"--chart {name}={version}@sha256:<digest>",
                )
            )
        if pin and (pin.version, pin.digest) == (version, digest or None):
            lines.append(f"chart {name}: {value} already")
            continue
        changes["charts"]["charts", name, "version"] = version
        if at:
            changes["charts"]["charts", name, "digest"] = digest
        before = f"{pin.version}@{pin.digest}" if pin and pin.digest else pin.version if pin else "?"
        lines.append(f"chart {name}: {before} → {value}")
    for name, value in images.items():
        image = old.pins.images.get(name)
        if image and image.tag == value:
            lines.append(f"image {name}: {value} already")
            continue
        changes["images"]["images", name, "tag"] = value
        lines.append(f"image {name}: {image.tag if image else '?'} → {value}")
    files: dict[Path, bytes] = {}
    problems: list[Problem] = []
    for what, edits in changes.items():
        path = pin_file(template, lane, what)
        if edits:
            text = path.read_bytes().decode()
            try:
                text = edit_yaml(text, edits, file=shown(path), error=PinError, may_add=("digest",))
            except PinError as error:
                problems += error.problems
            files[path] = text.encode()
    raise_all(PinError, problems)
    # As a build would read it, before it stands there.
    read_pins(template, lane, Converter(), instead=files)
    return files, lines
