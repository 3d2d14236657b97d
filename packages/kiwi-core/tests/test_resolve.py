"""Generations and marks, filled into what components wired."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    Asked,
    Bound,
    Credential,
    Home,
    PostgresBinding,
    RedisOffer,
    Secret,
    SecretKey,
    Tenant,
    Value,
    Wiring,
    checksum,
    text,
    url,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.resolve import Resolver
from kiwi_core._derive.lock import Lock
from kiwi_core._model.late import LAST_GENERATION, late_leaves
from kiwi_core._model.secrets import Checksum
from kiwi_core.errors import ComposeError
from stack_samples import DB, Sample, component, inputs, pg, release

PASSWORD = Credential("app", "postgres/db")
ROTATED = Credential("app", "postgres/db", 3)
OTHER = Credential("app", "other")
MARK = f"k{'0' * 31}"


def resolver(*, seed_mark: str = "", **generations: int) -> Resolver:
    return Resolver(generations={f"app/{name}": number for name, number in generations.items()}, seed_mark=seed_mark)


ROTATE = Resolver(generations={"app/postgres/db": 3}, seed_mark="")


def test_a_rotated_credential_has_its_generation_wherever_it_stands() -> None:
    tree: dict[str, Value] = {
        "plain": PASSWORD,
        "list": [PASSWORD, OTHER, 1],
        "url": text("postgresql://{p}@pg", p=url(PASSWORD)),
        "text": text("{a}{b}", a=PASSWORD, b=OTHER),
    }
    found = [late for _, late in late_leaves(ROTATE.values(tree))]
    assert found == [ROTATED, ROTATED, OTHER, ROTATED, ROTATED, OTHER]


def test_a_binding_gives_the_generation_that_counts() -> None:
    binding = PostgresBinding(host="pg", port=5432, database="db", user="db", password=PASSWORD)
    assert ROTATE.binding(binding) == attrs.evolve(binding, password=ROTATED)
    assert resolver(other=2).binding(binding) is binding


def test_a_checksum_follows_the_generation_and_the_seed() -> None:
    secret = Secret("app-db", {"password": PASSWORD})
    plain, rotated, seeded = (found.value(checksum(secret)) for found in (resolver(), ROTATE, resolver(seed_mark=MARK)))
    assert len({str(plain), str(rotated), str(seeded)}) == 3
    assert rotated == checksum(Secret("app-db", {"password": ROTATED})).text()
    assert seeded == checksum(secret).text(MARK)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda items: st.lists(items) | st.dictionaries(st.text(), items)
    )
)
def test_what_holds_no_credential_is_left_as_it_is(value: object) -> None:
    assert ROTATE.value(value) == value  # type: ignore[arg-type]  # a tree of plain values


def app(bound: Bound) -> Wiring:
    secret = Secret("app-db", {"password": bound[DB].password})
    return Wiring(secrets=(secret,), overlay={"app": {"mark": checksum(secret)}})


def composed(generations: dict[str, int], lock: Lock | None = None) -> dict[str, object]:
    given_ = inputs(
        Sample(name="app", declaration=component("app", release("app", DB)).declaration, wiring=app),
        component("pg", release("pg"), offers=(pg("pg"),)),
    )
    assert isinstance(given_.target, Tenant)
    target = attrs.evolve(given_.target, generations=generations)
    stack = compose(attrs.evolve(given_, target=target, lock=lock))
    return {
        "credentials": stack.credentials,
        "secret": stack.by_name["foundation"].values["secrets"],
        "mark": stack.by_name["app"].values["mark"],
    }


def test_a_generation_in_the_spec_rotates_that_credential_alone() -> None:
    before, after = composed({}), composed({"app/postgres/db": 3})
    assert before["credentials"] == (PASSWORD,)
    assert after["credentials"] == (ROTATED,)
    assert after["secret"] == {"app-db": {"password": ROTATED}}
    assert before["mark"] != after["mark"]
    assert composed({"app/postgres/db": 1}) == before


def test_another_seed_restarts_what_consumes_its_credentials() -> None:
    one, other = (composed({}, Lock(seed=f"k{digit * 31}", credentials={})) for digit in "01")
    assert one["secret"] == other["secret"]
    assert one["mark"] != other["mark"]
    assert not isinstance(one["mark"], Checksum)


def test_a_rotation_of_what_is_not_there_is_told() -> None:
    with pytest.raises(ComposeError, match=r"'app/postgres/dbb'.*\n.*did you mean 'app/postgres/db'"):
        composed({"app/postgres/dbb": 2})


@pytest.mark.parametrize(
    ("name", "generation"), [("app", 2), ("app/", 2), ("app/x", 0), ("app/x", LAST_GENERATION + 1)]
)
def test_a_generation_that_is_none_is_refused(name: str, generation: int) -> None:
    with pytest.raises(ValueError, match="generations"):
        Tenant(slug="acme", domain="acme.example", cluster="core-1", generations={name: generation})


def test_an_offer_gives_a_rotated_credential_to_all_who_are_bound() -> None:
    offer = RedisOffer(host="redis", password=OTHER)
    home = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
    binding = offer.bind(DB, Asked(component="app"), home)
    resolved = resolver(other=2).binding(binding)
    assert resolved == attrs.evolve(binding, password=Credential("app", "other", 2))
    assert resolver(other=2).binding(SecretKey("a", "b")) == SecretKey("a", "b")
