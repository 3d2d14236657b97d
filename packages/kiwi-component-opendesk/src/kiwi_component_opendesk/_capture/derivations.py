"""How upstream derives each of its secrets: the inputs of every ``derivePassword``, never a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from kiwi_component_opendesk._capture.lines import Entry, refuse

__all__ = ["Derivation", "read_derivations"]

STEP: Final = r"sha1sum|sha256sum|b64enc|trunc [1-9][0-9]*"
# derivePassword <counter> <template> <master> <user> <site>, then a pipeline; a trailing quote is YAML's.
DERIVED: Final = re.compile(
    r'derivePassword (?P<counter>\d+) "(?P<template>[a-z]+)" '
    r'\(env "MASTER_PASSWORD" \| default "[^"]*"\) "(?P<user>[^"]+)" "(?P<site>[^"]+)"'
    rf"(?P<steps>(?: \| (?:{STEP}))*)"
)
PREFIXED: Final = re.compile(r'printf "(?P<prefix>[A-Za-z0-9]+)%s" \((?P<inner>.+)\)')
SEED: Final = re.compile(r'env "MASTER_PASSWORD"(?: \| default "[^"]*")?')
ACTION: Final = re.compile(r"\{\{-? *(?P<inner>.+?) *-?\}\}")


@attrs.frozen(kw_only=True)
class Derivation:
    """The inputs of one derived secret.

    Attributes:
        scope, purpose: ``derivePassword``'s user and site.
        generation: its counter.
        template: its template.
        encoding: what is done to the result, in order.
    """

    scope: str
    purpose: str
    generation: int
    template: str
    encoding: tuple[str, ...]


def read_derivations(found: Iterable[Entry], *, file: str) -> tuple[Mapping[str, Derivation], tuple[str, ...]]:
    """Return the derived secrets by path, and the paths that hold the seed itself.

    Raises:
        InputError: a secret is made in a way that is not understood.
    """
    derived: dict[str, Derivation] = {}
    seeds: list[str] = []
    for entry in found:
        if not entry.raw:
            continue
        path = ".".join(entry.path)
        action = ACTION.fullmatch(entry.raw)
        if action is None:
            refuse(f"{path} is no template: {entry.raw!r}", file, entry.line)
        inner = action["inner"]
        if inner.startswith("(") and inner.endswith(" | quote)"):
            inner = inner[1:-1]
        inner = inner.removesuffix(" | quote")
        if SEED.fullmatch(inner):
            seeds.append(path)
            continue
        prefixed = PREFIXED.fullmatch(inner)
        match = DERIVED.fullmatch(prefixed["inner"] if prefixed else inner)
        if match is None:
            refuse(f"{path} is made in an unknown way: {entry.raw!r}", file, entry.line)
        steps = [step.replace(" ", ":") for step in match["steps"].split(" | ")[1:]]
        derived[path] = Derivation(
            scope=match["user"],
            purpose=match["site"],
            generation=int(match["counter"]),
            template=match["template"],
            encoding=(*steps, *([f"prefix:{prefixed['prefix']}"] if prefixed else [])),
        )
    return derived, tuple(seeds)
