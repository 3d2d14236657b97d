"""Roles in a real PostgreSQL, by a superuser and by an administrator who is none."""

from __future__ import annotations

import os
import signal
import time
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
    SECRETS,
    SUPERUSER,
    WEAK,
    WRONG,
    Hands,
    error_of,
    open_session,
    serve,
)
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.postgres_role import RoleState
from kiwi_core._model.desired import Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Conflict, Forbidden, HookError, Refused, Unreachable
from kiwi_core.testing import HookProofs, Rotated
from testbed.postgres import Postgres

ROLE, OTHER, GROUP = "onyx-db", "onyx_more", "readers"


@pytest.fixture(scope="module")
def hands() -> Generator[Hands]:
    yield from serve()


class RoleProofs(HookProofs):
    missing = "CREATEROLE"
    account: ClassVar[LiteralString]

    @pytest.fixture(autouse=True)
    def _server(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> Postgres:
        return self.hands.server

    def desired(self) -> RoleState:
        return RoleState(
            owner=OWNER,
            server=self.hands.as_server(self.account),
            role=ROLE,
            password=Mounted(PASSWORD),
            createdb=True,
            member_of=(GROUP,),
        )

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        self.hands.do(f'DROP ROLE IF EXISTS "{ROLE}"', f"DROP ROLE IF EXISTS {OTHER}")
        self.hands.make_anew(GROUP)
        self.hands.reset()

    def state(self) -> object:
        rows = self.hands.ask(
            """
            SELECT rolcanlogin, rolcreatedb, rolcreaterole, rolsuper, COALESCE(rolvaliduntil::text, 'infinity'),
                   shobj_description(oid, 'pg_authid'),
                   ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid)
            FROM pg_roles r WHERE rolname = %s
            """,
            ROLE,
        )
        signs_in = [self.hands.takes(ROLE, key) for key in (PASSWORD, WRONG)]
        return rows, signs_in, [self.hands.takes(self.account, key) for key in (ADMIN, OLD_ADMIN)]

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "administrator": lambda: self.hands.set_password(self.account, OLD_ADMIN),
            "is_there": lambda: self.hands.do(f'DROP ROLE "{ROLE}"'),
            "mark": lambda: self.hands.do(f'COMMENT ON ROLE "{ROLE}" IS NULL'),
            "password": lambda: self.hands.set_password(ROLE, WRONG),
            "login": lambda: self.hands.do(f'ALTER ROLE "{ROLE}" NOLOGIN'),
            "createdb": lambda: self.hands.do(f'ALTER ROLE "{ROLE}" NOCREATEDB'),
            "createrole": lambda: self.hands.do(f'ALTER ROLE "{ROLE}" CREATEROLE'),
            "expires": lambda: self.hands.do(f"ALTER ROLE \"{ROLE}\" VALID UNTIL '2020-02-20'"),
            "member_of": lambda: self.hands.do(f"SET ROLE {self.account}", f'REVOKE {GROUP} FROM "{ROLE}"'),
        }

    def wrong_account(self) -> RoleState:
        return attrs.evolve(self.desired(), server=self.hands.as_server(self.account, WRONG, None))

    def weak_account(self) -> RoleState:
        return attrs.evolve(self.desired(), server=self.hands.as_server(WEAK))

    def rotations(self) -> Mapping[str, Rotated]:
        def works(user: str, new: SecretKey, old: SecretKey) -> Callable[[], object]:
            def look() -> object:
                found = self.hands.takes(user, new), self.hands.takes(user, old)
                assert found == (True, False)
                return found

            return look

        wanted = attrs.evolve(self.desired(), server=self.hands.as_server(self.account, OLD_ADMIN, None))
        return {
            "live": Rotated(
                before=wanted,
                after=attrs.evolve(wanted, password=Mounted(NEXT)),
                works=works(ROLE, NEXT, PASSWORD),
            ),
            "init": Rotated(before=wanted, after=self.desired(), works=works(self.account, ADMIN, OLD_ADMIN)),
        }

    def other(self) -> RoleState:
        return attrs.evolve(self.desired(), role=OTHER, password=None)

    def taken(self) -> str:
        self.hands.do(f'CREATE ROLE "{ROLE}"', f"COMMENT ON ROLE \"{ROLE}\" IS 'kiwistack: {ANOTHER}'")
        return ANOTHER


