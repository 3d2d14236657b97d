"""A stack: a customer or a cluster with everything resolved. What the rules read and the emitters write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import attrs

from kiwi_core._compose.bind import Bindings
from kiwi_core._compose.lending import secret_keys
from kiwi_core._compose.order import Edge
from kiwi_core._compose.phase import Phase
from kiwi_core._compose.policy import Policy
from kiwi_core._compose.sharing import ClusterTree
from kiwi_core._compose.values import Layer, merge
from kiwi_core._model.capture import ChartCapture, SchemaCapture
from kiwi_core._model.cluster import Cluster, Target
from kiwi_core._model.component import Component, Declaration, Release, Wiring
from kiwi_core._model.lane import Lane, Stage
from kiwi_core._model.late import Credential, External, Named, Path, Pin, Value, late_leaves, leaves, parts_of
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core._model.secrets import Secret, SecretKey
from kiwi_core._model.service import Home

if TYPE_CHECKING:
    from kiwi_core._derive.lock import Lock

__all__ = ["ChartFiles", "Inputs", "Package", "Part", "Stack", "StackRelease"]


@attrs.frozen(kw_only=True)
class ChartFiles:
    """A chart that a package ships itself.

    Attributes:
        version: as its ``Chart.yaml`` says.
        files: path in the chart to content.
    """

    name: str
    version: str
    files: Mapping[str, bytes] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Package:
    """The installed package that a component comes from.

    Attributes:
        distribution, version: as pip knows them.
        charts: its own charts, by name.
        captures: chart captures, by chart name and version.
        schemas: schema captures, by image repository.
    """

    distribution: str
    version: str
    charts: Mapping[str, ChartFiles] = attrs.field(factory=dict[str, ChartFiles], repr=False)
    captures: Mapping[tuple[str, str], ChartCapture] = attrs.field(
        factory=dict[tuple[str, str], ChartCapture], repr=False
    )
    schemas: Mapping[str, SchemaCapture] = attrs.field(factory=dict[str, SchemaCapture], repr=False)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen(kw_only=True)
class Inputs:
    """All that a stack is made of, read and checked for form.

    Attributes:
        target: what the tree is for.
        cluster: where it runs, with all that it shares; the target itself where that is a cluster.
        cluster_tree: the tree that the cluster was last built to; None when there is none, or the target is a cluster.
        lock: the fingerprints of the credentials that were deployed; None when there are none.
        externals: name of an external to what its file holds, encrypted.
        packages: component kind to the package that it comes from; ``""`` is the core.
        overlays: release to the lane's and the customer's layers, in that order.
        local_charts: lane dev only: pin name to the local chart that the pin's ``path`` names.
    """

    target: Target
    cluster: Cluster
    cluster_tree: ClusterTree | None = None
    lock: Lock | None = None
    externals: Mapping[str, bytes] = attrs.field(factory=dict[str, bytes], repr=False)
    lane: Lane
    pins: PinFiles
    packages: Mapping[str, Package] = attrs.field(repr=False)
    overlays: Mapping[str, Sequence[Layer]] = attrs.field(factory=dict[str, Sequence[Layer]])
    local_charts: Mapping[str, ChartFiles] = attrs.field(factory=dict[str, ChartFiles], repr=False)


@attrs.frozen(kw_only=True)
class Part:
    """A component in the stack.

    Attributes:
        home: the place that it is built for.
    """

    component: Component
    home: Home
    declaration: Declaration
    wiring: Wiring
    package: Package

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name


@attrs.frozen(kw_only=True, slots=False)
class StackRelease:
    """A release in its place.

    Attributes:
        role: what it is made from: a component's declaration, a component's hooks, or the platform's own two of each
            namespace.
        component: whose it is; ``""`` is the platform.
        declared: what was declared: name, chart, stage, wait, timeout, …
        chart: its pin; None for a package's own chart in lane dev.
        own_chart: the chart itself, where its package ships it or the pin names a local folder.
        needs: releases that must be ready before, by name.
        layers: values, lowest precedence first.
    """

    role: Literal["namespace", "foundation", "component", "hooks"]
    component: str
    declared: Release
    namespace: str
    chart: ChartPin | None
    own_chart: ChartFiles | None = None
    capture: ChartCapture | None = attrs.field(default=None, repr=False)
    needs: tuple[str, ...]
    wait: bool
    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
        """The release's name."""
        return self.declared.name

    @property
    def stage(self) -> Stage:
        """Its ``deployStage``."""
        return self.declared.stage

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """The merged values."""
        return merge(layer.values for layer in self.layers)

    @cached_property
    def leaves(self) -> tuple[tuple[Path, Value], ...]:
        """The leaves of the merged values with their paths: what most rules look at."""
        return tuple(leaves(self.values))

    @cached_property
    def named(self) -> tuple[Named, ...]:
        """The credentials, externals and pins in the merged values."""
        return tuple(late for _, leaf in self.leaves for late in parts_of(leaf))


