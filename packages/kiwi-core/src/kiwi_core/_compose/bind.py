"""Bind every use to one offer: the component's own, then the tenant's, or the cluster's when it is shared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from kiwi_core._compose.asking import ask
from kiwi_core._model.cluster import Cluster, Target
from kiwi_core._model.component import Component, Declaration, Gateway
from kiwi_core._model.gateways import SharedOffer
from kiwi_core._model.service import Asked, Home, Offer, Use, UseKey
from kiwi_core._model.tenant import Tenant
from kiwi_core.errors import ComposeError, Problem, did_you_mean, raise_all

__all__ = ["Binding", "Declared", "bind", "declare", "name_of", "shared_offers"]


@attrs.frozen(kw_only=True)
class Declared:
    """A component with what it declared."""

    component: Component
    declaration: Declaration

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def uses(self) -> Mapping[UseKey, Use[object]]:
        """Return what its releases use, by key."""
        return {use.key: use for release in self.declaration.releases for use in release.uses}


@attrs.frozen(kw_only=True)
class Binding:
    """A use, bound.

    Attributes:
        component: who uses it.
        provider: the component that offers it; None when it is the cluster.
        value: what the component reads.
    """

    component: str
    use: Use[object]
    offer: Offer
    provider: str | None
    value: object

    @property
    def source(self) -> str:
        """Who serves it, in words."""
        return f"component {self.provider}" if self.provider else "the cluster"


Candidate: TypeAlias = "tuple[str | None, Offer]"
Bindings: TypeAlias = Mapping[str, Mapping[UseKey, "Binding | None"]]


def declare(components: Sequence[Component], packages: Mapping[str, object] | None = None) -> tuple[Declared, ...]:
    """Ask every component for its declaration.

    Args:
        components: the components.
        packages: kind to the package that it comes from, for the reader of an error.

    Raises:
        PluginError: a component's own code fails.
        ComposeError: two of one name, a release or offer declared twice, two different uses of one key, or a need or
            an offer that names no release of its component.
    """
    declared = tuple(
        Declared(component=item, declaration=ask(name_of(item, packages), "declare()", item.declare, Declaration))
        for item in components
    )
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    names: set[str] = set()
    for item in declared:
        if item.name in names:
            hint = "give one of them another name: name='…'"
            problems.append(Problem(f"two components are named {item.name!r}", hint=hint))
        names.add(item.name)
        problems += _problems(item)
        for release in item.declaration.releases:
            if release.name in owners:
                problems.append(
                    Problem(f"release {release.name!r} is declared twice, by {owners[release.name]} and {item.name}")
                )
            owners[release.name] = item.name
    raise_all(ComposeError, problems)
    return declared


def name_of(component: Component, packages: Mapping[str, object] | None = None) -> str:
    """Return a component's name with the package that it comes from, for the reader of an error."""
    return f"component {component.name!r} ({(packages or {}).get(component.kind, type(component).__module__)})"


def _problems(item: Declared) -> Iterator[Problem]:
    releases = {release.name for release in item.declaration.releases}
    uses: dict[UseKey, Use[object]] = {}
    for release in item.declaration.releases:
        for use in release.uses:
            if uses.setdefault(use.key, use) != use:
                yield Problem(
                    f"component {item.name!r} has two different uses of one key: {uses[use.key]!r} and {use!r}",
                    hint="a use is identified by its kind and name: give one of them another name",
                )
        for need in release.needs:
            if need not in releases:
                yield Problem(
                    f"release {release.name!r} needs {need!r}, which component {item.name!r} does not declare",
                    hint=did_you_mean(need, releases, otherwise="its releases are"),
                )
    for use in item.declaration.wants:
        if use.key not in uses:
            yield Problem(f"component {item.name!r} wants {use.key}, which none of its releases uses")
    offers: set[tuple[str, str]] = set()
    for offer in item.declaration.offers:
        if (offer.kind, offer.name) in offers:
            yield Problem(f"component {item.name!r} offers {offer.kind}/{offer.name} twice")
        offers.add((offer.kind, offer.name))
        if offer.release is not None and offer.release not in releases:
            yield Problem(
                f"component {item.name!r} offers {offer.kind} by release {offer.release!r}, which it does not declare",
                hint=did_you_mean(offer.release, releases, otherwise="its releases are"),
            )


