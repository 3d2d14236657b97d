"""Rule b, hooks: what acts on a gateway runs beside it; no account of a gateway is ever in a customer's namespace."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.hosts import namespaces_in
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.desired import Desired
from kiwi_core._model.late import leaves
from kiwi_core._model.tenant import Tenant
from kiwi_core._spec.convert import Converter

__all__ = ["check_hooks"]

LETTER = "b"
SHARED = "kiwi-"


def check_hooks(stack: Stack) -> Iterator[Result]:
    """Look for hooks of a customer that call a gateway: they would need an account of it."""
    if not isinstance(stack.target, Tenant):
        return
    for phase in stack.phases.values():
        for task in phase.tasks.tasks:
            for namespace in sorted(_namespaces(task.desired)):
                if namespace.startswith(SHARED):
                    yield finding(
                        LETTER,
                        f"hook {task.hook}",
                        f"it acts on a server in {namespace}, with an account of that gateway in {stack.target.namespace}",
                        fix="a hook on a gateway runs in the gateway's namespace, from the cluster's tree: "
                        "the gateway's component declares it, once for each of bound.customers",
                    )


def _namespaces(desired: Desired) -> set[str]:
    tree = Converter().unstructure(desired)
    texts = ((str(path[-1]) if path else "", leaf) for path, leaf in leaves(tree) if isinstance(leaf, str))
    return {namespace for name, text in texts for namespace in namespaces_in(text, name=name)}
