"""Ask servers over HTTP: bounded in time and in size, encrypted unless somebody said otherwise."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Protocol, cast
from urllib.parse import urljoin, urlsplit

import attrs

from kiwi_core.errors import ExternalError, Problem

__all__ = ["Answer", "Client", "mapping", "refused", "unreadable"]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
WORTH_A_RETRY: Final = frozenset({429, 500, 502, 503, 504})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS: Final = 5
LONGEST_PAUSE: Final = 10.0


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

    def get(self, url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a URL, with what a retry and a redirect take.

        Args:
            url: ``https``, or ``http`` where that is allowed.
            limit: how many bytes an answer may have.
            headers: what is sent along; ``Authorization`` goes to no other host.

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
                answer = self._follow(url, limit, dict(headers or {}))
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

    def _follow(self, url: str, limit: int, headers: dict[str, str]) -> Answer:
        """Ask, and ask where the server redirects to."""
        end = time.monotonic() + self.timeout
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(url, limit, headers, end)
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

    def _ask(self, url: str, limit: int, headers: Mapping[str, str], end: float) -> Answer:
        host = urlsplit(url).netloc
        if urlsplit(url).scheme != "https" and self.scheme(host) != "http":
            hint = f"use https, or allow it: --insecure {host}"
            raise ExternalError(Problem(f"{_shown(url)} is not encrypted", hint=hint))
        request = urllib.request.Request(  # noqa: S310 -- the scheme was looked at
            url, headers={"User-Agent": "kiwistack", **headers}
        )
        with _opener(host).open(request, timeout=max(end - time.monotonic(), 0.001)) as response:
            body = _body(response, limit, end, host)
            names = {name.lower(): value for name, value in response.headers.items()}
            length = names.get("content-length", "")
            if length.isdecimal() and int(length) != len(body):
                raise http.client.IncompleteRead(body, int(length) - len(body))
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


def _body(response: Response, limit: int, end: float, host: str) -> bytes:
    """Read a body: the timeout of a socket alone would wait for ever on one that drips."""
    body = bytearray()
    while chunk := response.read1(1 << 16):
        body += chunk
        if len(body) > limit:
            raise ExternalError(Problem(f"{host} answers with more than {limit} bytes"))
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(body)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: user, query and control characters."""
    parts = urlsplit(url)
    return re.sub(r"[^ -~]", "?", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
