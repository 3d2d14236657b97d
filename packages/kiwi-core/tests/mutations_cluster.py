"""The table of mutations, of a cluster: gateways that know their customers, each other, or what is not theirs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from contract_changes import (
    Change,
    Row,
    both,
    cluster,
    declared,
    having,
    hook,
    manifest,
    offered,
    overlay,
    row,
    secret,
    values,
    wired,
    wires,
)
from contract_cluster import CLUSTER, HOST, ROLE, ClusterScene
from kiwi_core import (
    Credential,
    Customer,
    LlmOffer,
    Pin,
    Release,
    SearchOffer,
    Value,
    Wiring,
    text,
)

ours: Final = functools.partial(row, start=ClusterScene)


def setting(value: Value, release: str = "litellm", key: str = "SETTING") -> Change:
    """Set a value in the part of a chart's values that takes any key."""
    return values(release, {"config": {key: value}})


CUSTOMERS: Final[Mapping[str, tuple[Value, str]]] = {
    "namespace": ("cust-acme", "'cust-acme', of customer 'acme'"),
    "namespace-in-a-sentence": ("for cust-other, too", "'cust-other', of customer 'other'"),
    "host-in-its-namespace": ("http://app.cust-acme.svc/", "'cust-acme', of customer 'acme'"),
    "domain": ("acme.example", "'acme.example', of customer 'acme'"),
    "host-of-its-domain": ("https://app.acme.example/path", "'acme.example', of customer 'acme'"),
    "mail-of-its-domain": ("someone@other.example", "'other.example', of customer 'other'"),
    "domain-at-the-end-of-a-sentence": ("This is acme.example.", "'acme.example', of customer 'acme'"),
    "domain-in-a-list": (["platform.example", "*.apart.example"], "'apart.example', of customer 'apart'"),
    "domain-in-a-late-text": (
        text("https://app.acme.example/{t}", t=Pin("worker", "tag")),
        "'acme.example', of customer 'acme'",
    ),
}
NAMED: Sequence[Row] = (
    *(
        ours("b", f"customers-{name}", setting(value), "release litellm", said)
        for name, (value, said) in CUSTOMERS.items()
    ),
    ours(
        "b",
        "customers-domain-by-an-overlay",
        overlay("nginx", {"config": {"X": "app.acme.example"}}),
        "overlays/nginx.yaml:7",
        "'acme.example', of customer 'acme'",
    ),
    ours(
        "b",
        "customers-domain-in-a-hook",
        hook("pre", "litellm", env={"X": "app.acme.example"}),
        "release litellm-pre",
        "of customer 'acme'",
    ),
    ours(
        "b",
        "domain-of-a-customer-that-came-later",
        both(
            cluster(customers=(*CLUSTER.customers, Customer(slug="third", domain="models.example"))),
            setting("https://api.models.example/v1"),
        ),
        "'models.example', of customer 'third'",
    ),
)

