"""A component: what a tenant may choose, what it declares, and how it is wired once its uses are bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import attrs

from kiwi_core._model.bound import Bound
from kiwi_core._model.fields import external_ports, many
from kiwi_core._model.hooks import Hook
from kiwi_core._model.lane import PodSecurity, Stage
from kiwi_core._model.late import Value
from kiwi_core._model.names import dns_label, host_name
from kiwi_core._model.network import Workload
from kiwi_core._model.schema import Schema
from kiwi_core._model.secrets import PlainValue, Secret
from kiwi_core._model.service import Offer, Use

__all__ = ["MAX_RELEASE_NAME", "Component", "Declaration", "Gateway", "Release", "Wiring"]


MAX_RELEASE_NAME: Final = 53
"""What Helm takes (``chartutil.ValidateReleaseName``)."""

MAX_COMPONENT_NAME: Final = MAX_RELEASE_NAME - len("-post")
"""What leaves room for the name of the release of its hooks."""


def _release_name(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    dns_label(instance, attribute, value)
    if len(value) > MAX_RELEASE_NAME:
        raise ValueError(f"release name {value!r} has {len(value)} characters; Helm takes at most {MAX_RELEASE_NAME}")


def _component_name(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    dns_label(instance, attribute, value)
    if len(value) > MAX_COMPONENT_NAME:
        raise ValueError(
            f"component name {value!r} has {len(value)} characters; at most {MAX_COMPONENT_NAME} fit, "
            "since its hooks are a release '<name>-post'"
        )


@attrs.frozen(kw_only=True)
class Release:
    """One Helm release of the tenant's helmfile.

    Attributes:
        name: unique in the tenant.
        chart: the name of its pin in ``charts.yaml``; a chart of that name in the package's own ``charts/`` folder
            is the package's own and is delivered with the build in lane dev.
        uses: what it calls.
        stage: its ``deployStage``.
        because: why it is there, where the tenant did not choose it itself.
        needs: other releases of the same component that must be ready first.
        reasons: why it needs one of them, by name; for the reader of ``explain`` and of a cycle.
        wait: whether Helm waits until it is ready; always so when another release needs it.
        wait_for_jobs: whether being ready includes that its Jobs are done; only with ``wait``, and only for a chart
            whose Jobs outlive the rest of it, since Helm fails on a Job that cleans up after itself meanwhile.
        timeout: how long Helm may wait, in seconds.
        brings: API groups whose CRDs, operator or admission webhook it brings to the cluster.
        requires: API groups that its objects are of.
        images: names of image pins that its chart runs without a value of ours that says so.
        cluster_objects: cluster-scoped objects that it renders, as ``Kind/name``; each name holds the slug.
        unpinned: images that no pin decides, with the reason: the reference that a template hard-codes, or the dotted
            path of the values that would choose it (``"persistence": "the init container is off"``).
    """

    name: str = attrs.field(validator=_release_name)
    chart: str
    uses: tuple[Use[object], ...] = attrs.field(default=(), validator=many)
    stage: Stage = Stage.COMPONENTS
    because: str = ""
    needs: tuple[str, ...] = attrs.field(default=(), validator=many)
    reasons: Mapping[str, str] = attrs.field(factory=dict[str, str])
    wait: bool = False
    wait_for_jobs: bool = False
    timeout: int = attrs.field(default=300, validator=attrs.validators.ge(1))
    brings: tuple[str, ...] = attrs.field(default=(), validator=many)
    requires: tuple[str, ...] = attrs.field(default=(), validator=many)
    images: tuple[str, ...] = attrs.field(default=(), validator=many)
    cluster_objects: tuple[str, ...] = attrs.field(default=(), validator=many)
    unpinned: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class Declaration:
    """What a component is made of: all that binding and ordering need.

    Attributes:
        releases: its releases; a component without one has only offers.
        wants: uses that may stay unbound; each is used by a release too.
        offers: what it provides to the other components of the tenant, and to itself first.
        scopes: credential scopes that it claims beside its own name.
        pod_security: the strictest level of the Pod Security Standards that all its pods keep to. The namespace enforces
            the weakest one that its components need.
    """

    releases: tuple[Release, ...] = attrs.field(default=(), validator=many)
    wants: tuple[Use[object], ...] = attrs.field(default=(), validator=many)
    offers: tuple[Offer, ...] = attrs.field(default=(), validator=many)
    scopes: tuple[str, ...] = attrs.field(default=(), validator=many)
    pod_security: PodSecurity = attrs.field(
        default=PodSecurity.BASELINE, validator=attrs.validators.instance_of(PodSecurity)
    )


def _host_names(instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    many(instance, attribute, value)
    for name in value:
        if value.count(name) > 1:
            raise ValueError(f"{attribute.name}: {name!r} stands twice")
        host_name(instance, attribute, name)  # type: ignore[arg-type]  # of one name, or of several


@attrs.frozen(kw_only=True)
class Wiring:
    """The parts of the contract, once everything is bound.

    Attributes:
        overlay: release to values over the unmodified upstream chart.
        secrets: the Secrets that the component's pods and hooks consume.
        pre, post: hooks that run before and after the component's releases.
        schema: what its seeds need of the pinned images.
        network: the pods that call something outside the namespace, or are called from there.
        plain: derived values in the overlay that no Secret can carry.
        hosts: host names that lead to the component from outside, in full.
        ports: external ports that it has beside those of its hosts, such as ``10000/udp``.
    """

    overlay: Mapping[str, Mapping[str, Value]] = attrs.field(factory=dict[str, Mapping[str, Value]])
    secrets: tuple[Secret, ...] = attrs.field(default=(), validator=many)
    pre: tuple[Hook, ...] = attrs.field(default=(), validator=many)
    post: tuple[Hook, ...] = attrs.field(default=(), validator=many)
    schema: tuple[Schema, ...] = attrs.field(default=(), validator=many)
    network: tuple[Workload, ...] = attrs.field(default=(), validator=many)
    plain: tuple[PlainValue, ...] = attrs.field(default=(), validator=many)
    hosts: tuple[str, ...] = attrs.field(default=(), validator=_host_names)
    ports: tuple[str, ...] = attrs.field(default=(), validator=external_ports)


@attrs.frozen(kw_only=True)
class Component:
    """One open-source part under the contract. The fields of a subclass are what a tenant may choose.

    Attributes:
        kind: the component's kind: the name of its entry point in the group ``kiwistack.components``.
        name: which one it is, where a tenant has two of a kind; the kind by default.
    """

    kind: ClassVar[str]

    name: str = attrs.field(
        default=attrs.Factory(lambda self: type(self).kind, takes_self=True),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType] -- attrs types it so
        validator=_component_name,
    )

    def declare(self) -> Declaration:
        """Say what the component is made of and what each release uses. Pure."""
        raise NotImplementedError

    def wire(self, bound: Bound) -> Wiring:
        """Turn what was bound into overlay, Secrets, hooks, schema contract and network. Pure."""
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Gateway(Component):
    """A component of a cluster, which all its customers share, in a ``kiwi-<service>`` namespace of its own.

    It holds no customer's data and names no customer in its values: who may call it follows from the cluster's
    customers, and each has a key of its own.

    Attributes:
        service: what it serves, and so the name of its namespace: ``llm-gateway`` is ``kiwi-llm-gateway``.
    """

    service: ClassVar[str]

    @property
    def namespace(self) -> str:
        """The namespace of everything that it is made of."""
        return f"kiwi-{self.service}"
