"""What the Secrets of a repository hold, derived here as it is in the cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from kiwi_core import _engine as engine
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import InputError, Problem

if TYPE_CHECKING:
    from kiwi_core._deliver.seed_source import SeedSource
    from kiwi_core._derive.taint import Derived, Tainted
    from kiwi_core._model.late import Credential

__all__ = ["Read", "declared_keys", "reader_of"]

Read = Callable[[str, SecretKey], str]
"""Gives the value of a key of a Secret in a namespace."""


def declared_keys(project: engine.Project) -> tuple[tuple[str, SecretKey], ...]:
    """Return every key of every Secret that is declared, with its namespace."""
    return tuple(
        (namespace, SecretKey(name, key))
        for (namespace, name), secret in project.stack.secrets.items()
        for key in secret.data
    )


def reader_of(project: engine.Project, source: SeedSource, wanted: Collection[tuple[str, SecretKey]]) -> Read:
    """Return what gives the values of keys; all of them are derived at once, on all cores.

    Raises:
        InputError: there is no seed, or it is another one; or an external cannot be opened. Reading a key that is not
            declared raises it, too.
    """
    from kiwi_core._derive.credentials import derive_all
    from kiwi_core._derive.evaluate import evaluate
    from kiwi_core._model.late import Credential, External, late_leaves
    from kiwi_core.cli._seed import deployed_seed, open_externals

    values = {place: secret.data for place, secret in project.stack.secrets.items()}
    found = (values.get((namespace, key.secret), {}).get(key.key) for namespace, key in wanted)
    named = [late for value in found if value is not None for _, late in late_leaves(value)]
    derived: Mapping[Credential, Derived] = {}
    externals: Mapping[str, Tainted] = {}
    if credentials := [late for late in named if isinstance(late, Credential)]:
        derived = derive_all(deployed_seed(project, source, os.environ), credentials)
    if any(isinstance(late, External) for late in named):
        externals = open_externals(project, source.identities)

    def read(namespace: str, key: SecretKey) -> str:
        data = values.get((namespace, key.secret), {})
        if key.key not in data:
            message = f"key {key.key!r} of Secret {key.secret!r} is not declared here, so its value is not known"
            raise InputError(Problem(message, hint="the hook's job reads it in the cluster"))
        value = data[key.key]
        return externals[value.name].reveal() if isinstance(value, External) else evaluate(value, derived)

    return read