ELSEWHERE: Sequence[Row] = (
    *(
        ours("b", f"gateways-{name}-in-{space}", having(name, namespace=space), f"release {name}", f"'{space}'")
        for name, space in (
            ("litellm", "kiwi-ingress"),
            ("litellm", "cust-acme"),
            ("litellm-pre", "kiwi-ingress"),
            ("nginx", "kiwi-llm-gateway"),
            ("nginx", "default"),
        )
    ),
    ours(
        "a",
        "foundation-of-a-gateway-elsewhere",
        having("foundation-ingress", namespace="kiwi-x"),
        "release nginx",
        "does not need the foundation",
    ),
    ours(
        "a",
        "foundation-of-another-gateway",
        having("nginx", needs=("foundation-llm-gateway",)),
        "release nginx",
        "does not need the foundation",
    ),
    ours(
        "a",
        "foundation-with-the-name-of-a-tenants",
        having("foundation-ingress", declared=Release(name="foundation", chart="kiwi-foundation", wait=True)),
        "release foundation",
        "no component declares it",
    ),
    ours(
        "a",
        "need-across-namespaces-dropped",
        having("litellm", needs=("foundation-llm-gateway", "litellm-pre", "llm-db")),
        "release litellm",
        "waiting for nginx",
        "ingress/litellm of component nginx",
    ),
    *(
        ours("b", f"another-gateways-host-{name}", setting(value, "nginx"), "release nginx", "'kiwi-llm-gateway'")
        for name, value in {
            "in-full": "http://litellm.kiwi-llm-gateway.svc.cluster.local:4000/",
            "for-short": "litellm.kiwi-llm-gateway:4000",
            "of-its-database": "postgres://llm-db.kiwi-llm-gateway.svc/x",
            "by-its-account": "system:serviceaccount:kiwi-llm-gateway:default",
        }.items()
    ),
    ours(
        "b",
        "host-of-a-gateway-that-is-not-there",
        setting("http://searxng.kiwi-search-gateway.svc:8080"),
        "points into namespace 'kiwi-search-gateway'",
    ),
    ours("b", "host-of-the-system", setting("http://metrics.kube-system.svc"), "points into namespace 'kube-system'"),
    ours(
        "b",
        "another-gateways-host-in-a-secret",
        secret("extra", {"x": "http://litellm.kiwi-llm-gateway.svc"}, "nginx"),
        "release foundation-ingress: secrets.extra.x",
        "'kiwi-llm-gateway'",
    ),
    ours(
        "b",
        "another-gateways-namespace",
        values("nginx", {"namespaceOverride": "kiwi-llm-gateway"}),
        "release nginx: namespaceOverride",
        "the release goes to kiwi-ingress",
    ),
    ours(
        "b",
        "every-namespace",
        setting(["*"], "nginx", "namespaces"),
        "config.namespaces[0] is '*', another namespace",
    ),
    ours(
        "b",
        "object-of-a-gateway-elsewhere",
        manifest("Role", "nginx", metadata={"name": "x", "namespace": "cust-acme"}),
        "metadata.namespace is 'cust-acme'",
    ),
    ours(
        "b",
        "shared-offer-in-another-namespace",
        offered(LlmOffer(namespace="kiwi-ingress", name="x"), component="litellm"),
        "component litellm",
        "'llm' is in namespace 'kiwi-ingress'",
    ),
    ours(
        "b",
        "shared-offer-in-a-namespace-of-nobody",
        offered(SearchOffer(namespace="kiwi-search"), component="nginx"),
        "component nginx",
        "'search' is in namespace 'kiwi-search'",
    ),
)

OBJECTS: Sequence[Row] = (
    ours("b", "undeclared-object", manifest("ClusterRole", "litellm"), "is a ClusterRole (extra)", "whole cluster"),
    ours(
        "b",
        "object-that-another-gateway-declares",
        manifest("IngressClass", "litellm", metadata={"name": "nginx"}),
        "release litellm",
        "is a IngressClass (nginx)",
    ),
    ours(
        "b",
        "undeclared-object-by-an-overlay",
        overlay("nginx", {"extraManifests": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}]}),
        "overlays/nginx.yaml:7",
        "Namespace (x)",
    ),
    ours(
        "b",
        "undeclared-object-of-the-chart",
        values("nginx", {"rbac": True}),
        "release nginx",
        f"ClusterRole ({ROLE.file})",
    ),
    ours(
        "b",
        "object-of-the-chart-no-longer-declared",
        declared("nginx", cluster_objects=()),
        "release nginx",
        "a cluster-scoped IngressClass",
    ),
    ours("b", "gateways-policy-of-its-own", manifest("NetworkPolicy", "nginx"), "is a NetworkPolicy"),
)

