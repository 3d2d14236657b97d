"""Rule e, its static half: credentials are named under claimed scopes and go into declared sinks only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._compose.stack import Part, Stack, StackRelease
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed
from kiwi_core._model.late import Credential, Late, Path, late_leaves, leaves, parts_of
from kiwi_core._model.secrets import Secret, SecretKey, checksum
from kiwi_core.errors import did_you_mean, dotted

__all__ = ["RULES", "secret_names"]

LETTER = "e"

# Keys whose value is a secret by their name. What only names a Secret or a key of one is told by its value.
SUSPICIOUS: Final = re.compile(
    r"(?i)(?:^|[_.-]|(?<=[a-z]))(?:password|passwd|passphrase|token|api_?key|secret_?key|private_?key|client_?secret)$"
)
REFERENCES: Final = frozenset({"existingSecret", "existingSecretName", "secretName"})


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Look at scopes, sinks, literals, references to Secrets, and the checksums that restart their consumers."""
    yield from _claims(stack)
    for part in stack.parts.values():
        yield from _scopes(part, stack)
        yield from _sinks(part)
    for release in stack.releases:
        if release.role == "component":
            yield from _literals(release, stack)
            yield from _references(release, stack)


def secret_names(stack: Stack) -> set[str]:
    """Return the names of all Secrets that components declare."""
    return {secret.name for part in stack.parts.values() for secret in part.wiring.secrets}


def _claims(stack: Stack) -> Iterator[Result]:
    owners: dict[str, str] = {}
    for name, part in stack.parts.items():
        for scope in dict.fromkeys((name, *part.declaration.scopes)):
            if scope in owners:
                yield finding(
                    LETTER,
                    f"scope {scope}",
                    f"components {owners[scope]!r} and {name!r} both claim it: they would share credentials",
                    fix="let one of them claim another scope",
                )
            owners[scope] = name
    yield passed(LETTER, "scopes", f"{len(owners)} scopes, each claimed once")


