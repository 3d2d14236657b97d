"""The application of examples/kiwi-component-memo on real servers, which the component's own hooks prepare."""

from __future__ import annotations

import hashlib
import re
import shutil
import tomllib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import urllib3
from memo_app.memo_hands import PERSON, PUBLIC, ROOT, SOURCE, Backends, Browser, Process, run_memo, serve
from testbed.keycloak import Keycloak
from testbed.servers import wait_until

pytestmark = pytest.mark.real_server

OLD, HEAD = "91c4e6b20d7a", "d07f5a38c9e1"
WELCOME = "6f2d1c1e-7a55-4b5e-9a52-0d2f4c9b7e11"


@pytest.fixture(scope="module")
def backends(keycloak: Keycloak) -> Generator[Backends]:
    """The servers, after the hooks, the migrations, and the hooks that come after these."""
    with serve(keycloak) as found:
        assert all(report["changed"] for report in found.hooks("memo-pre") if not report["hook"].startswith("schema"))
        done = run_memo("migrate", environment=found.environment())
        assert done.returncode == 0, done.stderr
        found.hooks("memo-post")
        yield found


@pytest.fixture(scope="module")
def site(backends: Backends) -> Generator[Process]:
    with Process("serve", backends.environment()) as process:
        yield process


@pytest.fixture(scope="module")
def worker(backends: Backends) -> Generator[Process]:
    with Process("worker", backends.environment()) as process:
        yield process


@pytest.fixture(scope="module")
def machine(backends: Backends) -> str:
    """An access token of the application's own client."""
    return backends.token("memo", backends.secrets["memo-web"]["oidc_client_secret"])


@pytest.fixture(scope="module")
def browser(backends: Backends, site: Process) -> Browser:
    """A browser in which the realm's one person has signed in."""
    found = Browser(site.url)
    answer = found.sign_in(PERSON, person_password(backends))
    assert answer.status == 200
    assert PERSON in answer.data.decode()
    return found


def person_password(backends: Backends) -> str:
    found = re.search(r'"value": "([^"]+)"', backends.secrets["memo-keycloak-realm"]["realm.json"])
    assert found
    return found[1]


def attach(site: Process, token: str, memo: str, content: bytes, query: str = "?name=list.txt") -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    with urllib3.PoolManager(retries=False) as pool:
        url = f"{site.url}/api/memos/{memo}/attachment{query}"
        return pool.request("PUT", url, body=content, headers=headers).status


