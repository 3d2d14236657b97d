"""The kinds of services that ship with the core: for each a use, its binding, and the offer that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

import attrs

from kiwi_core._model.fields import port
from kiwi_core._model.late import Credential, Text, text
from kiwi_core._model.names import dns_label
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Asked, Endpoint, Home, Offer, Use

__all__ = [
    "Bucket",
    "BucketBinding",
    "BucketOffer",
    "Ingress",
    "IngressBinding",
    "IngressOffer",
    "LlmBinding",
    "LlmGateway",
    "LlmOffer",
    "Oidc",
    "OidcBinding",
    "OidcOffer",
    "Postgres",
    "PostgresBinding",
    "PostgresOffer",
    "Redis",
    "RedisBinding",
    "RedisOffer",
    "SearchBinding",
    "SearchGateway",
    "SearchOffer",
    "SharedOffer",
    "Smtp",
    "SmtpBinding",
    "SmtpOffer",
]


@attrs.frozen(kw_only=True)
class PostgresBinding:
    """A database of one's own, with a role that owns it."""

    host: str
    port: int
    database: str
    user: str
    password: Credential


@attrs.frozen
class Postgres(Use[PostgresBinding]):
    """A PostgreSQL database; the name is that of the database and its owner."""

    kind: ClassVar[str] = "postgres"
    binding: ClassVar[type] = PostgresBinding
    side_effect: ClassVar[str | None] = "a role and a database"


@attrs.frozen(kw_only=True)
class PostgresOffer(Offer):
    """A PostgreSQL server of the tenant's namespace.

    Attributes:
        host: name of its Service.
        admin: the key of the Secret that holds the administrator's password; lent to hook jobs only.
        pods: labels that select its pods.
    """

    kind: ClassVar[str] = "postgres"

    host: str
    port: int = attrs.field(default=5432, validator=port)
    admin_user: str = "postgres"
    admin: SecretKey
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> PostgresBinding:  # noqa: ARG002 -- the interface
        """Give the database that the use names, owned by a role of the same name."""
        return PostgresBinding(
            host=self.host, port=self.port, database=use.name, user=use.name, password=asked.credential(use)
        )


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
class RedisOffer(Offer):
    """A Redis server of the tenant's namespace.

    Attributes:
        host: name of its Service.
        password: the credential of its default user, in the scope of the component that offers it.
    """

    kind: ClassVar[str] = "redis"

    host: str
    port: int = attrs.field(default=6379, validator=port)
    password: Credential
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)

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
        admin_user, admin: the administrator's access key and the Secret's key that holds its secret key; lent to hook
            jobs only.
    """

    kind: ClassVar[str] = "bucket"

    endpoint_url: str
    region: str = "us-east-1"
    admin_user: str
    admin: SecretKey
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
    """

    kind: ClassVar[str] = "oidc"

    issuer: str
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])
    port: int = attrs.field(default=8080, validator=port)

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
class SmtpOffer(Offer):
    """A mail server of the tenant's namespace.

    Attributes:
        sender: local part of the address that mail comes from; the tenant's domain is added.
        user, password: sign-in, where the server asks for one; ``{domain}`` in the user is the tenant's domain.
    """

    kind: ClassVar[str] = "smtp"

    host: str
    port: int = attrs.field(default=587, validator=port)
    sender: str = "no-reply"
    user: str | None = None
    password: SecretKey | None = None
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def endpoint(self) -> Endpoint:
        """Return its pods and port."""
        return Endpoint(ports=(self.port,), pods=self.pods)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> SmtpBinding:  # noqa: ARG002 -- the interface
        """Give the server as it is."""
        return SmtpBinding(
            host=self.host,
            port=self.port,
            sender=f"{self.sender}@{home.domain}",
            user=self.user and self.user.replace("{domain}", home.domain),
            password=self.password,
        )


