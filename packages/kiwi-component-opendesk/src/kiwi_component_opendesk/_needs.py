"""What each release of openDesk needs before it, with the reason.

Upstream declares four of these and lets the rest settle at run time. Most follow from what a release's values files
name: a database, a cache, a bucket, an account of the directory, a client of Keycloak. The rest stands in the table,
read from the same values files (the reason says from what). A coupling that cannot be an order is left to run time:
Postfix of the services looks addresses up in Nubus' directory and delivers to Dovecot, and both come long after it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from kiwi_component_opendesk._facts import Names, ReleaseFacts, facts

__all__ = ["ANTIVIRUS", "JOBS", "Need", "needs"]


@attrs.frozen
class Need:
    """What must be ready first.

    Attributes:
        release: its name; :data:`ANTIVIRUS` is the virus scanner that was chosen.
        because: the reason, for the reader.
        wanted: whether it is only waited for where it is there, and brought by nothing else.
    """

    release: str
    because: str
    wanted: bool = False


ANTIVIRUS: Final = "antivirus"
IDP: Final = "opendesk-keycloak-bootstrap"
SYNAPSE: Final = "opendesk-synapse"
NEXTCLOUD: Final = "opendesk-nextcloud"
_SCANNED: Final = "mail that passes it is scanned for viruses"
_SIGNED: Final = "mail that passes it is signed (DKIM)"
_CERTIFICATE: Final = "its pods mount the certificate's Secret"
_ROOM: Final = "it creates an account from within Synapse's first pod"

TABLE: Final[Mapping[str, tuple[Need, ...]]] = {
    "postfix": (
        Need(ANTIVIRUS, _SCANNED),
        Need("opendesk-certificates", _CERTIFICATE),
        Need("opendesk-dkimpy-milter", _SIGNED, wanted=True),
    ),
    "ums": (Need("postfix", "it sends invitations and notices by mail"),),
    IDP: (Need("ums", "it sets up the realm of Nubus' Keycloak"),),
    "dovecot": (
        Need("opendesk-certificates", _CERTIFICATE),
        Need("postfix", "mail that is submitted to it goes out through postfix"),
    ),
    "postfix-ox": (
        Need("dovecot", "it signs senders in at Dovecot and delivers to it"),
        Need(ANTIVIRUS, _SCANNED),
        Need("opendesk-certificates", _CERTIFICATE),
        Need("opendesk-dkimpy-milter", _SIGNED, wanted=True),
    ),
    "open-xchange": (
        Need("dovecot", "mailboxes and their filters are Dovecot's"),
        Need("postfix-ox", "it sends mail through postfix-ox"),
        Need(ANTIVIRUS, "attachments are scanned for viruses"),
    ),
    "opendesk-open-xchange-bootstrap": (Need("open-xchange", "it registers the file store in the running middleware"),),
    "ox-connector": (
        Need("open-xchange", "it provisions people into the running middleware"),
        Need("ums", "it reads them from Nubus' provisioning API"),
    ),
    "opendesk-nextcloud-management": (Need(ANTIVIRUS, "files are scanned for viruses"),),
    NEXTCLOUD: (Need("opendesk-nextcloud-management", "that installs and upgrades Nextcloud"),),
    "opendesk-nextcloud-notifypush": (Need(NEXTCLOUD, "it pushes what Nextcloud tells it"),),
    "collabora-online": (Need(NEXTCLOUD, "it opens documents of Nextcloud's, with the fonts that are kept there"),),
    "collabora-controller": (Need("collabora-online", "it watches the deployment of Collabora"),),
    "cryptpad": (Need(NEXTCLOUD, "it opens diagrams of Nextcloud's"),),
    "jitsi": (
        Need(IDP, "people sign in with the client opendesk-jitsi"),
        Need(
            "opendesk-matrix-user-verification-service", "it lets in who is in the Element room of a call", wanted=True
        ),
    ),
    "opendesk-synapse-web": (Need(SYNAPSE, "it hands requests on to Synapse"),),
    "opendesk-matrix-user-verification-service-bootstrap": (Need(SYNAPSE, _ROOM),),
    "opendesk-matrix-user-verification-service": (
        Need("opendesk-matrix-user-verification-service-bootstrap", "that makes its account's Secret"),
    ),
    "matrix-neodatefix-bot-bootstrap": (Need(SYNAPSE, _ROOM),),
    "matrix-neodatefix-bot": (Need("matrix-neodatefix-bot-bootstrap", "that makes its account's Secret"),),
    "opendesk-synapse-admin": (
        Need(SYNAPSE, "it administers Synapse and reads its database"),
        Need("opendesk-synapse-adminbot-bootstrap", "that makes the Secret of the account that it signs in with"),
    ),
    "opendesk-synapse-adminbot-bootstrap": (Need(SYNAPSE, _ROOM),),
    "opendesk-synapse-adminbot-pipe": (Need("opendesk-synapse-adminbot-bootstrap", "that makes its configuration"),),
    "opendesk-synapse-auditbot-bootstrap": (Need(SYNAPSE, _ROOM),),
    "opendesk-synapse-auditbot-pipe": (Need("opendesk-synapse-auditbot-bootstrap", "that makes its configuration"),),
    "opendesk-synapse-groupsync": (Need(SYNAPSE, "it keeps Synapse's rooms as the directory's groups are"),),
    "impress": (Need("impress-customization", "its pods mount the ConfigMap that this makes"),),
    "opendesk-openproject-bootstrap": (
        Need("openproject", "it links the two with the administrators' accounts of both"),
        Need(NEXTCLOUD, "it links the two with the administrators' accounts of both"),
    ),
}
"""What values files say beyond the kinds of things below."""

JOBS: Final = frozenset(
    (
        *("postgresql", "mariadb", "minio", IDP, "opendesk-open-xchange-bootstrap"),
        *("opendesk-matrix-user-verification-service-bootstrap", "matrix-neodatefix-bot-bootstrap"),
        *("opendesk-synapse-adminbot-bootstrap", "opendesk-synapse-auditbot-bootstrap"),
    )
)
"""Releases whose Jobs make what others need: users and databases, buckets, clients, accounts.