def test_a_memo_with_an_attachment_is_kept_and_worked_on(site: Process, worker: Process, machine: str) -> None:
    assert worker.is_running
    status, made = site.ask("POST", "/api/memos", {"text": "buy milk and bread"}, token=machine)
    assert (status, made["words"], made["origin"]) == (201, None, "person")
    memo, content = made["id"], b"milk\nbread\n" * 1000
    assert attach(site, machine, memo, content) == 200
    with urllib3.PoolManager(retries=False) as pool:
        url = f"{site.url}/api/memos/{memo}/attachment"
        got = pool.request("GET", url, headers={"Authorization": f"Bearer {machine}"})
    assert (got.status, got.data, got.headers["content-type"]) == (200, content, "text/plain; charset=utf-8")
    assert "list.txt" in got.headers["content-disposition"]

    def is_done() -> bool:
        found = site.ask("GET", f"/api/memos/{memo}", token=machine)[1]
        return bool(found["is_done"] and found["attachment"]["sha256"])

    assert wait_until(is_done, pause=0.2)
    done = site.ask("GET", f"/api/memos/{memo}", token=machine)[1]
    assert done["words"] == 4
    assert done["attachment"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert done["attachment"]["size"] == len(content)


def test_what_changed_is_worked_on_again(site: Process, worker: Process, machine: str) -> None:
    assert worker.is_running
    memo = site.ask("POST", "/api/memos", {"text": "one"}, token=machine)[1]["id"]

    def checksum() -> object:
        attachment = site.ask("GET", f"/api/memos/{memo}", token=machine)[1]["attachment"]
        return attachment and attachment["sha256"]

    for content in (b"first", b"second"):
        assert attach(site, machine, memo, content) == 200
        wanted = hashlib.sha256(content).hexdigest()
        assert wait_until(lambda wanted=wanted: checksum() == wanted, pause=0.2)  # type: ignore[misc]  # is called here


def test_a_person_signs_in_through_the_providers_page_and_sees_nobody_elses_memos(
    site: Process, machine: str, browser: Browser
) -> None:
    me = browser.ask("/api/me")[1]
    assert me["name"] == PERSON
    assert site.ask("GET", "/api/me", token=machine)[1]["id"] != me["id"]
    secret = site.ask("POST", "/api/memos", {"text": "of the machine alone"}, token=machine)[1]["id"]
    assert browser.ask(f"/api/memos/{secret}")[0] == 404
    assert browser.ask(f"/api/memos/{secret}/attachment")[0] == 404
    page = browser.open(f"{PUBLIC}/", {"text": "<b>of the person</b> alone"}).data.decode()
    assert "&lt;b&gt;of the person&lt;/b&gt; alone" in page
    assert "of the machine alone" not in page
    listed = site.ask("GET", "/api/memos", token=machine)[1]["memos"]
    assert secret in [memo["id"] for memo in listed]
    assert not [memo for memo in listed if "of the person" in memo["text"]]


def test_everybody_finds_the_welcome_memo_and_nobody_changes_it(site: Process, machine: str, browser: Browser) -> None:
    for status, found in (
        browser.ask(f"/api/memos/{WELCOME}"),
        site.ask("GET", f"/api/memos/{WELCOME}", token=machine),
    ):
        assert (status, found["origin"]) == (200, "platform")
    assert attach(site, machine, WELCOME, b"mine now") == 403


def test_signing_out_ends_the_session_here_and_at_the_provider(backends: Backends, site: Process) -> None:
    other = Browser(site.url)
    other.sign_in(PERSON, person_password(backends))
    assert other.ask("/api/me")[0] == 200
    other.open(f"{PUBLIC}/logout")
    assert "/protocol/openid-connect/logout?" in other.seen[-1]
    assert other.ask("/api/me")[0] == 401


def test_nobody_gets_in_without_a_token_or_session_of_ours(backends: Backends, site: Process, machine: str) -> None:
    stranger = backends.token(*backends.keycloak.make_admin_client("memo", "view-clients"))
    head, claims, signature = machine.split(".")
    forged = ".".join((head, claims, signature[:-8] + ("A" * 8 if signature[-8:] != "A" * 8 else "B" * 8)))
    for token in (None, stranger, forged, "nonsense", backends.keycloak.admin_token()):
        for method, path in (("GET", "/api/me"), ("GET", "/api/memos"), ("POST", "/api/memos")):
            assert site.ask(method, path, {"text": "x"} if method == "POST" else None, token=token)[0] == 401
    assert site.ask("GET", "/api/me", token=stranger)[1] == {"error": "the token is not taken: InvalidAudienceError"}
    assert Browser(site.url).open(f"{PUBLIC}/callback?code=x&state=y").status == 400


def test_a_second_deploy_changes_nothing(backends: Backends) -> None:
    reports = backends.hooks("memo")
    assert [report["hook"] for report in reports] == [
        "schema-memo",
        "postgres-role-memo",
        "postgres-database-memo",
        "s3-bucket-memo-files",
        "oidc-client-memo",
        "seed-memo",
    ]
    assert [report["changed"] for report in reports] == [[]] * len(reports)


@pytest.mark.parametrize("text", ["", "  ", 3, None, "x" * 20_001, "a\0b"])
def test_a_text_that_is_none_is_refused(site: Process, machine: str, text: object) -> None:
    assert site.ask("POST", "/api/memos", {"text": text}, token=machine)[0] == 400


def test_it_is_ready_only_on_its_own_schema(backends: Backends, site: Process) -> None:
    everything = {"ready": True, "database": "ok", "bucket": "ok", "issuer": "ok"}
    assert site.ask("GET", "/readyz") == (200, everything)
    with backends.database() as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (OLD,))
        try:
            status, said = site.ask("GET", "/readyz")
        finally:
            connection.execute("UPDATE alembic_version SET version_num = %s", (HEAD,))
    assert (status, said["database"]) == (503, f"the database is at {OLD}, and {HEAD} is needed")
    assert site.ask("GET", "/healthz")[0] == 200


