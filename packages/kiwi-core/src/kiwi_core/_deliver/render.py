"""Render every release of a stack through Helm: in parallel, each on its own, and only what changed since it was last done.

A result is kept under all that it follows from: the chart's bytes, the values, the release's name and namespace, the
Helm, the version of Kubernetes and the API versions. Rendered with real credentials, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

import attrs

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.charts import Chart, Charts
from kiwi_core._deliver.helm_engine import Engine, Output, RenderError, Request
from kiwi_core._deliver.kube_schemas import load_schemas
from kiwi_core._deliver.manifests import ManifestError, read_manifests
from kiwi_core._derive.placeholders import Named, Placeholders, fill
from kiwi_core._derive.taint import Tainted
from kiwi_core._model.capture import Json
from kiwi_core._model.kubernetes import ASSUMED
from kiwi_core._model.manifest import Manifest, Object
from kiwi_core._model.rendered import RenderedChart, Rendering
from kiwi_core.errors import ExternalError, InputError, KiwiError, PinError, Problem, Where, did_you_mean, raise_all

__all__ = ["Renderer"]

T = TypeVar("T")

FORM: Final = 1
"""Of what is kept of a result: it changes with what is read out of a template's output."""
AT_ONCE: Final = 4
"""Charts that are asked for at the same time; as many releases are rendered as there are cores."""

# template: app/templates/web.yaml:12:3: …, (app/templates/web.yaml:12), YAML parse error on app/templates/web.yaml: …
PLACE: Final = re.compile(r"(?P<file>[\w.-]+(?:/[\w.-]+)*/(?:templates|crds)/[\w./-]+?)(?::(?P<line>\d+)|(?=[:)\s]|$))")


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; os.process_cpu_count, which serves everywhere, is new in 3.13
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _silent(_: str) -> None:
    pass


@attrs.frozen(kw_only=True)
class Renderer:
    """Renders stacks.

    Attributes:
        engine: the Helm that does it.
        charts: where charts come from.
        cache: keeps the results.
        say: is told what is being done.
    """

    engine: Engine
    charts: Charts
    cache: Cache
    say: Callable[[str], None] = _silent

    def render(
        self, stack: Stack, *, only: Collection[str] = (), revealed: Mapping[Named, Tainted] | None = None
    ) -> Rendering:
        """Render the releases of a stack.

        Args:
            stack: what is rendered.
            only: names of releases; all of them where there are none.
            revealed: the value of every credential and external; without them, fingerprints stand in their place, and
                no seed is needed.

        Raises:
            InputError: a chart is not the pinned one, cannot be rendered with its values, or a release does not exist.
            ExternalError: a chart cannot be had, or Helm not be run; with what is wrong with all releases.
        """
        releases = _chosen(stack, only)
        marks = Placeholders(stack.credentials, stack.externals, stack.inputs.lock)
        # One chart may be that of several releases; two packages may have one of the same name.
        users = {(release.declared.chart, id(release.own_chart)): release for release in reversed(releases)}
        found = _each(tuple(users.values()), AT_ONCE, lambda release: self.charts.of(release, stack))
        had = dict(zip(users, found, strict=True))
        charts = {release.name: had[release.declared.chart, id(release.own_chart)] for release in releases}
        kubernetes = stack.cluster.kubernetes or ASSUMED
        self.say(f"rendering {len(releases)} releases for Kubernetes {kubernetes}")
        job = _Job(renderer=self, stack=stack, charts=charts, kubernetes=kubernetes, marks=marks, revealed=revealed)
        rendered = _each(releases, _cores(), job.render)
        schemas = load_schemas(kubernetes)
        return Rendering(
            releases={release.name: manifests for release, manifests in zip(releases, rendered, strict=True)},
            charts={
                name: RenderedChart(title=chart.title, digest=chart.digest if chart.is_packed else None)
                for name, chart in charts.items()
            },
            kubernetes=kubernetes,
            named_in=marks.found_in,
            schemas=None if isinstance(schemas, str) else schemas,
            no_schemas=schemas if isinstance(schemas, str) else "",
        )


