"""An application's API as a seed over HTTP asks it: signed in, one request at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

from kiwi_core._hooks.http import Http, Reply
from kiwi_core._hooks.http_body import part
from kiwi_core._hooks.http_seed_parts import CallState, LoginState
from kiwi_core._model.desired import Session
from kiwi_core.errors import Forbidden, HookError, Problem, Refused

if TYPE_CHECKING:
    from kiwi_core._hooks.http_seed_state import HttpSeedState

__all__ = ["HttpSeedClient", "register"]

REFUSED: Final = (400, 401, 403, 422)
"""What forms answer with to a wrong password; FastAPI Users says 400 (fastapi_users/router/auth.py)."""
ALL: Final = range(300, 600)
CLIENT_ERRORS: Final = range(400, 500)


class HttpSeedClient:
    """The API, signed in.

    Args:
        state: what is wanted of it.
        session: the session, which keeps the connection.

    Raises:
        Refused: it takes no such account.
    """

    def __init__(self, state: HttpSeedState, session: Session) -> None:
        self._state = state
        self._session = session
        self._http = Http.kept(state.url, session)
        self._headers: Mapping[str, str] = {}
        if state.login is not None:
            self._headers, _ = session.sign_in(state.login.password, self._enter)
        if state.bearer is not None:
            self._headers = {"Authorization": f"Bearer {session.secret(state.bearer)}"}

    @classmethod
    def kept(cls, state: HttpSeedState, session: Session) -> HttpSeedClient:
        """Return the session's own, which signs in when it is first asked for."""
        login = state.login
        key = (cls, state.url, login and (login.path, login.user, login.password), state.bearer)
        return session.client(key, lambda: cls(state, session))

    def find(self) -> list[Mapping[str, object]]:
        """Return the objects that match; without a match the one that there is."""
        state = self._state
        reply = self._http.ask("GET", state.find, headers=self._headers, takes=ALL)
        self._check(reply, "GET", state.find, says="")
        if not state.wanted.match:
            return [reply.mapping()]
        listed = part(reply.json(), state.items)
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in cast("list[object]", listed)):
            raise reply.unreadable(f"a list of JSON mappings{f' at {state.items!r}' if state.items else ''}")
        return [item for item in cast("list[Mapping[str, object]]", listed) if state.wanted.is_match(item)]

    def id_of(self, found: Mapping[str, object]) -> str:
        """Return the id of an object; empty where the API has but one."""
        name = self._state.wanted.id_field
        value = found.get(name)
        if not self._state.wanted.match:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            hint = "name the field that holds it as id_field"
            raise HookError(Problem(f"{self._http.at}: an object of {self._state.find} has no id {name!r}", hint=hint))
        return str(value)

    def send(self, call: CallState, body: Mapping[str, object] | None, *, to: str = "", is_secret: bool) -> Reply:
        """Send a request that changes something.

        Args:
            call: the request.
            body: what is sent beside its own body; None for neither.
            to: the object's id.
            is_secret: whether secrets are sent, so that the answer must not be shown.
        """
        path = call.path.replace("{id}", quote(to, safe=""))
        sent = None if body is None else {**body, **call.body.filled(self._session.secret)}
        reply = self._http.ask(call.method, path, body=sent, headers=self._headers, takes=ALL)
        is_secret = is_secret or bool(call.body.secrets)
        self._check(reply, call.method, path, says="" if is_secret else reply.said("detail", "message", "error"))
        return reply

    def _check(self, reply: Reply, method: str, path: str, *, says: str) -> None:
        if reply.status not in ALL:
            return
        error = reply.error(said=says)
        if isinstance(error, Forbidden):
            whom = f"the account {self._state.login.user}" if self._state.login else "the token"
            error = Forbidden(Problem(error.problems[0].message, hint=f"{whom} needs the right to {method} {path}"))
        raise error

    def _enter(self, password: str) -> Mapping[str, str]:
        login = cast("LoginState", self._state.login)
        form = {login.user_field: login.user, login.password_field: password}
        words = f"POST {login.path} as {login.user}"
        reply = self._http.ask("POST", login.path, words=words, form=form, takes=REFUSED)
        if reply.status in REFUSED:
            message = (
                f"{self._http.at} does not take {login.user} with this password: {reply.status} to POST {login.path}"
            )
            raise Refused(Problem(message, hint="the password in its Secret is not the one that the server knows"))
        cookie = reply.headers.get("set-cookie", "").partition(";")[0].strip()
        if "=" not in cookie:
            raise HookError(f"{self._http.at} answered {reply.status} to {words}, and set no cookie")
        return {"Cookie": cookie}


def register(state: HttpSeedState, session: Session) -> None:
    """Make the account, and sign in with it.

    Raises:
        Refused: it is there, with another password, or cannot be made.
    """
    login = cast("LoginState", state.login)
    call = cast("CallState", login.register)
    http = Http.kept(state.url, session)
    words = f"{call} for {login.user}"
    reply = http.ask(call.method, call.path, words=words, body=call.body.filled(session.secret), takes=CLIENT_ERRORS)
    try:
        HttpSeedClient.kept(state, session)
    except Refused as error:
        answer = f"; {reply.status} to {call}, so it was not made" if reply.status in CLIENT_ERRORS else ""
        problem = error.problems[0]
        raise Refused(Problem(f"{problem.message}{answer}", hint=problem.hint)) from None
