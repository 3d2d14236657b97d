"""Get the charts of a stack's releases: from OCI registries, classic Helm repositories, packages and local folders.

A chart that was had once is not asked for again, as long as its pin stays: its version names it, its digest proves it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import attrs

from kiwi_core._compose.stack import ChartFiles, Stack, StackRelease
from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.chart_files import read_archive
from kiwi_core._deliver.oci_source import Hashed
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.web import refused, unreadable
from kiwi_core._model.pins import ChartPin
from kiwi_core.errors import ExternalError, KiwiError, PinError, Problem, Where

__all__ = ["Chart", "Charts"]

CONTENT: Final = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")
"""Media types of a packed chart in a registry (helm.sh/helm/pkg/registry)."""
LIMIT: Final = 64 << 20
"""How many bytes a packed chart may have."""


@attrs.frozen(kw_only=True)
class Chart:
    """A chart as it is rendered.

    Attributes:
        title: what to call it in a message.
        digest: the SHA-256 of its archive, or of all files of a folder, in hexadecimal digits.
        path: gives the archive or the folder, from which it is rendered.
        is_packed: whether the digest is an archive's.
    """

    title: str
    digest: str
    path: Callable[[], Path] = attrs.field(eq=False, repr=False)
    is_packed: bool = True


@attrs.frozen(kw_only=True)
class Charts:
    """Where charts come from.

    Attributes:
        cache: keeps them.
        registries: are asked for them.
        refresh: whether they are asked even for what is kept.
    """

    cache: Cache
    registries: Registries
    refresh: bool = False

    def of(self, release: StackRelease, stack: Stack) -> Chart:
        """Return the chart of a release.

        Raises:
            PinError: its version does not exist, or is of another digest than the pin's.
            ExternalError: it cannot be had.
        """
        if release.own_chart is not None and stack.is_local(release):
            return self._own(release.own_chart)
        name, pin = release.declared.chart, release.chart
        assert pin is not None  # compose has checked that every chart that goes not with the tree is pinned
        where = stack.inputs.pins.where("charts", name, "digest" if pin.digest else "version")
        try:
            return self._pinned(pin, where)
        except KiwiError as error:
            raise type(error)(*_placed(error, release.name, name, where)) from None

    def _own(self, chart: ChartFiles) -> Chart:
        files = dict(sorted(chart.files.items()))
        listed = [[path, hashlib.sha256(data).hexdigest()] for path, data in files.items()]
        digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
        title = f"{chart.name} {chart.version}"
        # A folder and no archive: only there does Helm heed .helmignore.
        return Chart(title=title, digest=digest, path=lambda: self.cache.keep_folder(digest, files), is_packed=False)

    def _pinned(self, pin: ChartPin, where: Where) -> Chart:
        title = f"{pin.name} {pin.version}"
        place = [pin.location, pin.name, pin.version, pin.digest]
        name = hashlib.sha256(json.dumps(place).encode()).hexdigest()
        kept = None if self.refresh else self.cache.json("pins", name)
        digest = kept.get("archive") if isinstance(kept, dict) else None
        if isinstance(digest, str) and self.cache.path("archives", f"{digest}.tgz").is_file():

            def path() -> Path:
                # Damaged since: it is asked for again, and is the same or an error.
                return self.cache.archive(digest) or self._fetch(pin, where, digest)[1]

            return Chart(title=title, digest=digest, path=path)
        found, fetched = self._fetch(pin, where, None)
        self.cache.keep_json("pins", name, {"archive": found})
        return Chart(title=title, digest=found, path=lambda: fetched)

    def _fetch(self, pin: ChartPin, where: Where, known: str | None) -> tuple[str, Path]:
        data = self._pull(pin) if pin.is_oci else self._download(pin)
        found = hashlib.sha256(data).hexdigest()
        if known not in {None, found}:
            raise PinError(Problem(f"it is sha256:{found} now, and was sha256:{known}", where))
        read_archive(data, name=f"{pin.location}/{pin.name} {pin.version}")
        return found, self.cache.keep_archive(data)

    def _pull(self, pin: ChartPin) -> bytes:
        """Pull a chart from a registry, by its version: that is what is delivered, and its digest has to be the pin's."""
        registry, _, repository = f"{pin.location}/{pin.name}".partition("/")
        manifest = self.registries.manifest(registry, repository, pin.version.replace("+", "_"))
        layers = [layer for layer in manifest.layers if layer.kind in CONTENT]
        if not manifest.is_chart or len(layers) != 1:
            raise PinError(Problem("it is no Helm chart"))
        if pin.digest not in {None, manifest.digest, layers[0].digest}:
            raise _moved(pin, manifest.digest)
        if layers[0].size > LIMIT:
            raise ExternalError(Problem(f"it has {layers[0].size} bytes; at most {LIMIT} are taken"))
        bodies: list[bytes] = []

        def take(pieces: Iterator[bytes]) -> None:
            read = Hashed(pieces)
            bodies.append(b"".join(read))
            read.compare(layers[0].digest, layers[0].size, Where(f"{registry}/{repository}"))

        self.registries.blob(registry, repository, layers[0].digest, size=layers[0].size, take=take)
        return bodies[-1]

    def _download(self, pin: ChartPin) -> bytes:
        from kiwi_core._deliver.helm_index import read_entry

        base = f"{pin.location.rstrip('/')}/"
        client = self.registries.client
        answer = client.get(f"{base}index.yaml", limit=LIMIT)
        if answer.status != HTTPStatus.OK:
            raise refused(answer)
        try:
            entry = read_entry(answer.body.decode(), pin.name, pin.version)
        except ValueError as error:
            raise unreadable(answer, "a Helm index") from error
        if entry is None or not entry.urls:
            raise PinError(Problem(f"{pin.location} has no chart {pin.name!r} of version {pin.version}"))
        answer = client.get(urljoin(base, entry.urls[0]), limit=LIMIT)
        if answer.status != HTTPStatus.OK:
            raise refused(answer)
        found = hashlib.sha256(answer.body).hexdigest()
        said = entry.digest.removeprefix("sha256:")
        if said and said != found:
            hint = "it was damaged or changed on its way, or behind the index's back"
            raise ExternalError(Problem(f"its index says sha256:{said}, and sha256:{found} came", hint=hint))
        if pin.digest not in {None, f"sha256:{found}"}:
            raise _moved(pin, f"sha256:{found}")
        return answer.body


def _moved(pin: ChartPin, found: str) -> PinError:
    hint = "somebody pushed another chart under this version, or the pin is wrong: look which, then set the pin"
    return PinError(Problem(f"it is pinned as {pin.digest}, and is {found} where it comes from", hint=hint))


def _placed(error: KiwiError, release: str, name: str, where: Where) -> Iterator[Problem]:
    """Say in an error which release and which pin it is about."""
    for problem in error.problems:
        at = f" ({problem.where})" if problem.where and problem.where != where else ""
        yield attrs.evolve(problem, message=f"chart {name} of release {release}: {problem.message}{at}", where=where)