@pytest.mark.real_server
class TestBySuperuser(RoleProofs):
    """It reads what the server keeps of a password. Kills are swept by the manager alone, which has more requests."""

    account = SUPERUSER
    test_killed_anywhere_it_converges = None  # type: ignore[assignment]  # pytest passes over what is no function
    test_killed_anywhere_while_it_heals_it_converges = None  # type: ignore[assignment]
    test_killed_anywhere_in_a_rotation_it_converges = None  # type: ignore[assignment]


@pytest.mark.real_server
class TestByManager(RoleProofs):
    """It finds out by signing in whether the server takes a password."""

    account = MANAGER


@pytest.fixture
def desired(hands: Hands) -> RoleState:
    """From nothing, by the superuser."""
    proofs = TestBySuperuser()
    proofs.hands = hands
    proofs.clean()
    return attrs.evolve(proofs.desired(), server=hands.as_server(SUPERUSER, OLD_ADMIN, None))


@pytest.fixture
def managed(hands: Hands, desired: RoleState) -> RoleState:
    """The same, by the manager."""
    return attrs.evolve(desired, server=hands.as_server(MANAGER, OLD_ADMIN, None))


@pytest.fixture
def access(hands: Hands) -> Generator[Callable[[str], None]]:
    """Puts a line before those of pg_hba.conf; for the test alone."""
    rules = hands.server.folder / "data" / "pg_hba.conf"
    kept = rules.read_text(encoding="utf-8")

    def put(line: str) -> None:
        rules.write_text(f"{line}\n{kept}", encoding="utf-8")
        hands.do("SELECT pg_reload_conf()")
        time.sleep(0.2)

    yield put
    rules.write_text(kept, encoding="utf-8")
    hands.do("SELECT pg_reload_conf()")
    time.sleep(0.2)


