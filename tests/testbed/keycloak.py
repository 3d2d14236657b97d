"""A real Keycloak for the tests, over a database file of its own.

Keycloak starts slowly: half a minute from its archive, most of it for building itself and its database. So that is done
once and kept in the testbed: the distribution from its Maven artifact, built; a database in which Keycloak has made
itself at home; and an archive of the classes that Java loaded meanwhile. Each server works on a copy of that database,
and answers after about four seconds on two cores.

What it counts is its log of requests, which has each one before it is handled: POST, PUT, PATCH and DELETE to the admin
API and to the registration of clients, also those that it then refuses. Who signs in, or asks for a token, changes
nothing. (Keycloak's admin events will not do: a realm may switch them off, and they leave out what fails; nor will its
access log, which has a request only after the answer is on its way.)
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.rest import ask, insist
from testbed.servers import Server, find_or_install, wait_until
from testbed.tools import ToolError, home, lock

__all__ = ["ADMIN", "REALM", "Keycloak", "obtain"]

VERSION = "26.4.0"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
SHA256 = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"
OLDEST_JAVA = 17
PREPARED = f"keycloak-{VERSION}-1"
"""The folder of the testbed; its last number grows when what follows prepares something else."""
PATIENCE = 240.0
"""Seconds that Keycloak may take to start, or to write down its classes, on a machine that does much else."""
TOKENS_LAST = 30.0
"""Seconds for which an administrator's token is used again; Keycloak lets it live for a minute."""
ADMIN = ("kiwi", "let me in")
"""Keycloak's administrator; the same in all, for all begin with copies of one database."""
REALM = "opendesk"
REQUEST_LOGGER = "io.vertx.ext.web.impl.RouterImpl"
COUNTED = re.compile(
    rf"^\S+ \S+ TRACE +\[{re.escape(REQUEST_LOGGER)}\] \(\S+\) Router: \d+ accepting request "
    r"(?:POST|PUT|PATCH|DELETE) https?://[^/\s]+(?:/admin/|/realms/[^/\s]+/clients-registrations/)",
    re.MULTILINE,
)
THREADS = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
JAVA_OPTIONS = (
    *("-Xms160m", "-Xmx512m", "-XX:MetaspaceSize=160m", "-XX:MaxMetaspaceSize=256m"),  # no collection at the start
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),  # for a short life on two cores
    "-XX:+ExitOnOutOfMemoryError",
    *("-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US"),
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={THREADS}",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
)
"""What ``kc.sh`` gives to Java, but for the first two lines. (``kc.sh`` itself does not pass on the signal that ends it.)"""


