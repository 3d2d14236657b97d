"""The releases of a child helmfile: Go-templated YAML, read block by block.

Known are the controls that upstream writes: the Enterprise edition's values files, the customization hook of each
release, and post-renderers under a condition. Repositories are passed over: a release names its chart's key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from kiwi_component_opendesk._capture.lines import refuse

__all__ = ["ReleaseBlock", "apps_in_order", "read_releases"]

APP: Final = re.compile(r'  - path: "helmfile/apps/(?P<app>[a-z-]+)/helmfile-child\.yaml\.gotmpl"')
TOP: Final = re.compile(r"(?P<key>repositories|releases|commonLabels):")
NAME: Final = re.compile(r'  - name: "(?P<name>[a-z0-9-]+)"')
FIELD: Final = re.compile(r"    (?P<key>[a-zA-Z]+):(?: (?P<value>.+))?")
ITEM: Final = re.compile(r'      - "(?P<item>[^"{}]+)"')
LABEL: Final = re.compile(r'  (?P<key>[a-zA-Z-]+): "(?P<value>[^"]+)"')
CHART: Final = re.compile(r'"[a-z-]+/\{\{ \.Values\.charts\.(?P<key>\w+)\.name \}\}"')
GATE: Final = re.compile(r"\.Values\.apps\.(\w+)\.enabled")

ENTERPRISE: Final = '{{- if eq (env "OPENDESK_ENTERPRISE") "true" }}'
CUSTOMIZATION: Final = re.compile(r"\{\{- range \.Values\.customization\.release\.(?P<key>\w+) \}\}")
CONDITION: Final = re.compile(r"\{\{- if (?:ne|eq) .+ \}\}")
EACH: Final = "- {{ . }}"
END: Final = "{{- end }}"

PLAIN: Final = frozenset({"chart", "version", "installed", "timeout", "wait", "waitForJobs", "postRenderer"})
LISTS: Final = frozenset({"values", "needs"})


@attrs.define(kw_only=True)
class ReleaseBlock:
    """A release as its block says it.

    Attributes:
        name: the release's name.
        line: where it begins.
        fields: plain fields, as they stand.
        needs: what it names itself.
        values: its values files, those of the Enterprise edition apart.
        customization: keys under ``customization.release``.
        labels: the file's common labels.
    """

    name: str
    line: int
    fields: dict[str, str] = attrs.field(factory=dict[str, str])
    needs: list[str] = attrs.field(factory=list[str])
    values: list[str] = attrs.field(factory=list[str])
    enterprise_values: list[str] = attrs.field(factory=list[str])
    customization: list[str] = attrs.field(factory=list[str])
    labels: dict[str, str] = attrs.field(factory=dict[str, str])

    def chart(self, *, file: str) -> str:
        """Return the key of its chart's pin."""
        match = CHART.fullmatch(self.fields.get("chart", ""))
        if match is None:
            refuse(f"release {self.name!r} names its chart in an unknown way", file, self.line)
        if self.fields.get("version") != f'"{{{{ .Values.charts.{match["key"]}.version }}}}"':
            refuse(f"release {self.name!r} takes chart and version from different pins", file, self.line)
        return match["key"]

    def gates(self) -> Sequence[str]:
        """Return the keys of ``apps`` that must be enabled for it."""
        return GATE.findall(self.fields.get("installed", ""))


def apps_in_order(text: str, *, file: str) -> list[str]:
    """Return the apps of the entry file in its order.

    Raises:
        InputError: it names none.
    """
    found = [match["app"] for line in text.split("\n") if (match := APP.fullmatch(line))]
    if not found:
        refuse("it names no helmfile of an app", file, 1)
    return found


def read_releases(text: str, *, file: str) -> list[ReleaseBlock]:
    """Return the releases of a child helmfile in order.

    Raises:
        InputError: a line is not understood.
    """
    releases: list[ReleaseBlock] = []
    labels: dict[str, str] = {}
    part, field, controls = "", "", list[str]()
    for number, line in _lines(text):
        if top := TOP.fullmatch(line):
            part = top["key"]
        elif part == "repositories":
            continue
        elif part == "commonLabels" and (label := LABEL.fullmatch(line)):
            labels[label["key"]] = label["value"]
        elif part == "releases" and (name := NAME.fullmatch(line)) and not controls:
            releases.append(ReleaseBlock(name=name["name"], line=number))
            field = ""
        elif part == "releases" and releases:
            field = _line(line, releases[-1], field, controls, (file, number))
        else:
            refuse(f"unknown line {line.strip()!r}", file, number)
    if controls or not labels:
        refuse(f"{controls[-1]!r} is never closed" if controls else "it has no commonLabels", file, 1)
    for release in releases:
        release.labels = labels
    return releases


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#") and line not in {"---", "..."}:
            yield number, line.rstrip()


def _line(line: str, release: ReleaseBlock, field: str, controls: list[str], place: tuple[str, int]) -> str:
    """Take a line of a release's block; return the field that the next line belongs to."""
    text = line.strip()
    if text == END and controls:
        controls.pop()
    elif text == ENTERPRISE or CONDITION.fullmatch(text):
        controls.append(text)
    elif customization := CUSTOMIZATION.fullmatch(text):
        controls.append(text)
        release.customization.append(customization["key"])
    elif text == EACH and controls and CUSTOMIZATION.fullmatch(controls[-1]):
        pass
    elif (item := ITEM.fullmatch(line)) and field in LISTS and controls in ([], [ENTERPRISE]):
        if field == "needs" and not controls:
            release.needs.append(item["item"])
        elif field == "values":
            (release.enterprise_values if controls else release.values).append(item["item"])
        else:
            refuse(f"release {release.name!r} needs {item['item']!r} in one edition only", *place)
    elif match := FIELD.fullmatch(line):
        return _field(match["key"], match["value"], release, controls, place)
    else:
        refuse(f"unknown line {text!r} in release {release.name!r}", *place)
    return field


def _field(key: str, value: str | None, release: ReleaseBlock, controls: list[str], place: tuple[str, int]) -> str:
    known = (key in PLAIN and value) or (key in LISTS and not value)
    # Only a post-renderer depends on a condition; with it, the condition is part of the fact.
    if not known or key in release.fields or (controls and key != "postRenderer"):
        refuse(f"unknown field {key!r} in release {release.name!r}", *place)
    if value:
        release.fields[key] = value
    return key
