"""The page about hooks that fail quotes what a real hook at a real Postgres says."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import LiteralString

import attrs
import psycopg
import pytest
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._hooks.postgres_role import RoleState
from kiwi_core._hooks.runtime import plan_tasks, raise_failed, run_tasks
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.task import Task
from kiwi_core.errors import HookError
from kiwi_core.testing._witness import Witness
from testbed.postgres import Postgres

PAGE = (Path(__file__).parent.parent.parent / "docs" / "when-a-hook-fails.md").read_text(encoding="utf-8")
PLACE = ("postgresql", 5432)
ADMIN, WRONG, CLERK, ROLE = (SecretKey("memo", name) for name in ("admin", "wrong", "clerk", "role"))


def quoted(heading: str) -> list[str]:
    """What stands as text under a heading of the page."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    return [block.rstrip("\n") for block in re.findall(r"^```text\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)]


class Forgetful(RoleState):
    """A role whose kind has a mistake."""

    def plan(self, observed: object) -> Sequence[Step]:
        raise ZeroDivisionError(observed)


@attrs.frozen
class Memo:
    """A role ``memo`` that is wanted at ``postgresql:5432``, and a server that plays that part."""

    server: Postgres

    def do(self, *statements: LiteralString) -> None:
        with psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.admin_user,
            password=self.server.admin_password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self, key: SecretKey) -> str:
        return self.secrets[key]

    @property
    def secrets(self) -> Mapping[SecretKey, str]:
        return {
            ADMIN: self.server.admin_password,
            WRONG: "mistyped-5e0b",
            CLERK: "of-the-clerk-77a1",
            ROLE: "of-the-role-09cc",
        }

    @property
    def connect_to(self) -> Mapping[tuple[str, int], tuple[str, int]]:
        return {PLACE: (self.server.host, self.server.port)}

    def wanted(self, user: str = "postgres", password: SecretKey = ADMIN) -> RoleState:
        server = PostgresServer(host=PLACE[0], port=PLACE[1], user=user, password=Mounted(password))
        return RoleState(owner="cust-acme/memo", server=server, role="memo", password=Mounted(ROLE))

    def run(self, desired: Desired, timeout: int = 30) -> None:
        tasks = [Task(hook="postgres-role-memo", timeout=timeout, desired=desired)]
        raise_failed(list(run_tasks(tasks, self.read, connect_to=self.connect_to)))

    def said(self, desired: Desired, timeout: int = 30) -> str:
        """What a user reads whose hook fails, through a tunnel from port 15432."""
        with pytest.raises(HookError) as raised:
            self.run(desired, timeout)
        return str(raised.value).replace(f"port {self.server.port} ", "port 15432 ")


@pytest.fixture
def memo(postgres: Postgres) -> Generator[Memo]:
    memo = Memo(postgres)
    yield memo
    postgres.start()
    memo.do("DROP DATABASE IF EXISTS memo", "DROP ROLE IF EXISTS memo", "DROP ROLE IF EXISTS clerk")


@pytest.mark.real_server
def test_the_server_is_down(memo: Memo) -> None:
    memo.server.stop()
    assert [memo.said(memo.wanted(), timeout=1)] == quoted("The server is down")


@pytest.mark.real_server
def test_the_password_is_wrong(memo: Memo) -> None:
    assert [memo.said(memo.wanted(password=WRONG))] == quoted("The password is wrong")


@pytest.mark.real_server
def test_a_right_is_missing(memo: Memo) -> None:
    memo.do("CREATE ROLE clerk LOGIN PASSWORD 'of-the-clerk-77a1'")
    assert [memo.said(memo.wanted("clerk", CLERK))] == quoted("A right is missing")


@pytest.mark.real_server
def test_it_is_somebody_elses(memo: Memo) -> None:
    memo.do("CREATE ROLE memo", "COMMENT ON ROLE memo IS 'kiwistack: cust-acme/wiki'")
    assert [memo.said(memo.wanted())] == quoted("It is somebody else's")


@pytest.mark.real_server
def test_it_was_killed_half_done(memo: Memo) -> None:
    witness = Witness(memo.read, changes=memo.server.changes, connect_to=memo.connect_to, patience=30)
    points = witness.account(memo.wanted()).points
    memo.do("DROP ROLE memo")
    witness.kill(memo.wanted(), next(point for point in points if point.is_after and "create role" in point.words))
    tasks = [Task(hook="postgres-role-memo", timeout=30, desired=memo.wanted())]
    (report,) = plan_tasks(tasks, memo.read, connect_to=memo.connect_to)
    assert ["\n".join(report.changed)] == quoted("It was killed half done")
    memo.run(memo.wanted())
    assert witness.outstanding(memo.wanted()) == ()


@pytest.mark.real_server
def test_nobody_wants_it_any_more(memo: Memo) -> None:
    memo.run(memo.wanted())
    memo.do("CREATE DATABASE memo OWNER memo")
    with Session(memo.read, connect_to=memo.connect_to) as session:
        (orphan,) = [each for each in memo.wanted().orphans(session, []) if each.name == "memo"]
        assert isinstance(orphan, Orphan)
        with pytest.raises(HookError) as raised:
            memo.wanted().remove(orphan, session)
    name = f"{orphan.kind}/{orphan.name}"
    assert [f"{name} at {orphan.at}, holds {orphan.holds}", str(raised.value)] == quoted("Nobody wants it any more")


@pytest.mark.real_server
def test_it_is_a_mistake_of_the_kind(memo: Memo) -> None:
    wanted = {field.name: getattr(memo.wanted(), field.name) for field in attrs.fields(RoleState)}
    assert [memo.said(Forgetful(**wanted))] == quoted("It is a mistake of the kind")


def test_every_quotation_is_compared() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert sum(len(quoted(heading)) for heading in headings) == PAGE.count("```text") == 8
