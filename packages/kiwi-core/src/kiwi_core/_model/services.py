"""Kinds of services that run in the tenant's own namespace: for each a use, its binding, and the offer that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit

import attrs

from kiwi_core._model.fields import port
from kiwi_core._model.late import Credential
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Asked, Endpoint, Home, Offer, Use

__all__ = [
    "Bucket",
    "BucketBinding",
    "BucketOffer",
    "Oidc",
    "OidcBinding",
    "OidcOffer",
    "Redis",
    "RedisBinding",
    "RedisOffer",
    "ServerOffer",
    "Smtp",
    "SmtpBinding",
    "SmtpOffer",
]


@attrs.frozen(kw_only=True)
class ServerOffer(Offer):
    """A server of the tenant's namespace.

    Attributes:
        host: name of its Service.
        port: TCP port of the Service and of its pods.
        pods: labels that select its pods.
    """

    host: str
    port: int = attrs.field(validator=port)
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)


@attrs.frozen(kw_only=True)
class RedisBinding:
    """A Redis server; only its default user, since not every client can name another."""

    host: str
    port: int
    password: Credential


@attrs.frozen
class Redis(Use[RedisBinding]):
    """A Redis server."""

    kind: ClassVar[str] = "redis"
    binding: ClassVar[type] = RedisBinding


@attrs.frozen(kw_only=True)
class RedisOffer(ServerOffer):
    """A Redis server of the tenant's namespace.

    Attributes:
        password: the credential of its default user, in the scope of the component that offers it.
    """

    kind: ClassVar[str] = "redis"

    port: int = attrs.field(default=6379, validator=port)
    password: Credential

    def bind(self, use: Use[object], asked: Asked, home: Home) -> RedisBinding:  # noqa: ARG002 -- the interface
        """Give the server as it is."""
        return RedisBinding(host=self.host, port=self.port, password=self.password)


@attrs.frozen(kw_only=True)
class BucketBinding:
    """A bucket and an access key that is confined to it.

    Attributes:
        endpoint: URL of the S3 API.
    """

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: Credential


@attrs.frozen
class Bucket(Use[BucketBinding]):
    """An S3 bucket; the name is the bucket's."""

    kind: ClassVar[str] = "bucket"
    binding: ClassVar[type] = BucketBinding
    side_effect: ClassVar[str | None] = "a bucket and an access key"


@attrs.frozen(kw_only=True)
class BucketOffer(Offer):
    """An S3 server of the tenant's namespace.

    Attributes:
        endpoint_url: URL of the S3 API, such as ``http://minio:9000``.
        region: the region that requests are signed for.
        admin_user, admin: the administrator's access key and the Secret's key that holds its secret key; lent to hook
            jobs only.
        accounts: how access keys are made, for which S3 has no API. ``minio``: over MinIO's admin API, which openDesk
            brings (v1.13, helmfile/apps/services-external). ``versitygw``: over that of the Versity S3 Gateway, on the
            same port (its ``--admin-port`` not set) and with a store of accounts (``--iam-dir`` or another). ``none``:
            not by a hook; what an access key may do is then set where it is made, as with AWS IAM.
    """

    kind: ClassVar[str] = "bucket"

    endpoint_url: str
    region: str = "us-east-1"
    admin_user: str
    admin: SecretKey
    accounts: Literal["minio", "versitygw", "none"] = attrs.field(
        default="minio", validator=attrs.validators.in_(("minio", "versitygw", "none"))
    )
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        parts = urlsplit(self.endpoint_url)
        return Endpoint(ports=(parts.port or (443 if parts.scheme == "https" else 80),), pods=self.pods)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> BucketBinding:  # noqa: ARG002 -- the interface
        """Give the bucket that the use names, with an access key of the same name."""
        return BucketBinding(
            endpoint=self.endpoint_url,
            region=self.region,
            bucket=use.name,
            access_key=use.name,
            secret_key=asked.credential(use),
        )


@attrs.frozen(kw_only=True)
class OidcBinding:
    """A client at an OpenID Connect issuer.

    Attributes:
        issuer: URL; ``<issuer>/.well-known/openid-configuration`` is its discovery document.
    """

    issuer: str
    client_id: str
    client_secret: Credential


@attrs.frozen
class Oidc(Use[OidcBinding]):
    """Sign-in by OpenID Connect; the name is the client's id."""

    kind: ClassVar[str] = "oidc"
    binding: ClassVar[type] = OidcBinding
    side_effect: ClassVar[str | None] = "a client"


@attrs.frozen(kw_only=True)
class OidcOffer(Offer):
    """An identity provider of the tenant.

    Attributes:
        issuer: URL of the realm; ``{domain}`` in it is the tenant's domain.
        admin_url: where a Keycloak answers inside the cluster, with the path that it stands under, such as
            ``http://ums-keycloak:8080``; None where no administrator is lent, so that clients are made by hand.
        admin_user, admin: the administrator's name, and the Secret's key that holds its password; lent to hook jobs only.
        admin_realm: the realm that knows the administrator.
        admin_ca: the Secret's key with the certificates, as PEM, of who vouches for ``admin_url``; None: those whom the
            hook jobs' image trusts.
    """

    kind: ClassVar[str] = "oidc"

    issuer: str
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])
    port: int = attrs.field(default=8080, validator=port)
    admin_url: str | None = None
    admin_user: str = "admin"
    admin: SecretKey | None = None
    admin_realm: str = attrs.field(default="master", validator=attrs.validators.min_len(1))
    admin_ca: SecretKey | None = None

    def __attrs_post_init__(self) -> None:
        """Check that an administrator is lent whole or not at all.

        Raises:
            ValueError: only a part is.
        """
        if (self.admin_url is None) is not (self.admin is None):
            raise ValueError("admin_url and admin go together: name both, or none where no administrator is lent")

    @property
    def realm(self) -> str:
        """The realm's name, as the issuer of every realm of Keycloak ends with it; empty where this is none."""
        _, mark, realm = self.issuer.rpartition("/realms/")
        return unquote(realm.rstrip("/")) if mark else ""

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> OidcBinding:
        """Give the client that the use names."""
        return OidcBinding(
            issuer=self.issuer.replace("{domain}", home.domain),
            client_id=use.name,
            client_secret=asked.credential(use),
        )


@attrs.frozen(kw_only=True)
class SmtpBinding:
    """A mail server to send through."""

    host: str
    port: int
    sender: str
    user: str | None
    password: SecretKey | None


@attrs.frozen
class Smtp(Use[SmtpBinding]):
    """Outgoing mail."""

    kind: ClassVar[str] = "smtp"
    binding: ClassVar[type] = SmtpBinding


@attrs.frozen(kw_only=True)
class SmtpOffer(ServerOffer):
    """A mail server of the tenant's namespace.

    Attributes:
        sender: local part of the address that mail comes from; the tenant's domain is added.
        user, password: sign-in, where the server asks for one; ``{domain}`` in the user is the tenant's domain.
    """

    kind: ClassVar[str] = "smtp"

    port: int = attrs.field(default=587, validator=port)
    sender: str = "no-reply"
    user: str | None = None
    password: SecretKey | None = None

    def bind(self, use: Use[object], asked: Asked, home: Home) -> SmtpBinding:  # noqa: ARG002 -- the interface
        """Give the server as it is."""
        return SmtpBinding(
            host=self.host,
            port=self.port,
            sender=f"{self.sender}@{home.domain}",
            user=self.user and self.user.replace("{domain}", home.domain),
            password=self.password,
        )