@pytest.mark.real_server
class TestWhatItFinds:
    def test_no_log_of_the_server_holds_a_password(self, hands: Hands, desired: RoleState) -> None:
        wanted = attrs.evolve(desired, server=hands.as_server(SUPERUSER))
        hands.do(
            f"ALTER ROLE {SUPERUSER} SET log_statement = 'all'", f"ALTER ROLE {WEAK} SET log_min_messages = debug1"
        )
        seen = hands.server.log.stat().st_size
        with open_session() as session:
            converge(wanted, session)
            converge(attrs.evolve(wanted, password=Mounted(NEXT)), session)
        error_of(attrs.evolve(wanted, role=OTHER, server=hands.as_server(WEAK, ADMIN, None)), Forbidden)
        hands.do(f"ALTER ROLE {SUPERUSER} RESET log_statement", f"ALTER ROLE {WEAK} RESET log_min_messages")
        logged = hands.server.log.read_bytes()[seen:].decode()
        assert (
            logged.count("PASSWORD 'SCRAM-SHA-256$") >= 4
        )  # the administrator's, two of the role, and the refused one
        assert not [key for key, value in SECRETS.items() if value in logged or value.replace("'", "''") in logged]

    def test_one_that_is_there_is_taken_over(self, hands: Hands, desired: RoleState) -> None:
        hands.do(
            f'CREATE ROLE "{ROLE}" LOGIN CREATEDB CONNECTION LIMIT 7',
            f"COMMENT ON ROLE \"{ROLE}\" IS 'of the DBA,\n  ask him'",
            f'GRANT {GROUP}, pg_monitor TO "{ROLE}"',
        )
        with open_session() as session:
            assert converge(desired, session).changed == (f"mark role {ROLE}: {OWNER}", f"set password {ROLE}")
        found = hands.ask(
            """
            SELECT rolconnlimit, shobj_description(oid, 'pg_authid'), pg_has_role(oid, 'pg_monitor', 'MEMBER')
            FROM pg_roles WHERE rolname = %s
            """,
            ROLE,
        )
        assert found == [(7, f"of the DBA,\n  ask him\nkiwistack: {OWNER}", True)]

    def test_a_superuser_is_left_alone(self, hands: Hands, desired: RoleState) -> None:
        hands.do(f'CREATE ROLE "{ROLE}" SUPERUSER')
        seen = hands.server.changes()
        assert "is a superuser, which no hook touches" in error_of(desired, HookError)
        assert hands.server.changes() == seen

    def test_a_password_kept_as_md5_is_set_anew(self, hands: Hands, desired: RoleState, managed: RoleState) -> None:
        hands.do("SET password_encryption = md5", f"CREATE ROLE \"{ROLE}\" LOGIN CREATEDB PASSWORD 'x'")
        with open_session() as session:
            assert f"set password {ROLE}" in converge(desired, session).changed
            assert converge(managed, session).changed == ()

    @pytest.mark.parametrize("account", [SUPERUSER, MANAGER])
    def test_a_password_of_any_characters_is_set_once(self, hands: Hands, desired: RoleState, account: str) -> None:
        """U+00AA and U+FB01 become other characters when they are normalised (RFC 4013)."""
        secrets = {**SECRETS, NEXT: "pässwörd \u00aa\ufb01 \U0001f95d"}
        server = hands.as_server(account, OLD_ADMIN, None)
        wanted = attrs.evolve(desired, server=server, password=Mounted(NEXT))
        with Session(secrets.__getitem__, deadline=time.monotonic() + 30) as session:
            assert converge(wanted, session).changed
            assert converge(wanted, session).changed == ()
        hands.connect(ROLE, secrets[NEXT]).close()

    def test_an_empty_password_is_told(self, desired: RoleState) -> None:
        with Session({**SECRETS, OLD_ADMIN: ""}.__getitem__) as session, pytest.raises(HookError, match="is empty"):
            converge(desired, session)

    def test_it_waits_for_the_roles_that_it_joins(self, hands: Hands, managed: RoleState) -> None:
        waited: list[float] = []
        hands.do(f"DROP ROLE {GROUP}")

        def pause(seconds: float) -> None:
            waited.append(seconds)
            hands.make_anew(GROUP)

        with open_session() as session:
            assert converge(managed, session, pause=pause).changed[-1] == f"join {GROUP}: {ROLE}"
        assert len(waited) == 1
        text = error_of(attrs.evolve(managed, member_of=("nobody_yet",)), Unreachable, seconds=0.5)
        assert "is to be a member of nobody_yet, which is not there" in text

    def test_what_it_is_told_no_more_is_taken_but_for_memberships(self, desired: RoleState) -> None:
        with open_session() as session:
            converge(attrs.evolve(desired, createrole=True), session)
            less = attrs.evolve(desired, createdb=False, member_of=())
            assert converge(less, session).changed == (f"alter role {ROLE}: NOCREATEDB, NOCREATEROLE",)

    def test_a_role_for_others_has_no_password_and_no_way_in(self, hands: Hands, desired: RoleState) -> None:
        group = attrs.evolve(desired, role=OTHER, password=None, createdb=False, member_of=())
        with open_session() as session:
            converge(group, session)
            assert converge(group, session).changed == ()
        assert hands.ask("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", OTHER) == [(False,)]

    def test_in_a_session_that_goes_on_two_requests_are_enough(self, hands: Hands, desired: RoleState) -> None:
        asked: list[str] = []

        def watch(words: str, *, done: bool) -> None:
            if not done:
                asked.append(words)

        with Session(SECRETS.__getitem__, watch=watch) as session:
            converge(desired, session)
            asked.clear()
            converge(desired, session)
        at = f"at {hands.server.host}:{hands.server.port}"
        assert asked == [f"look at role {ROLE} {at}", f"look at the verifier of role {ROLE} {at}"]


