"""What registries answer, and what they should not: each fault is a clear error, in bounded time.

A real registry does not misbehave when it is asked to, so a server of a few lines stands in for one here, on this
machine. That the client understands a real one is shown by ``tests/test_pins_registry.py`` of the workspace.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from kiwi_core._deliver.pin_lock import find_digests, find_newer
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.web import Client
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core.errors import ExternalError, KiwiError, PinError

INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@attrs.frozen(kw_only=True)
class Say:
    """An answer, in order or not.

    Attributes:
        length: what the header says, where that is not the body's.
        wait: seconds before the answer.
        drip: seconds before each byte of the body.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    length: int | None = None
    wait: float = 0
    drip: float = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] -- only that one uses it

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        say = self.server.answer(self.path.partition("?")[0])
        time.sleep(say.wait)
        with contextlib.suppress(OSError):
            self.send_response(say.status)
            for name, value in say.headers.items():
                self.send_header(name, value.replace("HOST", self.server.host))
            self.send_header("Content-Length", str(len(say.body) if say.length is None else say.length))
            self.end_headers()
            for byte in say.body if say.drip else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(say.drip)
            self.wfile.write(b"" if say.drip else say.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so, and takes Any
        pass


class Server(http.server.ThreadingHTTPServer):
    """Answers each path as it was told: once with each answer, with the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[str, list[Say]] = {}

    def answer(self, path: str) -> Say:
        answers = self.answers.get(path, [Say(status=404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def says(self, path: str, *answers: Say) -> None:
        self.answers[path] = list(answers)

    def holds(self, repository: str, tag: str, data: bytes, **headers: str) -> str:
        """Serve a manifest; return its digest."""
        self.says(f"/v2/{repository}/manifests/{tag}", Say(body=data, headers=headers))
        return hashed(data)


def hashed(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def index_of(*platforms: str) -> bytes:
    parts = [
        {
            "digest": hashed(platform.encode()),
            "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True)),
        }
        for platform in platforms
    ]
    return json.dumps({"mediaType": INDEX, "manifests": parts}).encode()


GOOD = index_of("linux/amd64", "linux/arm64")
MANIFEST = "/v2/a/b/manifests/1.0"
TAGS = "/v2/a/b/tags/list"


@pytest.fixture
def server() -> Generator[Server]:
    with Server() as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def registries(*, timeout: float = 5.0, attempts: int = 2) -> Registries:
    return Registries(client=Client(timeout=timeout, attempts=attempts, pause=0.0))


def ask(server: Server, *, timeout: float = 5.0) -> str:
    return registries(timeout=timeout).manifest(server.host, "a/b", "1.0").digest


def test_the_digest_is_that_of_the_bytes(server: Server) -> None:
    digest = server.holds("a/b", "1.0", GOOD)
    assert ask(server) == digest
    server.holds("a/b", "1.0", GOOD, **{"Docker-Content-Digest": digest})
    assert ask(server) == digest


WRONG: dict[str, tuple[Say, str]] = {
    "another-digest": (
        Say(body=GOOD, headers={"Docker-Content-Digest": hashed(b"x")}),
        f"announces {hashed(b'x')} and",
    ),
    "no-digest": (Say(body=GOOD, headers={"Docker-Content-Digest": "sha256:abc"}), "malformed digest 'sha256:abc'"),
    "another-hash": (
        Say(body=GOOD, headers={"Docker-Content-Digest": "sha512:" + "0" * 128}),
        "malformed digest 'sha512",
    ),
    "broken-off": (Say(body=GOOD[:20], length=len(GOOD)), "broke off in the middle of an answer"),
    "too-long": (Say(body=b" " * ((4 << 20) + 1)), "answers with more than 4194304 bytes"),
    "no-json": (Say(body=b"<html>"), "something that is not a JSON mapping"),
    "a-list": (Say(body=b"[]"), "something that is not a JSON mapping"),
    "deep": (Say(body=b"[" * 100_000), "something that is not a JSON mapping"),
    "no-manifest": (Say(body=b"{}"), "something that is not a manifest"),
    "both-of-two": (
        Say(body=json.dumps({"manifests": [], "config": {"mediaType": CONFIG, "digest": hashed(b"")}}).encode()),
        "something that is not a manifest",
    ),
    "another-place": (
        Say(body=json.dumps({"config": {"mediaType": CONFIG, "digest": "../../../etc"}}).encode()),
        "something that is not a manifest",
    ),
    "error": (Say(status=500), "answered 500 Internal Server Error to /v2/a/b/manifests/1.0"),
    "busy": (Say(status=429, headers={"Retry-After": "0"}), "answered 429 Too Many Requests"),
    "closed": (Say(status=401), "answered 401 Unauthorized"),
    "forbidden": (Say(status=403), "answered 403 Forbidden"),
    "of-its-own": (Say(status=799), "answered 799 to"),
    "to-a-file": (
        Say(status=302, headers={"Location": "file:///etc/passwd"}),
        "redirects to file:///etc/passwd, which is",
    ),
    "to-plain": (
        Say(status=307, headers={"Location": "http://u:p@evil.example/x?t=1"}),
        "to http://evil.example/x, which",
    ),
    "in-a-circle": (Say(status=307, headers={"Location": f"{MANIFEST}?again"}), "redirects more than 5 times"),
    "slow": (Say(wait=0.5), "did not answer within 0.2 s (asked 2 times)"),
    "dripping": (Say(body=GOOD, drip=0.05), "did not answer within 0.2 s (asked 2 times)"),
}


@pytest.mark.parametrize(("say", "expected"), WRONG.values(), ids=WRONG)
def test_a_registry_that_does_wrong_is_a_clear_error_in_bounded_time(say: Say, expected: str, server: Server) -> None:
    server.says(MANIFEST, say)
    server.says(f"{MANIFEST}?again", say)
    started = time.monotonic()
    with pytest.raises(ExternalError) as raised:
        ask(server, timeout=0.2 if say.wait or say.drip else 5.0)
    assert expected in str(raised.value)
    assert server.host in str(raised.value)
    assert time.monotonic() - started < 4


def test_a_version_that_does_not_exist_is_a_wrong_pin(server: Server) -> None:
    with pytest.raises(PinError, match=r"127.0.0.1:\d+/a/b:1.0 does not exist"):
        ask(server)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_a_registry_that_is_down_is_an_error() -> None:
    host = closed_port()
    with pytest.raises(ExternalError, match=rf"{host} cannot be reached: Connection refused \(asked 2 times\)"):
        registries().manifest(host, "a/b", "1.0")


def test_what_is_no_http_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ExternalError, match=r"something that is no HTTP: BadStatusLine"):
            registries().manifest(f"127.0.0.1:{listening.getsockname()[1]}", "a/b", "1.0")
        thread.join()


def test_a_registry_that_recovers_is_asked_again(server: Server) -> None:
    digest = hashed(GOOD)
    server.says(MANIFEST, Say(status=503), Say(body=GOOD))
    assert ask(server) == digest
    server.says(MANIFEST, Say(status=429, headers={"Retry-After": "0"}), Say(body=GOOD))
    assert ask(server) == digest
    server.says(MANIFEST, Say(body=GOOD[:9], length=99), Say(body=GOOD))
    assert ask(server) == digest


@pytest.mark.parametrize("say", [Say(wait=0.5), Say(status=429)], ids=["slow", "busy"])
def test_a_registry_that_was_given_up_is_not_asked_about_anything_else(say: Say, server: Server) -> None:
    server.says(MANIFEST, say)
    asking = registries(timeout=0.1)
    messages: set[str] = set()
    for _ in range(3):
        with pytest.raises(ExternalError) as raised:
            asking.manifest(server.host, "a/b", "1.0")
        messages.add(str(raised.value.problems[0].message))
    assert len(messages) == 1
    assert len(server.asked) == 2


def test_a_redirect_within_the_registry_is_followed_with_the_login(server: Server, docker_config: Path) -> None:
    auth = base64.b64encode(b"me:secret").decode()
    docker_config.write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
    server.says(
        MANIFEST,
        Say(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
        Say(status=307, headers={"Location": "/moved"}),
    )
    server.says("/moved", Say(body=GOOD))
    assert ask(server) == hashed(GOOD)
    assert server.asked == [(MANIFEST, ""), (MANIFEST, f"Basic {auth}"), ("/moved", f"Basic {auth}")]


CHALLENGE = {"WWW-Authenticate": 'Bearer realm="http://HOST/token",service="registry.example",scope="x"'}


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_is_asked_for_once_for_each_repository(name: str, server: Server) -> None:
    server.says(MANIFEST, Say(status=401, headers=CHALLENGE), Say(body=GOOD))
    server.says("/token", Say(body=json.dumps({name: "abc.def"}).encode()))
    asking = registries()
    for _ in range(2):
        assert asking.manifest(server.host, "a/b", "1.0").digest == hashed(GOOD)
    assert server.asked == [
        (MANIFEST, ""),
        ("/token?service=registry.example&scope=repository%3Aa%2Fb%3Apull", ""),
        (MANIFEST, "Bearer abc.def"),
        (MANIFEST, "Bearer abc.def"),
    ]


TOKENS: dict[str, tuple[Say, str]] = {
    "none": (Say(body=b"{}"), "not a token"),
    "a-line-end": (Say(body=b'{"token": "a\\r\\nX: y"}'), "not a token"),
    "a-number": (Say(body=b'{"token": 1}'), "not a token"),
    "refused": (Say(status=403), "answered 403 Forbidden to /token"),
}


@pytest.mark.parametrize(("say", "expected"), TOKENS.values(), ids=TOKENS)
def test_a_token_that_is_none_is_an_error(say: Say, expected: str, server: Server) -> None:
    server.says(MANIFEST, Say(status=401, headers=CHALLENGE))
    server.says("/token", say)
    with pytest.raises(ExternalError, match=expected):
        ask(server)


@pytest.mark.parametrize(
    "challenge",
    ["", "Negotiate", "Bearer", 'Bearer service="x"', 'Basic realm="x"'],
)
def test_a_registry_that_lets_nobody_in_is_an_error(challenge: str, server: Server) -> None:
    server.says(MANIFEST, Say(status=401, headers={"WWW-Authenticate": challenge}))
    with pytest.raises(ExternalError, match=r"docker login 127\.0\.0\.1") as raised:
        ask(server)
    assert len(raised.value.problems) == 1


def test_a_login_is_sent_to_no_realm_without_encryption(server: Server, docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {server.host: {"auth": "bWU6eA=="}}}))
    realm = 'Bearer realm="http://evil.example/token"'
    server.says(MANIFEST, Say(status=401, headers={"WWW-Authenticate": realm}))
    with pytest.raises(ExternalError, match=r"http://evil\.example/token is not encrypted"):
        ask(server)


LOGINS: dict[str, tuple[object, bool]] = {
    "host": ({"auths": {"HOST": {"auth": "bWU6eA=="}}}, True),
    "address": ({"auths": {"https://HOST/v1/": {"auth": "bWU6eA=="}}}, True),
    "another-host": ({"auths": {"ghcr.io": {"auth": "bWU6eA=="}}}, False),
    "part-of-the-host": ({"auths": {"HOST/team": {"auth": "bWU6eA=="}}}, False),
    "a-helper": ({"auths": {"HOST": {}}, "credHelpers": {"HOST": "touch"}}, False),
    "a-line-end": ({"auths": {"HOST": {"auth": "x\r\ny"}}}, False),
    "no-mapping": ([], False),
    "no-mappings": ({"auths": {"HOST": "x"}}, False),
    "no-json": ("", False),
}


@pytest.mark.parametrize(("config", "is_sent"), LOGINS.values(), ids=LOGINS)
def test_only_the_login_of_this_host_is_sent(
    config: object, *, is_sent: bool, server: Server, docker_config: Path
) -> None:
    text = json.dumps(config).replace("HOST", server.host) if config else "{"
    docker_config.write_text(text)
    server.says(MANIFEST, Say(status=401, headers={"WWW-Authenticate": "Basic"}), Say(body=GOOD))
    if is_sent:
        assert ask(server) == hashed(GOOD)
    else:
        with pytest.raises(ExternalError, match="401"):
            ask(server)
    assert [auth for _, auth in server.asked] == ["", "Basic bWU6eA=="][: 1 + is_sent]


@pytest.mark.parametrize("link", ["/v2/a/b/tags/list?last=1.1", "http://HOST/v2/a/b/tags/list?last=1.1"])
def test_tags_are_read_over_all_pages(link: str, server: Server) -> None:
    pages = [
        Say(body=b'{"tags": ["1.0", "1.1"]}', headers={"Link": f'<{link}>; rel="next"'}),
        Say(body=b'{"tags": ["1.2"]}', headers={"Link": '</x>; rel="prev"'}),
    ]
    server.says(TAGS, *pages)
    assert registries().tags(server.host, "a/b") == ["1.0", "1.1", "1.2"]
    assert [path for path, _ in server.asked] == [f"{TAGS}?n=1000", f"{TAGS}?last=1.1"]


TAG_FAULTS: dict[str, tuple[Say, str]] = {
    "elsewhere": (Say(headers={"Link": '<http://evil.example/v2/>; rel="next"'}), "leads to another place"),
    "above": (Say(headers={"Link": '</token>; rel="next"'}), "leads to another place"),
    "endless": (Say(headers={"Link": f'<{TAGS}>; rel="next"'}), "more than 100 pages"),
    "no-list": (Say(body=b'{"tags": {"a": 1}}'), "not a list of tags"),
}


@pytest.mark.parametrize(("say", "expected"), TAG_FAULTS.values(), ids=TAG_FAULTS)
def test_tags_that_lead_astray_are_an_error(say: Say, expected: str, server: Server) -> None:
    server.says(TAGS, say)
    with pytest.raises(ExternalError, match=expected):
        registries().tags(server.host, "a/b")


def test_a_repository_without_tags_has_none(server: Server) -> None:
    server.says(TAGS, Say(body=b'{"name": "a/b", "tags": null}'))
    assert registries().tags(server.host, "a/b") == []


def test_plain_http_is_for_this_machine_and_for_hosts_that_are_named() -> None:
    client = Client(insecure=frozenset({"registry.example:5000"}))
    plain = ["localhost", "localhost:5000", "127.0.0.1:1", "[::1]:5000", "registry.example:5000"]
    assert {client.scheme(host) for host in plain} == {"http"}
    assert {client.scheme(host) for host in ("registry.example", "127.0.0.1.evil.example", "localhost.evil")} == {
        "https"
    }
    with pytest.raises(ExternalError, match=r"--insecure registry\.example"):
        client.get("http://registry.example/x", limit=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("entries: {a: [{version: 1.10}, {version: '1.9'}]}", ["1.10", "1.9"]),
        ("{entries: {b: [{version: 2}], a: [{version: 1, urls: [version, x]}, {}]}, a: [{version: 3}]}", ["1"]),
        ("entries: {a: [{maintainers: [{version: 1, version: 2}], version: 3}, [version, 4], {version: [5]}]}", ["3"]),
        ("entries: {a: []}", []),
        ("entries: {a: {version: 1}}", "has no chart 'a'"),
        ("entries: {b: []}", "has no chart 'a'"),
        ("{x: {entries: {a: [{version: 1}]}}, entries: {}}", "has no chart 'a'"),
        ("entries: [", "not a Helm index"),
        ("entries: []", "not a Helm index"),
        ("- a", "not a Helm index"),
        ("", "not a Helm index"),
        ("entries: \x01", "not a Helm index"),
        ("entries: {a: " + "[" * 1_000_000, "not a Helm index"),
    ],
)
def test_an_index_of_a_classic_repository_is_read_as_texts(
    text: str, expected: list[str] | str, server: Server
) -> None:
    server.says("/charts/index.yaml", Say(body=text.encode()))
    if isinstance(expected, list):
        assert registries().helm_versions(f"http://{server.host}/charts", "a") == expected
    else:
        with pytest.raises(KiwiError, match=expected):
            registries().helm_versions(f"http://{server.host}/charts", "a")


def pins(charts: Mapping[str, ChartPin], images: Mapping[str, ImagePin]) -> PinFiles:
    return PinFiles(
        pins=Pins(charts=charts, images=images), charts_file="c.yaml", images_file="i.yaml", line=lambda _: 7
    )


def test_failures_of_all_pins_are_one_error_with_the_place_of_each(server: Server) -> None:
    server.says("/v2/busy/manifests/1", Say(status=500))
    server.holds("arm", "1", index_of("linux/arm64", "unknown/unknown"))
    server.holds("bare", "1", index_of())
    images = {name: ImagePin(registry=server.host, repository=name, tag="1") for name in ("gone", "arm", "bare")}
    chart = ChartPin(registry="https://charts.example", name="x", version="1.0.0")
    wanted: Callable[[], object] = lambda: find_digests(  # noqa: E731 -- asked twice
        pins({"x": chart}, images), [("charts", "x"), *(("images", name) for name in images)], registries()
    )
    with pytest.raises(PinError) as raised:
        wanted()
    assert [str(problem) for problem in raised.value.problems] == [
        "c.yaml:7: charts.x.version: https://charts.example is no OCI registry: charts have no digest there",
        f"i.yaml:7: images.gone.tag: {server.host}/gone:1 does not exist",
        f"i.yaml:7: images.arm.tag: {server.host}/arm:1 is not there for linux/amd64: it is for linux/arm64",
        f"i.yaml:7: images.bare.tag: {server.host}/bare:1 is not there for linux/amd64: it is for nothing that it names",
    ]
    images["busy"] = ImagePin(registry=server.host, repository="busy", tag="1")
    with pytest.raises(ExternalError) as worse:
        wanted()
    assert len(worse.value.problems) == 5


def test_a_name_that_is_no_pin_is_an_error_before_anything_is_asked(server: Server) -> None:
    images = {"redis": ImagePin(registry=server.host, repository="redis", tag="1")}
    with pytest.raises(PinError, match="there is no image pin 'redsi'") as raised:
        find_digests(pins({}, images), [("images", "redis"), ("images", "redsi")], registries())
    assert "did you mean 'redis'" in str(raised.value)
    assert server.asked == []


def test_the_configuration_of_an_image_is_looked_at_and_hashed(server: Server) -> None:
    config = b'{"os": "linux", "architecture": "amd64"}'
    manifest = json.dumps({"config": {"mediaType": CONFIG, "digest": hashed(config)}}).encode()
    digest = server.holds("a/b", "1.0", manifest)
    files = pins({}, {"x": ImagePin(registry=server.host, repository="a/b", tag="1.0")})
    server.says(f"/v2/a/b/blobs/{hashed(config)}", Say(body=config))
    assert find_digests(files, [("images", "x")], registries()) == {("images", "x"): digest}
    server.says(f"/v2/a/b/blobs/{hashed(config)}", Say(body=config.replace(b"amd64", b"arm64")))
    with pytest.raises(ExternalError, match=r"announces .* and delivers"):
        find_digests(files, [("images", "x")], registries())


def test_equal_pins_are_asked_about_once(server: Server) -> None:
    server.says(TAGS, Say(body=b'{"tags": ["1.1"]}'))
    pin = ImagePin(registry=server.host, repository="a/b", tag="1.0")
    found = find_newer(pins({}, {"x": pin, "y": pin}), [("images", "x"), ("images", "y")], registries())
    assert [(row.name, row.versions) for row in found] == [("x", ["1.1"]), ("y", ["1.1"])]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("registry", "repository", "mirror", "path"),
    [
        ("docker.io", "redis", "HOST", "/v2/library/redis/manifests/1.0"),
        ("docker.io", "redis", "HOST/hub", "/v2/hub/library/redis/manifests/1.0"),
        ("docker.io", "a/b", "HOST/hub/x/", "/v2/hub/x/a/b/manifests/1.0"),
        ("ghcr.io", "redis", "HOST", "/v2/redis/manifests/1.0"),
    ],
)
def test_a_mirror_is_asked_in_place_of_its_registry(
    registry: str, repository: str, mirror: str, path: str, server: Server
) -> None:
    server.says(path, Say(body=GOOD))
    asking = attrs.evolve(registries(), mirrors={registry: mirror.replace("HOST", server.host)})
    assert asking.manifest(registry, repository, "1.0").digest == hashed(GOOD)


# Layers: long bodies, which are handed on as they come

BODY = bytes(range(256)) * 2000
LAYER = hashed(BODY)
BLOB = f"/v2/a/b/blobs/{LAYER}"


def download(server: Server, *, timeout: float = 5.0, size: int = len(BODY)) -> list[bytes]:
    """Return what each answer brought: the last one is whole, or the download failed."""
    bodies: list[bytes] = []

    def take(pieces: Iterator[bytes]) -> None:
        bodies.append(b"")
        for piece in pieces:
            bodies[-1] += piece

    registries(timeout=timeout).blob(server.host, "a/b", LAYER, size=size, take=take)
    return bodies


def test_a_layer_is_handed_on_in_pieces(server: Server) -> None:
    server.says(BLOB, Say(body=BODY))
    assert download(server) == [BODY]


def test_a_layer_that_broke_off_is_begun_anew(server: Server) -> None:
    server.says(BLOB, Say(body=BODY[:1000], length=len(BODY)), Say(body=BODY))
    assert download(server) == [BODY[:1000], BODY]


def test_a_layer_within_the_registry_is_followed_to(server: Server) -> None:
    server.says(BLOB, Say(status=307, body=b"see there", headers={"Location": "/moved"}))
    server.says("/moved", Say(body=BODY))
    assert download(server) == [BODY]


def test_a_layer_may_take_longer_than_an_answer(server: Server) -> None:
    """64 KiB a second are enough; what stands still for as long as an answer may take is given up."""
    body = BODY[:30]
    server.says(BLOB, Say(body=body, drip=0.01))
    assert download(server, timeout=0.2, size=1 << 20) == [body]


LAYER_FAULTS: dict[str, tuple[Say, str]] = {
    "gone": (Say(status=404), "answered 404 Not Found to /v2/a/b/blobs/sha256:"),
    "closed": (Say(status=403), "answered 403 Forbidden"),
    "broken-off": (Say(body=BODY[:100], length=len(BODY)), "broke off in the middle of an answer (asked 2 times)"),
    "too-long": (Say(body=BODY + b"x"), f"answers with more than {len(BODY)} bytes"),
    "standing-still": (Say(body=BODY[:4], drip=0.5), "did not answer within 0.2 s (asked 2 times)"),
    "down": (Say(status=503), "answered 503 Service Unavailable"),
}


@pytest.mark.parametrize(("say", "expected"), LAYER_FAULTS.values(), ids=LAYER_FAULTS)
def test_a_layer_that_does_not_come_is_a_clear_error(say: Say, expected: str, server: Server) -> None:
    server.says(BLOB, say)
    with pytest.raises(ExternalError) as raised:
        download(server, timeout=0.2 if say.drip else 5.0)
    assert expected in str(raised.value)


def test_a_manifest_that_was_asked_for_by_digest_has_that_digest(server: Server) -> None:
    server.holds("a/b", LAYER, GOOD, **{"Docker-Content-Digest": hashed(GOOD)})
    with pytest.raises(ExternalError, match=f"announces {LAYER} and delivers {hashed(GOOD)}"):
        registries().manifest(server.host, "a/b", LAYER)
