"""Binding: each use to one offer, by rules that a tenant can overrule, and told with names where none fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    Bound,
    Cluster,
    Component,
    Credential,
    Declaration,
    Home,
    Image,
    LlmGateway,
    LlmOffer,
    Offer,
    Pin,
    Postgres,
    PostgresOffer,
    Redis,
    RedisOffer,
    Release,
    SearchGateway,
    SearchOffer,
    SecretKey,
    Tenant,
    Tier,
    Use,
)
from kiwi_core._compose.bind import bind, declare
from kiwi_core._model.databases import PostgresBinding
from kiwi_core._model.service import Asked, UseKey
from kiwi_core.errors import ComposeError, KiwiError, PluginError

DB, OTHER_DB, CACHE, LLM = Postgres("db"), Postgres("other"), Redis("cache"), LlmGateway("llm")
CLUSTER = Cluster(name="core-1", tier=Tier.CORE, offers=(LlmOffer(namespace="kiwi-llm"),))


@attrs.frozen(kw_only=True)
class Sample(Component):
    """A component that is what it is told to be."""

    kind: ClassVar[str] = "sample"

    declaration: Declaration

    def declare(self) -> Declaration:
        return self.declaration


@attrs.frozen(kw_only=True)
class Broken(Component):
    """A component whose author made a mistake."""

    kind: ClassVar[str] = "broken"

    def declare(self) -> Declaration:
        return Declaration(releases=(Release(name="No Label", chart="x"),))


@attrs.frozen(kw_only=True)
class OddOffer(PostgresOffer):
    """An offer whose author made a mistake."""

    gives: object

    def bind(self, use: Use[object], asked: Asked, home: Home) -> PostgresBinding:  # noqa: ARG002 -- the interface
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives  # type: ignore[return-value]  # the mistake


def pg(host: str = "pg", name: str = "main") -> PostgresOffer:
    return PostgresOffer(host=host, name=name, admin=SecretKey("pg", "password"))


def user(name: str, *uses: Use[object], wants: tuple[Use[object], ...] = (), offers: tuple[Offer, ...] = ()) -> Sample:
    """A component with one release that uses something."""
    release = Release(name=name, chart="x", uses=uses)
    return Sample(name=name, declaration=Declaration(releases=(release,), wants=wants, offers=offers))


def provider(name: str, *offers: Offer) -> Sample:
    return Sample(name=name, declaration=Declaration(offers=offers))


def served(*components: Component, choose: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Who serves each use: ``component/kind/use`` to ``provider/offer``."""
    tenant = Tenant(
        slug="acme", domain="acme.example", cluster="core-1", components=components, bind=dict(choose or {})
    )
    bindings = bind(declare(components), tenant, CLUSTER)
    return {
        f"{component}/{key}": f"{binding.provider}/{binding.offer.name}" if binding else None
        for component, bound in bindings.items()
        for key, binding in bound.items()
    }


