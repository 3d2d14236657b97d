"""Which pins, services and secrets the values files of a release name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs
from kiwi_core.errors import InputError, Problem, Where

__all__ = ["KINDS", "References", "find"]

KINDS: Final = {
    "images": re.compile(r"\.Values\.images\.(\w+)"),
    "databases": re.compile(r"\.Values\.databases\.(?!defaults\b)(\w+)"),
    "objectstores": re.compile(r"\.Values\.objectstores\.(\w+)"),
    "caches": re.compile(r"\.Values\.cache\.(\w+)"),
    "secrets": re.compile(r"\.Values\.(secrets(?:\.\w+)+)"),
}
"""What a values file can name, by kind."""

WHOLE: Final = re.compile(r"(?:omit|toYaml|toJson) \.Values(?: |\))|\.Values \|")
"""A template that hands the whole tree on."""


@attrs.frozen(kw_only=True)
class References:
    """What values files name, sorted.

    Attributes:
        whole: whether the whole tree is handed on, every secret included.
    """

    images: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    objectstores: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    whole: bool = False


def find(
    files: Mapping[str, str], known: Mapping[str, Iterable[str]], foreign: Mapping[str, Iterable[str]]
) -> References:
    """Return what values files name. A path to a map of secrets names all that it holds.

    Args:
        files: path to text.
        known: what there is, by kind.
        foreign: what the checkout has beyond upstream, by kind; it is left out.

    Raises:
        InputError: something is named that is declared nowhere.
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    problems: list[Problem] = []
    whole = False
    for file, text in files.items():
        for number, line in enumerate(text.split("\n"), start=1):
            if line.lstrip().startswith("#"):
                continue
            whole = whole or bool(WHOLE.search(line))
            for kind, pattern in KINDS.items():
                for name in pattern.findall(line):
                    own = [item for item in known[kind] if item == name or item.startswith(f"{name}.")]
                    if not own and name not in foreign[kind]:
                        problems.append(Problem(f"it names {name!r}, which {kind} do not have", Where(file, number)))
                    found[kind].update(own)
    if problems:
        raise InputError(*problems)
    return References(**{kind: tuple(sorted(names)) for kind, names in found.items()}, whole=whole)
