"""Databases in a real PostgreSQL, by a superuser and by an administrator who is none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import ClassVar, LiteralString

import attrs
import pytest
from hooks.postgres_hands import (
    ADMIN,
    ANOTHER,
    MANAGER,
    NEXT,
    OLD_ADMIN,
    OWNER,
    PASSWORD,
    PORTER,
    SECRETS,
    SUPERUSER,
    WRONG,
    Hands,
    error_of,
    open_session,
    serve,
)
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.postgres_database import DatabaseState
from kiwi_core._hooks.postgres_parts import PostgresGrant
from kiwi_core._hooks.postgres_role import RoleState
from kiwi_core._model.desired import Mounted
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Forbidden, HookError, Unreachable
from kiwi_core.testing import HookProofs, Rotated
from testbed.postgres import Postgres

DATABASE, OTHER = "onyx-db", "onyx_more"
ROLE, READER, STRANGER = "onyx-role", "onyx_readonly", "stranger"
GRANTS = (
    PostgresGrant(to=READER, privileges=("CONNECT", "TEMPORARY")),
    PostgresGrant(to=READER, schema="public", privileges=("USAGE", "CREATE")),
)
CALLED: LiteralString = "LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.calls VALUES (current_user); RETURN NULL; END'"
PLANTED: tuple[LiteralString, ...] = (
    "CREATE TABLE public.calls (who text)",
    f"CREATE FUNCTION public.has_database_privilege(oid, oid, text) RETURNS boolean {CALLED}",
    f"CREATE FUNCTION public.current_database() RETURNS name {CALLED}",
    f"CREATE FUNCTION public.same(name, name) RETURNS boolean {CALLED}",
    "CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = name, RIGHTARG = name)",
)


@pytest.fixture(scope="module")
def hands() -> Generator[Hands]:
    yield from serve()


class DatabaseProofs(HookProofs):
    missing = "CREATEDB"
    account: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _server(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> Postgres:
        return self.hands.server

    def desired(self) -> DatabaseState:
        return DatabaseState(
            owner=OWNER,
            server=self.hands.as_server(self.account),
            database=DATABASE,
            role=ROLE,
            extensions=("pg_trgm", "uuid-ossp"),
            grants=GRANTS,
            locale="C",
        )

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        for database in (DATABASE, OTHER):
            self.hands.do(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self.hands.make_anew(ROLE, READER, STRANGER)
        for role in (ROLE, READER):
            self.hands.set_password(role, PASSWORD)
        self.hands.reset()

    def state(self) -> object:
        databases = self.hands.ask(
            """
            SELECT pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), pg_encoding_to_char(encoding),
                   datcollate, datctype, datallowconn
            FROM pg_database WHERE datname = %s
            """,
            DATABASE,
        )
        extensions = self.hands.ask(
            "SELECT extname, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY 1",
            database=DATABASE,
        )
        with self.hands.connect(READER, SECRETS[PASSWORD], DATABASE) as connection:
            connection.execute("CREATE TEMPORARY TABLE mine (id int)")
            connection.execute("CREATE TABLE public.mine (id int)")
            connection.execute("DROP TABLE public.mine")
        with self.hands.connect(ROLE, SECRETS[PASSWORD], DATABASE) as connection:
            connection.execute("CREATE SCHEMA own")
            connection.execute("DROP SCHEMA own")
        return databases, extensions, [self.hands.takes(self.account, key) for key in (ADMIN, OLD_ADMIN)]

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "administrator": lambda: self.hands.set_password(self.account, OLD_ADMIN),
            "is_there": lambda: self.hands.do(f'DROP DATABASE "{DATABASE}" WITH (FORCE)'),
            "mark": lambda: self.hands.do(f'COMMENT ON DATABASE "{DATABASE}" IS NULL'),
            "role": lambda: self.hands.do(f'ALTER DATABASE "{DATABASE}" OWNER TO {STRANGER}'),
            "extensions": lambda: self.hands.do("DROP EXTENSION pg_trgm", database=DATABASE),
            "grants": lambda: self.hands.do(
                f'REVOKE ALL ON DATABASE "{DATABASE}" FROM PUBLIC, {READER}',
                f"REVOKE CREATE ON SCHEMA public FROM {READER}",
                database=DATABASE,
            ),
        }

    def wrong_account(self) -> DatabaseState:
        return attrs.evolve(self.desired(), server=self.hands.as_server(self.account, WRONG, None))

    def weak_account(self) -> DatabaseState:
        self.hands.do(f'GRANT "{ROLE}" TO {PORTER} WITH ADMIN OPTION')
        return attrs.evolve(self.desired(), server=self.hands.as_server(PORTER))

    def rotations(self) -> Mapping[str, Rotated]:
        def works() -> object:
            found = [self.hands.takes(self.account, key) for key in (ADMIN, OLD_ADMIN)]
            assert found == [True, False]
            return found

        before = attrs.evolve(self.desired(), server=self.hands.as_server(self.account, OLD_ADMIN, None))
        return {"init": Rotated(before=before, after=self.desired(), works=works)}

    def other(self) -> DatabaseState:
        return attrs.evolve(self.desired(), database=OTHER)

    def taken(self) -> str:
        self.hands.do(
            f'CREATE DATABASE "{DATABASE}" TEMPLATE template0',
            f"COMMENT ON DATABASE \"{DATABASE}\" IS 'by hand\nkiwistack: {ANOTHER}'",
        )
        return ANOTHER


@pytest.mark.real_server
class TestBySuperuser(DatabaseProofs):
    """Kills are swept by the manager alone, which has more requests."""

    account = SUPERUSER
    test_killed_anywhere_it_converges = None  # type: ignore[assignment]  # pytest passes over what is no function
    test_killed_anywhere_while_it_heals_it_converges = None  # type: ignore[assignment]
    test_killed_anywhere_in_a_rotation_it_converges = None  # type: ignore[assignment]


@pytest.mark.real_server
class TestByManager(DatabaseProofs):
    """It has to be a member of the database's owner."""

    account = MANAGER


