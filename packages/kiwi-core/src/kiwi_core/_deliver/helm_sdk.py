"""Helm within this process: the extra ``kiwi-core[helm]``, Helm's own SDK behind a C interface.

Its Python part (0.2) offers less than the library: a version of Kubernetes and API versions are options of
``helm_render`` that ``Chart.render`` does not pass on, so the call is made here. What ``helm template`` looks at before
it renders and the SDK does not (missing dependencies, library charts, the chart's ``kubeVersion``) is looked at here, too.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol, cast

import attrs

from kiwi_core._deliver.helm_engine import Output, RenderError, Request
from kiwi_core.errors import ExternalError, Problem

__all__ = ["HelmSdk", "documents"]

NOTES: Final = "NOTES.txt"
SEPARATOR: Final = re.compile(r"^---[ \t\r\f\n]*", re.MULTILINE)
"""Where a document ends: before any line that begins so, whatever follows (Helm 4.3, releaseutil.SplitManifests)."""

COMPARE: Final[Mapping[str, str]] = {
    "Chart.yaml": "apiVersion: v2\nname: compare\nversion: 0.0.0\n",
    "templates/it.yaml": "{{ semverCompare .Values.range .Capabilities.KubeVersion.Version }}",
}
"""A chart that says whether a version is in a range, as Helm itself reads both."""


class _Chart(Protocol):
    """``helm_python.Chart``, as far as it is used."""

    metadata: Mapping[str, object]
    dependencies: Sequence[Mapping[str, object]]
    crds: Sequence[Mapping[str, str]]

    def close(self) -> None: ...


@attrs.frozen
class HelmSdk:
    """A Helm in this process."""

    @property
    def version(self) -> str:
        """Which one it is; the library is not loaded for it."""
        return f"helm-python-sdk {importlib.metadata.version('helm-python-sdk')}"

    def render(self, request: Request) -> Iterator[Output]:
        """Render a chart."""
        native = _import()
        try:
            chart = native.load(request.chart)
            try:
                yield from self._render(native, chart, request)
            finally:
                chart.close()
        except native.error as error:
            raise RenderError(str(error).strip() or "it said nothing") from None

    def _render(self, native: _Native, chart: _Chart, request: Request) -> Iterator[Output]:
        _check(native, chart, request)
        rendered = native.render(chart, request)
        # Rendering takes the charts away that are switched off: what is left brings its definitions.
        for crd in chart.crds:
            yield Output(crd["filename"], crd["data"])
        for source, text in sorted(rendered.items()):
            if not source.endswith(NOTES):
                yield from documents(source, text)


@attrs.frozen(kw_only=True)
class _Native:
    """What is used of ``helm_python``, an optional package without which this module can be read."""

    module: Any  # it may be absent, and then has no types
    error: type[Exception]

    def load(self, path: Path) -> _Chart:
        """Load a chart; each time anew, since rendering changes one."""
        return cast("_Chart", self.module.Chart.load(path))

    def load_archive(self, data: bytes) -> _Chart:
        """Load a chart from an archive's bytes."""
        return cast("_Chart", self.module.Chart.load_archive(data))

    def render(self, chart: _Chart, request: Request) -> Mapping[str, str]:
        """Render a chart's templates."""
        options = {
            "name": request.name,
            "namespace": request.namespace,
            "kube_version": request.kubernetes,
            "api_versions": list(request.apis),
        }
        values, said = json.dumps(request.values), json.dumps(options)
        call, handle = self.module._native.call_string, cast("Any", chart)._raw()  # noqa: SLF001 -- see the module's docstring
        return cast("Mapping[str, str]", json.loads(call("helm_render", handle, values, said)))


def documents(source: str, text: str) -> Iterator[Output]:
    """Take a template's output apart as Helm 4 does, which is not quite what YAML says."""
    text = text.strip()
    start = 0
    for match in (*SEPARATOR.finditer(text), None):
        document = text[start : match.start() if match else len(text)]
        if document.strip():
            yield Output(source, f"{document}\n", text.count("\n", 0, start))
        start = match.end() if match else len(text)


def _import() -> _Native:
    try:
        module = importlib.import_module("helm_python")
        importlib.import_module("helm_python._native")
    except Exception as error:
        # It loads a library of another language, which can fail in ways of its own.
        hint = "name a helm instead: --helm PROGRAM"
        raise ExternalError(Problem(f"helm_python cannot be loaded: {error}", hint=hint)) from error
    return _Native(module=module, error=cast("type[Exception]", module.HelmError))


def _check(native: _Native, chart: _Chart, request: Request) -> None:
    """Refuse what ``helm template`` refuses.

    Raises:
        RenderError: it would.
    """
    meta = chart.metadata
    if meta.get("type") not in {None, "", "application"}:
        raise RenderError(f"{meta.get('type')} charts are not installable")
    there = {item.get("name") for item in chart.dependencies}
    wanted = cast("Sequence[Mapping[str, object]]", meta.get("dependencies") or ())
    missing = [str(item.get("name")) for item in wanted if item.get("name") not in there]
    if missing:
        raise RenderError(f"found in Chart.yaml, but missing in charts/ directory: {', '.join(missing)}")
    wanted_version = meta.get("kubeVersion")
    if wanted_version and not _is_in(native, str(wanted_version), request):
        raise RenderError(
            f"chart requires kubeVersion: {wanted_version} which is incompatible with Kubernetes {request.kubernetes}"
        )


def _is_in(native: _Native, versions: str, request: Request) -> bool:
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in COMPARE.items():
            info = tarfile.TarInfo(f"compare/{name}")
            info.size = len(text.encode())
            tar.addfile(info, BytesIO(text.encode()))
    chart = native.load_archive(archive.getvalue())
    try:
        said = native.render(chart, attrs.evolve(request, values={"range": versions}))
    finally:
        chart.close()
    return "true" in said.values()
