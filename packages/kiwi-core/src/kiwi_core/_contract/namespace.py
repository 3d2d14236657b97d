"""Rule b: everything a customer owns is in ``cust-<slug>``; the only calls out of it go to declared shared services."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from kiwi_core._compose.policies import NAMESPACE_LABEL
from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.chart import active_subcharts, capture_command, effective, is_on
from kiwi_core._contract.results import Evidence, Result, Rule, finding, passed, unproven
from kiwi_core._model.capture import UNSAID
from kiwi_core._model.late import Late, Path, Value, leaves, skeleton
from kiwi_core.errors import Where, dotted

__all__ = ["RULES"]

LETTER = "b"

LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# A Service's DNS name (Kubernetes, "DNS for Services and Pods"): <service>.<namespace>.svc[.<cluster domain>].
SERVICE: Final = re.compile(rf"(?<![a-z0-9.-]){LABEL}\.({LABEL})\.svc(?![a-z0-9-])")
# Without "svc" a name is only told by a namespace of a known form behind its first label.
SHORT: Final = re.compile(
    rf"(?<![a-z0-9-])\.((?:cust-|kiwi-){LABEL}|kube-system|argo-cd|argocd|default)(?![a-z0-9.-]*[a-z0-9-]*\.[a-z]{{2,}})"
    r"(?![a-z0-9-])"
)
NAMESPACE_KEYS: Final = frozenset({"namespace", "namespaceOverride", "targetNamespace", "releaseNamespace"})
# Credentials of LiteLLM itself (its chart's environment): they belong to the gateway's namespace alone.
GATEWAY_CREDENTIALS: Final = frozenset({"LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "PROXY_MASTER_KEY"})


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Look for hosts, namespaces, Secrets, cluster-scoped objects and gateway credentials that leave the namespace."""
    home = stack.tenant.namespace
    for release in stack.releases:
        if release.namespace != home:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"it goes to namespace {release.namespace!r}",
                fix=f"everything that the customer owns is in {home}",
            )
        yield from _values(release, stack)
        yield from _cluster_objects(release, stack)
    yield from _offers(stack)
    yield from _policies(stack)


def _shared(component: str, stack: Stack) -> set[str]:
    """Return the namespaces of the shared services that a component is bound to."""
    endpoints = (binding.offer.endpoint() for binding in stack.bindings.get(component, {}).values() if binding)
    return {endpoint.namespace for endpoint in endpoints if endpoint and endpoint.namespace}


def _values(release: StackRelease, stack: Stack) -> Iterator[Result]:
    allowed = {stack.tenant.namespace, *_shared(release.component, stack)}
    if release.role == "foundation":
        # The Secrets of all components stand here.
        for component in stack.parts:
            allowed |= _shared(component, stack)
    for path, leaf in leaves(release.values):
        subject = f"release {release.name}"
        where = _where(release, path)
        for namespace in sorted(_namespaces(leaf) - allowed):
            yield finding(
                LETTER,
                subject,
                f"{dotted(path)} points into namespace {namespace!r}",
                where=where,
                fix="call a service of the tenant's own namespace, or declare a use of the shared service",
            )
        last = next((step for step in reversed(path) if isinstance(step, str)), "")
        if last in NAMESPACE_KEYS and isinstance(leaf, str) and leaf and leaf not in allowed:
            yield finding(
                LETTER,
                subject,
                f"{dotted(path)} is {leaf!r}, another namespace",
                where=where,
                fix=f"leave it out: the release goes to {stack.tenant.namespace}",
            )
        if last in GATEWAY_CREDENTIALS:
            yield finding(
                LETTER,
                subject,
                f"{dotted(path)} is a credential of the gateway itself",
                where=where,
                fix="a customer holds its virtual key only; bind LlmGateway and use its key",
            )


def _where(release: StackRelease, path: Path) -> Where | None:
    for layer in reversed(release.layers):
        if layer.file and (line := layer.line(path)) is not None:
            return Where(layer.file, line)
    return None


