"""JSON over HTTP, for what the tests ask the real servers themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RefusedError", "ask", "insist"]


class RefusedError(Exception):
    """A server refused what a test cannot do without; the message has the server's own words."""


def ask(
    method: str,
    url: str,
    body: object = None,
    *,
    form: Mapping[str, str] | None = None,
    token: str | None = None,
    content_type: str = "application/json",
    ca_file: Path | None = None,
) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
    """Ask a server, on a connection of its own and through no proxy.

    Args:
        method: GET, POST, …
        url: with its query.
        body: sent as JSON, where it is not None.
        form: sent as a form, where there is no body.
        token: whose bearer asks.
        content_type: what the body is.
        ca_file: who vouches for the server; None: whoever the machine trusts.

    Returns:
        The status, and the answer: from JSON, or as a text where it is none.

    Raises:
        urllib3.exceptions.HTTPError: there was no answer.
    """
    import urllib3

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib3.PoolManager(ca_certs=str(ca_file) if ca_file else None, retries=False, timeout=60) as pool:
        if form is not None:
            response = pool.request(method, url, fields=form, encode_multipart=False, headers=headers)
        elif body is not None:
            headers["Content-Type"] = content_type
            response = pool.request(method, url, body=json.dumps(body), headers=headers)
        else:
            response = pool.request(method, url, headers=headers)
        text = response.data.decode()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


def insist(asked: tuple[int, Any]) -> Any:  # Any: as above
    """Take what ``ask`` returned where the server did what it was asked to do.

    Raises:
        RefusedError: it did not.
    """
    status, value = asked
    if status >= 300:
        raise RefusedError(f"{status}: {value}")
    return value
