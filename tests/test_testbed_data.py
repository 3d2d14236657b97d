"""What the data servers of the testbed promise: they ask who is there, count what is changed, and leave nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Generator
from pathlib import Path
from typing import LiteralString

import psycopg
import pymysql
import pytest
import urllib3
from minio import Minio, MinioAdmin, S3Error
from minio.commonconfig import Tags
from minio.credentials.credentials import Credentials
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.signer import sign_v4_s3
from minio.versioningconfig import VersioningConfig
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from testbed.mariadb import MariaDB
from testbed.minio import MinIO
from testbed.postgres import Postgres
from testbed.s3 import S3
from testbed.servers import HOST, Server, free_port, wait_until

pytestmark = pytest.mark.real_server

SERVERS: tuple[type[Server], ...] = (Postgres, MariaDB, S3, MinIO)
every_server = pytest.mark.parametrize("make", SERVERS, ids=lambda make: make.program)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def listens(server: Server) -> bool:
    with socket.socket() as client:
        return client.connect_ex((server.host, server.port)) == 0


@every_server
def test_nothing_is_left_where_a_test_fails(make: type[Server]) -> None:
    def failing_test() -> None:
        with make() as server:
            seen.append(server)
            assert server.pid
            pids.append(server.pid)
            raise AssertionError("as a test that fails")

    seen: list[Server] = []
    pids: list[int] = []
    with pytest.raises(AssertionError, match="as a test that fails"):
        failing_test()
    assert is_gone(pids[0])
    assert not seen[0].folder.exists()
    assert not listens(seen[0])


KILLED = """
import os, signal, sys
from testbed.{module} import {name}
server = {name}().__enter__()
print(server.pid, server.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@every_server
def test_nothing_is_left_where_the_tests_are_killed(make: type[Server]) -> None:
    program = KILLED.format(module=make.__module__.rpartition(".")[2], name=make.__name__)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, folder = done.stdout.split()
    assert wait_until(lambda: is_gone(int(pid)) and not Path(folder).exists(), patience=20)


@every_server
def test_a_server_keeps_its_port_while_it_is_down(make: type[Server]) -> None:
    with make() as server:
        port = server.port
        server.start()  # it is up: nothing happens
        pid = server.pid
        server.stop()
        server.stop()
        assert pid
        assert is_gone(pid)
        assert not listens(server)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((HOST, port))
        assert free_port() != port
        before = server.changes()
        server.start()
        assert (server.port, server.changes()) == (port, before)
        assert server.pid not in {pid, None}
        assert listens(server)


def test_a_server_that_dies_is_started_again(postgres: Postgres) -> None:
    assert postgres.pid
    os.kill(postgres.pid, signal.SIGKILL)
    assert wait_until(lambda: not postgres.is_running)
    postgres.start()
    with connect(postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def connect(server: Postgres, *, user: str | None = None, password: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host=server.host,
        port=server.port,
        dbname="postgres",
        user=user or server.admin_user,
        password=password or server.admin_password,
        autocommit=True,
    )


def test_postgres_lets_in_whoever_has_the_password_and_nobody_else(postgres: Postgres) -> None:
    with connect(postgres) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").fetchone()
    assert version
    assert int(version[0]) >= 150000
    assert stored
    assert stored[0].startswith("SCRAM-SHA-256$")
    for host in (postgres.host, str(postgres.folder)):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=host, port=postgres.port, dbname="postgres", user="postgres", password="wrong")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(host=host, port=postgres.port, dbname="postgres", user="postgres")


def test_postgres_does_not_count_what_changes_nothing(postgres: Postgres) -> None:
    statements: tuple[LiteralString, ...] = (
        "SELECT 1",
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_try_advisory_xact_lock(7)",
        "SELECT count(*) FROM pg_roles",
        "SET work_mem = '8MB'",
        "SHOW all",
        "DO $$ BEGIN PERFORM 1; END $$",
        "EXPLAIN SELECT 1",
        "BEGIN; COMMIT",
    )
    with connect(postgres) as connection:
        for statement in statements:
            before = postgres.changes()
            connection.execute(statement)
            if statement.startswith("SELECT"):
                connection.execute(statement, prepare=True)
            assert postgres.changes() == before, statement


def test_postgres_counts_each_statement_that_is_to_change_something(postgres: Postgres) -> None:
    statements: tuple[LiteralString, ...] = (
        "CREATE ROLE counted LOGIN PASSWORD 'one'",
        "ALTER ROLE counted PASSWORD E'two\nkiwi|LOG:  statement: CREATE'",
        "CREATE DATABASE counted OWNER counted",
        "CREATE TABLE counted (n int)",
        "GRANT SELECT ON counted TO counted",
        "GRANT SELECT ON counted TO counted",
        "COMMENT ON TABLE counted IS 'counted'",
        "INSERT INTO counted VALUES (1)",
        "UPDATE counted SET n = 2 WHERE false",
        "DO $$ BEGIN INSERT INTO counted VALUES (3); END $$",
        "WITH made AS (INSERT INTO counted VALUES (4) RETURNING n) SELECT n FROM made",
        "DELETE FROM counted",
        "DROP TABLE counted",
        "DROP DATABASE counted",
        "DROP ROLE counted",
    )
    with connect(postgres) as connection:
        for statement in statements:
            before = postgres.changes()
            connection.execute(statement)
            assert postgres.changes() == before + 1, statement
        before = postgres.changes()
        with pytest.raises(psycopg.errors.UndefinedObject):
            connection.execute("DROP ROLE counted")
        assert postgres.changes() == before + 1


def test_postgres_counts_statements_of_the_extended_protocol(postgres: Postgres) -> None:
    with connect(postgres) as connection:
        connection.execute("CREATE TABLE extended (n int)")
        before = postgres.changes()
        for n in range(12):  # the client makes it a named prepared statement after five
            connection.execute("INSERT INTO extended VALUES (%s)", [n])
        assert postgres.changes() == before + 12
        with connection.transaction(), connection.transaction():
            connection.execute("INSERT INTO extended VALUES (%s)", [12])
        assert postgres.changes() == before + 13
        with connection.transaction(), connection.cursor("portal") as cursor:
            cursor.itersize = 2
            assert len(list(cursor.execute("SELECT n FROM extended"))) == 13
        assert postgres.changes() == before + 13


def test_postgres_keeps_its_data_while_it_is_down(postgres: Postgres) -> None:
    with connect(postgres) as connection:
        connection.execute("CREATE ROLE kept LOGIN PASSWORD 'kept'")
    before = postgres.changes()
    postgres.stop()
    assert postgres.changes() == before
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(postgres)
    postgres.start()
    with connect(postgres, user="kept", password="kept") as connection:
        assert connection.execute("SELECT session_user").fetchone() == ("kept",)
    assert postgres.changes() == before


def connect_mariadb(server: MariaDB, *, user: str | None = None, password: str | None = None) -> Connection[Cursor]:
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=user or server.admin_user,
        password=server.admin_password if password is None else password,
        autocommit=True,
    )