def problems(*components: Component, choose: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with some components, as a user reads it."""
    with pytest.raises(ComposeError) as caught:
        served(*components, choose=choose)
    return [str(problem) for problem in caught.value.problems]


def test_the_only_offer_of_the_tenant_serves() -> None:
    assert served(user("app", DB), provider("pg", pg())) == {"app/postgres/db": "pg/main"}


def test_a_components_own_offer_goes_first() -> None:
    assert served(user("app", DB, offers=(pg(),)), provider("pg", pg()), user("web", CACHE, wants=(CACHE,))) == {
        "app/postgres/db": "app/main",
        "web/redis/cache": None,
    }


def test_a_choice_goes_before_a_components_own_offer() -> None:
    components = user("app", DB, offers=(pg(),)), provider("pg", pg())
    assert served(*components, choose={"app/postgres": "pg"}) == {"app/postgres/db": "pg/main"}
    assert served(*components, choose={"app/postgres": "app"}) == {"app/postgres/db": "app/main"}


def test_a_shared_use_is_served_by_the_cluster_alone() -> None:
    own = provider("own", LlmOffer(namespace="kiwi-own"))
    assert served(user("app", LLM), own) == {"app/llm/llm": "None/main"}


def test_a_use_of_the_tenants_own_is_never_served_by_the_cluster() -> None:
    cluster = Cluster(name="core-1", tier=Tier.CORE, offers=(pg(),))
    components = (user("app", DB),)
    tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components)
    with pytest.raises(ComposeError, match="no component of the tenant offers 'postgres'"):
        bind(declare(components), tenant, cluster)


def test_a_binding_names_who_serves_and_what_it_gives() -> None:
    components = user("app", DB, LLM), provider("pg", pg())
    tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components)
    bound = bind(declare(components), tenant, CLUSTER)["app"]
    db, llm = bound[DB.key], bound[LLM.key]
    assert db is not None
    assert llm is not None
    assert (db.source, llm.source) == ("component pg", "the cluster")
    assert db.value == PostgresBinding(
        host="pg", port=5432, database="db", user="db", password=Credential("app", "postgres/db")
    )


def test_a_use_that_nobody_serves_says_what_to_add() -> None:
    (problem,) = problems(user("app", DB))
    assert problem == (
        "component 'app' uses postgres/db, and no component of the tenant offers 'postgres'\n"
        "    add one that does, such as ExistingServices(postgres=…) for one that already runs"
    )


def test_a_shared_use_that_the_cluster_does_not_offer_says_what_it_offers() -> None:
    assert problems(user("app", SearchGateway("x")), provider("own", SearchOffer(namespace="kiwi-search"))) == [
        "component 'app' uses search/x, a shared service that cluster 'core-1' does not offer\n    it offers: llm"
    ]


def test_two_that_could_serve_are_named_with_the_setting_that_chooses() -> None:
    (problem,) = problems(user("app", DB), provider("pg", pg()), provider("two", pg("a", "a"), pg("b", "b")))
    assert problem == (
        "component 'app' uses postgres/db, and 3 could serve it: pg/main, two/a, two/b\n"
        '    choose one: bind={"app/postgres": "…"}'
    )


def test_only_those_are_named_that_a_choice_leaves() -> None:
    components = user("app", DB), provider("pg", pg()), provider("two", pg("a", "a"), pg("b", "b"))
    (problem,) = problems(*components, choose={"app/postgres": "two"})
    assert "2 could serve it: two/a, two/b\n" in problem


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        ({"app/postgres": "pg"}, ("pg/main", "pg/main")),
        ({"app/postgres": "two/b"}, ("two/b", "two/b")),
        ({"app/postgres/db": "pg", "app/postgres/other": "two/a"}, ("pg/main", "two/a")),
        ({"app/postgres": "pg", "app/postgres/db": "two/a"}, ("two/a", "pg/main")),
        ({"app/postgres": "pg", "app/postgres/other": "two/a"}, ("pg/main", "two/a")),
        ({"app/postgres": "pg", "app/postgres/db": "two/a", "app/postgres/other": "two/b"}, ("two/a", "two/b")),
    ],
)
def test_a_choice_is_for_a_kind_or_for_one_use(choose: Mapping[str, str], expected: tuple[str, str]) -> None:
    components = user("app", DB, OTHER_DB), provider("pg", pg()), provider("two", pg("a", "a"), pg("b", "b"))
    found = served(*components, choose=choose)
    assert (found["app/postgres/db"], found["app/postgres/other"]) == expected


@pytest.mark.parametrize("choice", ["pq", "pg/other", "", "/main", "app"])
def test_a_choice_that_offers_nothing_of_the_kind_is_told(choice: str) -> None:
    components = (
        user("app", DB),
        provider("pg", pg()),
        provider("cache", RedisOffer(host="r", password=Credential("a", "b"))),
    )
    (problem,) = problems(*components, choose={"app/postgres": choice})
    assert problem.startswith(
        f"component 'app' uses postgres/db, and bind chooses {choice!r}, which does not offer 'postgres'"
    )
    assert "pg" in problem.splitlines()[1]


def test_a_cluster_with_two_offers_is_chosen_from_by_their_names() -> None:
    cluster = Cluster(
        name="core-1",
        tier=Tier.CORE,
        offers=(LlmOffer(namespace="kiwi-llm"), LlmOffer(namespace="kiwi-fast", name="fast")),
    )
    components = (user("app", LLM),)
    tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1", components=components)
    with pytest.raises(ComposeError, match="2 could serve it: main, fast"):
        bind(declare(components), tenant, cluster)
    chosen = bind(declare(components), attrs.evolve(tenant, bind={"app/llm": "fast"}), cluster)["app"][LLM.key]
    assert chosen is not None
    assert chosen.offer.name == "fast"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("app/postgre", "did you mean 'app/postgres'"),
        ("apq/postgres", "did you mean 'app/postgres'"),
        ("app/postgres/dbb", "did you mean 'app/postgres/db'"),
        ("zzz", "the uses are: app/postgres, app/postgres/db"),
        ("app/redis/db", "did you mean"),
    ],
)
def test_a_choice_for_a_use_that_is_not_there_is_told(key: str, hint: str) -> None:
    (problem,) = problems(user("app", DB), provider("pg", pg()), choose={key: "pg"})
    assert problem.startswith(f"bind names {key!r}, which no component uses\n")
    assert hint in problem


def test_a_wanted_use_may_stay_unbound_and_is_bound_where_it_can_be() -> None:
    wanting = user("app", CACHE, wants=(CACHE,))
    assert served(wanting) == {"app/redis/cache": None}
    offer = RedisOffer(host="r", password=Credential("cache", "default"))
    assert served(wanting, provider("cache", offer)) == {"app/redis/cache": "cache/main"}
    assert "2 could serve it" in problems(wanting, provider("a", offer), provider("b", offer))[0]


def test_a_choice_for_a_wanted_use_that_nobody_serves_is_told() -> None:
    (problem,) = problems(user("app", CACHE, wants=(CACHE,)), choose={"app/redis": "cache"})
    assert "bind chooses 'cache', which does not offer 'redis'" in problem


def test_an_offer_that_gives_another_class_is_told_as_a_mistake_of_its_package() -> None:
    odd = OddOffer(host="pg", admin=SecretKey("pg", "password"), gives="a text")
    (problem,) = problems(user("app", DB), provider("pg", odd))
    assert "postgres/db of component 'app' was bound to 'a text' by pg, expected a PostgresBinding" in problem
    assert "this is a mistake in the package that offers it" in problem


def test_an_offer_that_raises_is_told_with_its_file_and_line() -> None:
    odd = OddOffer(host="pg", admin=SecretKey("pg", "password"), gives=ZeroDivisionError("oh"))
    with pytest.raises(PluginError, match=r"test_bind\.py:\d+: .*OddOffer.*bind\(\).* ZeroDivisionError: oh"):
        served(user("app", DB), provider("pg", odd))


def test_a_component_that_raises_is_told_with_its_file_and_line() -> None:
    with pytest.raises(PluginError, match=r"test_bind\.py:\d+: .*'broken'.*declare\(\).* ValueError: name 'No Label'"):
        declare([Broken()])


def test_a_component_that_declares_nothing_at_all_is_told() -> None:
    nothing: object = None
    component = Sample(declaration=nothing)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(PluginError, match=r"'sample' .* returns None from declare\(\), expected a Declaration"):
        declare([component])


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ((user("a", DB), user("a", DB)), "two components are named 'a'\n    give one of them another name: name='…'"),
        (
            (
                user("a"),
                Sample(name="b", declaration=Declaration(releases=(Release(name="a", chart="x"),))),
            ),
            "release 'a' is declared twice, by a and b",
        ),
        (
            (Sample(declaration=Declaration(releases=(Release(name="a", chart="x", needs=("bb",)),))),),
            "release 'a' needs 'bb', which component 'sample' does not declare\n    its releases are: a",
        ),
        ((provider("a", pg(), pg("other")),), "component 'a' offers postgres/main twice"),
        (
            (provider("a", attrs.evolve(pg(), release="pgg")),),
            "component 'a' offers postgres by release 'pgg', which it does not declare\n    its releases are: none",
        ),
        (
            (Sample(declaration=Declaration(wants=(CACHE,))),),
            "component 'sample' wants redis/cache, which none of its releases uses",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_is_told(components: tuple[Component, ...], message: str) -> None:
    with pytest.raises(ComposeError) as caught:
        declare(components)
    assert message in [str(problem) for problem in caught.value.problems]


@attrs.frozen
class SizedPostgres(Postgres):
    """A use with a setting of its own."""

    size: int = 1


def test_two_different_uses_of_one_key_are_told() -> None:
    releases = tuple(Release(name=f"r{size}", chart="x", uses=(SizedPostgres("db", size),)) for size in (1, 2))
    with pytest.raises(ComposeError, match="component 'sample' has two different uses of one key") as caught:
        declare([Sample(declaration=Declaration(releases=releases))])
    assert "SizedPostgres(name='db', size=1) and SizedPostgres(name='db', size=2)" in str(caught.value)


def test_the_same_use_in_two_releases_is_one() -> None:
    releases = tuple(Release(name=name, chart="x", uses=(DB,)) for name in ("a", "b"))
    (declared,) = declare([Sample(declaration=Declaration(releases=releases))])
    assert declared.uses() == {UseKey("postgres", "db"): DB}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert len(problems(user("app", DB, CACHE), user("web", LLM, OTHER_DB), choose={"x/y": "z"})) == 4


POOL: tuple[Sample, ...] = (
    user("app", DB, LLM, wants=(LLM,)),
    user("web", DB, CACHE, wants=(CACHE,)),
    user("own", DB, offers=(pg("own"),)),
    provider("pg", pg()),
    provider("cache", RedisOffer(host="r", password=Credential("cache", "default"))),
    provider("second", pg("second", "second")),
)


@given(st.permutations(POOL), st.integers(0, len(POOL)), st.sampled_from([{}, {"app/postgres": "pg"}]))
def test_the_order_of_components_does_not_count(pool: list[Sample], count: int, choose: Mapping[str, str]) -> None:
    def outcome(components: list[Sample]) -> object:
        try:
            return served(*components, choose=choose)
        except KiwiError as error:
            return {problem.message.partition(":")[0] for problem in error.problems}

    chosen = pool[:count]
    assert outcome(chosen) == outcome(sorted(chosen, key=lambda component: component.name))


HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
BINDING = PostgresBinding(host="pg", port=1, database="db", user="db", password=Credential("app", "postgres/db"))


def test_what_is_bound_is_read_by_its_use() -> None:
    bound = Bound(component="app", home=HOME, bindings={DB.key: BINDING, CACHE.key: None})
    assert bound[DB] is BINDING
    assert bound.get(DB) is BINDING
    assert bound.get(CACHE) is None
    assert bound.credential("seed") == Credential("app", "seed")
    assert bound.image("web") == Image(Pin("web", "name"), Pin("web", "tag"))


def test_reading_what_no_release_uses_is_told() -> None:
    bound = Bound(component="app", home=HOME, bindings={DB.key: BINDING})
    for read in (bound.get, bound.__getitem__):
        with pytest.raises(ComposeError) as caught:
            read(Postgres("dbb"))
        assert str(caught.value) == (
            "component 'app' reads the binding of postgres/dbb, which none of its releases uses\n"
            "    did you mean 'postgres/db'?"
        )


def test_reading_what_is_only_wanted_and_not_there_is_told() -> None:
    bound = Bound(component="app", home=HOME, bindings={CACHE.key: None})
    with pytest.raises(ComposeError, match="which nobody serves in this tenant") as caught:
        _ = bound[CACHE]
    assert "read it with bound.get(Redis('cache'))" in str(caught.value)


def test_reading_another_class_than_was_bound_is_told() -> None:
    bound = Bound(component="app", home=HOME, bindings={CACHE.key: BINDING})
    with pytest.raises(ComposeError, match=r"redis/cache was bound to .*, expected a RedisBinding"):
        _ = bound[CACHE]
