"""The report's tables of what the contract found, in words that are the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

import attrs

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.pin_history import SUBJECT as HISTORY
from kiwi_core._contract.results import Evidence, Outcome, Result
from kiwi_core._emit.markup import Markup
from kiwi_core._emit.table import Row, code, lines, listed, muted, plural, section, table

__all__ = ["portable", "results_section"]

ELSEWHERE = Evidence()
"""The words for a repository that can stand anywhere."""


def portable(results: Iterable[Result], evidence: Evidence) -> tuple[Result, ...]:
    """Return results as a tree can have them: the same wherever the repository stands.

    Folders and the commands that name them become general words. What git's history says of the pins is left out: it is
    of the template's repository and of today, and the tree is not.

    Args:
        results: of the stack.
        evidence: what the rules looked at.
    """
    return tuple(_portable(result, evidence) for result in results if not _is_of_history(result))


def _is_of_history(result: Result) -> bool:
    return result.rule == "c" and (result.subject == HISTORY or result.subject.startswith("commit "))


def _portable(result: Result, evidence: Evidence) -> Result:
    where = attrs.evolve(result.where, file=PurePath(result.where.file).name) if result.where else None
    return attrs.evolve(
        result,
        message=_general(result.message, evidence),
        fix=_general(result.fix, evidence) if result.fix else None,
        where=where,
    )


def _general(text: str, evidence: Evidence) -> str:
    text = text.replace(evidence.pin_command, ELSEWHERE.pin_command)
    if evidence.cluster_command:
        text = text.replace(evidence.cluster_command, ELSEWHERE.cluster_command)
    if text.startswith("kiwistack ") and text.endswith(f" {evidence.repo}"):
        return text.removesuffix(evidence.repo) + ELSEWHERE.repo
    return text


def results_section(stack: Stack, results: Sequence[Result]) -> Markup:
    """Return findings and what is unproven; what was said of many releases in one row."""
    count = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    intro = (
        f"{plural(count[Outcome.PASS], 'check')} passed, {plural(count[Outcome.FINDING], 'finding')}, "
        f"{count[Outcome.UNPROVEN]} unproven. Unproven is what nobody could show, for want of a captured fact: it is "
        "neither a finding nor a pass. kiwistack check says the same, and looks at the history of the pins, too."
    )
    found = (
        table(title, (("Rule", 5), ("What", 25), ("Of", 45), ("What to do", 25)), _grouped(stack, results, outcome))
        for title, outcome in (("Findings", Outcome.FINDING), ("Unproven", Outcome.UNPROVEN))
    )
    return section("results", "Findings and unproven", intro, *[each for each in found if each])


def _grouped(stack: Stack, results: Sequence[Result], outcome: Outcome) -> list[Row]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result.outcome is outcome:
            kind, _, name = result.subject.partition(" ")
            own = _own_words(stack, name if kind == "release" else "")
            key = (result.rule, _masked(result.message, own), _masked(result.fix or "", own))
            place = f" ({result.where})" if result.where else ""
            groups.setdefault(key, []).append(f"{name if own else result.subject}{place}")
    return [
        Row(
            (
                rule,
                lines(message, muted(f"{len(subjects)} times" if len(subjects) > 1 else "")),
                listed(subjects),
                code(fix) if fix.startswith("kiwistack ") else fix,
            )
        )
        for (rule, message, fix), subjects in groups.items()
    ]


def _own_words(stack: Stack, name: str) -> Mapping[str, str]:
    """Return the words in a result of a release that are its own, with what stands for them."""
    release = stack.by_name.get(name)
    if release is None:
        return {}
    chart = release.chart
    words = {f"chart {release.declared.chart}": "its chart"}
    if chart:
        words = {
            f"chart {release.declared.chart} {chart.version}": "its chart",
            **words,
            f"of {chart.name}>": "of its chart>",
        }
    return words


def _masked(text: str, words: Mapping[str, str]) -> str:
    for own, general in words.items():
        text = text.replace(own, general)
    return text
