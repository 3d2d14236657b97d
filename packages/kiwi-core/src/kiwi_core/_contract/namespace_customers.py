"""Rule b, gateways: nothing of a customer's is in their values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.chart import place, text_of
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import dotted

__all__ = ["check_customers"]

LETTER = "b"
POLICIES = "allow"
"""The foundation's value that names customers' namespaces, as it has to."""


def check_customers(stack: Stack) -> Iterator[Result]:
    """Look for customers' namespaces and domains in keys and values of a cluster's releases, its Secrets included."""
    customers: dict[str, str] = {}
    patterns: list[str] = []
    for customer in stack.cluster.customers:
        customers |= dict.fromkeys((customer.namespace, customer.domain), customer.slug)
        # A domain that goes on behind it is another one.
        patterns += [re.escape(customer.namespace), rf"{re.escape(customer.domain)}(?!\.\w)"]
    if isinstance(stack.target, Tenant) or not customers:
        return
    named = re.compile(rf"(?i)(?<![\w-])({'|'.join(patterns)})(?![\w-])")
    for release in stack.releases:
        for path, leaf in release.leaves:
            if release.role == "foundation" and path[0] == POLICIES:
                continue
            for text in (*map(str, path), text_of(leaf)):
                for match in named.finditer(text):
                    yield finding(
                        LETTER,
                        f"release {release.name}",
                        f"{dotted(path)} names {match[0]!r}, of customer {customers[match[0].lower()]!r}",
                        where=place(release, path),
                        fix="take it out: a gateway knows its customers by their keys, which hooks make",
                    )