OUTSIDE: Sequence[Row] = (
    *(
        ours(
            "b",
            f"gateways-port-of-a-customer-{port.replace('/', '-')}",
            cluster(customers=(*CLUSTER.customers, Customer(slug="third", domain="third.example", ports=(port,)))),
            "component nginx",
            f"its external port {port} is customer 'third''s, too",
            "a public address of its own",
        )
        for port in ("80/tcp", "443/tcp")
    ),
    ours(
        "b",
        "gateways-port-of-another-gateway",
        wired("litellm", ports=("443/tcp",)),
        "component nginx",
        "443/tcp leads to it and to component litellm",
    ),
    ours(
        "b",
        "gateways-host-of-another-gateway",
        wired("nginx", hosts=(HOST,)),
        "component nginx",
        f"{HOST} leads to it and to component litellm",
    ),
    *(
        ours(
            "b",
            f"gateways-host-in-a-customers-domain-{name}",
            wired("litellm", hosts=(HOST, host)),
            "component litellm",
            f"its host {host!r} is of the domain of customer 'acme'",
        )
        for name, host in {"itself": "acme.example", "below": "llm.acme.example", "deep": "a.b.acme.example"}.items()
    ),
    ours(
        "b",
        "gateways-host-in-the-domain-of-who-came-later",
        cluster(customers=(*CLUSTER.customers, Customer(slug="platform", domain="platform.example"))),
        f"its host {HOST!r} is of the domain of customer 'platform'",
    ),
    ours(
        "b",
        "gateway-that-is-served-by-no-name",
        wired("litellm", hosts=()),
        "component litellm",
        "'ui' is served by an ingress, and no host name",
    ),
    ours(
        "b",
        "gateways-ingress-of-an-undeclared-host",
        manifest("Ingress", "litellm", spec={"rules": [{"host": HOST}, {"host": "api.platform.example"}]}),
        "release litellm",
        "Ingress of host 'api.platform.example'",
    ),
)


def stale(wiring: Wiring) -> Wiring:
    """Add a Secret that the pods consume and no checksum tells of."""
    overlay = {**wiring.overlay, "nginx": {**wiring.overlay["nginx"], "existingSecret": "extra"}}
    return attrs.evolve(wiring, overlay=overlay)


OTHERS: Sequence[Row] = (
    ours(
        "d",
        "foundation-of-a-gateway-by-an-overlay",
        overlay("foundation-ingress", {"quota": {"pods": "20"}}),
        "release foundation-ingress: overlays/foundation-ingress.yaml:7",
        "sets values of the foundation",
    ),
    ours(
        "e",
        "secret-of-another-gateway",
        values("nginx", {"existingSecret": "llm-db-admin"}),
        "release nginx",
        "names Secret 'llm-db-admin', which its component neither declares nor is lent",
    ),
    ours(
        "e",
        "gateways-stale-credentials",
        both(secret("extra", {"x": Credential("nginx", "x")}, "nginx"), wires("nginx", stale)),
        "release nginx",
        "carry no checksum",
    ),
    ours(
        "f",
        "gateways-job-taken-out",
        overlay("litellm-pre", {"jobs": {"litellm-pre-role": None}}),
        "release litellm-pre",
        "litellm-pre-role",
    ),
)

HIDDEN: Sequence[Row] = (
    ours("b", "domain-in-a-secret", secret("extra", {"x": "app.acme.example"}, "litellm"), "of customer 'acme'"),
    ours("b", "namespace-in-a-secret", secret("extra", {"x": "for cust-acme"}, "litellm"), "names 'cust-acme'"),
    ours("b", "domain-as-a-key", setting({"app.acme.example": "x"}), "names 'acme.example'"),
    ours("b", "namespace-as-a-key", setting({"cust-acme": "x"}), "names 'cust-acme'"),
    ours("b", "domain-in-capitals", setting("https://App.ACME.Example/"), "names 'ACME.Example'"),
)
ROWS: Sequence[Row] = (*NAMED, *HIDDEN, *ELSEWHERE, *OBJECTS, *OUTSIDE, *OTHERS)
