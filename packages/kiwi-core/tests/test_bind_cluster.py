"""Binding in a cluster: a gateway's data is its own, what is shared comes from any of them, and tenants see it all."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest
from cluster_samples import (
    CLUSTER,
    SEARCH,
    WEB,
    Edge,
    Llm,
    Search,
    Shared,
    edge_offer,
    gateway,
    llm_offer,
    search_offer,
)
from kiwi_core import (
    Asked,
    Cluster,
    Component,
    Credential,
    Gateway,
    Home,
    LlmBinding,
    LlmOffer,
    Offer,
    Postgres,
    Tenant,
    Use,
    text,
)
from kiwi_core._compose.bind import Bindings, bind, declare
from kiwi_core._compose.compose import compose
from kiwi_core._compose.sharing import with_gateways
from kiwi_core.errors import ComposeError
from stack_samples import DB, LLM, component, inputs, pg, release

DATA = (release("llm", DB), release("pg"))


def bound(*gateways: Gateway, cluster: Cluster = CLUSTER, choose: Mapping[str, str] | None = None) -> Bindings:
    target = attrs.evolve(cluster, components=gateways, bind=dict(choose or {}))
    return bind(declare(gateways), target, target)


def served(*gateways: Gateway, cluster: Cluster = CLUSTER, choose: Mapping[str, str] | None = None) -> dict[str, str]:
    """Who serves each use: ``component/kind/use`` to who it is and the name of the offer."""
    return {
        f"{name}/{key}": f"{binding.source}/{binding.offer.name}" if binding else "nobody"
        for name, uses in bound(*gateways, cluster=cluster, choose=choose).items()
        for key, binding in uses.items()
    }


def problems(*gateways: Gateway, cluster: Cluster = CLUSTER, choose: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ComposeError) as caught:
        bound(*gateways, cluster=cluster, choose=choose)
    return [str(problem) for problem in caught.value.problems]


def tenant(*components: Component, choose: Mapping[str, str] | None = None) -> Tenant:
    return Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components, bind=dict(choose or {}))


def test_a_gateways_data_is_served_by_itself_however_many_others_offer_it() -> None:
    llm = gateway(Llm, *DATA, offers=(pg("pg"),))
    search = gateway(Search, release("search", DB), release("search-pg"), offers=(pg("search-pg"),))
    assert served(llm, search) == {
        "llm/postgres/db": "component llm/main",
        "search/postgres/db": "component search/main",
    }


@pytest.mark.parametrize("choose", [{}, {"search/redis": "llm"}])
def test_a_gateways_data_is_never_served_by_another_gateway(choose: Mapping[str, str]) -> None:
    llm = gateway(Llm, *DATA, offers=(pg("pg"),))
    search = gateway(Search, release("search", Postgres("index")))
    (problem, *others) = problems(llm, search, choose=choose)
    assert problem == (
        "component 'search' uses postgres/index, which it does not offer itself\n"
        "    data stays in the gateway's namespace: declare a release that offers it"
    )
    assert len(others) == len(choose)


@pytest.mark.parametrize("choice", ["llm", "llm/main", "main"])
def test_no_choice_leads_to_another_gateways_data(choice: str) -> None:
    llm = gateway(Llm, *DATA, offers=(pg("pg"),))
    (problem,) = problems(llm, gateway(Search, release("search", DB)), choose={"search/postgres": choice})
    assert problem.startswith(
        f"component 'search' uses postgres/db, and bind chooses {choice!r}, which does not offer 'postgres'\n"
    )


def test_a_gateways_data_is_never_served_by_the_cluster_itself() -> None:
    cluster = attrs.evolve(CLUSTER, offers=(pg(),))
    (problem,) = problems(gateway(Search, release("search", DB)), cluster=cluster)
    assert "which it does not offer itself" in problem


def test_wanted_data_that_a_gateway_does_not_offer_stays_unbound() -> None:
    llm = gateway(Llm, *DATA, offers=(pg("pg"),))
    search = gateway(Search, release("search", DB), wants=(DB,))
    assert served(llm, search)["search/postgres/db"] == "nobody"


def test_what_is_shared_is_served_by_another_gateway() -> None:
    edge = gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),))
    assert served(gateway(Llm, release("llm", WEB)), edge) == {"llm/ingress/web": "component edge/main"}


def test_what_is_shared_is_served_by_ones_own_offer_first() -> None:
    edge = gateway(Edge, release("nginx", LLM), offers=(attrs.evolve(llm_offer(), namespace="kiwi-edge"),))
    llm = gateway(Llm, release("llm", LLM), offers=(llm_offer("llm"),))
    assert served(edge, llm) == {"edge/llm/llm": "component edge/main", "llm/llm/llm": "component llm/main"}


def test_two_gateways_that_share_one_kind_are_chosen_from() -> None:
    llm = gateway(Llm, offers=(llm_offer(),))
    edge = gateway(Edge, offers=(attrs.evolve(llm_offer(name="fast"), namespace="kiwi-edge"),))
    search = gateway(Search, release("search", LLM))
    (problem,) = problems(llm, edge, search)
    assert problem == (
        "component 'search' uses llm/llm, and 2 could serve it: llm/main, edge/fast\n"
        '    choose one: bind={"search/llm": "…"}'
    )
    assert served(llm, edge, search, choose={"search/llm": "edge"}) == {"search/llm/llm": "component edge/fast"}


def test_what_the_cluster_has_beside_its_gateways_is_chosen_from_too() -> None:
    cluster = attrs.evolve(CLUSTER, offers=(llm_offer(name="outside"),))
    llm, search = gateway(Llm, offers=(llm_offer(),)), gateway(Search, release("search", LLM))
    (problem,) = problems(llm, search, cluster=cluster)
    assert "2 could serve it: outside, llm/main\n" in problem
    for choice, source in (("outside", "the cluster/outside"), ("llm", "component llm/main")):
        assert served(llm, search, cluster=cluster, choose={"search/llm": choice}) == {"search/llm/llm": source}


def test_what_no_gateway_shares_is_told_with_the_cluster() -> None:
    (problem,) = problems(gateway(Edge, release("nginx", LLM)))
    assert problem.startswith(
        "component 'edge' uses llm/llm, a shared service that cluster 'core-1' does not offer\n    it offers: "
    )


def test_a_choice_for_a_gateways_use_that_is_not_there_is_told() -> None:
    (problem,) = problems(gateway(Llm, *DATA, offers=(pg("pg"),)), choose={"llm/postgre": "llm"})
    assert (
        problem
        == "bind names 'llm/postgre', which no component uses\n    did you mean 'llm/postgres' or 'llm/postgres/db'?"
    )


@attrs.frozen(kw_only=True)
class Telling(LlmOffer):
    """An offer whose binding tells whom it was bound for."""

    def bind(self, use: Use[object], asked: Asked, home: Home) -> LlmBinding:
        key = text("{key}", key=asked.credential(use))
        return LlmBinding(url=f"{home.slug} {home.namespace} {home.domain!r} {home.cluster}", key=key)


def test_an_offer_is_bound_for_the_namespace_of_the_gateway_that_uses_it() -> None:
    offer = Telling(namespace="kiwi-llm")
    found = bound(gateway(Llm, offers=(offer,)), gateway(Search, release("search", LLM)))["search"][LLM.key]
    assert found is not None
    assert found.value == LlmBinding(
        url="core-1 kiwi-search '' core-1", key=text("{key}", key=Credential("search", "llm/llm"))
    )


@pytest.mark.parametrize("choice", ["own", "own/main"])
def test_a_tenant_is_served_what_is_shared_by_no_component_of_its_own(choice: str) -> None:
    own = component("own", release("own"), offers=(llm_offer("own"),))
    app = component("app", release("app", LLM))
    with pytest.raises(ComposeError, match="a shared service that cluster 'core-1' does not offer"):
        bind(declare((app, own)), tenant(app, own), CLUSTER)
    with pytest.raises(ComposeError, match=f"bind chooses '{choice}', which does not offer 'llm'"):
        bind(declare((app, own)), tenant(app, own, choose={"app/llm": choice}), CLUSTER)


def test_a_tenant_is_served_what_the_gateways_share_and_waits_for_no_release_of_theirs() -> None:
    gateways = (gateway(Llm, *DATA, offers=(pg("pg"), llm_offer("llm"))),)
    seen = with_gateways(attrs.evolve(CLUSTER, components=gateways))
    app = component("app", release("app", LLM))
    binding = bind(declare((app,)), tenant(app), seen)["app"][LLM.key]
    assert binding is not None
    assert (binding.source, binding.offer) == ("the cluster", llm_offer())


def offers_of(*gateways: Shared, offers: tuple[Offer, ...] = ()) -> tuple[Offer, ...]:
    return with_gateways(attrs.evolve(CLUSTER, components=gateways, offers=offers)).offers


def test_customers_see_what_gateways_share_and_none_of_their_data_releases_and_components() -> None:
    llm = gateway(Llm, *DATA, offers=(pg("pg"), llm_offer("llm"), llm_offer("llm", "fast")))
    edge = gateway(Edge, release("nginx"), offers=(edge_offer("nginx"),))
    assert offers_of(llm, edge, offers=(search_offer(),)) == (
        search_offer(),
        llm_offer(),
        llm_offer(name="fast"),
        edge_offer(),
    )
    seen = with_gateways(attrs.evolve(CLUSTER, components=(llm, edge)))
    assert seen.components == ()
    assert attrs.evolve(seen, offers=()) == CLUSTER


def test_customers_see_what_gateways_bring() -> None:
    operator = attrs.evolve(release("operator"), brings=("cert-manager.io", "acme.cert-manager.io"))
    second = attrs.evolve(release("second"), brings=("acme.cert-manager.io", "x.example"))
    cluster = attrs.evolve(CLUSTER, apis=("y.example",), components=(gateway(Edge, operator, second),))
    apis = with_gateways(cluster).apis
    assert apis == ("y.example", "cert-manager.io", "acme.cert-manager.io", "x.example")
    app = component("app", attrs.evolve(release("app"), requires=("x.example",)))
    with pytest.raises(ComposeError, match=r"'x\.example', which no release and no cluster brings"):
        compose(inputs(app, cluster=CLUSTER))
    assert compose(inputs(app, cluster=with_gateways(cluster))).by_name["app"].needs == ("foundation",)


@pytest.mark.parametrize("offers", [(), (llm_offer(),)], ids=("two-gateways", "a-gateway-and-the-cluster"))
def test_two_that_offer_customers_the_same_are_told(offers: tuple[Offer, ...]) -> None:
    llm = gateway(Llm, offers=(llm_offer(),))
    others = () if offers else (gateway(Edge, offers=(attrs.evolve(llm_offer(), namespace="kiwi-edge"),)),)
    with pytest.raises(ComposeError) as caught:
        offers_of(llm, *others, offers=offers)
    assert str(caught.value) == "cluster 'core-1': it offers llm/main twice: give one of them another name"


def test_gateways_that_contradict_each_other_are_told() -> None:
    with pytest.raises(ComposeError, match="release 'pg' is declared twice, by llm and search"):
        offers_of(gateway(Llm, release("pg")), gateway(Search, release("pg")))


def test_a_shared_use_wanted_by_a_gateway_is_bound_where_it_can_be() -> None:
    wanting = gateway(Llm, release("llm", SEARCH), wants=(SEARCH,))
    assert served(wanting) == {"llm/search/search": "nobody"}
    assert served(wanting, gateway(Search, offers=(search_offer(),))) == {"llm/search/search": "component search/main"}
