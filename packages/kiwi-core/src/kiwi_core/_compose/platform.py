"""The platform's own releases: the foundation of a namespace, and the hooks of a component."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, cast

import attrs

from kiwi_core._compose.phase import Phase
from kiwi_core._compose.policy import HOOKS_LABEL, Policy
from kiwi_core._compose.resolve import Resolver
from kiwi_core._compose.stack import Part
from kiwi_core._compose.values import Layer
from kiwi_core._hooks.schema_check import SchemaState
from kiwi_core._model.cluster import Target
from kiwi_core._model.component import Release
from kiwi_core._model.hooks import Job
from kiwi_core._model.lane import PodSecurity, Stage
from kiwi_core._model.late import Credential, External, Late, Pin, Quoted, Text, Value
from kiwi_core._model.schema import AlembicSchema, Schema
from kiwi_core._model.secrets import Secret, SecretKey, checksum
from kiwi_core._model.task import Task
from kiwi_core._model.tenant import Tenant

__all__ = [
    "CLUSTER_LABEL",
    "HOOKS_CHART",
    "RUNTIME",
    "TARGET_LABEL",
    "UNCHANGED",
    "foundation",
    "foundation_layer",
    "hooks_layer",
    "job_name",
    "namespace_layer",
    "namespace_release",
]

HOOKS_CHART: Final = "kiwi-hooks"
"""The chart of every ``<component>-pre`` and ``<component>-post`` release."""

RUNTIME: Final = "kiwiHooks"
"""The image pin of the hooks' runtime."""

PIN_HERE: Final = "\uf8ff"
"""Stands for a part of a pin until the tasks are cut there: a character of private use, which no image and no schema has."""

IMAGE_AND_TAG: Final[tuple[Literal["name"], Literal["tag"]]] = ("name", "tag")
"""What a schema check names of an image, in the order of its fields."""

UNCHANGED: Final = '{"changed":[]}'
"""What an author's own container leaves in its termination message when there is nothing to do."""

COPY: Final[Mapping[str, Sequence[str]]] = {
    "sh": ("sh", "-c", 'mkdir -p "$1" && cp "$0"/*.py "$1"'),
    "python": (
        "python",
        "-c",
        "import shutil, sys; shutil.copytree(*sys.argv[1:], ignore=shutil.ignore_patterns('__pycache__'))",
    ),
}
"""What copies revision files out of an image, by what the image has; the two folders follow."""

ORIGIN: Final = "the platform"

TARGET_LABEL: Final = "kiwistack.dev/target"
"""Says on a namespace whose it is: a customer's or a cluster's."""

CLUSTER_LABEL: Final = "kiwistack.dev/cluster"
"""Says on a namespace for which cluster its tree was built."""


def namespace_release(target: Target, namespace: str) -> Release:
    """Return the release that has Helm make a namespace; the foundation needs it."""
    name = _platform_name("namespace", target, namespace)
    return Release(name=name, chart="kiwi-namespace", stage=Stage.FOUNDATION, wait=True, timeout=120)


def foundation(target: Target, namespace: str) -> Release:
    """Return the release of a namespace's labels, policies, Secrets and quota; every component's needs it."""
    name = _platform_name("foundation", target, namespace)
    return Release(name=name, chart="kiwi-foundation", stage=Stage.FOUNDATION, wait=True, timeout=120)


def _platform_name(role: str, target: Target, namespace: str) -> str:
    return role if isinstance(target, Tenant) else f"{role}-{namespace.removeprefix('kiwi-')}"


def namespace_layer(target: Target) -> Layer:
    """Return the values of the chart that has Helm make a namespace."""
    return Layer(origin=ORIGIN, values={"labels": _labels(target)})


def foundation_layer(
    target: Target, parts: Iterable[Part], secrets: Iterable[Secret], network: Iterable[Policy]
) -> Layer:
    """Return the values of the foundation chart of one namespace.

    Args:
        target: whose namespace it is.
        parts: the components in it.
        secrets: the Secrets in it.
        network: its policies.
    """
    levels = (part.declaration.pod_security for part in parts)
    return Layer(
        origin=ORIGIN,
        values={
            "namespace": {
                "labels": _labels(target),
                "podSecurity": str(max(levels, key=lambda level: level.weakness, default=PodSecurity.RESTRICTED)),
            },
            "allow": [{"name": item.name, "because": item.because, "spec": item.spec} for item in network],
            "secrets": {secret.name: dict(secret.data) for secret in secrets},
            "quota": dict(target.quota) if isinstance(target, Tenant) else {},
        },
    )