class Keycloak(Server):
    """A Keycloak with an administrator in its realm ``master``; each test should have a realm of its own.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        admin_user: its administrator.
        admin_password: the administrator's password.
    """

    program = "keycloak"

    def __init__(self) -> None:
        """Take a port and make a folder.

        Raises:
            ToolError: Keycloak or a Java for it cannot be had.
        """
        self._java = _find_java()
        self._prepared = self._obtain()
        super().__init__()
        self.url = f"http://{self.host}:{self.port}"
        self.admin_user, self.admin_password = ADMIN
        self._token, self._until = "", 0.0

    def changes(self) -> int:
        """Count the requests that were to change something; see above."""
        return len(COUNTED.findall(self.log.read_text(encoding="utf-8", errors="replace")))

    def start(self) -> None:
        """Start it where it is down, and wait until it answers."""
        self._until = 0.0
        super().start()

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
        """Ask for a path, e.g. ``/admin/realms``; return the status and what came back.

        Args:
            method: GET, POST, …
            path: with its query.
            body: sent as JSON.
            token: whose bearer asks; None: the administrator.
        """
        return ask(method, f"{self.url}{path}", body, token=token or self.admin_token())

    def admin_token(self) -> str:
        """A token of the administrator, good for half a minute at least."""
        if time.monotonic() > self._until:
            self._token = insist(self.sign_in("master", *ADMIN))["access_token"]
            self._until = time.monotonic() + TOKENS_LAST
        return self._token

    def sign_in(self, realm: str, user: str, password: str) -> tuple[int, Any]:  # Any: as above
        """Sign in with a password; return the status, and what has the ``access_token`` or the ``error``."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": user, "password": password}
        return ask("POST", f"{self.url}/realms/{realm}/protocol/openid-connect/token", form=form)

    def sign_in_client(self, realm: str, client: str, secret: str) -> tuple[int, Any]:  # Any: as above
        """Sign in as a client with a service account; return as ``sign_in`` does."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
        return ask("POST", f"{self.url}/realms/{realm}/protocol/openid-connect/token", form=form)

    def make_realm(self, name: str = REALM) -> str:
        """Make a realm; return its name. Its RSA key has 1024 bits, for longer ones take Keycloak seconds to make."""
        keys: list[Mapping[str, object]] = [
            {"name": "rsa", "providerId": "rsa-generated", "config": {"keySize": ["1024"]}},
            {"name": "hmac", "providerId": "hmac-generated", "config": {"algorithm": ["HS512"]}},
            {"name": "aes", "providerId": "aes-generated", "config": {}},
        ]
        components = {"org.keycloak.keys.KeyProvider": keys}
        insist(self.ask("POST", "/admin/realms", {"realm": name, "enabled": True, "components": components}))
        return name

    def delete_realm(self, name: str) -> None:
        """Delete a realm and all that is in it."""
        insist(self.ask("DELETE", f"/admin/realms/{name}"))

    def make_admin(self, realm: str, *roles: str) -> tuple[str, str]:
        """Make a user who may do with a realm what the roles say, e.g. ``view-clients``; return name and password."""
        name, password = f"admin-{uuid.uuid4()}", secrets.token_urlsafe(18)
        user = {
            "username": name,
            "enabled": True,
            "credentials": [{"type": "password", "value": password}],
            "email": f"{name}@example.org",  # who lacks a part of the profile cannot sign in
            "firstName": "Test",
            "lastName": "Admin",
        }
        insist(self.ask("POST", f"/admin/realms/{realm}/users", user))
        (made,) = insist(self.ask("GET", f"/admin/realms/{realm}/users?exact=true&username={name}"))
        self._grant(realm, made["id"], roles)
        return name, password

    def make_admin_client(self, realm: str, *roles: str) -> tuple[str, str]:
        """Make a client with a service account that may do what the roles say; return its ID and its secret."""
        name, secret = f"admin-{uuid.uuid4()}", secrets.token_urlsafe(18)
        client = {"clientId": name, "secret": secret, "serviceAccountsEnabled": True, "standardFlowEnabled": False}
        clients = f"/admin/realms/{realm}/clients"
        insist(self.ask("POST", clients, client))
        (made,) = insist(self.ask("GET", f"{clients}?clientId={name}"))
        account = insist(self.ask("GET", f"{clients}/{made['id']}/service-account-user"))
        self._grant(realm, account["id"], roles)
        return name, secret

    def _grant(self, realm: str, user: str, roles: Sequence[str]) -> None:
        clients = f"/admin/realms/{realm}/clients"
        (management,) = insist(self.ask("GET", f"{clients}?clientId=realm-management"))
        found = [insist(self.ask("GET", f"{clients}/{management['id']}/roles/{role}")) for role in roles]
        path = f"/admin/realms/{realm}/users/{user}/role-mappings/clients/{management['id']}"
        insist(self.ask("POST", path, found))

    def _obtain(self) -> Path:
        return obtain()

    def _prepare(self) -> None:
        """Make a home that shares the program and has its own data."""
        own = self.folder / "home"
        if own.exists():
            return
        (own / "data").mkdir(parents=True)
        (own / "tmp").mkdir()
        for name in ("lib", "conf", "providers", "themes"):
            (own / name).symlink_to(self._prepared / name)
        if (self._prepared / "database").exists():
            shutil.copytree(self._prepared / "database", own / "data" / "h2")

    def _command(self) -> Sequence[str | Path]:
        own = self.folder / "home"
        return [
            self._java,
            *(*JAVA_OPTIONS, *self._class_options()),
            *(f"-Dkc.home.dir={own}", f"-Djboss.server.config.dir={own}/conf", f"-Djava.io.tmpdir={own}/tmp"),
            *("-cp", self._prepared / "lib" / "quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint"),
            *("start", "--optimized", "--http-enabled=true", f"--http-host={self.host}", f"--http-port={self.port}"),
            *("--hostname-strict=false", "--cache=local", f"--log-level=info,{REQUEST_LOGGER}:trace"),
        ]

    def _class_options(self) -> Sequence[str]:
        return (f"-XX:SharedArchiveFile={self._prepared / 'classes.jsa'}",)

    def _is_ready(self) -> bool:
        """Wait here, with patience of its own."""
        return wait_until(lambda: self._answers() or not self.is_running, patience=PATIENCE) and self.is_running

    def _answers(self) -> bool:
        from urllib3.exceptions import HTTPError

        try:
            return ask("GET", f"{self.url}/realms/master")[0] == 200
        except HTTPError:
            return False


