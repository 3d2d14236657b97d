"""The report's tables of secrets and of the network: what is named, who reads it, and who talks to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from kiwi_core._compose.policy import Policy
from kiwi_core._compose.stack import Stack
from kiwi_core._compose.workloads import endpoint_of
from kiwi_core._emit.markup import Markup, element, raw
from kiwi_core._emit.report_stack import link_or_name
from kiwi_core._emit.table import Row, lines, listed, muted, plural, section, table
from kiwi_core._emit.usage import NamedUse, Usage
from kiwi_core._model.network import Workload

__all__ = ["network_section", "secrets_section"]

SERVICES = (("User", 25), ("Service", 25), ("Served by", 25), ("Namespace and ports", 25))
PLACES = (("In Secret and key", 20), ("In the values of", 20), ("Secret read by", 15))
OF_EVERY_NAMESPACE = ("allow-own-pods", "allow-dns")


def secrets_section(stack: Stack, usage: Usage) -> Markup:
    """Return credentials and externals by name, with where they go. A value is nowhere here."""
    lock = stack.inputs.lock
    intro = (
        f"{plural(len(usage.credentials), 'credential')} derived from the seed when it is delivered, "
        f"{plural(len(usage.externals), 'external')} kept encrypted. This page has their names and none of their values. "
        + ("secrets.lock has fingerprints of them. " if lock else "There is no secrets.lock yet. ")
        + "Of rotation live, a hook or a restart brings a new value in; init, a hook signs in with the old value to set "
        "it; data-key, never: data is encrypted with it."
    )
    because = {external.name: external.because for external in stack.externals}
    found = (
        table(
            "Credentials",
            (("Name", 25), ("Generation", 10), ("Rotation", 10), *PLACES),
            [
                (use.name, str(use.generation), use.rotation.value if use.rotation else "", *_places(use))
                for use in usage.credentials
            ],
        ),
        table(
            "Externals",
            (("Name", 20), ("Why it cannot be derived", 25), *PLACES),
            [(use.name, because.get(use.name, ""), *_places(use)) for use in usage.externals],
        ),
    )
    return section("secrets", "Credentials by name", intro, *[each for each in found if each])


def _places(use: NamedUse) -> tuple[Markup, Markup, Markup]:
    return listed(use.secrets), listed(use.plain), listed(use.readers)


def network_section(stack: Stack) -> Markup:
    """Return who talks to whom: from outside, among releases, over namespaces, and to the outside."""
    homes = listed(sorted(stack.foundations))
    intro = (
        "Everything is denied that is not said here; the pods of one namespace may talk to each other, and all resolve "
        "names."
    )
    several = len(stack.foundations) > 1
    found = (
        table("From outside", (("Component", 20), ("Host names", 60), ("Ports beside theirs", 20)), _outside(stack)),
        table("Services that are used", SERVICES, _services(stack)),
        table(
            "Over the border of a namespace",
            (("Policy", 30), *((("Namespace", 15),) if several else ()), ("Way", 5), ("Ports", 15), ("Because", 35)),
            [
                [policy.name, *([policy.namespace] if several else []), *_policy(policy)]
                for policy in stack.policies
                if policy.name not in OF_EVERY_NAMESPACE
            ],
        ),
        table("To the outside of the cluster", (("Pods", 25), ("Whom they call", 50), ("Ports", 25)), _egress(stack)),
    )
    namespaces = element("p", raw("Namespaces with a default deny: "), homes, class_="intro")
    return section("network", "Network", intro, namespaces, *[each for each in found if each])


def _outside(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for part in stack.parts.values():
        if part.wiring.hosts or part.wiring.ports:
            yield part.name, listed(sorted(part.wiring.hosts)), listed(part.wiring.ports)


def _workloads(stack: Stack) -> Iterator[tuple[str, Workload]]:
    for part in stack.parts.values():
        for workload in part.wiring.network:
            yield f"{part.name}, {workload.name}", workload


def _numbers(ports: Iterable[int], protocol: str) -> tuple[str, ...]:
    return tuple(f"{port}/{protocol}" for port in ports)


def _services(stack: Stack) -> Iterator[Row]:
    for name, bound in stack.bindings.items():
        for key, binding in bound.items():
            users = [
                release.name
                for release in stack.parts[name].declaration.releases
                if any(use.key == key for use in release.uses)
            ]
            user = lines(element("b", name), muted(", ".join(each for each in users if each != name)))
            if binding is None:
                yield Row([user, str(key), muted("nobody: it is only wanted"), ""])
                continue
            endpoint = endpoint_of(binding)
            ports = _numbers(endpoint.ports, "tcp") if endpoint else ()
            namespace = (endpoint.namespace if endpoint else None) or stack.parts[name].home.namespace
            by = link_or_name(stack, binding.offer.release) if binding.offer.release else binding.source
            yield Row([user, str(key), by, listed((namespace, *ports))])


def _policy(policy: Policy) -> tuple[str, str, str]:
    directions = [str(each) for each in cast("list[object]", policy.spec.get("policyTypes") or [])]
    ports: dict[str, None] = {}
    for direction in directions:
        for rule in cast("list[Mapping[str, object]]", policy.spec.get(direction.lower()) or []):
            for port in cast("list[Mapping[str, object]]", rule.get("ports") or []):
                ports[f"{port.get('port', 'all')}/{str(port.get('protocol', 'TCP')).lower()}"] = None
    words = {"Ingress": "in", "Egress": "out"}
    return " and ".join(words.get(each, each) for each in directions), ", ".join(ports) or "all", policy.because


def _egress(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for name, workload in _workloads(stack):
        for egress in workload.egress:
            yield name, egress.to, ", ".join(_numbers(egress.ports, "tcp"))
