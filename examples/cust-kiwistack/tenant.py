"""KiwiStack's own tenant: openDesk, and Onyx on openDesk's database, object store, sign-in and mail."""

from kiwi_component_onyx import Onyx
from kiwi_component_opendesk import OpenDesk
from kiwi_core import Tenant

tenant = Tenant(
    slug="kiwistack",
    domain="kiwistack.example",
    cluster="core-1",
    components=(
        OpenDesk(),
        Onyx(replicas=2, email_domains=("kiwistack.example",)),
    ),
)