def _namespaces(leaf: Value) -> set[str]:
    """Return the namespaces that a value's host names are in."""
    text = skeleton(leaf, lambda _: "·") if isinstance(leaf, Late) else leaf
    if not isinstance(text, str):
        return set()
    return {match[1] for pattern in (SERVICE, SHORT) for match in pattern.finditer(text)}


def _cluster_objects(release: StackRelease, stack: Stack) -> Iterator[Result]:
    subject = f"release {release.name}"
    slug = stack.tenant.slug
    for declared in release.declared.cluster_objects:
        if slug not in declared.partition("/")[2]:
            yield finding(
                LETTER,
                subject,
                f"the cluster-scoped object {declared!r} does not carry the slug {slug!r}: two customers would collide",
                fix=f"name it with the slug, such as {declared}-{slug}",
            )
    if release.role != "component":
        return
    if release.capture is None:
        yield unproven(
            LETTER,
            subject,
            "its chart was not captured: it may render cluster-scoped objects",
            fix=capture_command(release),
        )
        return
    tree = effective(release, release.capture)
    kinds = {declared.partition("/")[0] for declared in release.declared.cluster_objects}
    for found in release.capture.cluster_objects:
        on = is_on(found.guards, tree)
        if on is False or found.kind in kinds:
            continue
        guards = " and ".join(guard for guard in found.guards if guard != UNSAID)
        when = f" when {guards}" if guards else ""
        if on is None:
            message = (
                f"its chart may render a {found.kind}{when} ({found.file}); the condition cannot be told from values"
            )
            yield unproven(LETTER, subject, message, fix="kiwistack render shows it")
        else:
            yield finding(
                LETTER,
                subject,
                f"its chart renders a cluster-scoped {found.kind} ({found.file})",
                fix=f"switch it off{f' with {guards}' if guards else ''}, or declare it: cluster_objects=('{found.kind}/…',)",
            )
    for subchart in active_subcharts(release.capture, tree):
        if not subchart.captured:
            yield unproven(
                LETTER,
                subject,
                f"its subchart {subchart.key!r} is on and was not captured",
                fix=f"switch it off, or capture the chart with {subchart.name} in its charts/ folder",
            )
    yield passed(LETTER, subject, "what its chart renders for the whole cluster is declared or off")


def _offers(stack: Stack) -> Iterator[Result]:
    """An offer of the tenant's own points nowhere else, whether anyone is bound to it or not."""
    for name, part in stack.parts.items():
        for offer in part.declaration.offers:
            endpoint = offer.endpoint()
            texts = [value for value in attrs.asdict(offer).values() if isinstance(value, str)]
            spaces = {space for text in texts for space in _namespaces(text)}
            if endpoint and endpoint.namespace:
                spaces.add(endpoint.namespace)
            for namespace in sorted(spaces - {stack.tenant.namespace}):
                yield finding(
                    LETTER,
                    f"component {name}",
                    f"its offer {offer.kind!r} is in namespace {namespace!r}: a data plane across namespaces",
                    fix=f"offer what runs in {stack.tenant.namespace}; a shared service is the cluster's to offer",
                )


def _policies(stack: Stack) -> Iterator[Result]:
    """A policy names another namespace only for a shared service that is bound, for DNS, or for the ingress."""
    allowed = {stack.inputs.cluster.dns.namespace}
    for component in stack.parts:
        allowed |= _shared(component, stack)
    for policy in stack.policies:
        for path, leaf in leaves(policy.spec):
            if path[-1:] == (NAMESPACE_LABEL,) and leaf not in allowed:
                yield finding(
                    LETTER,
                    f"policy {policy.name}",
                    f"it opens the way to namespace {leaf!r}, where no shared service is that anyone uses",
                    fix="policies follow from bindings: declare the use",
                )
            if path[-1:] == ("namespaceSelector",) and isinstance(leaf, Mapping):
                yield finding(
                    LETTER, f"policy {policy.name}", "it opens the way to every namespace", fix="select one by its name"
                )


RULES = (Rule(letter=LETTER, title="namespace", check=check),)
