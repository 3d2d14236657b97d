"""A phase: the hooks of a component before, or after, its releases, with all that their jobs have to be given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from kiwi_core._model.desired import Right
from kiwi_core._model.hooks import Job
from kiwi_core._model.schema import Schema
from kiwi_core._model.secrets import Secret
from kiwi_core._model.task import Tasks

__all__ = ["Phase", "phases_in"]


@attrs.frozen(kw_only=True)
class Phase:
    """The hooks of a component before, or after, its releases.

    Attributes:
        release: the release that runs them: ``<component>-pre`` or ``<component>-post``.
        tasks: what the runtime is given, in order.
        jobs: containers of the author's own.
        secret: what stands in no other Secret and the runtime reads; None when that is nothing.
        mounted: the Secrets that the runtime reads, by name, with the keys.
        definitions: these Secrets, as far as they are declared in the namespace.
        copies: the contracts whose images' revision files the job reads, with the folder where it finds them.
        rights: what the runtime needs at the Kubernetes API.
    """

    release: str
    tasks: Tasks
    jobs: tuple[Job, ...]
    secret: Secret | None
    mounted: Mapping[str, tuple[str, ...]]
    definitions: tuple[Secret, ...]
    copies: tuple[tuple[Schema, str], ...]
    rights: tuple[Right, ...]


def phases_in(component: str, phases: Mapping[str, Phase]) -> Iterator[Phase]:
    """Return the phases of a component in their order, from those of a stack, by their releases."""
    return (phases[release] for phase in ("pre", "post") if (release := f"{component}-{phase}") in phases)
