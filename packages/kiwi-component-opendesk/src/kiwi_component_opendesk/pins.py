"""openDesk's pins for a template: ``python -m kiwi_component_opendesk.pins charts`` (or ``images``).

What is printed is the body of ``charts.yaml`` or ``images.yaml``, to be put under ``charts:`` or ``images:``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence

from kiwi_component_opendesk._component import PIN_PREFIX
from kiwi_component_opendesk._facts import facts

__all__ = ["entries", "main"]


def entries(what: str, *, enterprise: bool = False) -> str:
    """Return the entries of all pins, indented by one level.

    Args:
        what: ``charts`` or ``images``.
        enterprise: whether those of the Enterprise edition go with them.
    """
    known = facts()
    pins, overrides = {
        "charts": (known.charts, known.enterprise_charts),
        "images": (known.images, known.enterprise_images),
    }[what]
    found = {f"{PIN_PREFIX}{key}": pin for key, pin in pins.items()}
    if enterprise:
        found |= {f"{PIN_PREFIX}{key}-enterprise": pin for key, pin in overrides.items()}
    return "\n".join(line for name in sorted(found) for line in _entry(name, found[name])) + "\n"


def _entry(name: str, pin: Mapping[str, str | bool]) -> Iterator[str]:
    yield f"  {name}:"
    for key, value in pin.items():
        yield f"    {key}: {json.dumps(value)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiwi_component_opendesk.pins", description="Print openDesk's pins for a template."
    )
    parser.add_argument("what", choices=("charts", "images"), help="which of the two files")
    parser.add_argument("--enterprise", action="store_true", help="with the pins of the Enterprise edition")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(entries(chosen.what, enterprise=chosen.enterprise))
    return 0


if __name__ == "__main__":
    sys.exit(main())
