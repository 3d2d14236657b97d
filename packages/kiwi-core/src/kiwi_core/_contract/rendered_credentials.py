"""Rule e on manifests: a credential stands in a Secret, or where a plain value was declared; who consumes one restarts with it.

Everything was rendered with placeholders, which are followed to wherever the charts took them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.references import marks_of
from kiwi_core._contract.rendered import Pods, containers_in, pods_of, rendering_of, template_of
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven, unproven
from kiwi_core._derive.lock import names_of
from kiwi_core._model.late import Credential, Pin, parts_of
from kiwi_core._model.manifest import Manifest, Object, Steps, as_list, as_map, strings
from kiwi_core._model.rendered import Rendering
from kiwi_core.errors import dotted

__all__ = ["RULES"]

LETTER = "e"
CHECKSUM: Final = "checksum"
"""How the annotations begin that charts put on pods to have them restarted (Helm, "Chart development tips")."""
ENDING: Final = frozenset({"Job", "CronJob"})
"""Kinds whose pods end by themselves: the next one starts with what the Secret holds then."""

Found: TypeAlias = Sequence[tuple[Manifest, Mapping[Steps, frozenset[str]]]]
"""Objects, with the places that hold credentials."""


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Follow the placeholders, and look at what pods consume."""
    rendering = rendering_of(evidence)
    named = {late: name for name, late in names_of(stack.credentials).items()}
    for name, manifests in rendering.releases.items():
        release = stack.by_name[name]
        subject = f"release {name}"
        found = [(manifest, dict(_found(manifest, rendering))) for manifest in manifests]
        count = len({credential for _, places in found for names in places.values() for credential in names})
        said = passed(
            LETTER, subject, f"its {count} credentials stand in Secrets alone" if count else "it holds no credential"
        )
        yield from proven(_sinks(release, found, stack, named), said)
        made = {manifest.name for manifest, places in found if manifest.kind == "Secret" and places}
        yield from _restarts(release, manifests, made, stack)


def _found(manifest: Manifest, rendering: Rendering) -> Iterator[tuple[Steps, frozenset[str]]]:
    """Yield where an object holds credentials, and which."""
    for path, text in strings(manifest.object):
        if names := rendering.named_in(text):
            yield path, names


def _sinks(release: StackRelease, found: Found, stack: Stack, named: Mapping[Credential, str]) -> Iterator[Result]:
    subject = f"release {release.name}"
    declared = _declared(release, stack, named)
    for manifest, places in found:
        for path, names in places.items():
            if manifest.kind == "Secret" and path[0] in {"data", "stringData"}:
                if release.role == "foundation":
                    yield from _in_secret(release, manifest, path, names - _said(release, manifest, path, stack, named))
                continue
            for name in sorted(names):
                place = f"{manifest.title}: {dotted(path)}"
                if name in declared:
                    yield passed(LETTER, subject, f"{place} holds {name}, a declared plain value: {declared[name]}")
                else:
                    yield finding(
                        LETTER,
                        subject,
                        f"{place} holds the credential {name}, for all who may read a {manifest.kind}",
                        where=template_of(manifest),
                        fix="have the chart take it from a Secret; where it takes nothing else, declare a PlainValue",
                    )


def _declared(release: StackRelease, stack: Stack, named: Mapping[Credential, str]) -> Mapping[str, str]:
    """Return the credentials that are declared plain values of a release, with the reason."""
    part = stack.parts.get(release.component)
    reasons = {item.path: item.reason for item in part.wiring.plain if item.release == release.name} if part else {}
    return {
        named[late]: reasons[dotted(path)]
        for path, leaf in release.leaves
        if dotted(path) in reasons
        for late in parts_of(leaf)
        if isinstance(late, Credential)
    }


def _said(
    release: StackRelease, manifest: Manifest, path: Steps, stack: Stack, named: Mapping[Credential, str]
) -> frozenset[str]:
    """Return the credentials that the declaration of a Secret has at a key."""
    secret = stack.secrets.get((release.namespace, manifest.name))
    value = secret.data.get(str(path[-1])) if secret else None
    late = (part for part in parts_of(value) if not isinstance(part, Pin))
    return frozenset(named[part] if isinstance(part, Credential) else f"external {part.name}" for part in late)


def _in_secret(release: StackRelease, manifest: Manifest, path: Steps, others: frozenset[str]) -> Iterator[Result]:
    """A Secret of the foundation holds what its declaration says, and nothing else."""
    for name in sorted(others):
        yield finding(
            LETTER,
            f"release {release.name}",
            f"{manifest.title}: {dotted(path)} holds the credential {name}, which its declaration does not name",
            where=template_of(manifest),
            fix="report this: the foundation's Secrets are what components declare",
        )


def _restarts(release: StackRelease, manifests: tuple[Manifest, ...], made: set[str], stack: Stack) -> Iterator[Result]:
    """Say of each pod template that consumes a Secret whether a new value restarts it."""
    if release.role != "component":
        return
    subject = f"release {release.name}"
    part = stack.parts.get(release.component)
    own = {secret.name for secret in part.wiring.secrets} if part else set[str]()
    marks = marks_of(release, stack)
    for manifest in manifests:
        pods = pods_of(manifest)
        if pods is None or manifest.kind in ENDING or manifest.hooks:
            continue
        consumed = _consumed(pods)
        carried = {secret.name for note in pods.notes for secret in marks.get(note, ())}
        if stale := sorted((consumed & own) - carried):
            yield finding(
                LETTER,
                subject,
                f"{manifest.title} consumes {', '.join(stale)} and carries no checksum of it: "
                "its pods would keep stale credentials",
                where=template_of(manifest),
                fix="put checksum(…) of these Secrets where the chart takes this workload's podAnnotations",
            )
        elif consumed & own:
            yield passed(LETTER, subject, f"{manifest.title} restarts when {', '.join(sorted(consumed & own))} changes")
        if (of_chart := sorted(consumed & made)) and not _has_checksum(pods):
            yield unproven(
                LETTER,
                subject,
                f"{manifest.title} consumes {', '.join(of_chart)}, which its chart makes of a credential: "
                "nothing restarts it when that changes",
                where=template_of(manifest),
                fix="put checksum(…) of what it is made of on its pods; after a rotation, restart it by hand",
            )


def _consumed(pods: Pods) -> frozenset[str]:
    """Return the names of the Secrets that pods read."""
    return frozenset(name for name in _secrets(pods) if isinstance(name, str))


def _secrets(pods: Pods) -> Iterator[object]:
    for _, container in containers_in(pods):
        for source in map(as_map, as_list(container.get("envFrom"))):
            yield as_map(source.get("secretRef")).get("name")
        for variable in map(as_map, as_list(container.get("env"))):
            yield as_map(as_map(variable.get("valueFrom")).get("secretKeyRef")).get("name")
    for volume in map(as_map, as_list(pods.spec.get("volumes"))):
        yield as_map(volume.get("secret")).get("secretName")
        for source in map(as_map, as_list(as_map(volume.get("projected")).get("sources"))):
            yield as_map(source.get("secret")).get("name")


def _has_checksum(pods: Pods) -> bool:
    metadata: Object = as_map(pods.template.get("metadata"))
    return any(key.startswith(CHECKSUM) for part in ("annotations", "labels") for key in as_map(metadata.get(part)))


RULES = (Rule(letter=LETTER, title="credentials, rendered", check=check, on_manifests=True),)
