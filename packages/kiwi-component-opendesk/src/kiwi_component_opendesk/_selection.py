"""Which releases a choice of apps comes to, why each is there, and in what order."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Final

import attrs
from kiwi_core import Stage

from kiwi_component_opendesk._facts import ReleaseFacts, facts
from kiwi_component_opendesk._needs import ANTIVIRUS, JOBS, needs

__all__ = ["APPS", "DEFAULT_APPS", "ENTERPRISE_EXTRAS", "EXTRAS", "Chosen", "select"]

APPS: Final = (
    *("nubus", "open-xchange", "nextcloud", "collabora", "cryptpad", "jitsi", "element", "openproject", "xwiki"),
    "notes",
)
"""openDesk's apps, by the names and in the order of its folders."""

DEFAULT_APPS: Final = tuple(app for app in APPS if app != "notes")
"""What upstream switches on."""

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "alerts": ("opendesk-alerts",),
    "clamav-distributed": ("clamav",),
    "dashboards": ("opendesk-dashboards",),
    "dkimpy": ("opendesk-dkimpy-milter",),
    "element-admin": (
        "opendesk-synapse-admin",
        *(f"opendesk-synapse-adminbot-{part}" for part in ("bootstrap", "pipe", "web")),
        *(f"opendesk-synapse-auditbot-{part}" for part in ("bootstrap", "pipe")),
    ),
    "element-groupsync": ("opendesk-synapse-groupsync",),
    "otterize": ("opendesk-otterize",),
}
"""What upstream has and switches off."""

ENTERPRISE_EXTRAS: Final = frozenset({"element-admin", "element-groupsync"})

FIRST: Final = "opendesk-migrations-pre"
LAST: Final = "opendesk-migrations-post"
LINK: Final = "opendesk-openproject-bootstrap"
ALWAYS: Final = {
    FIRST: "it migrates what is there before anything else runs",
    "opendesk-home": "the bare domain leads to the portal through it",
    "opendesk-certificates": "the certificate of every host is its",
    "opendesk-static-files": "it serves files for the hosts of the apps",
    LAST: "it migrates what is there once everything else runs",
}
IN_ENTERPRISE: Final = {"collabora-controller": "collabora"}
"""Releases of the Enterprise edition, with the app that they belong to; Cassandra comes with Dovecot's need of it."""

DEFAULT_STAGE: Final = Stage.COMPONENTS
"""The stage of the releases of notes, which upstream labels wrongly: its neighbours'."""


@attrs.frozen(kw_only=True)
class Chosen:
    """A release that is there.

    Attributes:
        facts: what upstream says of it.
        reason: why it is there.
        stage: its stage.
        needs: what must be ready before it, with the reason of each.
        wait_for_jobs: whether its Jobs make what others need.
    """

    facts: ReleaseFacts
    reason: str
    stage: Stage
    needs: Mapping[str, str] = attrs.field(hash=False)
    wait_for_jobs: bool


@functools.lru_cache(maxsize=256)
def select(apps: tuple[str, ...], extras: tuple[str, ...], *, enterprise: bool) -> Mapping[str, Chosen]:
    """Return the releases of a choice by name, in upstream's order.

    Args:
        apps: chosen apps; what they need is added.
        extras: chosen extras; what they need is added.
        enterprise: whether it is the Enterprise edition.
    """
    known = facts().releases
    reasons = _Closure(extras, enterprise=enterprise).close(apps)
    there = [name for name in known if name in reasons]
    before = {name: dict(_before(name, reasons, extras, enterprise=enterprise)) for name in there}
    before[LAST] = {}
    needed = {need for found in before.values() for need in found}
    before[LAST] = {
        name: "it migrates once everything else runs" for name in there if name not in {*needed, FIRST, LAST}
    }
    return {
        name: Chosen(
            facts=known[name],
            reason=reasons[name],
            stage=Stage(known[name].stage or DEFAULT_STAGE),
            needs=before[name],
            wait_for_jobs=known[name].wait_for_jobs or name in JOBS,
        )
        for name in there
    }


def _before(
    name: str, there: Mapping[str, str], extras: tuple[str, ...], *, enterprise: bool
) -> Iterator[tuple[str, str]]:
    """Yield what must be ready before a release; what needs nothing else needs the first migration."""
    found = [
        (_scanner(need.release, extras), need.because)
        for need in needs(name, enterprise=enterprise)
        if _scanner(need.release, extras) in there
    ]
    yield from found
    if not found and name != FIRST:
        yield FIRST, ALWAYS[FIRST]


def _scanner(release: str, extras: tuple[str, ...]) -> str:
    if release != ANTIVIRUS:
        return release
    return "clamav" if "clamav-distributed" in extras else "clamav-simple"


@attrs.define
class _Closure:
    """Takes in releases, and the apps that they belong to, until nothing is needed that is not there."""

    extras: tuple[str, ...]
    enterprise: bool = attrs.field(kw_only=True)
    reasons: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    queue: list[str] = attrs.field(factory=list[str], init=False)

    def close(self, apps: tuple[str, ...]) -> Mapping[str, str]:
        for release, reason in ALWAYS.items():
            self.take(release, f"every openDesk has it: {reason}")
        for app in apps:
            self.take_app(app, f"app {app} was chosen")
        for extra in self.extras:
            for release in EXTRAS[extra]:
                self.take(release, f"extra {extra} was chosen")
        while self.queue:
            self.follow(self.queue.pop(0))
            if not self.queue and {"openproject", "opendesk-nextcloud"} <= self.reasons.keys():
                self.take(LINK, "apps openproject and nextcloud are both there: it links them")
        return self.reasons

    def follow(self, release: str) -> None:
        for need in needs(release, enterprise=self.enterprise):
            name = _scanner(need.release, self.extras)
            if need.wanted or name in self.reasons:
                continue
            app = facts().releases[name].app
            if app in APPS:
                self.take_app(app, f"of app {app}, whose {name} {release} needs: {need.because}")
            self.take(name, f"needed by {release}: {need.because}")

    def take_app(self, app: str, reason: str) -> None:
        extra = {name for names in EXTRAS.values() for name in names}
        for name, release in facts().releases.items():
            if release.app == app and name not in extra and (self.enterprise or name not in IN_ENTERPRISE):
                self.take(name, reason)

    def take(self, release: str, reason: str) -> None:
        if release not in self.reasons:
            self.reasons[release] = reason
            self.queue.append(release)
