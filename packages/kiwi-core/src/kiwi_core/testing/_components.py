"""The conformance kit for authors of components: trials, and the tests that every component has to pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import attrs

from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import Inputs, Stack
from kiwi_core._contract.results import Evidence, Outcome, Result, check
from kiwi_core._derive.lock import Lock, LockEntry, names_of
from kiwi_core._emit.tree import emit
from kiwi_core._model.capture import ChartCapture, ClusterObject, HardCodedImage, SchemaCapture
from kiwi_core._model.capture import Workload as CapturedWorkload
from kiwi_core._model.capture_json import dump_chart, dump_schema, load_chart, load_schema
from kiwi_core._model.cluster import ApiServer, Cluster, Customer, Target
from kiwi_core._model.component import Component, Gateway
from kiwi_core._model.gateways import IngressOffer, LlmOffer, SearchOffer
from kiwi_core._model.lane import Lane, Tier
from kiwi_core._model.late import Value
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core._model.service import Offer
from kiwi_core._model.tenant import Tenant
from kiwi_core._spec.convert import Converter
from kiwi_core.plugins import Plugins

__all__ = [
    "CLUSTER",
    "CapturedWorkload",
    "ChartCapture",
    "ClusterObject",
    "ComponentKit",
    "HardCodedImage",
    "SchemaCapture",
    "Trial",
    "dump_chart",
    "dump_schema",
    "load_chart",
    "load_schema",
    "trial",
]

_EXTERNAL_PORTS: Final = ("25/tcp", "587/tcp", "993/tcp", "995/tcp", "10000/udp")
"""Those of mail and video calls: what the customer on trial may have."""

CLUSTER: Final = Cluster(
    name="trial",
    tier=Tier.CORE,
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    api_server=ApiServer(address="192.0.2.1"),
    apis=("cert-manager.io",),
    customers=(Customer(slug="trial", domain="trial.example", ports=_EXTERNAL_PORTS),),
    offers=(
        IngressOffer(namespace="kiwi-ingress", issuer="letsencrypt"),
        LlmOffer(namespace="kiwi-llm-gateway"),
        SearchOffer(namespace="kiwi-search-gateway"),
    ),
)


@attrs.frozen(kw_only=True)
class Trial:
    """Components, composed for a customer ``trial`` on a cluster that shares every kind of gateway."""

    _stack: Stack = attrs.field(alias="stack")
    _plugins: Plugins = attrs.field(alias="plugins")

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases in order, the platform's included."""
        return tuple(release.name for release in self._stack.releases)

    @property
    def results(self) -> tuple[Result, ...]:
        """What the contract says of it."""
        return check(self._stack, Evidence(), self._plugins.rules())

    @property
    def findings(self) -> tuple[str, ...]:
        """What breaks the contract, as text."""
        return tuple(str(result) for result in self.results if result.outcome is Outcome.FINDING)

    def values(self, release: str) -> Mapping[str, Value]:
        """Return the merged values of a release; what is known only at deploy stands in it by name."""
        return self._stack.by_name[release].values

    def needs(self, release: str) -> tuple[str, ...]:
        """Return the releases that must be ready before one."""
        return self._stack.by_name[release].needs

    def files(self) -> Mapping[str, bytes]:
        """Return what a build writes: path to content."""
        return emit(self._stack, self._plugins.emitters())


