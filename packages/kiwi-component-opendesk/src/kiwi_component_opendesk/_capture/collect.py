"""From a checkout of openDesk to its facts, as JSON has them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs
from kiwi_core.errors import InputError, Problem, Where, did_you_mean

from kiwi_component_opendesk._capture.checkout import Checkout
from kiwi_component_opendesk._capture.environment import Environment, read_environment
from kiwi_component_opendesk._capture.helmfiles import ReleaseBlock, apps_in_order, read_releases
from kiwi_component_opendesk._capture.lines import refuse
from kiwi_component_opendesk._capture.references import KINDS, References, find

__all__ = ["UPSTREAM_APPS", "collect"]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

ENTRY: Final = "helmfile_generic.yaml.gotmpl"
UPSTREAM_APPS: Final = (
    *("opendesk-migrations-pre", "opendesk-services", "services-external", "nubus", "open-xchange", "nextcloud"),
    *("collabora", "cryptpad", "jitsi", "element", "openproject", "xwiki", "notes"),
    *("opendesk-openproject-bootstrap", "opendesk-migrations-post"),
)
"""The apps of openDesk in its own order; a checkout that has others must say so."""

SPDX: Final = re.compile(r"# (SPDX-FileCopyrightText|SPDX-License-Identifier): (.+)")
ACTION: Final = re.compile(r"\{\{-? *(.+?) *-?\}\}")
# The releases of notes carry another label in its stead, which selecting by stage misses: they have none here.
STAGE: Final = "deployStage"


def collect(checkout: Checkout, without: Sequence[str] = ()) -> Mapping[str, Json]:
    """Read a checkout.

    Args:
        checkout: openDesk.
        without: apps that the checkout has beyond upstream, and what else the names of their pins and secrets
            begin with.

    Raises:
        InputError: something is not understood, or there is an app that openDesk does not have.
        ExternalError: git fails.
    """
    environment = read_environment(checkout, without)
    releases = [
        release
        for app in _apps(checkout, without)
        for release in _releases(app, checkout, environment, known=_known(environment))
    ]
    entry = checkout.read(ENTRY)
    plain = {
        field.name: getattr(environment, field.name)
        for field in attrs.fields(Environment)
        if field.name not in {"secrets", "foreign", "version"}
    }
    return {
        "source": {
            "project": "openDesk",
            "version": environment.version,
            "commit": checkout.commit(),
            "without": list(without),
            "spdx": sorted({match[2] for text in (entry, *_heads(checkout)) for match in SPDX.finditer(text)}),
        },
        **plain,
        "seeds": list(environment.seeds),
        "secrets": {path: attrs.asdict(item) for path, item in environment.secrets.items()},
        "releases": releases,
    }


def _heads(checkout: Checkout) -> Iterable[str]:
    """Yield the files whose text is most of the facts: their notes on copyright go with them."""
    for name in ("charts", "images", "secrets"):
        yield checkout.read(f"helmfile/environments/default/{name}.yaml.gotmpl")


def _apps(checkout: Checkout, without: Sequence[str]) -> Sequence[str]:
    found = apps_in_order(checkout.read(ENTRY), file=ENTRY)
    strange = [app for app in found if app not in UPSTREAM_APPS and app not in without]
    missing = [app for app in UPSTREAM_APPS if app not in found]
    if strange or missing:
        raise InputError(
            *(
                Problem(f"{app!r} is no app of openDesk", Where(ENTRY), f"leave it out: --without {app}")
                for app in strange
            ),
            *(
                Problem(
                    f"openDesk's app {app!r} is not there",
                    Where(ENTRY),
                    did_you_mean(app, found, otherwise="there are"),
                )
                for app in missing
            ),
        )
    return [app for app in found if app in UPSTREAM_APPS]


def _known(environment: Environment) -> Mapping[str, Iterable[str]]:
    return {
        "images": environment.images,
        "databases": environment.databases,
        "objectstores": environment.objectstores,
        "caches": environment.caches,
        "secrets": (*environment.secrets, *environment.seeds),
    }


def _releases(
    app: str, checkout: Checkout, environment: Environment, known: Mapping[str, Iterable[str]]
) -> Iterable[Mapping[str, Json]]:
    folder = f"helmfile/apps/{app}"
    file = f"{folder}/helmfile-child.yaml.gotmpl"
    foreign = {kind: environment.foreign if kind == "secrets" else () for kind in KINDS}
    for block in read_releases(checkout.read(file), file=file):

        def names(values: Iterable[str]) -> References:
            paths = [posixpath.normpath(f"{folder}/{name}") for name in values]
            return find({path: checkout.read(path) for path in paths}, known, foreign)

        chart = block.chart(file=file)
        if chart not in environment.charts:
            refuse(f"release {block.name!r} names the chart {chart!r}, which has no pin", file, block.line)
        yield {
            "name": block.name,
            "app": app,
            "chart": chart,
            "stage": block.labels.get(STAGE),
            "component": block.labels["component"],
            **_settings(block, file),
            "names": _json(names(block.values)),
            "enterprise_names": _json(names(block.enterprise_values)),
        }


def _settings(block: ReleaseBlock, file: str) -> Mapping[str, Json]:
    fields = block.fields
    installed = ACTION.fullmatch(fields.get("installed", ""))
    if installed is None:
        refuse(f"release {block.name!r} does not say when it is installed", file, block.line)
    for switch in ("wait", "waitForJobs"):
        if fields.get(switch, "true") != "true":
            refuse(f"release {block.name!r} has {switch}: {fields[switch]}", file, block.line)
    return {
        "installed": installed[1],
        "gates": list(block.gates()),
        "needs": list(block.needs),
        "wait": "wait" in fields,
        "wait_for_jobs": "waitForJobs" in fields,
        "timeout": int(fields["timeout"]) if "timeout" in fields else None,
        "post_renderer": fields.get("postRenderer", "").strip('"') or None,
        "values": list(block.values),
        "enterprise_values": list(block.enterprise_values),
        "customization": list(block.customization),
    }


def _json(names: References) -> Mapping[str, Json]:
    """Return what is named; a kind of which nothing is named is left out."""
    return {key: value if value is True else list(value) for key, value in attrs.asdict(names).items() if value}
