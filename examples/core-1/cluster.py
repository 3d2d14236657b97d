"""The cluster core-1: its facts, and the services that its gateways share with every customer."""

from kiwi_core import Cluster, IngressOffer, LlmOffer, SearchOffer, Tier

cluster = Cluster(
    name="core-1",
    tier=Tier.CORE,
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    ingress_addresses=("198.51.100.10",),
    apis=("cert-manager.io",),
    offers=(
        IngressOffer(
            namespace="kiwi-ingress",
            pods={"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"},
            class_name="nginx",
            issuer="letsencrypt",
        ),
        LlmOffer(namespace="kiwi-llm-gateway", pods={"app.kubernetes.io/name": "litellm"}),
        SearchOffer(namespace="kiwi-search-gateway", pods={"app.kubernetes.io/name": "searxng"}),
    ),
)
