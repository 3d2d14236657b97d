"""Objects against the schemas of Kubernetes: what it takes, what it does not, and what nobody can say."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from kiwi_core._deliver.kube_schemas import FOLDER, load_schemas
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Object
from kiwi_core._model.rendered import Schemas
from kiwi_core.errors import dotted

pytest.importorskip("kubernetes_validate", reason="the extra kiwi-core[schemas] is not installed")

# What the reader of the schemas knows, and what says nothing of what is allowed.
KNOWN = {"$ref", "additionalProperties", "enum", "items", "oneOf", "properties", "required", "type"}
SAYS_NOTHING = {"description", "format", "default"}


def schemas(version: str = "1.37") -> Schemas:
    found = load_schemas(version)
    assert isinstance(found, Schemas)
    return found


def thing(kind: str, version: str = "v1", /, **fields: Json) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **fields}


def deployment(container: Mapping[str, Json], **spec: Json) -> Object:
    template: Json = {"metadata": {}, "spec": {"containers": [{"name": "app", **container}]}}
    return thing("Deployment", "apps/v1", spec={"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec})


RIGHT: Mapping[str, Object] = {
    "deployment": deployment({"image": "x", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}),
    "port-by-number": thing("Service", spec={"ports": [{"port": 80, "targetPort": 8080}]}),
    "port-by-name": thing("Service", spec={"ports": [{"port": 80, "targetPort": "http"}]}),
    "null-is-as-if-left-out": deployment({"image": "x", "args": None, "env": None}, replicas=None),
    "free-map": thing("ConfigMap", data={"any": "thing"}),
    "definition": thing(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1",
        spec={
            "group": "x.example",
            "names": {"kind": "X", "plural": "xs"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"default": 1}}}
            ],
        },
    ),
}
WRONG: Mapping[str, tuple[Object, str, str]] = {
    "field-that-is-none": (deployment({"image": "x", "iamge": "y"}), "spec.template.spec.containers[0].iamge", "did you mean 'image'"),
    "field-of-the-object": (thing("ConfigMap", dta={}), "dta", "did you mean 'data'"),
    "text-for-a-number": (deployment({"image": "x"}, replicas="2"), "spec.replicas", 'found "2", expected a number'),
    "number-for-a-text": (thing("ConfigMap", data={"a": 1}), "data.a", "found 1, expected a text"),
    "boolean-for-a-number": (deployment({}, replicas=True), "spec.replicas", "found true"),
    "map-for-a-list": (deployment({"env": {"A": "b"}}), "spec.template.spec.containers[0].env", "expected a list"),
    "list-for-a-map": (thing("Service", spec=[]), "spec", "expected a map"),
    "missing": (deployment({"image": "x"}, selector=None), "spec", "'selector' is missing"),
    "missing-within": (deployment({"env": [{"value": "x"}]}), "spec.template.spec.containers[0].env[0]", "'name' is missing"),
    "neither-number-nor-text": (thing("Service", spec={"ports": [{"port": 80, "targetPort": True}]}), "spec.ports[0].targetPort", "expected one of integer, string"),
    "fraction": (deployment({"image": "x"}, replicas=1.5), "spec.replicas", "found 1.5, expected a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_kubernetes_takes_has_no_fault(name: str) -> None:
    assert schemas().faults(RIGHT[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_it_does_not_take_is_named_with_its_place(name: str) -> None:
    item, path, said = WRONG[name]
    found = [(dotted(fault.path), fault.message) for fault in schemas().faults(item) or ()]
    assert [text for at, text in found if at == path and said in text], found


def test_a_kind_of_nobody_has_no_schema() -> None:
    assert schemas().faults(thing("Certificate", "cert-manager.io/v1")) is None
    assert schemas().faults(thing("Deployment", "extensions/v1beta1")) is None
    assert "extensions" in schemas().groups


def test_a_version_counts_by_its_first_two_numbers() -> None:
    assert schemas("1.37.2").version == "1.37"
    ingress = thing("CronJob", "batch/v1beta1")
    assert schemas("1.25").faults(ingress) is None


def test_a_version_that_is_not_there_is_told_with_those_that_are() -> None:
    assert "has no schemas of Kubernetes 1.99; it holds 1.25 to" in str(load_schemas("1.99"))


def test_the_faults_of_one_object_are_bounded() -> None:
    assert len(schemas().faults(thing("ConfigMap", data={str(n): n for n in range(100)})) or ()) == 20


@pytest.mark.parametrize("folder", ["v1.25.0-local-strict", "v1.37.0-local-strict"])
def test_the_schemas_use_no_keyword_that_is_passed_over(folder: str) -> None:
    base = Path(str(importlib.metadata.distribution("kubernetes-validate").locate_file(FOLDER)))
    tree = json.loads((base / folder / "_definitions.json").read_bytes())["$defs"]
    used = {keyword for definition in tree.values() for keyword in _keywords(definition)}
    assert {keyword for keyword in used if not keyword.startswith("x-kubernetes-")} - SAYS_NOTHING <= KNOWN


def _keywords(schema: Mapping[str, object]) -> Iterator[str]:
    yield from schema
    inside = [schema.get("items"), schema.get("additionalProperties"), *cast("list[object]", schema.get("oneOf") or [])]
    inside += cast("dict[str, object]", schema.get("properties") or {}).values()
    for item in inside:
        if isinstance(item, dict):
            yield from _keywords(cast("dict[str, object]", item))
