"""openDesk's credentials: derived as upstream derives them, at the places where upstream's charts get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from kiwi_core import Credential, PlainValue, Rotation, Value

from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._selection import Chosen

__all__ = ["READER", "credential", "credentials", "paths", "plain_values", "scopes", "tree"]

READER: Final = "kiwistack"
"""The directory account of the tenant's other components: Nubus makes one for each key of ``ldapSearch``."""

# The mirror that the facts were read from has lost Keycloak's client of XWiki, and with it this name; XWiki's own
# values name the client and its secret, so upstream's bootstrap makes it.
LOST: Final[Mapping[str, tuple[str, ...]]] = {
    "opendesk-keycloak-bootstrap": ("secrets.keycloak.clientSecret.xwiki",),
}

SERVERS: Final = frozenset({"cassandra", "mariadb", "minio", "postgresql"})
"""Where upstream keeps the accounts of its servers: ``secrets.<server>``."""

ADMINISTRATOR: Final = "secrets.keycloak.adminPassword"
"""Keycloak's own takes it at its first start, too."""

REASON: Final = "upstream's values template hands it to the chart, which takes no Secret of ours there"


def scopes() -> tuple[str, ...]:
    """Return upstream's users of ``derivePassword``: the scopes that openDesk claims, whatever is chosen."""
    return tuple(sorted({item.scope for item in facts().secrets.values()}))


def credential(path: str) -> Credential:
    """Return the credential at a path of upstream's, such as ``secrets.redis.password``.

    Raises:
        KeyError: upstream derives nothing there.
    """
    item = facts().secrets[path]
    # Servers that read the password at their first start, and keep it with their data.
    is_first = path.split(".")[1] in SERVERS or path == ADMINISTRATOR
    return Credential(
        item.scope,
        item.purpose,
        item.generation,
        template=item.template,
        encoding=item.encoding,
        rotation=Rotation.INIT if is_first else Rotation.LIVE,
    )


def paths(chosen: Chosen, *, enterprise: bool) -> tuple[str, ...]:
    """Return the paths of the derived secrets that a release's values files name.

    The two migrations get the whole tree of values from upstream, every secret and the seed included; they are given
    none here. The seed, which Nubus is given beside, is no derived secret, and is left out.
    """
    item = chosen.facts
    named = {*item.names.secrets, *LOST.get(item.name, ()), *(item.enterprise_names.secrets if enterprise else ())}
    return tuple(path for path in facts().secrets if path in named)


def credentials(chosen: Chosen, *, enterprise: bool, reader: Credential) -> Mapping[str, Credential]:
    """Return the credentials in a release's values by their paths.

    Args:
        chosen: the release.
        enterprise: whether it is of the Enterprise edition.
        reader: the password of the account of :data:`READER`.
    """
    found = {path: credential(path) for path in paths(chosen, enterprise=enterprise)}
    return found | {f"secrets.nubus.ldapSearch.{READER}": reader} if chosen.facts.name == "ums" else found


def tree(found: Mapping[str, Credential]) -> Mapping[str, Value]:
    """Return credentials as the values of a release have them: a map in a map for each step of a path."""
    root: dict[str, Value] = {}
    for path, late in found.items():
        *steps, last = path.split(".")
        inner = root
        for step in steps:
            # Each map on the way was made right here.
            inner = cast("dict[str, Value]", inner.setdefault(step, {}))
        inner[last] = late
    return root


def plain_values(release: str, found: Mapping[str, Credential]) -> tuple[PlainValue, ...]:
    """Declare credentials as the plain values that they are."""
    return tuple(PlainValue(release=release, path=path, reason=REASON) for path in found)
