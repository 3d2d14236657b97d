"""One way through: a repository is loaded, composed, checked and emitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs

from kiwi_core._model.lane import Lane
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.pyspec import Pending, start
from kiwi_core._spec.repo import Repo, find_repo, shown
from kiwi_core.errors import Problem, SpecError, Where

# The specs' child processes take as long as all that is imported here: they are started first, the rest is imported
# while they run.
if TYPE_CHECKING:
    from kiwi_core._compose.stack import ChartFiles, Stack
    from kiwi_core._compose.values import Layer
    from kiwi_core._contract.results import Evidence, Result
    from kiwi_core._emit.tree import Tree
    from kiwi_core._model.pins import PinFiles
    from kiwi_core._model.tenant import Cluster, Tenant
    from kiwi_core._spec.document import Document
    from kiwi_core.plugins import Plugins

__all__ = ["Project", "load", "load_cluster", "template_of"]

T = TypeVar("T", "Tenant", "Cluster")


@attrs.frozen(kw_only=True)
class Project:
    """A customer's repository, read and composed.

    Attributes:
        repo: where it stands.
        stack: what it resolves to.
        evidence: what the rules look at beside it.
        plugins: the plugins that it names.
    """

    repo: Repo
    stack: Stack
    evidence: Evidence
    plugins: Plugins

    @property
    def is_strict(self) -> bool:
        """Whether what is unproven counts as a finding in this lane, as ``kiwi.toml`` says."""
        return self.stack.lane in self.repo.settings.strict

    def check(self) -> tuple[Result, ...]:
        """Prove the contract."""
        from kiwi_core._contract.results import check

        return check(self.stack, self.evidence, self.plugins.rules())

    def emit(self) -> Tree:
        """Return what a build writes."""
        from kiwi_core._emit.tree import emit

        return emit(self.stack, self.plugins.emitters())


def load(path: Path, lane: Lane | None = None, *, say: Callable[[str], None] = lambda _: None) -> Project:
    """Read a customer's repository, its template and its cluster, and compose them.

    Args:
        path: the repository's folder, or its spec.
        lane: the lane to build for; the one in ``kiwi.toml`` by default.
        say: is told what is being done.

    Raises:
        InputError: something of it is wrong; what is wrong in one file is told at once.
    """
    repo = find_repo(path, Converter())
    if repo.kind != "tenant":
        hint = "a cluster's own tree has nothing to hold before it has gateways; kiwistack check looks at its spec"
        raise SpecError(Problem("this is a cluster's spec, expected a tenant's", Where(shown(repo.spec)), hint))
    cluster_repo = find_repo(repo.cluster, Converter())
    pending, cluster_pending = _start(repo.spec), _start(cluster_repo.spec)
    say(f"reading {shown(repo.spec)} and {shown(cluster_repo.spec)}")
    from kiwi_core._compose.compose import compose
    from kiwi_core._compose.stack import Inputs
    from kiwi_core._compose.values import CUSTOMER
    from kiwi_core._contract.results import Evidence
    from kiwi_core._deliver.git import pin_history
    from kiwi_core._model.tenant import Cluster, Tenant
    from kiwi_core._spec.template import read_overlays, read_pins
    from kiwi_core.plugins import Plugins

    plugins = Plugins()
    converter = _converter(plugins)
    lane = lane or repo.settings.lane
    pins = read_pins(repo.template, lane, converter)
    history, no_history = pin_history(repo.template / "environments" / lane)
    layers = _layers(
        (f"lane {lane}", read_overlays(repo.template / "environments" / lane / "overlays")),
        (CUSTOMER, read_overlays(repo.overlays)),
    )
    tenant, undeclarative = _read(pending, repo, Tenant, converter)
    cluster, cluster_undeclarative = _read(cluster_pending, cluster_repo, Cluster, converter)
    if tenant.cluster != cluster.name:
        raise SpecError(
            Problem(
                f"the tenant runs on cluster {tenant.cluster!r}, and {shown(cluster_repo.spec)} is {cluster.name!r}",
                Where(shown(repo.spec), None, ("cluster",)),
                "name the same cluster in the spec and, by its folder, in kiwi.toml",
            )
        )
    say(f"composing {len(tenant.components)} components")
    packages = plugins.packages(dict.fromkeys(component.kind for component in tenant.components))
    inputs = Inputs(
        tenant=tenant,
        cluster=cluster,
        lane=lane,
        pins=pins,
        packages=packages,
        overlays=layers,
        local_charts=_local_charts(pins, repo.template / "environments" / lane, lane),
    )
    evidence = Evidence(
        history=history,
        no_history=no_history,
        spec_problems=(*undeclarative, *cluster_undeclarative),
        pin_command=f"kiwistack pins bump {shown(repo.root)} --lane {lane}",
    )
    return Project(repo=repo, stack=compose(inputs), evidence=evidence, plugins=plugins)


def load_cluster(path: Path) -> tuple[Cluster, Sequence[Problem]]:
    """Read a cluster's spec.

    Returns:
        The cluster, and what in its spec is more than a declaration.

    Raises:
        InputError: something of it is wrong.
    """
    from kiwi_core._model.tenant import Cluster
    from kiwi_core.plugins import Plugins

    repo = find_repo(path, Converter())
    return _read(_start(repo.spec), repo, Cluster, _converter(Plugins()))


def template_of(path: Path) -> tuple[Path, Lane]:
    """Return the template's folder that a repository names, and its default lane.

    Raises:
        SpecError: there is no repository, or its ``kiwi.toml`` is wrong.
    """
    repo = find_repo(path, Converter())
    return repo.template, repo.settings.lane


def _converter(plugins: Plugins) -> Converter:
    from kiwi_core._model.component import Component
    from kiwi_core._model.service import Offer

    return Converter({Component: plugins.component, Offer: plugins.offer})


def _start(spec: Path) -> Pending | None:
    return start(spec, name=shown(spec)) if spec.suffix == ".py" else None


def _read(pending: Pending | None, repo: Repo, form: type[T], converter: Converter) -> tuple[T, Sequence[Problem]]:
    file = shown(repo.spec)
    if pending is None:
        from kiwi_core._spec.tomlfile import read_toml

        document = read_toml(repo.spec, name=file, error=SpecError)
        return converter.structure(document.data, form, file=file, lines=document.line), ()
    loaded = pending.result()
    if loaded.name != form.__name__.lower():
        raise SpecError(Problem(f"it holds a {loaded.name}, expected a {form.__name__.lower()}", Where(file)))
    return converter.structure(loaded.data, form, file=file, lines=loaded.lines), loaded.undeclarative


def _local_charts(pins: PinFiles, folder: Path, lane: Lane) -> Mapping[str, ChartFiles]:
    """Read the charts that the developer named in lane dev; elsewhere the contract reports them."""
    from kiwi_core._deliver.local_chart import read_chart

    if lane.is_pinned:
        return {}
    return {name: read_chart(folder / pin.path) for name, pin in pins.pins.charts.items() if pin.path is not None}


def _layers(*sources: tuple[str, Mapping[str, Document]]) -> Mapping[str, Sequence[Layer]]:
    from kiwi_core._compose.values import Layer

    layers: dict[str, list[Layer]] = {}
    for origin, documents in sources:
        for release, document in documents.items():
            if isinstance(document.data, Mapping):
                layer = Layer(origin=origin, file=document.file, values=document.data, line=document.line)
                layers.setdefault(release, []).append(layer)
    return layers
