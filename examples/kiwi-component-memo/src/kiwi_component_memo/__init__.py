"""Memos as KiwiStack components: a real small application, and the servers that it needs."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi_core import Component
from kiwi_core.plugins import hookimpl

from kiwi_component_memo._backends import MemoBackends
from kiwi_component_memo._memo import Memo

__all__ = ["Memo", "MemoBackends"]


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship both."""
    return [Memo, MemoBackends]
