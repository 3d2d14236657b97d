"""What of openDesk is reached from outside: host names, and the ports of mail and of video calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._selection import Chosen

__all__ = ["hosts", "ports"]

# The ingresses of upstream's values files, by the release that makes them; the keys are those of `global.hosts`. Hosts
# that are reached while debugging only, or are but an alias in the certificate, are not here.
HOSTS: Final[Mapping[str, tuple[str, ...]]] = {
    "collabora-online": ("collabora",),
    "cryptpad": ("cryptpad",),
    "impress": ("notes",),
    "intercom-service": ("intercomService",),
    "jitsi": ("jitsi",),
    "matrix-neoboard-widget": ("matrixNeoBoardWidget",),
    "matrix-neochoice-widget": ("matrixNeoChoiceWidget",),
    "matrix-neodatefix-bot": ("matrixNeoDateFixBot",),
    "matrix-neodatefix-widget": ("matrixNeoDateFixWidget",),
    "minio": ("minioApi",),
    "open-xchange": ("openxchange", "openxchangeDav"),
    "opendesk-element": ("element",),
    "opendesk-nextcloud": ("nextcloud",),
    "opendesk-static-files": ("static",),
    "opendesk-synapse": ("synapseFederation",),
    "opendesk-synapse-admin": ("synapseAdmin",),
    "opendesk-synapse-adminbot-web": ("adminBot",),
    "opendesk-synapse-web": ("synapse",),
    "openproject": ("openproject",),
    "ums": ("nubus", "keycloak"),
    "xwiki": ("xwiki",),
}

HOME: Final = "opendesk-home"
"""The release that answers at the bare domain."""

PORTS: Final[Mapping[str, tuple[str, ...]]] = {
    # Values files of Dovecot, Postfix and Jitsi's video bridge, with services of type LoadBalancer or NodePort.
    "dovecot": ("993/tcp", "995/tcp"),
    "postfix-ox": ("25/tcp", "587/tcp"),
    "jitsi": ("10000/udp",),
}


def hosts(chosen: Mapping[str, Chosen], domain: str) -> tuple[str, ...]:
    """Return the host names of the releases that are there."""
    return tuple(_hosts(chosen, domain))


def _hosts(chosen: Mapping[str, Chosen], domain: str) -> Iterator[str]:
    if HOME in chosen:
        yield domain
    for release, keys in HOSTS.items():
        if release in chosen:
            yield from (f"{facts().hosts[key]}.{domain}" for key in keys)


def ports(chosen: Mapping[str, Chosen]) -> tuple[str, ...]:
    """Return the external ports of the releases that are there."""
    return tuple(port for release, found in PORTS.items() if release in chosen for port in found)
