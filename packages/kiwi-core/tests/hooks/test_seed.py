"""Seeds without a server: what is refused, what is wanted of what is lent, and plans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._hooks.seed import Seed, Seeded, SeedState
from kiwi_core._hooks.seed_rows import Cell, Lookup, Ref, Rows
from kiwi_core._model.databases import Mariadb, Postgres, PostgresBinding
from kiwi_core._model.desired import Desired, Mounted, Step
from kiwi_core._model.hooks import Lent
from kiwi_core._model.late import Credential, text
from kiwi_core._model.schema import AlembicSchema
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Home
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import HookError

USE = Postgres("onyx")
PASSWORD, KEY = Credential("onyx", "postgres/onyx"), Credential("onyx", "llm/llm")
BINDING = PostgresBinding(host="postgresql", port=5432, database="onyx", user="onyx", password=PASSWORD)
HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: one database, and files of secrets."""

    owner: str = "cust-acme/onyx"
    home: Home = HOME

    def binding(self, use: object) -> Any:  # Any: the protocol is generic
        assert use == USE
        return BINDING

    def offer(self, use: object, form: type) -> Any:  # Any: as above
        raise AssertionError(f"a seed needs no administrator, and asks for {form} of {use}")

    def secret(self, value: object) -> Mounted:
        return value_of(value)

    def versions_with(self, schema: object) -> tuple[str, ...]:
        assert schema == SEED.schema
        return ("f2205", "a1")


def value_of(value: object) -> Mounted:
    return Mounted(value if isinstance(value, SecretKey) else SecretKey("hook", f"n{abs(hash(repr(value)))}"))


LENT = cast("Lent", Lending())
GATEWAY = Ref("llm_provider", {"name": "gateway"})
PROVIDER = Rows(table="llm_provider", key=("name",), rows=({"name": "gateway", "api_key": KEY},), once=())
MODEL = Rows(
    table="public.model_configuration",
    key=("llm_provider_id", "name"),
    rows=(
        {"llm_provider_id": GATEWAY, "name": "small", "is_visible": True, "most": 8192, "weight": 0.5, "note": None},
    ),
)
SEED = Seed(
    on=USE,
    tables=(PROVIDER, MODEL),
    schema=AlembicSchema(image="onyx", minimum="f2205", table="app.versions", because="it"),
)


def plan_of(**found: Any) -> list[Step]:  # Any: the fields of Seeded
    whole: dict[str, Any] = {"absent": (), "differing": {}, "unresolved": {}}
    return list(SEED.desired(LENT).plan(Seeded(**{**whole, **found})))


BAD_NAMES = [
    "x; DROP TABLE y",
    "a b",
    'a"b',
    "a'b",
    "",
    "1a",
    "a-b",
    "ä",
    "a" * 64,
    "a.b.c",
    "a.",
    ".a",
    "a\n",
    "a\0",
    None,
    1,
]


@pytest.mark.parametrize("name", [*BAD_NAMES, "SELECT 1; SELECT 2"])
def test_a_name_that_is_none_is_refused_with_what_to_do(name: Any) -> None:
    row: Any = {"name": "x"}
    for make in (
        lambda: Rows(table=name, key=("name",), rows=(row,)),
        lambda: Rows(table="t", key=(name,), rows=(row,)),
        lambda: Rows(table="t", key=("name",), rows=({**row, name: 1},)),
        lambda: Rows(table="t", key=("name",), rows=(row,), once=(name,)),
        lambda: Ref(name, row),
        lambda: Ref("t", {name: 1}),
        lambda: Ref("t", row, name),
        lambda: attrs.evolve(SEED.desired(LENT), version_table=name),
    ):
        with pytest.raises(ValueError, match="a seed takes no SQL, and a statement belongs into a migration"):
            make()


@given(st.text())
def test_only_plain_names_are_taken(name: str) -> None:
    """What is taken needs no escape within quotes, whoever quotes it."""
    try:
        Rows(table=name, key=("id",), rows=({"id": 1},))
    except ValueError:
        return
    assert name.replace(".", "").replace("_", "a").isascii()
    assert name.replace(".", "").replace("_", "a").isalnum()


