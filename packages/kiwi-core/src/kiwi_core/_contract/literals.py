"""Rule e, what is written down: no literal in values, Secrets or hooks looks like a credential."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.chart import named_leaves, place
from kiwi_core._contract.references import secret_names
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.late import Credential, External, Late, Path, Value, parts_of, skeleton
from kiwi_core.errors import dotted

__all__ = ["check_literals"]

LETTER = "e"

# Keys whose value is a secret by their name. What only names a Secret or a key of one is told by its value.
SUSPICIOUS: Final = re.compile(
    r"(?i:password|passwd|passphrase|token|api_?key|secret_?key|access_?key_secret|secret_?access_?key|private_?key"
    r"|(?:encryption|master|signing)_?key|(?:auth|client|cookie|jwt|session|shared|signing)_?secret)$"
    r"|(?:^|[_.-])(?i:pass|pwd)$|[a-z]Pass$"
)
# Values that hold one, whatever they are called: a password in a URL, and a private key.
HOLDS: Final = re.compile(r"://[^\s/:@]*:(?![$<]|\{\{|%\()[^\s/@]+@|-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Switches, and what is filled in when it runs.
HARMLESS: Final = re.compile(r"(?i)true|false|\$[({].*|.*\{\{.*|os\.environ/\w+")
# What stands for a late part in a text; HOLDS passes over it, as over any variable.
LATE: Final = "$"


def check_literals(stack: Stack) -> Iterator[Result]:
    """Look at the merged values of releases and hooks, and at what Secrets hold."""
    for release in stack.releases:
        if release.role != "foundation":
            yield from _values(release, stack)
    for part in stack.parts.values():
        for secret in part.wiring.secrets:
            for key, value in secret.data.items():
                if _is_literal(key, value):
                    yield finding(
                        LETTER,
                        f"Secret {secret.name}",
                        f"its key {key!r} is a literal that looks like a credential",
                        fix="derive it: bound.credential('…')",
                    )


def _values(release: StackRelease, stack: Stack) -> Iterator[Result]:
    names = secret_names(release.component, stack)
    keys = {key.key for key in stack.secret_keys.get(release.component, ())}
    for path, name, leaf in named_leaves(release):
        if _is_literal(name, leaf) and leaf not in names and not (leaf in keys and _chooses_key(path, name)):
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} is a literal that looks like a credential",
                where=place(release, path),
                fix="derive it: bound.credential('…') in a Secret; a literal is readable in git and in the release",
            )


def _is_literal(name: str, leaf: Value) -> bool:
    if isinstance(leaf, Late):
        derived = any(isinstance(part, Credential | External) for part in parts_of(leaf))
        return HOLDS.search(skeleton(leaf, lambda _: LATE)) is not None or (
            not derived and SUSPICIOUS.search(name) is not None
        )
    if leaf is None or leaf == "" or isinstance(leaf, bool | Mapping | list | tuple):
        return False
    text = str(leaf)
    return HOLDS.search(text) is not None or (SUSPICIOUS.search(name) is not None and HARMLESS.fullmatch(text) is None)


def _chooses_key(path: Path, name: str) -> bool:
    """Say whether a value stands where a key of a Secret is named, as in ``secretKeys: {PASSWORD: password}``."""
    if "secret" in name.lower() and "key" in name.lower():
        return True
    return any(isinstance(step, str) and "secret" in step.lower() for step in path[:-1])