def _credentials_in(value: object) -> Iterator[Credential]:
    """Yield the credentials in a binding, whatever its class."""
    if isinstance(value, Late):
        yield from (part for part in parts_of(value) if isinstance(part, Credential))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _credentials_in(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _credentials_in(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):  # type: ignore[arg-type]  # attrs.has has said so
            yield from _credentials_in(getattr(value, field.name))


def _scopes(part: Part, stack: Stack) -> Iterator[Result]:
    own = {part.name, *part.declaration.scopes}
    lent = {
        credential
        for binding in stack.bindings[part.name].values()
        if binding
        for credential in _credentials_in(binding.value)
    }
    named = [
        *(
            (f"Secret {secret.name}", late)
            for secret in part.wiring.secrets
            for _, late in late_leaves(dict(secret.data))
        ),
        *((f"release {name}", late) for name, values in part.wiring.overlay.items() for _, late in late_leaves(values)),
    ]
    for subject, late in named:
        if isinstance(late, Credential) and late.scope not in own and late not in lent:
            yield finding(
                LETTER,
                subject,
                f"component {part.name!r} names the credential {late.scope}/{late.purpose}, "
                "whose scope it neither claims nor was given through a binding",
                fix="another component's credential is reached by a use of its service",
            )


def _sinks(part: Part) -> Iterator[Result]:
    plain = {(item.release, item.path) for item in part.wiring.plain}
    found: set[tuple[str, str]] = set()
    for name, values in part.wiring.overlay.items():
        for path, late in late_leaves(values):
            if not isinstance(late, Credential):
                continue
            place = (name, dotted(path))
            found.add(place)
            if place not in plain:
                yield finding(
                    LETTER,
                    f"release {name}",
                    f"{dotted(path)} takes the credential {late.scope}/{late.purpose} as a plain value",
                    fix="put it into a Secret; where the chart takes nothing else, declare "
                    f"PlainValue(release={name!r}, path={dotted(path)!r}, reason='…')",
                )
    for release, place_of in sorted(plain - found):
        yield finding(
            LETTER,
            f"release {release}",
            f"a plain value is declared at {place_of}, where no credential is",
            fix="take the declaration away, or mend its path",
        )
    for hook in (*part.wiring.pre, *part.wiring.post):
        for variable, value in hook.job().env.items():
            if isinstance(value, Late) and any(isinstance(late, Credential) for late in parts_of(value)):
                yield finding(
                    LETTER,
                    f"hook {hook.name}",
                    f"its environment variable {variable} takes a credential as a plain value",
                    fix="put it into a Secret and name its key: SecretKey('…', '…')",
                )
    for item in part.wiring.plain:
        yield passed(LETTER, f"release {item.release}", f"{item.path} is a declared plain value: {item.reason}")


def _references_of(stack: Stack) -> tuple[set[str], set[str]]:
    """Return the names of Secrets, and of their keys, that values may name."""
    secrets = [secret for part in stack.parts.values() for secret in part.wiring.secrets]
    names = {secret.name for secret in secrets}
    keys = {key for secret in secrets for key in secret.data}
    for part in stack.parts.values():
        for offer in part.declaration.offers:
            for value in attrs.asdict(offer, recurse=False).values():
                if isinstance(value, SecretKey):
                    names.add(value.secret)
                    keys.add(value.key)
    return names, keys


def _literals(release: StackRelease, stack: Stack) -> Iterator[Result]:
    names, keys = _references_of(stack)
    for path, leaf in leaves(release.values):
        name = path[-1] if path else ""
        if isinstance(name, str) and isinstance(leaf, str) and leaf and SUSPICIOUS.search(name):
            if leaf in names or leaf in keys:
                continue
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} is a literal that looks like a credential",
                fix="derive it: bound.credential('…') in a Secret; a literal is readable in git and in the release",
            )
    if release.component:
        for secret in stack.parts[release.component].wiring.secrets:
            for key, value in secret.data.items():
                if isinstance(value, str) and SUSPICIOUS.search(key):
                    yield finding(
                        LETTER,
                        f"Secret {secret.name}",
                        f"its key {key!r} is a literal that looks like a credential",
                        fix="derive it: bound.credential('…')",
                    )


def _references(release: StackRelease, stack: Stack) -> Iterator[Result]:
    secrets = {secret.name: secret for secret in stack.parts[release.component].wiring.secrets}
    names, _ = _references_of(stack)
    used: list[Secret] = []
    for path, leaf in leaves(release.values):
        if not isinstance(leaf, str):
            continue
        if leaf in secrets:
            used.append(secrets[leaf])
        elif leaf and _refers(path) and leaf not in names:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} names Secret {leaf!r}, which nobody declares",
                fix=did_you_mean(leaf, names, otherwise="declared are"),
            )
    if used and not _carries(release, stack.parts[release.component], used):
        yield finding(
            LETTER,
            f"release {release.name}",
            "its pods consume "
            + ", ".join(dict.fromkeys(secret.name for secret in used))
            + " and carry no checksum of "
            "them: they would keep stale credentials",
            fix="put checksum(…) of these Secrets on the pod template's annotations",
        )


def _refers(path: Path) -> bool:
    """Say whether a path names a Secret that pods consume; one under ``tls`` is made by cert-manager."""
    return path[-1] in REFERENCES and "tls" not in path


def _carries(release: StackRelease, part: Part, used: Sequence[Secret]) -> bool:
    """Say whether some value is the checksum of a set of the component's Secrets that includes all used ones."""
    distinct = [secret for secret in part.wiring.secrets if secret in used]
    marks = {checksum(*part.wiring.secrets), checksum(*distinct)}
    single = {checksum(secret) for secret in distinct}
    there = {leaf for _, leaf in leaves(release.values) if isinstance(leaf, str)}
    return not marks.isdisjoint(there) or single <= there


RULES = (Rule(letter=LETTER, title="credentials", check=check),)
