"""Rule e, who may name which Secret: its component, and whoever was lent it; and who consumes one restarts with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._compose.bind import Binding
from kiwi_core._compose.lending import named_in
from kiwi_core._compose.phase import phases_in
from kiwi_core._compose.stack import Part, Stack, StackRelease
from kiwi_core._compose.values import get
from kiwi_core._contract.chart import leads, place
from kiwi_core._contract.results import Result, finding
from kiwi_core._model.hooks import Hook, Job
from kiwi_core._model.late import Path, Value
from kiwi_core._model.secrets import Secret, SecretKey, checksum
from kiwi_core._model.service import UseKey
from kiwi_core.errors import did_you_mean, dotted

__all__ = ["check_references", "is_reference", "marks_of", "secret_names"]

LETTER = "e"

REFERENCES: Final = frozenset({"existingSecret", "existingSecretName", "secretName"})
# How containers name a Secret (core/v1, EnvVarSource and EnvFromSource).
SELECTORS: Final = frozenset({("secretKeyRef", "name"), ("secretRef", "name")})


def secret_names(component: str, stack: Stack) -> set[str]:
    """Return the names of the Secrets that a component's releases may name."""
    return {key.secret for key in stack.secret_keys.get(component, ())}


def is_reference(leaf: Value, names: set[str]) -> bool:
    """Say whether a value is the name of a Secret."""
    return isinstance(leaf, str) and leaf in names


def check_references(stack: Stack) -> Iterator[Result]:
    """Look at the releases' values and the hooks' environments."""
    for release in stack.releases:
        if release.role == "component":
            yield from _names(release, stack)
            yield from _keys(release, stack)
            yield from _restarts(release, stack)
    for part in stack.parts.values():
        yield from _hooks(part, stack)


def _names(release: StackRelease, stack: Stack) -> Iterator[Result]:
    names = secret_names(release.component, stack)
    for path, leaf in release.leaves:
        if isinstance(leaf, str) and leaf and leaf not in names and _refers(path, release.values):
            yield finding(
                LETTER,
                f"release {release.name}",
                f"{dotted(path)} names Secret {leaf!r}, which its component neither declares nor is lent",
                where=place(release, path),
                fix=did_you_mean(leaf, names, otherwise="it may name"),
            )


def _refers(path: Path, values: Mapping[str, Value]) -> bool:
    """Say whether a path names a Secret that pods consume; one of a certificate is made by cert-manager."""
    if path[-2:] in SELECTORS:
        return True
    if path[-1] not in REFERENCES or "tls" in path:
        return False
    above = (get(values, path[:depth]) for depth in range(len(path)))
    return not any(isinstance(tree, Mapping) and tree.get("kind") == "Certificate" for tree in above)


def _keys(release: StackRelease, stack: Stack) -> Iterator[Result]:
    """Look at the keys that are chosen beside the name of a Secret."""
    known = stack.secret_keys.get(release.component, frozenset())
    names = {key.secret for key in known}
    for path, leaf in release.leaves:
        if not isinstance(leaf, str) or leaf not in names or path[-1] not in {"name", *REFERENCES}:
            continue
        beside = get(release.values, path[:-1])
        assert isinstance(beside, Mapping)  # its last step is a text
        chosen: dict[str, Value] = {"key": beside.get("key")} if path[-2:-1] == ("secretKeyRef",) else {}
        if isinstance(keys := beside.get("secretKeys"), Mapping):
            chosen |= {f"secretKeys.{name}": key for name, key in keys.items()}
        for step, key in chosen.items():
            if isinstance(key, str) and key and SecretKey(leaf, key) not in known:
                yield finding(
                    LETTER,
                    f"release {release.name}",
                    f"{dotted(path[:-1])}.{step} is {key!r}, which Secret {leaf!r} does not hold",
                    where=place(release, path),
                    fix=did_you_mean(key, {item.key for item in known if item.secret == leaf}, otherwise="it holds"),
                )