@pytest.mark.parametrize(
    ("key", "row", "problem"),
    [
        (("id",), {"name": "x"}, "rows[0]: column 'id' is missing, which is part of the key"),
        (("id",), {"id": None}, "found None, and no row has such a key"),
        (("id",), {"id": KEY}, "found a secret, and rows are shown by their keys"),
        (("id",), {"id": 1, "x": float("nan")}, "found nan, expected a finite number"),
        (("id",), {"id": 1, "x": "a\0b"}, "found a NUL character"),
        (("id",), {"id": 1, "x": {"a": 1}}, "JSON, arrays and times are given as the text that Postgres writes"),
        (("id",), {"id": 1, "x": [1]}, "JSON, arrays and times are given as the text that Postgres writes"),
        (("id",), {"id": 1, "x": b"a"}, "JSON, arrays and times are given as the text that Postgres writes"),
        ("id", {"id": 1}, "write ('id',)"),
        ((), {"id": 1}, "Length of 'key' must be >= 1"),
        (("id", "id"), {"id": 1}, "'id' stands twice"),
        (("id",), "id", "expected columns and values"),
    ],
)
def test_a_row_that_cannot_be_is_refused(key: Any, row: Any, problem: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        Rows(table="t", key=key, rows=(row,))
    assert problem in str(caught.value)


@pytest.mark.parametrize("key", [{}, "name", {"name": None}, {"name": KEY}, {"name": [1]}])
def test_a_ref_that_cannot_be_is_refused(key: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Ref("t", key)


def test_a_row_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"llm_provider.*stands twice"):
        Seed(on=USE, tables=(PROVIDER, attrs.evolve(PROVIDER, table="public.llm_provider")))


def test_a_key_cannot_be_given_once() -> None:
    with pytest.raises(ValueError, match="once: name is part of the key"):
        attrs.evolve(PROVIDER, once=("name",))


@pytest.mark.parametrize("on", [(), (USE, Postgres("other")), Mariadb("onyx")])
def test_it_is_on_one_postgres(on: Any) -> None:
    with pytest.raises(TypeError, match="expected one use of a database"):
        Seed(on=on, tables=(PROVIDER,))


def test_it_is_named_after_its_kind_and_use() -> None:
    assert SEED.name == "seed-onyx"


def test_it_signs_in_with_the_databases_own_role() -> None:
    state = SEED.desired(LENT)
    assert (state.host, state.port, state.database, state.user) == ("postgresql", 5432, "onyx", "onyx")
    assert state.password == value_of(PASSWORD)
    assert (state.needs_minimum, state.needs_revisions, state.version_table) == (
        "f2205",
        ("f2205", "a1"),
        "app.versions",
    )
    assert state.subject == "rows of llm_provider, model_configuration in database onyx at postgresql:5432"


def test_values_become_texts_secrets_and_lookups() -> None:
    (provider,), (model,) = (rows.rows for rows in SEED.desired(LENT).tables)
    assert provider["api_key"] == Cell(secret=value_of(KEY))
    lookup = Lookup(table="llm_provider", key={"name": Cell(text="gateway")}, column="id")
    assert model == {
        "llm_provider_id": Cell(lookup=lookup),
        "name": Cell(text="small"),
        "is_visible": Cell(text="true"),
        "most": Cell(text="8192"),
        "weight": Cell(text="0.5"),
        "note": Cell(),
    }


def test_a_secret_may_be_a_text_of_several() -> None:
    rows = Rows(table="t", key=("id",), rows=({"id": 1, "url": text("redis://:{key}@redis", key=KEY)},))
    state = Seed(on=USE, tables=(rows,)).desired(LENT)
    assert state.tables[0].rows[0]["url"].secret is not None


def test_it_survives_as_data() -> None:
    desired = SEED.desired(LENT)
    converter = Converter({Desired: {"seed": SeedState}.__getitem__})
    data = json.loads(json.dumps(converter.unstructure(desired)))
    assert converter.structure(data, Desired, file="the data") == desired


LABELS = (
    "llm_provider(name='gateway')",
    "model_configuration(llm_provider_id=llm_provider(name='gateway').id, name='small')",
)


def test_converged_there_is_nothing_to_do() -> None:
    assert plan_of() == []


def test_rows_are_written_in_their_order_and_then_committed() -> None:
    unresolved: Mapping[str, tuple[str, ...]] = {LABELS[1]: ("llm_provider(name='gateway').id",)}
    assert plan_of(absent=LABELS, unresolved=unresolved) == [
        Step("insert", LABELS[0]),
        Step("insert", LABELS[1]),
        Step("commit", "2 rows"),
    ]
    assert plan_of(absent=LABELS[1:], differing={LABELS[0]: ("api_key",)}) == [
        Step("update", LABELS[0], "api_key"),
        Step("insert", LABELS[1]),
        Step("commit", "2 rows"),
    ]


def test_a_row_that_is_named_and_that_nobody_makes_is_told() -> None:
    with pytest.raises(HookError, match=r"names llm_provider\(name='gateway'\), and there is no such row"):
        plan_of(absent=LABELS[1:], unresolved={LABELS[1]: ("llm_provider(name='gateway').id",)})


def test_importing_it_loads_no_driver() -> None:
    """It comes with every component."""
    program = "import sys, kiwi_core._hooks.seed; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
