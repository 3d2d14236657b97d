"""Onyx (AI search and chat) as a KiwiStack component."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi_core import Component, Offer
from kiwi_core.plugins import hookimpl

from kiwi_component_onyx._component import Onyx
from kiwi_component_onyx._opensearch import OpenSearch, OpenSearchBinding, OpenSearchOffer

__all__ = ["Onyx", "OpenSearch", "OpenSearchBinding", "OpenSearchOffer"]


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship Onyx."""
    return [Onyx]


@hookimpl
def kiwistack_services() -> Sequence[type[Offer]]:
    """Ship OpenSearch as a kind of service."""
    return [OpenSearchOffer]
