"""The application: a website and a worker over the tenant's Postgres, bucket and sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import urlsplit

import attrs
from kiwi_core import (
    AlembicSchema,
    Bound,
    Bucket,
    Component,
    Declaration,
    Egress,
    Hook,
    Ingress,
    Oidc,
    OidcClient,
    OidcMapper,
    Postgres,
    PostgresDatabase,
    PostgresRole,
    Release,
    Rows,
    S3Bucket,
    Secret,
    Seed,
    Value,
    Wiring,
    Workload,
    checksum,
    text,
    url,
)

__all__ = ["Memo"]

DB: Final = Postgres("memo")
FILES: Final = Bucket("memo-files")
SIGN_IN: Final = Oidc("memo")
INGRESS: Final = Ingress("memo")

CHECKSUM: Final = "checksum/secrets"
WEB_PORT: Final = 8000
MIGRATIONS: Final = "/app/memo/migrations/versions"
"""Where the image has its revisions (app/Containerfile)."""

# What version 0.1.0 of the application ends at.
WORKS: Final = AlembicSchema(
    image="memo",
    on=DB,
    minimum="91c4e6b20d7a",
    because="the worker (columns of what it finds out)",
    versions=MIGRATIONS,
    reader="python",
)
# What version 0.2.0 ends at.
WELCOMES: Final = attrs.evolve(WORKS, minimum="d07f5a38c9e1", because="the welcome memo (column origin)")

EVERYBODY: Final = "*"
"""The owner of memos that everybody sees (memo.memos)."""
WELCOME_MEMO: Final = "6f2d1c1e-7a55-4b5e-9a52-0d2f4c9b7e11"
"""The id of the welcome memo: it is found again by it, whatever it says."""


@attrs.frozen(kw_only=True)
class Memo(Component):
    """Memos with attachments, for everybody who signs in.

    Attributes:
        host: the first label of its public name; the tenant's domain follows.
        replicas: pods of the website.
        workers: pods that look into new memos.
        welcome: a memo that everybody finds there; empty for none.
    """

    kind: ClassVar[str] = "memo"

    host: str = "memo"
    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    workers: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    welcome: str = "Welcome. What you write here, only you can read."

    def declare(self) -> Declaration:
        """Say what it is made of: one release, which has to be ready before the welcome memo is written."""
        release = Release(name="memo", chart="memo", uses=(DB, FILES, SIGN_IN, INGRESS), wait=True, timeout=600)
        return Declaration(releases=(release,), wants=(INGRESS,))

    def wire(self, bound: Bound) -> Wiring:
        """Wire the chart to what was bound."""
        host = f"{self.host}.{bound.home.domain}"
        data, web = self._secrets(bound)
        return Wiring(
            secrets=(data, web),
            pre=self._pre(host),
            post=self._post(),
            schema=(self._schema,),
            network=(self._web(bound),),
            hosts=(host,) if bound.get(INGRESS) else (),
            overlay={"memo": self._values(bound, host, data, web)},
        )

    @property
    def _schema(self) -> AlembicSchema:
        return WELCOMES if self.welcome else WORKS

    def _secrets(self, bound: Bound) -> tuple[Secret, Secret]:
        """Return what all pods read, and what the website alone does."""
        db, files, sign_in = bound[DB], bound[FILES], bound[SIGN_IN]
        database = text(
            "postgresql://{user}:{password}@{host}:{port}/{database}",
            user=db.user,
            password=url(db.password),
            host=db.host,
            port=str(db.port),
            database=db.database,
        )
        data = Secret(
            "memo-data",
            {"database_url": database, "s3_access_key": files.access_key, "s3_secret_key": files.secret_key},
        )
        keys = {"oidc_client_secret": sign_in.client_secret, "session_key": bound.credential("session-key")}
        return data, Secret("memo-web", keys)

    def _pre(self, host: str) -> tuple[Hook, ...]:
        # Without it, no access token says that it is for this client, and the application takes no other.
        audience = OidcMapper(
            "oidc-audience-mapper", {"included.client.audience": SIGN_IN.name, "access.token.claim": "true"}
        )
        return (
            PostgresRole(on=DB),
            PostgresDatabase(on=DB),
            S3Bucket(on=FILES),
            OidcClient(
                on=SIGN_IN,
                redirect_uris=(f"https://{host}/callback",),
                post_logout_uris=(f"https://{host}/",),
                service_account=True,
                mappers={"audience": audience},
            ),
        )

    def _post(self) -> tuple[Hook, ...]:
        if not self.welcome:
            return ()
        row = {"id": WELCOME_MEMO, "owner": EVERYBODY, "body": self.welcome, "origin": "platform"}
        return (Seed(on=DB, tables=(Rows(table="memo", key=("id",), rows=(row,)),), schema=self._schema),)

    def _web(self, bound: Bound) -> Workload:
        """Return the website's pods; they call the issuer, which is either in their own namespace or outside."""
        issuer = urlsplit(bound[SIGN_IN].issuer)
        egress: tuple[Egress, ...] = ()
        if "." in (issuer.hostname or ""):
            port = issuer.port or (80 if issuer.scheme == "http" else 443)
            egress = (Egress(to=f"the identity provider ({issuer.hostname})", ports=(port,)),)
        pods = {"app.kubernetes.io/name": "memo", "app.kubernetes.io/component": "web"}
        return Workload(name="web", pods=pods, egress=egress, served_by=INGRESS, ports=(WEB_PORT,))

    def _values(self, bound: Bound, host: str, data: Secret, web: Secret) -> Mapping[str, Value]:
        files, sign_in, ingress = bound[FILES], bound[SIGN_IN], bound.get(INGRESS)
        repository, tag = bound.image("memo")
        values: dict[str, Value] = {
            "image": {"repository": repository, "tag": tag},
            "url": f"https://{host}",
            "s3": {"endpoint": files.endpoint, "region": files.region, "bucket": files.bucket},
            "oidc": {"issuer": sign_in.issuer, "clientId": sign_in.client_id},
            "data": {"existingSecret": data.name},
            "web": {
                "replicas": self.replicas,
                "existingSecret": web.name,
                "podAnnotations": {CHECKSUM: checksum(data, web)},
            },
            "worker": {"replicas": self.workers, "podAnnotations": {CHECKSUM: checksum(data)}},
        }
        if ingress:
            values |= {"host": host, "ingressClassName": ingress.class_name, "issuer": ingress.issuer or ""}
        return values