Nubus has such Jobs too. They clean up after themselves a minute after they are done, long before the rest of it is
ready, and Helm fails when a Job that it waits for is gone; its own init containers wait for them.
"""

ENGINES: Final = {"postgresql": "postgresql", "mariadb": "mariadb", "cassandra": "cassandra"}
SERVERS: Final = frozenset({*ENGINES.values(), "minio", "redis", "memcached"})


@functools.cache
def needs(release: str, *, enterprise: bool) -> tuple[Need, ...]:
    """Return what a release needs before it, each once.

    Args:
        release: its name.
        enterprise: whether it is of the Enterprise edition, whose values files name more.
    """
    item = facts().releases[release]
    found: dict[str, Need] = {need.release: need for need in TABLE.get(release, ())}
    for names in (item.names, item.enterprise_names) if enterprise else (item.names,):
        for need in _derived(item, names):
            found.setdefault(need.release, need)
    for name in item.needs:
        found.setdefault(name, Need(name, "upstream says so"))
    return tuple(found.values())


def _derived(item: ReleaseFacts, names: Names) -> Iterator[Need]:
    """Yield what follows from what values files name; a server names what it serves, and needs none of it."""
    if item.name not in SERVERS:
        yield from _services(names)
    # What comes before Nubus looks things up there at run time, and Nubus makes the accounts itself.
    if item.app in {"services-external", "opendesk-services"} or item.name in {"ums", IDP}:
        return
    for path in names.secrets:
        match path.split("."):
            case ("secrets", "nubus", "ldapSearch", account):
                yield Need("ums", f"it searches the directory as ldapsearch_{account}")
            case ("secrets", "keycloak", "clientSecret", _):
                yield Need(IDP, "that makes its client at Keycloak")
            case ("secrets", "postfix", _):
                yield Need("postfix", "it sends mail through postfix")
            case _:
                pass


def _services(names: Names) -> Iterator[Need]:
    known = facts()
    for key in names.databases:
        database = known.databases[key]
        yield Need(ENGINES[str(database["type"])], f"its database {database['name']} is there")
    for key in names.caches:
        host = str(known.caches[key]["host"])
        yield Need(host.removesuffix("-headless"), f"its cache is {host}")
    for key in names.objectstores:
        yield Need("minio", f"its bucket {known.objectstores[key]['bucket']} is there")
