"""The demonstration's servers on this machine, its application as processes, and a browser that talks to both."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import attrs
import psycopg
import urllib3
from kiwi_core import _engine as engine
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import evaluate
from kiwi_core._derive.password import Seed
from kiwi_core._model.late import Credential, Late, late_leaves
from psycopg import sql
from testbed.keycloak import Keycloak
from testbed.postgres import Postgres
from testbed.rest import ask, insist
from testbed.s3 import S3
from testbed.servers import Server

__all__ = ["MEMO", "PERSON", "PUBLIC", "ROOT", "SOURCE", "Backends", "Browser", "Process", "run_memo", "serve"]

ROOT = Path(__file__).parent.parent.parent
MEMO = ROOT / "examples" / "kiwi-component-memo"
SOURCE = MEMO / "app" / "src"
DEMO = MEMO / "demo" / "cust-demo"
SEED = "Wm4tPz8kQv1yXs6bNd3hRf7jLc9gTa2e-for-tests-only"
PUBLIC = "https://memo.demo.example"
PERSON = "kim"

Json = dict[str, Any]  # what a server answers, and a test picks apart


def secrets_of(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Return what the Secrets of a customer hold."""
    secrets = {name: secret.data for (_, name), secret in engine.load(folder).stack.secrets.items()}
    named = [late for _, late in late_leaves(cast("Any", secrets)) if isinstance(late, Credential)]
    derived = derive_all(Seed(SEED), named)
    return {
        name: {key: evaluate(value, derived) if isinstance(value, Late) else value for key, value in data.items()}
        for name, data in secrets.items()
    }


