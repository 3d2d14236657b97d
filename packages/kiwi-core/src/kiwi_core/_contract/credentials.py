"""Rule e, its static half: credentials are named under claimed scopes and go into declared sinks only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kiwi_core._compose.lending import named_in
from kiwi_core._compose.phase import phases_in
from kiwi_core._compose.stack import Part, Stack
from kiwi_core._contract.literals import check_literals
from kiwi_core._contract.lock import check_lock
from kiwi_core._contract.references import check_references
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven
from kiwi_core._derive.seeds import MARK_SCOPE
from kiwi_core._model.hooks import Hook, Job
from kiwi_core._model.late import Credential, External, Late, Value, late_leaves
from kiwi_core.errors import dotted

__all__ = ["RULES"]

LETTER = "e"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look at scopes, sinks, literals, references to Secrets, and the checksums that restart their consumers."""
    scopes = {scope for part in stack.parts.values() for scope in _claimed(part)}
    yield from proven(_claims(stack), passed(LETTER, "scopes", f"{len(scopes)} scopes, each claimed once"))
    for part in stack.parts.values():
        yield from _scopes(part, stack)
        yield from _sinks(part)
    yield from check_literals(stack)
    yield from check_references(stack)
    yield from check_lock(stack, evidence)


def _claimed(part: Part) -> Sequence[str]:
    return tuple(dict.fromkeys((part.name, *part.declaration.scopes)))


def _claims(stack: Stack) -> Iterator[Result]:
    owners: dict[str, str] = {}
    for name, part in stack.parts.items():
        for scope in _claimed(part):
            if scope.partition("/")[0] == MARK_SCOPE:
                message = f"component {name!r} claims it, and it is the platform's: the seed's own mark derives there"
                yield finding(LETTER, f"scope {scope}", message, fix="claim another scope")
            if scope in owners:
                yield finding(
                    LETTER,
                    f"scope {scope}",
                    f"components {owners[scope]!r} and {name!r} both claim it: they would share credentials",
                    fix="let one of them claim another scope",
                )
            owners[scope] = name


def _scopes(part: Part, stack: Stack) -> Iterator[Result]:
    """Each credential that a component names is of its own scope, or came to it through a binding."""
    own = _claimed(part)
    given = {late for binding in stack.bindings[part.name].values() if binding for late in named_in(binding.value)}
    named: list[tuple[str, Mapping[str, Value]]] = []
    named += [(f"Secret {secret.name}", secret.data) for secret in part.wiring.secrets]
    named += [(f"release {name}", values) for name, values in part.wiring.overlay.items()]
    named += [(f"hook {hook.name}", _late(hook)) for hook in _hooks(part) if isinstance(hook, Job)]
    own_phases = phases_in(part.name, stack.phases)
    named += [(f"hooks {phase.release}", phase.secret.data) for phase in own_phases if phase.secret]
    found: list[tuple[str, object]] = []
    found += [(subject, late) for subject, tree in named for _, late in late_leaves(tree) if late not in given]
    # An offer is declared before anything is bound: what it lends is its own.
    found += [(f"component {part.name}", late) for offer in part.declaration.offers for late in named_in(offer)]
    for subject, late in found:
        if isinstance(late, Credential) and late.scope not in own:
            yield finding(
                LETTER,
                subject,
                f"component {part.name!r} names the credential {late.name}, "
                "whose scope it neither claims nor was given through a binding",
                fix="another component's credential is reached by a use of its service",
            )


def _hooks(part: Part) -> Sequence[Hook]:
    return (*part.wiring.pre, *part.wiring.post)


def _late(job: Job) -> Mapping[str, Value]:
    """Return the late values of an author's own container by what holds them."""
    env = {f"environment variable {name}": value for name, value in job.env.items() if isinstance(value, Late)}
    return {**env, "command": list(job.command), "observe": list(job.observe)}


def _sinks(part: Part) -> Iterator[Result]:
    plain = {(item.release, item.path) for item in part.wiring.plain}
    found: set[tuple[str, str]] = set()
    for name, values in part.wiring.overlay.items():
        for path, late in late_leaves(values):
            if isinstance(late, External):
                yield finding(
                    LETTER,
                    f"release {name}",
                    f"{dotted(path)} takes the external {late.name!r} as a plain value",
                    fix="put it into a Secret",
                )
            if not isinstance(late, Credential):
                continue
            place = (name, dotted(path))
            found.add(place)
            if place not in plain:
                yield finding(
                    LETTER,
                    f"release {name}",
                    f"{dotted(path)} takes the credential {late.name} as a plain value",
                    fix="put it into a Secret; where the chart takes nothing else, declare "
                    f"PlainValue(release={name!r}, path={dotted(path)!r}, reason='…')",
                )
    for hook in _hooks(part):
        for path, late in late_leaves(_late(hook)) if isinstance(hook, Job) else ():
            if isinstance(late, Credential):
                yield finding(
                    LETTER,
                    f"hook {hook.name}",
                    f"its {path[0]} takes the credential {late.name} as a plain value",
                    fix="put it into a Secret and name its key in env: SecretKey('…', '…')",
                )
    for item in part.wiring.plain:
        subject = f"release {item.release}"
        if (item.release, item.path) not in found:
            yield finding(
                LETTER,
                subject,
                f"a plain value is declared at {item.path}, where no credential is",
                fix="take the declaration away, or mend its path",
            )
        elif not item.reason.strip():
            yield finding(
                LETTER, subject, f"the plain value at {item.path} has no reason", fix="say why no Secret serves"
            )
        else:
            yield passed(LETTER, subject, f"{item.path} is a declared plain value: {item.reason}")


RULES = (Rule(letter=LETTER, title="credentials", check=check),)
