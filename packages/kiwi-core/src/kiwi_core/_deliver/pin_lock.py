"""Ask registries about pins: which digest a tag stands for, and which newer versions there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import attrs

from kiwi_core._deliver.registry import Manifest, Registries
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles
from kiwi_core._model.versions import newer
from kiwi_core.errors import ExternalError, KiwiError, PinError, Problem, Where, did_you_mean, raise_all

__all__ = ["Kind", "Newer", "PinName", "find_digests", "find_newer", "raise_failures"]

Kind: TypeAlias = Literal["charts", "images"]
PinName: TypeAlias = tuple[Kind, str]
"""A pin: which file it stands in, and its name."""

PLATFORM = "linux/amd64"
AT_ONCE = 4
"""How many questions are asked at the same time: registries limit how many one may ask."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Newer:
    """What a registry knows of a pin.

    Attributes:
        kind, name: the pin.
        version: what is pinned.
        where: the place of the pin.
        versions: those that are newer, oldest first.
        problem: why nothing is known, instead.
    """

    kind: Kind
    name: str
    version: str
    where: Where
    versions: Sequence[str] = ()
    problem: KiwiError | None = None


def find_digests(
    files: PinFiles, wanted: Sequence[PinName], registries: Registries, *, repin: bool = False
) -> Mapping[PinName, str]:
    """Ask which digests the versions of pins have.

    Args:
        files: the pins.
        wanted: which are asked for. One that has a digest is compared with what the registry answers.
        registries: who is asked.
        repin: take the registry's digest where another one is pinned.

    Returns:
        The digests of the pins that have another one or none.

    Raises:
        PinError: a pin is wrong: its version does not exist, is of another digest, or of another architecture.
        ExternalError: a registry did not answer well; with the problems of all pins.
    """
    answers = _ask_all(files, wanted, lambda pin: _digest(pin, registries, repin=repin))
    raise_failures([answer for answer in answers.values() if isinstance(answer, KiwiError)])
    pinned = {name: _pin(files, name).digest for name in wanted}
    return {name: found for name, found in answers.items() if isinstance(found, str) and found != pinned[name]}


def find_newer(files: PinFiles, wanted: Sequence[PinName], registries: Registries) -> Sequence[Newer]:
    """Ask which newer versions of pins there are; a pin of which nothing can be said stops no other."""
    answers = _ask_all(files, wanted, lambda pin: _versions(pin, registries))
    found: list[Newer] = []
    for (kind, name), answer in answers.items():
        known = Newer(
            kind=kind, name=name, version=_pin(files, (kind, name)).version, where=_where(files, (kind, name))
        )
        if isinstance(answer, KiwiError):
            found.append(attrs.evolve(known, problem=answer))
        else:
            found.append(attrs.evolve(known, versions=answer))
    return found


def raise_failures(failures: Sequence[KiwiError]) -> None:
    """Raise one error with the problems of all; do nothing when there are none.

    Raises:
        PinError: all say that a pin is wrong.
        ExternalError: one says that a registry did not answer well.
    """
    is_external = any(isinstance(error, ExternalError) for error in failures)
    alike: dict[tuple[str, str | None], list[Problem]] = {}
    for error in failures:
        for problem in error.problems:
            alike.setdefault((problem.message, problem.hint), []).append(problem)
    # A registry that is down is told once, not once for each of its pins.
    problems = [
        attrs.evolve(first, message=f"{first.message}, and so of {len(others)} more") if others else first
        for first, *others in alike.values()
    ]
    raise_all(ExternalError if is_external else PinError, problems)


def _ask_all(
    files: PinFiles, wanted: Sequence[PinName], ask: Callable[[ChartPin | ImagePin], T]
) -> Mapping[PinName, T | KiwiError]:
    """Ask about all pins, some at a time; equal pins are asked about once."""
    from concurrent.futures import ThreadPoolExecutor

    def answer(pin: ChartPin | ImagePin) -> T | KiwiError:
        try:
            return ask(pin)
        except KiwiError as error:
            return error

    pins = {name: _pin(files, name) for name in wanted}
    different = list(dict.fromkeys(pins.values()))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(different, pool.map(answer, different), strict=True))
    return {name: _placed(answers[pin], _where(files, name)) for name, pin in pins.items()}


def _placed(answer: T | KiwiError, where: Where) -> T | KiwiError:
    """Say in an error which pin it is about."""
    if isinstance(answer, KiwiError):
        return type(answer)(*(attrs.evolve(problem, where=where) for problem in answer.problems))
    return answer


def _pin(files: PinFiles, name: PinName) -> ChartPin | ImagePin:
    kind, key = name
    known = files.pins.charts if kind == "charts" else files.pins.images
    if key not in known:
        file = files.charts_file if kind == "charts" else files.images_file
        hint = did_you_mean(key, known, otherwise="pins")
        raise PinError(Problem(f"there is no {kind[:-1]} pin {key!r}", Where(file), hint))
    return known[key]


def _where(files: PinFiles, name: PinName) -> Where:
    kind, key = name
    return files.where(kind, key, "version" if kind == "charts" else "tag")


def _digest(pin: ChartPin | ImagePin, registries: Registries, *, repin: bool) -> str:
    if isinstance(pin, ChartPin) and not pin.is_oci:
        raise PinError(Problem(f"{pin.location} is no OCI registry: charts have no digest there"))
    registry, repository = _place(pin)
    # A tag cannot hold the "+" of a semantic version: Helm writes "_".
    manifest = registries.manifest(registry, repository, pin.version.replace("+", "_"))
    shown = f"{registry}/{repository}:{pin.version}"
    if isinstance(pin, ChartPin) != manifest.is_chart:
        raise PinError(
            Problem(f"{shown} is a Helm chart, expected an image" if manifest.is_chart else f"{shown} is no Helm chart")
        )
    if isinstance(pin, ImagePin):
        platforms = registries.platforms(registry, repository, manifest)
        if PLATFORM not in platforms:
            known = ", ".join(platforms) or "nothing that it names"
            raise PinError(Problem(f"{shown} is not there for {PLATFORM}: it is for {known}"))
    if pin.digest and not repin:
        if not _is_of(pin.digest, manifest):
            hint = "somebody moved the tag, or the pin is wrong: look which, then --repin takes the registry's"
            raise PinError(
                Problem(f"{shown} is pinned as {pin.digest}, and is {manifest.digest} in its registry", hint=hint)
            )
        return pin.digest
    return manifest.digest


def _is_of(digest: str, manifest: Manifest) -> bool:
    """Say whether a digest is that of a manifest, or of its part for our platform."""
    return digest == manifest.digest or manifest.parts.get(digest) == PLATFORM


def _versions(pin: ChartPin | ImagePin, registries: Registries) -> Sequence[str]:
    registry, repository = _place(pin)
    if isinstance(pin, ImagePin):
        return newer(pin.version, registries.tags(registry, repository))
    if pin.is_oci:
        tags = [tag.replace("_", "+") for tag in registries.tags(registry, repository)]
        return newer(pin.version, tags, is_chart=True)
    return newer(pin.version, registries.helm_versions(pin.location, pin.name), is_chart=True)


def _place(pin: ChartPin | ImagePin) -> tuple[str, str]:
    """Return the registry's host, and the repository in it."""
    if isinstance(pin, ImagePin):
        return pin.registry, pin.repository
    registry, _, path = f"{pin.location}/{pin.name}".partition("/")
    return registry, path
