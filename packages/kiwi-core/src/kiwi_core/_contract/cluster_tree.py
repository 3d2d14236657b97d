"""Rule a, across helmfiles: ``needs`` cannot lead from a tenant's to its cluster's, so the two are compared.

A tenant is composed against the cluster's spec, and runs on what was built from it; its tree records which tree of the
cluster that was.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.sharing import digest_of
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Evidence, Result, finding, passed, unproven
from kiwi_core._model.tenant import Tenant

__all__ = ["check_cluster_tree"]

LETTER = "a"


def check_cluster_tree(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Compare what a tenant is built against with what its cluster was built to."""
    if not isinstance(stack.target, Tenant):
        return
    subject, tree = stack.cluster.title, stack.inputs.cluster_tree
    if tree is None:
        message = "it has no tree that this one could be checked against"
        yield unproven(LETTER, subject, message, fix=evidence.cluster_command)
    elif stack.target.slug not in tree.customers:
        message = f"its tree serves no customer {stack.target.slug!r}: its gateways would refuse it"
        yield finding(LETTER, subject, message, fix=evidence.cluster_command)
    elif tree.shared != digest_of(stack.cluster):
        message = "its spec says something other of what it shares than the tree that was built from it"
        yield finding(LETTER, subject, message, fix=evidence.cluster_command)
    elif evidence.checked_against not in {None, tree.digest}:
        message = f"this tree was checked against {evidence.checked_against}, and the cluster's tree is {tree.digest}"
        yield finding(LETTER, subject, message, fix="build the tenant again: that checks it against the tree of today")
    else:
        yield passed(LETTER, subject, f"checked against its tree {tree.digest}")