@attrs.frozen(kw_only=True, slots=False)
class Stack:
    """A customer, or a cluster, with everything resolved.

    Attributes:
        releases: in the order in which they could be deployed one by one.
        edges: what must be ready before what, with the reason.
        parts: components by name.
        phases: the hooks of components, by the release that runs them.
        policies: NetworkPolicies beyond the default deny.
    """

    inputs: Inputs = attrs.field(repr=False)
    parts: Mapping[str, Part]
    bindings: Bindings
    phases: Mapping[str, Phase]
    releases: tuple[StackRelease, ...]
    edges: tuple[Edge, ...]
    policies: tuple[Policy, ...]

    @property
    def target(self) -> Target:
        """Whose it is."""
        return self.inputs.target

    @property
    def cluster(self) -> Cluster:
        """Where it runs, with all that it shares."""
        return self.inputs.cluster

    @property
    def lane(self) -> Lane:
        """The lane that it is built for."""
        return self.inputs.lane

    @property
    def pins(self) -> Pins:
        """All pins of the lane; :attr:`used_images` says which of them count."""
        return self.inputs.pins.pins

    def is_local(self, release: StackRelease) -> bool:
        """Say whether a release's chart goes with the tree, as those of packages and local ones do in lane dev."""
        return self.lane is Lane.DEV and release.own_chart is not None

    @cached_property
    def used_charts(self) -> Mapping[str, ChartPin]:
        """The chart pins that the releases use, by name."""
        pins = {
            release.declared.chart: release.chart
            for release in self.releases
            if release.chart and not self.is_local(release)
        }
        return dict(sorted(pins.items()))

    @cached_property
    def used_images(self) -> Mapping[str, ImagePin]:
        """The image pins that the values use, by name."""
        names = {
            late.name
            for release in self.releases
            for layer in release.layers
            for _, late in late_leaves(layer.values)
            if isinstance(late, Pin)
        }
        names.update(name for release in self.releases for name in release.declared.images)
        return {name: self.pins.images[name] for name in sorted(names)}

    @cached_property
    def by_name(self) -> Mapping[str, StackRelease]:
        """The releases by name."""
        return {release.name: release for release in self.releases}

    @cached_property
    def secrets(self) -> Mapping[tuple[str, str], Secret]:
        """Every Secret that is declared, its components' and its hooks', by namespace and name."""
        found = {(part.home.namespace, item.name): item for part in self.parts.values() for item in part.wiring.secrets}
        own = ((phase.tasks.namespace, phase.secret) for phase in self.phases.values() if phase.secret)
        return found | {(namespace, secret.name): secret for namespace, secret in own}

    @cached_property
    def secret_keys(self) -> Mapping[str, frozenset[SecretKey]]:
        """For each component, the keys of Secrets that its releases may name."""
        return {name: secret_keys(part.wiring, self.bindings[name].values()) for name, part in self.parts.items()}

    @cached_property
    def credentials(self) -> tuple[Credential, ...]:
        """Every credential that stands in a value or a Secret, by name."""
        named = {late for late in self._named() if isinstance(late, Credential)}
        return tuple(sorted(named, key=lambda late: (late.name, late.generation, late.template, late.encoding)))

    @cached_property
    def externals(self) -> tuple[External, ...]:
        """Every external that stands in a Secret, by name."""
        return tuple(sorted({late for late in self._named() if isinstance(late, External)}, key=lambda late: late.name))

    def _named(self) -> Iterator[Named]:
        return (late for release in self.releases for late in release.named)

    @cached_property
    def foundations(self) -> Mapping[str, str]:
        """The release of each namespace's policies and Secrets."""
        return {release.namespace: release.name for release in self.releases if release.role == "foundation"}
