"""What a template and a customer's repository hold beside the spec: pins and overlays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from kiwi_core._model.lane import Lane
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.document import Document, Lines
from kiwi_core._spec.repo import shown
from kiwi_core._spec.yamlfile import parse_yaml, read_yaml
from kiwi_core.errors import InputError, OverlayError, PinError, Problem, Where

__all__ = ["pin_file", "read_overlays", "read_pins"]


@attrs.frozen(kw_only=True)
class ChartsFile:
    """``charts.yaml``."""

    charts: Mapping[str, ChartPin]


@attrs.frozen(kw_only=True)
class ImagesFile:
    """``images.yaml``."""

    images: Mapping[str, ImagePin]


def pin_file(template: Path, lane: Lane, what: str) -> Path:
    """Return the pin file of a lane: ``charts`` or ``images``."""
    return template / "environments" / lane / f"{what}.yaml"


def read_pins(
    template: Path, lane: Lane, converter: Converter, *, instead: Mapping[Path, bytes] | None = None
) -> PinFiles:
    """Read the pins of a lane.

    Args:
        template: the template's folder.
        lane: whose pins.
        converter: reads the form.
        instead: content to read in place of what a file holds, before it is written.

    Raises:
        PinError: a file is missing or wrong; both files' problems at once.
    """
    problems: list[Problem] = []
    documents: dict[str, Document] = {}
    found: dict[str, object] = {}
    for name, form in (("charts", ChartsFile), ("images", ImagesFile)):
        path = pin_file(template, lane, name)
        try:
            if instead and path in instead:
                document = parse_yaml(instead[path], file=shown(path), error=PinError)
            else:
                document = read_yaml(path, name=shown(path), error=PinError)
            documents[name] = document
            found[name] = converter.structure(
                document.data or {name: {}}, form, file=document.file, lines=document.line, error=PinError
            )
        except InputError as error:
            problems += error.problems
    if problems:
        raise PinError(*problems)
    charts, images = found.get("charts"), found.get("images")
    assert isinstance(charts, ChartsFile)
    assert isinstance(images, ImagesFile)
    return PinFiles(
        pins=Pins(charts=charts.charts, images=images.images),
        charts_file=documents["charts"].file,
        images_file=documents["images"].file,
        line=_line(documents),
    )


def _line(documents: Mapping[str, Document]) -> Lines:
    def line(path: tuple[str | int, ...]) -> int | None:
        return documents[str(path[0])].line(path)

    return line


def read_overlays(folder: Path) -> Mapping[str, Document]:
    """Read a folder of overlays: one YAML file for each release, named after it.

    Raises:
        OverlayError: a file is wrong, or is no mapping; all at once.
    """
    overlays: dict[str, Document] = {}
    problems: list[Problem] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = shown(path)
        if path.name.startswith(".") or path.suffix == ".md":
            continue
        if path.suffix != ".yaml":
            hint = "an overlay is named after its release: <release>.yaml"
            problems.append(Problem("this is no overlay", Where(name), hint))
            continue
        try:
            document = read_yaml(path, name=name, error=OverlayError)
        except InputError as error:
            problems += error.problems
            continue
        if document.data is not None and not isinstance(document.data, Mapping):
            kind = "list" if isinstance(document.data, list | tuple) else type(document.data).__name__
            problems.append(Problem(f"found a {kind}, expected a mapping of values", Where(name, 1)))
            continue
        overlays[path.stem] = document
    if problems:
        raise OverlayError(*problems)
    return overlays
