"""Seeds in a real PostgreSQL: providers, models and flows as Onyx keeps them, with Alembic's table beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import LiteralString

import attrs
import pytest
from hooks.seed_hands import API_KEY, DATABASE, EMPTY, NEXT_API_KEY, PASSWORD, READER, ROLE, SECRETS, WEAK, WRONG, Hands
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.seed import SeedState
from kiwi_core._hooks.seed_rows import Ref, Rows, RowsState, SeedValue, state_of
from kiwi_core._model.desired import Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Conflict, HookError
from kiwi_core.testing import HookProofs, Rotated
from testbed.postgres import Postgres

GATEWAY = Ref("llm_provider", {"name": "gateway"})
SMALL = Ref("model_configuration", {"llm_provider_id": GATEWAY, "name": "small"})


def rows(table: str, key: tuple[str, ...], *each: Mapping[str, SeedValue], once: tuple[str, ...] = ()) -> Rows:
    return Rows(table=table, key=key, rows=each, once=once)


GATEWAY_MODEL: Mapping[str, SeedValue] = {"llm_provider_id": GATEWAY, "name": "small", "is_visible": True}
PROVIDER: Mapping[str, SeedValue] = {
    "name": "gateway",
    "provider": "litellm_proxy",
    "api_base": "http://litellm:4000",
    "api_key": API_KEY,
    "custom_config": '{"b": 1, "a": [2]}',
    "groups": "{x,y}",
    "weight": 0.1,
    "created": "2026-01-01T00:00:00Z",
}
TABLES = (
    rows("llm_provider", ("name",), PROVIDER, once=("created",)),
    rows(
        "public.model_configuration",
        ("llm_provider_id", "name"),
        {"llm_provider_id": GATEWAY, "name": "small", "is_visible": True, "max_input_tokens": 8192},
        {"llm_provider_id": GATEWAY, "name": 'it\'s "large" %s', "is_visible": False, "max_input_tokens": None},
    ),
    rows(
        "llm_model_flow",
        ("model_configuration_id", "llm_model_flow_type"),
        {"model_configuration_id": SMALL, "llm_model_flow_type": "CHAT", "is_default": True},
    ),
)


def states(*tables: Rows) -> tuple[RowsState, ...]:
    def seal(value: object) -> Mounted:
        assert isinstance(value, SecretKey)
        return Mounted(value)

    return tuple(state_of(table, seal) for table in tables)


@pytest.fixture(scope="module")
def hands(postgres: Postgres) -> Generator[Hands]:
    hands = Hands(postgres)
    hands.set_up()
    yield hands
    postgres.start()
    hands.tear_down()


def seed(hands: Hands, *tables: Rows) -> SeedState:
    return SeedState(
        owner="cust-acme/onyx",
        host=hands.server.host,
        port=hands.server.port,
        database=DATABASE,
        user=ROLE,
        password=Mounted(PASSWORD),
        tables=states(*(tables or TABLES)),
        needs_minimum="f220515df7b4",
        needs_revisions=("f220515df7b4", "a1b2c3d4e5f6"),
    )


@pytest.mark.real_server
class TestSeed(HookProofs):
    missing = "INSERT on llm_provider"

    @pytest.fixture(autouse=True)
    def _server(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> Postgres:
        return self.hands.server

    def desired(self) -> SeedState:
        return seed(self.hands)

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        self.hands.do(EMPTY)

    def state(self) -> object:
        api_key = SECRETS[API_KEY]
        provider: LiteralString = """
            SELECT name, provider, api_base, api_key = %s, custom_config::text, groups, weight, created::text
            FROM llm_provider ORDER BY name
        """
        models: LiteralString = """
            SELECT p.name, m.name, is_visible, max_input_tokens, llm_model_flow_type::text, is_default
            FROM llm_provider p LEFT JOIN model_configuration m ON llm_provider_id = p.id
            LEFT JOIN llm_model_flow f ON model_configuration_id = m.id ORDER BY m.name
        """
        return self.hands.ask(provider, api_key), self.hands.ask(models)

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "absent": lambda: self.hands.do("DELETE FROM model_configuration WHERE name = 'small'"),
            "differing": lambda: self.hands.do(
                "UPDATE llm_provider SET api_key = 'by hand', custom_config = NULL",
                "UPDATE llm_model_flow SET is_default = false",
            ),
            "unresolved": lambda: self.hands.do("DELETE FROM llm_provider"),
        }

    def wrong_account(self) -> SeedState:
        return attrs.evolve(self.desired(), password=Mounted(WRONG))

    def weak_account(self) -> SeedState:
        return attrs.evolve(self.desired(), user=READER, password=Mounted(WEAK))

    def rotations(self) -> Mapping[str, Rotated]:
        after = states(rows("llm_provider", ("name",), {**PROVIDER, "api_key": NEXT_API_KEY}, once=("created",)))
        desired = self.desired()

        def works() -> object:
            found = self.hands.ask("SELECT api_key = %s FROM llm_provider", SECRETS[NEXT_API_KEY])
            assert found == [(True,)]
            return found

        rotated = attrs.evolve(desired, tables=(*after, *desired.tables[1:]))
        return {"live": Rotated(before=desired, after=rotated, works=works)}


@pytest.fixture
def session(hands: Hands) -> Iterator[Session]:
    hands.do(EMPTY)
    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30) as opened:
        yield opened


def error_of(desired: SeedState, session: Session) -> str:
    """The text of the error that a run ends with; it holds no secret, and is not one that time mends."""
    with pytest.raises(HookError) as caught:
        converge(desired, session, pause=lambda _: None)
    assert not any(secret in str(caught.value) for secret in SECRETS.values())
    return str(caught.value)


@pytest.mark.real_server
class TestWhatItFinds:
    def test_rows_of_others_and_columns_given_once_are_left_alone(self, hands: Hands, session: Session) -> None:
        converge(seed(hands), session)
        hands.do(
            "INSERT INTO llm_provider (name, provider, created) VALUES ('own', 'openai', now())",
            "UPDATE llm_provider SET created = '2025-05-05Z', provider = 'x' WHERE name = 'gateway'",
        )
        assert converge(seed(hands), session).changed == (
            "update llm_provider(name='gateway'): provider",
            "commit 1 row",
        )
        found = hands.ask("SELECT name, provider, created = '2025-05-05Z' FROM llm_provider ORDER BY name")
        assert found == [("gateway", "litellm_proxy", True), ("own", "openai", False)]

    def test_a_row_that_is_there_already_is_taken_over(self, hands: Hands, session: Session) -> None:
        hands.do("INSERT INTO llm_provider (id, name, provider, created) VALUES (4711, 'gateway', 'x', now())")
        converge(seed(hands), session)
        assert hands.ask("SELECT DISTINCT llm_provider_id FROM model_configuration") == [(4711,)]

    def test_nothing_is_written_when_one_row_cannot_be(self, hands: Hands, session: Session) -> None:
        flow: Mapping[str, SeedValue] = {
            "model_configuration_id": SMALL,
            "llm_model_flow_type": "CHAT",
            "is_default": None,
        }
        broken = seed(hands, *TABLES[:2], rows("llm_model_flow", ("model_configuration_id",), flow))
        assert 'null value in column "is_default"' in error_of(broken, session)
        assert hands.ask("SELECT FROM llm_provider") == []

    def test_a_value_of_another_type_is_told_with_the_columns_types(self, hands: Hands, session: Session) -> None:
        model: Mapping[str, SeedValue] = {**GATEWAY_MODEL, "max_input_tokens": API_KEY}
        text = error_of(seed(hands, TABLES[0], rows("model_configuration", ("name",), model)), session)
        assert 'invalid input syntax for type integer: "…"' in text
        assert "model_configuration.max_input_tokens integer" in text

    def test_a_type_that_cannot_be_compared_is_told(self, hands: Hands, session: Session) -> None:
        text = error_of(seed(hands, rows("MixedCase", ("Key",), {"Key": "a", "Value": "{}"})), session)
        assert "operator does not exist: json" in text
        assert "MixedCase.Value json" in text

    def test_names_are_those_of_the_catalog(self, hands: Hands, session: Session) -> None:
        converge(seed(hands, rows("MixedCase", ("Key",), {"Key": "a"})), session)
        assert hands.ask('SELECT "Key" FROM "MixedCase"') == [("a",)]

    def test_a_table_and_a_column_that_are_not_there_are_named(self, hands: Hands, session: Session) -> None:
        text = error_of(seed(hands, rows("llm_providers", ("name",), {"name": "gateway"})), session)
        assert "there is no table llm_providers" in text
        assert "let its schema name the revision that has it" in text
        text = error_of(seed(hands, rows("llm_provider", ("name",), {"name": "gateway", "colour": 1})), session)
        assert "table llm_provider has no column colour, found id, name, provider" in text
        text = error_of(seed(hands, rows("llm_provider", ("id",), {"id": Ref("nowhere", {"x": 1})})), session)
        assert "there is no table nowhere" in text

    def test_a_key_that_several_rows_have_is_told(self, hands: Hands, session: Session) -> None:
        twice: LiteralString = "INSERT INTO llm_provider (name, provider, created) VALUES ('gateway', 'x', now())"
        hands.do(twice, twice)
        assert "several rows are llm_provider(name='gateway')" in error_of(seed(hands), session)
        model = rows("model_configuration", ("llm_provider_id", "name"), GATEWAY_MODEL)
        assert "llm_provider(name='gateway').id, of which there are several" in error_of(seed(hands, model), session)
        assert hands.ask("SELECT count(*) FROM llm_provider") == [(2,)]

    def test_a_row_that_is_named_and_not_there_is_told(self, hands: Hands, session: Session) -> None:
        model = rows("model_configuration", ("llm_provider_id", "name"), GATEWAY_MODEL)
        text = error_of(seed(hands, model), session)
        assert "names llm_provider(name='gateway'), and there is no such row" in text
        text = error_of(seed(hands, model, TABLES[0]), session)
        assert "seed that row before" in text

    def test_another_row_of_a_unique_value_is_a_conflict(self, hands: Hands, session: Session) -> None:
        converge(seed(hands), session)
        other = {**GATEWAY_MODEL, "name": "other"}
        model = Ref("model_configuration", {"name": "other"})
        flow: Mapping[str, SeedValue] = {
            "model_configuration_id": model,
            "llm_model_flow_type": "CHAT",
            "is_default": True,
        }
        flows = rows("llm_model_flow", ("model_configuration_id",), flow)
        with pytest.raises(Conflict, match="one_default"):
            converge(seed(hands, rows("model_configuration", ("name",), other), flows), session, pause=lambda _: None)
        assert hands.ask("SELECT FROM model_configuration WHERE name = 'other'") == []

    def test_while_another_seed_is_written_it_waits(self, hands: Hands, session: Session) -> None:
        waited: list[float] = []
        with hands.connect(DATABASE) as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended('kiwistack/seed', 0))")

            def pause(seconds: float) -> None:
                waited.append(seconds)
                other.close()

            assert converge(seed(hands), session, pause=pause).changed[-1] == "commit 4 rows"
        assert len(waited) == 1

    def test_a_plan_that_is_out_of_date_makes_no_second_row(self, hands: Hands, session: Session) -> None:
        desired = seed(hands)
        insert = desired.plan(desired.observe(session))[0]
        with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30) as other:
            converge(desired, other)
        with pytest.raises(Conflict, match="was changed meanwhile"):
            desired.apply(insert, session)
        hands.do("UPDATE llm_provider SET provider = 'x'")
        update = desired.plan(desired.observe(session))[0]
        hands.do("DELETE FROM llm_provider")
        with pytest.raises(Conflict, match="was changed meanwhile"):
            desired.apply(update, session)
        assert converge(desired, session).changed
        assert hands.ask("SELECT count(*) FROM llm_provider") == [(1,)]

    def test_while_it_only_looks_it_holds_nothing(self, hands: Hands, session: Session) -> None:
        desired = seed(hands)
        assert len(desired.plan(desired.observe(session))) == 5
        with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30) as other:
            converge(desired, other, pause=lambda _: pytest.fail("it waits"))
        assert desired.plan(desired.observe(session)) == []


@pytest.mark.real_server
class TestSchema:
    def test_a_revision_that_has_the_minimum_will_do(self, hands: Hands, session: Session) -> None:
        hands.do("UPDATE alembic_version SET version_num = 'a1b2c3d4e5f6'")
        assert converge(seed(hands), session).changed
        hands.do("INSERT INTO alembic_version VALUES ('another-branch')")
        assert converge(seed(hands), session).changed == ()

    @pytest.mark.parametrize(
        ("statement", "found"),
        [
            ("UPDATE alembic_version SET version_num = '0123456789ab'", "found 0123456789ab"),
            ("DELETE FROM alembic_version", "found none"),
        ],
    )
    def test_another_one_is_told_and_nothing_written(
        self, hands: Hands, session: Session, statement: LiteralString, found: str
    ) -> None:
        hands.do(statement)
        text = error_of(seed(hands), session)
        assert "they need revision f220515df7b4 of the schema or one that rests on it" in text
        assert found in text
        assert hands.ask("SELECT FROM llm_provider") == []

    def test_without_the_table_of_versions_it_is_told(self, hands: Hands, session: Session) -> None:
        text = error_of(attrs.evolve(seed(hands), version_table="alembic_versions"), session)
        assert "there is no table alembic_versions" in text

    def test_where_no_history_says_what_has_the_minimum_nothing_is_written(
        self, hands: Hands, session: Session
    ) -> None:
        error_of(attrs.evolve(seed(hands), needs_revisions=()), session)
        assert hands.ask("SELECT FROM llm_provider") == []

    def test_a_seed_without_a_schema_asks_for_no_revision(self, hands: Hands, session: Session) -> None:
        hands.do("DELETE FROM alembic_version")
        assert converge(attrs.evolve(seed(hands), needs_minimum="", needs_revisions=()), session).changed


@pytest.mark.real_server
def test_converged_it_asks_once_for_each_table(hands: Hands, session: Session) -> None:
    converge(seed(hands), session)
    asked: list[str] = []

    def watch(words: str, *, done: bool) -> None:
        if done:
            asked.append(words)

    with Session(SECRETS.__getitem__, deadline=time.monotonic() + 30, watch=watch) as again:
        converge(seed(hands), again)
    assert len(asked) == 5  # one to sign in, one for the revision


@pytest.mark.real_server
def test_a_text_that_looks_like_sql_is_a_text(hands: Hands, session: Session) -> None:
    name = "x'; DROP TABLE llm_provider; -- %(p0)s {} \\ \n"
    converge(seed(hands, rows("llm_provider", ("name",), {**PROVIDER, "name": name})), session)
    assert hands.ask("SELECT name FROM llm_provider") == [(name,)]
