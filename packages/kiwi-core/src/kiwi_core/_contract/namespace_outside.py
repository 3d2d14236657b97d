"""Rule b, the outside: each host name and external port leads to one component of one customer.

The cluster's spec says which domain and which external ports are whose, and refuses two of one; so it is enough that
each customer keeps to its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kiwi_core._compose.stack import Part, Stack
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import place
from kiwi_core._contract.objects import objects_in
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.late import Value
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import dotted

__all__ = ["check_outside"]

LETTER = "b"


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
    """Every host of an Ingress that stands in values is one that the component names."""
    for release in stack.releases:
        part = stack.parts.get(release.component)
        if part is None:
            continue
        for found in objects_in(release):
            spec = get(release.values, found.path) if found.kind == "Ingress" else None
            for host in _rules(spec):
                if host not in part.wiring.hosts:
                    yield finding(
                        LETTER,
                        f"release {release.name}",
                        f"{dotted(found.path)} is an Ingress of host {host!r}, which its component does not name",
                        where=place(release, found.path),
                        fix="say it: Wiring(hosts=(…,))",
                    )


def _rules(tree: Value) -> Iterator[str]:
    spec = tree.get("spec") if isinstance(tree, Mapping) else None
    rules = spec.get("rules") if isinstance(spec, Mapping) else None
    for rule in rules if isinstance(rules, Sequence) and not isinstance(rules, str) else ():
        host = rule.get("host") if isinstance(rule, Mapping) else None
        if isinstance(host, str):
            yield host
