"""Ask servers for JSON over HTTP, as hooks do: one request at a time, bounded in time and in size, and no surprises.

No redirect is followed, no proxy is asked, and nothing is tried again: a hook looks at the server anew instead. Messages
hold no body, no query and no header, since each may hold a secret.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import ssl
import time
from collections.abc import Container, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode, urlsplit

import attrs

from kiwi_core._hooks.urls import PORTS, at, bracketed, port_of, server_problem, shown
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, ExternalError, Forbidden, HookError, Problem, Refused, Unreachable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

__all__ = ["Http", "Reply"]

LONGEST_REQUEST: Final = 30.0
"""Seconds; a server that is starting may be slow."""
MOST_BYTES: Final = 8 << 20
"""How long an answer may be; a hundred clients of Keycloak take less than one."""
NO_HEADER: Final = re.compile(r"[^\t -~]")
"""What a header's value cannot hold; http.client would show the value in its error."""
NOT_READY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
ERRORS: Final[Mapping[int, type[HookError]]] = {401: Refused, 403: Forbidden, 409: Conflict, 412: Conflict}


@attrs.frozen(kw_only=True)
class Reply:
    """What a server answered.

    Attributes:
        at: the server, ``host:port``.
        words: what was asked, without a secret.
        status: the status code.
        headers: by name in lower case.
        body: as it came.
    """

    at: str
    words: str
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def json(self) -> object:
        """Return the JSON that it holds.

        Raises:
            HookError: it holds something else.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self.unreadable("JSON") from None  # a ValueError holds the text

    def mapping(self) -> Mapping[str, object]:
        """Return the JSON mapping that it holds.

        Raises:
            HookError: it holds something else.
        """
        data = self.json()
        if not isinstance(data, dict):
            raise self.unreadable("a JSON mapping")
        return cast("Mapping[str, object]", data)

    def mappings(self) -> list[Mapping[str, object]]:
        """Return the list of JSON mappings that it holds.

        Raises:
            HookError: it holds something else.
        """
        data = self.json()
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in cast("list[object]", data)):
            raise self.unreadable("a list of JSON mappings")
        return cast("list[Mapping[str, object]]", data)

    def said(self, *keys: str) -> str:
        """Return the server's own words about an error: the text of the first such key; empty where there is none.

        Args:
            keys: keys of its JSON that are known to repeat nothing secret that was sent.
        """
        try:
            data = self.mapping()
        except HookError:
            return ""
        texts = (data.get(key) for key in keys)
        found = next((text for text in texts if isinstance(text, str) and text), "")
        return re.sub(r"[^ -~]+", " ", found)[:300]

    def error(self, *, said: str = "", hint: str | None = None) -> HookError:
        """Return the error that its status means.

        401 is Refused, 403 Forbidden, 409 and 412 are Conflict; Unreachable are those that a server answers with while
        it starts or has too much to do; all others are a HookError.

        Args:
            said: what else is known, without a secret, such as :meth:`said` gives.
            hint: what to do.
        """
        try:
            phrase = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            phrase = str(self.status)
        message = f"{self.at} answered {phrase} to {self.words}{f': {said}' if said else ''}"
        if self.status // 100 == 3:  # noqa: PLR2004 -- a redirect
            target = self.headers.get("location", "")
            message += f": it redirects to {shown(target)}, which is not followed" if target else ""
            hint = hint or "name the address that it redirects to, where that is the server meant"
        form = Unreachable if self.status in NOT_READY else ERRORS.get(self.status, HookError)
        return form(Problem(message, hint=hint))

    def unreadable(self, what: str) -> HookError:
        """Return the error of an answer that is not what it should be."""
        return HookError(Problem(f"{self.at} answered to {self.words} with something that is not {what}"))


class Http:
    """A server that is asked over HTTP.

    Args:
        base: its URL, ``http`` or ``https``, with the path that all others begin with.
        session: counts the requests, knows the deadline, and where to connect.
        ca: the certificates of those who may vouch for it, as PEM; None: those whom the machine trusts.

    Raises:
        HookError: the URL is none of a server, or there is no certificate where one should be.
        ExternalError: urllib3 is not installed.
    """

    def __init__(self, base: str, session: Session, *, ca: str | None = None) -> None:
        if problem := server_problem(base):
            raise HookError(problem)
        parts, host, port = urlsplit(base), urlsplit(base).hostname or "", port_of(base) or 0
        self.at = at(base)
        self._session = session
        self._path = parts.path.rstrip("/")
        self._headers = {
            "Host": bracketed(host) if port == PORTS[parts.scheme] else self.at,
            "User-Agent": "kiwistack",
            "Accept": "application/json",
        }
        self._pool = self._make_pool(parts.scheme, host, session.address(host, port), ca)

    @classmethod
    def kept(cls, base: str, session: Session, *, ca: str | None = None) -> Http:
        """Return the session's own, with its connection, made when it is first asked for."""
        key = (cls, base, ca)
        return session.client(key, lambda: cls(base, session, ca=ca), lambda made: made.close())

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        self._pool.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        words: str = "",
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        takes: Container[int] = (),
        hint: str | None = None,
    ) -> Reply:
        """Make one request and return what is answered to it.

        Args:
            method: such as ``GET``.
            path: after the base's; what comes from elsewhere is percent-encoded already.
            words: what is asked, for messages and proofs; method and path by default. Needed where the path is secret.
            query: goes behind the path.
            body: what is sent as JSON; None is nothing.
            form: what is sent as a form, instead.
            headers: what is sent along; a ``Content-Type`` among them is that of the JSON.
            takes: statuses that are returned as they are, beside 2xx.
            hint: what to do about an error.

        Raises:
            HookError: it answers otherwise, as :meth:`Reply.error` says; it does not answer (Unreachable); or what it
                answers is too long or no HTTP.
        """
        words = words or f"{method} {path}"
        sent = {**self._headers, **(headers or {})}
        data: bytes | None = None
        if form is not None:
            data, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        for name, value in sent.items():
            if NO_HEADER.search(value):
                hint = "a secret from a file often ends with a line break: seal it again without"
                raise HookError(Problem(f"the header {name} of {words} holds what no header can hold", hint=hint))
        target = f"{self._path}{path}{f'?{urlencode(query)}' if query else ''}"
        with self._session.request(words):
            reply = self._ask(method, target, words, data, sent)
        if reply.status // 100 != 2 and reply.status not in takes:  # noqa: PLR2004 -- done
            raise reply.error(hint=hint)
        return reply

    def _ask(self, method: str, target: str, words: str, data: bytes | None, headers: Mapping[str, str]) -> Reply:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        seconds = self._session.seconds_left(LONGEST_REQUEST)
        end = time.monotonic() + seconds
        try:
            response = self._pool.urlopen(
                method,
                target,
                body=data,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=Timeout(total=seconds),
                preload_content=False,
                decode_content=False,
            )
            try:
                body = self._read(response, words, end)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (HTTPError, OSError, http.client.HTTPException) as error:
            # Without its cause: an error of urllib3 can hold the request, or a part of the answer.
            raise self._unanswered(error, words, seconds) from None
        return Reply(
            at=self.at,
            words=words,
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
        )

    def _read(self, response: BaseHTTPResponse, words: str, end: float) -> bytes:
        """Read a body: the timeout of a socket alone would wait for ever on one that drips."""
        body = bytearray()
        while chunk := response.read1(1 << 16):
            body += chunk
            if len(body) > MOST_BYTES:
                raise HookError(f"{self.at} answered to {words} with more than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise TimeoutError
        return bytes(body)

    def _unanswered(self, error: Exception, words: str, seconds: float) -> HookError:
        """Return the error of a request that was not answered."""
        from urllib3 import exceptions as of

        cause: object = error
        # urllib3 wraps what went wrong in its arguments.
        if isinstance(error, of.ProtocolError | of.SSLError):
            cause = next((part for part in error.args if isinstance(part, Exception)), error)
        match cause:
            case of.NewConnectionError():
                reason = cause.__cause__.strerror if isinstance(cause.__cause__, OSError) else None
                return Unreachable(f"{self.at} cannot be reached: {reason or 'no connection'}")
            case of.TimeoutError() | TimeoutError():
                return Unreachable(f"{self.at} did not answer to {words} within {seconds:.0f} s")
            case ssl.SSLError():
                return self._untrusted(cause)
            case of.IncompleteRead() | http.client.IncompleteRead() | OSError():
                return Unreachable(f"{self.at} broke off before it had answered to {words}")
            case _:
                hint = "where it speaks TLS, its URL begins with https://"
                return HookError(Problem(f"{self.at} answered to {words} with something that is no HTTP", hint=hint))

    def _untrusted(self, error: ssl.SSLError) -> HookError:
        """Return the error of a connection that cannot be encrypted, or is to somebody else."""
        match error:
            case ssl.SSLCertVerificationError():
                # Not final: a certificate that was asked for with the same deploy takes a while to be issued.
                hint = "give the certificate of the authority that signed it, or correct the host name"
                message = f"{self.at} has a certificate that is not trusted: {error.verify_message}"
                return Unreachable(Problem(message, hint=hint))
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return Unreachable(f"{self.at} broke off while TLS was negotiated")
            case _:
                hint = "where it speaks plain HTTP, its URL begins with http://"
                message = f"{self.at} cannot be reached over TLS: {error.reason or 'it speaks something else'}"
                return HookError(Problem(message, hint=hint))

    @staticmethod
    def _make_pool(scheme: str, host: str, address: tuple[str, int], ca: str | None) -> HTTPConnectionPool:
        try:
            import urllib3
        except ModuleNotFoundError:
            raise ExternalError(
                Problem("urllib3 is not installed, which hooks ask servers with", hint="install kiwi-core[hooks]")
            ) from None
        # It writes URLs down, and a query may hold a secret.
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).disabled = True
        if scheme == "http":
            return urllib3.HTTPConnectionPool(*address, maxsize=1)
        context = ssl.create_default_context() if ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if ca is not None:
                context.load_verify_locations(cadata=ca)
        except (TypeError, ValueError, ssl.SSLError):
            hint = "it holds certificates as PEM, beginning with '-----BEGIN CERTIFICATE-----'"
            raise HookError(Problem(f"what is to vouch for {host} holds no certificate", hint=hint)) from None
        # The certificate is that of the name, also where a tunnel leads there.
        return urllib3.HTTPSConnectionPool(*address, maxsize=1, ssl_context=context, server_hostname=host)
