"""Rule b: everything a customer owns is in ``cust-<slug>``; the only calls out of it go to declared shared services.

A gateway is in a ``kiwi-<service>`` namespace of its own, calls no other one, and names no customer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from kiwi_core._compose.bind import Binding
from kiwi_core._compose.policy import NAMESPACE_LABEL
from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._contract.chart import named_leaves, place, text_of
from kiwi_core._contract.hosts import namespaces_in
from kiwi_core._contract.namespace_customers import check_customers
from kiwi_core._contract.namespace_hooks import check_hooks
from kiwi_core._contract.namespace_objects import check_objects
from kiwi_core._contract.namespace_outside import check_outside
from kiwi_core._contract.namespace_policies import check_policies
from kiwi_core._contract.results import Evidence, Result, Rule, finding, unproven
from kiwi_core._model.cluster import Cluster, Target
from kiwi_core._model.late import Path
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import dotted

__all__ = ["GATEWAY_CREDENTIALS", "NAMESPACE_KEYS", "RULES", "shared_namespaces"]

LETTER = "b"

NAMESPACE_KEYS: Final = frozenset({
    "namespace", "namespaces", "namespaceOverride", "targetNamespace", "releaseNamespace", "watchNamespace",
    "watchNamespaces",
})  # fmt: skip
# Credentials of LiteLLM itself (its chart's environment): they belong to the gateway's namespace alone.
GATEWAY_CREDENTIALS: Final = frozenset({"LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "PROXY_MASTER_KEY"})
SHARED: Final = "kiwi-"
# An address by itself; with a slash behind it, it is a network.
ADDRESS: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w/]|\.\d)")


def check(stack: Stack, evidence: Evidence) -> Iterator[Result]:  # noqa: ARG001 -- the interface
    """Look for hosts, namespaces, Secrets, cluster-scoped objects and gateway credentials that leave the namespace."""
    shared = {name: shared_namespaces(bound.values()) for name, bound in stack.bindings.items()}
    for release in stack.releases:
        home = _home(release, stack)
        if release.namespace != home:
            yield finding(
                LETTER,
                f"release {release.name}",
                f"it goes to namespace {release.namespace!r}",
                fix=f"everything that the {_owner(stack)} owns is in {home}",
            )
        yield from _values(release, stack, shared)
        yield from check_objects(release, stack)
    yield from check_hooks(stack)
    yield from _offers(stack)
    yield from check_policies(stack, shared)
    yield from check_customers(stack)
    yield from check_outside(stack)


def _home(release: StackRelease, stack: Stack) -> str:
    """Return the namespace that a release has to be in."""
    if isinstance(stack.target, Tenant):
        return stack.target.namespace
    part = stack.parts.get(release.component)
    return part.home.namespace if part else release.namespace


def _owner(stack: Stack) -> str:
    return "customer" if isinstance(stack.target, Tenant) else "gateway"


def shared_namespaces(bindings: Iterable[Binding | None]) -> set[str]:
    """Return the namespaces of the shared services among what a component is bound to."""
    endpoints = (binding.offer.endpoint() for binding in bindings if binding)
    spaces = {endpoint.namespace for endpoint in endpoints if endpoint and endpoint.namespace}
    return {space for space in spaces if space.startswith(SHARED)}


def _values(release: StackRelease, stack: Stack, shared: Mapping[str, set[str]]) -> Iterator[Result]:
    subject, platform = f"release {release.name}", release.role == "foundation"
    # The Secrets of all components stand in the foundation: each may name what its own component is bound to.
    owners: dict[Path, str] = {
        ("secrets", secret.name): name
        for name, part in stack.parts.items()
        for secret in part.wiring.secrets
        if platform and part.home.namespace == release.namespace
    }
    for path, name, leaf in named_leaves(release):
        text, reachable = text_of(leaf), shared.get(owners.get(path[:2], release.component), set[str]())
        for fault, fix in _faults(path, name, text, reachable, release.namespace, stack.target, platform=platform):
            yield finding(LETTER, subject, f"{dotted(path)} {fault}", where=place(release, path), fix=fix)
        for address in _addresses(text, stack.inputs.cluster) if not platform else ():
            yield unproven(
                LETTER,
                subject,
                f"{dotted(path)} calls {address}, an address of the cluster's own: of what namespace, nobody says",
                where=place(release, path),
                fix="call a Service by its name",
            )


def _faults(
    path: Path, name: str, text: str, reachable: set[str], home: str, target: Target, *, platform: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a value, and what to do."""
    domain = target.domain if isinstance(target, Tenant) else None
    called = namespaces_in(text, name=name).union(*(namespaces_in(str(step), name="") for step in path))
    # The customer's domain may end as no public one does.
    own = {home, domain.rpartition(".")[2]} if domain else {home}
    for namespace in sorted(called - reachable - own):
        fix = "call a service of its own namespace, or declare a use of the shared service"
        yield f"points into namespace {namespace!r}", fix
    is_own = not text or text == home or ".Release.Namespace" in text
    # The platform's own policies name namespaces, too, and are looked at apart.
    by_label = name == NAMESPACE_LABEL and not platform and text not in reachable
    if not is_own and (by_label or name in NAMESPACE_KEYS):
        yield f"is {text!r}, another namespace", f"leave it out: the release goes to {home}"
    if domain and GATEWAY_CREDENTIALS & {name, text}:
        fix = "a customer holds its virtual key only; bind LlmGateway and use its key"
        yield "is a credential of the gateway itself", fix


def _addresses(text: str, cluster: Cluster) -> Iterator[str]:
    for match in ADDRESS.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if any(address in ipaddress.ip_network(cidr) for cidr in (*cluster.pod_cidrs, *cluster.service_cidrs)):
            yield match[0]


def _offers(stack: Stack) -> Iterator[Result]:
    """An offer of the tenant's own points nowhere else, bound or not; one of the cluster's is a shared service."""
    for name, part in stack.parts.items():
        for offer in part.declaration.offers:
            endpoint = offer.endpoint()
            fields = attrs.asdict(offer, recurse=False)
            spaces = {space for field, value in fields.items() for space in namespaces_in(text_of(value), name=field)}
            if endpoint and endpoint.namespace:
                spaces.add(endpoint.namespace)
            for namespace in sorted(spaces - {part.home.namespace}):
                yield finding(
                    LETTER,
                    f"component {name}",
                    f"its offer {offer.kind!r} is in namespace {namespace!r}: a data plane across namespaces",
                    fix=f"offer what runs in {part.home.namespace}; a shared service is the cluster's to offer",
                )
        for key, binding in stack.bindings[name].items():
            endpoint = binding.offer.endpoint() if binding and binding.provider is None else None
            if endpoint and not (endpoint.namespace or "").startswith(SHARED):
                yield finding(
                    LETTER,
                    f"component {name}",
                    f"{key} is served in namespace {endpoint.namespace!r}, which is no shared service's",
                    fix=f"a shared service lives in a {SHARED}<service> namespace",
                )


RULES = (Rule(letter=LETTER, title="namespace", check=check),)
