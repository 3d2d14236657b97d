"""The gateways of a KiwiStack cluster: language models, web search, ingress and certificates."""

from __future__ import annotations

from collections.abc import Sequence

from kiwi_core import Component
from kiwi_core.plugins import hookimpl

from kiwi_gateways._cert_manager import CertManager
from kiwi_gateways._ingress_nginx import IngressNginx
from kiwi_gateways._litellm import LiteLlm, Model
from kiwi_gateways._searxng import SearXng

__all__ = ["CertManager", "IngressNginx", "LiteLlm", "Model", "SearXng"]


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship the four gateways."""
    return [CertManager, IngressNginx, LiteLlm, SearXng]
