"""LiteLLM's management API as hooks ask it, with the master key: teams and their keys.

Facts are those of the proxy 1.109.1 (litellm/proxy/management_endpoints and litellm/proxy/auth of its wheel): a key is
kept as its SHA-256, and found by it; ``/key/info`` also shows keys that were deleted; aliases of keys are unique;
metadata is replaced as a whole, and a field that is not sent stays; a request that only the administrator may make is
answered with 401 as an unknown key is, and only the text tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import attrs

from kiwi_core._hooks.http import Http, Reply
from kiwi_core._model.desired import Mounted, Session
from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused

__all__ = ["LiteLlmClient"]

PAGE: Final = 100
"""Keys in an answer, at most (``/key/list``)."""
MOST_PAGES: Final = 1000
ALL: Final = range(300, 600)
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404

Found = Mapping[str, object]
"""A team or a key, as the server shows it."""


@attrs.frozen
class LiteLlmClient:
    """LiteLLM, asked with the master key.

    Attributes:
        http: the server.
        master: the master key.
        session: the session, which knows the key's value.
    """

    http: Http
    master: Mounted
    session: Session

    @classmethod
    def of(cls, url: str, master: Mounted, session: Session) -> LiteLlmClient:
        """Return the one of a server, by the connection that the session keeps."""
        return cls(Http.kept(url, session), master, session)

    def find_team(self, team: str) -> Found | None:
        """Return a team; None where there is none."""
        reply = self._ask("GET", "/team/info", query={"team_id": team}, words=f"GET team {team}", takes=(NOT_FOUND,))
        return None if reply.status == NOT_FOUND else _mapping(reply, "team_info")

    def list_teams(self) -> list[Found]:
        """Return all teams, each with its keys."""
        return list(self._ask("GET", "/team/list").mappings())

    def list_keys(self, team: str | None = None) -> list[Found]:
        """Return the keys of a team, or all that there are; none of them is a deleted one."""
        found: list[Found] = []
        for page in range(1, MOST_PAGES):
            query: dict[str, str | int] = {"return_full_object": "true", "size": PAGE, "page": page}
            words = f"GET keys{f' of team {team}' if team else ''}"
            reply = self._ask("GET", "/key/list", query=query | ({"team_id": team} if team else {}), words=words)
            answer = reply.mapping()
            keys, pages = answer.get("keys"), answer.get("total_pages")
            if not isinstance(keys, list) or not isinstance(pages, int):
                raise reply.unreadable("a list of keys")
            found += [cast("Found", key) for key in cast("list[object]", keys) if isinstance(key, Mapping)]
            if page >= pages:
                break
        return found

    def find_key(self, token: str, label: str) -> Found | None:
        """Return a key by its hash; None where there is none, or none any more."""
        reply = self._ask("GET", "/key/info", query={"key": token}, words=f"GET key {label}", takes=(NOT_FOUND,))
        found = None if reply.status == NOT_FOUND else _mapping(reply, "info")
        return None if found is None or found.get("status") == "deleted" else {**found, "token": token}

    def change(self, path: str, body: Mapping[str, object], label: str) -> None:
        """Make a request that changes something.

        Args:
            path: the route.
            body: what is sent.
            label: what is changed, for the reader.

        Raises:
            Conflict: it is there already.
        """
        self._ask("POST", path, body=body, words=f"POST {path} for {label}")

    def delete_key(self, token: str, label: str) -> None:
        """Delete a key; one that is gone already is no error."""
        body = {"keys": [token]}
        self._ask("POST", "/key/delete", body=body, words=f"POST /key/delete for key {label}", takes=(NOT_FOUND,))

    def lets_in(self, key: Mounted, label: str) -> None:
        """Make sure that the server takes a key. One that an operator has blocked is taken for one that it would take.

        Raises:
            HookError: it does not.
        """
        headers = {"Authorization": f"Bearer {self.session.secret(key)}"}
        reply = self.http.ask("GET", "/v1/models", words=f"GET models as {label}", headers=headers, takes=ALL)
        if reply.status in ALL and "is blocked" not in _said(reply):
            raise reply.error(hint="the proxy does not take this key, though it keeps it: look into the proxy's log")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        words: str = "",
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        takes: tuple[int, ...] = (),
    ) -> Reply:
        headers = {"Authorization": f"Bearer {self.session.secret(self.master)}"}
        reply = self.http.ask(method, path, words=words, query=query, body=body, headers=headers, takes=ALL)
        if reply.status not in ALL or reply.status in takes:
            return reply
        said, error = _said(reply), reply.error()
        message = error.problems[0].message
        if isinstance(error, Forbidden) or (reply.status == UNAUTHORIZED and "Only proxy admin" in said):
            hint = "the Secret has to hold LiteLLM's master key, or a key of a user with the role proxy_admin"
            raise Forbidden(Problem(f"{message}: it needs the role proxy_admin", hint=hint))
        if isinstance(error, Refused):
            raise Refused(Problem(message, hint="the key in the Secret is not the master key that LiteLLM knows"))
        if reply.status == BAD_REQUEST and "already exists" in said:
            raise Conflict(f"{message}: it is there already")
        raise error


def _said(reply: Reply) -> str:
    """Return what it says about an error. It may hold parts of a key: for comparison alone, and never shown."""
    try:
        error = reply.mapping().get("error")
    except HookError:
        return ""
    return str(cast("Found", error).get("message")) if isinstance(error, Mapping) else ""


def _mapping(reply: Reply, name: str) -> Found:
    found = reply.mapping().get(name)
    if not isinstance(found, Mapping):
        raise reply.unreadable(f"a JSON mapping with {name!r}")
    return cast("Found", found)