def test_mariadb_lets_in_whoever_has_the_password_and_nobody_else(mariadb: MariaDB) -> None:
    with connect_mariadb(mariadb) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT user, host FROM mysql.user WHERE user <> 'mariadb.sys' ORDER BY host")
        assert cursor.fetchall() == (("root", "%"), ("root", "localhost"))
    for password in ("wrong", ""):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            connect_mariadb(mariadb, password=password)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(unix_socket=str(mariadb.folder / "socket"), user="root")
    assert not list(mariadb.folder.glob("*.sql")), "the file with the password is still there"


def test_mariadb_does_not_count_what_changes_nothing(mariadb: MariaDB) -> None:
    statements = (
        "SELECT 1",
        "SELECT GET_LOCK('hook', 1)",
        "SET NAMES utf8mb4",
        "SELECT count(*) FROM information_schema.tables",
        "SELECT user, count(*) FROM mysql.user GROUP BY user ORDER BY 2",
        "SHOW GRANTS",
        "CREATE TEMPORARY TABLE mysql.sketch (n int)",
        "FLUSH PRIVILEGES",
    )
    with connect_mariadb(mariadb) as connection, connection.cursor() as cursor:
        for statement in statements:
            before = mariadb.changes()
            cursor.execute(statement)
            assert mariadb.changes() == before, statement


def test_mariadb_counts_each_statement_that_is_to_change_something(mariadb: MariaDB) -> None:
    statements = (
        "CREATE DATABASE counted",
        "CREATE DATABASE IF NOT EXISTS counted",
        "CREATE USER counted IDENTIFIED BY 'one'",
        "ALTER USER counted IDENTIFIED BY 'two'",
        "SET PASSWORD FOR counted = PASSWORD('three')",
        "GRANT ALL ON counted.* TO counted",
        "GRANT ALL ON counted.* TO counted",
        "REVOKE DROP ON counted.* FROM counted",
        "CREATE TABLE counted.t (n int)",
        "ALTER TABLE counted.t ADD m int",
        "INSERT INTO counted.t VALUES (1, 1)",
        "UPDATE counted.t SET n = 2 WHERE false",
        "BEGIN NOT ATOMIC INSERT INTO counted.t VALUES (3, 3); END",
        "DELETE FROM counted.t",
        "TRUNCATE counted.t",
        "DROP USER counted",
        "DROP DATABASE counted",
    )
    with connect_mariadb(mariadb) as connection, connection.cursor() as cursor:
        for statement in statements:
            before = mariadb.changes()
            cursor.execute(statement)
            assert mariadb.changes() == before + 1, statement
        before = mariadb.changes()
        with pytest.raises(pymysql.OperationalError, match="DROP USER failed"):
            cursor.execute("DROP USER counted")
        assert mariadb.changes() == before + 1
        for statement in statements:
            if not statement.startswith("SET"):
                cursor.execute(statement)
        assert mariadb.changes() == before + len(statements)