def _labels(target: Target) -> Mapping[str, str]:
    if isinstance(target, Tenant):
        return {TARGET_LABEL: target.namespace, CLUSTER_LABEL: target.cluster}
    return {TARGET_LABEL: target.name, CLUSTER_LABEL: target.name}


def hooks_layer(phase: Phase, resolver: Resolver) -> Layer:
    """Return the values of the hooks chart for one phase of a component."""
    component = phase.tasks.component
    values: dict[str, Value] = {
        "labels": {HOOKS_LABEL: phase.release},
        "jobs": {job_name(phase, job): _job(job) for job in phase.jobs},
    }
    if phase.tasks.tasks:
        values["runtime"] = _runtime(phase)
    return Layer(origin=f"component {component}", values=resolver.values(values))


def job_name(phase: Phase, job: Job) -> str:
    """Return the name of the Job of an author's own container; the chart adds what makes each run a new one."""
    return f"{phase.release}-{job.name}"


def _runtime(phase: Phase) -> Mapping[str, Value]:
    return {
        "image": Pin(RUNTIME, "reference"),
        "timeout": sum(task.timeout for task in phase.tasks.tasks),
        "tasks": _document(phase),
        "secrets": {name: list(keys) for name, keys in phase.mounted.items()},
        "checksum": checksum(*phase.definitions),
        "schemas": [_copy(schema, folder) for schema, folder in phase.copies],
        "rights": [
            {
                "apiGroups": [right.group],
                "resources": [right.resource],
                **({"resourceNames": list(right.names)} if right.names else {}),
                "verbs": list(right.verbs),
            }
            for right in phase.rights
        ],
    }


def _document(phase: Phase) -> Value:
    """Return the tasks as JSON, in which images and their tags are pins: their place is ``images.yaml``."""
    from kiwi_core._spec.convert import Converter  # only what has hooks needs it

    pins: list[str] = []

    def marked(task: Task) -> Task:
        if not isinstance(task.desired, SchemaState):
            return task
        pins.append(task.desired.schema.image)
        return attrs.evolve(task, desired=attrs.evolve(task.desired, image=PIN_HERE, tag=PIN_HERE))

    tasks = attrs.evolve(phase.tasks, tasks=tuple(map(marked, phase.tasks.tasks)))
    first, *rest = json.dumps(Converter().unstructure(tasks), ensure_ascii=False).split(PIN_HERE)
    parts = [Pin(name, part) for name in pins for part in IMAGE_AND_TAG]
    return Text((first, *(piece for pair in zip(parts, rest, strict=True) for piece in pair))) if rest else first


def _copy(schema: Schema, folder: str) -> Mapping[str, Value]:
    """Return the container that copies an image's revision files, in that very image."""
    assert isinstance(schema, AlembicSchema)  # no other kind has files
    words = COPY[schema.reader]
    return {
        "name": f"schema-{schema.image.lower()}",
        "image": Pin(schema.image, "reference"),
        "command": [*words, schema.versions, folder],
    }


def _job(job: Job) -> Mapping[str, Value]:
    said = f"printf '%s' '{UNCHANGED}' > /dev/termination-log"
    script = ("if ", *_words(job.observe), f"; then {said}; else exec ", *_words(job.command), "; fi")
    whole = "".join(part for part in script if isinstance(part, str))
    return {
        "image": Text((job.image.repository, ":", job.image.tag)),
        "command": ["sh", "-c", whole if all(isinstance(part, str) for part in script) else Text(script)],
        "env": [_env(name, value) for name, value in sorted(job.env.items())],
        "timeout": job.timeout,
    }


def _words(command: Iterable[str | Late]) -> Iterator[str | Credential | External | Pin | Quoted]:
    """Yield the pieces of a command as a shell reads it; what is late is a pin, since rule e lets no secret in."""
    for number, word in enumerate(command):
        if number:
            yield " "
        if isinstance(word, str):
            yield shlex.quote(word)
        else:
            yield from word.segments if isinstance(word, Text) else (cast("Pin", word),)


def _env(name: str, value: Value | SecretKey) -> Mapping[str, Value]:
    if isinstance(value, SecretKey):
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": value.secret, "key": value.key}}}
    return {"name": name, "value": value}
