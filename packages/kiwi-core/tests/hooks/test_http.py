"""Servers that answer, that answer badly, and that do not: all on loopback, with what they say byte for byte."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kiwi_core._hooks.http import MOST_BYTES, Http, Reply
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, Forbidden, HookError, Refused, Unreachable

pytest.importorskip("urllib3", reason="the extra kiwi-core[hooks] is not installed")

SECRET = "hunter2-and-more"
Answer = bytes | Callable[[socket.socket], None]


class Scripted:
    """A server that says what it was told to, in order, once to each connection or request, and keeps what it read."""

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            try:
                wrapped = self._context.wrap_socket(plain, server_side=True) if self._context else plain
                with wrapped:
                    self._talk(wrapped)
            except OSError:
                plain.close()

    def _talk(self, peer: socket.socket) -> None:
        while request := _read_request(peer):
            self.requests.append(request)
            answer = self._answers.pop(0)
            if callable(answer):
                answer(peer)
                return
            peer.sendall(answer)


def _read_request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := peer.recv(65536)):
            return b""
        data += chunk
        if not data[:1].isalpha():
            return data  # TLS, and no request
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: int, data: object = None, **headers: str) -> bytes:
    body = b"" if data is None else json.dumps(data).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def last(said: bytes) -> Answer:
    """Say so much and hang up."""
    return lambda peer: peer.sendall(said)


def _silence(_: socket.socket) -> None:
    time.sleep(1)


@pytest.fixture
def serve() -> Iterator[Callable[..., Scripted]]:
    servers: list[Scripted] = []

    def start(*answers: Answer, context: ssl.SSLContext | None = None) -> Scripted:
        servers.append(Scripted(*answers, context=context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(lambda _: SECRET, deadline=time.monotonic() + 20) as opened:
        yield opened


Serve = Callable[..., Scripted]


def test_a_request_is_made_once_and_counted_once(serve: Serve) -> None:
    server = serve(answer(200, {"a": [1]}))
    seen: list[tuple[str, bool]] = []

    def watch(words: str, *, done: bool) -> None:
        seen.append((words, done))

    with Session(lambda _: "", watch=watch) as session:
        reply = Http(f"{server.url}/auth/", session).ask("POST", "/realms", query={"q": "a b&c"}, body={"x": 1})
    assert (reply.status, reply.mapping()) == (200, {"a": [1]})
    assert seen == [("POST /realms", False), ("POST /realms", True)]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /auth/realms?q=a+b%26c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert json.loads(body) == {"x": 1}


def test_a_form_is_sent_as_one(serve: Serve, session: Session) -> None:
    server = serve(answer(204))
    reply = Http(server.url, session).ask("POST", "/token", form={"password": "a&b ü"}, headers={"X-One": "1"})
    assert reply.body == b""
    assert b"Content-Type: application/x-www-form-urlencoded" in server.requests[0]
    assert b"X-One: 1" in server.requests[0]
    assert server.requests[0].endswith(b"password=a%26b+%C3%BC")


def test_a_connection_is_kept_for_the_session(serve: Serve, session: Session) -> None:
    server = serve(*[answer(200, {})] * 3)
    for _ in range(2):
        Http.kept(server.url, session).ask("GET", "/")
    assert Http.kept(server.url, session) is Http.kept(server.url, session)
    assert server.connections == 1
    session.close()
    Http.kept(server.url, session).ask("GET", "/")
    assert server.connections == 2


def test_a_connection_that_the_server_has_closed_is_made_anew(serve: Serve, session: Session) -> None:
    server = serve(last(answer(200, {})), answer(200, {"again": True}))
    client = Http(server.url, session)
    client.ask("GET", "/")
    time.sleep(0.05)
    assert client.ask("GET", "/").mapping() == {"again": True}


def test_a_tunnel_leads_there_and_the_server_is_asked_by_its_own_name(serve: Serve) -> None:
    server = serve(answer(200, {}))
    with Session(lambda _: "", connect_to={("keycloak", 8080): ("127.0.0.1", server.port)}) as session:
        Http("http://keycloak:8080", session).ask("GET", "/")
    assert b"Host: keycloak:8080\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("status", "form"),
    [
        (400, HookError),
        (401, Refused),
        (403, Forbidden),
        (404, HookError),
        (409, Conflict),
        (412, Conflict),
        (429, Unreachable),
        (500, Unreachable),
        (502, Unreachable),
        (503, Unreachable),
        (504, Unreachable),
        (501, HookError),
        (799, HookError),
    ],
)
def test_a_status_is_the_error_that_it_means(
    serve: Serve, session: Session, status: int, form: type[HookError]
) -> None:
    server = serve(answer(status, {"error": SECRET}))
    with pytest.raises(HookError) as caught:
        Http(server.url, session).ask("GET", "/x", query={"key": SECRET}, hint="do this")
    assert type(caught.value) is form
    message = str(caught.value)
    assert message.startswith(f"127.0.0.1:{server.port} answered {status}")
    assert "GET /x" in message
    assert "do this" in message
    assert SECRET not in message


def test_a_status_that_is_taken_is_returned(serve: Serve, session: Session) -> None:
    assert Http(serve(answer(404)).url, session).ask("GET", "/x", takes={404}).status == 404


def test_no_redirect_is_followed(serve: Serve, session: Session) -> None:
    other = serve(answer(200, {}))
    server = serve(answer(307, Location=f"http://u:{SECRET}@127.0.0.1:{other.port}/there?token={SECRET}"))
    with pytest.raises(HookError, match=rf"redirects to http://127.0.0.1:{other.port}/there, which") as caught:
        Http(server.url, session).ask("POST", "/here", form={"password": SECRET})
    assert type(caught.value) is HookError
    assert SECRET not in str(caught.value)
    assert other.requests == []


def test_the_servers_own_words_are_taken_from_named_keys_only(serve: Serve, session: Session) -> None:
    server = serve(answer(400, {"error": "bad\x1b[31m thing", "sent": SECRET}))
    reply = Http(server.url, session).ask("GET", "/", takes={400})
    assert reply.said("description", "error") == "bad [31m thing"
    assert "bad [31m thing" in str(reply.error(said=reply.said("error")))
    assert SECRET not in repr(reply)


def test_words_of_a_server_that_says_nothing_are_empty() -> None:
    reply = Reply(at="x:1", words="GET /", status=400, headers={}, body=b"<html>")
    assert reply.said("error") == ""


@pytest.mark.parametrize("body", [b"<html>", b"[1", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error_that_does_not_show_it(body: bytes) -> None:
    reply = Reply(at="x:1", words="GET /", status=200, headers={}, body=body)
    for read in (reply.json, reply.mapping, reply.mappings):
        with pytest.raises(HookError, match=r"x:1 answered to GET / with something that is not ") as caught:
            read()
        assert caught.value.__cause__ is None


def test_json_of_another_form_is_an_error() -> None:
    for body in (b"[1]", b"1"):
        reply = Reply(at="x:1", words="GET /", status=200, headers={}, body=body)
        with pytest.raises(HookError, match="not a JSON mapping"):
            reply.mapping()
        with pytest.raises(HookError, match="not a list of JSON mappings"):
            reply.mappings()


def test_a_body_without_end_is_bounded(serve: Serve, session: Session) -> None:
    def flood(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range((MOST_BYTES >> 16) + 100):
            peer.sendall(b"x" * (1 << 16))

    with pytest.raises(HookError, match="with more than 8 MiB"):
        Http(serve(flood).url, session).ask("GET", "/")


def test_chunks_are_put_together(serve: Serve, session: Session) -> None:
    server = serve(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n', answer(200)
    )
    client = Http(server.url, session)
    assert client.ask("GET", "/").mapping() == {"a": 1}
    assert client.ask("GET", "/").body == b""
    assert server.connections == 1


def test_a_server_that_drips_is_not_waited_for(serve: Serve) -> None:
    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            peer.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    with (
        Session(lambda _: "", deadline=started + 0.3) as session,
        pytest.raises(Unreachable, match=r"did not answer to GET /slow within"),
    ):
        Http(serve(drip).url, session).ask("GET", "/slow")
    assert time.monotonic() - started < 2


def test_a_server_that_is_silent_is_not_waited_for(serve: Serve) -> None:
    with (
        Session(lambda _: "", deadline=time.monotonic() + 0.3) as session,
        pytest.raises(Unreachable, match=r"did not answer to GET /silent within"),
    ):
        Http(serve(_silence).url, session).ask("GET", "/silent")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"])
def test_a_server_that_breaks_off_may_be_asked_again(serve: Serve, session: Session, said: bytes) -> None:
    server = serve(last(said))
    with pytest.raises(Unreachable, match=r"broke off before it had answered to GET /x"):
        Http(server.url, session).ask("GET", "/x")


def test_chunks_that_break_off_are_no_whole(serve: Serve, session: Session) -> None:
    server = serve(last(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"))
    with pytest.raises(Unreachable, match="broke off"):
        Http(server.url, session).ask("GET", "/x")


def test_nothing_is_logged(serve: Serve, session: Session, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(answer(200), last(b"HTTP/1.1 200 OK\r\nContent-Le"))
    with caplog.at_level(0):
        client = Http(server.url, session)
        for _ in range(2):
            client.ask("GET", "/", query={"key": SECRET}, headers={"Authorization": SECRET}, form={"password": SECRET})
    assert SECRET not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_nobody_there(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{port} cannot be reached: Connection refused"):
        Http(f"http://127.0.0.1:{port}", session).ask("GET", "/")


def test_a_name_that_nobody_knows(session: Session) -> None:
    with pytest.raises(Unreachable, match=r"nowhere.invalid:80 cannot be reached: "):
        Http("http://nowhere.invalid", session).ask("GET", "/")


def test_what_is_no_http(serve: Serve, session: Session) -> None:
    server = serve(last(b"SSH-2.0-OpenSSH " + SECRET.encode() + b"\r\n"))
    with pytest.raises(HookError, match="something that is no HTTP") as caught:
        Http(server.url, session).ask("GET", "/")
    assert type(caught.value) is HookError
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ["secret-one\n", "a\r\nX-Other: 1", "kéy-of-one"])
def test_a_header_that_cannot_be_is_not_shown(serve: Serve, session: Session, value: str) -> None:
    server = serve(answer(200))
    with pytest.raises(HookError, match="the header Authorization of GET / holds what no header can hold") as caught:
        Http(server.url, session).ask("GET", "/", headers={"Authorization": value})
    assert value not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["keycloak:8080", "ftp://x", "http://", f"http://u:{SECRET}@host", "unix:///run/x", "http://x:99999"]
)
def test_a_url_of_no_server_is_refused(session: Session, url: str) -> None:
    with pytest.raises(HookError, match="is no URL of a server such as") as caught:
        Http(url, session)
    assert SECRET not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of ``keycloak.test`` that vouches for itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=keycloak.test", "-addext", "subjectAltName=DNS:keycloak.test", "-days", "1"),
            *("-out", files[0], "-keyout", files[1]),
        ],
        check=True,
        capture_output=True,
    )
    return files


def _tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def _tunnel(server: Scripted, host: str) -> Session:
    return Session(lambda _: "", connect_to={(host, 443): ("127.0.0.1", server.port)}, deadline=time.monotonic() + 20)


def test_a_certificate_of_an_authority_that_was_named(serve: Serve, certificate: tuple[Path, Path]) -> None:
    server = serve(answer(200, {"tls": True}), context=_tls(certificate))
    with _tunnel(server, "keycloak.test") as session:
        client = Http("https://keycloak.test", session, ca=certificate[0].read_text())
        assert client.ask("GET", "/").mapping() == {"tls": True}
    assert b"Host: keycloak.test\r\n" in server.requests[0]


@pytest.mark.parametrize(("host", "is_named"), [("keycloak.test", False), ("other.test", True)])
def test_a_certificate_that_is_not_trusted(
    serve: Serve, certificate: tuple[Path, Path], host: str, *, is_named: bool
) -> None:
    server = serve(answer(200), context=_tls(certificate))
    with (
        _tunnel(server, host) as session,
        pytest.raises(Unreachable, match=rf"{host}:443 has a certificate that is not"),
    ):
        Http(f"https://{host}", session, ca=certificate[0].read_text() if is_named else None).ask("GET", "/")
    assert server.requests == []


def test_tls_to_a_server_without(serve: Serve, session: Session) -> None:
    server = serve(last(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(HookError, match="cannot be reached over TLS") as caught:
        Http(server.url.replace("http:", "https:"), session).ask("GET", "/")
    assert type(caught.value) is HookError


@pytest.mark.parametrize(
    "text", ["", "no certificate", "é", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_vouches_must_be_a_certificate(session: Session, text: str) -> None:
    with pytest.raises(HookError, match=r"what is to vouch for keycloak.test holds no certificate"):
        Http("https://keycloak.test", session, ca=text)
