"""What surrounds the website: headers on every answer, and a log of requests."""

from __future__ import annotations

import logging
import time
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Outermost"]

HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
PROBES: Final = ("/healthz", "/readyz")
OK: Final = 200
log = logging.getLogger("memo")


class Outermost:
    """Puts headers on every answer, and a line into the log: without a query, which may hold a code to sign in with."""

    def __init__(self, app: ASGIApp) -> None:
        """Surround an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, statuses = time.monotonic(), list[int]()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            status = statuses[0] if statuses else 500
            if scope["path"] not in PROBES or status != OK:  # probes that find all well are no news
                took = (time.monotonic() - began) * 1000
                log.info("%s %s %d %.0f ms", scope["method"], quote(scope["path"]), status, took)
