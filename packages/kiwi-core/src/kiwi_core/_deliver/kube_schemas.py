"""The schemas of Kubernetes' own kinds, from the data of PyPI's ``kubernetes-validate`` (extra ``kiwi-core[schemas]``).

That package holds what Kubernetes publishes as OpenAPI, one folder for each minor version, in a strict form in which an
unknown field is an error, as it is to Helm 4's server-side apply. Its own validator is not used: the schemas say little
(types, required fields, allowed values), and reading them directly takes a hundredth of the time.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, cast

import attrs

from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Object, Steps, as_list, as_map
from kiwi_core._model.rendered import Fault, Schemas
from kiwi_core.errors import did_you_mean

__all__ = ["load_schemas"]

DISTRIBUTION: Final = "kubernetes-validate"
FOLDER: Final = "kubernetes_validate/kubernetes-json-schema"
STRICT: Final = re.compile(r"v(1\.\d+)\.\d+-local-strict")
MOST: Final = 20
"""Faults of one object that are told."""

TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "array": (list, tuple),
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
WORDS: Final[Mapping[type, str]] = {
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
    dict: "a map",
    str: "a text",
}


def load_schemas(kubernetes: str) -> Schemas | str:
    """Return the schemas of a version of Kubernetes, or why there are none.

    Args:
        kubernetes: the version, such as ``1.37`` or ``1.37.2``; all of one minor version have one schema.
    """
    wanted = ".".join(kubernetes.split(".")[:2])
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "no schemas of Kubernetes are installed: pip install 'kiwi-core[schemas]'"
    # Not through its list of files: that has seventeen thousand lines.
    base = Path(str(distribution.locate_file(FOLDER)))
    there = {match[1]: folder for folder in base.glob("*") if (match := STRICT.fullmatch(folder.name))}
    if wanted not in there:
        known = sorted(there, key=lambda version: int(version.partition(".")[2]))
        held = f"{known[0]} to {known[-1]}" if known else "none"
        return f"{DISTRIBUTION} {distribution.version} has no schemas of Kubernetes {wanted}; it holds {held}"
    found = _Definitions(there[wanted] / "_definitions.json")
    return Schemas(version=wanted, groups=BUILT_IN, faults=found.faults)


BUILT_IN: Final = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"}) | {
    f"{group}.k8s.io"
    for group in (
        *("admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization"),
        *("certificates", "coordination", "discovery", "events", "flowcontrol.apiserver", "networking", "node"),
        *("rbac.authorization", "resource", "scheduling", "storage", "storagemigration"),
    )
}
"""Kubernetes' own API groups, past ones included: a kind of theirs that has no schema is none."""


@attrs.frozen(slots=False)
class _Definitions:
    """The definitions of one version, read when they are first asked for."""

    file: Path

    @cached_property
    def _all(self) -> Mapping[str, Object]:
        tree = json.loads(self.file.read_bytes())
        return cast("Mapping[str, Object]", tree.get("$defs") or tree["definitions"])

    @cached_property
    def _kinds(self) -> Mapping[tuple[str, str], str]:
        """API version and kind to the name of the definition."""
        found: dict[tuple[str, str], str] = {}
        for name, definition in self._all.items():
            for item in map(as_map, as_list(definition.get("x-kubernetes-group-version-kind"))):
                group, version = item.get("group"), item.get("version")
                found.setdefault((f"{group}/{version}" if group else str(version), str(item.get("kind"))), name)
        return found

    def faults(self, item: Object) -> Sequence[Fault] | None:
        """Say what is wrong with an object; None where its kind is not known."""
        name = self._kinds.get((str(item.get("apiVersion")), str(item.get("kind"))))
        if name is None:
            return None
        found: list[Fault] = []
        for fault in self._check(item, self._all[name], ()):
            found.append(fault)
            if len(found) == MOST:
                break
        return found

    def _check(self, value: Json, schema: Object, path: Steps) -> Iterator[Fault]:
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._check(value, self._all[reference.rpartition("/")[2]], path)
            return
        if choices := as_list(schema.get("oneOf")):
            if all(next(self._check(value, as_map(choice), path), None) for choice in choices):
                names = sorted({name for choice in choices for name in _types(as_map(choice)) if name != "null"})
                yield Fault(path=path, message=f"found {_shown(value)}, expected one of {', '.join(names)}")
            return
        types = _types(schema)
        if types and not any(_is(value, name) for name in types):
            yield Fault(path=path, message=f"found {_shown(value)}, expected {_expected(types)}")
            return
        allowed = as_list(schema.get("enum"))
        if allowed and value is not None and value not in allowed:
            hint = did_you_mean(str(value), map(str, allowed), otherwise="allowed")
            yield Fault(path=path, message=f"{_shown(value)} is not allowed: {hint}")
        if isinstance(value, Mapping):
            yield from self._map(value, schema, path)
        elif isinstance(value, list | tuple) and "items" in schema:
            items = as_map(schema["items"])
            for index, item in enumerate(as_list(value)):
                yield from self._check(item, items, (*path, index))

    def _map(self, value: Object, schema: Object, path: Steps) -> Iterator[Fault]:
        fields, others = as_map(schema.get("properties")), schema.get("additionalProperties")
        for name in as_list(schema.get("required")):
            if isinstance(name, str) and value.get(name) is None:
                yield Fault(path=path, message=f"{name!r} is missing")
        for key, item in value.items():
            if key in fields:
                yield from self._check(item, as_map(fields[key]), (*path, key))
            elif isinstance(others, Mapping):
                yield from self._check(item, others, (*path, key))
            elif others is False:
                hint = did_you_mean(key, fields, otherwise="there are")
                yield Fault(path=(*path, key), message=f"there is no such field; {hint}")


def _types(schema: Object) -> Sequence[str]:
    said = schema.get("type")
    return (said,) if isinstance(said, str) else tuple(str(name) for name in as_list(said))


def _is(value: Json, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, Mapping):
        return name == "object"
    return isinstance(value, TYPES[name])


def _expected(types: Sequence[str]) -> str:
    forms = [TYPES[name] for name in types if name != "null"] or [type(None)]
    return " or ".join(WORDS[form[0] if isinstance(form, tuple) else form] for form in forms)


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"{text[:60]}…" if len(text) > 60 else text  # noqa: PLR2004 -- what fits into a line
