"""Sections and tables of a page: headings in order, captions, and headers that say what they are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from kiwi_core._emit.live import Seen
from kiwi_core._emit.markup import Markup, element, join, raw, shown

__all__ = ["Column", "Group", "Row", "badge", "code", "lines", "listed", "muted", "plural", "section", "table"]

NOTHING: Final = "\N{EN DASH}"

Column: TypeAlias = tuple[str, int]
"""Name and width in percent, a multiple of five: the style has a class for each, since it allows none in place."""


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        cells: the first one is the row's header.
        id: what a link leads to.
        classes: for the style.
    """

    cells: Sequence[str]
    id: str | None = None
    classes: str | None = None


class Group(NamedTuple):
    """Rows of a table that have a heading of their own."""

    title: str
    rows: list[Row]


def section(name: str, title: str, intro: str, *content: Markup) -> Markup:
    """Return a section with its heading; without content it says that there is nothing.

    Args:
        name: its id.
        title: its heading.
        intro: what stands below the heading.
        content: tables and the like.
    """
    head = element("h2", title, id=f"{name}-title")
    said = [element("p", intro, class_="intro")] if intro else []
    body = content or (element("p", "None.", class_="none"),)
    return element("section", join([head, *said, *body]), id=name, aria_labelledby=f"{name}-title")


def table(caption: str, columns: Sequence[Column], rows: Iterable[Row | Group | Sequence[str]]) -> Markup:
    """Return a table, or nothing where it would have no row.

    Args:
        caption: what it is of.
        columns: their names and widths.
        rows: their cells; or groups of rows, each with a heading.
    """
    groups: list[Group] = []
    for row in rows:
        if isinstance(row, Group):
            groups.append(row)
            continue
        if not groups:
            groups.append(Group("", []))
        groups[-1].rows.append(row if isinstance(row, Row) else Row(row))
    if not groups:
        return raw("")
    widths = element("colgroup", *[element("col", class_=f"w{width}") for _, width in columns])
    head = element("tr", *[element("th", name, scope="col") for name, _ in columns])
    bodies = [_body(group, len(columns)) for group in groups]
    content = join([element("caption", caption), widths, element("thead", head), *bodies])
    return element("div", element("table", content), class_="scroll", tabindex="0", role="region", aria_label=caption)


def _body(group: Group, width: int) -> Markup:
    title = element("th", group.title, scope="rowgroup", colspan=width)
    heading = [element("tr", title, class_="group")] if group.title else []
    return element("tbody", raw("\n"), join([*heading, *map(_row, group.rows)]), raw("\n"))


def _row(row: Row) -> Markup:
    first, *others = row.cells
    # Most of a page is cells: these are put together by hand.
    cells = "".join([f"<td>{shown(cell or NOTHING)}</td>" for cell in others])
    return element("tr", element("th", first, scope="row"), raw(cells), id=row.id, class_=row.classes)


def listed(texts: Iterable[str]) -> Markup:
    """Return texts, or links, one behind the other, each kept in one piece as far as there is room."""
    items = [f'<span class="item">{shown(text)}' for text in texts]
    return raw(f"{',</span> '.join(items)}</span>" if items else "")


def code(text: str) -> Markup:
    """Return a text as what a machine reads."""
    return element("code", text) if text else raw("")


def muted(text: str) -> Markup:
    """Return a text that matters less."""
    return element("span", text, class_="muted") if text else raw("")


def badge(seen: Seen | None) -> Markup:
    """Return how something was found, or nothing where it was not looked at."""
    if seen is None:
        return raw("")
    state = element("span", f"{seen.state.mark} {seen.state.value}", class_=f"badge s-{seen.state.name.lower()}")
    return lines(state, muted(seen.text))


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def lines(*parts: str) -> Markup:
    """Return parts one below the other, without those that are empty."""
    return join([shown(part) for part in parts if part], "<br>")
