"""The events of PyYAML's parser, typed.

PyYAML's loaders resolve YAML 1.1's scalars, keep the last of two equal keys and build whatever a tag names; its events
do nothing of the kind, carry the position of everything, and come one by one, so that no depth exhausts the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import attrs
import yaml

from kiwi_core.errors import InputError, Problem, Where

__all__ = ["YamlEvent", "yaml_events"]

Kind: TypeAlias = Literal["document", "scalar", "list", "mapping", "end", "alias"]

_KINDS: Final[dict[type[yaml.events.Event], Kind]] = {
    yaml.events.DocumentStartEvent: "document",
    yaml.events.ScalarEvent: "scalar",
    yaml.events.SequenceStartEvent: "list",
    yaml.events.MappingStartEvent: "mapping",
    yaml.events.SequenceEndEvent: "end",
    yaml.events.MappingEndEvent: "end",
    yaml.events.AliasEvent: "alias",
}


@attrs.frozen(kw_only=True)
class YamlEvent:
    """A step of reading a YAML text.

    Attributes:
        kind: what begins here; ``end`` closes a list or mapping.
        text: what a scalar says.
        style: ``'``, ``"``, ``|`` or ``>``; empty for a plain scalar.
        tag: the tag as written or expanded; None where there is none.
        anchor: its anchor, or the one that an alias names.
        start, end: offsets into the text, in characters.
        line: where it begins, counted from 1.
    """

    kind: Kind
    text: str = ""
    style: str = ""
    tag: str | None = None
    anchor: str | None = None
    start: int
    end: int
    line: int


def yaml_events(text: str, *, file: str, error: type[InputError]) -> Iterator[YamlEvent]:
    """Yield the events of a YAML text.

    Args:
        text: the content of the file.
        file: what the user calls it.
        error: what is raised.

    Raises:
        InputError: of the given class: it is no YAML.
    """
    # libyaml's parser, where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # Any: the stubs know neither which events have a tag or a style, nor that each has its marks.
    event: Any
    try:
        for event in yaml.parse(text, loader):
            if type(event) in _KINDS:
                yield YamlEvent(
                    kind=_KINDS[type(event)],
                    text=getattr(event, "value", ""),
                    style=getattr(event, "style", None) or "",
                    tag=getattr(event, "tag", None),
                    anchor=getattr(event, "anchor", None),
                    start=event.start_mark.index,
                    end=event.end_mark.index,
                    line=event.start_mark.line + 1,
                )
    except yaml.MarkedYAMLError as failure:
        mark: Any = failure.problem_mark or failure.context_mark
        message = ", ".join(part for part in (failure.context, failure.problem) if part)
        raise error(Problem(f"this is no YAML: {message}", Where(file, mark.line + 1))) from None
