"""The servers: Postgres, S3 and Keycloak in the tenant's own namespace, one of each, for a demonstration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Final

import attrs
from kiwi_core import (
    Bound,
    BucketOffer,
    Component,
    Credential,
    Declaration,
    Ingress,
    OidcOffer,
    PostgresOffer,
    Release,
    Rotation,
    Secret,
    SecretKey,
    Stage,
    Text,
    Value,
    Wiring,
    Workload,
    checksum,
)

__all__ = ["MemoBackends"]

INGRESS: Final = Ingress("memo-keycloak")
POSTGRES: Final = "memo-postgres"
S3: Final = "memo-s3"
KEYCLOAK: Final = "memo-keycloak"
S3_PORT: Final = 7070
KEYCLOAK_PORT: Final = 8080
INSTANCE: Final = "app.kubernetes.io/instance"
CHECKSUM: Final = "checksum/secrets"
ROOT: Final = "root"
ADMINISTRATOR: Final = "admin"

POSTGRES_ADMIN: Final = SecretKey("memo-postgres-admin", "password")
S3_ADMIN: Final = SecretKey("memo-s3-admin", "secret_key")
KEYCLOAK_ADMIN: Final = SecretKey("memo-keycloak-admin", "password")
REALM: Final = SecretKey("memo-keycloak-realm", "realm.json")
HERE: Final = "the password goes here"


@attrs.frozen(kw_only=True)
class MemoBackends(Component):
    """Postgres, S3 and Keycloak, one server of each: to try an application without anything else, and no more.

    The realm is made at Keycloak's first start, with one person in it.

    Attributes:
        sign_in_host: the first label of the name that browsers sign in at, through the cluster's ingress; the tenant's
            domain follows. Empty: Keycloak answers within the namespace only.
        realm: the realm's name.
        person: the user name of the one person; the password is the credential ``<component>/person``.
        size: volume of each server, as Kubernetes writes quantities. Empty: the data goes with the pods. It cannot be
            changed from the one to the other later.
    """

    kind: ClassVar[str] = "memo-backends"

    sign_in_host: str = ""
    realm: str = attrs.field(default="memo", validator=attrs.validators.matches_re(r"[a-z][a-z0-9-]*"))
    person: str = attrs.field(default="kim", validator=attrs.validators.matches_re(r"[a-z][a-z0-9._-]*"))
    size: str = attrs.field(default="", validator=attrs.validators.matches_re(r"(\d+(Mi|Gi|Ti))?"))

    def declare(self) -> Declaration:
        """Say which servers there are and what they offer."""
        at_ingress = (INGRESS,) if self.sign_in_host else ()
        return Declaration(
            releases=(
                Release(name=POSTGRES, chart="postgres", stage=Stage.SERVICES, wait=True),
                Release(name=S3, chart="s3", stage=Stage.SERVICES, wait=True),
                # It builds itself at its start.
                Release(name=KEYCLOAK, chart="keycloak", uses=at_ingress, stage=Stage.SERVICES, wait=True, timeout=900),
            ),
            offers=(
                PostgresOffer(release=POSTGRES, host=POSTGRES, admin=POSTGRES_ADMIN, pods={INSTANCE: POSTGRES}),
                BucketOffer(
                    release=S3,
                    endpoint_url=f"http://{S3}:{S3_PORT}",
                    admin_user=ROOT,
                    admin=S3_ADMIN,
                    accounts="versitygw",
                    pods={INSTANCE: S3},
                ),
                OidcOffer(
                    release=KEYCLOAK,
                    issuer=f"{self._url('{domain}')}/realms/{self.realm}",
                    port=KEYCLOAK_PORT,
                    admin_url=f"http://{KEYCLOAK}:{KEYCLOAK_PORT}",
                    admin_user=ADMINISTRATOR,
                    admin=KEYCLOAK_ADMIN,
                    pods={INSTANCE: KEYCLOAK},
                ),
            ),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Wire each server to an administrator whose password is derived."""
        domain = bound.home.domain
        # Both take it at their first start; the S3 server, at each.
        postgres = _secret(POSTGRES_ADMIN, bound.credential("postgres/admin", rotation=Rotation.INIT))
        s3 = _secret(S3_ADMIN, bound.credential("s3/admin"))
        keycloak = _secret(KEYCLOAK_ADMIN, bound.credential("keycloak/admin", rotation=Rotation.INIT))
        realm = _secret(REALM, self._realm(bound.credential("person"), domain))
        values: dict[str, Value] = {
            **_server(bound, "keycloak", keycloak, keycloak, realm),
            "adminUser": ADMINISTRATOR,
            "realm": {"name": self.realm, "existingSecret": realm.name},
            "url": self._url(domain),
            "size": self.size,
        }
        if self.sign_in_host:
            ingress = bound[INGRESS]
            host = f"{self.sign_in_host}.{domain}"
            values |= {"host": host, "ingressClassName": ingress.class_name, "issuer": ingress.issuer or ""}
        pods = Workload(name="keycloak", pods={INSTANCE: KEYCLOAK}, served_by=INGRESS, ports=(KEYCLOAK_PORT,))
        return Wiring(
            secrets=(postgres, s3, keycloak, realm),
            network=(pods,) if self.sign_in_host else (),
            hosts=(f"{self.sign_in_host}.{domain}",) if self.sign_in_host else (),
            overlay={
                POSTGRES: {**_server(bound, "postgres", postgres, postgres), "size": self.size},
                S3: {**_server(bound, "s3", s3, s3), "accessKey": ROOT, "size": self.size},
                KEYCLOAK: values,
            },
        )

    def _url(self, domain: str) -> str:
        """Return where browsers and applications find Keycloak."""
        return f"https://{self.sign_in_host}.{domain}" if self.sign_in_host else f"http://{KEYCLOAK}:{KEYCLOAK_PORT}"

    def _realm(self, password: Credential, domain: str) -> Text:
        """Return the realm as Keycloak imports it. Who lacks a part of the profile could not sign in."""
        person = {
            "username": self.person,
            "enabled": True,
            "email": f"{self.person}@{domain}",
            "emailVerified": True,
            "firstName": self.person.capitalize(),
            "lastName": "Demo",
            "credentials": [{"type": "password", "value": HERE, "temporary": False}],
        }
        before, _, after = json.dumps({"realm": self.realm, "enabled": True, "users": [person]}).partition(HERE)
        return Text((before, password, after))


def _secret(key: SecretKey, value: Credential | Text) -> Secret:
    return Secret(key.secret, {key.key: value})


def _server(bound: Bound, pin: str, admin: Secret, *consumed: Secret) -> Mapping[str, Value]:
    """Return the values that the three charts have in common.

    Args:
        bound: names the image.
        pin: of the image.
        admin: the Secret of the administrator.
        consumed: all Secrets that the pods read.
    """
    repository, tag = bound.image(pin)
    return {
        "image": {"repository": repository, "tag": tag},
        "existingSecret": admin.name,
        "podAnnotations": {CHECKSUM: checksum(*consumed)},
    }
