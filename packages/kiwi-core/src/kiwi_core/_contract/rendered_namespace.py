"""Rule b on manifests: nothing that is rendered stands in another namespace, points into one, or belongs to the cluster."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.hosts import namespaces_in
from kiwi_core._contract.namespace import GATEWAY_CREDENTIALS, NAMESPACE_KEYS, shared_namespaces
from kiwi_core._contract.rendered import group_of, rendering_of, template_of
from kiwi_core._contract.rendered_policies import check_policy
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, proven
from kiwi_core._model.capture import Json
from kiwi_core._model.kubernetes import CLUSTER_KINDS
from kiwi_core._model.manifest import Manifest, Steps, as_list, as_map, strings
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import did_you_mean, dotted

__all__ = ["RULES"]

LETTER = "b"
PLATFORM: Final = frozenset({"foundation", "namespace"})
"""Roles of the releases whose policies name other namespaces by design, and whose Secrets are those of all components."""
OPTION: Final = re.compile(r"--?[\w-]*namespaces?[= ]([a-z0-9][a-z0-9-]*)")
"""How a program is told of a namespace; ``$(POD_NAMESPACE)`` is its own."""
HIDDEN: Final = frozenset({"Secret"})
"""Kinds whose ``data`` is base64."""


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:
    """Look at every object of every release."""
    rendering = rendering_of(evidence)
    for name, manifests in rendering.releases.items():
        release = stack.by_name[name]
        said = f"none of its {len(manifests)} objects is outside of {release.namespace}, or points out of it"
        yield from proven(_release(release, manifests, stack), passed(LETTER, f"release {name}", said))


def _release(release: StackRelease, manifests: tuple[Manifest, ...], stack: Stack) -> Iterator[Result]:
    owners = {
        secret.name: name
        for name, part in stack.parts.items()
        for secret in part.wiring.secrets
        if release.role in PLATFORM and part.home.namespace == release.namespace
    }
    for manifest in manifests:
        yield from _scope(release, manifest)
        # The Secrets of all components stand in the foundation: each may name what its own component is bound to.
        component = owners.get(manifest.name, release.component)
        bound = stack.bindings.get(component, {}).values()
        reachable = shared_namespaces(bound) | {release.namespace}
        for path, fault, fix in _faults(manifest, reachable, release, stack):
            message = f"{manifest.title}: {dotted(path)} {fault}"
            yield finding(LETTER, f"release {release.name}", message, where=template_of(manifest), fix=fix)


def _scope(release: StackRelease, manifest: Manifest) -> Iterator[Result]:
    subject, where = f"release {release.name}", template_of(manifest)
    declared = release.declared.cluster_objects
    if manifest.namespace not in {None, release.namespace} and manifest.kind not in CLUSTER_KINDS:
        message = f"{manifest.title} goes to namespace {manifest.namespace!r}"
        fix = f"have its chart leave the namespace out: the release goes to {release.namespace}"
        yield finding(LETTER, subject, message, where=where, fix=fix)
    if manifest.kind in CLUSTER_KINDS and manifest.title not in declared:
        if release.role in PLATFORM and manifest.title == f"Namespace/{release.namespace}":
            return
        kept = did_you_mean(manifest.title, declared, otherwise="declared")
        message = f"{manifest.title} belongs to the whole cluster, and is not declared"
        fix = f"switch it off, or declare it: cluster_objects=({manifest.title!r},), a customer's with the slug; {kept}"
        yield finding(LETTER, subject, message, where=where, fix=fix)


def _faults(
    manifest: Manifest, reachable: frozenset[str] | set[str], release: StackRelease, stack: Stack
) -> Iterator[tuple[Steps, str, str]]:
    """Yield the path, what is wrong with it, and what to do."""
    domain = stack.target.domain if isinstance(stack.target, Tenant) else None
    own = {*reachable, domain.rpartition(".")[2]} if domain else {*reachable}
    if manifest.kind == "NetworkPolicy" and group_of(manifest.api_version) == "networking.k8s.io":
        if release.role not in PLATFORM:
            yield from check_policy(manifest, release.namespace)
        return
    for path, text in _texts(manifest):
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        beside = _beside(manifest, path)
        name = beside if key == "value" and beside else "host" if key == "externalName" else key
        for space in sorted(namespaces_in(text, name=name) - own):
            yield path, f"points into namespace {space!r}", "call a service of its own namespace, or declare a use"
        is_scope = key in NAMESPACE_KEYS and path != ("metadata", "namespace") and not _is_data(manifest, path)
        if is_scope and text and text not in own and "/" not in text:
            yield path, f"names namespace {text!r}", "have the chart leave it out, or name the release's own"
        for space in OPTION.findall(text) if key in {"args", "command"} else ():
            if space not in own:
                yield path, f"names namespace {space!r}", "have the chart name the release's own"
        if key == "matchNames" and text not in own:
            yield path, f"selects namespace {text!r}", "have the chart select the release's own"
        if domain and GATEWAY_CREDENTIALS & {name, text}:
            fix = "a customer holds its virtual key only; bind LlmGateway and use its key"
            yield path, "is a credential of the gateway itself", fix
    spec = as_map(manifest.object.get("spec"))
    if as_map(spec.get("namespaceSelector")).get("any") is True:
        yield ("spec", "namespaceSelector", "any"), "selects every namespace", "have the chart select its own"
    if domain and manifest.kind == "Ingress":
        yield from _hosts(manifest, domain)


def _hosts(manifest: Manifest, domain: str) -> Iterator[tuple[Steps, str, str]]:
    spec = as_map(manifest.object.get("spec"))
    for index, rule in enumerate(as_list(spec.get("rules"))):
        host = as_map(rule).get("host")
        if not isinstance(host, str) or not (host == domain or host.endswith(f".{domain}")):
            fault = f"answers for {host!r}" if host else "answers for every host name"
            yield ("spec", "rules", index, "host"), fault, f"its host names end in .{domain}, the customer's own"


def _texts(manifest: Manifest) -> Iterator[tuple[Steps, str]]:
    """Yield every text of an object, and what the data of a Secret holds."""
    for path, text in strings(manifest.object):
        if path[0] in {"metadata", "apiVersion", "kind"} and path[:2] != ("metadata", "annotations"):
            continue
        yield path, _decoded(text) if manifest.kind in HIDDEN and path[0] == "data" else text


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _is_data(manifest: Manifest, path: Steps) -> bool:
    """Say whether a text is content for an application, whose keys mean what it says."""
    return manifest.kind in {"ConfigMap", "Secret"} and path[0] in {"data", "stringData", "binaryData"}


def _beside(manifest: Manifest, path: Steps) -> str:
    """Return the name beside a value, as a container's environment has it."""
    tree: Json = manifest.object
    for step in path[:-1]:
        tree = as_map(tree).get(step) if isinstance(step, str) else as_list(tree)[step]
    name = as_map(tree).get("name")
    return name if isinstance(name, str) else ""


RULES = (Rule(letter=LETTER, title="namespace, rendered", check=check, on_manifests=True),)
