"""The table of mutations: host names and external ports (b), and the tree of the cluster (a)."""

from __future__ import annotations

from collections.abc import Sequence

from contract_changes import (
    Change,
    Row,
    both,
    cluster,
    cluster_tree,
    declared,
    evidence,
    manifest,
    overlay,
    row,
    tenant,
    values,
    wired,
    works,
)
from contract_stack import CACHE, CLUSTER, DB, LLM, MAIL, TREE
from kiwi_core import Caller, Customer, Ingress, IngressOffer, Value, Workload

WEB = Ingress("app")
SERVED: Change = both(
    cluster(offers=(*CLUSTER.offers, IngressOffer(namespace="kiwi-ingress"))),
    declared("app", uses=(DB, CACHE, LLM, MAIL, WEB)),
    works(Workload(name="ui", pods={"app": "web"}, served_by=WEB, ports=(80,))),
)
"""The application behind an ingress."""


def rules(*hosts: str) -> dict[str, Value]:
    """The rules of an Ingress."""
    return {"rules": [{"host": host} for host in hosts]}


def ingress(*hosts: str) -> Value:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "x"}, "spec": rules(*hosts)}


FOREIGN = {
    "of-another-customer": "app.other.example",
    "of-nobody": "app.platform.example",
    "that-ends-alike": "my-acme.example",
    "that-ends-alike-below": "app.my-acme.example",
    "above": "app.example",
    "that-begins-alike": "acme.example.org",
}
TEXT = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: x
spec:
  rules:
  - host: app.other.example
"""
WAYS_IN: Sequence[Row] = (
    row("b", "ingress-of-every-host", manifest("Ingress", spec={"rules": [{"http": {"paths": []}}]}), "of every host"),
    row(
        "b",
        "ingress-with-a-default-backend",
        manifest("Ingress", spec={"defaultBackend": {"service": {"name": "x"}}, **rules("app.acme.example")}),
        "of every host",
    ),
    row("b", "ingress-as-text", values("app", {"extraManifests": [TEXT]}), "of host 'app.other.example'"),
    row(
        "b",
        "route-of-another-host",
        manifest("HTTPRoute", spec={"hostnames": ["app.other.example"]}),
        "an HTTPRoute of host 'app.other.example'",
    ),
    row(
        "b",
        "open-to-everybody-without-an-external-port",
        works(Workload(name="v", pods={"a": "b"}, called_by=(Caller.OUTSIDE,), ports=(25,))),
        "workload 'v' is open to everybody, and no external port",
    ),
)
HOSTS: Sequence[Row] = (
    *WAYS_IN,
    *(
        row("b", f"domain-{name}", wired(hosts=(host,)), "component app", f"'{host}' is not of the customer's domain")
        for name, host in FOREIGN.items()
    ),
    row(
        "b",
        "domain-of-another-beside-its-own",
        wired(hosts=("app.acme.example", "app.other.example")),
        "'app.other.example'",
        "app.acme.example",
    ),
    row(
        "b",
        "domain-changed-in-the-spec-alone",
        both(tenant(domain="acme.test"), wired(hosts=("app.acme.example",))),
        "'app.acme.example' is not of the customer's domain 'acme.test'",
    ),
    row(
        "b",
        "host-of-two-components",
        both(wired(hosts=("app.acme.example",)), wired("db", hosts=("db.acme.example", "app.acme.example"))),
        "component db",
        "app.acme.example leads to it and to component app",
    ),
    row(
        "b",
        "port-of-two-components",
        both(wired(ports=("10000/udp",)), wired("db", ports=("10000/udp",))),
        "component db",
        "10000/udp leads to it and to component app",
    ),
    row("b", "no-host-for-what-is-served", SERVED, "component app", "'ui' is served by an ingress, and no host name"),
    row(
        "b",
        "ingress-of-an-undeclared-host",
        both(wired(hosts=("app.acme.example",)), manifest("Ingress", spec=rules("app.acme.example", "x.acme.example"))),
        "release app",
        "extraManifests[0] is an Ingress of host 'x.acme.example'",
    ),
    row(
        "b",
        "ingress-of-another-customers-host",
        manifest("Ingress", spec=rules("app.other.example")),
        "'app.other.example', which its component does not name",
    ),
    row(
        "b",
        "ingress-of-every-host-of-the-domain",
        both(wired(hosts=("app.acme.example",)), manifest("Ingress", spec=rules("*.acme.example"))),
        "'*.acme.example'",
    ),
    row(
        "b",
        "ingress-of-another-components-host",
        both(wired("db", hosts=("db.acme.example",)), manifest("Ingress", spec=rules("db.acme.example"))),
        "release app",
        "'db.acme.example'",
    ),
    row(
        "b",
        "ingress-by-the-customer",
        overlay("app", {"extraManifests": [ingress("x.acme.example")]}),
        "overlays/app.yaml:7",
        "'x.acme.example'",
    ),
    row(
        "b",
        "ingress-in-a-list-object",
        manifest("List", items=[ingress("x.acme.example")]),
        "items[0] is an Ingress of host 'x.acme.example'",
    ),
)
PORTS: Sequence[Row] = (
    row(
        "b",
        "port-that-is-not-its-own",
        wired(ports=("993/tcp",)),
        "component app",
        "993/tcp is not this customer's on cluster core-1",
        "Customer(slug='acme', …, ports=('993/tcp',))",
    ),
    row("b", "port-of-another-customer", wired(ports=("25/tcp",)), "25/tcp is not this customer's"),
    row("b", "port-of-another-protocol", wired(ports=("10000/tcp",)), "10000/tcp is not this customer's"),
    row("b", "port-beside-its-own", wired(ports=("10000/udp", "10001/udp")), "10001/udp is not"),
    row(
        "b",
        "port-of-who-is-no-customer",
        both(tenant(slug="third"), wired(ports=("10000/udp",))),
        "not this customer's",
        "Customer(slug='third'",
    ),
    row(
        "b",
        "port-that-the-cluster-took-back",
        both(cluster(customers=(Customer(slug="acme", domain="acme.example"),)), wired(ports=("10000/udp",))),
        "10000/udp is not this customer's",
    ),
)

OLD = "sha256:" + "8" * 64
TREES: Sequence[Row] = (
    row(
        "a",
        "cluster-that-was-built-without-the-customer",
        cluster_tree(customers=("other",)),
        "cluster core-1",
        "serves no customer 'acme'",
        "kiwistack build",
    ),
    row("a", "cluster-that-was-built-for-nobody", cluster_tree(customers=()), "serves no customer 'acme'"),
    row(
        "a",
        "cluster-that-was-built-from-another-spec",
        cluster_tree(shared=OLD),
        "cluster core-1",
        "its spec says something other of what it shares",
        "kiwistack build",
    ),
    row(
        "a",
        "cluster-that-was-built-since",
        evidence(checked_against=OLD),
        f"checked against {OLD}, and the cluster's tree is {TREE}",
        "build the tenant again",
    ),
    row(
        "a",
        "command-that-builds-the-cluster",
        both(cluster_tree(shared=OLD), evidence(cluster_command="kiwistack build ../core-1")),
        "something other",
        "kiwistack build ../core-1",
    ),
)

ROWS: Sequence[Row] = (*HOSTS, *PORTS, *TREES)
