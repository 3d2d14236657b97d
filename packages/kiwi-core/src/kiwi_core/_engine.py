"""One way through: a repository is loaded, composed, checked and emitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from kiwi_core._model.lane import Lane
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.pyspec import Pending, start
from kiwi_core._spec.repo import Repo, find_repo, shown
from kiwi_core.errors import Problem, SpecError, Where, did_you_mean

# The specs' child processes take as long as all that is imported here: they are started first, the rest is imported
# while they run.
if TYPE_CHECKING:
    from kiwi_core._compose.stack import ChartFiles, Stack
    from kiwi_core._compose.values import Layer
    from kiwi_core._contract.results import Evidence, Result
    from kiwi_core._deliver.registry import Registries
    from kiwi_core._deliver.render import Renderer
    from kiwi_core._derive.lock import Lock
    from kiwi_core._emit.tree import Tree
    from kiwi_core._model.cluster import Cluster, Target
    from kiwi_core._model.pins import PinFiles
    from kiwi_core._model.rendered import Rendering
    from kiwi_core._model.tenant import Tenant
    from kiwi_core._spec.document import Document
    from kiwi_core.plugins import Plugins

__all__ = ["OUTPUT", "Project", "load", "template_of"]

T = TypeVar("T", "Tenant", "Cluster")

OUTPUT: Final = "generated"
"""The folder of a repository that a build writes its tree to."""


@attrs.frozen(kw_only=True, slots=False)
class Project:
    """A customer's or a cluster's repository, read and composed.

    Attributes:
        repo: where it stands.
        stack: what it resolves to.
        evidence: what the rules look at beside it.
        plugins: the plugins that it names.
        cluster_repo: where its cluster's repository stands; None for a cluster.
    """

    repo: Repo
    cluster_repo: Repo | None
    stack: Stack
    evidence: Evidence
    plugins: Plugins

    @property
    def is_strict(self) -> bool:
        """Whether what is unproven counts as a finding in this lane, as ``kiwi.toml`` says."""
        return self.stack.lane in self.repo.settings.strict

    @cached_property
    def manifest(self) -> Mapping[str, object]:
        """The manifest of the tree of today: what the spec, the pins and the overlays give, not what a folder holds."""
        import json

        from kiwi_core._emit.tree import MANIFEST

        found: Mapping[str, object] = json.loads(self.emit()[MANIFEST])
        return found

    @property
    def tree(self) -> str:
        """What tells the tree of today: the digits of its digest that the records of its releases bear."""
        from kiwi_core._emit.tree import TREE_DIGITS

        return str(self.manifest["digest"]).removeprefix("sha256:")[:TREE_DIGITS]

    def check(self, built: Path | None = None, *, rendered: Rendering | None = None) -> tuple[Result, ...]:
        """Prove the contract.

        Args:
            built: the folder of a tree whose record of its cluster's tree is to be compared with the one of today.
            rendered: what :meth:`render` gave, for the rules that look at manifests.

        Raises:
            OutputError: the folder's manifest cannot be read.
        """
        from kiwi_core._contract.results import check
        from kiwi_core._deliver.built import checked_against

        record = checked_against(built) if built else None
        evidence = attrs.evolve(self.evidence, checked_against=record, rendered=rendered)
        return check(self.stack, evidence, self.plugins.rules())

    def check_rendered(self, rendered: Rendering) -> tuple[Result, ...]:
        """Prove what of the contract is about manifests."""
        from kiwi_core._contract.results import check

        rules = [rule for rule in self.plugins.rules() if rule.on_manifests]
        return check(self.stack, attrs.evolve(self.evidence, rendered=rendered), rules)

    def renderer(
        self,
        registries: Registries | None = None,
        *,
        helm: str | None = None,
        refresh: bool = False,
        say: Callable[[str], None] = lambda _: None,
        warn: Callable[[Problem], None] = lambda _: None,
    ) -> Renderer:
        """Return what renders the stack's releases (:meth:`~kiwi_core._deliver.render.Renderer.render`).

        Args:
            registries: where charts are asked for; as ``kiwi.toml`` says where there are none.
            helm: a Helm's name or path; None for the one at hand.
            refresh: whether registries are asked even for charts that are kept.
            say: is told what is being done.
            warn: is told that nothing can be kept.

        Raises:
            ExternalError: there is no Helm.
        """
        from kiwi_core._deliver.chart_cache import Cache
        from kiwi_core._deliver.charts import Charts
        from kiwi_core._deliver.helm_engine import find_engine
        from kiwi_core._deliver.registry import Registries
        from kiwi_core._deliver.render import Renderer

        cache = Cache(warn=warn)
        asked = registries or Registries(mirrors=self.repo.settings.mirrors)
        charts = Charts(cache=cache, registries=asked, refresh=refresh)
        return Renderer(engine=find_engine(helm, cache), charts=charts, cache=cache, say=say)

    def emit(self, results: Sequence[Result] | None = None) -> Tree:
        """Return what a build writes.

        Args:
            results: what :meth:`check` said of the stack, for the report; it is asked where they are not at hand.
        """
        from kiwi_core._emit.report import report_of
        from kiwi_core._emit.tree import emit

        report = report_of(self.check() if results is None else results, self.evidence)
        return emit(self.stack, (*self.plugins.emitters(), report))


def load(path: Path, lane: Lane | None = None, *, say: Callable[[str], None] = lambda _: None) -> Project:
    """Read a customer's or a cluster's repository with all that it names, and compose it.

    Args:
        path: the repository's folder, or its spec.
        lane: the lane to build for; the one in ``kiwi.toml`` by default.
        say: is told what is being done.

    Raises:
        InputError: something of it is wrong; what is wrong in one file is told at once.
        OutputError: the tree of the customer's cluster cannot be read.
    """
    repo = find_repo(path, Converter())
    pending = _start(repo.spec)
    cluster_repo = find_repo(repo.cluster, Converter()) if repo.kind == "tenant" else None
    cluster_pending = _start(cluster_repo.spec) if cluster_repo else None
    say("reading " + " and ".join(shown(each.spec) for each in (repo, cluster_repo) if each))
    from kiwi_core._compose.compose import compose
    from kiwi_core._compose.sharing import with_gateways
    from kiwi_core._compose.stack import Inputs
    from kiwi_core._compose.values import CUSTOMER
    from kiwi_core._contract.results import Evidence
    from kiwi_core._deliver.built import cluster_tree
    from kiwi_core._deliver.git import pin_history
    from kiwi_core._model.cluster import Cluster
    from kiwi_core._model.tenant import Tenant
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
    target: Target
    problems: Sequence[Problem]
    if cluster_repo:
        target, problems = _read(pending, repo, Tenant, converter)
        cluster, more = _read(cluster_pending, cluster_repo, Cluster, converter)
        _check_served(target, cluster, repo, cluster_repo)
        problems = (*problems, *more)
        cluster = with_gateways(cluster)
    else:
        target, problems = _read(pending, repo, Cluster, converter)
        cluster = target
    say(f"composing {len(target.components)} components")
    inputs = Inputs(
        target=target,
        cluster=cluster,
        cluster_tree=cluster_tree(cluster_repo.root / OUTPUT) if cluster_repo else None,
        lock=_lock(repo),
        externals={path.stem: path.read_bytes() for path in sorted(repo.secrets.glob("*.age"))},
        lane=lane,
        pins=pins,
        packages=plugins.packages(dict.fromkeys(component.kind for component in target.components)),
        overlays=layers,
        local_charts=_local_charts(pins, repo.template / "environments" / lane, lane),
    )
    evidence = Evidence(
        history=history,
        no_history=no_history,
        spec_problems=problems,
        pin_command=f"kiwistack pins bump {shown(repo.root)} --lane {lane}",
        repo=shown(repo.root),
        cluster_command=f"kiwistack build {shown(cluster_repo.root)}" if cluster_repo else "",
    )
    return Project(repo=repo, cluster_repo=cluster_repo, stack=compose(inputs), evidence=evidence, plugins=plugins)


def _lock(repo: Repo) -> Lock | None:
    from kiwi_core._derive.lock import load_lock

    return load_lock(repo.lock.read_bytes(), file=shown(repo.lock)) if repo.lock.is_file() else None


def _check_served(tenant: Tenant, cluster: Cluster, repo: Repo, cluster_repo: Repo) -> None:
    """Refuse a tenant that names another cluster, or that its cluster does not name.

    Raises:
        SpecError: it is so.
    """
    where, spec = Where(shown(repo.spec), None, ("cluster",)), shown(cluster_repo.spec)
    if tenant.cluster != cluster.name:
        message = f"the tenant runs on cluster {tenant.cluster!r}, and {spec} is {cluster.name!r}"
        hint = "name the same cluster in the spec and, by its folder, in kiwi.toml"
        raise SpecError(Problem(message, where, hint))
    domains = {customer.slug: customer.domain for customer in cluster.customers}
    if tenant.slug not in domains:
        message = f"cluster {cluster.name!r} does not serve customer {tenant.slug!r}"
        hint = did_you_mean(tenant.slug, domains, otherwise="it serves") + (
            f"; add Customer(slug={tenant.slug!r}, domain={tenant.domain!r}) to {spec}"
        )
        raise SpecError(Problem(message, where, hint))
    if tenant.domain != domains[tenant.slug]:
        message = f"the tenant's domain is {tenant.domain!r}, and {spec} says {domains[tenant.slug]!r}"
        hint = "say the same in both: the cluster keeps customers' host names apart by their domains"
        raise SpecError(Problem(message, Where(shown(repo.spec), None, ("domain",)), hint))


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
