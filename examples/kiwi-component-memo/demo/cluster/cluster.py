"""A cluster that shares nothing: its facts, and the one customer that it serves."""

from kiwi_core import ApiServer, Cluster, Customer, Tier

cluster = Cluster(
    name="demo-1",
    tier=Tier.CORE,
    api_server=ApiServer(address="192.0.2.10"),
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    customers=(Customer(slug="demo", domain="demo.example"),),
)
