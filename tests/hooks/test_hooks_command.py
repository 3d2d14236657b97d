"""``kiwistack hooks`` for the example tenant, on real servers with the passwords that its seed gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from hooks.tenant import ROOT, SEED, Servers, serve
from testbed.keycloak import Keycloak

pytestmark = pytest.mark.real_server

HOOKS = (
    "schema-onyxbackend",
    "postgres-role-onyx",
    "postgres-role-reader",
    "postgres-database-onyx",
    "s3-bucket-onyx-files",
    "oidc-client-onyx",
)


@pytest.fixture(scope="module")
def servers(keycloak: Keycloak) -> Generator[Servers]:
    with serve(keycloak) as found:
        yield found


def drop_role(servers: Servers) -> None:
    with psycopg.connect(
        host=servers.postgres.host,
        port=servers.postgres.port,
        user="postgres",
        password=servers.postgres.admin_password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute("ALTER DATABASE onyx OWNER TO postgres")
        connection.execute("DROP OWNED BY onyx")
        connection.execute("DROP ROLE onyx")


def told(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiwi_core", "hooks", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_from_nothing_to_converged_and_healed(servers: Servers) -> None:
    planned = {row["hook"]: row for row in servers.reports("plan", "--only", "onyx-pre")}
    assert list(planned) == list(HOOKS)
    assert planned["postgres-role-onyx"]["changed"]
    assert "role onyx, which is to own it, is not there" in planned["postgres-database-onyx"]["waits_for"][0]
    first = servers.reports("run")
    assert [row["hook"] for row in first] == list(HOOKS)
    assert all(row["changed"] for row in first if row["hook"] != "schema-onyxbackend")
    changes = servers.changes()
    again = servers.reports("run")
    assert [row["changed"] for row in again] == [[]] * len(HOOKS)
    assert servers.changes() == changes
    drop_role(servers)
    healed = {row["hook"]: row["changed"] for row in servers.reports("run")}
    assert healed["postgres-role-onyx"]
    assert healed["s3-bucket-onyx-files"] == []
    assert [row["changed"] for row in servers.reports("plan")] == [[]] * len(HOOKS)


def test_what_is_printed_is_for_people_and_holds_no_secret(servers: Servers) -> None:
    servers.reports("run")
    done = servers.hooks("run")
    assert done.returncode == 0
    assert "role onyx" in done.stdout
    assert "unchanged" in done.stdout
    for secret in (SEED, servers.postgres.admin_password, servers.minio.admin_password):
        assert secret not in done.stdout + done.stderr


def test_a_wrong_seed_changes_nothing_and_says_which_account(servers: Servers) -> None:
    changes = servers.changes()
    done = servers.hooks("run", seed="Another" + SEED)
    assert done.returncode == 3
    assert "hook schema-onyxbackend" in done.stderr
    assert "postgres could not sign in" in done.stderr
    assert "Traceback" not in done.stderr
    assert servers.changes() == changes


def test_nothing_is_an_orphan_and_an_unknown_name_is_told(servers: Servers) -> None:
    servers.reports("run")
    done = servers.hooks("orphans", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"orphans": [], "removed": []})
    done = servers.hooks("orphans", "--remove", "postgres-role/gone")
    assert done.returncode == 2
    assert "there is no orphan 'postgres-role/gone'" in done.stderr


def test_a_name_that_has_no_hooks_is_told_before_a_seed_is_asked_for() -> None:
    done = told("plan", ROOT / "examples" / "cust-kiwistack", "--only", "onix")
    assert done.returncode == 2
    assert "there are no hooks of 'onix'\n    did you mean 'onyx'" in done.stderr


def test_a_job_without_its_tasks_says_so(tmp_path: Path) -> None:
    done = told("job", "--tasks", tmp_path / "tasks.json")
    assert done.returncode == 2
    assert "tasks.json: No such file or directory" in done.stderr
