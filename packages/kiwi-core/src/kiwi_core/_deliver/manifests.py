"""Read rendered manifests as the API server gets them from Helm, and write them for a reader.

Helm turns them into JSON with go-yaml 2 (sigs.k8s.io/yaml): YAML 1.1's words for true and false and its octal numbers,
1.2's floats, no dates and no numbers to the base 60; the last of two equal keys counts. What comes out of a template is
taken as it is read there, whatever a stricter reader would think of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Manifest, Object

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

__all__ = ["ManifestError", "dump", "read_manifests", "read_plain"]

MOST: Final = 2_000_000
"""Nodes of one template's output: aliases can make a small text endless."""
DEEPEST: Final = 200

STR: Final = "tag:yaml.org,2002:str"
# Where libyaml is, nodes are composed by it; reading is most of what rendering costs.
_Base: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
NUMBER: Final = re.compile(r"[-+.0-9]")
INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))")
FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NONE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
SAFE: Final = 2**53
SIGNED: Final = range(-(2**63), 2**64)


class ManifestError(Exception):
    """A text is no manifest.

    Attributes:
        line: where in the text, counted from 1; None where that is not known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Loader(_Base):  # type: ignore[misc,valid-type]  # which base there is depends on how PyYAML was built
    """Composes nodes and leaves every plain scalar a text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own name; Any: as the stubs have it


def read_manifests(text: str, *, release: str, source: str) -> Iterator[Manifest]:
    """Yield the objects of a template's output; the items of a ``List`` one by one.

    Raises:
        ManifestError: it is no YAML, or a document is no object with ``apiVersion``, ``kind`` and a name.
    """
    try:
        for node in yaml.compose_all(text, Loader=cast("type[yaml.SafeLoader]", _Loader)):
            line = node.start_mark.line + 1
            tree = _Reader().read(node)
            if tree is None or tree == {}:
                continue
            for item in _objects(tree, line):
                yield Manifest(release=release, source=source, object=item)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise ManifestError(f"this is no YAML: {message}", mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise ManifestError(f"this is no YAML: {str(error).splitlines()[0]}") from None


def _objects(tree: Json, line: int) -> Iterator[Object]:
    if not isinstance(tree, dict):
        raise ManifestError(f"found a {type(tree).__name__}, expected a Kubernetes object", line)
    for key in ("apiVersion", "kind"):
        if not isinstance(tree.get(key), str) or not tree[key]:
            raise ManifestError(f"the object has no {key}", line)
    if str(tree["kind"]).endswith("List") and isinstance(tree.get("items"), list):
        for item in cast("list[Json]", tree["items"]):
            yield from _objects(item, line)
        return
    meta = tree.get("metadata")
    name = (meta.get("name") or meta.get("generateName")) if isinstance(meta, dict) else None
    if not isinstance(name, str):
        raise ManifestError(f"the {tree['kind']} has no name", line)
    yield tree


class _Reader:
    """Turns a node into what JSON has."""

    def __init__(self) -> None:
        self._left = MOST

    def read(self, node: Node, depth: int = 0) -> Json:
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            bound = f"more than {DEEPEST} levels" if depth > DEEPEST else f"more than {MOST} entries"
            raise ManifestError(f"it has {bound}", node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, depth + 1) for item in cast("list[Node]", node.value)]
        return self._map(cast("MappingNode", node), depth)

    def _map(self, node: MappingNode, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for key, item in cast("list[tuple[Node, Node]]", node.value):
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError("a key is a list or a map", key.start_mark.line + 1)
            value = self.read(item, depth + 1)
            if key.value == "<<" and not key.style:
                for part in reversed(value) if isinstance(value, list) else (value,):
                    found.update(part if isinstance(part, dict) else {})
            else:
                found[_key(key)] = value
        return found


def _scalar(node: ScalarNode) -> Json:
    text: str = node.value
    tag: str = node.tag
    if tag == STR:
        return text if node.style else _read(text, node)
    match tag.rpartition(":")[2]:
        case "binary":
            import base64

            return base64.b64decode(text).decode(errors="replace")
        case "int" | "float" | "bool" | "null":
            return _read(text, node)
        case _:
            return text


def _read(text: str, node: ScalarNode) -> Json:
    try:
        return read_plain(text)
    except ValueError as error:
        raise ManifestError(str(error), node.start_mark.line + 1) from None


def read_plain(text: str) -> Json:
    """Return what a plain scalar means to Helm.

    Raises:
        ValueError: JSON has no such number.
    """
    if text in WORDS:
        return WORDS[text]
    if not NUMBER.match(text):
        return text
    if NONE.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON has")
    digits = text if text.startswith(".") else text.replace("_", "")
    if (whole := INTEGER.fullmatch(digits)) and (number := _integer(whole)) in SIGNED:
        return number
    if FLOAT.fullmatch(digits) and math.isfinite(value := float(digits)):
        return int(value) if value.is_integer() and abs(value) < SAFE else value
    return text


def _integer(match: re.Match[str]) -> int:
    sign, *groups = match.groups()
    digits, base = next((digits, base) for digits, base in zip(groups, (16, 8, 2, 10), strict=True) if digits)
    return -int(digits, base) if sign == "-" else int(digits, base)


def _key(node: ScalarNode) -> str:
    value = _scalar(node)
    match value:
        case None:
            raise ManifestError("a key is null", node.start_mark.line + 1)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


UNCLEAR: Final = "-+.0123456789~<=yYnN"
"""How a plain scalar begins that one reader or another may take for something other than a text."""


class _Writer(_Dumper):  # type: ignore[misc,valid-type]  # as above
    """Writes texts in quotes wherever a reader, Helm's or another, could take them for something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- PyYAML's own name
        """Write what is there twice twice."""
        return True


def _represent(dumper: Any, text: str) -> ScalarNode:  # Any: the writer, whose base is not known to the types
    return cast("ScalarNode", dumper.represent_scalar(STR, text, style="|" if "\n" in text else None))


_writer: Any = _Writer  # the stubs leave these open
_writer.add_representer(str, _represent)
_writer.add_implicit_resolver("!unclear", re.compile(r"[-+.0-9~<=].*|[yYnN]", re.DOTALL), list(UNCLEAR))


def dump(manifests: Iterable[Manifest]) -> str:
    """Return manifests as a stream of YAML documents, each with its template above it, as ``helm template`` prints them."""
    return "".join(f"---\n# Source: {manifest.source}\n{_text(manifest.object)}" for manifest in manifests)


def _text(item: Object) -> str:
    return yaml.dump(item, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)