def _shared_namespace(_instance: object, _attribute: object, value: str) -> None:
    if not value.startswith("kiwi-"):
        raise ValueError(f"a shared service lives in a kiwi-<service> namespace, found {value!r}")


@attrs.frozen(kw_only=True)
class SharedOffer(Offer):
    """A gateway of the cluster, in a ``kiwi-<service>`` namespace of its own.

    Attributes:
        namespace: the gateway's namespace.
        pods: labels that select its pods.
    """

    namespace: str = attrs.field(validator=[dns_label, _shared_namespace])
    pods: Mapping[str, str] = attrs.field(factory=dict[str, str])
    port: int = attrs.field(validator=port)

    def endpoint(self) -> Endpoint:
        """Return its pods and port in its own namespace."""
        return Endpoint(ports=(self.port,), pods=self.pods, namespace=self.namespace)


@attrs.frozen(kw_only=True)
class LlmBinding:
    """A language-model gateway with this customer's virtual key.

    Attributes:
        url: base URL of the OpenAI-compatible API.
        key: the customer's virtual key, derived from the customer's own seed.
    """

    url: str
    key: Text


@attrs.frozen
class LlmGateway(Use[LlmBinding]):
    """The cluster's language-model gateway."""

    kind: ClassVar[str] = "llm"
    binding: ClassVar[type] = LlmBinding
    side_effect: ClassVar[str | None] = "a virtual key at the gateway"
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class LlmOffer(SharedOffer):
    """A language-model gateway (LiteLLM) that the cluster shares.

    Attributes:
        service: name of its Service.
    """

    kind: ClassVar[str] = "llm"

    service: str = "litellm"
    port: int = attrs.field(default=4000, validator=port)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> LlmBinding:  # noqa: ARG002 -- the interface
        """Give the gateway with a virtual key of the consumer's; LiteLLM's keys begin with ``sk-``."""
        return LlmBinding(
            url=f"http://{self.service}.{self.namespace}.svc:{self.port}",
            key=text("sk-{key}", key=asked.credential(use)),
        )


@attrs.frozen(kw_only=True)
class SearchBinding:
    """A web-search gateway.

    Attributes:
        url: base URL of the SearXNG API.
    """

    url: str


@attrs.frozen
class SearchGateway(Use[SearchBinding]):
    """The cluster's web-search gateway."""

    kind: ClassVar[str] = "search"
    binding: ClassVar[type] = SearchBinding
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class SearchOffer(SharedOffer):
    """A web-search gateway (SearXNG) that the cluster shares.

    Attributes:
        service: name of its Service.
    """

    kind: ClassVar[str] = "search"

    service: str = "searxng"
    port: int = attrs.field(default=8080, validator=port)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> SearchBinding:  # noqa: ARG002 -- the interface
        """Give the gateway as it is; it knows no keys."""
        return SearchBinding(url=f"http://{self.service}.{self.namespace}.svc:{self.port}")


@attrs.frozen(kw_only=True)
class IngressBinding:
    """A way in from outside.

    Attributes:
        class_name: the IngressClass.
        issuer: the cert-manager ClusterIssuer; None when certificates come otherwise.
    """

    class_name: str
    issuer: str | None


@attrs.frozen
class Ingress(Use[IngressBinding]):
    """The cluster's ingress controller. Traffic flows from it to the consumer."""

    kind: ClassVar[str] = "ingress"
    binding: ClassVar[type] = IngressBinding
    shared: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class IngressOffer(SharedOffer):
    """An ingress controller that the cluster shares."""

    kind: ClassVar[str] = "ingress"

    class_name: str = "nginx"
    issuer: str | None = None
    port: int = attrs.field(default=443, validator=port)

    def bind(self, use: Use[object], asked: Asked, home: Home) -> IngressBinding:  # noqa: ARG002 -- the interface
        """Give the class and the issuer."""
        return IngressBinding(class_name=self.class_name, issuer=self.issuer)
