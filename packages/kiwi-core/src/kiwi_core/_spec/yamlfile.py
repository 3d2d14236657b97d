"""YAML files: read without surprises, and edited in place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from kiwi_core._spec.document import Document, Steps, decode, read_bytes
from kiwi_core._spec.wording import found
from kiwi_core._spec.yamlplain import UnclearError, read_plain
from kiwi_core._spec.yamltree import YamlNode, in_quotes, yaml_tree
from kiwi_core.errors import InputError, Problem, Where, did_you_mean, dotted, raise_all

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["edit_yaml", "parse_yaml", "read_yaml"]

# What stays itself without quotes wherever a scalar may stand.
_BARE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")


def read_yaml(path: Path, *, name: str | None = None, error: type[InputError] = InputError) -> Document:
    """Read a YAML file.

    Args:
        path: the file.
        name: what the user calls it; the path by default.
        error: what is raised.

    Returns:
        Its data (null for an empty file) and lines.

    Raises:
        InputError: of the given class: the file cannot be read, or is not as ``parse_yaml`` wants it.
    """
    return parse_yaml(read_bytes(path, name=name, error=error), file=name or str(path), error=error)


def parse_yaml(data: bytes, *, file: str, error: type[InputError] = InputError) -> Document:
    """Parse one YAML document that every reader takes for the same.

    Args:
        data: the bytes of the file.
        file: what the user calls it.
        error: what is raised.

    Raises:
        InputError: of the given class, with all problems: not UTF-8, no YAML, the marks of a merge conflict, a second
            document, a key that stands twice or is no text, a tag, a merge key, an ambiguous plain scalar, an integer
            beyond 2^53, more than 100 levels, or more than 100 000 values once aliases are expanded.
    """
    root = yaml_tree(decode(data, file=file, error=error), file=file, error=error)

    def line(path: Steps) -> int | None:
        at, node = root.first.line, root
        for step in path:
            if step not in node.children:
                return None
            at, node = node.children[step]
        return at

    return Document(file=file, data=root.data, line=line)


def edit_yaml(
    text: str,
    changes: Mapping[tuple[str, ...], str],
    *,
    file: str,
    error: type[InputError] = InputError,
    may_add: Collection[str] = (),
) -> str:
    """Replace scalars of a YAML text by other texts, and nothing else: comments, order and line ends stay.

    Args:
        text: the content of the file.
        changes: path to new text; written in JSON's quotes where the old value was quoted or the new one needs it.
        file: what the user calls it.
        error: what is raised.
        may_add: keys that are added to their mapping, behind its last scalar, where they are not there.

    Returns:
        The new content, parsed again and found to differ in just these values.

    Raises:
        InputError: of the given class: the text is not as ``parse_yaml`` wants it, a path is not there, or its value
            cannot be replaced in place.
    """
    root = yaml_tree(text, file=file, error=error)
    problems: list[Problem] = []
    edits: list[tuple[int, int, str]] = []
    wanted = root.data
    for path, value in changes.items():
        adds = bool(path) and path[-1] in may_add
        found_parent = _find(root, path[:-1], file) if adds else None
        if isinstance(found_parent, tuple) and path[-1] not in found_parent[0].children:
            edit = _added(text, found_parent[0], path[-1], value, found_parent[1])
        else:
            node = _find(root, path, file)
            edit = node if isinstance(node, Problem) else _scalar(*node, value)
        if isinstance(edit, Problem):
            problems.append(edit)
        else:
            edits.append(edit)
            wanted = _replaced(wanted, path, value)
    raise_all(error, problems)
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    # Equal is not enough, since True equals 1; JSON tells them apart.
    if _written(yaml_tree(text, file=file, error=error).data) != _written(wanted):
        names = ", ".join(dotted(path) for path in changes)
        raise error(Problem(f"{names} cannot be replaced in place", Where(file), "edit the file by hand"))
    return text


def _find(root: YamlNode, path: tuple[str, ...], file: str) -> tuple[YamlNode, Where] | Problem:
    """Return what stands at a path, and where; or say why it cannot be edited."""
    node = root
    where = Where(file, root.first.line, path)
    for index, key in enumerate(path):
        if node.is_shared:
            break
        if key not in node.children:
            hint = did_you_mean(key, [step for step in node.children if isinstance(step, str)], otherwise="keys")
            return Problem(f"there is no key {key!r}", Where(file, where.line, path[:index]), hint)
        line, node = node.children[key]
        where = Where(file, line, path)
    if node.is_shared:
        return Problem("found an anchor (&) or an alias (*): other values change with it", where)
    return node, where


def _scalar(node: YamlNode, where: Where, value: str) -> tuple[int, int, str] | Problem:
    """Return the edit (start, end, new text) that replaces a scalar, or say why it cannot be replaced."""
    if node.first.kind != "scalar":
        return Problem(f"found {found(node.data)}, expected a text to replace", where)
    if node.first.style in {"|", ">"}:
        return Problem("found a block of text (| or >), expected a text on one line to replace", where)
    scalar = value if not node.first.style and _is_bare(value) else in_quotes(value)
    # An absent value ends right at the colon.
    gap = " " if node.first.start == node.end else ""
    return node.first.start, node.end, gap + scalar


def _added(text: str, parent: YamlNode, key: str, value: str, where: Where) -> tuple[int, int, str] | Problem:
    """Return the edit that adds a key behind the last scalar of a mapping, or say why there is no place for it."""
    scalars = [node for _, node in parent.children.values() if node.first.kind == "scalar"]
    if parent.first.kind != "mapping" or not scalars or scalars[-1].first.style in {"|", ">"}:
        return Problem(f"there is no place for a key {key!r}", where, "add it by hand")
    last = scalars[-1]
    if text[parent.first.start] == "{":
        return last.end, last.end, f", {in_quotes(key)}: {in_quotes(value)}"
    end = text.find("\n", last.end)
    end = len(text) if end < 0 else end
    line_end = "\r\n" if text[end - 1] == "\r" else "\n"
    indent = parent.first.start - (text.rfind("\n", 0, parent.first.start) + 1)
    end -= len(line_end) - 1
    return end, end, f"{line_end}{' ' * indent}{key}: {in_quotes(value)}"


def _written(data: Json) -> str:
    """Return plain data as text that is equal for equal data, in whatever order its keys stand."""
    return json.dumps(data, sort_keys=True)


def _replaced(data: Json, path: tuple[str, ...], value: str) -> Json:
    if not path:
        return value
    mapping = cast("Mapping[str, Json]", data)
    return {**mapping, path[0]: _replaced(mapping.get(path[0]), path[1:], value)}


def _is_bare(value: str) -> bool:
    try:
        return _BARE.fullmatch(value) is not None and isinstance(read_plain(value), str)
    except UnclearError:
        return False
