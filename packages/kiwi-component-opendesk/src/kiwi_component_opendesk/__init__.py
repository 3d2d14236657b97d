"""openDesk (office and collaboration) as a KiwiStack component."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi_core import Component
from kiwi_core.plugins import hookimpl

from kiwi_component_opendesk._component import OpenDesk

__all__ = ["OpenDesk"]


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship openDesk."""
    return [OpenDesk]
