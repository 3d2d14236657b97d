"""Say to a registry who asks, where it wants to know (distribution's token authentication, or HTTP's Basic).

It is told what ``docker login`` left in ``config.json``, and nothing where that is empty: a token for everybody is
asked for then. Helpers that are named there are programs, and none is run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlencode

from kiwi_core._deliver.web import Answer, Client, mapping, refused, unreadable

__all__ = ["DOCKER", "introduce"]

DOCKER: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
"""Docker Hub's names."""

CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
LOGIN: Final = re.compile(r"(?:https?://)?([^/]+)(?:/v[12])?/?")
LIMIT: Final = 1 << 20


def introduce(client: Client, answer: Answer, host: str, repository: str) -> str | None:
    """Return the ``Authorization`` that a registry's 401 asks for.

    Args:
        client: asks for a token.
        answer: the 401.
        host: whose it is.
        repository: what was asked for.

    Returns:
        The header's value; None where there is nothing to say.

    Raises:
        ExternalError: there is no token to be had.
    """
    scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
    login = _login(host)
    basic = {"Authorization": f"Basic {login}"} if login else {}
    if scheme.lower() == "basic":
        return basic.get("Authorization")
    asked = dict(CHALLENGE.findall(rest))
    if scheme.lower() != "bearer" or "realm" not in asked:
        return None
    service = {"service": asked["service"]} if "service" in asked else {}
    query = urlencode({**service, "scope": f"repository:{repository}:pull"})
    given = client.get(f"{asked['realm']}?{query}", limit=LIMIT, headers=basic)
    if given.status != HTTPStatus.OK:
        raise refused(given, f"docker login {host}")
    data = mapping(given)
    token = data.get("token") or data.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise unreadable(given, "a token")
    return f"Bearer {token}"


def _login(host: str) -> str | None:
    """Return what ``docker login`` left for a host: user and password, in base64."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        data: object = json.loads((Path(folder) / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    logins = cast("Mapping[str, object]", data).get("auths") if isinstance(data, dict) else None
    names = DOCKER if host in DOCKER else {host}
    for name, login in cast("Mapping[str, object]", logins).items() if isinstance(logins, dict) else ():
        said = LOGIN.fullmatch(name)
        auth = cast("Mapping[str, object]", login).get("auth") if isinstance(login, dict) else None
        if said and said[1] in names and isinstance(auth, str) and re.fullmatch(r"[A-Za-z0-9+/=]+", auth):
            return auth
    return None
