"""The helmfile of a customer or a cluster: releases in order, with pins and credentials by name.

Plain ``helmfile sync`` in the tree deploys it with MASTER_PASSWORD set; listing needs no seed, since only values files
derive. helmfile's documentation, "Configuration", has the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from kiwi_core._compose import values
from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._derive.seeds import MARK_PURPOSE, MARK_SCOPE
from kiwi_core._emit.tree import MANIFEST, TREE_DIGITS, TREE_LABEL, Tree
from kiwi_core._emit.writing import SEED, go_string, quoted, yaml_lines, yaml_text
from kiwi_core._model.lane import Lane
from kiwi_core._model.late import Value
from kiwi_core._model.pins import ChartPin, ImagePin

__all__ = ["FORCE", "emit_helmfile"]

TREE = f'(readFile {go_string(MANIFEST)} | fromJson).digest | trimPrefix "sha256:" | trunc {TREE_DIGITS}'
"""The tree itself, as a label takes it: at most 63 characters."""

DEPENDENCIES: Final = b"\ndependencies:"
"""What a ``Chart.yaml`` has where the chart has dependencies; where it stands in a text, too, and does no harm."""

FORCE: Final = "KIWISTACK_FORCE_CONFLICTS"
"""The environment variable that, set to anything, has Helm 4 put right what somebody changed by hand: its server-side apply
refuses otherwise. Helm 3 does so by itself, and helmfile refuses the option for it."""

HEAD = "# Written by kiwistack build; a change made here is reported, not kept.\n"


def emit_helmfile(stack: Stack) -> Tree:
    """Write the helmfile, the pins as used, every release's layers of values, and in lane dev the packages' charts."""
    tree = {
        "helmfile.yaml.gotmpl": _helmfile(stack),
        f"environments/{stack.lane}/charts.yaml": yaml_text(
            {"charts": {name: _chart_pin(pin) for name, pin in stack.used_charts.items()}}, head=HEAD
        ),
        f"environments/{stack.lane}/images.yaml": yaml_text(
            {"images": {name: _image_pin(pin) for name, pin in stack.used_images.items()}}, head=HEAD
        ),
    }
    for external in stack.externals:
        if external.name in stack.inputs.externals:
            tree[f"secrets/{external.name}.age"] = stack.inputs.externals[external.name]
    for release in stack.releases:
        for path, layer in zip(_values_files(release, stack.lane), release.layers, strict=True):
            tree[path] = yaml_text(layer.values, head=HEAD)
        if release.own_chart and stack.is_local(release):
            for path, content in release.own_chart.files.items():
                tree[f"charts/{release.declared.chart}/{path}"] = content
    return tree


def _values_files(release: StackRelease, lane: Lane) -> Iterator[str]:
    """Yield the file of each layer: the component's, the lane's, the customer's."""
    for layer in release.layers:
        match layer.origin:
            case values.CUSTOMER:
                yield f"overlays/{release.name}.yaml"
            case origin if origin.startswith("lane "):
                yield f"values/{release.name}.{lane}.yaml"
            case _:
                yield f"values/{release.name}.yaml.gotmpl"


def _helmfile(stack: Stack) -> bytes:
    pins = [f"environments/{stack.lane}/{name}.yaml" for name in ("charts", "images")]
    environments: Mapping[str, Value] = {name: {"values": pins} for name in ("default", str(stack.lane))}
    # helmfile splits the file by its lines before it reads any YAML, so its own top-level keys stand unquoted.
    lines = [
        *HEAD.splitlines(),
        "environments:",
        *yaml_lines(environments, 1),
        "---",
        *_canary(stack),
        "helmDefaults:",
        # The labels go to the records of the releases: they tell which tree a release was delivered from.
        *yaml_lines({"createNamespace": False, "syncReleaseLabels": True}, 1),
        f'  "forceConflicts": {{{{ ne (env "{FORCE}") "" }}}}',
    ]
    repositories = {pin.location: name for name, pin in stack.used_charts.items() if not pin.is_oci}
    if repositories:
        lines.append("repositories:")
        for address, name in repositories.items():
            lines += [f'- "name": {quoted(_repository(address))}', f'  "url": {{{{ {_location(name)} | toJson }}}}']
    lines.append("releases:" if stack.releases else "releases: []")
    for release in stack.releases:
        lines += _release(release, stack)
    return ("\n".join(lines) + "\n").encode()


