"""Ask servers over HTTP: bounded in time and in size, encrypted unless somebody said otherwise."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias, cast
from urllib.parse import urljoin, urlsplit

import attrs

from kiwi_core.errors import ExternalError, Problem

__all__ = ["Answer", "Client", "Take", "mapping", "refused", "unreadable"]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
WORTH_A_RETRY: Final = frozenset({429, 500, 502, 503, 504})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS: Final = 5
LONGEST_PAUSE: Final = 10.0
SLOWEST: Final = 64 << 10
"""How many bytes of a long answer have to come in a second."""

Take: TypeAlias = Callable[[Iterator[bytes]], None]
"""Takes a long body, piece by piece. Where an answer breaks off, it is called again with the next one's."""


class Response(Protocol):
    """What urllib answers with."""

    status: int

    def read1(self, amount: int = ..., /) -> bytes:
        """Read what is there, waiting for the first byte only."""
        ...


@attrs.frozen(kw_only=True)
class Answer:
    """What a server answered.

    Attributes:
        url: where the answer came from, after redirects.
        headers: by name in lower case; the last of several.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Client:
    """How servers are asked.

    Attributes:
        insecure: hosts, with their ports, that are asked over plain HTTP; those of this machine always are.
        timeout: seconds for one request.
        attempts: how often a server is asked that is down, slow, busy or broken.
        pause: seconds before the second attempt; twice as long before the next.
    """

    insecure: frozenset[str] = frozenset()
    timeout: float = 20.0
    attempts: int = 3
    pause: float = 0.5
    _given_up: dict[str, Problem] = attrs.field(factory=dict[str, Problem], init=False, repr=False)

    def scheme(self, host: str) -> str:
        """Return how a host is asked: ``https``, or ``http`` where that is allowed."""
        return "http" if host in self.insecure or urlsplit(f"//{host}").hostname in LOOPBACK else "https"

    def get(
        self, url: str, *, limit: int, headers: Mapping[str, str] | None = None, take: Take | None = None
    ) -> Answer:
        """Ask for a URL, with what a retry and a redirect take.

        Args:
            url: ``https``, or ``http`` where that is allowed.
            limit: how many bytes an answer may have.
            headers: what is sent along; ``Authorization`` goes to no other host.
            take: is given the body of a good answer, which is too long to be held and may take longer than
                ``timeout``; the answer that is returned then has none.

        Returns:
            The answer, of whatever status; one that is worth a retry had its retries.

        Raises:
            ExternalError: there is none: the server is down, too slow, says too much, or leads astray. One that was
                down, slow or busy in every attempt is not asked about anything else.
        """
        pause = self.pause
        host = urlsplit(url).netloc
        if host in self._given_up:
            raise ExternalError(self._given_up[host])
        for attempt in range(1, self.attempts + 1):
            try:
                answer = self._follow(url, limit, dict(headers or {}), take)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self.attempts:
                    problem = self._unanswered(url, error)
                    if isinstance(error, OSError):
                        self._given_up[host] = problem
                    raise ExternalError(problem) from error
            else:
                if answer.status not in WORTH_A_RETRY:
                    return answer
                if attempt == self.attempts:
                    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                        self._given_up[host] = refused(answer).problems[0]
                    return answer
                asked = answer.headers.get("retry-after", "")
                pause = max(pause, min(float(asked), LONGEST_PAUSE)) if asked.isdecimal() else pause
            time.sleep(pause)
            pause *= 2
        raise AssertionError("a client asks at least once")

    def _follow(self, url: str, limit: int, headers: dict[str, str], take: Take | None) -> Answer:
        """Ask, and ask where the server redirects to."""
        end = time.monotonic() + self.timeout + (limit / SLOWEST if take else 0)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(url, limit, headers, end, take)
            if answer.status not in REDIRECTS or "location" not in answer.headers:
                return answer
            target = urljoin(url, answer.headers["location"])
            old, new = urlsplit(url), urlsplit(target)
            is_elsewhere = (new.scheme, new.netloc) != (old.scheme, old.netloc)
            if is_elsewhere and new.scheme != "https":
                raise ExternalError(Problem(f"{old.netloc} redirects to {_shown(target)}, which is not encrypted"))
            if is_elsewhere:
                headers.pop("Authorization", None)
            url = target
        raise ExternalError(Problem(f"{_shown(url)} redirects more than {MOST_REDIRECTS} times"))

    def _ask(self, url: str, limit: int, headers: Mapping[str, str], end: float, take: Take | None) -> Answer:
        host = urlsplit(url).netloc
        if urlsplit(url).scheme != "https" and self.scheme(host) != "http":
            hint = f"use https, or allow it: --insecure {host}"
            raise ExternalError(Problem(f"{_shown(url)} is not encrypted", hint=hint))
        request = urllib.request.Request(  # noqa: S310 -- the scheme was looked at
            url, headers={"User-Agent": "kiwistack", **headers}
        )
        patience = min(max(end - time.monotonic(), 0.001), self.timeout)
        with _opener(host).open(request, timeout=patience) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            pieces = _pieces(response, names.get("content-length", ""), limit, end, host)
            body = b""
            if take is not None and response.status == HTTPStatus.OK:
                take(pieces)
            else:
                body = b"".join(pieces)
            return Answer(url=url, status=response.status, headers=names, body=body)

    def _unanswered(self, url: str, error: Exception) -> Problem:
        host, times = urlsplit(url).netloc, f"asked {self.attempts} times"
        # urllib wraps what went wrong while it connected.
        cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
        match cause:
            case TimeoutError():
                message = f"{host} did not answer within {self.timeout:g} s ({times})"
                return Problem(message, hint="--timeout SECONDS waits longer")
            case http.client.IncompleteRead():
                return Problem(f"{host} broke off in the middle of an answer ({times})")
            case ssl.SSLError():
                hint = f"where it speaks plain HTTP: --insecure {host}"
                return Problem(f"{host} cannot be reached over TLS: {cause.reason or cause}", hint=hint)
            case OSError():
                return Problem(f"{host} cannot be reached: {cause.strerror or cause} ({times})")
            case _:
                return Problem(f"{host} answered something that is no HTTP: {type(cause).__name__} ({times})")


def refused(answer: Answer, hint: str | None = None) -> ExternalError:
    """Return the error of an answer whose status is not the one that was hoped for."""
    host, status = urlsplit(answer.url).netloc, answer.status
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        hint = "wait a while, log in with docker login, or ask a mirror: --mirror REGISTRY=HOST"
    return ExternalError(Problem(f"{host} answered {phrase} to {urlsplit(answer.url).path}", hint=hint))


def mapping(answer: Answer) -> Mapping[str, object]:
    """Return the JSON mapping that a server answered with.

    Raises:
        ExternalError: it is something else.
    """
    try:
        data: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise unreadable(answer, "a JSON mapping")
    return cast("Mapping[str, object]", data)


def unreadable(answer: Answer, what: str) -> ExternalError:
    """Return the error of an answer that is not what it should be."""
    parts = urlsplit(answer.url)
    return ExternalError(Problem(f"{parts.netloc} answers to {parts.path} with something that is not {what}"))


def _opener(host: str) -> urllib.request.OpenerDirector:
    """Make what opens URLs: it follows no redirect, raises for no status, and knows no file: and ftp:."""
    opener = urllib.request.OpenerDirector()
    proxies = dict[str, str]() if urlsplit(f"//{host}").hostname in LOOPBACK else None
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _pieces(response: Response, length: str, limit: int, end: float, host: str) -> Iterator[bytes]:
    """Yield a body: the timeout of a socket alone would wait for ever on one that drips."""
    size = 0
    while piece := response.read1(1 << 16):
        size += len(piece)
        if size > limit:
            raise ExternalError(Problem(f"{host} answers with more than {limit} bytes"))
        if time.monotonic() > end:
            raise TimeoutError
        yield piece
    if length.isdecimal() and int(length) != size:
        raise http.client.IncompleteRead(b"", int(length) - size)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: user, query and control characters."""
    parts = urlsplit(url)
    return re.sub(r"[^ -~]", "?", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
