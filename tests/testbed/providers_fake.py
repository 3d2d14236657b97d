"""A stand-in for an application that keeps language-model providers, with the traps of Onyx's API.

Written from the routes of onyx-dot-app/onyx (backend/onyx/server/manage/llm, FastAPI Users), not from their code, and
far from complete:

* ``POST /auth/register`` makes an account; the first is an administrator, others are not. 400 where it is there.
* ``POST /auth/login`` takes a form, gives a cookie, and answers 400 to a wrong password.
* ``GET /admin/llm/provider`` lists providers with their keys masked. 403 to who is no administrator.
* ``PUT /admin/llm/provider`` replaces the whole provider of an id, and drops what is not sent; without an id it makes
  one, also where there is one of the same name. The key is taken only where ``api_key_changed`` is true.
* ``PATCH`` and ``DELETE /admin/llm/provider/{id}``, which not every such API has.
* ``GET`` and ``PUT /admin/security`` for an object of which there is but one.

It also lets in a bearer token. Nothing that is seen here is a proof for the real server.
"""

from __future__ import annotations

import functools
import re
import secrets
from typing import Any, cast

from testbed.fakes import Answer, Fake, Request, Route, State, serve

__all__ = ["Providers"]

FIELDS = ("name", "provider", "api_base", "is_public", "note", "model_configurations")


class Providers(Fake):
    """The stand-in.

    Attributes:
        token: the bearer token that it lets in.
    """

    program = "providers"
    module = "testbed.providers_fake"

    def __init__(self) -> None:
        """Take a port and make a folder."""
        super().__init__()
        self.token = secrets.token_urlsafe(24)

    def first_state(self) -> State:
        """Nobody, and nothing."""
        return {
            "token": self.token,
            "users": {},
            "sessions": {},
            "providers": [],
            "next": 1,
            "security": {"password_auth_enabled": True, "level": "all"},
        }


def find(method: str, path: str) -> tuple[Route, bool] | None:
    """The route of a request."""
    if match := re.fullmatch(r"/admin/llm/provider/(\d+)", path):
        route = {"PATCH": patch, "DELETE": delete}.get(method)
        return route and (functools.partial(route, number=int(match[1])), True)
    return ROUTES.get((method, path))


def health(_state: State, _request: Request) -> Answer:
    """It is up."""
    return Answer(200, {"success": True})


def register(state: State, request: Request) -> Answer:
    """Make an account."""
    if request.body["email"] in state["users"]:
        return Answer(400, {"detail": "REGISTER_USER_ALREADY_EXISTS"})
    state["users"][request.body["email"]] = {
        "password": request.body["password"],
        "is_admin": not any(user["is_admin"] for user in state["users"].values()),
    }
    return Answer(201, {"email": request.body["email"]})


def login(state: State, request: Request) -> Answer:
    """Sign in."""
    user = state["users"].get(request.body.get("username"))
    if user is None or user["password"] != request.body.get("password"):
        return Answer(400, {"detail": "LOGIN_BAD_CREDENTIALS"})
    cookie = secrets.token_urlsafe(16)
    state["sessions"][cookie] = request.body["username"]
    return Answer(204, Set_Cookie=f"fastapiusersauth={cookie}; HttpOnly; Max-Age=604800; Path=/; SameSite=lax; Secure")


def delete_user(state: State, request: Request) -> Answer:
    """Remove an account, for a test."""
    state["users"].pop(request.query["email"], None)
    state["sessions"].clear()
    return Answer(200, {})


def list_providers(state: State, request: Request) -> Answer:
    """All providers, newest first."""
    check_admin(state, request)
    return Answer(200, [masked(each) for each in reversed(state["providers"])])


def put(state: State, request: Request) -> Answer:
    """Make a provider, or replace one."""
    check_admin(state, request)
    body = request.body
    if "provider" not in body:
        missing = {"type": "missing", "loc": ["body", "provider"], "msg": "Field required", "input": body}
        return Answer(422, {"detail": [missing]})
    if body.get("id") is None:
        if request.query.get("is_creation") != "true":
            return Answer(400, {"detail": f"LLM Provider with name {body.get('name')} does not exist"})
        one: dict[str, Any] = {"id": state["next"], "api_key": None}
        state["next"] += 1
        state["providers"].append(one)
    else:
        one = provider(state, body["id"])
        one |= dict.fromkeys(FIELDS)
    if body.get("api_key_changed"):
        one["api_key"] = body.get("api_key")
    one |= {name: body.get(name) for name in FIELDS}
    return Answer(200, masked(one))


def patch(state: State, request: Request, number: int) -> Answer:
    """Change fields of a provider."""
    check_admin(state, request)
    one = provider(state, number)
    one |= {name: value for name, value in request.body.items() if name in (*FIELDS, "api_key")}
    return Answer(200, masked(one))


def delete(state: State, request: Request, number: int) -> Answer:
    """Remove a provider."""
    check_admin(state, request)
    state["providers"].remove(provider(state, number))
    return Answer(200, {})


def get_security(state: State, request: Request) -> Answer:
    """The settings."""
    check_admin(state, request)
    return Answer(200, state["security"])


def put_security(state: State, request: Request) -> Answer:
    """Replace the settings."""
    check_admin(state, request)
    state["security"] = request.body
    return Answer(200, state["security"])


def keys(state: State, request: Request) -> Answer:
    """What nobody can read otherwise, for a test: the keys in clear."""
    check_token(state, request)
    return Answer(200, {str(one["id"]): one["api_key"] for one in state["providers"]})


def provider(state: State, number: object) -> dict[str, Any]:
    """The provider of an id."""
    for one in state["providers"]:
        if one["id"] == number:
            return cast("dict[str, Any]", one)
    raise Answer(404, {"detail": "no such provider"})


def masked(one: dict[str, Any]) -> dict[str, Any]:
    """A provider as it is shown."""
    return {**one, "api_key": one["api_key"] and f"{one['api_key'][:4]}****{one['api_key'][-4:]}"}


def check_admin(state: State, request: Request) -> None:
    """Let in administrators, and the token."""
    cookie = request.headers.get("cookie", "").removeprefix("fastapiusersauth=")
    user = state["users"].get(state["sessions"].get(cookie))
    if user is None:
        check_token(state, request)
    elif not user["is_admin"]:
        raise Answer(403, {"detail": "Access denied. User is not an admin."})


def check_token(state: State, request: Request) -> None:
    """Let in the token alone."""
    if request.headers.get("authorization") != f"Bearer {state['token']}":
        raise Answer(401, {"detail": "Access denied. User is not authenticated."})


ROUTES: dict[tuple[str, str], tuple[Route, bool]] = {
    ("GET", "/health"): (health, False),
    ("POST", "/auth/register"): (register, True),
    ("POST", "/auth/login"): (login, False),
    ("DELETE", "/auth/user"): (delete_user, True),
    ("GET", "/admin/llm/provider"): (list_providers, False),
    ("PUT", "/admin/llm/provider"): (put, True),
    ("GET", "/admin/security"): (get_security, False),
    ("PUT", "/admin/security"): (put_security, True),
    ("GET", "/keys"): (keys, False),
}

if __name__ == "__main__":
    serve(find)
