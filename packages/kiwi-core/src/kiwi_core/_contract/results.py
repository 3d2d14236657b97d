"""What a rule says of a stack: pass, finding or unproven; and what it may look at beside the stack."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from kiwi_core._compose.stack import Stack
from kiwi_core._model.rendered import Rendering
from kiwi_core.errors import Problem, Where

__all__ = [
    "Check",
    "Commit",
    "Evidence",
    "Outcome",
    "Result",
    "Rule",
    "check",
    "finding",
    "passed",
    "proven",
    "unproven",
]


class Outcome(enum.StrEnum):
    """How a check ended. Unproven is counted and shown, and is never a pass."""

    PASS = "pass"  # noqa: S105 -- no password
    FINDING = "finding"
    UNPROVEN = "unproven"


@attrs.frozen(kw_only=True)
class Result:
    """What one check says of one subject.

    Attributes:
        rule: the rule's letter, or ``spec`` for the form of the spec itself.
        subject: what was looked at: a release, a pin, a Secret, …
        message: what is wrong, or what was proven, or why nothing could be.
        fix: what to do; a command where there is one.
    """

    rule: str
    outcome: Outcome
    subject: str
    message: str
    where: Where | None = None
    fix: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        text = f"[{self.rule}] {self.subject}: {place}{self.message}"
        return f"{text}\n    {self.fix}" if self.fix else text


@attrs.frozen(kw_only=True)
class Commit:
    """One commit that touched the pin files.

    Attributes:
        revision: its id.
        before, after: pin file (``charts`` or ``images``) to its text; a file that is not there is missing.
    """

    revision: str
    before: Mapping[str, str]
    after: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Evidence:
    """What rules look at beside the stack.

    Attributes:
        history: the commits that touched the lane's pin files, newest first; None when there is no git to ask.
        no_history: why there is none.
        spec_problems: what in the spec is more than a declaration.
        pin_command: the command that sets pins, up to the pins themselves.
        repo: the folder of the repository, as a command takes it.
        cluster_command: the command that builds the cluster's tree.
        checked_against: the digest of the cluster's tree that the tenant's own tree records; None when it has none, or
            is about to be built anew.
        rendered: what Helm makes of the releases; None where it was not asked.
    """

    history: Sequence[Commit] | None = None
    no_history: str = "the history was not asked for"
    spec_problems: Sequence[Problem] = ()
    pin_command: str = "kiwistack pins bump"
    repo: str = "<the repository>"
    cluster_command: str = "kiwistack build <the cluster's folder>"
    checked_against: str | None = None
    rendered: Rendering | None = None


Check: TypeAlias = Callable[[Stack, Evidence], Iterable[Result]]
"""Looks at a stack and says what it found. Pure."""


@attrs.frozen(kw_only=True)
class Rule:
    """A rule of the contract.

    Attributes:
        letter: names it in results: a to g, or a plugin's own word.
        title: what it is about, in a word or two.
        check: the code that proves it.
        on_manifests: whether it looks at what Helm renders: it is asked only where that is at hand.
    """

    letter: str
    title: str
    check: Check
    on_manifests: bool = False


def check(stack: Stack, evidence: Evidence, rules: Iterable[Rule]) -> tuple[Result, ...]:
    """Run every rule and return all that they say, findings first within each rule."""
    weight: Final = {Outcome.FINDING: 0, Outcome.UNPROVEN: 1, Outcome.PASS: 2}
    return tuple(
        result
        for rule in rules
        if evidence.rendered is not None or not rule.on_manifests
        for result in sorted(_complete(rule, rule.check(stack, evidence)), key=lambda result: weight[result.outcome])
    )


def _complete(rule: Rule, results: Iterable[Result]) -> Iterator[Result]:
    """Add a pass for the rule as a whole where it found nothing at all: silence must not read as a gap."""
    spoke = False
    for result in results:
        spoke = True
        yield result
    if not spoke:
        yield passed(rule.letter, rule.title, "nothing breaks it")


def passed(rule: str, subject: str, message: str) -> Result:
    """Return a pass."""
    return Result(rule=rule, outcome=Outcome.PASS, subject=subject, message=message)


def proven(results: Iterable[Result], otherwise: Result) -> Iterator[Result]:
    """Yield results, and a pass only where no finding and nothing unproven is among them."""
    clean = True
    for result in results:
        clean = clean and result.outcome is Outcome.PASS
        yield result
    if clean:
        yield otherwise


def finding(rule: str, subject: str, message: str, *, where: Where | None = None, fix: str) -> Result:
    """Return a finding; it always says what to do."""
    return Result(rule=rule, outcome=Outcome.FINDING, subject=subject, message=message, where=where, fix=fix)


def unproven(rule: str, subject: str, message: str, *, where: Where | None = None, fix: str | None = None) -> Result:
    """Return an unproven result: the evidence is missing."""
    return Result(rule=rule, outcome=Outcome.UNPROVEN, subject=subject, message=message, where=where, fix=fix)