@pytest.mark.real_server
class TestWhoIsLetIn:
    @pytest.mark.parametrize("first", [160000, 999999], ids=["libpq of today", "older than 16"])
    def test_a_server_that_trusts_everybody_is_told(
        self, desired: RoleState, access: Callable[[str], None], first: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kiwi_core._hooks.postgres_client.FIRST_WITH_REQUIRE_AUTH", first)
        access("host all all all trust")
        text = error_of(desired, HookError)
        assert f"{SUPERUSER} was let in without being asked for the password" in text
        assert "scram-sha-256 instead of trust" in text

    def test_a_role_that_is_trusted_is_told(
        self, desired: RoleState, managed: RoleState, access: Callable[[str], None]
    ) -> None:
        access(f'host all "{ROLE}" all trust')
        for wanted in (desired, managed):
            assert f"{ROLE} was let in without being asked" in error_of(wanted, HookError)

    def test_no_password_is_sent_in_the_clear(self, desired: RoleState, access: Callable[[str], None]) -> None:
        access(f"host all {SUPERUSER} all password")
        assert f"{SUPERUSER} was asked for the password in the clear" in error_of(desired, HookError)

    def test_a_role_that_is_kept_out_is_told(self, desired: RoleState, access: Callable[[str], None]) -> None:
        access(f'host all "{ROLE}" all reject')
        assert "its password is set, and the server takes another" in error_of(desired, HookError)
        access(f"host all {SUPERUSER} all reject")
        assert "pg_hba.conf" in error_of(desired, Refused)

    def test_a_role_that_may_not_connect_to_the_first_database_signs_in(self, hands: Hands, managed: RoleState) -> None:
        hands.do("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", f"GRANT CONNECT ON DATABASE postgres TO {MANAGER}")
        try:
            with open_session() as session:
                assert converge(managed, session).changed
                assert converge(managed, session).changed == ()
                wrong = attrs.evolve(managed, password=Mounted(NEXT))
                assert converge(wrong, session).changed == (f"set password {ROLE}",)
        finally:
            hands.do("GRANT CONNECT ON DATABASE postgres TO PUBLIC")

    def test_a_server_that_is_there_and_does_not_answer_is_given_up(self, hands: Hands, desired: RoleState) -> None:
        with open_session() as session:
            converge(desired, session)
            ((backend,),) = hands.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'kiwistack'")
            session.deadline = time.monotonic() + 1
            os.kill(backend, signal.SIGSTOP)
            started = time.monotonic()
            try:
                with pytest.raises(Unreachable, match=f"{hands.server.port}: look at role {ROLE}: no answer within"):
                    desired.observe(session)
            finally:
                os.kill(backend, signal.SIGCONT)
            assert 0.5 < time.monotonic() - started < 3

    def test_what_another_run_has_done_meanwhile_is_not_done_again(self, hands: Hands, desired: RoleState) -> None:
        with open_session() as slow, open_session() as fast:
            converge(desired, fast)
            hands.set_password(ROLE, WRONG)
            (step,) = desired.plan(desired.observe(slow))
            converge(desired, fast)
            seen = hands.server.changes()
            with pytest.raises(Conflict, match="another run was faster"):
                desired.apply(step, slow)
            assert hands.server.changes() == seen
            assert converge(desired, slow).changed == ()

    def test_another_run_that_holds_the_lock_is_waited_for(self, desired: RoleState) -> None:
        with open_session() as first, open_session(1.5) as second:
            step = desired.plan(desired.observe(first))[0]
            desired.apply(step, first)
            with pytest.raises(Unreachable, match="gave up after"):
                converge(desired, second)
            first.close()
            with open_session() as third:
                assert converge(desired, third).changed[0] == f"mark role {ROLE}: {OWNER}"
