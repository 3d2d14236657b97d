"""URLs that hooks deal with: of servers that they ask, and those that browsers come back to after signing in. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

__all__ = ["PORTS", "at", "bracketed", "origin_problem", "port_of", "redirect_problem", "server_problem", "shown"]

PORTS: Final = {"http": 80, "https": 443}
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""The characters of a URI (RFC 3986, section 2)."""


def at(url: str) -> str:
    """Return the server of a URL as ``host:port``."""
    return f"{bracketed(urlsplit(url).hostname or '')}:{port_of(url)}"


def port_of(url: str) -> int | None:
    """Return the port of a URL; None where it has none that can be."""
    parts = urlsplit(url)
    try:
        return parts.port or (None if parts.port == 0 else PORTS.get(parts.scheme))
    except ValueError:
        return None


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def shown(url: str) -> str:
    """Return a URL without what may be secret in it: user, query, fragment and control characters."""
    text = re.sub(r"[^!-~]", "?", re.split(r"[?#]", url, maxsplit=1)[0])
    scheme, mark, rest = text.partition("//")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}" if mark else text


def server_problem(url: str) -> str | None:
    """Return why no server can be asked at a URL, and what would do; None when it can be one."""
    parts = _split(url)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        return f"{shown(url)!r} is no URL of a server such as 'http://keycloak:8080'"
    return None


def redirect_problem(uri: str) -> str | None:
    """Return why a browser must not be sent to a URI with what lets it in, and what would do; None when it may.

    RFC 9700 asks for exact comparison (section 2.1), and for http to this machine only (section 2.6); RFC 6749 for
    absolute URIs without a fragment (section 3.1.2). Keycloak takes a ``*`` at the end for anything: ``https://a/cb*``
    lets a code go to ``https://a/cbx``, and ``https://*`` to everybody.
    """
    if "*" in uri:
        return f"{uri!r} has a wildcard, so that more places could get what lets a browser in: name each URI in full"
    if "#" in uri:
        return f"{uri!r} has a fragment, which is not allowed: leave out what begins with '#'"
    parts = _split(uri)
    if parts is None:
        return f"{uri!r} is no absolute URI such as 'https://chat.example.org/auth/callback'"
    if parts.username is not None:
        return f"{uri!r} has a user, with which no browser would come back: leave out what stands before '@'"
    return _unsafe(uri, parts)


def origin_problem(origin: str) -> str | None:
    """Return why a text is no web origin (RFC 6454, section 6.2), and what would do; None when it is one."""
    if "*" in origin:
        return f"{origin!r} lets every website ask: name each origin in full"
    parts = _split(origin)
    if parts is None or origin != f"{parts.scheme}://{parts.netloc}" or parts.username is not None:
        return f"{origin!r} is no web origin such as 'https://chat.example.org': it has no path, not even '/'"
    if parts.port == PORTS[parts.scheme]:
        return f"{origin!r} has the port that goes without saying, which no browser sends: leave it out"
    return _unsafe(origin, parts)


def _split(url: str) -> SplitResult | None:
    """Take a URL apart; None where it is no absolute one of a web server."""
    if not URI.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that do not match
        return None
    return parts if parts.scheme in PORTS and parts.hostname and port_of(url) else None


def _unsafe(url: str, parts: SplitResult) -> str | None:
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return f"{url!r} is not encrypted: use https (http is for this machine only, as 'http://127.0.0.1')"
    if parts.netloc != parts.netloc.lower():
        return f"{url!r} has capitals in its host, with which no browser comes back: use lower-case letters"
    return None
