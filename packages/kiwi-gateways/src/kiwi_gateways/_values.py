"""What the values of all gateways have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from kiwi_core import Bound, Value

__all__ = ["CHECKSUM", "image", "web_port"]

CHECKSUM: Final = "checksum/secrets"
"""The annotation of pods that restarts them with their Secrets."""


def image(bound: Bound, pin: str) -> Mapping[str, Value]:
    """Return an image as most charts take it: its whole name, and a tag that has the digest in it."""
    repository, tag = bound.image(pin)
    return {"repository": repository, "tag": tag}


def web_port(address: str) -> int:
    """Return the TCP port of a web address, that of its scheme where it names none."""
    parts = urlsplit(address)
    return parts.port or (80 if parts.scheme == "http" else 443)
