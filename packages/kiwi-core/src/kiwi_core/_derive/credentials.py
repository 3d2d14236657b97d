"""All credentials of a tenant at once: each scope's key is computed a single time, on as many cores as there are."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from kiwi_core._derive.evaluate import encoder
from kiwi_core._derive.password import (
    CredentialError,
    ScopeKey,
    Seed,
    text_problems,
)
from kiwi_core._derive.seeds import customer_seed
from kiwi_core._derive.taint import Derived
from kiwi_core._model.late import Credential
from kiwi_core.errors import Problem, raise_all

__all__ = ["derive_all"]

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS: Final = 16
"""Each needs 32 MiB."""


def derive_all(seed: Seed, credentials: Iterable[Credential]) -> Mapping[Credential, Derived]:
    """Derive credentials, encodings included, in the order in which they are given, each once.

    Nothing is kept beyond what is returned, in memory or elsewhere. It takes 0.2 s of one core for each distinct scope.

    Raises:
        CredentialError: a scope or purpose is not UTF-8, or two credentials have one value.
        ExternalError: scrypt cannot be computed here.
    """
    wanted = tuple(dict.fromkeys(credentials))
    raise_all(CredentialError, (problem for credential in wanted for problem in _problems(credential)))
    derived = _derive(seed, wanted)
    raise_all(CredentialError, _equals(derived.values()))
    return derived


def _derive(seed: Seed, wanted: Sequence[Credential]) -> Mapping[Credential, Derived]:
    customers = tuple(dict.fromkeys(credential.customer for credential in wanted if credential.customer))
    seeds = {"": seed, **dict(zip(customers, _at_once(functools.partial(customer_seed, seed), customers), strict=True))}
    scopes = tuple(dict.fromkeys((credential.customer, credential.scope) for credential in wanted))
    keys = dict(zip(scopes, _at_once(lambda scope: ScopeKey(seeds[scope[0]], scope[1]), scopes), strict=True))
    return {credential: _value(keys[credential.customer, credential.scope], credential) for credential in wanted}


def _at_once(compute: Callable[[T], R], wanted: Sequence[T]) -> Sequence[R]:
    """Compute what needs a scrypt each, which lets the other threads run."""
    threads = min(len(wanted), _cores(), MOST_THREADS)
    if threads < 2:  # noqa: PLR2004 -- one does not need a thread of its own
        return [compute(item) for item in wanted]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads, "derive") as pool:
        return list(pool.map(compute, wanted))


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; os.process_cpu_count, which serves everywhere, is new in 3.13
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _value(key: ScopeKey, credential: Credential) -> Derived:
    encode = encoder(credential.encoding)
    value = encode(key.password(credential.purpose, template=credential.template, counter=credential.generation))
    return Derived(credential, value, key.fingerprint(credential.purpose, value))


def _problems(credential: Credential) -> Iterator[Problem]:
    yield from text_problems(f"the scope {credential.scope!r}", credential.scope)
    yield from text_problems(f"the purpose {credential.purpose!r} of scope {credential.scope!r}", credential.purpose)


def _equals(derived: Iterable[Derived]) -> Iterator[Problem]:
    """Yield the pairs of credentials that have one value; forms of one and the same may."""
    first: dict[str, Credential] = {}
    for item in derived:
        one, other = first.setdefault(item.reveal(), item.credential), item.credential
        if (one.name, one.generation) != (other.name, other.generation):
            yield Problem(
                f"credentials {_name(one)} and {_name(other)} have one value, with {_form(one)} and {_form(other)}",
                hint="too little is left of them: take a longer template, or an encoding that cuts less off",
            )


def _name(credential: Credential) -> str:
    return f"{credential.name!r} (generation {credential.generation})"


def _form(credential: Credential) -> str:
    return " | ".join((f"template {credential.template}", *credential.encoding))
