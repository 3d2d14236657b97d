"""Names that Kubernetes accepts, as attrs validators."""

from __future__ import annotations

import re
from typing import Final

import attrs

__all__ = ["DNS_LABEL", "MAX_DNS_LABEL", "dns_label", "host_name", "namespace_of", "slug"]

MAX_DNS_LABEL: Final = 63
NAMESPACE_PREFIX: Final = "cust-"
DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def dns_label(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Check that a value is a DNS label (RFC 1123): the form of most names in Kubernetes.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- a spec is Python and unchecked
        raise TypeError(f"found {value!r}, expected a text")
    if not DNS_LABEL.fullmatch(value):
        raise ValueError(
            f"{attribute.name} {value!r} is no DNS label: use lower-case letters, digits and '-', "
            "beginning and ending with a letter or digit"
        )
    if len(value) > MAX_DNS_LABEL:
        raise ValueError(f"{attribute.name} {value!r} has {len(value)} characters; at most {MAX_DNS_LABEL} are allowed")


def host_name(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Check that a value is a full DNS name of at least two labels, such as ``kiwistack.example``.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- a spec is Python and unchecked
        raise TypeError(f"found {value!r}, expected a text")
    labels = value.split(".")
    are_labels = all(DNS_LABEL.fullmatch(label) and len(label) <= MAX_DNS_LABEL for label in labels)
    # An address has the form of a name, but for its last label (RFC 3696, section 2).
    if len(labels) < 2 or len(value) > 253 or not are_labels or labels[-1].isdigit():  # noqa: PLR2004
        raise ValueError(f"{attribute.name} {value!r} is no DNS name such as 'kiwistack.example'")


def slug(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Check that a value can name a customer.

    Raises:
        ValueError: it is no DNS label, or the namespace's name would be too long.
    """
    dns_label(instance, attribute, value)
    most = MAX_DNS_LABEL - len(NAMESPACE_PREFIX)
    if len(value) > most:
        raise ValueError(
            f"slug {value!r} has {len(value)} characters; at most {most} fit, since the namespace is 'cust-<slug>'"
        )


def namespace_of(customer: str) -> str:
    """Return the namespace of a customer: ``cust-<slug>``."""
    return f"{NAMESPACE_PREFIX}{customer}"