def _canary(stack: Stack) -> Iterator[str]:
    """Yield what makes a wrong seed fail before anything is rendered, rather than rotate everything.

    It is looked at only where a seed is given, so that listing needs none.
    """
    lock = stack.inputs.lock
    if lock is None:
        return
    derived = f'derivePassword 1 "maximum" . {go_string(MARK_SCOPE)} {go_string(MARK_PURPOSE)}'
    said = go_string(f"this is not the seed of secrets.lock: {SEED} is another one")
    yield (
        f'{{{{- with env "{SEED}" }}}}{{{{ if ne (printf "k%s" ({derived} | sha256sum | trunc 31)) '
        f"{go_string(lock.seed)} }}}}{{{{ fail {said} }}}}{{{{ end }}}}{{{{ end }}}}"
    )


def _release(release: StackRelease, stack: Stack) -> Iterator[str]:
    settings: dict[str, Value] = {
        "namespace": release.namespace,
        "labels": {"deployStage": str(release.stage), "component": release.component or "platform"},
    }
    if release.needs:
        settings["needs"] = [f"{stack.by_name[need].namespace}/{need}" for need in release.needs]
    if release.wait:
        settings["wait"] = True
    if release.role == "hooks" or (release.wait and release.declared.wait_for_jobs):
        settings["waitForJobs"] = True
    if stack.is_local(release) and release.own_chart and DEPENDENCIES not in release.own_chart.files["Chart.yaml"]:
        settings["skipDeps"] = True  # helmfile would run Helm for each, to find that there is nothing to build
    if release.role == "namespace":
        # No other release: Helm 4 applies the bare namespace at each first install, and takes away the labels it had.
        settings["createNamespace"] = True
    if release.role == "foundation":
        settings["takeOwnership"] = True  # of the namespace, which is there before any release can be
    settings["timeout"] = release.declared.timeout
    settings["values"] = list(_values_files(release, stack.lane))
    yield f'- "name": {quoted(release.name)}'
    for line in (*_chart(release, stack), *yaml_lines(settings)):
        yield f"  {line}"
        if line == '"labels":':
            yield f"    {quoted(TREE_LABEL)}: {{{{ {TREE} | toJson }}}}"


def _chart(release: StackRelease, stack: Stack) -> Iterator[str]:
    if stack.is_local(release):
        yield f'"chart": {quoted(f"./charts/{release.declared.chart}")}'
        return
    name, pin = release.declared.chart, release.chart
    assert pin is not None  # compose has checked that every chart that goes not with the tree is pinned
    chart = f"(index .Values.charts {go_string(name)})"
    if pin.is_oci:
        yield f'"chart": {{{{ printf "oci://%s/%s" ({_location(name)}) {chart}.name | toJson }}}}'
    else:
        yield f'"chart": {{{{ printf "%s/%s" {go_string(_repository(pin.location))} {chart}.name | toJson }}}}'
    yield f'"version": {{{{ {chart}.version | toJson }}}}'
    if pin.verify:
        yield '"verify": true'


def _location(name: str) -> str:
    chart = f"(index .Values.charts {go_string(name)})"
    return f'list {chart}.registry {chart}.repository | compact | join "/"'


def _repository(address: str) -> str:
    """Return a name for a classic Helm repository: its address as helmfile's repository names may be spelt.

    Its digest tells apart addresses that are spelt alike then.
    """
    spelt = "".join(letter if letter.isalnum() else "-" for letter in address.partition("://")[2])
    return f"{spelt}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def _chart_pin(pin: ChartPin) -> Mapping[str, Value]:
    found: dict[str, Value] = {
        "registry": pin.registry.strip("/"),
        "repository": pin.repository.strip("/"),
        "name": pin.name,
        "version": pin.version,
    }
    if pin.digest:
        found["digest"] = pin.digest
    return found


def _image_pin(pin: ImagePin) -> Mapping[str, Value]:
    return {"registry": pin.registry, "repository": pin.repository, "tag": pin.tag}
