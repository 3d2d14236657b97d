"""The Kubernetes objects that a template prints, read line by line from what stands between the actions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from kiwi_core._deliver.template_reader import Piece, join_guards
from kiwi_core._deliver.template_values import Constant, Path, Printed, Steps, Value, paths_in
from kiwi_core._model.capture import ANY, UNSAID, ClusterObject, HardCodedImage, Workload
from kiwi_core._model.kubernetes import CLUSTER_KINDS

__all__ = ["Document", "documents"]

WORKLOAD_KINDS: Final = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"}
)

# What stands for an action in a line's text.
HOLE: Final = "\0"

# On a line of its own, and within braces.
IMAGES: Final = (
    re.compile(r"""^\s*(?:-\s+)?(["']?)image\1\s*:\s+(?P<value>\S.*)"""),
    re.compile(r"""[{,]\s*(["']?)image\1\s*:\s+(?P<value>"[^"]*"|'[^']*'|[^\s"',{}]+)"""),
)
# A tag or a digest makes it surely a reference; a bare name (`image: busybox`) is one that floats.
REFERENCE: Final = re.compile(r"[a-z0-9][\w.:-]*(?:/[\w.-]+)*(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]{64})?")
TAGGED: Final = re.compile(r"/?[a-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w][\w.-]*|@sha256:[0-9a-f]{64})")
KIND: Final = re.compile(r"\s*kind:\s")
VERSION: Final = re.compile(r"\s*apiVersion:")
HOOK: Final = re.compile(r"""^\s*["']?helm\.sh/hook["']?\s*:\s*(?P<value>\S.*)""")
PORT: Final = re.compile(r"""containerPort["']?\s*:\s*["']?(?P<value>[^\s"',}]+)""")


@attrs.frozen
class Line:
    """A line of a template.

    Attributes:
        parts: what it prints, in order.
    """

    parts: tuple[Piece, ...]

    @property
    def number(self) -> int:
        """Its number, counted from 1."""
        return next(part.line for part in self.visible)

    @property
    def visible(self) -> Iterator[Piece]:
        """What it prints, blanks apart."""
        return (part for part in self.parts if part.text is None or part.text.strip())

    @property
    def text(self) -> str:
        """Its text, a hole in the place of each action."""
        return "".join(HOLE if part.text is None else part.text for part in self.parts)

    @property
    def values(self) -> tuple[Value, ...]:
        """What its actions print, a value for each hole."""
        return tuple(part.value for part in self.parts if part.text is None)

    @property
    def guards(self) -> tuple[str, ...]:
        """The guards of all that it prints."""
        return join_guards(*(part.guards for part in self.visible))

    @property
    def indent(self) -> int | None:
        """How far its text stands from the left; None when it begins with an action that does not say."""
        text = self.text
        if text.lstrip().startswith(HOLE):
            return next(part.indent for part in self.parts if part.text is None)
        return len(text) - len(text.lstrip())

    def find(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, tuple[Value, ...]]]:
        """Yield what follows a key, without quotes and comment, and what its actions print."""
        text = self.text
        for match in pattern.finditer(text):
            start = text.count(HOLE, 0, match.start("value"))
            found = re.sub(r"\s#.*", "", match["value"]).strip().strip("\"'")
            yield found, self.values[start : start + found.count(HOLE)]


