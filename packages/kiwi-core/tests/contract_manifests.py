"""Manifests as Helm could render them for the tenant of the contract's tests, and ways to have others in their place."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import attrs
from contract_changes import Change
from contract_stack import DIGEST, Scene
from kiwi_core._compose.stack import Stack
from kiwi_core._derive.lock import Lock, LockEntry, names_of
from kiwi_core._derive.placeholders import Placeholders
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Manifest, Object, as_map
from kiwi_core._model.rendered import Fault, RenderedChart, Rendering, Schemas

PINNED: Final = f"docker.io/acme/app:v1.2.0@{DIGEST}"
SOURCE: Final = "app/templates/app.yaml"
HOOK: Final = "helm.sh/hook"

KINDS: Final = frozenset(
    {"ConfigMap", "Deployment", "Ingress", "Job", "Namespace", "NetworkPolicy", "Pod", "Secret", "Service"}
)

MARK: Final = re.compile(r"<(base64 )?([^<>]+)>")
"""In a text: ``<checksum>``, ``<app/token>``, which is the placeholder of a credential, and the same in base64."""


def thing(kind: str, name: str = "app", version: str = "v1", /, **fields: Json) -> Object:
    """Return an object; ``metadata`` among the fields adds to its name."""
    metadata = cast("Mapping[str, Json]", fields.pop("metadata", {}))
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, **fields}


def pods(image: str = PINNED, /, *, note: str = "<checksum>", container: Object | None = None, **spec: Json) -> Object:
    """Return the template of pods with one container."""
    return {
        "metadata": {"annotations": {"checksum/secrets": note}},
        "spec": {"containers": [{"name": "app", "image": image, **(container or {})}], **spec},
    }


def deployment(template: Object | None = None, /, kind: str = "Deployment", **metadata: Json) -> Object:
    return thing(kind, "app", "apps/v1", metadata=metadata, spec={"template": template or pods()})


def env(secret: str) -> Object:
    """Return a container's environment that reads a key of a Secret."""
    return {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}}]}


def secret(name: str, data: Mapping[str, Json]) -> Object:
    return thing("Secret", name, "v1", data=data)


CLEAN: Final[Mapping[str, Sequence[Object]]] = {
    "foundation": (
        secret("app-cache", {"password": "<base64 db/cache>"}),
        thing("NetworkPolicy", "default-deny", "networking.k8s.io/v1", spec={"podSelector": {}}),
        thing(
            "NetworkPolicy", "to-llm", "networking.k8s.io/v1", spec={"egress": [{"to": [{"namespaceSelector": {}}]}]}
        ),
    ),
    "app": (
        deployment(pods(container=env("app-cache"))),
        thing("ConfigMap", data={"TOKEN": "token = <app/token>", "URL": "http://litellm.kiwi-llm-gateway.svc:4000"}),
        thing("Service", spec={"selector": {"app": "web"}}),
        thing("Ingress", "app", "networking.k8s.io/v1", spec={"rules": [{"host": "app.acme.example"}]}),
    ),
    "worker": (deployment(pods(f"acme/worker:v1.2.0@{DIGEST}")),),
}


def schemas() -> Schemas:
    """Return schemas of a few kinds, in which a Service has no field ``wrong``."""

    def faults(item: Object) -> Sequence[Fault] | None:
        if item.get("kind") not in KINDS:
            return None
        wrong = "wrong" in as_map(item.get("spec"))
        return [Fault(path=("spec", "wrong"), message="there is no such field")] if wrong else ()

    return Schemas(version="1.37", groups=frozenset({"", "apps", "policy"}), faults=faults)


def rendered(
    *objects: Object, release: str = "app", source: str = SOURCE, clean: bool = True, **fields: object
) -> Change:
    """Have objects rendered for a release beside the clean ones, or in their place."""

    def change(scene: Scene) -> Scene:
        stack = scene.stack()
        marks, fill = _filler(stack)
        found = {
            name: tuple(
                Manifest(release=name, source=source, object=cast("Object", fill(item)))
                for item in (*(items if clean or name != release else ()), *(objects if name == release else ()))
            )
            for name, items in {**dict.fromkeys((release,), ()), **CLEAN}.items()
        }
        rendering = Rendering(releases=found, kubernetes="1.37", named_in=marks.found_in, schemas=schemas())
        evidence = attrs.evolve(scene.evidence, rendered=attrs.evolve(rendering, **fields))  # type: ignore[arg-type]
        return attrs.evolve(scene, evidence=evidence)

    return change


def chart(digest: str) -> Mapping[str, RenderedChart]:
    return {"app": RenderedChart(title="app 1.0.0", digest=digest)}


def _filler(stack: Stack) -> tuple[Placeholders, Callable[[Json], Json]]:
    names = names_of(stack.credentials)
    entries = {
        name: LockEntry(generation=late.generation, fingerprint=hashlib.md5(name.encode()).hexdigest())
        for name, late in names.items()
    }
    marks = Placeholders(stack.credentials, stack.externals, Lock(seed=f"k{'0' * 31}", credentials=entries))
    notes = cast("Mapping[str, str]", stack.by_name["app"].values["podAnnotations"])

    def text(match: re.Match[str]) -> str:
        value = notes["checksum/secrets"] if match[2] == "checksum" else marks[names[match[2]]]
        return base64.b64encode(value.encode()).decode() if match[1] else value

    def fill(value: Json) -> Json:
        match value:
            case str():
                return MARK.sub(text, value)
            case dict():
                return {key: fill(item) for key, item in value.items()}
            case list() | tuple():
                return [fill(item) for item in value]
            case _:
                return value

    return marks, fill
