"""The YAML files of a chart: ``Chart.yaml``, ``requirements.yaml``, ``values.yaml`` and ``crds/``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

import attrs
import yaml

from kiwi_core._deliver.chart_files import ChartFiles
from kiwi_core._deliver.template_values import Steps
from kiwi_core._model.capture import Json, Subchart
from kiwi_core.errors import InputError, Problem, raise_all

__all__ = ["ChartMeta", "read_crds", "read_meta", "read_values"]

# Anchors can make a small file endless; upstream's largest values have some thousand entries.
MAX_ENTRIES: Final = 200_000

# The quick loaders are there where PyYAML was built with libyaml.
_Base: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_Safe: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

KIND: Final = re.compile(r"^kind:\s*[\"']?(\w+)", re.MULTILINE)


@attrs.frozen(kw_only=True)
class ChartMeta:
    """What ``Chart.yaml`` says.

    Attributes:
        name: the chart's name.
        version: its version.
        app_version: the version of what it installs.
        subcharts: the charts that it depends on.
        switches: values paths that Helm itself reads: the conditions of subcharts, and their tags.
    """

    name: str
    version: str
    app_version: str | None
    subcharts: tuple[Subchart, ...]
    switches: tuple[Steps, ...]


def read_meta(chart: ChartFiles) -> ChartMeta:
    """Read ``Chart.yaml``, and ``requirements.yaml`` where a chart of the first form has one.

    Raises:
        InputError: one of them is no YAML map, or lacks a name or a version.
    """
    # The base loader leaves every scalar the text that it is: 1.10 is no number here.
    meta = _map(chart, "Chart.yaml")
    texts = {key: value for key, value in meta.items() if isinstance(value, str)}
    raise_all(
        InputError,
        (
            Problem(f"{key!r} is missing", chart.where("Chart.yaml"))
            for key in ("name", "version")
            if not texts.get(key)
        ),
    )
    file = "Chart.yaml" if "dependencies" in meta else "requirements.yaml"
    found = _map(chart, file).get("dependencies")
    subcharts: list[Subchart] = []
    switches: list[Steps] = []
    for item in cast("list[object]", found) if isinstance(found, list) else []:
        entry = cast("dict[str, object]", item) if isinstance(item, dict) else {}
        words = {key: value for key, value in entry.items() if isinstance(value, str)}
        if not words.get("name"):
            raise InputError(Problem("a dependency has no name", chart.where(file)))
        conditions = tuple(path for text in words.get("condition", "").split(",") if (path := text.strip()))
        tags = entry.get("tags")
        switches += (tuple(path.split(".")) for path in conditions)
        switches += (("tags", str(tag)) for tag in (cast("list[object]", tags) if isinstance(tags, list) else []))
        subcharts.append(
            Subchart(
                name=words["name"],
                version=words.get("version", ""),
                alias=words.get("alias") or None,
                conditions=conditions,
            )
        )
    return ChartMeta(
        name=texts["name"],
        version=texts["version"],
        app_version=texts.get("appVersion") or None,
        subcharts=tuple(subcharts),
        switches=tuple(switches),
    )


def read_values(chart: ChartFiles) -> Mapping[str, Json]:
    """Read ``values.yaml``; no file is no values.

    Raises:
        InputError: it is no YAML map, or holds what JSON cannot.
    """
    tree = _load(chart, "values.yaml", _values_loader())
    left = [MAX_ENTRIES]
    try:
        values = _plain({} if tree is None else tree, left)
    except ValueError as error:
        raise InputError(Problem(str(error), chart.where("values.yaml"))) from error
    if not isinstance(values, dict):
        raise InputError(Problem(f"found {type(tree).__name__}, expected a map", chart.where("values.yaml")))
    return values


def read_crds(chart: ChartFiles) -> Iterator[tuple[str, str]]:
    """Yield file and kind of each object in ``crds/``, which Helm installs as it is."""
    for file in chart.below("crds"):
        for match in KIND.finditer(chart.text(file)):
            yield file, match[1]


def _map(chart: ChartFiles, file: str) -> Mapping[str, object]:
    tree = _load(chart, file, _Base)
    if not isinstance(tree, dict):
        if not chart.text(file):
            return {}
        raise InputError(Problem(f"found {type(tree).__name__}, expected a map", chart.where(file)))
    return cast("dict[str, object]", tree)


def _load(chart: ChartFiles, file: str, loader: type[yaml.BaseLoader | yaml.SafeLoader]) -> object:
    try:
        return yaml.load(chart.text(file), Loader=loader)  # noqa: S506 -- it is one of the safe loaders
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        reason = getattr(error, "problem", None) or str(error)
        raise InputError(Problem(f"this is not YAML: {reason}", chart.where(file, line))) from error
    except ValueError as error:
        # PyYAML's constructors let such errors through, for a number or a date that is none.
        raise InputError(Problem(f"this is not YAML: {error}", chart.where(file))) from error


def _values_loader() -> type[yaml.SafeLoader]:
    """Return the safe loader, dates left as the texts that they are to Helm."""

    class Loader(_Safe):  # type: ignore[misc,valid-type]  # which base there is depends on how PyYAML was built
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Safe.yaml_implicit_resolvers.items()
    }
    return Loader


def _plain(node: object, left: list[int]) -> Json:
    """Return a YAML tree as JSON has it: keys are texts."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"there are more than {MAX_ENTRIES} entries")
    match node:
        case dict():
            items = cast("dict[object, object]", node).items()
            return {_key(key): _plain(item, left) for key, item in items}
        case list():
            return [_plain(item, left) for item in cast("list[object]", node)]
        case None | bool() | str() | int():
            return node
        case float():
            return node if math.isfinite(node) else str(node)
        case _:
            raise ValueError(f"found {type(node).__name__}, expected a map, a list or a scalar")


def _key(key: object) -> str:
    match key:
        case None:
            return "null"
        case bool():
            return "true" if key else "false"
        case _:
            return str(key)