def test_it_is_not_ready_without_its_services_and_says_which(backends: Backends) -> None:
    nowhere = "http://127.0.0.1:9"
    changes = {"S3_ENDPOINT": nowhere, "OIDC_ISSUER": f"{nowhere}/realms/memo"}
    with Process("serve", backends.environment(**changes)) as alone:
        status, said = alone.ask("GET", "/readyz")
    assert (status, said["ready"], said["database"]) == (503, False, "ok")
    assert said["bucket"].startswith("it cannot be reached")
    assert said["issuer"].startswith("it cannot be reached")


def test_an_older_version_leaves_off_where_this_one_goes_on(backends: Backends, tmp_path: Path) -> None:
    """0.1.0 is the application without its last revision, as its image has it."""
    older = shutil.copytree(SOURCE, tmp_path / "older", ignore=shutil.ignore_patterns("__pycache__"))
    (revision,) = older.glob(f"memo/migrations/versions/{HEAD}_*.py")
    revision.unlink()
    with backends.database("postgres") as connection:
        connection.execute("CREATE DATABASE older OWNER memo")
    environment = backends.environment()
    environment["DATABASE_URL"] = environment["DATABASE_URL"].removesuffix("/memo") + "/older"
    before = {**environment, "PYTHONPATH": str(older)}
    with ThreadPoolExecutor() as pool:  # as the pods of a deployment do
        both = [pool.submit(run_memo, "migrate", environment=before) for _ in range(2)]
    assert [done.result().returncode for done in both] == [0, 0]
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("INSERT INTO memo (owner, body) VALUES ('kim', 'from long ago')")
        assert run_memo("migrate", environment=environment).returncode == 0
        assert connection.execute("SELECT body, origin FROM memo").fetchall() == [("from long ago", "person")]
    back = run_memo("migrate", environment=before)
    assert back.returncode == 1
    assert f"a newer version has migrated this database, and this one ends at {OLD}" in back.stderr
    assert "Traceback" not in back.stderr


def test_what_is_not_set_is_named_at_once() -> None:
    done = run_memo("serve", environment={"S3_BUCKET": "x", "S3_SECRET_KEY": "y"})
    assert done.returncode == 2
    assert done.stderr.startswith("memo: not set: DATABASE_URL, S3_ENDPOINT, S3_ACCESS_KEY, MEMO_URL, OIDC_ISSUER")


def test_a_database_that_is_away_is_told_in_a_line() -> None:
    done = run_memo("migrate", environment={"DATABASE_URL": "postgresql://memo:of-nobody@127.0.0.1:9/memo"})
    assert done.returncode == 1
    assert done.stderr.startswith("memo: connection failed")
    assert "of-nobody" not in done.stderr
    assert "Traceback" not in done.stderr


def test_no_secret_is_in_a_log(
    backends: Backends, site: Process, worker: Process, machine: str, browser: Browser
) -> None:
    secrets = {value for data in backends.secrets.values() for key, value in data.items() if key != "s3_access_key"}
    secrets |= {machine, person_password(backends)}
    secrets |= {code for url in browser.seen for code in parse_qs(urlsplit(url).query).get("code", ())}
    assert any(url.startswith(f"{PUBLIC}/callback?") for url in browser.seen)
    # A sign-in that fails, and a server that is away, are told of, too.
    Browser(site.url).open(f"{PUBLIC}/callback?code=of-nobody&state=y")
    assert site.ask("POST", "/api/memos", {"text": "to be worked on"}, token=machine)[0] == 201
    assert wait_until(lambda: "is done" in worker.log.read_text(encoding="utf-8"), pause=0.2)
    log = site.log.read_text(encoding="utf-8") + worker.log.read_text(encoding="utf-8")
    assert "GET /callback 400" in log
    assert [secret for secret in secrets if secret in log] == []
    assert "of-nobody" not in log


def test_the_workspace_installs_what_the_application_needs() -> None:
    needed = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["memo"]
    assert group == needed
