"""The llm_model_flow miss, on Onyx' real history: told at build, at deploy, and by the live database."""

from __future__ import annotations

import json
from collections.abc import Generator
from importlib.resources import files
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from kiwi_component_onyx import Onyx
from kiwi_core import AlembicSchema, BucketOffer, ExistingServices, Mounted, PostgresOffer, SecretKey, Session
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._hooks.runtime import read_tasks, run_tasks
from kiwi_core._hooks.schema_check import SchemaState
from kiwi_core._hooks.seed import SeedState
from kiwi_core._model.capture_json import load_schema
from kiwi_core._model.task import Task, Tasks
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import HookError, PluginError
from kiwi_core.testing import trial
from testbed.postgres import Postgres

ADMIN = SecretKey("pg", "password")
MINIMUM = "f220515df7b4"
SCHEMA = AlembicSchema(image="onyxBackend", minimum=MINIMUM, because="the seed of the model provider")
HISTORY = load_schema(
    files("kiwi_component_onyx").joinpath("facts/schemas/onyx-backend.json").read_bytes(), file="facts"
)
HEAD = {tag: HISTORY.tags[tag][0] for tag in ("v2.11.4", "v2.12.0", "v4.6.1")}
SERVICES = ExistingServices(
    postgres=PostgresOffer(host="pg", admin=ADMIN),
    bucket=BucketOffer(endpoint_url="http://s3:9000", admin_user="admin", admin=ADMIN),
)


@pytest.fixture
def live(postgres: Postgres) -> Generator[Postgres]:
    """A server with an empty database ``onyx``."""
    do(postgres, "postgres", "DROP DATABASE IF EXISTS onyx WITH (FORCE)")
    do(postgres, "postgres", "CREATE DATABASE onyx")
    yield postgres
    do(postgres, "postgres", "DROP DATABASE IF EXISTS onyx WITH (FORCE)")


