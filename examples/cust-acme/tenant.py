"""Acme, a second customer of the same cluster: files, chat and project management; no mail, no search."""

from kiwi_component_hello import Hello
from kiwi_component_opendesk import OpenDesk
from kiwi_core import Tenant

tenant = Tenant(
    slug="acme",
    domain="acme.example",
    cluster="core-1",
    components=(
        OpenDesk(apps=("nubus", "nextcloud", "element", "openproject")),
        Hello(greeting="Welcome to Acme"),
    ),
)