class _FirstKeycloak(Keycloak):
    """The one that makes itself at home in an empty database, and has Java write down which classes it loads."""

    def __init__(self, prepared: Path) -> None:
        self._unfinished = prepared
        super().__init__()

    def finish(self) -> None:
        """Use it a little, and end it with what it leaves in place for the others.

        Raises:
            ToolError: it did not leave it.
        """
        self.make_admin_client(self.make_realm(), "view-clients")
        self.make_admin(REALM, "view-clients")
        self.delete_realm(REALM)
        assert self.pid
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not self.is_running, patience=PATIENCE)  # it writes the classes only now
        self.stop()
        if not (self._prepared / "classes.jsa").exists():
            raise ToolError(f"Java wrote no archive of Keycloak's classes within {PATIENCE:.0f} s")
        shutil.copytree(self.folder / "home" / "data" / "h2", self._prepared / "database")

    def _obtain(self) -> Path:
        return self._unfinished

    def _class_options(self) -> Sequence[str]:
        return (f"-XX:ArchiveClassesAtExit={self._prepared / 'classes.jsa'}",)

    def _environment(self) -> Mapping[str, str]:
        return {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN[0], "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1]}


def obtain() -> Path:
    """Find the folder with a Keycloak that is prepared, or prepare it.

    Raises:
        ToolError: its archive, Maven or Java cannot be had, or a step failed.
    """
    folder = home() / PREPARED
    ready = folder / "prepared"
    if ready.exists():
        return folder
    java, maven = _find_java(), find_or_install(lambda: _on_path("mvn"), "maven")
    with lock():
        if ready.exists():
            return folder  # another process prepared it while this one waited
        started = time.monotonic()
        _say(f"preparing {folder.name}, from Maven's {ARTIFACT}")
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home(), prefix="build-") as build:
            _unpack(maven, Path(build))
            (Path(build) / f"keycloak-{VERSION}").rename(folder)
        _run(["/bin/sh", folder / "bin" / "kc.sh", "build", "--db=dev-file"], java=java)
        with _FirstKeycloak(folder) as first:
            first.finish()
        ready.touch()
        _say(f"prepared {folder} in {time.monotonic() - started:.0f} s")
    return folder


def _unpack(maven: Path, build: Path) -> None:
    """Get the archive through Maven and unpack it.

    Raises:
        ToolError: it cannot be had, or is not what it should be.
    """
    _run([maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={build}"])
    archive = build / f"keycloak-quarkus-dist-{VERSION}.zip"
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ToolError(f"{ARTIFACT} has the SHA-256 {found}, not {SHA256}")
    with zipfile.ZipFile(archive) as file:
        file.extractall(build)


def _find_java() -> Path:
    """Find a Java that is new enough, or install Debian's.

    Raises:
        ToolError: it is not here, and cannot be installed.
    """
    return find_or_install(_java_here, "default-jre-headless")


def _java_here() -> Path | None:
    at_home = Path(os.environ.get("JAVA_HOME", "/nowhere"), "bin", "java")
    return next((java for java in (at_home, _on_path("java")) if java and _java_version(java) >= OLDEST_JAVA), None)


def _java_version(java: Path) -> int:
    """Its major version; 0 where it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None


def _run(command: Sequence[str | Path], *, java: Path | None = None) -> None:
    """Run one step of the preparation, its output on stderr.

    Raises:
        ToolError: it failed.
    """
    environment = {**os.environ, **({"JAVA": str(java)} if java else {})}
    try:
        subprocess.run([str(word) for word in command], env=environment, stdout=sys.stderr, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ToolError(f"{' '.join(map(str, command))}: {error}") from error


def _say(message: str) -> None:
    sys.stderr.write(f"testbed: {message}\n")
    sys.stderr.flush()
