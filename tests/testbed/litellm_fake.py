"""A stand-in for LiteLLM's proxy with its database: teams, virtual keys, and who may do what.

The proxy itself runs nowhere here: its database client loads an engine from a host that cannot be reached. This is
written anew from what the routes of litellm 1.109.1 (its wheel on PyPI) do: ``proxy/management_endpoints`` (keys and
teams), ``types/proxy/management_endpoints`` (what requests hold), ``proxy/auth`` and ``proxy/utils.py``. Status codes
and the form of answers were compared with those of these routes themselves, run on tables in memory. Its traps are kept:

* a field that no request has is ignored; one of another type is answered with 422;
* ``/team/new`` answers 400 where the team is there, and makes whoever asks a member;
* ``/key/generate`` refuses an alias that any key has (400); where only the key is there it answers 200, shows what was
  asked for, and changes nothing; it takes a team that is not there;
* a key is kept as its SHA-256 and shown as such; ``/key/info`` shows deleted keys, too, as ``deleted``;
* updates set what is sent, null included, and replace metadata as a whole;
* ``/key/delete`` answers 404 where no key is there; ``/team/delete`` deletes the team's keys;
* who is no administrator is answered with 401, as an unknown key is, or with 403 where the key's routes forbid it.

Nothing that is seen here is called proven for LiteLLM.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from testbed.fakes import Answer, Fake, Request, Route, State, serve

__all__ = ["LiteLlm"]

MODELS = ("small", "large")
SHORTEST = 16
HOURS = {"h": 1, "d": 24}

Check = Callable[[object], bool]
Row = dict[str, Any]  # JSON


class LiteLlm(Fake):
    """The stand-in.

    Attributes:
        master_key: its master key, another one each time.
    """

    program = "litellm"
    module = "testbed.litellm_fake"

    def __init__(self) -> None:
        """Take a port and make a folder."""
        super().__init__()
        self.master_key = f"sk-{secrets.token_hex(20)}"

    def first_state(self) -> State:
        """No team and no key."""
        return {"master": digest(self.master_key), "teams": {}, "keys": {}, "deleted": {}}


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, int) and value >= 0)


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list)


def _is_mapping(value: object) -> bool:
    return value is None or isinstance(value, dict)


SHARED: Mapping[str, Check] = {
    "models": _is_list,
    "max_budget": _is_number,
    "budget_duration": _is_text,
    "tpm_limit": _is_limit,
    "rpm_limit": _is_limit,
    "metadata": _is_mapping,
}
TEAM: Mapping[str, Check] = {"team_alias": _is_text, **SHARED}
KEY: Mapping[str, Check] = {"key_alias": _is_text, "team_id": _is_text, "allowed_routes": _is_list, **SHARED}


def find(method: str, path: str) -> tuple[Route, bool] | None:
    """The route of a request."""
    return ROUTES.get((method, path))


def health(_state: State, _request: Request) -> Answer:
    """It is up."""
    return Answer(200, {"status": "healthy", "db": "connected"})


def team_new(state: State, request: Request) -> Answer:
    """Make a team."""
    check_admin(state, request)
    fields = taken(request, TEAM)
    name = request.body.get("team_id") or secrets.token_hex(16)
    if name in state["teams"]:
        raise failed(400, f"{{'error': 'Team id = {name} already exists. Please use a different team id.'}}")
    member = {"user_id": "default_user_id", "user_email": None, "role": "admin"}
    empty: Row = {"models": [], "metadata": {}, "blocked": False, "spend": 0.0, "members_with_roles": [member]}
    state["teams"][name] = {**dict.fromkeys(TEAM), **empty, **present(fields), "team_id": name}
    return Answer(200, state["teams"][name])


def team_update(state: State, request: Request) -> Answer:
    """Set fields of a team."""
    check_admin(state, request)
    fields = taken(request, TEAM)
    name = request.body.get("team_id")
    if name not in state["teams"]:
        raise failed(404, f"{{'error': 'Team not found, passed team_id={name}'}}")
    state["teams"][name] |= fields
    return Answer(200, {"team_id": name, "data": state["teams"][name]})


def team_block(state: State, request: Request, *, is_blocked: bool) -> Answer:
    """Block a team, or lift its block."""
    check_admin(state, request)
    state["teams"][request.body["team_id"]]["blocked"] = is_blocked
    return Answer(200, state["teams"][request.body["team_id"]])


def team_delete(state: State, request: Request) -> Answer:
    """Delete teams with their keys."""
    check_admin(state, request)
    for name in request.body["team_ids"]:
        if name not in state["teams"]:
            raise Answer(404, {"detail": {"error": f"Team not found, passed team_id={name}"}})
    for name in request.body["team_ids"]:
        del state["teams"][name]
        bury(state, [token for token, key in state["keys"].items() if key["team_id"] == name])
    return Answer(200, {"deleted_teams": request.body["team_ids"]})


def team_info(state: State, request: Request) -> Answer:
    """A team with its keys."""
    caller = check_key(state, request, "/team/info")
    name = request.query.get("team_id", "")
    if name not in state["teams"]:
        raise failed(404, f"{{'message': 'Team not found, passed team id: {name}.'}}")
    if caller is not None and caller["team_id"] != name:
        raise failed(403, f"{{'error': 'API key not authorized to access this team={name}. …'}}", "auth_error")
    keys = [key for key in state["keys"].values() if key["team_id"] == name]
    return Answer(200, {"team_id": name, "team_info": state["teams"][name], "keys": keys, "team_memberships": []})


def team_list(state: State, request: Request) -> Answer:
    """All teams with their keys."""
    check_admin(state, request)
    keys = state["keys"].values()
    return Answer(
        200,
        [{**team, "keys": [key for key in keys if key["team_id"] == name]} for name, team in state["teams"].items()],
    )


def key_generate(state: State, request: Request) -> Answer:
    """Make a key."""
    check_admin(state, request)
    fields = taken(request, KEY)
    value = request.body.get("key") or f"sk-{secrets.token_urlsafe(16)}"
    check_alias(state, fields.get("key_alias"), "")
    if not value.startswith("sk-") or len(value) < SHORTEST:
        raise failed(400, "{'error': \"Invalid key format. LiteLLM Virtual Key must …\"}")
    if request.body.get("key_type") == "llm_api":
        fields["allowed_routes"] = ["llm_api_routes"]
    token = digest(value)
    empty: Row = {"models": [], "metadata": {}, "allowed_routes": [], "blocked": None, "spend": 0.0}
    row: Row = {**dict.fromkeys(KEY), **empty, **present(fields), "token": token, "key_name": f"sk-...{value[-4:]}"}
    row["expires"] = expiry(request.body.get("duration"))
    state["keys"].setdefault(token, row)
    return Answer(200, {**row, "key": value})


def key_update(state: State, request: Request) -> Answer:
    """Set fields of a key."""
    check_admin(state, request)
    fields = taken(request, KEY)
    token = hashed(request.body["key"])
    if token not in state["keys"]:
        raise failed(404, "Key not found.", "not_found_error")
    check_alias(state, fields.get("key_alias"), token)
    if "duration" in request.body:
        fields["expires"] = expiry(request.body["duration"])
    state["keys"][token] |= fields
    return Answer(200, {"key": request.body["key"], **state["keys"][token]})


def key_block(state: State, request: Request) -> Answer:
    """Block a key."""
    check_admin(state, request)
    state["keys"][hashed(request.body["key"])]["blocked"] = True
    return Answer(200, state["keys"][hashed(request.body["key"])])


def key_delete(state: State, request: Request) -> Answer:
    """Delete keys."""
    check_admin(state, request)
    tokens = [token for token in map(hashed, request.body["keys"]) if token in state["keys"]]
    if not tokens:
        raise failed(404, "{'error': 'No keys found'}")
    bury(state, tokens)
    return Answer(200, {"deleted_keys": request.body["keys"]})


def key_info(state: State, request: Request) -> Answer:
    """A key, also one that was deleted."""
    check_key(state, request, "/key/info")
    token = hashed(request.query["key"])
    found = state["keys"].get(token)
    row = found or state["deleted"].get(token)
    if row is None:
        raise failed(404, "Key not found in database", "not_found_error")
    status = "deleted" if found is None else "revoked" if row["blocked"] else "active"
    shown = {name: value for name, value in row.items() if name != "token"}
    return Answer(200, {"key": request.query["key"], "info": {**shown, "status": status}})


def key_list(state: State, request: Request) -> Answer:
    """A page of the keys, newest first."""
    if check_key(state, request, "/key/list") is not None:
        raise failed(403, "You are not authorized to access this endpoint. …", "bad_request_error")
    page, size = int(request.query.get("page", 1)), int(request.query.get("size", 10))
    if size > 100:
        raise Answer(422, {"detail": [{"loc": ["query", "size"], "msg": "Input should be less than or equal to 100"}]})
    team = request.query.get("team_id")
    keys = [key for key in reversed(state["keys"].values()) if not team or key["team_id"] == team]
    shown = keys[(page - 1) * size : page * size]
    is_full = request.query.get("return_full_object") == "true"
    answer = {
        "keys": shown if is_full else [key["token"] for key in shown],
        "total_count": len(keys),
        "current_page": page,
        "total_pages": -(-len(keys) // size),
    }
    return Answer(200, answer)


def models(state: State, request: Request) -> Answer:
    """The models that the caller may call."""
    key = check_key(state, request, "/v1/models")
    allowed = (key and key["models"]) or MODELS
    return Answer(200, {"data": [{"id": name, "object": "model"} for name in allowed], "object": "list"})


def spend(state: State, request: Request) -> Answer:
    """Let a team have spent something, for a test."""
    check_admin(state, request)
    state["teams"][request.body["team_id"]]["spend"] = request.body["spend"]
    return Answer(200, {})


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def hashed(key: str) -> str:
    """A key as it is kept, from the key or from that."""
    return digest(key) if key.startswith("sk-") else key


def taken(request: Request, fields: Mapping[str, Check]) -> Row:
    """The fields of a request that are known."""
    found = {name: value for name, value in request.body.items() if name in fields}
    for name, value in found.items():
        if not fields[name](value):
            raise Answer(422, {"detail": [{"type": "parsing", "loc": ["body", name], "msg": "Input should be valid"}]})
    return found


def present(fields: Row) -> Row:
    """Without null."""
    return {name: value for name, value in fields.items() if value is not None}


def expiry(duration: str | None) -> str | None:
    """When it is over."""
    if not duration:
        return None
    return (datetime.now(UTC) + timedelta(hours=int(duration[:-1]) * HOURS[duration[-1]])).isoformat()


def bury(state: State, tokens: list[str]) -> None:
    """Delete keys, and keep an account of them."""
    for token in tokens:
        state["deleted"][token] = state["keys"].pop(token)


def check_alias(state: State, alias: str | None, own: str) -> None:
    """Refuse an alias that another key has."""
    if alias is not None and any(key["key_alias"] == alias and key["token"] != own for key in state["keys"].values()):
        message = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
        raise failed(400, message, "bad_request_error")


def check_admin(state: State, request: Request) -> None:
    """Let in the master key alone."""
    if check_key(state, request, request.path) is not None:
        message = (
            f"Only proxy admin can be used to generate, delete, update info … Route={request.path}. Your role=unknown."
        )
        raise failed(401, f"Authentication Error, {message}", "auth_error")


def check_key(state: State, request: Request, path: str) -> Row | None:
    """Let in a key that may call a route; None is the master key."""
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    if digest(sent) == state["master"]:
        return None
    if not sent.startswith("sk-"):
        raise failed(401, "LiteLLM Virtual Key expected. Received=****, expected to start with 'sk-'.", "auth_error")
    key: Row | None = state["keys"].get(digest(sent))
    if key is None:
        raise failed(401, "Authentication Error, Invalid API key provided.", "token_not_found_in_db")
    if key["blocked"]:
        raise failed(401, "Authentication Error, Key is blocked. Update via `/key/unblock` …", "auth_error")
    if state["teams"].get(key["team_id"], {}).get("blocked"):
        message = f"Authentication Error, Team={key['team_id']} is blocked. Update via `/team/unblock` …"
        raise failed(401, message, "auth_error")
    if key["expires"] and datetime.fromisoformat(key["expires"]) < datetime.now(UTC):
        raise failed(401, f"Authentication Error - Expired Key. Key Expiry time {key['expires']} …", "expired_key")
    if key["allowed_routes"] and path != "/v1/models":
        raise Answer(403, {"detail": f"Virtual key is not allowed to call this route. … Tried to call route: {path}"})
    return key


def failed(status: int, message: str, form: str = "invalid_request_error") -> Answer:
    """An error, as the proxy's own exceptions are answered."""
    return Answer(status, {"error": {"message": message, "type": form, "param": None, "code": str(status)}})


ROUTES: dict[tuple[str, str], tuple[Route, bool]] = {
    ("GET", "/health"): (health, False),
    ("POST", "/team/new"): (team_new, True),
    ("POST", "/team/update"): (team_update, True),
    ("POST", "/team/block"): (lambda state, request: team_block(state, request, is_blocked=True), True),
    ("POST", "/team/unblock"): (lambda state, request: team_block(state, request, is_blocked=False), True),
    ("POST", "/team/delete"): (team_delete, True),
    ("POST", "/team/spend"): (spend, True),
    ("GET", "/team/info"): (team_info, False),
    ("GET", "/team/list"): (team_list, False),
    ("POST", "/key/generate"): (key_generate, True),
    ("POST", "/key/update"): (key_update, True),
    ("POST", "/key/block"): (key_block, True),
    ("POST", "/key/delete"): (key_delete, True),
    ("GET", "/key/info"): (key_info, False),
    ("GET", "/key/list"): (key_list, False),
    ("GET", "/v1/models"): (models, False),
}

if __name__ == "__main__":
    serve(find)
