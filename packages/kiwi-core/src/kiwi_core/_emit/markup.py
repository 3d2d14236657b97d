"""Markup whose texts are escaped when it is made: what a page or a picture is written with.

A text is data, and becomes markup only through :func:`element`. What cannot be printed is shown as the replacement
character: characters that XML 1.0 does not allow (section 2.2), and those that make a name read as another one, such as
Unicode's bidirectional controls.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Markup", "element", "escape", "join", "raw", "shown"]

_VOID: Final = frozenset(("col", "link", "meta"))
"""Elements of HTML that have no end tag (HTML, section 13.1.2), of those that are written here."""


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def raw(text: str) -> Markup:
    """Take a text as markup: a constant, or what was put together of markup; never what somebody else has said."""
    return Markup(text)


def escape(text: str) -> Markup:
    """Return a text as markup that shows it, in an element and in a quoted attribute alike."""
    if not text.isprintable():
        text = "".join([each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text])
    # As html.escape does; to import that, with its table of all entities, takes longer than to write a page.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(text.replace('"', "&quot;").replace("'", "&#x27;"))


def shown(text: str) -> Markup:
    """Return markup as it is, and escape any other text."""
    return text if isinstance(text, Markup) else escape(text)


def element(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        children: markup as it is, and texts, which are escaped.
        attributes: by name, ``_`` for ``-`` and behind a word of Python (``class_``); None leaves one out.
    """
    start = name
    for key, value in attributes.items():
        if value is not None:
            written = escape(value) if isinstance(value, str) else f"{value:g}"
            start += f' {key.rstrip("_").replace("_", "-")}="{written}"'
    if name in _VOID:
        return Markup(f"<{start}>")
    inner = "".join(map(shown, children))
    return Markup(f"<{start}>{inner}</{name}>")


def join(parts: list[Markup], between: str = "\n") -> Markup:
    """Return markup put together."""
    return Markup(between.join(parts))
