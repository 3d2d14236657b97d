"""The model refuses what Kubernetes, Helm or a registry would refuse, where it is written down."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    ApiServer,
    Asked,
    Bucket,
    BucketOffer,
    Cluster,
    Component,
    Credential,
    Declaration,
    Egress,
    Endpoint,
    Hook,
    Image,
    Ingress,
    IngressOffer,
    Job,
    Lane,
    LlmGateway,
    LlmOffer,
    Offer,
    Oidc,
    OidcOffer,
    Pin,
    PlainValue,
    Postgres,
    PostgresOffer,
    Redis,
    RedisOffer,
    Release,
    SearchGateway,
    SearchOffer,
    Secret,
    SecretKey,
    Smtp,
    SmtpOffer,
    Stage,
    Tenant,
    Tier,
    Use,
    Wiring,
    Workload,
    text,
)
from kiwi_core._model.names import MAX_DNS_LABEL

Case: TypeAlias = tuple[Callable[..., object], str]

DIGEST = "sha256:" + "0123456789abcdef" * 4
DB, CACHE = Postgres("onyx"), Redis("onyx")
ADMIN = SecretKey("pg", "password")
IMAGE = Image(Pin("tool", "name"), Pin("tool", "tag"))
NO_LABEL = [
    "",
    "Acme",
    "acme_1",
    "-acme",
    "acme-",
    "acme.example",
    "ac me",
    "acme\n",
    "ácme",
    "a" * (MAX_DNS_LABEL + 1),
]


# Keywords of any type: what is checked is checked at run time.
make_tenant: Callable[..., Tenant] = functools.partial(Tenant, slug="acme", domain="acme.example", cluster="core-1")
make_cluster: Callable[..., Cluster] = functools.partial(Cluster, name="core-1", tier=Tier.CORE)


def case(make: Callable[..., object], field: str, **others: object) -> Case:
    """A constructor that lacks one field, and that field."""
    return functools.partial(make, **others), field


def shown(value: object) -> str:
    """What a case is called."""
    if isinstance(value, functools.partial):
        return str(getattr(value.func, "__name__", ""))
    return value if isinstance(value, str) else str(getattr(value, "kind", ""))


@pytest.mark.parametrize("name", NO_LABEL)
@pytest.mark.parametrize(
    ("make", "field"),
    [
        case(make_tenant, "slug"),
        case(make_tenant, "cluster"),
        case(make_cluster, "name"),
        case(Postgres, "name"),
        case(Release, "name", chart="x"),
        case(Workload, "name", pods={"a": "b"}),
        case(Hook, "name"),
        case(Component, "name"),
        case(Offer, "name"),
        case(Secret, "name", data={"k": "v"}),
        case(SecretKey, "secret", key="k"),
        case(SearchOffer, "namespace"),
        case(Endpoint, "namespace", ports=(1,)),
    ],
    ids=shown,
)
def test_a_name_that_is_no_dns_label_is_refused(make: Callable[..., object], field: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{field} .* (is no DNS label|characters)"):
        make(**{field: name})


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", fullmatch=True))
def test_every_label_that_fits_is_a_slug(slug: str) -> None:
    assert make_tenant(slug=slug).namespace == f"cust-{slug}"


def test_a_slug_leaves_room_for_the_prefix_of_the_namespace() -> None:
    assert len(make_tenant(slug="a" * 58).namespace) == MAX_DNS_LABEL
    with pytest.raises(ValueError, match=r"has 59 characters; at most 58 fit, since the namespace is 'cust-<slug>'"):
        make_tenant(slug="a" * 59)


def test_a_slug_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="found 5, expected a text"):
        make_tenant(slug=5)
    with pytest.raises(TypeError, match="found 5, expected a text"):
        make_tenant(domain=5)


@pytest.mark.parametrize(
    "domain",
    [
        "localhost",
        "a..example",
        "-a.example",
        "a.example.",
        "A.example",
        "a_b.example",
        "https://a.example",
        "a.example/x",
        f"{'a' * 64}.example",
        ".".join(["a" * 63] * 4),
        "192.0.2.1",
        "",
    ],
)
def test_a_domain_that_is_no_dns_name_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match=r"is no DNS name such as 'kiwistack\.example'"):
        make_tenant(domain=domain)


@pytest.mark.parametrize("domain", ["a.example", f"{'a' * 63}.example", "x--y.1a.example", "1.example"])
def test_a_full_dns_name_is_a_domain(domain: str) -> None:
    tenant = make_tenant(domain=domain)
    assert tenant.home(Component(name="app")).domain == domain


@pytest.mark.parametrize("field", ["pod_cidrs", "service_cidrs", "node_cidrs"])
@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "pods", "", "10.0.0.0-10.0.0.9"])
def test_what_is_no_network_is_refused_by_name(field: str, network: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: .*expected a network such as '10\.244\.0\.0/16'"):
        make_cluster(**{field: ("10.0.0.0/8", network)})


def test_networks_and_addresses_of_both_families_are_taken() -> None:
    found = make_cluster(pod_cidrs=("10.0.0.0/8", "fd00::/8"), ingress_addresses=("192.0.2.1", "2001:db8::1"))
    assert found.pod_cidrs == ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize("address", ["192.0.2.0/24", "192.0.2.256", "ingress.example"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"^ingress_addresses: "):
        make_cluster(ingress_addresses=(address,))
    with pytest.raises(ValueError, match=r"^address: "):
        ApiServer(address=address)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        case(PostgresOffer, "port", host="pg", admin=ADMIN),
        case(RedisOffer, "port", host="r", password=Credential("a", "b")),
        case(OidcOffer, "port", issuer="https://id"),
        case(SmtpOffer, "port", host="m"),
        case(LlmOffer, "port", namespace="kiwi-llm"),
        case(SearchOffer, "port", namespace="kiwi-search"),
        case(IngressOffer, "port", namespace="kiwi-in"),
        case(ApiServer, "port", address="192.0.2.1"),
        case(Egress, "ports", to="x"),
        case(Workload, "ports", name="x", pods={"a": "b"}),
        case(Endpoint, "ports"),
    ],
    ids=shown,
)
def test_a_port_is_within_its_range(make: Callable[..., object], field: str) -> None:
    for port in (1, 65535):
        make(**{field: port if field == "port" else (port,)})
    for port in (0, -1, 65536):
        with pytest.raises(ValueError, match=r"must be [<>]= "):
            make(**{field: port if field == "port" else (port,)})


@pytest.mark.parametrize(
    ("make", "field"),
    [
        case(Egress, "ports", to="x"),
        case(Endpoint, "ports"),
        case(Workload, "ports", name="x", pods={"a": "b"}, served_by=Ingress("web")),
    ],
    ids=shown,
)
def test_no_port_is_refused_where_it_would_mean_every_port(make: Callable[..., object], field: str) -> None:
    with pytest.raises(ValueError, match="ports"):
        make(**{field: ()})


@pytest.mark.parametrize(
    ("make", "field", "one"),
    [
        (*case(Release, "uses", name="x", chart="x"), DB),
        (*case(Release, "needs", name="x", chart="x"), "other"),
        (*case(Release, "brings", name="x", chart="x"), "x.example"),
        (*case(Release, "requires", name="x", chart="x"), "x.example"),
        (*case(Release, "cluster_objects", name="x", chart="x"), "Namespace/x"),
        (*case(Declaration, "releases"), Release(name="x", chart="x")),
        (*case(Declaration, "wants"), DB),
        (*case(Declaration, "offers"), SmtpOffer(host="m")),
        (*case(Declaration, "scopes"), "x"),
        (*case(Wiring, "secrets"), Secret("x", {"k": "v"})),
        (*case(Wiring, "pre"), Hook(name="x")),
        (*case(Wiring, "post"), Hook(name="x")),
        (*case(Wiring, "schema"), "x"),
        (*case(Wiring, "network"), Workload(name="x", pods={"a": "b"})),
        (*case(Wiring, "plain"), PlainValue(release="x", path="a", reason="b")),
        (*case(Workload, "calls", name="x", pods={"a": "b"}), LlmGateway("x")),
        (*case(Workload, "egress", name="x", pods={"a": "b"}), Egress(to="x")),
        (*case(Workload, "ports", name="x", pods={"a": "b"}), 80),
        (*case(Egress, "ports", to="x"), 443),
        (*case(Endpoint, "ports"), 443),
        (*case(Job, "command", name="x", image=IMAGE, observe=("false",)), "true"),
        (*case(Job, "observe", name="x", image=IMAGE, command=("true",)), "false"),
    ],
    ids=shown,
)
def test_one_is_refused_where_a_tuple_is_wanted(make: Callable[..., object], field: str, one: object) -> None:
    make(**{field: (one,)})
    with pytest.raises(TypeError, match=rf"^{field}: found {re.escape(repr(one))}, expected a tuple: write \(.*,\)$"):
        make(**{field: one})
    with pytest.raises(TypeError, match=rf"^{field}: found \[.*\], expected a tuple$"):
        make(**{field: [one]})


@pytest.mark.parametrize(
    ("make", "field", "nothing"),
    [
        (*case(Release, "timeout", name="x", chart="x"), 0),
        (*case(Hook, "timeout", name="x"), 0),
        (*case(Job, "command", name="x", image=IMAGE, observe=("false",)), ()),
        (*case(Job, "observe", name="x", image=IMAGE, command=("true",)), ()),
        (*case(Secret, "data", name="x"), {}),
        (*case(SecretKey, "key", secret="x"), ""),
        (*case(Workload, "pods", name="x"), {}),
        (*case(Egress, "to"), ""),
        (*case(PlainValue, "reason", release="x", path="a"), ""),
    ],
    ids=shown,
)
def test_what_says_nothing_is_refused(make: Callable[..., object], field: str, nothing: object) -> None:
    with pytest.raises(ValueError, match=rf"'{field}' must be|Length of '{field}' must be"):
        make(**{field: nothing})


def test_a_hook_takes_one_use_or_several_and_is_named_after_them() -> None:
    assert Hook(name="x", on=DB) == Hook(name="x", on=(DB,))
    with pytest.raises(TypeError, match=r"on: found .*, expected a tuple"):
        Hook(name="x", on=[DB])  # type: ignore[arg-type]  # what a spec may write
    assert Job(image=IMAGE, observe=("false",), command=("true",), on=DB).name == f"job-{DB.name}"


def test_a_release_name_fits_helm_and_a_component_name_fits_its_hooks() -> None:
    Release(name="r" * 53, chart="x")
    with pytest.raises(ValueError, match="has 54 characters; Helm takes at most 53"):
        Release(name="r" * 54, chart="x")
    name = Component(name="c" * 48).name
    Release(name=f"{name}-post", chart="x")
    with pytest.raises(ValueError, match="has 49 characters; at most 48 fit"):
        Component(name="c" * 49)


def test_a_shared_service_lives_in_a_namespace_of_its_own_kind() -> None:
    with pytest.raises(ValueError, match="a shared service lives in a kiwi-<service> namespace, found 'llm'"):
        LlmOffer(namespace="llm")


def test_two_offers_of_one_name_cannot_be_told_apart() -> None:
    one, other = LlmOffer(namespace="kiwi-one"), LlmOffer(namespace="kiwi-other")
    with pytest.raises(ValueError, match="offers llm/main twice: give one of them another name"):
        make_cluster(offers=(one, other))
    make_cluster(offers=(one, attrs.evolve(other, name="other"), SearchOffer(namespace="kiwi-search")))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_has_the_number_that_its_label_begins_with(stage: Stage) -> None:
    assert stage.value.startswith(f"{stage.number:03}-")


def test_the_stages_are_those_of_opendesk_and_ours() -> None:
    numbers = {stage.name: stage.number for stage in Stage}
    assert numbers == {
        "FOUNDATION": 0,
        "MIGRATIONS_PRE": 10,
        "OPENDESK_SERVICES": 30,
        "SERVICES": 30,
        "COMPONENTS": 50,
        "LATE_COMPONENTS": 60,
        "MIGRATIONS_POST": 90,
    }


def test_only_dev_floats() -> None:
    assert [lane for lane in Lane if not lane.is_pinned] == [Lane.DEV]


OFFERS: tuple[tuple[Use[object], Offer, Mapping[str, object]], ...] = (
    (
        Postgres("x"),
        PostgresOffer(host="pg", admin=ADMIN),
        {"host": "pg", "port": 5432, "database": "x", "user": "x", "password": Credential("app", "postgres/x")},
    ),
    (
        Redis("x"),
        RedisOffer(host="redis", password=Credential("cache", "default")),
        {"host": "redis", "port": 6379, "password": Credential("cache", "default")},
    ),
    (
        Bucket("x"),
        BucketOffer(endpoint_url="http://minio:9000", admin_user="root", admin=ADMIN),
        {
            "endpoint": "http://minio:9000",
            "region": "us-east-1",
            "bucket": "x",
            "access_key": "x",
            "secret_key": Credential("app", "bucket/x"),
        },
    ),
    (
        Oidc("x"),
        OidcOffer(issuer="https://id.{domain}/realms/x"),
        {
            "issuer": "https://id.acme.example/realms/x",
            "client_id": "x",
            "client_secret": Credential("app", "oidc/x"),
        },
    ),
    (
        Smtp("x"),
        SmtpOffer(host="mail"),
        {"host": "mail", "port": 587, "sender": "no-reply@acme.example", "user": None, "password": None},
    ),
    (
        LlmGateway("x"),
        LlmOffer(namespace="kiwi-llm"),
        {"url": "http://litellm.kiwi-llm.svc:4000", "key": text("sk-{key}", key=Credential("kiwi-llm", "virtual-key"))},
    ),
    (
        SearchGateway("x"),
        SearchOffer(namespace="kiwi-search"),
        {"url": "http://searxng.kiwi-search.svc:8080"},
    ),
    (Ingress("x"), IngressOffer(namespace="kiwi-in"), {"class_name": "nginx", "issuer": None}),
)


@pytest.mark.parametrize(("use", "offer", "expected"), OFFERS, ids=shown)
def test_an_offer_gives_what_its_use_reads(use: Use[object], offer: Offer, expected: Mapping[str, object]) -> None:
    binding = offer.bind(use, Asked(component="app"), make_tenant().home(Component(name="app")))
    assert isinstance(binding, use.binding)
    assert offer.kind == use.kind
    assert binding == use.binding(**expected)


@pytest.mark.parametrize(("use", "offer", "expected"), OFFERS, ids=shown)
def test_an_offer_answers_where_its_use_is_served(use: Use[object], offer: Offer, expected: object) -> None:
    endpoint = offer.endpoint()
    assert endpoint is not None
    assert (endpoint.namespace is not None) == use.shared


@pytest.mark.parametrize(
    ("url", "port"), [("http://s3", 80), ("https://s3", 443), ("http://s3:9000/path", 9000), ("https://s3:1", 1)]
)
def test_the_port_of_a_bucket_follows_from_its_url(url: str, port: int) -> None:
    assert BucketOffer(endpoint_url=url, admin_user="root", admin=ADMIN).endpoint() == Endpoint(ports=(port,))


def test_a_use_is_identified_by_kind_and_name() -> None:
    assert str(DB.key) == "postgres/onyx"
    assert DB.key != CACHE.key
    assert Asked(component="app").credential(DB, "replica") == Credential("app", "postgres/onyx/replica")