@pytest.fixture
def desired(hands: Hands) -> DatabaseState:
    """From nothing, by the manager, with nothing in it."""
    proofs = TestByManager()
    proofs.hands = hands
    proofs.clean()
    server = hands.as_server(MANAGER, OLD_ADMIN, None)
    return attrs.evolve(proofs.desired(), server=server, extensions=(), grants=())


@pytest.mark.real_server
class TestWhatItFinds:
    def test_one_that_is_there_is_taken_over_with_all_it_holds(self, hands: Hands, desired: DatabaseState) -> None:
        hands.do(
            f'CREATE DATABASE "{DATABASE}" OWNER {STRANGER} TEMPLATE template0',
            f"COMMENT ON DATABASE \"{DATABASE}\" IS 'of the DBA'",
        )
        hands.do("CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1)", database=DATABASE)
        with open_session() as session:
            assert converge(desired, session).changed == (
                f"mark database {DATABASE}: {OWNER}",
                f"give database {DATABASE}: owner {ROLE}",
            )
        assert hands.ask("SELECT id FROM kept", database=DATABASE) == [(1,)]
        comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        assert hands.ask(comment, DATABASE) == [(f"of the DBA\nkiwistack: {OWNER}",)]

    def test_a_superusers_database_is_not_the_managers_to_give(self, hands: Hands, desired: DatabaseState) -> None:
        hands.do(f'CREATE DATABASE "{DATABASE}" TEMPLATE template0')
        text = error_of(desired, Forbidden)
        assert f"{MANAGER} lacks" in text
        assert "a member of postgres" in text

    def test_another_encoding_or_locale_is_told(self, hands: Hands, desired: DatabaseState) -> None:
        hands.do(f'CREATE DATABASE "{DATABASE}" OWNER "{ROLE}" TEMPLATE template0 ENCODING LATIN1')
        assert "has the encoding LATIN1, not UTF8" in error_of(desired, HookError)
        hands.do(f'DROP DATABASE "{DATABASE}"', f'CREATE DATABASE "{DATABASE}" TEMPLATE template0')
        other = attrs.evolve(desired, locale="de_DE.UTF-8")
        assert "has the locale C, not de_DE.UTF-8" in error_of(other, HookError)

    def test_a_locale_that_the_system_has_not_is_told(self, desired: DatabaseState) -> None:
        text = error_of(attrs.evolve(desired, locale="tlh_Klingon"), HookError)
        assert "invalid" in text
        assert "tlh_Klingon" in text

    def test_one_that_is_shut_is_told(self, hands: Hands, desired: DatabaseState) -> None:
        hands.do(
            f'CREATE DATABASE "{DATABASE}" TEMPLATE template0', f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS false'
        )
        assert "ALLOW_CONNECTIONS true" in error_of(desired, HookError)

    def test_it_waits_for_its_roles(self, hands: Hands, desired: DatabaseState) -> None:
        grant = PostgresGrant(to="late", privileges=("CONNECT",))
        waited: list[float] = []
        hands.do("DROP ROLE IF EXISTS late")

        def pause(seconds: float) -> None:
            waited.append(seconds)
            hands.make_anew("late")

        with open_session() as session:
            converge(attrs.evolve(desired, grants=(grant,), role=ROLE), session, pause=pause)
        assert len(waited) == 1
        assert "role nobody_yet, which is to own it, is not there" in error_of(
            attrs.evolve(desired, role="nobody_yet"), Unreachable, seconds=0.5
        )
        hands.do("DROP OWNED BY late", database=DATABASE)
        hands.do("DROP ROLE late")

    def test_a_schema_that_is_not_there_is_told(self, desired: DatabaseState) -> None:
        grant = PostgresGrant(to=READER, schema="later", privileges=("USAGE",))
        text = error_of(attrs.evolve(desired, grants=(grant,)), HookError)
        assert 'schema "later" does not exist' in text
        assert "post hook" in text
        text = error_of(attrs.evolve(desired, grants=(grant,)), HookError)
        assert "has no schema later" in text
        assert "post hook" in text

    def test_an_extension_that_the_server_has_not_is_told_with_a_package(
        self, hands: Hands, desired: DatabaseState
    ) -> None:
        text = error_of(attrs.evolve(desired, extensions=("no_such_thing",)), HookError)
        assert "extension no_such_thing is not installed on the server" in text
        (version,) = hands.ask("SELECT current_setting('server_version_num')::int / 10000")
        assert f"postgresql-{version[0]}" in text

    def test_an_extension_that_is_not_trusted_needs_a_superuser(self, hands: Hands, desired: DatabaseState) -> None:
        wanted = attrs.evolve(desired, extensions=("file_fdw",))
        text = error_of(wanted, Forbidden)
        assert f"extension file_fdw needs a superuser, which {MANAGER} is not" in text
        with open_session() as session:
            changed = converge(
                attrs.evolve(wanted, server=hands.as_server(SUPERUSER, OLD_ADMIN, None)), session
            ).changed
            assert changed[-1] == f"install extension file_fdw: {DATABASE}"
            assert converge(attrs.evolve(wanted, server=desired.server), session).changed == ()

    def test_an_extension_stands_in_its_own_schema_and_brings_others(
        self, hands: Hands, desired: DatabaseState
    ) -> None:
        wanted = attrs.evolve(
            desired, server=hands.as_server(SUPERUSER, OLD_ADMIN, None), extensions=("plpgsql", "earthdistance")
        )
        with open_session() as session:
            converge(wanted, session)
            hands.do("DROP EXTENSION plpgsql", database=DATABASE)
            converge(wanted, session)
        found = hands.ask(
            "SELECT extname, extnamespace::regnamespace::text FROM pg_extension ORDER BY 1", database=DATABASE
        )
        assert found == [("cube", "public"), ("earthdistance", "public"), ("plpgsql", "pg_catalog")]

    def test_what_the_databases_owner_plants_in_it_is_not_called(self, hands: Hands, desired: DatabaseState) -> None:
        """Its owner must not become who the hook is, nor keep it from its work."""
        wanted = attrs.evolve(
            desired,
            server=hands.as_server(SUPERUSER, OLD_ADMIN, None),
            extensions=("pg_trgm", "uuid-ossp"),
            grants=GRANTS,
        )
        with open_session() as session:
            converge(attrs.evolve(desired, server=hands.as_server(SUPERUSER, OLD_ADMIN, None)), session)
        with hands.connect(ROLE, SECRETS[PASSWORD], DATABASE) as connection:
            for statement in PLANTED:
                connection.execute(statement)
            connection.execute(f'ALTER DATABASE "{DATABASE}" SET search_path = public, pg_catalog')
            connection.execute(f'ALTER DATABASE "{DATABASE}" SET default_transaction_read_only = on')
            connection.execute(f'ALTER DATABASE "{DATABASE}" SET statement_timeout = 1')
        with open_session() as session:
            assert len(converge(wanted, session).changed) == 3
            assert converge(wanted, session).changed == ()
        assert hands.ask("SELECT who FROM public.calls", database=DATABASE) == []

    def test_a_grant_by_way_of_public_is_enough(self, hands: Hands, desired: DatabaseState) -> None:
        wanted = attrs.evolve(desired, grants=(PostgresGrant(to=READER, privileges=("CONNECT",)),))
        with open_session() as session:
            converge(desired, session)
            assert converge(wanted, session).changed == ()
            hands.do(f'REVOKE CONNECT ON DATABASE "{DATABASE}" FROM PUBLIC')
            assert converge(wanted, session).changed == (f"grant CONNECT on the database to {READER}",)


