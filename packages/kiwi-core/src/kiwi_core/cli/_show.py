"""What ``build`` and ``check`` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Outcome, Result
from kiwi_core._model.tenant import Tenant

__all__ = ["counts", "is_broken", "print_results", "print_stack", "report", "rows", "sinks"]


def is_broken(results: Sequence[Result], *, strict: bool = False) -> bool:
    """Say whether anything was found; with ``strict`` what is unproven counts, too."""
    bad = {Outcome.FINDING, Outcome.UNPROVEN} if strict else {Outcome.FINDING}
    return any(result.outcome in bad for result in results)


def print_results(results: Sequence[Result], *, verbose: bool) -> None:
    """Print the findings; with ``verbose`` what is unproven and what passed, too."""
    shown = {Outcome.FINDING: "finding", **({Outcome.UNPROVEN: "unproven", Outcome.PASS: "pass"} if verbose else {})}
    for result in results:
        if result.outcome in shown:
            print(f"{shown[result.outcome]}: {result}")


def print_stack(stack: Stack) -> None:
    """Print the releases by stage."""
    target = stack.target
    where = f"{target.namespace} on {target.cluster}" if isinstance(target, Tenant) else target.title
    print(f"{where}, lane {stack.lane}: {len(stack.releases)} releases")
    stages: dict[str, list[str]] = {}
    for release in stack.releases:
        stages.setdefault(release.stage, []).append(release.name)
    for stage, names in sorted(stages.items()):
        print(f"  {stage:<22} {', '.join(names)}")


def sinks(stack: Stack) -> str:
    """Return where credentials go, as a line: each plain value is one that the cluster's Secrets do not keep."""
    plain = [item for part in stack.parts.values() for item in part.wiring.plain]
    secrets = sum(len(part.wiring.secrets) for part in stack.parts.values())
    externals = f", {len(stack.externals)} externals" if stack.externals else ""
    return (
        f"credentials: {len(stack.credentials)} derived{externals}, into {secrets} Secrets and {len(plain)} plain values "
        f"of {len({item.release for item in plain})} releases"
    )


def counts(results: Sequence[Result], *, what: str = "contract", command: str = "kiwistack check -v") -> str:
    """Return how many results there are of each outcome, as a line.

    Args:
        results: the results.
        what: was looked at.
        command: shows those that are not shown.
    """
    number = Counter(result.outcome for result in results)
    open_ones = number[Outcome.UNPROVEN]
    hint = f" ({command} shows them)" if open_ones else ""
    return f"{what}: {number[Outcome.PASS]} passed, {number[Outcome.FINDING]} findings, {open_ones} unproven{hint}"


def report(stack: Stack, results: Sequence[Result]) -> dict[str, object]:
    """Return releases and results for other programs."""
    return {
        "target": stack.target.title,
        "lane": stack.lane.value,
        "credentials": len(stack.credentials),
        "plain_values": sum(len(part.wiring.plain) for part in stack.parts.values()),
        "releases": [{"name": release.name, "stage": release.stage.value} for release in stack.releases],
        "results": rows(results),
    }


def rows(results: Sequence[Result]) -> list[dict[str, str | None]]:
    """Return results for other programs."""
    return [
        {
            "rule": result.rule,
            "outcome": result.outcome.value,
            "subject": result.subject,
            "message": result.message,
            "where": str(result.where) if result.where else None,
            "fix": result.fix,
        }
        for result in results
    ]