def trial(
    *components: Component,
    lane: Lane = Lane.DEV,
    cluster: Cluster = CLUSTER,
    charts: Mapping[str, str] | None = None,
    images: Mapping[str, str] | None = None,
) -> Trial:
    """Compose components for a customer named ``trial``; gateways for a cluster that serves it, without other gateways.

    Args:
        components: the one on trial, and those that serve it (``ExistingServices`` for instance).
        lane: the lane; dogfood and stable want digests.
        cluster: where it runs; one that shares every kind of gateway by default.
        charts: versions of charts by the name of their pins; captured charts have theirs, others 1.0.0.
        images: references (``registry/repository:tag``) by the name of their pins; the others are made up.

    Raises:
        InputError: the components do not fit together.
    """
    plugins = Plugins()
    target: Target
    if components and all(isinstance(component, Gateway) for component in components):
        target = cluster = attrs.evolve(cluster, components=components, offers=(), apis=())
    else:
        target = Tenant(slug="trial", domain="trial.example", cluster=cluster.name, components=components)
    packages = plugins.packages(dict.fromkeys(component.kind for component in components))
    captured = {name: version for package in packages.values() for name, version in package.captures}
    versions = captured | dict(charts or {})
    names = {release.chart for item in components for release in item.declare().releases} | set(packages[""].charts)
    pins = Pins(
        charts={
            name: ChartPin(
                registry="registry.example", repository="charts", name=name, version=versions.get(name, "1.0.0")
            )
            for name in names
        },
        images=_MadeUp({name: _image(reference) for name, reference in (images or {}).items()}),
    )
    files = PinFiles(pins=pins, charts_file="charts.yaml", images_file="images.yaml", line=lambda _: None)
    inputs = Inputs(target=target, cluster=cluster, lane=lane, pins=files, packages=packages, externals=_There())
    # As a target has it whose fingerprints were taken.
    stack = compose(inputs)
    entries = {
        name: LockEntry(generation=late.generation, fingerprint="0" * 32)
        for name, late in names_of(stack.credentials).items()
    }
    if entries:
        stack = compose(attrs.evolve(inputs, lock=Lock(seed=f"k{'0' * 31}", credentials=entries)))
    return Trial(stack=stack, plugins=plugins)


class _MadeUp(dict[str, ImagePin]):
    """Image pins that are there as soon as somebody asks for them, pinned by a digest of nothing."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> ImagePin:
        digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
        return ImagePin(registry="registry.example", repository=name.lower(), tag=f"1.0.0@{digest}")


class _There(dict[str, bytes]):
    """Externals that are there as soon as somebody asks for them."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> bytes:
        return f"{name}, encrypted".encode()


def _image(reference: str) -> ImagePin:
    name, _, tag = reference.partition(":")
    registry, _, repository = name.partition("/")
    return ImagePin(registry=registry, repository=repository, tag=tag)


class ComponentKit:
    """The tests that every component has to pass. Subclass it and say which component is on trial.

    Attributes:
        component: the component, with the settings that are to be tried.
        served_by: components that serve what it uses.
        images: references of images by pin, where a schema contract looks at them.
        cluster: where it runs; one that shares every kind of gateway by default.
    """

    component: ClassVar[Component]
    served_by: ClassVar[Sequence[Component]] = ()
    images: ClassVar[Mapping[str, str]] = {}
    cluster: ClassVar[Cluster] = CLUSTER

    def trial(self, lane: Lane = Lane.DEV) -> Trial:
        """Return the component, composed."""
        return trial(self.component, *self.served_by, lane=lane, cluster=self.cluster, images=self.images)

    def test_it_is_found_through_its_entry_point(self) -> None:
        """A spec in data names it by its kind."""
        assert Plugins().component(self.component.kind) is type(self.component)

    def test_it_says_the_same_twice(self) -> None:
        """Declaration and wiring depend on the settings and on what was bound, and on nothing else."""
        assert self.component.declare() == self.component.declare()
        assert self.trial().files() == self.trial().files()

    def test_its_settings_survive_as_data(self) -> None:
        """A spec in Python and one in TOML give equal values."""
        plugins = Plugins()
        converter = Converter({Component: plugins.component, Offer: plugins.offer})
        data = converter.unstructure(self.component)
        assert converter.structure(data, Component, file="a spec") == self.component

    def test_it_keeps_the_contract(self) -> None:
        """No rule finds anything, in no lane."""
        for lane in Lane:
            assert self.trial(lane).findings == ()
