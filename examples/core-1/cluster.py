"""The cluster core-1: its facts, the gateways that its customers share, and whom it serves."""

from kiwi_core import ApiServer, Cluster, Customer, Tier
from kiwi_gateways import CertManager, IngressNginx, LiteLlm, SearXng

cluster = Cluster(
    name="core-1",
    tier=Tier.CORE,
    api_server=ApiServer(address="192.0.2.10"),
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    ingress_addresses=("198.51.100.10",),
    components=(
        IngressNginx(issuer="letsencrypt"),
        CertManager(email="operator@platform.example"),
        LiteLlm(),
        SearXng(),
    ),
    customers=(
        Customer(
            slug="kiwistack",
            domain="kiwistack.example",
            ports=("25/tcp", "587/tcp", "993/tcp", "995/tcp", "10000/udp"),
        ),
        Customer(slug="acme", domain="acme.example"),
    ),
)
