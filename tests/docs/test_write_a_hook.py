"""The page about writing a hook shows the kind that the kit's own tests prove, whole and word for word."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "write-a-hook.md").read_text(encoding="utf-8")
SOURCE = (ROOT / "packages" / "kiwi-core" / "tests" / "shelf.py").read_text(encoding="utf-8")


def parts() -> list[str]:
    """The parts of the module, beyond its docstring and what the page has no need of."""
    lines, found = SOURCE.splitlines(), list[str]()
    for node in ast.parse(SOURCE).body[2:]:
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(each.lineno for each in decorators)])
        found.append("\n".join(lines[first - 1 : node.end_lineno]))
    return found


def is_word_for_word(part: str, page: str) -> bool:
    return f"\n{part}\n" in page


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.partition("\n")[0])
def test_the_page_shows_what_is_proven(part: str) -> None:
    assert is_word_for_word(part, PAGE)


def test_a_word_that_differs_is_seen() -> None:
    for part in parts():
        assert not is_word_for_word(f"{part} ", PAGE)
