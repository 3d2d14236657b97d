"""The digest of what a cluster shares: it changes with all that tenants are built against, and with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from cluster_samples import CLUSTER, WEB, Edge, Llm, edge_offer, gateway, llm_offer, search_offer
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core import ApiServer, Cluster, Credential, Customer, Dns, LlmOffer, Pin, Tier, Value, text, url
from kiwi_core._compose.sharing import digest_of, with_gateways
from stack_samples import DB, pg, release

DSN = text("http://{key}@{tag}", key=url(Credential("llm", "key")), tag=Pin("litellm", "tag"))


@attrs.frozen(kw_only=True)
class Detailed(LlmOffer):
    """An offer of a kind of one's own, with values of every form."""

    kind: ClassVar[str] = "llm-detailed"

    models: tuple[str, ...] = ("small", "large")
    limits: Mapping[str, int] = attrs.field(factory=dict[str, int])
    dsn: Value = DSN


@attrs.frozen(kw_only=True)
class Renamed(LlmOffer):
    """An offer of another kind with the same fields."""

    kind: ClassVar[str] = "llm-renamed"


SHARED = attrs.evolve(
    CLUSTER,
    apis=("cert-manager.io",),
    offers=(llm_offer(), edge_offer(issuer="letsencrypt"), Detailed(namespace="kiwi-llm", limits={"rpm": 1, "tpm": 2})),
)


def offering(index: int, **fields: object) -> Cluster:
    """What is shared, with one of the offers changed."""
    offers = [*SHARED.offers]
    offers[index] = attrs.evolve(offers[index], **fields)  # type: ignore[arg-type]
    return attrs.evolve(SHARED, offers=tuple(offers))


SEEN: Mapping[str, Cluster] = {
    "nothing": SHARED,
    "name": attrs.evolve(SHARED, name="core-2"),
    "tier": attrs.evolve(SHARED, tier=Tier.MESH),
    "identity": attrs.evolve(SHARED, identity="0b5f"),
    "dns-namespace": attrs.evolve(SHARED, dns=Dns(namespace="dns")),
    "dns-pods": attrs.evolve(SHARED, dns=Dns(pods={"app": "coredns"})),
    "api-server": attrs.evolve(SHARED, api_server=ApiServer(address="192.0.2.9")),
    "api-servers-port": attrs.evolve(SHARED, api_server=ApiServer(address="192.0.2.1", port=443)),
    "no-api-server": attrs.evolve(SHARED, api_server=None),
    "pod-cidrs": attrs.evolve(SHARED, pod_cidrs=("10.245.0.0/16",)),
    "service-cidrs": attrs.evolve(SHARED, service_cidrs=(*SHARED.service_cidrs, "fd00::/108")),
    "node-cidrs": attrs.evolve(SHARED, node_cidrs=()),
    "ingress-addresses": attrs.evolve(SHARED, ingress_addresses=("192.0.2.80",)),
    "api": attrs.evolve(SHARED, apis=(*SHARED.apis, "x.example")),
    "no-api": attrs.evolve(SHARED, apis=()),
    "another-offer": attrs.evolve(SHARED, offers=(*SHARED.offers, search_offer())),
    "an-offer-less": attrs.evolve(SHARED, offers=SHARED.offers[1:]),
    "kind": attrs.evolve(SHARED, offers=(Renamed(namespace="kiwi-llm", pods={"app": "litellm"}), *SHARED.offers[1:])),
    "offers-name": offering(0, name="fast"),
    "offers-namespace": offering(0, namespace="kiwi-llm2"),
    "offers-pods": offering(0, pods={"app": "other"}),
    "offers-port": offering(0, port=4001),
    "offers-service": offering(0, service="other"),
    "issuer": offering(1, issuer="other"),
    "plain-port": offering(1, plain_port=8080),
    "no-issuer": offering(1, issuer=None),
    "class": offering(1, class_name="traefik"),
    "offers-list": offering(2, models=("large", "small")),
    "offers-map": offering(2, limits={"rpm": 1, "tpm": 3}),
    "offers-credential": offering(
        2, dsn=text("http://{key}@{tag}", key=url(Credential("llm", "key", generation=2)), tag=Pin("litellm", "tag"))
    ),
    "offers-pin": offering(
        2, dsn=text("http://{key}@{tag}", key=url(Credential("llm", "key")), tag=Pin("other", "tag"))
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_no_two_clusters_that_tenants_see_differently_have_one_digest(name: str) -> None:
    assert digest_of(SEEN[name]) not in {digest_of(cluster) for other, cluster in SEEN.items() if other != name}


UNSEEN: Mapping[str, Cluster] = {
    "another-customer": attrs.evolve(
        SHARED, customers=(Customer(slug="third", domain="third.example"), *SHARED.customers)
    ),
    "no-customer": attrs.evolve(SHARED, customers=()),
    "customers-port": attrs.evolve(
        SHARED,
        customers=tuple(
            attrs.evolve(item, ports=(f"{number}/tcp",))
            for number, item in zip((25, 26), SHARED.customers, strict=True)
        ),
    ),
    "choice-of-a-gateway": attrs.evolve(SHARED, bind={"search/llm": "llm"}),
    "order-of-a-map": offering(2, limits={"tpm": 2, "rpm": 1}),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_no_tenant_sees_leaves_the_digest_as_it_is(name: str) -> None:
    assert UNSEEN[name] != SHARED or name == "order-of-a-map"
    assert digest_of(UNSEEN[name]) == digest_of(SHARED)


SLUGS = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), unique=True, max_size=5)


@settings(deadline=None)
@given(SLUGS)
def test_whom_else_a_cluster_serves_never_counts(slugs: list[str]) -> None:
    customers = tuple(Customer(slug=slug, domain=f"{slug}.example") for slug in slugs)
    assert digest_of(attrs.evolve(SHARED, customers=customers)) == digest_of(SHARED)


def sharing(*releases: str, issuer: str | None = None, brings: tuple[str, ...] = ()) -> Cluster:
    """A cluster with two gateways, as its customers see it."""
    llm = gateway(Llm, release("llm", DB, WEB), *map(release, releases), offers=(pg(), llm_offer("llm")))
    nginx = attrs.evolve(release("nginx"), brings=brings)
    edge = gateway(Edge, nginx, offers=(edge_offer("nginx", issuer=issuer),))
    return with_gateways(attrs.evolve(CLUSTER, components=(llm, edge)))


def test_what_gateways_keep_to_themselves_leaves_the_digest_as_it_is() -> None:
    assert digest_of(sharing("more")) == digest_of(sharing())


def test_what_gateways_share_or_bring_changes_the_digest() -> None:
    seen = (sharing(), sharing(issuer="letsencrypt"), sharing(brings=("x.example",)))
    assert len({digest_of(cluster) for cluster in seen}) == len(seen)


def test_the_digest_is_the_same_in_every_process(tmp_path: Path) -> None:
    found: set[str] = set()
    for seed in ("0", "1", "4242"):
        environment = {"PYTHONHASHSEED": seed, "HOME": str(tmp_path), "PATH": os.defpath}
        done = subprocess.run(
            [sys.executable, __file__], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert not done.stderr
        found.add(done.stdout)
    assert found == {fingerprint()}


def fingerprint() -> str:
    """The digests of all that stands here."""
    return "\n".join(map(digest_of, (*SEEN.values(), *UNSEEN.values(), sharing(issuer="x", brings=("y.example",)))))


if __name__ == "__main__":
    sys.stdout.write(fingerprint())
