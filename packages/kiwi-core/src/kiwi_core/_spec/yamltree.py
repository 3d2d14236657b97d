"""The tree of a YAML text: its values, checked, and where each stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from kiwi_core._spec.document import Steps, conflicts, number_problem
from kiwi_core._spec.wording import found
from kiwi_core._spec.yamlevents import YamlEvent, yaml_events
from kiwi_core._spec.yamlplain import UnclearError, read_plain
from kiwi_core.errors import InputError, Problem, Where, raise_all

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["YamlNode", "in_quotes", "yaml_tree"]

MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 100

# What YAML 1.2 cannot hold (production 1), and what readers disagree on: NEL, LS and PS end a line in YAML 1.1, which
# Helm reads, and not in 1.2; a byte-order mark is dropped by some.
_UNCLEAR: Final = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@attrs.frozen(kw_only=True)
class YamlNode:
    """A value and where it stands.

    Attributes:
        data: the value.
        first: the event that begins it.
        end: offset of its end in the text, in characters.
        is_shared: whether it has an anchor, or is an alias.
        count: how many values it is when every alias is expanded, itself included.
        height: how many levels are below it.
        children: line (of the key, or of the item) and node by step.
    """

    data: Json
    first: YamlEvent
    end: int
    is_shared: bool
    count: int = 1
    height: int = 0
    children: Mapping[str | int, tuple[int, YamlNode]] = attrs.field(factory=dict[str | int, tuple[int, "YamlNode"]])


def yaml_tree(text: str, *, file: str, error: type[InputError]) -> YamlNode:
    """Return the root of a YAML text of one document; null when it is empty.

    Args:
        text: the content of the file.
        file: what the user calls it.
        error: what is raised.

    Raises:
        InputError: of the given class, with all problems; see ``parse_yaml``.
    """
    raise_all(error, conflicts(text, file=file))
    unclear = _UNCLEAR.search(text)
    if unclear:
        line = text.count("\n", 0, unclear.start()) + 1
        message = f"found the character U+{ord(unclear[0]):04X}, which readers of YAML treat differently"
        raise error(Problem(message, Where(file, line), "write it as an escape, in double quotes"))
    return _Reader(yaml_events(text, file=file, error=error), file=file, error=error).root()


def in_quotes(value: str) -> str:
    """Return a text as a scalar in double quotes that every reader of YAML and of JSON takes for the same."""
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


class _Reader:
    """Builds the tree from events, and gathers what is wrong with it."""

    def __init__(self, events: Iterator[YamlEvent], *, file: str, error: type[InputError]) -> None:
        self._events = events
        self._file = file
        self._error = error
        self._problems: list[Problem] = []
        # An anchor without a node is being read.
        self._anchors: dict[str, YamlNode | None] = {}
        self._count = 0

    def root(self) -> YamlNode:
        """Return the root of the only document."""
        nothing = YamlEvent(kind="scalar", start=0, end=0, line=1)
        root = YamlNode(data=None, first=nothing, end=0, is_shared=False)
        documents = 0
        for event in self._events:
            if event.kind != "document":
                root = self._node(event, ())
                continue
            documents += 1
            if documents > 1:
                self._stop("found a second document", event, (), "a file holds one document: split it")
        raise_all(self._error, self._problems)
        return root

    def _node(self, event: YamlEvent, path: Steps) -> YamlNode:
        self._count += 1
        self._check_limits(event, path)
        if event.tag is not None:
            self._report(f"found the tag {event.tag}, expected a plain value", event, path, "leave it out")
        if event.kind == "alias":
            return self._alias(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        match event.kind:
            case "mapping":
                node = self._mapping(event, path)
            case "list":
                node = self._list(event, path)
            case _:
                node = self._scalar(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: YamlEvent, path: Steps) -> YamlNode:
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            what = "refers to itself" if name in self._anchors else "has no anchor before it"
            self._stop(f"the alias *{name} {what}", event, path)
        self._count += node.count - 1
        self._check_limits(event, path, node.height)
        return attrs.evolve(node, first=event, end=event.end, is_shared=True)

    def _scalar(self, event: YamlEvent, path: Steps) -> YamlNode:
        data: str | int | float | bool | None = event.text
        if not event.style:
            try:
                data = read_plain(event.text)
            except UnclearError as failure:
                self._report(str(failure), event, path, f"write it in quotes: {in_quotes(event.text)}")
        if isinstance(data, int | float):
            problem = number_problem(data, Where(self._file, event.line, path))
            self._problems += [problem] if problem else []
        return YamlNode(data=data, first=event, end=event.end, is_shared=event.anchor is not None)

    def _mapping(self, event: YamlEvent, path: Steps) -> YamlNode:
        children: dict[str | int, tuple[int, YamlNode]] = {}
        data: dict[str, Json] = {}
        while (first := next(self._events)).kind != "end":
            key = self._key(first, path)
            if key in children:
                message = f"the key {key!r} stands twice, in lines {children[key][0]} and {first.line}"
                self._report(message, first, (*path, key), "keep one of the two")
            node = self._node(next(self._events), (*path, key))
            children[key] = (first.line, node)
            data[key] = node.data
        return _collection(event, first, data, children)

    def _key(self, event: YamlEvent, path: Steps) -> str:
        node = self._node(event, path)
        if event.kind != "scalar":
            self._report("found an alias, a list or a mapping as a key, expected text", event, path)
        elif not isinstance(node.data, str):
            message = f"found {found(node.data)} as a key, expected text"
            self._report(message, event, path, f"write it in quotes: {in_quotes(event.text)}")
        return event.text

    def _list(self, event: YamlEvent, path: Steps) -> YamlNode:
        children: dict[str | int, tuple[int, YamlNode]] = {}
        data: list[Json] = []
        while (item := next(self._events)).kind != "end":
            node = self._node(item, (*path, len(data)))
            children[len(data)] = (item.line, node)
            data.append(node.data)
        return _collection(event, item, data, children)

    def _check_limits(self, event: YamlEvent, path: Steps, height: int = 0) -> None:
        if self._count > MAX_NODES:
            self._stop(f"found more than {MAX_NODES} values, aliases expanded", event, path)
        if len(path) + height > MAX_DEPTH:
            self._stop(f"found more than {MAX_DEPTH} levels, one in the other", event, path[:1])

    def _report(self, message: str, event: YamlEvent, path: Steps, hint: str | None = None) -> None:
        self._problems.append(Problem(message, Where(self._file, event.line, path), hint))

    def _stop(self, message: str, event: YamlEvent, path: Steps, hint: str | None = None) -> NoReturn:
        self._report(message, event, path, hint)
        raise self._error(*self._problems)


def _collection(
    first: YamlEvent, last: YamlEvent, data: Json, children: Mapping[str | int, tuple[int, YamlNode]]
) -> YamlNode:
    return YamlNode(
        data=data,
        first=first,
        end=last.end,
        is_shared=first.anchor is not None,
        count=1 + sum(node.count for _, node in children.values()),
        height=1 + max((node.height for _, node in children.values()), default=0),
        children=children,
    )