def bind(
    declared: Sequence[Declared],
    target: Target,
    cluster: Cluster,
    resolve: Callable[[object], object] = lambda value: value,
) -> Bindings:
    """Bind every use of every component.

    Args:
        declared: the components.
        target: whose they are.
        cluster: where it runs, with all that it shares.
        resolve: fills into what an offer gives what is known of credentials.

    Returns:
        For each component, each use that a release of it has: its binding, or None when it is only wanted and nobody
        serves it.

    Raises:
        ComposeError: a use that nobody or more than one could serve, a choice in ``bind`` that names no use or no
            offer, or an offer that gives something other than the use expects.
        PluginError: an offer's own code fails.
    """
    problems: list[Problem] = []
    bindings: dict[str, dict[UseKey, Binding | None]] = {item.name: {} for item in declared}
    for item in declared:
        bound = bindings[item.name]
        wanted = {use.key for use in item.declaration.wants}
        for key, use in item.uses().items():
            choice = target.bind.get(f"{item.name}/{key}", target.bind.get(f"{item.name}/{key.kind}"))
            found = _candidates(use, item, declared, target, cluster)
            own = [candidate for candidate in found if candidate[0] == item.name]
            match _choose(found, choice) if choice is not None else own or found:
                case [(provider, offer)]:
                    found_one = _bound(item, use, provider, offer, target.home(item.component), problems)
                    bound[key] = attrs.evolve(found_one, value=resolve(found_one.value))
                case [] if choice is None and key in wanted:
                    bound[key] = None
                case several:
                    shared = {other.kind for other in (*cluster.offers, *shared_offers(declared))}
                    problems.append(_unbound(item, use, found, several, choice, target, shared))
    known = {f"{item.name}/{word}" for item in declared for key in item.uses() for word in (key.kind, str(key))}
    for name in target.bind:
        if name not in known:
            hint = did_you_mean(name, known, otherwise="the uses are")
            problems.append(Problem(f"bind names {name!r}, which no component uses", hint=hint))
    raise_all(ComposeError, problems)
    return bindings


def _candidates(
    use: Use[object], item: Declared, declared: Sequence[Declared], target: Target, cluster: Cluster
) -> list[Candidate]:
    """Return who could serve a use: data stays in the namespace, which a gateway has for itself alone."""
    found: list[Candidate] = [(None, offer) for offer in cluster.offers if use.shared and offer.kind == use.kind]
    is_tenant = isinstance(target, Tenant)
    # A tenant's components serve its own data alone, a cluster's share all but theirs.
    near = declared if is_tenant != use.shared else () if is_tenant else (item,)
    return found + [
        (other.name, offer) for other in near for offer in other.declaration.offers if offer.kind == use.kind
    ]


def shared_offers(declared: Sequence[Declared]) -> Iterator[Offer]:
    """Yield what gateways share with others."""
    for item in declared:
        if isinstance(item.component, Gateway):
            yield from (offer for offer in item.declaration.offers if isinstance(offer, SharedOffer))


def _choose(found: list[Candidate], choice: str) -> list[Candidate]:
    provider, _, name = choice.partition("/")
    return [
        (who, offer) for who, offer in found if (provider == (who or offer.name)) and (not name or name == offer.name)
    ]


def _bound(
    item: Declared, use: Use[object], provider: str | None, offer: Offer, home: Home, problems: list[Problem]
) -> Binding:
    who = f"{type(offer).__name__} of {provider or 'the cluster'}"
    value = ask(who, "bind()", lambda: offer.bind(use, Asked(component=item.name), home), object)
    if not isinstance(value, use.binding):
        problems.append(
            Problem(
                f"{use.key} of component {item.name!r} was bound to {value!r} by {provider or 'the cluster'}, "
                f"expected a {use.binding.__name__}",
                hint="this is a mistake in the package that offers it",
            )
        )
    return Binding(component=item.name, use=use, offer=offer, provider=provider, value=value)


def _unbound(
    item: Declared,
    use: Use[object],
    found: list[Candidate],
    several: list[Candidate],
    choice: str | None,
    target: Target,
    shared: Collection[str],
) -> Problem:
    names = [f"{who}/{offer.name}" if who else offer.name for who, offer in several or found]
    what = f"component {item.name!r} uses {use.key}"
    setting = f'bind={{"{item.name}/{use.kind}": "…"}}'
    if choice is not None and not several:
        hint = did_you_mean(choice, [name.partition("/")[0] for name in names], otherwise="those who could")
        return Problem(f"{what}, and bind chooses {choice!r}, which does not offer {use.kind!r}", hint=hint)
    if not found:
        cluster = f"cluster {(target.cluster if isinstance(target, Tenant) else target.name)!r}"
        if use.shared:
            return Problem(
                f"{what}, a shared service that {cluster} does not offer",
                hint=did_you_mean(use.kind, shared, otherwise="it offers"),
            )
        if isinstance(target, Cluster):
            hint = "data stays in the gateway's namespace: declare a release that offers it"
            return Problem(f"{what}, which it does not offer itself", hint=hint)
        return Problem(
            f"{what}, and no component of the tenant offers {use.kind!r}",
            hint=f"add one that does, such as ExistingServices({use.kind}=…) for one that already runs",
        )
    return Problem(f"{what}, and {len(several)} could serve it: {', '.join(names)}", hint=f"choose one: {setting}")
