"""Rule b, the outside: each host name and external port leads to one component of one customer.

The cluster's spec says which domain and which external ports are whose, and refuses two of one; so it is enough that
each customer keeps to its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._compose.stack import Part, Stack
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import place, text_of
from kiwi_core._contract.objects import objects_in
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.late import Value
from kiwi_core._model.network import Caller
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import dotted

__all__ = ["check_outside"]

LETTER = "b"
WAYS_IN: Final = frozenset({"Ingress", "HTTPRoute"})
HOST_LINES: Final = re.compile(r"""(?m)^[ -]*host:\s*["']?([^\s"'#]+)""")


def check_outside(stack: Stack) -> Iterator[Result]:
    """Look at the host names and external ports of all components, and at the Ingresses in their values."""
    yield from _twice(stack)
    for name, part in stack.parts.items():
        subject = f"component {name}"
        for host in part.wiring.hosts:
            yield from _host(subject, host, stack)
        yield from _nameless(subject, part, stack)
    yield from _ports(stack)
    yield from _ingresses(stack)


def _twice(stack: Stack) -> Iterator[Result]:
    owners: dict[str, str] = {}
    for name, part in stack.parts.items():
        for what in (*part.wiring.hosts, *part.wiring.ports):
            other = owners.setdefault(what, name)
            if other != name:
                message = f"{what} leads to it and to component {other}"
                yield finding(LETTER, f"component {name}", message, fix="give one of them another")


def _host(subject: str, host: str, stack: Stack) -> Iterator[Result]:
    if isinstance(stack.target, Tenant):
        domain = stack.target.domain
        if host != domain and not host.endswith(f".{domain}"):
            message = f"its host {host!r} is not of the customer's domain {domain!r}"
            yield finding(LETTER, subject, message, fix=f"take one such as 'app.{domain}'")
        return
    for customer in stack.cluster.customers:
        if host == customer.domain or host.endswith(f".{customer.domain}"):
            message = f"its host {host!r} is of the domain of customer {customer.slug!r}"
            yield finding(LETTER, subject, message, fix="take one that is no customer's")


def _nameless(subject: str, part: Part, stack: Stack) -> Iterator[Result]:
    bound = stack.bindings[part.name]
    for workload in part.wiring.network:
        if workload.served_by and bound.get(workload.served_by.key) and not part.wiring.hosts:
            message = f"its workload {workload.name!r} is served by an ingress, and no host name is said to lead there"
            yield finding(LETTER, subject, message, fix="say it: Wiring(hosts=(…,))")
        if Caller.OUTSIDE in workload.called_by and not part.wiring.ports:
            message = f"its workload {workload.name!r} is open to everybody, and no external port is said to lead there"
            yield finding(LETTER, subject, message, fix="say it: Wiring(ports=(…,))")


def _ports(stack: Stack) -> Iterator[Result]:
    target, customers = stack.target, stack.cluster.customers
    for name, part in stack.parts.items():
        for port in part.wiring.ports:
            subject = f"component {name}"
            if isinstance(target, Tenant):
                if not any(customer.slug == target.slug and port in customer.ports for customer in customers):
                    message = f"its external port {port} is not this customer's on {stack.cluster.title}"
                    fix = f"add it in the cluster's spec: Customer(slug={target.slug!r}, …, ports=({port!r},))"
                    yield finding(LETTER, subject, message, fix=fix)
                continue
            for customer in customers:
                if customer.address is None and port in customer.ports:
                    message = f"its external port {port} is customer {customer.slug!r}'s, too"
                    fix = "give the customer another port, or a public address of its own (address='…')"
                    yield finding(LETTER, subject, message, fix=fix)


def _ingresses(stack: Stack) -> Iterator[Result]:
    """Every host of a way in that stands in values is one that the component names."""
    for release in stack.releases:
        part = stack.parts.get(release.component)
        if part is None:
            continue
        for found in objects_in(release):
            if found.kind not in WAYS_IN:
                continue
            subject, said = f"release {release.name}", f"{dotted(found.path)} is an {found.kind}"
            where = place(release, found.path)
            for host in _hosts(get(release.values, found.path)):
                if host is None:
                    message, fix = f"{said} of every host: those of other customers, too", "name its hosts"
                    yield finding(LETTER, subject, message, where=where, fix=fix)
                elif host not in part.wiring.hosts:
                    message = f"{said} of host {host!r}, which its component does not name"
                    yield finding(LETTER, subject, message, where=where, fix="say it: Wiring(hosts=(…,))")


def _hosts(tree: Value) -> Iterator[str | None]:
    """Yield the hosts of a way in; None where it takes in all. A text is read as far as lines tell."""
    if not isinstance(tree, Mapping):
        hosts = HOST_LINES.findall(text_of(tree))
        yield from hosts or (None,)
        return
    spec = tree.get("spec")
    if not isinstance(spec, Mapping):
        return
    if spec.get("defaultBackend"):
        yield None
    named = spec.get("hostnames")
    if isinstance(named, Sequence) and not isinstance(named, str):
        yield from (text_of(host) for host in named)
        return
    rules = spec.get("rules")
    for rule in rules if isinstance(rules, Sequence) and not isinstance(rules, str) else ():
        host = rule.get("host") if isinstance(rule, Mapping) else None
        yield text_of(host) or None
