"""What the commands that ask registries have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kiwi_core.errors import InputError, PinError, Problem

if TYPE_CHECKING:
    from kiwi_core._deliver.registry import Registries
    from kiwi_core._spec.repo import Settings

__all__ = ["pairs", "registries"]


def registries(
    mirrors: Sequence[str], insecure: Sequence[str], timeout: float, settings: Settings | None = None
) -> Registries:
    """Return how the registries are asked: as ``kiwi.toml`` says, and the command's own words before it.

    Raises:
        InputError: a mirror is none.
    """
    import attrs

    from kiwi_core._deliver.registry import Registries
    from kiwi_core._deliver.web import Client
    from kiwi_core._spec.repo import Folder, Settings

    settings = settings or Settings(template=Folder(path="."))
    try:
        settings = attrs.evolve(settings, mirrors={**settings.mirrors, **pairs("--mirror", mirrors)})
    except ValueError as error:
        raise InputError(Problem(str(error))) from error
    return Registries(client=Client(insecure=frozenset(insecure), timeout=timeout), mirrors=settings.mirrors)


def pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    """Return words of the form ``NAME=VALUE`` as a map.

    Raises:
        PinError: one is of another form.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise PinError(Problem(f"{option} {word!r} is no NAME=VALUE"))
        found[name] = value
    return found
