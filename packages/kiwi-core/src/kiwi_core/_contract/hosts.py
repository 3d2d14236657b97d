"""The namespaces that the host names in a text lead into.

A Service is called ``<service>.<namespace>.svc[.<cluster domain>]``, ``<service>.<namespace>`` for short (Kubernetes,
"DNS for Services and Pods"). The short form looks like a public name; what tells the two apart is the last label,
since no top-level domain has a hyphen (RFC 3696, section 2) but those that begin with ``xn--``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["namespaces_in"]

LABEL: Final = r"[a-z0-9_-]++"
NAME: Final = re.compile(rf"(?<![a-z0-9_-]){LABEL}(?:\.{LABEL})++")
# Where a name can be nothing but a host: behind "://", "@" and "host=", and before a port. A dot at its end makes it
# a full name, which is not looked for in namespaces.
HOST: Final = re.compile(
    rf"(?:(?<=://)|(?<=@)|(?<=host=))(?P<name>{LABEL}(?:\.{LABEL})++)(?!\.)"
    rf"|(?<![\w./-])(?P<served>{LABEL}(?:\.{LABEL})++)(?=:\d{{2,5}}(?![\w.]))"
)
# What is called so holds hosts and nothing else.
HOST_KEY: Final = re.compile(r"(?i)(?:host|hostname|server|endpoint|addr|address|ur[il]|dsn)s?$")
# Names of accounts, as RBAC has them.
ACCOUNT: Final = re.compile(r"system:serviceaccounts?:([a-z0-9-]+)")

PLATFORM: Final = re.compile(r"(?:cust|kiwi)-[a-z0-9-]+")
HYPHENATED: Final = re.compile(r"(?!xn--)[a-z][a-z0-9]*-[a-z0-9-]+")
CLUSTER_DOMAIN: Final = ["cluster", "local"]


def namespaces_in(text: str, *, name: str) -> set[str]:
    """Return the namespaces that a text names as part of a host or an account.

    Args:
        text: a value, of one line or many.
        name: what the value is called.
    """
    if "." not in text and ":" not in text:
        return set()
    text = text.lower()
    return {*_full(text), *_short(text, name), *ACCOUNT.findall(text)}


def _full(text: str) -> Iterator[str]:
    """Yield the namespaces of names that are those of a Service or pod wherever they stand."""
    for match in NAME.finditer(text):
        labels = match[0].split(".")
        if (namespace := _before(labels, "svc")) or (namespace := _before(labels, "pod")):
            yield namespace
        elif PLATFORM.fullmatch(labels[-1]):
            yield labels[-1]


def _before(labels: Sequence[str], mark: str) -> str | None:
    """Return the label before ``svc`` or ``pod``, if that is what makes the name one of the cluster."""
    if mark not in labels[1:]:
        return None
    at = labels.index(mark, 1)
    rest = labels[at + 1 :]
    ends = rest == CLUSTER_DOMAIN or (mark == "svc" and not rest)
    return labels[at - 1] if ends or PLATFORM.fullmatch(labels[at - 1]) else None


def _short(text: str, name: str) -> Iterator[str]:
    """Yield the namespaces of short names, where a host is meant."""
    hosts = [match["name"] or match["served"] for match in HOST.finditer(text)]
    if HOST_KEY.search(name) and NAME.fullmatch(text):
        hosts.append(text)
    for host in hosts:
        last = host.rpartition(".")[2]
        if last == "default" or HYPHENATED.fullmatch(last):
            yield last
