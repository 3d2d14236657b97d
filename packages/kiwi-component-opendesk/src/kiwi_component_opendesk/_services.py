"""What openDesk offers to the rest of its tenant, and the Secrets that lend the accounts for it.

What upstream's charts call their own Secrets is not known. The accounts' passwords are derived, so they are declared
here under names of ours: one copy more of what can be derived anyway, in the same namespace.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from kiwi_core import (
    BucketOffer,
    Credential,
    LdapOffer,
    MariadbOffer,
    Offer,
    OidcOffer,
    PostgresOffer,
    Secret,
    SecretKey,
    SmtpOffer,
)

from kiwi_component_opendesk._credentials import READER, credential
from kiwi_component_opendesk._facts import facts

__all__ = ["offers", "secrets"]

KEY: Final = "password"
IDP: Final = "opendesk-keycloak-bootstrap"
LENT: Final = {
    "postgresql": "secrets.postgresql.postgresUser",
    "mariadb": "secrets.mariadb.rootPassword",
    "minio": "secrets.minio.rootPassword",
    "postfix": "secrets.postfix.opendeskSystemPassword",
    IDP: "secrets.keycloak.adminPassword",
}
"""The releases whose accounts are lent, with the path of the password."""

DIRECTORY: Final = "ums"


def secrets(name: str, there: Container[str], reader: Credential) -> tuple[Secret, ...]:
    """Return the Secrets of the accounts that are lent.

    Args:
        name: the component's.
        there: the releases.
        reader: the password of the directory's reader.
    """
    lent = {release: credential(path) for release, path in LENT.items()} | {DIRECTORY: reader}
    return tuple(Secret(_secret(name, release), {KEY: late}) for release, late in lent.items() if release in there)


def offers(name: str, there: Container[str]) -> tuple[Offer, ...]:
    """Return what is offered by the releases that are there.

    Args:
        name: the component's.
        there: the releases.
    """
    return tuple(offer for offer in _all(name) if offer.release and offer.release in there)


def _secret(name: str, release: str) -> str:
    return f"{name}-{release}-account"


def _all(name: str) -> Iterator[Offer]:
    known = facts()

    def lent(release: str) -> SecretKey:
        return SecretKey(_secret(name, release), KEY)

    # Hosts and ports: environments/default/{database,objectstores,smtp}.yaml.gotmpl; the administrators: the values
    # files of the servers, but for MinIO's, which is the chart's default (bitnami/minio, auth.rootUser).
    yield PostgresOffer(release="postgresql", host="postgresql", admin=lent("postgresql"))
    yield MariadbOffer(release="mariadb", host="mariadb", admin=lent("mariadb"))
    yield BucketOffer(release="minio", endpoint_url="http://minio:9000", admin_user="admin", admin=lent("minio"))
    # One account for all: Nubus makes ldapsearch_<key> of each key (values-nubus.yaml.gotmpl, ldapSearchUsers).
    base = known.ldap["base"]
    yield LdapOffer(
        release=DIRECTORY,
        host=known.ldap["host"],
        base=base,
        bind_dn=f"uid=ldapsearch_{READER},cn=users,{base}",
        password=lent(DIRECTORY),
    )
    # The administrator of Nubus' Keycloak (values-nubus.yaml.gotmpl), which the bootstrap signs in with, too.
    yield OidcOffer(
        release=IDP,
        issuer=f"https://{known.hosts['keycloak']}.{{domain}}/realms/{known.realm}",
        admin_url="http://ums-keycloak:8080",
        admin_user="kcadmin",
        admin=lent(IDP),
    )
    # The account that openDesk's own apps send with (values-postfix.yaml.gotmpl, staticAuthDB).
    yield SmtpOffer(
        release="postfix",
        host="postfix",
        sender=known.no_reply,
        user="opendesk-system@{domain}",
        password=lent("postfix"),
    )
