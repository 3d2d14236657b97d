"""Edit pin files in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kiwi_core._deliver.disk import replace_files
from kiwi_core._model.lane import Lane
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.repo import shown
from kiwi_core._spec.template import pin_file, read_pins
from kiwi_core._spec.yamlfile import edit_yaml
from kiwi_core.errors import PinError, Problem, Where

__all__ = ["bump_pins"]


def bump_pins(template: Path, lane: Lane, *, charts: Mapping[str, str], images: Mapping[str, str]) -> Iterator[str]:
    """Set versions of charts and tags of images; comments and everything else stay as they are.

    Args:
        template: the template's folder.
        lane: whose pins.
        charts: name to ``VERSION`` or ``VERSION@sha256:…``.
        images: name to ``TAG`` or ``TAG@sha256:…``.

    Yields:
        What changed, a line for each pin.

    Raises:
        PinError: a name is no pin, or a value is no version, tag or digest; then no file has changed.
    """
    old = read_pins(template, lane, Converter())
    changes: dict[str, dict[tuple[str, ...], str]] = {"charts": {}, "images": {}}
    lines: list[str] = []
    for name, value in charts.items():
        version, at, digest = value.partition("@")
        changes["charts"]["charts", name, "version"] = version
        if at:
            changes["charts"]["charts", name, "digest"] = digest
        elif name in old.pins.charts and old.pins.charts[name].digest:
            raise PinError(
                Problem(
                    f"chart {name!r} is pinned with a digest, and {value!r} has none",
                    Where(old.charts_file),
                    f"--chart {name}={version}@sha256:<digest>",
                )
            )
        lines.append(f"chart {name}: {old.pins.charts[name].version if name in old.pins.charts else '?'} → {value}")
    for name, value in images.items():
        changes["images"]["images", name, "tag"] = value
        lines.append(f"image {name}: {old.pins.images[name].tag if name in old.pins.images else '?'} → {value}")
    files: dict[Path, bytes] = {}
    for what, edits in changes.items():
        path = pin_file(template, lane, what)
        if edits:
            text = edit_yaml(path.read_bytes().decode(), edits, file=shown(path), error=PinError)
            files[path] = text.encode()
    _check(template, lane, files)
    replace_files(files)
    yield from lines


def _check(template: Path, lane: Lane, files: Mapping[Path, bytes]) -> None:
    """Read the edited files as a build would, before they replace the old ones."""
    read_pins(template, lane, Converter(), instead=files)
