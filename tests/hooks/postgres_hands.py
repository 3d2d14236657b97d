"""What the proofs of hooks at PostgreSQL share: an administrator's own hands, and no line of what is proven."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, LiteralString

import psycopg
import pytest
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._model.desired import Desired, Mounted, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import HookError
from psycopg import sql
from testbed.postgres import Postgres
from testbed.tools import ToolError

OWNER, ANOTHER = "cust-acme/onyx", "cust-acme/wiki"
SUPERUSER, MANAGER, PORTER, WEAK = "chief", "manager", "porter", "clerk"
"""Accounts that hooks sign in with: the server's own superuser is the one that looks past them."""
ADMIN, OLD_ADMIN, WRONG, PASSWORD, NEXT = (SecretKey("pg", name) for name in ("admin", "old", "wrong", "role", "next"))
SECRETS = {
    ADMIN: "ffed5bd2-adm'in\\1",
    OLD_ADMIN: "0ld-administrat0r",
    WRONG: "n0t-the-passw0rd",
    PASSWORD: '5fa3\'); DROP\\ROLE "x" %s {} $1 --',
    NEXT: "9a0364b9e99bb480dd25e1f0284c8555",
}


class Hands:
    """An administrator's own hands.

    Attributes:
        server: the server.
    """

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def do(self, *statements: LiteralString, database: str = "postgres") -> None:
        with self.connect(database=database) as connection:
            for statement in statements:
                connection.execute(statement)

    # Any: rows of whatever columns.
    def ask(self, query: LiteralString, *parameters: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database=database) as connection:
            return connection.execute(query, parameters).fetchall()

    def connect(
        self, user: str = "", password: str = "", database: str = "postgres"
    ) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=user or self.server.admin_user,
            password=password or self.server.admin_password,
            dbname=database,
            autocommit=True,
        )

    def takes(self, user: str, key: SecretKey, database: str = "postgres") -> bool:
        """Whether the server lets somebody in."""
        try:
            self.connect(user, SECRETS[key], database).close()
        except psycopg.OperationalError:
            return False
        return True

    def set_password(self, role: str, key: SecretKey) -> None:
        with self.connect() as connection:
            verifier = connection.pgconn.encrypt_password(SECRETS[key].encode(), b"", b"scram-sha-256").decode()
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))

    def make_anew(self, *roles: str) -> None:
        """Make roles as the manager, who may deal with those alone that it has made (PostgreSQL 16 and later)."""
        with self.connect() as connection:
            for role in roles:
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(MANAGER)))
            for role in roles:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))

    def set_up(self) -> None:
        """The accounts that hooks sign in with."""
        self.do(
            f"CREATE ROLE {SUPERUSER} SUPERUSER LOGIN",
            f"CREATE ROLE {MANAGER} CREATEROLE CREATEDB LOGIN",
            f"CREATE ROLE {PORTER} CREATEROLE LOGIN",
            f"CREATE ROLE {WEAK} LOGIN",
        )
        self.reset()

    def reset(self) -> None:
        """Give the accounts the passwords of the generation before; the weak ones have but one."""
        self.set_password(SUPERUSER, OLD_ADMIN)
        self.set_password(MANAGER, OLD_ADMIN)
        self.set_password(PORTER, ADMIN)
        self.set_password(WEAK, ADMIN)

    def as_server(
        self, user: str, current: SecretKey = ADMIN, previous: SecretKey | None = OLD_ADMIN
    ) -> PostgresServer:
        password = Mounted(current, previous)
        return PostgresServer(host=self.server.host, port=self.server.port, user=user, password=password)


def serve() -> Generator[Hands]:
    """Run a server until the module ends."""
    try:
        server = Postgres()
    except ToolError as error:
        pytest.skip(str(error))
    with server:
        hands = Hands(server)
        hands.set_up()
        yield hands


def open_session(seconds: float = 30) -> Session:
    return Session(SECRETS.__getitem__, deadline=time.monotonic() + seconds)


def error_of(desired: Desired, form: type[HookError], *, seconds: float = 30) -> str:
    """The text of the error that a run ends with; it is of exactly that class, names the server, and holds no secret."""
    with open_session(seconds) as session, pytest.raises(form) as caught:
        converge(desired, session)
    text = str(caught.value)
    assert type(caught.value) is form
    assert not any(secret in text for secret in SECRETS.values())
    return text
