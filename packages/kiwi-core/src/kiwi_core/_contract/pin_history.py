"""Rule c over time: a component's chart and image pins are bumped together, in one commit.

A change of one without the other is right now and then; then the changed entry in the pin file says so in a comment
of the form ``# alone: <why>``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.chart import image_pins
from kiwi_core._contract.results import Commit, Evidence, Result, finding, passed, proven, unproven
from kiwi_core._spec.document import Document
from kiwi_core._spec.yamlfile import parse_yaml
from kiwi_core.errors import InputError

__all__ = ["check_history", "entry_of", "is_said", "read_pins"]

LETTER = "c"
SUBJECT: Final = "history of the pins"
FILES: Final = ("charts", "images")
PARTS: Final = ("registry", "repository", "name", "version", "tag", "digest")
ALONE: Final = re.compile(r"#\s*alone:\s*\S")


def check_history(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look at each commit that touched the pin files: did a component's charts and images move together?"""
    if not evidence.history:
        why = evidence.no_history if evidence.history is None else "no commit has touched the pin files yet"
        yield unproven(LETTER, SUBJECT, why)
        return
    pins = {name: found for name in stack.parts if all((found := _pins_of(name, stack)).values())}
    results = (result for commit in evidence.history for result in _commit(commit, pins))
    yield from proven(results, passed(LETTER, SUBJECT, f"{len(evidence.history)} commits were looked at"))


def _pins_of(component: str, stack: Stack) -> Mapping[str, set[str]]:
    releases = [release for release in stack.releases if release.component == component and release.role == "component"]
    return {
        "charts": {release.declared.chart for release in releases if release.chart},
        "images": {name for release in releases for name in image_pins(release)},
    }


def _commit(commit: Commit, pins: Mapping[str, Mapping[str, set[str]]]) -> Iterator[Result]:
    if not pins or not commit.before.keys() & commit.after.keys() >= {*FILES}:
        return  # the commit that made the files, or took them away
    try:
        before = {name: read_pins(commit.before[name], name) for name in FILES}
        after = {name: read_pins(commit.after[name], name) for name in FILES}
    except InputError:
        subject = f"commit {commit.revision[:12]}"
        yield unproven(LETTER, subject, "a pin file could not be read there: nobody can say what moved")
        return
    for component, names in pins.items():
        moved = {what: _moved(before[what], after[what], what, names[what]) for what in FILES}
        yield from _apart(component, commit, after, moved)


@functools.lru_cache(maxsize=64)
def read_pins(text: str, name: str) -> Document:
    """Read a pin file: what one commit left is what the next one found, and all tenants of a template have it.

    Raises:
        InputError: it cannot be read.
    """
    return parse_yaml(text.encode(), file=name)


def entry_of(document: Document, what: str, name: str) -> Mapping[str, str | None]:
    """Return what an entry pins, its digest apart; empty when it is not there."""
    data = document.data
    entries = data.get(what) if isinstance(data, Mapping) else None
    entry = entries.get(name) if isinstance(entries, Mapping) else None
    if not isinstance(entry, Mapping):
        return {}
    said = {key: str(entry[key]) for key in PARTS if key in entry}
    tag, _, digest = said.get("tag", "").partition("@")
    return {**said, "tag": tag, "digest": digest or said.get("digest")}


def _moved(before: Document, after: Document, what: str, names: set[str]) -> set[str]:
    """Return the pins that changed; one that is new or gone is no bump, nor is a digest for what stood there."""
    moved: set[str] = set()
    for name in names:
        old, new = entry_of(before, what, name), entry_of(after, what, name)
        if old and new and not (old["digest"] and new["digest"]):
            old, new = {**old, "digest": None}, {**new, "digest": None}
        if old and new and old != new:
            moved.add(name)
    return moved


def _apart(
    component: str, commit: Commit, after: Mapping[str, Document], moved: Mapping[str, set[str]]
) -> Iterator[Result]:
    for what, other in (FILES, FILES[::-1]):
        if moved[other] or all(is_said(ALONE, commit.after[what], after[what], what, name) for name in moved[what]):
            continue
        names = ", ".join(sorted(moved[what]))
        yield finding(
            LETTER,
            f"commit {commit.revision[:12]}",
            f"it moved the {what} of {component} ({names}) and none of its {other}",
            fix=f"bump both in one commit, or say why not in {what}.yaml, at the entry: '# alone: <why>'",
        )


def is_said(comment: re.Pattern[str], text: str, document: Document, what: str, name: str) -> bool:
    """Say whether an entry of a pin file has a comment, above its key or within it."""
    first = document.line((what, name))
    if first is None:
        return False
    lines = text.splitlines()
    indent = len(lines[first - 1]) - len(lines[first - 1].lstrip())
    start = first - 1
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    end = first
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return any(comment.search(line) for line in lines[start:end])