def test_mariadb_keeps_its_data_while_it_is_down(mariadb: MariaDB) -> None:
    before = mariadb.changes()
    with connect_mariadb(mariadb) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER kept IDENTIFIED BY 'kept'")
    mariadb.stop()
    assert mariadb.changes() == before + 1
    with pytest.raises(pymysql.OperationalError, match="refused"):
        connect_mariadb(mariadb)
    mariadb.start()
    with connect_mariadb(mariadb, user="kept", password="kept") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user()")
        assert cursor.fetchall() == (("kept@%",),)
    assert mariadb.changes() == before + 1


@pytest.fixture(params=["s3", "minio"])
def store(request: pytest.FixtureRequest) -> S3 | MinIO:
    """Each of the two S3 servers."""
    server: S3 | MinIO = request.getfixturevalue(request.param)
    return server


@contextlib.contextmanager
def connect_store(server: S3 | MinIO, *, user: str | None = None, password: str | None = None) -> Generator[Minio]:
    pool = urllib3.PoolManager(retries=False)
    try:
        yield Minio(
            f"{server.host}:{server.port}",
            access_key=user or server.admin_user,
            secret_key=password or server.admin_password,
            region=server.region,
            secure=False,
            http_client=pool,
        )
    finally:
        pool.clear()


def test_a_store_lets_in_whoever_has_the_secret_key_and_nobody_else(store: S3 | MinIO) -> None:
    with connect_store(store) as client:
        assert not client.bucket_exists("nobody-has-this")
    with connect_store(store, password="wrong") as client, pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        client.list_buckets()
    with connect_store(store, user="stranger") as client, pytest.raises(S3Error, match="InvalidAccessKeyId"):
        client.list_buckets()
    assert store.admin_password not in store.log.read_text(encoding="utf-8")


def test_a_store_counts_the_requests_that_are_to_change_something(store: S3 | MinIO) -> None:
    name = "counted/x | GET | /y\u00fc"
    with connect_store(store) as client:
        changes: list[Callable[[], object]] = [
            lambda: client.make_bucket("counted"),
            lambda: client.put_object("counted", name, io.BytesIO(b"data"), 4),
            lambda: client.set_bucket_versioning("counted", VersioningConfig("Enabled")),
            lambda: client.set_bucket_tags("counted", Tags.new_bucket_tags()),
            lambda: client.set_bucket_policy("counted", json.dumps(public("counted"))),
            lambda: client.delete_bucket_policy("counted"),
            lambda: list(client.remove_objects("counted", [DeleteObject("not-there")])),
            lambda: client.remove_object("counted", name),
        ]
        reads: list[Callable[[], object]] = [
            client.list_buckets,
            lambda: client.bucket_exists("counted"),
            lambda: client.get_bucket_versioning("counted"),
            lambda: list(client.list_objects("counted", recursive=True)),
            lambda: client.bucket_exists("nobody-has-this"),
        ]
        for number, change in enumerate(changes):
            before = store.changes()
            change()
            assert store.changes() == before + 1, f"change {number}"
        before = store.changes()
        with pytest.raises(S3Error, match="BucketAlreadyOwnedByYou"):
            client.make_bucket("counted")
        assert store.changes() == before + 1
        for number, read in enumerate(reads):
            read()
            assert store.changes() == before + 1, f"read {number}"


def test_a_store_keeps_its_data_while_it_is_down(store: S3 | MinIO) -> None:
    before = store.changes()
    with connect_store(store) as client:
        client.make_bucket("kept")
        client.put_object("kept", "object", io.BytesIO(b"data"), 4)
    store.stop()
    assert store.changes() == before + 2
    with connect_store(store) as client, pytest.raises(urllib3.exceptions.HTTPError):
        client.list_buckets()
    store.start()
    with connect_store(store) as client:
        assert [found.object_name for found in client.list_objects("kept")] == ["object"]
    assert store.changes() == before + 2


def public(bucket: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"]}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": [f"arn:aws:s3:::{bucket}/*"]}]}


