"""Rule f on manifests: what upstream's charts do as hooks of Helm's own is listed, since nobody says that it may run again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.pins import TESTS
from kiwi_core._contract.rendered import pods_of, rendering_of, template_of
from kiwi_core._contract.results import Evidence, Result, Rule, passed, proven, unproven

__all__ = ["RULES"]

LETTER = "f"
EVERY: Final = frozenset({"pre-upgrade", "post-upgrade", "pre-install", "post-install"})
"""Hooks that a deploy runs; the others run on a rollback or at the end."""


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """List the pods that Helm starts around an installation."""
    for name, manifests in rendering_of(evidence).releases.items():
        subject = f"release {name}"
        found: list[Result] = []
        for manifest in manifests:
            when = manifest.hooks - TESTS
            if not when or pods_of(manifest) is None:
                continue
            deploys = "on every deploy" if when & {"pre-upgrade", "post-upgrade"} else "once"
            how = deploys if when & EVERY else "not on a deploy"
            found.append(
                unproven(
                    LETTER,
                    subject,
                    f"its chart runs {manifest.title} as a hook of Helm's own ({', '.join(sorted(when))}: {how}): "
                    "whether it heals itself and may run again, nobody says",
                    where=template_of(manifest),
                    fix="switch it off where a hook of ours can do it; else look at what it does",
                )
            )
        if stack.by_name[name].role == "component":
            yield from proven(found, passed(LETTER, subject, "its chart runs no hook of Helm's own"))


RULES = (Rule(letter=LETTER, title="hooks, rendered", check=check, on_manifests=True),)
