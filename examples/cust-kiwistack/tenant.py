"""KiwiStack's own tenant: Onyx on services that already run in its namespace."""

from kiwi_component_onyx import Onyx
from kiwi_core import BucketOffer, ExistingServices, OidcOffer, PostgresOffer, SecretKey, Tenant

tenant = Tenant(
    slug="kiwistack",
    domain="kiwistack.example",
    cluster="core-1",
    components=(
        ExistingServices(
            postgres=PostgresOffer(
                host="postgresql",
                admin=SecretKey("postgresql", "postgres-password"),
                pods={"app.kubernetes.io/name": "postgresql"},
            ),
            bucket=BucketOffer(
                endpoint_url="http://minio:9000",
                admin_user="admin",
                admin=SecretKey("minio", "root-password"),
                pods={"app.kubernetes.io/name": "minio"},
            ),
            oidc=OidcOffer(
                issuer="https://id.{domain}/realms/kiwistack",
                pods={"app.kubernetes.io/name": "keycloak"},
            ),
        ),
        Onyx(replicas=2, email_domains=("kiwistack.example",)),
    ),
)
