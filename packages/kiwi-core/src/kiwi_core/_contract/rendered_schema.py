"""Rule a on manifests: the API server of the cluster's version would take every object as it stands."""

from __future__ import annotations

from collections.abc import Iterator

from kiwi_core._compose.stack import Stack
from kiwi_core._contract.rendered import group_of, rendering_of, template_of
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven, unproven
from kiwi_core._model.manifest import Manifest
from kiwi_core._model.rendered import Rendering, Schemas
from kiwi_core.errors import dotted

__all__ = ["RULES"]

LETTER = "a"


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Hold every object against the schema of its kind."""
    rendering = rendering_of(evidence)
    subject = f"Kubernetes {rendering.kubernetes}"
    yield from _facts(stack, rendering)
    schemas = rendering.schemas
    if schemas is None:
        yield unproven(LETTER, subject, f"no object was validated: {rendering.no_schemas}")
        return
    unknown: dict[str, int] = {}
    for name, manifests in rendering.releases.items():
        said = passed(LETTER, f"release {name}", f"its objects are what Kubernetes {schemas.version} takes")
        found = list(_release(name, manifests, schemas, unknown))
        yield from proven(found, said)
    if unknown:
        kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(unknown.items()))
        yield unproven(
            LETTER, subject, f"these kinds come with definitions of their own, and were not validated: {kinds}"
        )


def _facts(stack: Stack, rendering: Rendering) -> Iterator[Result]:
    """Say what the cluster's spec leaves open, and templates may ask for."""
    cluster = stack.cluster
    subject = f"cluster {cluster.name}"
    if cluster.kubernetes is None:
        message = f"its spec does not say which Kubernetes it runs: everything is rendered for {rendering.kubernetes}"
        yield unproven(LETTER, subject, message, fix=f"say it: Cluster(kubernetes='{rendering.kubernetes}')")
    brought = {api for release in stack.releases for api in release.declared.brings}
    known = {group_of(version) for version in cluster.api_versions}
    if silent := sorted({*cluster.apis} - brought - known):
        message = (
            f"of {', '.join(silent)} it says no version: what charts render only where these are there is left out"
        )
        yield unproven(LETTER, subject, message, fix=f"say them: Cluster(api_versions=('{silent[0]}/v1',))")


def _release(name: str, manifests: tuple[Manifest, ...], schemas: Schemas, unknown: dict[str, int]) -> Iterator[Result]:
    subject = f"release {name}"
    for manifest in manifests:
        faults = schemas.faults(manifest.object)
        where = template_of(manifest)
        if faults is None:
            kind = f"{manifest.api_version} {manifest.kind}"
            if group_of(manifest.api_version) in schemas.groups:
                message = f"{manifest.title}: Kubernetes {schemas.version} has no {kind}"
                fix = "take a version of the chart that is made for this Kubernetes, or switch the object off"
                yield finding(LETTER, subject, message, where=where, fix=fix)
            else:
                unknown[kind] = unknown.get(kind, 0) + 1
        for fault in faults or ():
            message = f"{manifest.title}: {dotted(fault.path) or 'the object'}: {fault.message}"
            fix = "mend the value that it comes from, or take a version of the chart that is made for this Kubernetes"
            yield finding(LETTER, subject, message, where=where, fix=fix)


RULES = (Rule(letter=LETTER, title="release, rendered", check=check, on_manifests=True),)
