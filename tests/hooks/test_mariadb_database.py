"""Databases and their users in a real MariaDB."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, LiteralString

import attrs
import pymysql
import pytest
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.mariadb_client import refuse_unfit
from kiwi_core._hooks.mariadb_parts import MariadbServer, native_hash
from kiwi_core._hooks.mariadb_state import MariadbDatabaseState
from kiwi_core._model.desired import Desired, Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Forbidden, HookError, Unreachable
from kiwi_core.testing import HookProofs, Rotated
from testbed.mariadb import MariaDB
from testbed.tools import ToolError

OWNER, ANOTHER = "cust-acme/onyx", "cust-acme/wiki"
DATABASE, OTHER, USER, OTHER_USER = "onyx_db", "more-db", "onyx-user", "more-user"
ADMINISTRATOR, WEAK = "chief", "clerk"
ADMIN, OLD_ADMIN, WRONG, PASSWORD, NEXT = (SecretKey("my", name) for name in ("admin", "old", "wrong", "user", "next"))
SECRETS = {
    ADMIN: "ffed5bd2-adm'in\\1",
    OLD_ADMIN: "0ld-administrat0r",
    WRONG: "n0t-the-passw0rd",
    PASSWORD: '5fa3\'); DROP\\USER "x" %s {} `pässwörd 🥝',
    NEXT: "9a0364b9e99bb480dd25e1f0284c8555",
}


class Hands:
    """An administrator's own hands."""

    def __init__(self, server: MariaDB) -> None:
        self.server = server

    # Any: the class of its cursors.
    def connect(self, user: str = "", password: str = "", database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self.server.host,
            port=self.server.port,
            user=user or self.server.admin_user,
            password=(password or self.server.admin_password).encode(),
            database=database,
            autocommit=True,
            ssl_disabled=True,  # a context for each connection costs more than all that is asked through it
        )

    def do(self, *statements: LiteralString) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def ask(self, query: LiteralString) -> list[tuple[object, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def takes(self, user: str, key: SecretKey, database: str | None = None) -> bool:
        try:
            self.connect(user, SECRETS[key], database).close()
        except pymysql.OperationalError:
            return False
        return True

    def set_password(self, user: str, key: SecretKey, host: str = "%") -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY PASSWORD %s", (user, host, native_hash(SECRETS[key])))

    def set_up(self) -> None:
        self.do(
            f"CREATE USER {ADMINISTRATOR}@'%', {ADMINISTRATOR}@localhost, {WEAK}@'%'",
            f"GRANT ALL ON *.* TO {ADMINISTRATOR}@'%' WITH GRANT OPTION",
            f"GRANT SELECT ON mysql.* TO {WEAK}@'%'",
            f"GRANT ALL ON `onyx\\_db`.* TO {WEAK}@'%' WITH GRANT OPTION",
        )
        self.reset()

    def reset(self) -> None:
        """From nothing."""
        self.do(
            f"DROP DATABASE IF EXISTS `{DATABASE}`",
            f"DROP DATABASE IF EXISTS `{OTHER}`",
            f"DROP USER IF EXISTS `{USER}`@'%', `{OTHER_USER}`@'%'",
        )
        for host in ("%", "localhost"):
            self.set_password(ADMINISTRATOR, OLD_ADMIN, host)
        self.set_password(WEAK, ADMIN)

    def as_server(self, user: str, current: SecretKey = ADMIN, previous: SecretKey | None = OLD_ADMIN) -> MariadbServer:
        password = Mounted(current, previous)
        return MariadbServer(host=self.server.host, port=self.server.port, user=user, password=password)


@pytest.fixture(scope="module")
def hands() -> Generator[Hands]:
    try:
        server = MariaDB()
    except ToolError as error:
        pytest.skip(str(error))
    with server:
        hands = Hands(server)
        hands.set_up()
        yield hands


@pytest.mark.real_server
class TestDatabase(HookProofs):
    missing = "CREATE USER"

    @pytest.fixture(autouse=True)
    def _server(self, hands: Hands) -> None:
        self.hands = hands

    def server(self) -> MariaDB:
        return self.hands.server

    def desired(self) -> MariadbDatabaseState:
        return MariadbDatabaseState(
            owner=OWNER,
            server=self.hands.as_server(ADMINISTRATOR),
            database=DATABASE,
            user=USER,
            password=Mounted(PASSWORD),
            collation="utf8mb4_bin",
        )

    def read(self, key: SecretKey) -> str:
        return SECRETS[key]

    def clean(self) -> None:
        self.hands.reset()

    def state(self) -> object:
        databases = self.hands.ask(
            "SELECT default_character_set_name, default_collation_name, schema_comment "
            f"FROM information_schema.schemata WHERE schema_name = '{DATABASE}'"
        )
        grants = self.hands.ask(f"SHOW GRANTS FOR `{USER}`@'%'")
        hosts = self.hands.ask(
            "SELECT Host, JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv "
            f"WHERE User = '{ADMINISTRATOR}' ORDER BY 1"
        )
        admins = [(host, [kept == native_hash(SECRETS[key]) for key in (ADMIN, OLD_ADMIN)]) for host, kept in hosts]
        with self.hands.connect(USER, SECRETS[PASSWORD], DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE mine (id int)")
            cursor.execute("DROP TABLE mine")
        # The grants show the hash, which the password gives; whoever reads a failed proof need not see it.
        shown = [str(row).replace(native_hash(SECRETS[PASSWORD]), "*…") for (row,) in grants]
        return databases, shown, admins, self.hands.takes(USER, WRONG), self.hands.takes(ADMINISTRATOR, ADMIN)

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {
            "administrator": lambda: self.hands.set_password(ADMINISTRATOR, OLD_ADMIN),
            "is_there": lambda: self.hands.do(f"DROP DATABASE {DATABASE}"),
            "mark": lambda: self.hands.do(f"ALTER DATABASE {DATABASE} COMMENT ''"),
            "collation": lambda: self.hands.do(f"ALTER DATABASE {DATABASE} CHARACTER SET latin1"),
            "user": lambda: self.hands.do(f"DROP USER `{USER}`@'%'"),
            "password": lambda: self.hands.set_password(USER, WRONG),
            "is_open": lambda: self.hands.do(f"ALTER USER `{USER}`@'%' ACCOUNT LOCK"),
            "rights": lambda: self.hands.do(f"REVOKE DELETE, EVENT ON `onyx\\_db`.* FROM `{USER}`@'%'"),
        }

    def wrong_account(self) -> MariadbDatabaseState:
        return attrs.evolve(self.desired(), server=self.hands.as_server(ADMINISTRATOR, WRONG, None))

    def weak_account(self) -> MariadbDatabaseState:
        return attrs.evolve(self.desired(), server=self.hands.as_server(WEAK))

    def rotations(self) -> Mapping[str, Rotated]:
        def works(user: str, new: SecretKey, old: SecretKey) -> Callable[[], object]:
            def look() -> object:
                found = self.hands.takes(user, new), self.hands.takes(user, old)
                assert found == (True, False)
                # Of all its accounts: nobody can sign in here as the one of localhost.
                query: LiteralString = "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv"
                kept = {row[0] for row in self.hands.ask(f"{query} WHERE User IN ('{ADMINISTRATOR}')")}
                assert user != ADMINISTRATOR or kept == {native_hash(SECRETS[new])}
                return found

            return look

        wanted = attrs.evolve(self.desired(), server=self.hands.as_server(ADMINISTRATOR, OLD_ADMIN, None))
        return {
            "live": Rotated(
                before=wanted, after=attrs.evolve(wanted, password=Mounted(NEXT)), works=works(USER, NEXT, PASSWORD)
            ),
            "init": Rotated(before=wanted, after=self.desired(), works=works(ADMINISTRATOR, ADMIN, OLD_ADMIN)),
        }

    def other(self) -> MariadbDatabaseState:
        return attrs.evolve(self.desired(), database=OTHER, user=OTHER_USER)

    def taken(self) -> str:
        self.hands.do(f"CREATE DATABASE {DATABASE} COMMENT 'kiwistack: {ANOTHER}'")
        return ANOTHER


def open_session(seconds: float = 30) -> Session:
    return Session(SECRETS.__getitem__, deadline=time.monotonic() + seconds)


def error_of(desired: Desired, form: type[HookError], *, seconds: float = 30) -> str:
    """The text of the error that a run ends with; it is of exactly that class, and holds no secret."""
    with open_session(seconds) as session, pytest.raises(form) as caught:
        converge(desired, session)
    text = str(caught.value)
    assert type(caught.value) is form
    assert not any(secret in text for secret in SECRETS.values())
    return text


@pytest.fixture
def desired(hands: Hands) -> MariadbDatabaseState:
    """From nothing."""
    hands.reset()
    return MariadbDatabaseState(
        owner=OWNER,
        server=hands.as_server(ADMINISTRATOR, OLD_ADMIN, None),
        database=DATABASE,
        user=USER,
        password=Mounted(PASSWORD),
    )


@pytest.mark.real_server
class TestWhatItFinds:
    def test_no_log_of_the_server_holds_a_password(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        hands.do("SET GLOBAL general_log_file = 'statements.log'", "SET GLOBAL general_log = ON")
        wanted = attrs.evolve(desired, server=hands.as_server(ADMINISTRATOR))
        with open_session() as session:
            converge(wanted, session)
            converge(attrs.evolve(wanted, password=Mounted(NEXT)), session)
        error_of(attrs.evolve(desired, user=OTHER_USER, server=hands.as_server(WEAK, ADMIN, None)), Forbidden)
        hands.do("SET GLOBAL general_log = OFF")
        logs = [hands.server.folder / "data" / "statements.log", hands.server.log]
        logged = "".join(log.read_text(encoding="utf-8") for log in logs)
        assert "SET PASSWORD FOR" in logged
        assert "CREATE USER" in logged
        assert "ALTER USER" in logged
        escaped = {
            key: value.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"') for key, value in SECRETS.items()
        }
        assert not [key for key, value in SECRETS.items() if value in logged or escaped[key] in logged]

    def test_one_that_is_there_is_taken_over_with_all_it_holds(
        self, hands: Hands, desired: MariadbDatabaseState
    ) -> None:
        hands.do(
            f"CREATE DATABASE {DATABASE} CHARACTER SET latin1 COMMENT 'of the DBA'",
            f"CREATE TABLE {DATABASE}.kept (id int)",
            f"INSERT INTO {DATABASE}.kept VALUES (1)",
            f"CREATE USER `{USER}`@'%' IDENTIFIED BY 'x'",
        )
        with open_session() as session:
            assert converge(desired, session).changed == (
                f"mark database {DATABASE}: {OWNER}",
                f"alter database {DATABASE}: utf8mb4",
                f"set password {USER}",
                f"grant {USER}: everything in {DATABASE}",
            )
        assert hands.ask(f"SELECT id FROM {DATABASE}.kept") == [(1,)]
        query: LiteralString = "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = "
        assert hands.ask(f"{query}'{DATABASE}'") == [(f"of the DBA\nkiwistack: {OWNER}",)]

    def test_a_name_is_no_pattern(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        """In a GRANT, ``_`` would stand for any character."""
        hands.do("CREATE DATABASE IF NOT EXISTS `onyxXdb`")
        with open_session() as session:
            converge(desired, session)
        assert hands.takes(USER, PASSWORD, DATABASE)
        assert not hands.takes(USER, PASSWORD, "onyxXdb")
        hands.do("DROP DATABASE `onyxXdb`")

    def test_a_user_of_anothers_database_is_left_alone(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        hands.do(
            f"CREATE DATABASE `{OTHER}` COMMENT 'kiwistack: {ANOTHER}'",
            f"GRANT ALL ON `{OTHER}`.* TO `{USER}`@'%' IDENTIFIED BY 'x'",
        )
        seen = hands.server.changes()
        text = error_of(desired, HookError)
        assert f"user {USER} at {desired.server.at} has rights in database {OTHER}, which is {ANOTHER}'s" in text
        assert hands.server.changes() == seen

    def test_who_may_something_everywhere_is_left_alone(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        hands.do(f"GRANT SELECT ON *.* TO `{USER}`@'%' IDENTIFIED BY 'x'")
        seen = hands.server.changes()
        assert "has rights in all databases" in error_of(desired, HookError)
        assert hands.server.changes() == seen

    def test_another_way_in_and_an_expired_password_are_mended(
        self, hands: Hands, desired: MariadbDatabaseState
    ) -> None:
        with open_session() as session:
            converge(desired, session)
            kept = native_hash(SECRETS[PASSWORD])
            with hands.connect() as connection, connection.cursor() as cursor:
                how: LiteralString = "ALTER USER %s@'%%' IDENTIFIED VIA mysql_native_password USING %s OR unix_socket"
                cursor.execute(how, (USER, kept))
            assert converge(desired, session).changed == (f"set password {USER}",)
            hands.do(f"ALTER USER `{USER}`@'%' PASSWORD EXPIRE")
            assert converge(desired, session).changed == (f"set password {USER}",)
            assert converge(desired, session).changed == ()

    def test_an_account_for_fewer_hosts_comes_before_it_and_is_told(
        self, hands: Hands, desired: MariadbDatabaseState
    ) -> None:
        hands.do(f"CREATE USER `{USER}`@'127.0.0.1' IDENTIFIED BY 'x'")
        try:
            assert f"an account '{USER}' for fewer hosts" in error_of(desired, HookError)
        finally:
            hands.do(f"DROP USER `{USER}`@'127.0.0.1'")

    def test_an_administrator_who_may_not_look_is_told(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        hands.do("CREATE USER blind@'%'", "GRANT ALL ON `onyx\\_db`.* TO blind@'%' WITH GRANT OPTION")
        hands.set_password("blind", ADMIN)
        try:
            text = error_of(attrs.evolve(desired, server=hands.as_server("blind", ADMIN, None)), Forbidden)
            assert "blind lacks SELECT on the database mysql" in text
        finally:
            hands.do("DROP USER blind@'%'")

    def test_an_empty_password_is_told(self, desired: MariadbDatabaseState) -> None:
        with Session({**SECRETS, OLD_ADMIN: ""}.__getitem__) as session, pytest.raises(HookError, match="is empty"):
            converge(desired, session)


@pytest.mark.real_server
class TestRemoval:
    def test_it_says_what_would_be_lost_and_takes_its_users_along(
        self, hands: Hands, desired: MariadbDatabaseState
    ) -> None:
        shared = attrs.evolve(desired, database=OTHER)
        with open_session() as session:
            converge(desired, session)
            (empty,) = desired.orphans(session, ())
            assert empty.holds == ""
            hands.do(f"CREATE TABLE {DATABASE}.a (id int)", f"CREATE TABLE {DATABASE}.b (id int)")
            (orphan,) = desired.orphans(session, ())
            assert orphan.holds == "2 tables, 32 kB"
            with (
                hands.connect(USER, SECRETS[PASSWORD], DATABASE),
                pytest.raises(HookError, match="in use by 1 sessions"),
            ):
                desired.remove(orphan, session)
            converge(shared, session)
            desired.remove(orphan, session)
            assert hands.takes(USER, PASSWORD, OTHER)
            assert hands.ask(f"SELECT Db FROM mysql.db WHERE User = '{USER}'") == [(OTHER,)]
            (rest,) = desired.orphans(session, ())
            shared.remove(rest, session)
            assert not hands.takes(USER, PASSWORD)
            kept = hands.ask(f"SELECT Select_priv FROM mysql.db WHERE User = '{WEAK}' AND Db LIKE 'onyx%'")
            assert kept == [("Y",)], "an account that no hook has made lost its rights"
            assert desired.orphans(session, ()) == []


@pytest.mark.real_server
class TestWhatGoesWrong:
    def test_another_run_that_holds_the_lock_is_waited_for(
        self, desired: MariadbDatabaseState, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kiwi_core._hooks.mariadb_client.LONGEST_LOCK", 1)
        with open_session() as first:
            desired.apply(desired.plan(desired.observe(first))[0], first)
            text = error_of(desired, Unreachable, seconds=1)
            assert "gave up after" in text
            assert "another run is at it" in text
            first.close()
            with open_session() as third:
                assert converge(desired, third).changed[0] == f"create user {USER}"

    def test_a_server_that_is_there_and_does_not_answer_is_given_up(
        self, hands: Hands, desired: MariadbDatabaseState
    ) -> None:
        assert hands.server.pid
        os.kill(hands.server.pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            error_of(desired, Unreachable, seconds=1)
        finally:
            os.kill(hands.server.pid, signal.SIGCONT)
        assert 0.5 < time.monotonic() - started < 4

    def test_a_session_that_was_cut_off_is_opened_anew(self, hands: Hands, desired: MariadbDatabaseState) -> None:
        with open_session() as session:
            converge(desired, session)
            query: LiteralString = "SELECT id FROM information_schema.processlist WHERE user = "
            for (number,) in hands.ask(f"{query}'{ADMINISTRATOR}'"):
                with hands.connect() as connection, connection.cursor() as cursor:
                    cursor.execute("KILL %s", (number,))
            assert converge(desired, session, pause=lambda _: None).changed == ()


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog"])
def test_no_password_is_sent_in_the_clear(plugin: bytes) -> None:
    """A server that is none asks for the password, and hears nothing."""
    heard: list[bytes] = []

    def packet(number: int, data: bytes) -> bytes:
        return struct.pack("<I", len(data))[:3] + bytes([number]) + data

    def serve(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.settimeout(5)
            # Protocol 10, version, thread, salt, capabilities without TLS (4.1, secure connection, plugins), utf8mb4.
            hello = b"\x0a10.11.0-MariaDB\0" + struct.pack("<I", 1) + b"saltsalt\0" + struct.pack("<H", 0x8200)
            hello += (
                b"\x2d" + struct.pack("<HHB", 2, 0x0008, 21) + b"\0" * 10 + b"saltsaltsalt\0mysql_native_password\0"
            )
            accepted.sendall(packet(0, hello))
            accepted.recv(4096)
            ask = b"Password: " if plugin == b"dialog" else b""
            accepted.sendall(packet(2, b"\xfe" + plugin + b"\0" + (b"\x03" + ask if ask else b"")))
            heard.append(accepted.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        host, port = listening.getsockname()
        server = MariadbServer(host=host, port=port, user="root", password=Mounted(ADMIN))
        desired = MariadbDatabaseState(server=server, database=DATABASE, user=USER, password=Mounted(PASSWORD))
        text = error_of(desired, HookError, seconds=5)
        thread.join()
    assert "root was asked for the password in the clear" in text
    assert heard == [b""]


@pytest.mark.parametrize("version", ["10.5.0-MariaDB", "5.5.5-10.11.19-MariaDB-0+deb12u1", "11.4.2-MariaDB-ubu2404"])
def test_a_server_of_today_will_do(version: str) -> None:
    refuse_unfit("db:3306", version)


@pytest.mark.parametrize("version", ["8.4.2", "5.5.5-10.4.34-MariaDB", "5.7.44-log", ""])
def test_mysql_and_old_servers_are_refused(version: str) -> None:
    with pytest.raises(HookError, match=r"db:3306 is a server of version .*\n.* needs MariaDB 10.5 or later"):
        refuse_unfit("db:3306", version)
