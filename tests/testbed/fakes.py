"""What the stand-ins for servers have in common: a process on loopback that speaks JSON, with its state in a file.

A stand-in is written from another server's source or documents where the real one cannot run here. What a kind does on
it is no proof of what it does on the real server.

It counts each request to a route that changes something and that it has carried out; those that it refuses are not
counted, nor is a sign-in.
"""

from __future__ import annotations

import abc
import http.client
import http.server
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from testbed.servers import HOST, Server

__all__ = ["Answer", "Fake", "Request", "Route", "Routes", "State", "serve"]

State: TypeAlias = "dict[str, Any]"  # JSON, of whatever form a stand-in gives it
COUNTED = b"CHANGE "


class Request:
    """A request.

    Attributes:
        method: such as ``POST``.
        path: without the query.
        query: what stands in it.
        headers: by name in lower case.
        body: the JSON mapping or form that was sent; empty where neither was.
    """

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method = method
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        is_form = headers.get("content-type") == "application/x-www-form-urlencoded"
        self.body: dict[str, Any] = dict(parse_qsl(body.decode())) if is_form else json.loads(body or b"{}")


class Answer(Exception):  # noqa: N818 -- what a route answers with
    """What is answered: returned, or raised from within.

    Attributes:
        status: the status code.
        data: what is sent as JSON; None is nothing.
        headers: what is sent along.
    """

    def __init__(self, status: int, data: object = None, **headers: str) -> None:
        super().__init__(status)
        self.status = status
        self.data = data
        self.headers = headers


Route: TypeAlias = Callable[[State, Request], Answer]
Routes: TypeAlias = Callable[[str, str], "tuple[Route, bool] | None"]
"""Gives for a method and a path what answers, and whether it changes something."""


class Fake(Server):
    """A stand-in, as a process of its own.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
    """

    module: ClassVar[str]
    """The module whose ``main`` serves."""

    def __init__(self) -> None:
        """Take a port and make a folder."""
        super().__init__()
        self.url = f"http://{self.host}:{self.port}"
        self._state = self.folder / "state.json"

    def changes(self) -> int:
        """Count the requests that changed something."""
        return self.log.read_bytes().count(COUNTED)

    @abc.abstractmethod
    def first_state(self) -> State:
        """What it knows when it is made."""

    def _prepare(self) -> None:
        if not self._state.exists():
            self._state.write_text(json.dumps(self.first_state()), encoding="utf-8")

    def _command(self) -> Sequence[str | Path]:
        return (sys.executable, "-m", self.module, str(self.port), self._state)

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=1)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True


def serve(find: Routes) -> None:
    """Serve until it is ended; the command line gives the port and the file of the state.

    Args:
        find: gives the routes.
    """
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    state: State = json.loads(file.read_text(encoding="utf-8"))
    lock = threading.Lock()

    def answer(request: Request) -> Answer:
        found = find(request.method, request.path)
        if found is None:
            return Answer(404, {"detail": "Not Found"})
        route, changes = found
        with lock:
            try:
                answered = route(state, request)
            except Answer as raised:
                answered = raised
            if changes and answered.status < 300:
                file.with_suffix(".new").write_text(json.dumps(state), encoding="utf-8")
                file.with_suffix(".new").replace(file)
                print(f"CHANGE {request.method} {request.path}", flush=True)  # noqa: T201 -- the log
        return answered

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answered = answer(Request(self.command, self.path, headers, body))
            data = b"" if answered.data is None else json.dumps(answered.data).encode()
            self.send_response(answered.status)
            for name, value in {**answered.headers, "Content-Length": str(len(data))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 -- the base's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
            """Write nothing: a query may hold a secret."""

    class Listening(http.server.ThreadingHTTPServer):
        daemon_threads = True

    Listening((HOST, port), Handler).serve_forever()
