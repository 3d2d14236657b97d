"""The component: which apps a tenant may choose, what openDesk is made of, and how it is wired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import attrs
from kiwi_core import Bound, Component, Credential, Declaration, Egress, Release, Wiring, Workload
from kiwi_core.errors import did_you_mean

from kiwi_component_opendesk._credentials import credentials, plain_values, scopes, tree
from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._outside import hosts, ports
from kiwi_component_opendesk._selection import APPS, DEFAULT_APPS, ENTERPRISE_EXTRAS, EXTRAS, Chosen, select
from kiwi_component_opendesk._services import offers, secrets

__all__ = ["PIN_PREFIX", "OpenDesk"]

PIN_PREFIX: Final = "opendesk-"
"""What the names of openDesk's pins begin with; upstream's own key follows, then ``-enterprise`` where that differs."""

HELMFILE_TIMEOUT: Final = 300
"""What helmfile gives a release that states no timeout, in seconds."""

# Kubernetes labels each pod of a StatefulSet with its name; upstream's bootstrap jobs name Synapse's first one.
SYNAPSE_POD: Final = {"statefulset.kubernetes.io/pod-name": "opendesk-synapse-0"}
FEDERATION: Final = (443, 8448)
"""Where other Matrix servers answer (Matrix specification, server-server API, "Resolving server names")."""

CERT_MANAGER: Final = "cert-manager.io"


def _choices(what: str, value: Iterable[str], known: Iterable[str]) -> None:
    if not isinstance(value, tuple):
        raise TypeError(f"{what}s: found {value!r}, expected a tuple such as ({next(iter(known))!r},)")
    for name in value:
        if name not in known:
            raise ValueError(f"openDesk has no {what} {name!r}: {did_you_mean(name, known, otherwise='it has')}")
        if value.count(name) > 1:
            raise ValueError(f"{what} {name!r} is chosen twice: once is enough")


def _apps(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    _choices("app", value, APPS)
    if not value:
        raise ValueError(f"no app is chosen: openDesk has {', '.join(APPS)}; a tenant without one needs no openDesk")


def _extras(instance: OpenDesk, _attribute: object, value: tuple[str, ...]) -> None:
    _choices("extra", value, EXTRAS)
    if not instance.enterprise:
        for name in sorted(ENTERPRISE_EXTRAS.intersection(value)):
            raise ValueError(f"extra {name!r} is of the Enterprise edition: set enterprise=True, or leave it out")


@attrs.frozen(kw_only=True)
class OpenDesk(Component):
    """openDesk: the office and collaboration suite of the German public administration, at one version of upstream's.

    A chosen app brings what it needs: other apps, databases, the mail server, migrations. :meth:`reasons` says why
    each release is there.

    Attributes:
        apps: upstream's names of the apps; by default those that upstream switches on.
        enterprise: whether it is the Enterprise edition, from registries that ask for an account.
        extras: what upstream has and switches off: ``alerts``, ``clamav-distributed`` (in place of the simple virus
            scanner), ``dashboards``, ``dkimpy``, ``otterize``; with ``enterprise``, ``element-admin`` and
            ``element-groupsync``, too.
    """

    kind: ClassVar[str] = "opendesk"

    apps: tuple[str, ...] = attrs.field(default=DEFAULT_APPS, validator=_apps)
    enterprise: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    extras: tuple[str, ...] = attrs.field(default=(), validator=_extras)

    def reasons(self) -> Mapping[str, str]:
        """Return why each release is there: chosen, or needed by another."""
        return {name: chosen.reason for name, chosen in self._chosen.items()}

    def order(self) -> Mapping[str, Mapping[str, str]]:
        """Return for each release what must be ready before it, and why."""
        return {name: chosen.needs for name, chosen in self._chosen.items()}

    def declare(self) -> Declaration:
        """Say which releases the choice of apps comes to, in which order, and what they offer."""
        return Declaration(
            releases=tuple(self._release(chosen) for chosen in self._chosen.values()),
            offers=offers(self.name, self._chosen),
            scopes=scopes(),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Give each release the secrets that its values files name, and lend accounts through Secrets."""
        reader = self._reader(bound)
        found = {
            name: credentials(chosen, enterprise=self.enterprise, reader=reader)
            for name, chosen in self._chosen.items()
        }
        synapse = Workload(
            name="synapse",
            pods=SYNAPSE_POD,
            egress=(Egress(to="other Matrix servers (federation)", ports=FEDERATION),),
        )
        return Wiring(
            overlay={name: tree(late) for name, late in found.items() if late},
            plain=tuple(plain for name, late in found.items() for plain in plain_values(name, late)),
            secrets=secrets(self.name, self._chosen, reader),
            network=(synapse,) if "opendesk-synapse" in self._chosen else (),
            hosts=hosts(self._chosen, bound.home.domain),
            ports=ports(self._chosen),
        )

    @property
    def _chosen(self) -> Mapping[str, Chosen]:
        return select(self.apps, self.extras, enterprise=self.enterprise)

    def _reader(self, bound: Bound) -> Credential:
        return bound.credential("ldap/reader")

    def _release(self, chosen: Chosen) -> Release:
        item = chosen.facts
        named = {*item.names.images, *(item.enterprise_names.images if self.enterprise else ())}
        known = facts()
        return Release(
            name=item.name,
            chart=self._pin(item.chart, known.enterprise_charts),
            stage=chosen.stage,
            because=chosen.reason,
            needs=tuple(chosen.needs),
            reasons=chosen.needs,
            wait=item.wait,
            wait_for_jobs=chosen.wait_for_jobs,
            timeout=item.timeout or HELMFILE_TIMEOUT,
            # The chart makes Certificates (values-certificates.yaml.gotmpl, issuerRef).
            requires=(CERT_MANAGER,) if item.name == "opendesk-certificates" else (),
            images=tuple(self._pin(image, known.enterprise_images) for image in known.images if image in named),
        )

    def _pin(self, key: str, overrides: Mapping[str, object]) -> str:
        return f"{PIN_PREFIX}{key}-enterprise" if self.enterprise and key in overrides else f"{PIN_PREFIX}{key}"