def do(server: Postgres, database: str, *statements: str) -> None:
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.admin_user,
        password=server.admin_password,
        dbname=database,
        autocommit=True,
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def migrated(server: Postgres, *revisions: str) -> None:
    """Leave a database as a migration to some revisions does."""
    rows = ", ".join(f"('{revision}')" for revision in revisions)
    do(server, "onyx", "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    do(server, "onyx", f"INSERT INTO alembic_version VALUES {rows}")


def check(server: Postgres | None, tag: str, folder: Path | None = None) -> SchemaState:
    return SchemaState(
        schema=SCHEMA,
        image="docker.io/onyxdotapp/onyx-backend",
        tag=tag,
        captured=HISTORY,
        folder=str(folder) if folder else None,
        server=PostgresServer(
            host=server.host, port=server.port, user=server.admin_user, password=Mounted(ADMIN), database="postgres"
        )
        if server
        else None,
        database="onyx",
    )


def run(state: SchemaState, server: Postgres | None = None) -> str:
    """Run a check; return what it says, or the error."""
    with Session(lambda _: server.admin_password if server else "") as session:
        try:
            outcome = converge(state, session)
        except HookError as error:
            return str(error)
        assert outcome.changed == ()
        return outcome.subject


def revision_files(folder: Path, tag: str) -> Path:
    """Write the revision files that the image of a tag carries, with docstrings that lie."""
    folder.mkdir()
    wanted = {*HISTORY.tags[tag]}
    for name in reversed([*HISTORY.revisions]):
        if name in wanted:
            parents = HISTORY.revisions[name]
            wanted |= {*parents}
            down = repr(parents[0] if len(parents) == 1 else parents or None)
            text = f'"""Revision ID: {MINIMUM}"""\nrevision = {name!r}\ndown_revision = {down}\n'
            (folder / f"{name}_x.py").write_text(text, "utf-8")
    return folder


def test_at_build_the_older_image_is_a_finding() -> None:
    def findings(tag: str) -> str:
        found = trial(Onyx(), SERVICES, images={"onyxBackend": f"docker.io/onyxdotapp/onyx-backend:{tag}"})
        return "\n".join(item for item in found.findings if item.startswith("[g]"))

    assert f"{MINIMUM}, and docker.io/onyxdotapp/onyx-backend:v2.11.4 ends at {HEAD['v2.11.4']}" in findings("v2.11.4")
    assert "v2.12.0" in findings("v2.11.4")
    assert findings("v2.12.0") == ""


@pytest.mark.parametrize("source", ["files", "capture"])
def test_at_deploy_the_older_image_fails_before_anything(tmp_path: Path, source: Literal["files", "capture"]) -> None:
    told = {}
    for tag in ("v2.11.4", "v2.12.0"):
        folder = revision_files(tmp_path / tag, tag) if source == "files" else None
        told[tag] = run(check(None, tag, folder))
    assert f"needs alembic revision {MINIMUM}" in told["v2.11.4"]
    assert f"ends at {HEAD['v2.11.4']}, before it" in told["v2.11.4"]
    assert "pin v2.12.0 or later" in told["v2.11.4"]
    by = "by its own files" if source == "files" else "by the history captured for it"
    assert told["v2.12.0"] == f"schema of docker.io/onyxdotapp/onyx-backend:v2.12.0, {by}"


def test_what_nobody_captured_is_said_to_be_unproven() -> None:
    assert run(check(None, "v99.0.0")).endswith("of which nothing is known here: unproven")


def test_files_that_are_no_sound_history_fail(tmp_path: Path) -> None:
    folder = revision_files(tmp_path / "x", "v2.12.0")
    (folder / "zz.py").write_text("revision = 'zz'\ndown_revision = 'nowhere'\n", "utf-8")
    assert "parent 'nowhere' is in no file" in run(check(None, "v2.12.0", folder))


@pytest.mark.real_server
def test_an_empty_database_and_none_at_all_pass(live: Postgres) -> None:
    assert run(check(live, "v4.6.1"), live).startswith("schema of")
    do(live, "postgres", "DROP DATABASE onyx")
    assert run(check(live, "v4.6.1"), live).startswith("schema of")


@pytest.mark.real_server
def test_a_database_that_an_older_or_the_same_version_migrated_passes(live: Postgres) -> None:
    migrated(live, HEAD["v2.11.4"])
    assert run(check(live, "v2.12.0"), live).startswith("schema of")
    do(live, "onyx", "DROP TABLE alembic_version")
    migrated(live, HEAD["v2.12.0"])
    assert run(check(live, "v2.12.0"), live).startswith("schema of")


@pytest.mark.real_server
def test_a_database_that_a_newer_version_migrated_names_what_can_run_on_it(live: Postgres) -> None:
    migrated(live, HEAD["v4.6.1"])
    told = run(check(live, "v2.12.0"), live)
    assert f"the database is at {HEAD['v4.6.1']}" in told
    assert "a newer version has migrated it" in told
    assert "these can run on it: " in told
    assert "v4.6.1" in told


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("revisions", "message"),
    [
        (("0123456789ab",), "no captured version of onyxdotapp/onyx-backend knows it"),
        ((HEAD["v2.11.4"], HEAD["v2.12.0"]), "the database is at 2 heads at once"),
    ],
)
def test_a_foreign_head_and_two_heads_fail(live: Postgres, revisions: tuple[str, ...], message: str) -> None:
    migrated(live, *revisions)
    assert message in run(check(live, "v2.12.0"), live)


@pytest.mark.real_server
def test_no_seed_runs_on_a_database_that_lacks_its_minimum(live: Postgres) -> None:
    seed = SeedState(
        host=live.host,
        port=live.port,
        database="onyx",
        user=live.admin_user,
        password=Mounted(ADMIN),
        tables=(),
        needs_minimum=MINIMUM,
        needs_revisions=(MINIMUM, *HISTORY.after(MINIMUM)),
    )
    tasks = (
        Task(hook="schema", timeout=20, desired=check(live, "v2.11.4")),
        Task(hook="seed", timeout=20, desired=seed),
    )
    # In one deploy the check comes first, and what fails is the last.
    (report,) = run_tasks(tasks, lambda _: live.admin_password)
    assert report.hook == "schema"
    # And by itself, a seed looks at the database that it is about to write to.
    migrated(live, HEAD["v2.11.4"])
    (report,) = run_tasks(tasks[1:], lambda _: live.admin_password)
    assert f"they need revision {MINIMUM} of the schema" in report.problems[0]
    do(live, "onyx", "DROP TABLE alembic_version")
    migrated(live, HEAD["v4.6.1"])
    (report,) = run_tasks(tasks[1:], lambda _: live.admin_password)
    assert report.problems == ()


def test_a_check_survives_as_json() -> None:
    def find(kind: str) -> type:
        if kind != SchemaState.kind:
            raise PluginError(kind)
        return SchemaState

    tasks = Tasks(
        namespace="cust-acme",
        component="onyx",
        phase="pre",
        tasks=(Task(hook="schema", timeout=9, desired=check(None, "v4.6.1")),),
    )
    written = json.dumps(Converter().unstructure(tasks)).encode()
    assert read_tasks(written, find, file="tasks.json") == tasks
