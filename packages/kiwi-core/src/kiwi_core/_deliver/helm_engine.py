"""Helm, whichever way it is at hand: within this process, or as a program."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._model.capture import Json
from kiwi_core.errors import ExternalError, Problem

__all__ = ["Engine", "Output", "RenderError", "Request", "find_engine"]


@attrs.frozen(kw_only=True)
class Request:
    """A release to be rendered.

    Attributes:
        name, namespace: the release's.
        chart: the archive or the folder of its chart.
        values: its values, merged.
        kubernetes: the version that its templates see, as ``v1.37.0``.
        apis: API versions that they see beside Kubernetes' own, as ``cert-manager.io/v1``.
    """

    name: str
    namespace: str
    chart: Path
    values: Mapping[str, Json] = attrs.field(repr=False)
    kubernetes: str
    apis: Sequence[str] = ()


@attrs.frozen
class Output:
    """A document that a template gave.

    Attributes:
        source: the template, as ``<chart>/templates/<file>``.
        text: the document; a definition in ``crds/`` may be of several.
        before: how many lines stand before it in what the template gave.
    """

    source: str
    text: str = attrs.field(repr=False)
    before: int = 0


class RenderError(Exception):
    """Helm refuses to render a chart; the message is its own."""


class Engine(Protocol):
    """A Helm."""

    @property
    def version(self) -> str:
        """Which one it is, for what is kept: equal versions render alike."""
        ...

    def render(self, request: Request) -> Iterator[Output]:
        """Render a chart as an installation would, definitions in ``crds/``, hooks and tests included, notes left out.

        Raises:
            RenderError: Helm refuses.
            ExternalError: it cannot be run.
        """
        ...


def find_engine(program: str | None, cache: Cache) -> Engine:
    """Return the Helm at hand: the one that is named, or else the one in this process, or else the one on ``PATH``.

    Args:
        program: a Helm's name or path; None for whichever there is.
        cache: remembers the versions of programs.

    Raises:
        ExternalError: there is none, or it is too old.
    """
    if program is None and importlib.util.find_spec("helm_python") is not None:
        from kiwi_core._deliver.helm_sdk import HelmSdk

        return HelmSdk()
    from kiwi_core._deliver.helm_binary import find_version

    found = shutil.which(program or "helm")
    if found is None:
        message = "there is no Helm" if program is None else f"there is no program {program!r}"
        hint = "pip install 'kiwi-core[helm]' brings one; or install helm 3.22 or 4, or name it with --helm"
        raise ExternalError(Problem(message, hint=hint))
    return find_version(Path(found), cache)
