"""The website and its API."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast
from urllib.parse import parse_qs, quote
from uuid import UUID

import psycopg
import psycopg_pool
import urllib3
from minio.error import S3Error
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from memo.files import LARGEST, Files
from memo.memos import LONGEST_TEXT, Attachment, Memos, Row, shown
from memo.outermost import Outermost
from memo.pages import SIGN_IN, listed, page
from memo.settings import ServeSettings
from memo.signin import Ask, Issuer, NotSignedInError, Person

__all__ = ["OUTAGES", "make_app"]

OUTAGES: Final = (psycopg.OperationalError, psycopg_pool.PoolTimeout, urllib3.exceptions.HTTPError, S3Error)
"""What a service that cannot be reached, or refuses, makes of a call."""
SESSION: Final = "memo"
LASTS: Final = 8 * 3600
"""Seconds that somebody stays signed in."""
FILE_NAME: Final = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,80}/[\w.+-]{1,80}")
log = logging.getLogger("memo")


class Site:
    """What the website answers, with the services that it asks."""

    def __init__(self, settings: ServeSettings) -> None:
        """Prepare the services; nothing is asked yet."""
        self.memos = Memos(settings.database_url)
        self.files = Files(settings)
        self.issuer = Issuer(settings)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncGenerator[None]:
        """Hold the connections to the database."""
        self.memos.open()
        yield
        await run_in_threadpool(self.memos.close)

    async def live(self, _request: Request) -> Response:
        """Say that the process runs."""
        return JSONResponse({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Say whether everything is there that it takes to serve somebody."""
        checks = {"database": self.memos.problem, "bucket": self.files.problem, "issuer": self.issuer.problem}
        problems = {name: await run_in_threadpool(_problem, check) for name, check in checks.items()}
        is_ready = not any(problems.values())
        answer = {"ready": is_ready, **{name: problem or "ok" for name, problem in problems.items()}}
        return JSONResponse(answer, status_code=200 if is_ready else 503)

    async def page(self, request: Request) -> Response:
        """Show the memos of whoever is signed in, and take another one."""
        person = _in_session(request)
        if person is None:
            return HTMLResponse(page(SIGN_IN))
        if request.method == "POST":
            form = parse_qs((await _body(request, 16 * LONGEST_TEXT)).decode(errors="replace"))
            await run_in_threadpool(self.memos.add, person.id, _text(form.get("text", [""])[0]))
            return RedirectResponse("/", status_code=303)
        rows = await run_in_threadpool(self.memos.all_of, person.id)
        return HTMLResponse(page(listed(person, rows)))

    async def login(self, request: Request) -> Response:
        """Send a browser to the issuer."""
        ask = Ask()
        url = await run_in_threadpool(self.issuer.sign_in_url, ask)
        request.session.clear()
        request.session["ask"] = {"state": ask.state, "nonce": ask.nonce, "verifier": ask.verifier}
        return RedirectResponse(url, status_code=303)

    async def callback(self, request: Request) -> Response:
        """Let in who comes back from the issuer with a code."""
        kept = request.session.pop("ask", None)
        code, state = request.query_params.get("code"), request.query_params.get("state", "")
        if not kept or not secrets.compare_digest(state.encode(), str(kept["state"]).encode()):
            raise HTTPException(400, "this is no answer to a sign-in that began here: go to /login")
        if code is None:
            raise HTTPException(403, "the issuer let nobody in")
        try:
            person = await run_in_threadpool(self.issuer.redeem, code, Ask(**kept))
        except NotSignedInError as error:
            raise HTTPException(403, str(error)) from None
        request.session.clear()
        request.session["person"] = {"id": person.id, "name": person.name}
        return RedirectResponse("/", status_code=303)

    async def logout(self, request: Request) -> Response:
        """Sign out, here and at the issuer."""
        request.session.clear()
        place = await run_in_threadpool(self.issuer.sign_out_url)
        return RedirectResponse(place or "/", status_code=303)

    async def me(self, request: Request) -> Response:
        """Say who is signed in."""
        person = await self._person(request)
        return JSONResponse({"id": person.id, "name": person.name})

    async def all_memos(self, request: Request) -> Response:
        """List the memos that somebody sees, or add one."""
        person = await self._person(request)
        if request.method == "POST":
            # A form of another site cannot say that it is JSON.
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                raise HTTPException(415, "send application/json")
            try:
                given = cast("object", json.loads(await _body(request, 8 * LONGEST_TEXT)))
            except ValueError:
                raise HTTPException(400, "this is no JSON") from None
            text = _text(cast("dict[str, object]", given).get("text") if isinstance(given, dict) else None)
            return JSONResponse(shown(await run_in_threadpool(self.memos.add, person.id, text)), status_code=201)
        rows = await run_in_threadpool(self.memos.all_of, person.id)
        return JSONResponse({"memos": [shown(row) for row in rows]})

    async def one_memo(self, request: Request) -> Response:
        """Show one."""
        _, row = await self._row(request)
        return JSONResponse(shown(row))

    async def attachment(self, request: Request) -> Response:
        """Hand out an attachment, or take one."""
        person, row = await self._row(request)
        memo = cast("UUID", row["id"])
        if request.method != "PUT":
            content = await run_in_threadpool(self.files.get, memo) if row["attachment_name"] is not None else None
            if content is None:
                raise HTTPException(404, "this memo has no attachment")
            disposition = f"attachment; filename*=UTF-8''{quote(str(row['attachment_name']), safe='')}"
            return Response(
                content, media_type=str(row["attachment_type"]), headers={"content-disposition": disposition}
            )
        if row["owner"] != person.id:
            raise HTTPException(403, "this memo is somebody else's")
        name = request.query_params.get("name", "attachment")
        media_type = request.headers.get("content-type", "").partition(";")[0].strip() or "application/octet-stream"
        if not FILE_NAME.fullmatch(name) or not MEDIA_TYPE.fullmatch(media_type):
            raise HTTPException(400, "name: expected a file's name, and a Content-Type such as text/plain")
        content = await _body(request, LARGEST)
        await run_in_threadpool(self.files.put, memo, content, media_type)
        kept = Attachment(name=name, type=media_type, size=len(content))
        changed = await run_in_threadpool(self.memos.attach, person.id, memo, kept)
        return JSONResponse(shown(changed or row))

    async def _row(self, request: Request) -> tuple[Person, Row]:
        """Return who asks, and the memo of the path. What is somebody else's is as if it were not there."""
        person = await self._person(request)
        row = await run_in_threadpool(self.memos.one, person.id, cast("UUID", request.path_params["memo"]))
        if row is None:
            raise HTTPException(404, "there is no such memo")
        return person, row

    async def _person(self, request: Request) -> Person:
        """Return who asks: by an access token, or by the session of a browser."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() == "bearer":
                return await run_in_threadpool(self.issuer.person_of, token.strip())
        except NotSignedInError as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise HTTPException(401, str(error), headers=challenge) from None
        person = _in_session(request)
        if person is None:
            raise HTTPException(401, "nobody is signed in", headers={"www-authenticate": "Bearer"})
        return person


def make_app(settings: ServeSettings) -> ASGIApp:
    """Return the website."""
    site = Site(settings)
    memo = "/api/memos/{memo:uuid}"
    routes = [
        Route("/healthz", site.live),
        Route("/readyz", site.ready),
        Route("/", site.page, methods=["GET", "POST"]),
        Route("/login", site.login),
        Route("/callback", site.callback),
        Route("/logout", site.logout, methods=["GET", "POST"]),
        Route("/api/me", site.me),
        Route("/api/memos", site.all_memos, methods=["GET", "POST"]),
        Route(memo, site.one_memo),
        Route(f"{memo}/attachment", site.attachment, methods=["GET", "PUT"]),
    ]
    sessions = Middleware(
        SessionMiddleware,
        secret_key=settings.session_key,
        session_cookie=SESSION,
        max_age=LASTS,
        same_site="lax",
        https_only=settings.memo_url.startswith("https://"),
    )
    handlers: dict[type[Exception], ExceptionHandler] = dict.fromkeys((*OUTAGES, NotSignedInError), _outage)
    handlers[HTTPException] = _refusal
    return Outermost(
        Starlette(routes=routes, middleware=[sessions], exception_handlers=handlers, lifespan=site.lifespan)
    )


async def _outage(_request: Request, error: Exception) -> Response:
    """A service cannot be reached: say which kind of error, and nothing of what it says."""
    log.warning("%s: a service cannot be reached", type(error).__name__)
    return JSONResponse({"error": "a service that this takes cannot be reached: try again"}, status_code=503)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # it is asked for nothing else
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=error.headers)


def _problem(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except OUTAGES as error:
        return f"it cannot be reached: {type(error).__name__}"


def _in_session(request: Request) -> Person | None:
    kept = request.session.get("person")
    return Person(**kept) if kept else None


async def _body(request: Request, most: int) -> bytes:
    """Return what a request brings along; what is too large is not read to its end."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise HTTPException(413, f"this has more than {most} bytes")
    return bytes(content)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT or "\0" in value:
        raise HTTPException(400, f"text: expected 1 to {LONGEST_TEXT} characters")
    return value
