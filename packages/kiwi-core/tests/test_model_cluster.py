"""A cluster keeps its customers apart: no host name and no external port leads to two of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import ClassVar

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kiwi_core import (
    Caller,
    Cluster,
    Component,
    Customer,
    Declaration,
    Egress,
    Gateway,
    Home,
    Tenant,
    Tier,
    Wiring,
    Workload,
)

# Keywords of any type: what is checked is checked at run time.
make_cluster: Callable[..., Cluster] = functools.partial(Cluster, name="core-1", tier=Tier.CORE)
make_customer: Callable[..., Customer] = functools.partial(Customer, slug="acme", domain="acme.example")
make_workload: Callable[..., Workload] = functools.partial(Workload, name="web", pods={"app": "web"})

ACME, OTHER = make_customer(), make_customer(slug="other", domain="other.example")


@attrs.frozen(kw_only=True)
class Llm(Gateway):
    """A gateway."""

    kind: ClassVar[str] = "litellm"
    service: ClassVar[str] = "llm-gateway"


@attrs.frozen(kw_only=True)
class Search(Gateway):
    """Another one."""

    kind: ClassVar[str] = "searxng"
    service: ClassVar[str] = "search-gateway"


@attrs.frozen(kw_only=True)
class Rival(Gateway):
    """One of another kind that would be in the same namespace."""

    kind: ClassVar[str] = "rival"
    service: ClassVar[str] = "llm-gateway"


@attrs.frozen(kw_only=True)
class App(Component):
    """A component of a tenant."""

    kind: ClassVar[str] = "app"

    def declare(self) -> Declaration:
        return Declaration()


def test_a_customer_has_a_namespace_as_its_tenant_has() -> None:
    tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1")
    assert ACME.namespace == tenant.namespace == "cust-acme"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("slug", "Acme", "slug 'Acme' is no DNS label"),
        ("slug", "a" * 59, "at most 58 fit, since the namespace is 'cust-<slug>'"),
        ("domain", "localhost", "domain 'localhost' is no DNS name such as"),
        ("domain", "Acme.example", "domain 'Acme.example' is no DNS name such as"),
        ("address", "192.0.2.0/24", "address: "),
        ("address", "ingress.example", "address: "),
        ("ports", ("10000",), "ports: '10000' is no external port such as '10000/udp' or '25/tcp'"),
    ],
)
def test_what_is_no_customer_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_customer(**{field: value})


def test_a_customer_may_have_an_address_of_its_own_of_either_family() -> None:
    assert [make_customer(address=address).address for address in (None, "192.0.2.7", "2001:db8::7")] == [
        None,
        "192.0.2.7",
        "2001:db8::7",
    ]


PORTS = (functools.partial(Customer, slug="acme", domain="acme.example"), Wiring)


@pytest.mark.parametrize("make", PORTS, ids=("customer", "wiring"))
@pytest.mark.parametrize("text", ["1/tcp", "25/tcp", "10000/udp", "65535/udp"])
def test_an_external_port_is_a_number_with_its_protocol(make: Callable[..., Customer | Wiring], text: str) -> None:
    assert make(ports=(text, "443/tcp")).ports == (text, "443/tcp")


@pytest.mark.parametrize("make", PORTS, ids=("customer", "wiring"))
@pytest.mark.parametrize(
    "text",
    ["0/tcp", "65536/tcp", "99999/udp", "080/tcp", "25", "/tcp", "25/", "25/sctp", "25/TCP", "25/tcp\n", " 25/tcp", 25],
)
def test_what_is_no_external_port_is_refused(make: Callable[..., object], text: object) -> None:
    with pytest.raises(ValueError, match=r"^ports: .* is no external port such as '10000/udp' or '25/tcp'$"):
        make(ports=("443/tcp", text))


@pytest.mark.parametrize("make", PORTS, ids=("customer", "wiring"))
def test_an_external_port_stands_once_and_one_of_each_protocol_is_two(make: Callable[..., object]) -> None:
    make(ports=("53/tcp", "53/udp"))
    with pytest.raises(ValueError, match=r"^ports: '53/tcp' stands twice$"):
        make(ports=("53/tcp", "53/udp", "53/tcp"))


@pytest.mark.parametrize(
    ("make", "field", "one"),
    [
        (make_customer, "ports", "25/tcp"),
        (Wiring, "ports", "25/tcp"),
        (Wiring, "hosts", "app.acme.example"),
        (make_cluster, "customers", ACME),
        (make_cluster, "components", Llm()),
        (make_workload, "called_by", Caller.OUTSIDE),
    ],
)
def test_one_is_refused_where_a_tuple_is_wanted(make: Callable[..., object], field: str, one: object) -> None:
    others: dict[str, object] = {"ports": (80,)} if field == "called_by" else {}
    make(**{field: (one,)}, **others)
    with pytest.raises(TypeError, match=rf"^{field}: found {re.escape(repr(one))}, expected a tuple: write \(.*,\)$"):
        make(**{field: one}, **others)


@pytest.mark.parametrize("host", ["app", "App.acme.example", "*.acme.example", "https://app.acme.example", "192.0.2.1"])
def test_what_is_no_host_name_leads_nowhere(host: str) -> None:
    with pytest.raises(ValueError, match=r"^hosts .* is no DNS name such as 'kiwistack\.example'$"):
        Wiring(hosts=("app.acme.example", host))


def test_a_host_name_that_is_no_text_is_refused() -> None:
    five: object = 5
    with pytest.raises(TypeError, match="found 5, expected a text"):
        Wiring(hosts=(five,))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("caller", Caller)
def test_who_is_called_names_the_ports(caller: Caller) -> None:
    assert make_workload(called_by=(caller,), ports=(443,)).ports == (443,)
    with pytest.raises(ValueError, match=rf"^workload 'web' is called by {caller.value} and names no ports$"):
        make_workload(called_by=(caller,))


def test_who_calls_alone_names_no_ports() -> None:
    assert make_workload(calls_api=True, egress=(Egress(to="x"),)).ports == ()


def test_a_gateway_has_a_namespace_of_its_own() -> None:
    one, cluster = Llm(), make_cluster(components=(Llm(), Search()))
    assert (one.namespace, Llm(name="second").namespace) == ("kiwi-llm-gateway", "kiwi-llm-gateway")
    assert cluster.home(one) == Home(slug="core-1", namespace="kiwi-llm-gateway", domain="", cluster="core-1")
    assert [cluster.home(item).namespace for item in cluster.components] == ["kiwi-llm-gateway", "kiwi-search-gateway"]
    assert cluster.title == "cluster core-1"


def test_what_is_no_gateway_is_the_tenants() -> None:
    with pytest.raises(TypeError, match=r"^component 'app' is no gateway, .*: give it to a tenant$"):
        make_cluster(components=(Llm(), App()))


def test_a_gateway_is_the_clusters() -> None:
    with pytest.raises(TypeError, match=r"^component 'litellm' is a gateway: it belongs to the cluster"):
        Tenant(slug="acme", domain="acme.example", cluster="core-1", components=(App(), Llm()))


@pytest.mark.parametrize(("one", "other"), [(Llm(), Llm(name="second")), (Llm(), Rival())])
def test_two_gateways_of_one_namespace_are_refused(one: Gateway, other: Gateway) -> None:
    message = f"components 'litellm' and {other.name!r} would share the namespace 'kiwi-llm-gateway'"
    with pytest.raises(ValueError, match=rf"^{message}: a cluster has one gateway of a kind$"):
        make_cluster(components=(one, Search(), other))


def test_a_customer_stands_once() -> None:
    with pytest.raises(ValueError, match=r"^customer 'acme' stands twice$"):
        make_cluster(customers=(ACME, OTHER, make_customer(domain="second.example")))


def test_a_domain_is_one_customers() -> None:
    message = r"^customers 'acme' and 'second' have one domain, 'acme\.example': each host name would lead to both$"
    with pytest.raises(ValueError, match=message):
        make_cluster(customers=(ACME, OTHER, make_customer(slug="second")))


@pytest.mark.parametrize("below", ["shop.acme.example", "a.b.acme.example"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_domain_below_another_customers_is_refused_whichever_stands_first(below: str, *, turned: bool) -> None:
    customers = (ACME, OTHER, make_customer(slug="shop", domain=below))
    with pytest.raises(ValueError, match="a host name could lead to both") as caught:
        make_cluster(customers=customers[::-1] if turned else customers)
    assert str(caught.value).startswith(f"the domain {below!r} of customer 'shop' is within that of customer 'acme'")


def test_domains_that_only_look_alike_are_taken() -> None:
    domains = ("acme.example", "my-acme.example", "acme.example.org", "acme.test", "example.org.acme.test2")
    customers = tuple(make_customer(slug=f"c{index}", domain=domain) for index, domain in enumerate(domains))
    assert make_cluster(customers=customers).customers == customers


def with_port(slug: str, *ports: str, address: str | None = None) -> Customer:
    return make_customer(slug=slug, domain=f"{slug}.example", ports=ports, address=address)


@pytest.mark.parametrize("address", [None, "192.0.2.7"])
def test_an_external_port_of_one_address_is_one_customers(address: str | None) -> None:
    ports = (("acme", "10000/udp"), ("other", "25/tcp", "10000/udp"))
    customers = tuple(with_port(*found, address=address) for found in ports)
    with pytest.raises(ValueError, match=r"^customers 'acme' and 'other' have the same external port 10000/udp: give"):
        make_cluster(customers=customers)


@pytest.mark.parametrize(
    "customers",
    [
        (with_port("acme", "10000/udp"), with_port("other", "10001/udp")),
        (with_port("acme", "53/udp"), with_port("other", "53/tcp")),
        (with_port("acme", "25/tcp"), with_port("other", "25/tcp", address="192.0.2.7")),
        (with_port("acme", "25/tcp", address="192.0.2.8"), with_port("other", "25/tcp", address="192.0.2.7")),
    ],
    ids=("another-port", "another-protocol", "an-address-of-its-own", "two-addresses"),
)
def test_an_external_port_may_be_that_of_another_at_another_address(customers: tuple[Customer, ...]) -> None:
    assert make_cluster(customers=customers).customers == customers


LABELS = st.sampled_from(["a", "b", "ab"])
DOMAINS = st.lists(st.lists(LABELS, min_size=2, max_size=4).map(".".join), max_size=4)


def leads_to(host: str, domain: str) -> bool:
    """Whether a host name is a domain or below it, label by label."""
    return host.split(".")[-len(domain.split(".")) :] == domain.split(".")


@given(DOMAINS)
@example(["a.b", "b.a.b"])
@example(["b.a.b", "a.b"])
@example(["a.ab", "a.b"])
def test_no_host_name_leads_to_two_customers_of_a_cluster(domains: list[str]) -> None:
    # Two sets of host names, each a domain and all below it, meet where one of the domains is in the other's set.
    meet = any(
        leads_to(one, other) or leads_to(other, one)
        for index, one in enumerate(domains)
        for other in domains[index + 1 :]
    )
    customers = tuple(make_customer(slug=f"c{index}", domain=domain) for index, domain in enumerate(domains))
    try:
        taken = make_cluster(customers=customers).customers
    except ValueError:
        assert meet
    else:
        assert taken == customers
        assert not meet


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("2001:db8::1", "2001:0db8::1", "same external port"),
        (None, "192.0.2.8", "which is the ingress's"),
    ],
)
def test_an_address_is_one_however_it_is_spelt(one: str | None, other: str, said: str) -> None:
    both = tuple(
        Customer(slug=slug, domain=f"{slug}.example", ports=("25/tcp",), address=address)
        for slug, address in (("one", one), ("other", other))
    )
    with pytest.raises(ValueError, match=said):
        Cluster(name="core-1", tier=Tier.CORE, ingress_addresses=("192.0.2.8",), customers=both)


def test_a_host_stands_once() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        Wiring(hosts=("a.example", "a.example"))


@pytest.mark.parametrize("service", ["a" * 43, "Bad_Name"])
def test_a_service_that_can_name_no_namespace_is_told(service: str) -> None:
    form = type("Form", (Gateway,), {"service": service, "kind": "form"})
    with pytest.raises(ValueError, match="can name no namespace"):
        Cluster(name="core-1", tier=Tier.CORE, components=(form(),))