@attrs.frozen(kw_only=True)
class Backends:
    """The servers, with what the customer's Secrets hold."""

    postgres: Postgres
    s3: S3
    keycloak: Keycloak
    secrets: Mapping[str, Mapping[str, str]]

    @property
    def issuer(self) -> str:
        return f"{self.keycloak.url}/realms/memo"

    def hooks(self, phase: str) -> list[Json]:
        """Run the hooks of a phase as an operator does, through tunnels; return their reports."""
        tunnels = (
            f"memo-postgres:5432={self.postgres.host}:{self.postgres.port}",
            f"memo-s3:7070={self.s3.host}:{self.s3.port}",
            f"memo-keycloak:8080={self.keycloak.host}:{self.keycloak.port}",
        )
        command = [sys.executable, "-m", "kiwi_core", "hooks", "run", str(DEMO), "--only", phase, "--json"]
        command += [word for tunnel in tunnels for word in ("--connect-to", tunnel)]
        environment = {**os.environ, "MASTER_PASSWORD": SEED}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return cast("list[Json]", json.loads(done.stdout))

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of the application's pods, as its chart makes it of the Secrets."""
        data, web = self.secrets["memo-data"], self.secrets["memo-web"]
        at_server = data["database_url"].replace("memo-postgres:5432", f"{self.postgres.host}:{self.postgres.port}")
        return {
            "PYTHONPATH": str(SOURCE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": at_server,
            "S3_ENDPOINT": self.s3.url,
            "S3_REGION": self.s3.region,
            "S3_BUCKET": "memo-files",
            "S3_ACCESS_KEY": data["s3_access_key"],
            "S3_SECRET_KEY": data["s3_secret_key"],
            "MEMO_URL": PUBLIC,
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": "memo",
            "OIDC_CLIENT_SECRET": web["oidc_client_secret"],
            "SESSION_KEY": web["session_key"],
            **changes,
        }

    def database(self, name: str = "memo") -> psycopg.Connection[tuple[Any, ...]]:  # Any: whatever a row has
        """Sign in as the administrator."""
        return psycopg.connect(
            host=self.postgres.host,
            port=self.postgres.port,
            user=self.postgres.admin_user,
            password=self.postgres.admin_password,
            dbname=name,
            autocommit=True,
        )

    def token(self, client: str, secret: str) -> str:
        """Return an access token of a client's own account."""
        return str(insist(self.keycloak.sign_in_client("memo", client, secret))["access_token"])


@contextlib.contextmanager
def serve(keycloak: Keycloak) -> Generator[Backends]:
    """Start the demonstration's servers, new and empty, beside a Keycloak that runs: as their charts would."""
    secrets = secrets_of(DEMO)
    s3 = S3()
    s3.admin_user, s3.admin_password = "root", secrets["memo-s3-admin"]["secret_key"]
    with Postgres() as postgres, s3:
        password = secrets["memo-postgres-admin"]["password"]
        backends = Backends(postgres=postgres, s3=s3, keycloak=keycloak, secrets=secrets)
        with backends.database("postgres") as connection:
            connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
        postgres.admin_password = password
        # Longer keys take Keycloak seconds to make.
        keys = [{"name": "rsa", "providerId": "rsa-generated", "config": {"keySize": ["2048"], "keyUse": ["SIG"]}}]
        realm = {
            **json.loads(secrets["memo-keycloak-realm"]["realm.json"]),
            "components": {"org.keycloak.keys.KeyProvider": keys},
        }
        users = "/admin/realms/master/users"
        administrator = {
            "username": "admin",
            "enabled": True,
            "credentials": [{"type": "password", "value": secrets["memo-keycloak-admin"]["password"]}],
        }
        try:
            insist(keycloak.ask("POST", "/admin/realms", realm))
            insist(keycloak.ask("POST", users, administrator))
            (made,) = insist(keycloak.ask("GET", f"{users}?exact=true&username=admin"))
            role = insist(keycloak.ask("GET", "/admin/realms/master/roles/admin"))
            insist(keycloak.ask("POST", f"{users}/{made['id']}/role-mappings/realm", [role]))
            yield backends
        finally:
            keycloak.ask("DELETE", "/admin/realms/memo")
            for left in keycloak.ask("GET", f"{users}?exact=true&username=admin")[1]:
                keycloak.ask("DELETE", f"{users}/{left['id']}")


def run_memo(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the application that ends by itself."""
    command = [sys.executable, "-m", "memo", *words]
    everything = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **environment}
    return subprocess.run(command, env=everything, capture_output=True, text=True, check=False, timeout=60)


class Process(Server):
    """The application: ``serve`` or ``worker``."""

    program = "memo"

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.url = f"http://{self.host}:{self.port}"
        self._words, self._variables = command, environment

    def changes(self) -> int:
        """What it changes is counted where it is changed."""
        return 0

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
        """Ask it; return the status and the answer."""
        return ask(method, f"{self.url}{path}", body, token=token)

    def _prepare(self) -> None:
        pass

    def _command(self) -> Sequence[str | Path]:
        return (sys.executable, "-m", "memo", self._words, "--host", self.host, "--port", str(self.port))

    def _environment(self) -> Mapping[str, str]:
        return self._variables

    def _is_ready(self) -> bool:
        try:
            return ask("GET", f"{self.url}/healthz")[0] == 200
        except urllib3.exceptions.HTTPError:
            return False


class Browser:
    """A browser with cookies, for which the website's public address leads to where it listens on this machine.

    Args:
        website: where it listens.
        places: what other addresses lead to.
    """

    def __init__(self, website: str, places: Mapping[str, str] | None = None) -> None:
        self._places = {PUBLIC: website, **(places or {})}
        self._cookies: dict[str, SimpleCookie] = {}
        self._pool = urllib3.PoolManager(retries=False, timeout=30)
        self.seen: list[str] = []

    def open(self, url: str, form: Mapping[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """Open an address, or send a form there, and follow where it is sent on to."""
        method, fields = ("GET", None) if form is None else ("POST", dict(form))
        for _ in range(8):
            self.seen.append(url)
            answer = self._request(method, url, fields)
            if answer.status not in {302, 303}:
                return answer
            url, method, fields = urljoin(url, answer.headers["Location"]), "GET", None
        raise AssertionError(f"sent on without end: {self.seen}")

    def ask(self, path: str) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
        """Ask the website's API with the session that the browser has."""
        answer = self._request("GET", f"{PUBLIC}{path}", None)
        return answer.status, json.loads(answer.data)

    def sign_in(self, user: str, password: str) -> urllib3.BaseHTTPResponse:
        """Sign in through the identity provider's page."""
        shown = self.open(f"{PUBLIC}/login").data.decode()
        action = re.search(r'<form[^>]*action="([^"]+)"', shown)
        assert action, shown
        return self.open(html.unescape(action[1]), {"username": user, "password": password})

    def _request(self, method: str, url: str, fields: dict[str, str] | None) -> urllib3.BaseHTTPResponse:
        host = urlsplit(url).netloc
        jar = self._cookies.setdefault(host, SimpleCookie())
        headers = {"Cookie": "; ".join(f"{name}={item.value}" for name, item in jar.items())} if jar else {}
        target = url
        for public, place in self._places.items():
            if url.startswith(f"{public}/"):
                target = f"{place}{url.removeprefix(public)}"
        if fields is None:
            answer = self._pool.request(method, target, headers=headers, redirect=False)
        else:
            answer = self._pool.request(
                method, target, fields=fields, encode_multipart=False, headers=headers, redirect=False
            )
        for line in answer.headers.getlist("Set-Cookie"):
            jar.load(line)
        return answer
