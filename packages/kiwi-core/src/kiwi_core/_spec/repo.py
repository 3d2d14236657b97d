"""The repositories that a build reads: a customer's or a cluster's, and the template that it pins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._model.lane import Lane
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.document import Document, Lines
from kiwi_core._spec.tomlfile import read_toml
from kiwi_core._spec.yamlfile import parse_yaml, read_yaml
from kiwi_core.errors import InputError, OverlayError, PinError, Problem, SpecError, Where

__all__ = ["Repo", "Settings", "find_repo", "is_cluster", "pin_file", "read_overlays", "read_pins", "shown"]

SETTINGS: Final = "kiwi.toml"
KINDS: Final = ("tenant", "cluster")


@attrs.frozen(kw_only=True)
class Folder:
    """A folder, relative to the ``kiwi.toml`` that names it."""

    path: str


@attrs.frozen(kw_only=True)
class Settings:
    """What a ``kiwi.toml`` says.

    Attributes:
        lane: the lane that is built unless another is asked for.
        template: the folder with ``environments/<lane>/charts.yaml`` and ``images.yaml``.
        cluster: the folder of the cluster that the customer runs on; a cluster's own repository has none.
    """

    lane: Lane = Lane.DEV
    template: Folder
    cluster: Folder | None = None


@attrs.frozen(kw_only=True)
class Repo:
    """A customer's or a cluster's repository.

    Attributes:
        root: its folder.
        kind: ``tenant`` or ``cluster``.
        spec: the file ``<kind>.py`` or ``<kind>.toml``.
        settings: what its ``kiwi.toml`` says.
    """

    root: Path
    kind: str
    spec: Path
    settings: Settings

    @property
    def template(self) -> Path:
        """The template's folder."""
        return self.root / self.settings.template.path

    @property
    def overlays(self) -> Path:
        """The folder of the customer's overlays, one file for each release."""
        return self.root / "overlays"

    @property
    def cluster(self) -> Path:
        """The cluster's folder.

        Raises:
            SpecError: ``kiwi.toml`` names none.
        """
        if self.settings.cluster is None:
            raise SpecError(
                Problem(
                    "it names no cluster",
                    Where(shown(self.root / SETTINGS)),
                    'add [cluster] with path = "…", the folder of the cluster\'s repository',
                )
            )
        return self.root / self.settings.cluster.path


def shown(path: Path) -> str:
    """Return a path as a user wants to read it: relative to the current folder where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path.resolve())


def is_cluster(path: Path) -> bool:
    """Say whether a path names a cluster's repository or spec, not a customer's."""
    names = {"cluster.py", "cluster.toml"}
    return path.name in names or (path.is_dir() and any((path / name).is_file() for name in names))


def find_repo(path: Path, converter: Converter) -> Repo:
    """Find the repository that a path names: its folder, or its spec.

    Raises:
        SpecError: there is no such folder, no spec in it or more than one, or its ``kiwi.toml`` is wrong.
    """
    root = path.parent if path.suffix in {".py", ".toml"} else path
    if not root.is_dir():
        raise SpecError(
            Problem("there is no such folder", Where(str(path)), "name a customer's or a cluster's repository")
        )
    specs = {
        file: kind for kind in KINDS for suffix in (".py", ".toml") if (file := root / f"{kind}{suffix}").is_file()
    }
    if path != root and path in specs:
        specs = {path: specs[path]}
    if len(specs) != 1:
        names = " and ".join(file.name for file in specs)
        raise SpecError(
            Problem(
                f"found {names}, expected one spec"
                if specs
                else "there is no spec: no tenant.py, tenant.toml or cluster.py",
                Where(shown(root)),
                "name the one that you mean" if specs else "a customer's repository has a tenant.py at its top",
            )
        )
    spec, kind = next(iter(specs.items()))
    settings = read_toml(root / SETTINGS, name=shown(root / SETTINGS), error=SpecError)
    return Repo(
        root=root,
        kind=kind,
        spec=spec,
        settings=converter.structure(settings.data, Settings, file=settings.file, lines=settings.line),
    )


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
            data = document.data if document.data is not None else {}
            found[name] = converter.structure(data, form, file=document.file, lines=document.line, error=PinError)
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