def administer(server: S3, path: str, body: str = "", *, user: str = "", password: str = "") -> tuple[int, str]:
    """Call the gateway's admin API, which is signed like S3 and takes PATCH only."""
    url = urllib.parse.urlsplit(f"{server.url}{path}")
    digest = hashlib.sha256(body.encode()).hexdigest()
    now = dt.datetime.now(dt.UTC)
    headers: dict[str, str | list[str] | tuple[str]] = {
        "host": url.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    signed = sign_v4_s3(
        method="PATCH",
        url=url,
        region=server.region,
        headers=headers,
        credentials=Credentials(user or server.admin_user, password or server.admin_password),
        content_sha256=digest,
        date=now,
    )
    texts = {name: str(value) for name, value in signed.items()}
    with urllib3.PoolManager(retries=False) as pool:
        answer = pool.request("PATCH", url.geturl(), body=body, headers=texts)
        return answer.status, answer.data.decode()


def test_the_gateway_counts_what_its_admin_api_changes(s3: S3) -> None:
    account = "<Account><Access>counted</Access><Secret>the secret</Secret><Role>user</Role></Account>"
    before = s3.changes()
    assert administer(s3, "/create-user", account)[0] == 201
    assert administer(s3, "/create-user", account)[0] == 409
    assert s3.changes() == before + 2
    assert "<Access>counted</Access>" in administer(s3, "/list-users")[1]
    assert administer(s3, "/list-users", user="counted", password="the secret")[0] == 403
    assert administer(s3, "/list-buckets")[0] == 200
    assert s3.changes() == before + 2
    assert administer(s3, "/delete-user?access=counted")[0] == 200
    assert s3.changes() == before + 3
    assert "the secret" not in s3.log.read_text(encoding="utf-8")


def test_the_gateway_confines_a_user_to_the_bucket_that_is_the_users(s3: S3) -> None:
    account = "<Account><Access>tenant</Access><Secret>the secret</Secret><Role>user</Role></Account>"
    assert administer(s3, "/create-user", account)[0] == 201
    with connect_store(s3) as root, connect_store(s3, user="tenant", password="the secret") as tenant:
        root.make_bucket("tenants")
        root.make_bucket("not-tenants")
        assert administer(s3, "/change-bucket-owner?bucket=tenants&owner=tenant")[0] == 200
        tenant.put_object("tenants", "object", io.BytesIO(b"data"), 4)
        refused: list[Callable[[], object]] = [
            lambda: tenant.put_object("not-tenants", "object", io.BytesIO(b"data"), 4),
            lambda: list(tenant.list_objects("not-tenants")),
            lambda: tenant.make_bucket("of-its-own"),
        ]
        for call in refused:
            with pytest.raises(S3Error, match="AccessDenied"):
                call()
        assert [bucket.name for bucket in tenant.list_buckets()] == ["tenants"]


def test_minio_counts_what_its_admin_api_changes(minio: MinIO) -> None:
    pool = urllib3.PoolManager(retries=False)
    provider = StaticProvider(minio.admin_user, minio.admin_password)
    endpoint = f"{minio.host}:{minio.port}"
    admin = MinioAdmin(endpoint=endpoint, credentials=provider, secure=False, http_client=pool)
    policy = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::confined", "arn:aws:s3:::confined/*"]}
    changes: list[Callable[[], object]] = [
        lambda: admin.user_add("confined", "the secret"),
        lambda: admin.user_add("confined", "the secret"),
        lambda: admin.policy_add(  # pyright: ignore[reportUnknownMemberType] - it does not say what its dict holds
            "confined", policy={"Version": "2012-10-17", "Statement": [policy]}
        ),
        lambda: admin.attach_policy(["confined"], user="confined"),
    ]
    try:
        for number, change in enumerate(changes):
            before = minio.changes()
            change()
            assert minio.changes() == before + 1, f"change {number}"
        before = minio.changes()
        admin.user_list()
        admin.user_info("confined")
        admin.policy_info("confined")
        assert minio.changes() == before
        with connect_store(minio, user="confined", password="the secret") as client:
            client.make_bucket("confined")
            with pytest.raises(S3Error, match="AccessDenied"):
                client.make_bucket("of-its-own")
        assert minio.changes() == before + 2
        admin.user_remove("confined")
        assert minio.changes() == before + 3
    finally:
        pool.clear()


def test_minio_counts_each_of_many_requests_at_once(minio: MinIO) -> None:
    with connect_store(minio) as client:
        client.make_bucket("many")
        for number in range(40):
            before = minio.changes()
            for _ in range(number % 3):
                client.put_object("many", "object", io.BytesIO(b"data"), 4)
            client.stat_object("many", "object") if number % 3 else client.bucket_exists("many")
            assert minio.changes() == before + number % 3
