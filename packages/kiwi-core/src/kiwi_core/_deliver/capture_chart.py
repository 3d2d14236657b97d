"""Capture a Helm chart: its facts, read from its files, without rendering it and without a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._deliver.chart_files import ChartFiles, read_chart
from kiwi_core._deliver.chart_images import chosen_images
from kiwi_core._deliver.chart_values import dotted_paths, empty_paths, has_value, lay_over, may_be_open
from kiwi_core._deliver.chart_yaml import ChartMeta, read_crds, read_meta, read_values
from kiwi_core._deliver.go_templates import Definition, Node, TemplateError, parse
from kiwi_core._deliver.template_objects import Document, documents
from kiwi_core._deliver.template_reader import TemplateReader, definitions_in, join_guards
from kiwi_core._model.capture import UNSAID, ChartCapture, ClusterObject, Json, Subchart
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["capture_chart"]

# Charts within charts: three are seldom, and a packed chart could hold itself.
MAX_DEPTH: Final = 8


@attrs.frozen(kw_only=True)
class _Chart:
    """A chart that was read and not yet looked at."""

    files: ChartFiles
    meta: ChartMeta
    values: Mapping[str, Json]
    templates: Mapping[str, tuple[Node, ...]]
    subcharts: tuple[tuple[Subchart, _Chart | None], ...]

    def definitions(self) -> Iterator[Definition]:
        """Yield the named templates of the chart and of those within: Helm shares them among all."""
        for nodes in self.templates.values():
            yield from definitions_in(nodes)
        for _, chart in self.subcharts:
            if chart is not None:
                yield from chart.definitions()


def capture_chart(path: Path, *, source: str) -> ChartCapture:
    """Capture a chart.

    A subchart that lies in the chart's ``charts/`` folder is captured with it: its facts stand under its key, as Helm
    lays its values.

    Args:
        path: an unpacked chart's folder, or a ``.tgz``, which is read in memory.
        source: where the chart was taken from, for the record.

    Raises:
        InputError: there is no chart, or it holds what Helm would refuse; all problems of its templates at once.
    """
    try:
        chart = _read(read_chart(path), 0)
        named: dict[str, list[Definition]] = {}
        for definition in chart.definitions():
            named.setdefault(definition.name, []).append(definition)
        return _capture(chart, chart.values, named, source)
    except RecursionError as error:
        raise InputError(Problem("the chart is nested too deeply to be read", Where(str(path)))) from error


def _read(files: ChartFiles, depth: int) -> _Chart:
    if depth > MAX_DEPTH:
        raise InputError(Problem(f"charts lie within charts more than {MAX_DEPTH} deep", Where(files.name)))
    meta = read_meta(files)
    problems: list[Problem] = []
    templates: dict[str, tuple[Node, ...]] = {}
    for file in files.below("templates"):
        try:
            templates[file] = parse(files.text(file))
        except TemplateError as error:
            problems.append(Problem(f"this is no template: {error}", files.where(file, error.line)))
        except InputError as error:
            problems += error.problems
    raise_all(InputError, problems)
    subcharts: list[tuple[Subchart, _Chart | None]] = []
    for subchart in meta.subcharts:
        inside = files.subchart(subchart.name)
        chart = None if inside is None else _read(inside, depth + 1)
        subcharts.append((attrs.evolve(subchart, captured=chart is not None), chart))
    return _Chart(files=files, meta=meta, values=read_values(files), templates=templates, subcharts=tuple(subcharts))


def _capture(
    chart: _Chart, values: Mapping[str, Json], named: Mapping[str, list[Definition]], source: str
) -> ChartCapture:
    """Capture a chart whose default values are, for a subchart, laid over by its parent's."""
    reader = TemplateReader(named)
    found: list[Document] = []
    for file, nodes in chart.templates.items():
        pieces = reader.read(nodes)
        # The notes are for people, and files that begin with "_" print nothing.
        if not file.endswith("NOTES.txt"):
            found += documents(file, pieces)
        for definition in definitions_in(nodes):
            # Where it is printed, and whether, is not followed.
            found += documents(file, reader.read(definition.body, guards=(UNSAID,)))
    reads = {*reader.uses.reads, *chart.meta.switches}
    capture = ChartCapture(
        name=chart.meta.name,
        version=chart.meta.version,
        app_version=chart.meta.app_version,
        digest=chart.files.digest,
        source=source,
        values=values,
        open=dotted_paths(
            {*empty_paths(values), *(steps for steps in reader.uses.opened if may_be_open(values, steps))}
        ),
        reads=dotted_paths(steps for steps in reads if not has_value(values, steps)),
        unseen=tuple(sorted(reader.unseen)),
        subcharts=tuple(subchart for subchart, _ in chart.subcharts),
        images=chosen_images(values, found),
        hard_coded=tuple(image for document in found for image in document.hard_coded()),
        cluster_objects=(
            *(item for document in found for item in document.cluster_objects()),
            *(ClusterObject(kind=kind, file=file) for file, kind in read_crds(chart.files)),
        ),
        workloads=tuple(workload for document in found for workload in document.workloads()),
    )
    for subchart, inside in chart.subcharts:
        if inside is not None:
            above = values.get(subchart.key)
            below = lay_over(inside.values, above) if isinstance(above, Mapping) else inside.values
            capture = _nest(capture, subchart, _capture(inside, below, named, source))
    return capture


def _nest(capture: ChartCapture, subchart: Subchart, inside: ChartCapture) -> ChartCapture:
    """Lay the facts of a subchart under its key; ``global`` is the same map for all."""

    def path(text: str) -> str:
        return text if text == UNSAID or text.partition(".")[0] == "global" else f"{subchart.key}.{text}".rstrip(".")

    def guards(texts: Iterable[str]) -> tuple[str, ...]:
        # The first condition that exists decides, which no list of guards can say when there are more.
        switch = subchart.conditions if len(subchart.conditions) < 2 else (UNSAID,)  # noqa: PLR2004
        return join_guards(switch, tuple(map(path, texts)))

    def file(name: str) -> str:
        return f"charts/{subchart.name}/{name}"

    return attrs.evolve(
        capture,
        values={**capture.values, subchart.key: inside.values},
        open=tuple(sorted({*capture.open, *map(path, inside.open)})),
        reads=tuple(sorted({*capture.reads, *map(path, inside.reads)})),
        unseen=tuple(sorted({*capture.unseen, *inside.unseen})),
        images=(
            *(image for image in capture.images if image.path.partition(".")[0] != subchart.key),
            *(attrs.evolve(image, path=path(image.path)) for image in inside.images),
        ),
        hard_coded=(
            *capture.hard_coded,
            *(attrs.evolve(item, file=file(item.file), guards=guards(item.guards)) for item in inside.hard_coded),
        ),
        cluster_objects=(
            *capture.cluster_objects,
            *(attrs.evolve(item, file=file(item.file), guards=guards(item.guards)) for item in inside.cluster_objects),
        ),
        workloads=(
            *capture.workloads,
            *(
                attrs.evolve(
                    item,
                    file=file(item.file),
                    guards=guards(item.guards),
                    annotations=item.annotations and path(item.annotations),
                    labels=item.labels and path(item.labels),
                    ports=tuple(path(port) if isinstance(port, str) else port for port in item.ports),
                )
                for item in inside.workloads
            ),
        ),
    )
