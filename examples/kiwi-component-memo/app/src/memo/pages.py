"""The one page of the website, in plain HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from memo.memos import Row
from memo.signin import Person

__all__ = ["SIGN_IN", "listed", "page"]

SIGN_IN: Final = '<p><a href="/login">Sign in</a></p>'
STYLE: Final = "body{font:1rem sans-serif;max-width:40rem;margin:2rem auto}"


def page(content: str) -> str:
    """Return the page with HTML in it."""
    head = f'<meta charset="utf-8"><title>Memos</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}<h1>Memos</h1>{content}</html>'


def listed(person: Person, rows: Sequence[Row]) -> str:
    """Return somebody's memos, with a way to add one."""
    items = "".join(
        f"<li>{html.escape(str(row['body']))} ({'…' if row['words'] is None else row['words']} words)</li>"
        for row in rows
    )
    return (
        f"<p>{html.escape(person.name)}</p>"
        '<form method="post" action="/"><textarea name="text" required></textarea><button>Keep</button></form>'
        f"<ul>{items}</ul>"
        '<form method="post" action="/logout"><button>Sign out</button></form>'
    )