@pytest.mark.real_server
class TestRemoval:
    def test_it_says_what_would_be_lost(self, hands: Hands, desired: DatabaseState) -> None:
        with open_session() as session:
            converge(desired, session)
            (empty,) = desired.orphans(session, ())
            assert empty.holds == ""
            hands.do("CREATE TABLE a (id int)", "CREATE TABLE b (id int)", "SELECT lo_create(0)", database=DATABASE)
            (orphan,) = desired.orphans(session, ())
            assert orphan.holds.startswith("2 tables, 1 large objects, ")
            assert orphan.holds.endswith("B")

    def test_one_in_use_is_not_dropped(self, hands: Hands, desired: DatabaseState) -> None:
        with open_session() as session:
            converge(desired, session)
            (orphan,) = desired.orphans(session, ())
            with hands.connect(ROLE, SECRETS[PASSWORD], DATABASE), pytest.raises(HookError, match="being accessed"):
                desired.remove(orphan, session)
            desired.remove(orphan, session)
            assert desired.orphans(session, ()) == []

    def test_a_role_goes_after_what_it_owns_with_its_privileges(self, hands: Hands, desired: DatabaseState) -> None:
        """As a whole: a role and a database are made, used, and removed."""
        role = RoleState(owner=OWNER, server=desired.server, role="whole", password=Mounted(NEXT))
        reader = attrs.evolve(role, role="whole_ro")
        grant = PostgresGrant(to="whole_ro", schema="public", privileges=("USAGE", "CREATE"))
        database = attrs.evolve(desired, role="whole", grants=(grant,))
        with open_session() as session:
            for wanted in (role, reader, database):
                converge(wanted, session)
            with hands.connect("whole", SECRETS[NEXT], DATABASE) as connection:
                connection.execute("CREATE TABLE own (id int)")
                connection.execute("GRANT SELECT ON own TO whole_ro")
            owner, granted = role.orphans(session, ())
            assert (owner.name, owner.holds) == ("whole", f"1 objects in database {DATABASE}, database {DATABASE}")
            assert (granted.name, granted.holds) == ("whole_ro", "")
            with pytest.raises(HookError, match=r"role whole at .* owns 1 objects in database"):
                role.remove(owner, session)
            with hands.connect("whole_ro", SECRETS[NEXT]), pytest.raises(HookError, match="in use by 1 sessions"):
                role.remove(granted, session)
            role.remove(granted, session)
            assert hands.ask("SELECT count(*) FROM own", database=DATABASE) == [(0,)]
            (lost,) = database.orphans(session, ())
            database.remove(lost, session)
            role.remove(owner, session)
            assert role.orphans(session, ()) == []
        assert hands.ask("SELECT FROM pg_roles WHERE rolname LIKE 'whole%%'") == []


@pytest.mark.real_server
def test_a_session_that_was_cut_off_is_opened_anew(hands: Hands, desired: DatabaseState) -> None:
    with open_session() as session:
        converge(desired, session)
        hands.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kiwistack'")
        assert converge(desired, session, pause=lambda _: None).changed == ()


@pytest.mark.real_server
def test_its_own_connections_tell_whose_they_are(hands: Hands, desired: DatabaseState) -> None:
    with open_session() as session:
        desired.observe(session)
        found = hands.ask("SELECT usename, datname FROM pg_stat_activity WHERE application_name = 'kiwistack'")
        assert found == [(MANAGER, "postgres")]
