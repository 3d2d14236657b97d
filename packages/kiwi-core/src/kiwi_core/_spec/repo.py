"""The repository that a command is run on: a customer's or a cluster's, and what its ``kiwi.toml`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._model.lane import Lane
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.tomlfile import read_toml
from kiwi_core.errors import Problem, SpecError, Where

__all__ = ["Repo", "Settings", "find_repo", "shown"]

SETTINGS: Final = "kiwi.toml"
KINDS: Final = ("tenant", "cluster")


@attrs.frozen(kw_only=True)
class Folder:
    """A folder, relative to the ``kiwi.toml`` that names it."""

    path: str


def _mirrors(_instance: object, attribute: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    if not value:
        return
    import re

    from kiwi_core._model.pins import HOST

    mirror = re.compile(rf"(?:{HOST.pattern}|\[::1\](?::[0-9]{{1,5}})?)(?:/[a-z0-9][a-z0-9._/-]*)?")
    for registry, place in value.items():
        if not HOST.fullmatch(registry) or not mirror.fullmatch(place):
            raise ValueError(
                f"{attribute.name} {registry!r} = {place!r} is no registry and HOST[:PORT][/PREFIX], such as"
                " 'docker.io' = 'mirror.example:5000/hub'"
            )


@attrs.frozen(kw_only=True)
class SecretSettings:
    """What a ``kiwi.toml`` says of secrets.

    Attributes:
        recipients: age recipients (``age1…``) that externals are encrypted to.
    """

    recipients: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Settings:
    """What a ``kiwi.toml`` says.

    Attributes:
        lane: the lane that is built unless another is asked for.
        template: the folder with ``environments/<lane>/charts.yaml`` and ``images.yaml``.
        cluster: the folder of the cluster that the customer runs on; a cluster's own repository has none.
        strict: lanes in which what is unproven counts as a finding.
        secrets: how externals are encrypted.
        mirrors: registry to the ``host[:port][/prefix]`` that is asked about its images and charts.
    """

    lane: Lane = Lane.DEV
    template: Folder
    cluster: Folder | None = None
    strict: tuple[Lane, ...] = ()
    secrets: SecretSettings = attrs.field(factory=SecretSettings)
    mirrors: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=_mirrors)


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
    def lock(self) -> Path:
        """The file of the credentials' fingerprints."""
        return self.root / "secrets.lock"

    @property
    def secrets(self) -> Path:
        """The folder of the externals, encrypted."""
        return self.root / "secrets"

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
                else "there is no spec: no tenant.py, tenant.toml, cluster.py or cluster.toml",
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
