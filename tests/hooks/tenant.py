"""The example tenant's servers on this machine, with the administrators' passwords that its seed gives."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
import psycopg
from kiwi_core import _engine as engine
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.evaluate import evaluate
from kiwi_core._derive.password import Seed
from kiwi_core._model.late import Credential, late_leaves
from kiwi_core._model.secrets import SecretKey
from psycopg import sql
from testbed.keycloak import Keycloak
from testbed.minio import MinIO
from testbed.postgres import Postgres

__all__ = ["SEED", "TENANT", "Servers", "serve", "value_of"]

ROOT = Path(__file__).parent.parent.parent
TENANT = ROOT / "examples" / "cust-kiwistack"
SEED = "Zk3vWq8tNf5xYb2mRd7hLp4sJc9gTe6a-for-tests-only"
REALM = "opendesk"


@attrs.frozen(kw_only=True)
class Servers:
    """The servers of a tenant, reached as through tunnels."""

    postgres: Postgres
    minio: MinIO
    keycloak: Keycloak

    def hooks(self, *words: str, seed: str = SEED) -> subprocess.CompletedProcess[str]:
        """Run ``kiwistack hooks`` for the example tenant."""
        tunnels = (
            f"postgresql:5432={self.postgres.host}:{self.postgres.port}",
            f"minio:9000={self.minio.host}:{self.minio.port}",
            f"ums-keycloak:8080={self.keycloak.host}:{self.keycloak.port}",
        )
        command = [sys.executable, "-m", "kiwi_core", "hooks", *words, str(TENANT)]
        command += [word for tunnel in tunnels for word in ("--connect-to", tunnel)]
        environment = {**os.environ, "MASTER_PASSWORD": seed}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)

    # Any: JSON of the command.
    def reports(self, *words: str) -> list[dict[str, Any]]:
        """Run it and return its reports."""
        done = self.hooks(*words, "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def changes(self) -> int:
        """Count the changes at all servers."""
        return sum(server.changes() for server in (self.postgres, self.minio, self.keycloak))


def value_of(folder: Path, key: SecretKey, seed: str = SEED) -> str:
    """Return what a repository's Secret holds, which its servers are started with and its hooks read."""
    stack = engine.load(folder).stack
    (value,) = [secret.data[key.key] for (_, name), secret in stack.secrets.items() if name == key.secret]
    named = [late for _, late in late_leaves(value) if isinstance(late, Credential)]
    return evaluate(value, derive_all(Seed(seed), named))


def admin_of(folder: Path, secret: str) -> str:
    """Return the password in the Secret of an administrator."""
    return value_of(folder, SecretKey(secret, "password"))


@contextlib.contextmanager
def serve(keycloak: Keycloak) -> Generator[Servers]:
    """Start the example tenant's servers, beside a Keycloak that runs; they are new and empty."""
    minio = MinIO()
    minio.admin_user, minio.admin_password = "admin", admin_of(TENANT, "opendesk-minio-account")
    with Postgres() as postgres, minio:
        password = admin_of(TENANT, "opendesk-postgresql-account")
        with psycopg.connect(
            host=postgres.host,
            port=postgres.port,
            user=postgres.admin_user,
            password=postgres.admin_password,
            dbname="postgres",
        ) as connection:
            connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
        postgres.admin_password = password
        keycloak.make_realm(REALM)
        users = "/admin/realms/master/users"
        try:
            user = {
                "username": "kcadmin",
                "enabled": True,
                "email": "kcadmin@example.org",
                "firstName": "A",
                "lastName": "B",
                "credentials": [
                    {"type": "password", "value": admin_of(TENANT, "opendesk-opendesk-keycloak-bootstrap-account")}
                ],
            }
            assert keycloak.ask("POST", users, user)[0] == HTTPStatus.CREATED
            (made,) = keycloak.ask("GET", f"{users}?exact=true&username=kcadmin")[1]
            role = keycloak.ask("GET", "/admin/realms/master/roles/admin")[1]
            keycloak.ask("POST", f"{users}/{made['id']}/role-mappings/realm", [role])
            yield Servers(postgres=postgres, minio=minio, keycloak=keycloak)
        finally:
            keycloak.delete_realm(REALM)
            for left in keycloak.ask("GET", f"{users}?exact=true&username=kcadmin")[1]:
                keycloak.ask("DELETE", f"{users}/{left['id']}")
