"""A real MinIO server for the tests: what installations run, with users, policies and its admin API.

It reports each request to its audit webhook, with the name of the API that served it, also those that it refuses. The
webhook is a thread of the tests. What is counted is each request to an API that is not known to read only.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.servers import HOST, PATIENCE, Server, wait_until
from testbed.tools import MINIO, ToolError, obtain

__all__ = ["MinIO"]

READS = re.compile(
    "AccountInfo|AssumeRole|DataUsageInfo|Get|Head|Info|List|Select|ServerInfo|StorageInfo|TemporaryAccountInfo"
)
"""Begins the name of an API that changes nothing; ``AssumeRole…`` is a way to sign in."""


class MinIO(Server):
    """A MinIO with one drive; its admin API stands on the same port.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        region: which region requests are signed for.
        admin_user: the access key of its root user.
        admin_password: the secret key of its root user; both are others each time.
    """

    program = "minio"

    def __init__(self) -> None:
        """Take a port and make a folder.

        Raises:
            ToolError: MinIO cannot be had.
        """
        self._program = obtain(MINIO)
        super().__init__()
        self.url = f"http://{self.host}:{self.port}"
        self.region = "us-east-1"
        self.admin_user = f"root{secrets.token_hex(8)}"
        self.admin_password = secrets.token_urlsafe(24)
        self._audit = _Audit()

    def changes(self) -> int:
        """Count the requests that were to change something.

        MinIO reports the requests in their order, but after it has answered them: this makes one more and waits for it.

        Raises:
            ToolError: no report came.
        """
        if self.is_running:
            with self._ask(f"/{secrets.token_hex(16)}", method="HEAD") as answer:
                last = answer.headers["x-amz-request-id"]
            if not wait_until(lambda: last in self._audit.names):
                raise ToolError("minio does not report to its audit webhook")
        return sum(READS.match(name) is None for name in self._audit.names.values())

    def stop(self) -> None:
        """End its process in good order, where it is up and once all its reports are here; port and data stay."""
        try:
            with contextlib.suppress(ToolError, OSError):  # it may be in any state
                self.changes()
        finally:
            super().stop()

    def close(self) -> None:
        """Stop it, delete its folder and give its port back; it cannot be started again."""
        try:
            super().close()
        finally:
            self._audit.close()

    def _prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)

    def _command(self) -> Sequence[str | Path]:
        address = f"{self.host}:{self.port}"
        return (self._program, "server", "--quiet", "--address", address, self.folder / "data")

    def _environment(self) -> Mapping[str, str]:
        """Its settings; ``HOME`` is where it looks for certificates."""
        return {
            "HOME": str(self.folder),
            "MINIO_ROOT_USER": self.admin_user,
            "MINIO_ROOT_PASSWORD": self.admin_password,
            "MINIO_REGION": self.region,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "MINIO_AUDIT_WEBHOOK_ENABLE_TESTS": "on",
            "MINIO_AUDIT_WEBHOOK_ENDPOINT_TESTS": self._audit.url,
        }

    def _is_ready(self) -> bool:
        """Unlike its readiness, its cluster check waits for the users, too."""
        try:
            with self._ask("/minio/health/cluster/read") as answer:
                return answer.status == http.HTTPStatus.OK
        except OSError:
            return False

    @contextlib.contextmanager
    def _ask(self, path: str, *, method: str = "GET") -> Generator[http.client.HTTPResponse | urllib.error.HTTPError]:
        """Ask for a path, unsigned; a refusal is an answer, too."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(urllib.request.Request(f"{self.url}{path}", method=method), timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            yield answer


class _Audit:
    """What takes the audit reports: a web server of the tests.

    Attributes:
        url: where it listens.
        names: the name of the API that served a request, by the request's number.
    """

    def __init__(self) -> None:
        names: dict[str, str] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                entry: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))  # Any: JSON
                if entry["trigger"] == "incoming":
                    names[entry["requestID"]] = entry["api"].get("name", "?")
                self.send_response(http.HTTPStatus.OK)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """Say nothing."""

        self.names = names
        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://{HOST}:{self._server.server_address[1]}/"

    def close(self) -> None:
        """End the web server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