@attrs.frozen(kw_only=True)
class _Job:
    """One run over a stack."""

    renderer: Renderer
    stack: Stack
    charts: Mapping[str, Chart]
    kubernetes: str
    marks: Placeholders
    revealed: Mapping[Named, Tainted] | None

    def render(self, release: StackRelease) -> tuple[Manifest, ...]:
        """Render a release, or take what it gave before."""
        chart = self.charts[release.name]
        values = cast("Mapping[str, Json]", fill(release.values, self._read, self.stack.pins))
        key = self._key(release, chart, values)
        cache = self.renderer.cache
        if self.revealed is None and (kept := _manifests(cache.json("renders", key), release.name)) is not None:
            return kept
        request = Request(
            name=release.name,
            namespace=release.namespace,
            chart=chart.path(),
            values=values,
            kubernetes=_whole(self.kubernetes),
            apis=self.stack.cluster.api_versions,
        )
        rendered = tuple(self._rendered(request, chart.title))
        if self.revealed is None:
            cache.keep_json("renders", key, [[item.source, item.object] for item in rendered])
        return rendered

    def _read(self, late: Named) -> str:
        return self.marks[late] if self.revealed is None else self.revealed[late].reveal()

    def _key(self, release: StackRelease, chart: Chart, values: Mapping[str, Json]) -> str:
        """Return the hash of all that a result follows from."""
        if self.revealed is not None:
            return ""
        what = [
            FORM,
            chart.digest,
            values,
            release.name,
            release.namespace,
            self.renderer.engine.version,
            self.kubernetes,
            self.stack.cluster.api_versions,
        ]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def _rendered(self, request: Request, title: str) -> Iterator[Manifest]:
        outputs: list[Output] = []
        try:
            outputs += self.renderer.engine.render(request)
            found = [
                item
                for output in sorted(outputs, key=lambda output: output.source)
                for item in _read(output, request.name)
            ]
        except RenderError as error:
            raise self._refused(str(error), request.name, title) from None
        yield from found

    def _refused(self, said: str, release: str, title: str) -> InputError:
        """Return the error of a chart that Helm does not render, without any secret that it may have printed."""
        for late, value in (self.revealed or {}).items():
            said = said.replace(value.reveal(), self.marks[late])
        place = PLACE.search(said)
        where = Where(place["file"], int(place["line"]) if place["line"] else None) if place else None
        hint = f"kiwistack explain {release} says which values it is given"
        return InputError(Problem(f"release {release}: chart {title} cannot be rendered: {said}", where, hint))


def _read(output: Output, release: str) -> Iterator[Manifest]:
    try:
        yield from read_manifests(output.text, release=release, source=output.source)
    except ManifestError as error:
        line = f" (line {output.before + error.line} of what it gives)" if error.line else ""
        raise RenderError(f"{output.source}: {error}{line}") from None


def _manifests(kept: Json, release: str) -> tuple[Manifest, ...] | None:
    if not isinstance(kept, list):
        return None
    items = cast("list[tuple[str, Object]]", kept)
    return tuple(Manifest(release=release, source=source, object=item) for source, item in items)


def _whole(version: str) -> str:
    """Return a version of Kubernetes in full, as the API server says it."""
    return f"v{version}" if version.count(".") > 1 else f"v{version}.0"


def _chosen(stack: Stack, only: Collection[str]) -> Sequence[StackRelease]:
    unknown = [name for name in only if name not in stack.by_name]
    raise_all(
        InputError,
        (
            Problem(f"there is no release {name!r}", hint=did_you_mean(name, stack.by_name, otherwise="there are"))
            for name in unknown
        ),
    )
    return [release for release in stack.releases if not only or release.name in only]


def _each(releases: Sequence[StackRelease], at_once: int, call: Callable[[StackRelease], T]) -> Sequence[T]:
    """Do something with every release, some at a time.

    Raises:
        ExternalError: something outside failed; with the problems of all releases, each told once.
        PinError: nothing did, and charts are not the pinned ones.
        InputError: charts cannot be rendered.
    """

    def attempt(release: StackRelease) -> tuple[T] | KiwiError:
        try:
            return (call(release),)
        except KiwiError as error:
            return error

    with ThreadPoolExecutor(max(1, min(at_once, len(releases)))) as pool:
        found = list(pool.map(attempt, releases))
    errors = [item for item in found if isinstance(item, KiwiError)]
    kinds = (ExternalError, PinError, InputError)
    form = next((kind for kind in kinds if any(isinstance(error, kind) for error in errors)), InputError)
    raise_all(form, (problem for error in errors for problem in error.problems))
    return [item[0] for item in found if not isinstance(item, KiwiError)]