def marks_of(release: StackRelease, stack: Stack) -> Mapping[str, Sequence[Secret]]:
    """Return the checksums that a release may carry, with the Secrets that each is of.

    One may be that of all Secrets of its component, of those that the release consumes, or of a single one.
    """
    part = stack.parts.get(release.component)
    declared = part.wiring.secrets if part else ()
    there = {leaf for _, leaf in release.leaves if isinstance(leaf, str)}
    used = [secret for secret in declared if secret.name in there]
    seed_mark = stack.inputs.lock.seed if stack.inputs.lock else ""
    return {checksum(*found).text(seed_mark): found for found in (declared, used, *([secret] for secret in declared))}


def _restarts(release: StackRelease, stack: Stack) -> Iterator[Result]:
    part = stack.parts.get(release.component)
    there = {leaf: path for path, leaf in release.leaves if isinstance(leaf, str)}
    used = [secret for secret in part.wiring.secrets if secret.name in there] if part else []
    marks = marks_of(release, stack)
    carried = [secret for mark, secrets in marks.items() if mark in there for secret in secrets]
    stale = [secret.name for secret in used if secret not in carried]
    if stale:
        yield finding(
            LETTER,
            f"release {release.name}",
            f"its pods consume {', '.join(stale)} and carry no checksum of them: they would keep stale credentials",
            fix="put checksum(…) of these Secrets on the pod template's annotations",
        )
    elif used and not any(_lands_on_pods(there[mark], release) for mark in marks if mark in there):
        yield finding(
            LETTER,
            f"release {release.name}",
            "the checksum of its Secrets is in its values and lands on no pod: nothing would restart",
            fix="put it where the chart takes annotations of pods (kiwistack component capture names the paths)",
        )


def _lands_on_pods(path: Path, release: StackRelease) -> bool:
    """Say whether a value lands on pods, as far as the capture tells."""
    workloads = release.capture.workloads if release.capture else ()
    takes = [text for workload in workloads for text in (workload.annotations, workload.labels) if text]
    return not takes or any(leads(tuple(text.split(".")), path) for text in takes)


def _hooks(part: Part, stack: Stack) -> Iterator[Result]:
    """A hook reads the keys of its component, and those that the services lend that it acts on."""
    bound = stack.bindings[part.name]
    hooks = (*part.wiring.pre, *part.wiring.post)
    lent_to = {hook.name: _lent(hook, bound) for hook in hooks}
    known = stack.secret_keys[part.name]
    for hook in hooks:
        named = hook.env.items() if isinstance(hook, Job) else ()
        for variable, value in named:
            if isinstance(value, SecretKey) and value not in known | lent_to[hook.name]:
                what = f"its environment variable {variable}"
                yield _stranger(f"hook {hook.name}", what, value, known | lent_to[hook.name])
    everything = known.union(*lent_to.values())
    for phase in phases_in(part.name, stack.phases):
        own = phase.secret.name if phase.secret else None
        read = [SecretKey(name, key) for name, keys in phase.mounted.items() for key in keys if name != own]
        yield from (
            _stranger(f"hooks {phase.release}", "their job", key, everything) for key in read if key not in everything
        )


def _lent(hook: Hook, bound: Mapping[UseKey, Binding | None]) -> frozenset[SecretKey]:
    offers = [binding.offer for use in hook.on if (binding := bound.get(use.key))]
    return frozenset(key for offer in offers for key in named_in(offer) if isinstance(key, SecretKey))


def _stranger(subject: str, what: str, value: SecretKey, known: frozenset[SecretKey]) -> Result:
    return finding(
        LETTER,
        subject,
        f"{what} takes key {value.key!r} of Secret {value.secret!r}, "
        "which its component neither declares nor is lent by what the hook acts on",
        fix=did_you_mean(
            f"{value.secret}/{value.key}", [f"{key.secret}/{key.key}" for key in known], otherwise="it may take"
        ),
    )