@attrs.frozen
class Document:
    """One YAML document of a template.

    Attributes:
        file: path in the chart.
        lines: those that are not blank and no comment.
    """

    file: str
    lines: tuple[Line, ...]

    def kinds(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the kinds that its object may have, each with its guards."""
        starts = [len(line.text) - len(line.text.lstrip()) for line in self.lines if VERSION.match(line.text)]
        for line in self.lines:
            if not KIND.match(line.text) or line.indent != min(starts, default=0):
                continue
            for part in line.visible:
                for word in _constants(part.value) if part.text is None else (part.text,):
                    name = word.rpartition("kind:")[2].strip().strip("\"'")
                    if name.isalnum():
                        yield name, part.guards

    def hook(self) -> str | None:
        """Return the value of its ``helm.sh/hook`` annotation."""
        found = next((value for line in self.lines for value, _ in line.find(HOOK)), None)
        return UNSAID if found is not None and HOLE in found else found

    def images(self) -> Iterator[tuple[str, tuple[Value, ...], Line]]:
        """Yield what follows each ``image:``, a hole for each action, and what the actions print."""
        for line in self.lines:
            for pattern in IMAGES:
                yield from ((text, values, line) for text, values in line.find(pattern))

    def hard_coded(self) -> Iterator[HardCodedImage]:
        """Yield the images that it names itself; a registry before it may be an action."""
        for text, values, line in self.images():
            # An action can print a constant, as a named template that holds nothing else does.
            named = _constants(values[0]) if text == HOLE and not any(paths_in(values[0])) else []
            bare = named[0] if len(named) == 1 else text.removeprefix(HOLE)
            if HOLE in bare or not (REFERENCE if bare == text else TAGGED).fullmatch(bare):
                continue
            yield HardCodedImage(
                image=bare.removeprefix("/"),
                file=self.file,
                line=line.number,
                guards=line.guards,
                hook=self.hook(),
            )

    def cluster_objects(self) -> Iterator[ClusterObject]:
        """Yield it, when it belongs to the whole cluster."""
        for kind, guards in self.kinds():
            if kind in CLUSTER_KINDS:
                yield ClusterObject(kind=kind, file=self.file, guards=guards)

    def workloads(self) -> Iterator[Workload]:
        """Yield it, when it runs pods."""
        for kind, guards in self.kinds():
            if kind not in WORKLOAD_KINDS:
                continue
            pod = self.lines if kind == "Pod" else _below(self.lines, "template")
            metadata = _below(pod, "metadata")
            fixed = frozenset(_maps(_below(self.lines, "selector")))
            yield Workload(
                kind=kind,
                file=self.file,
                guards=guards,
                annotations=_best(_maps(_below(metadata, "annotations"))),
                labels=_best(path for path in _maps(_below(metadata, "labels")) if path not in fixed),
                ports=tuple(dict.fromkeys(self._ports())),
                hook=self.hook(),
            )

    def _ports(self) -> Iterator[int | str]:
        for text, values in (found for line in self.lines for found in line.find(PORT)):
            if text.isdecimal():
                yield int(text)
            for value in values if text == HOLE else ():
                yield from (".".join(atom.steps) for atom in sorted(value, key=repr) if isinstance(atom, Path))
                yield from (int(word) for word in _constants(value) if word.isdecimal())


def documents(file: str, pieces: Iterable[Piece]) -> Iterator[Document]:
    """Split what a template prints into YAML documents."""
    lines: list[Line] = []
    for line in _lines(pieces):
        text = line.text.strip()
        if text == "---" or text.startswith("--- "):
            yield Document(file, tuple(lines))
            lines.clear()
        elif text and not text.startswith("#"):
            lines.append(line)
    yield Document(file, tuple(lines))


def _lines(pieces: Iterable[Piece]) -> Iterator[Line]:
    parts: list[Piece] = []
    for piece in pieces:
        if piece.text is None:
            parts.append(piece)
            continue
        for offset, text in enumerate(piece.text.split("\n")):
            if offset:
                yield Line(tuple(parts))
                parts.clear()
            if text:
                parts.append(attrs.evolve(piece, text=text, line=piece.line + offset))
    yield Line(tuple(parts))


def _below(lines: Sequence[Line], key: str) -> tuple[Line, ...]:
    """Return the lines of the first map of a key: the key's own, and those that stand further to the right."""
    pattern = re.compile(rf"\s*{key}:[\s{HOLE}]*")
    for index, line in enumerate(lines):
        if not pattern.fullmatch(line.text) or line.indent is None:
            continue
        end = index + 1
        while end < len(lines) and ((indent := lines[end].indent) is None or indent > line.indent):
            end += 1
        return tuple(lines[index:end])
    return ()


def _maps(lines: Iterable[Line]) -> Iterator[Steps]:
    """Yield the maps of the values that are printed among the lines, as a whole or key by key."""
    for line in lines:
        before = line.text.partition(HOLE)[0].strip()
        # What follows a key of its own is a scalar, except after the key of the map itself.
        if before not in {"", "annotations:", "labels:", "matchLabels:"}:
            continue
        for atom in sorted((atom for value in line.values for atom in value), key=repr):
            match atom:
                case Printed(steps):
                    yield steps
                case Path(steps) if ANY in steps:
                    yield steps[: len(steps) - 1 - steps[::-1].index(ANY)]
                case _:
                    pass


def _best(maps: Iterable[Steps]) -> str | None:
    """Choose the map that is meant for these pods: named after pods, of its own and not common to all."""
    found = list(dict.fromkeys(steps for steps in maps if steps))
    found.sort(key=lambda steps: ("pod" not in steps[-1].lower(), steps[0].startswith(("global", "common"))))
    return ".".join(found[0]) if found else None


def _constants(value: Value) -> list[str]:
    return sorted(atom.text for atom in value if isinstance(atom, Constant))
