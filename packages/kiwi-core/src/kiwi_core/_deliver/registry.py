"""What registries know: manifests and tags of images and charts (OCI distribution spec 1.1), and Helm's index.yaml.

Only questions that change nothing are asked, and each answer's hash is taken.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import quote, urljoin, urlsplit

import attrs

from kiwi_core._deliver.oci_manifest import Manifest, platform_of, read_manifest
from kiwi_core._deliver.registry_login import DOCKER, introduce
from kiwi_core._deliver.web import Answer, Client, Take, mapping, refused, unreadable
from kiwi_core._model.pins import DIGEST
from kiwi_core.errors import ExternalError, PinError, Problem

__all__ = ["Manifest", "Registries"]

# An index first: its digest stands for the image of every architecture.
MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LIMIT: Final = 4 << 20
"""How many bytes a manifest may have: registries need take no more."""
LONG_LIMIT: Final = 64 << 20
PAGES: Final = 100
LINK: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


@attrs.frozen(kw_only=True)
class Registries:
    """The registries, each asked at its own host or at its mirror.

    Attributes:
        client: how they are asked.
        mirrors: registry to ``host[:port][/prefix]``.
    """

    client: Client = attrs.field(factory=Client)
    mirrors: Mapping[str, str] = attrs.field(factory=dict[str, str])
    _tokens: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str], init=False, repr=False)

    def manifest(self, registry: str, repository: str, reference: str) -> Manifest:
        """Ask for a manifest by tag or digest.

        Raises:
            PinError: there is no such tag.
            ExternalError: the registry does not answer, or answers what cannot be right.
        """
        answer = self._ask(registry, repository, f"manifests/{reference}", LIMIT, ", ".join(MANIFESTS))
        if answer.status == HTTPStatus.NOT_FOUND:
            raise PinError(Problem(f"{_asked(answer)}:{reference} does not exist"))
        announced = reference if DIGEST.fullmatch(reference) else answer.headers.get("docker-content-digest")
        found = read_manifest(mapping(answer), _verified(answer, announced))
        if found is None:
            raise unreadable(answer, "a manifest")
        return found

    def blob(self, registry: str, repository: str, digest: str, *, size: int, take: Take) -> None:
        """Ask for a layer or a configuration; what comes is not compared with the digest here.

        Args:
            registry: whose it is.
            repository: where it is there.
            digest: its digest.
            size: how many bytes it may have.
            take: is given what comes, and again from the start where it broke off.

        Raises:
            ExternalError: it is not there, or does not come whole.
        """
        answer = self._ask(registry, repository, f"blobs/{digest}", size, take=take)
        if answer.status != HTTPStatus.OK:
            raise refused(answer)

    def platforms(self, registry: str, repository: str, manifest: Manifest) -> Sequence[str]:
        """Return the platforms (``os/architecture``) that an image is there for.

        Raises:
            ExternalError: the registry does not answer, or answers what cannot be right.
        """
        if manifest.config is None:
            return sorted({part for part in manifest.parts.values() if part not in {"", "unknown/unknown"}})
        answer = self._ask(registry, repository, f"blobs/{manifest.config[1]}", LIMIT)
        _verified(answer, manifest.config[1])
        platform = platform_of(mapping(answer))
        return [platform] if platform else []

    def tags(self, registry: str, repository: str) -> Sequence[str]:
        """Return all tags of a repository, over as many pages as they are on.

        Raises:
            PinError: there is no such repository.
            ExternalError: the registry does not answer, or answers what cannot be right.
        """
        tags: list[str] = []
        page = "tags/list?n=1000"
        for _ in range(PAGES):
            answer = self._ask(registry, repository, page, LONG_LIMIT)
            if answer.status == HTTPStatus.NOT_FOUND:
                raise PinError(Problem(f"{_asked(answer)} does not exist"))
            found: object = mapping(answer).get("tags") or []
            if not isinstance(found, list):
                raise unreadable(answer, "a list of tags")
            tags += [tag for tag in cast("list[object]", found) if isinstance(tag, str)]
            link = LINK.search(answer.headers.get("link", ""))
            if link is None:
                return tags
            page = urljoin(answer.url, link[1])
        raise ExternalError(Problem(f"{registry} has more than {PAGES} pages of tags of {repository}"))

    def helm_versions(self, location: str, chart: str) -> Sequence[str]:
        """Return the versions of a chart in a classic Helm repository.

        Raises:
            PinError: there is no such chart.
            ExternalError: the repository does not answer, or its ``index.yaml`` cannot be read.
        """
        from kiwi_core._deliver.helm_index import read_versions

        answer = self.client.get(f"{location.rstrip('/')}/index.yaml", limit=LONG_LIMIT)
        if answer.status != HTTPStatus.OK:
            raise refused(answer)
        try:
            versions = read_versions(answer.body.decode(), chart)
        except ValueError as error:
            raise unreadable(answer, "a Helm index") from error
        if versions is None:
            raise PinError(Problem(f"{location} has no chart {chart!r}"))
        return versions

    def _ask(
        self, registry: str, repository: str, what: str, limit: int, accept: str = "*/*", take: Take | None = None
    ) -> Answer:
        """Ask a registry or its mirror, and say who asks where it wants to know."""
        mirror = self.mirrors.get(registry)
        if registry in DOCKER and "/" not in repository:
            repository = f"library/{repository}"
        host, _, prefix = (mirror or registry).partition("/")
        repository = f"{prefix.strip('/')}/{repository}" if prefix.strip("/") else repository
        host = "registry-1.docker.io" if host in DOCKER else host
        base = f"{self.client.scheme(host)}://{host}"
        url = urljoin(f"{base}/v2/{quote(repository)}/", what)
        if not url.startswith(f"{base}/v2/"):
            raise ExternalError(Problem(f"{host} leads to another place for the next page of {repository}"))
        headers = {"Accept": accept}
        if token := self._tokens.get((host, repository)):
            headers["Authorization"] = token
        answer = self.client.get(url, limit=limit, headers=headers, take=take)
        if answer.status == HTTPStatus.UNAUTHORIZED and (token := introduce(self.client, answer, host, repository)):
            self._tokens[host, repository] = token
            answer = self.client.get(url, limit=limit, headers={**headers, "Authorization": token}, take=take)
        if answer.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            return answer
        is_closed = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        raise refused(
            answer, f"is {repository} its name? Where it takes a login: docker login {host}" if is_closed else None
        )


def _asked(answer: Answer) -> str:
    """Return the host and the repository that answered, which may be a mirror's."""
    url = urlsplit(answer.url)
    return url.netloc + url.path.removeprefix("/v2").rpartition("/")[0].rpartition("/")[0]


def _verified(answer: Answer, digest: str | None) -> str:
    """Return the digest of a body, which is the one that was announced or asked for."""
    if answer.status != HTTPStatus.OK:
        raise refused(answer)
    host, found = urlsplit(answer.url).netloc, f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    if digest is not None and not DIGEST.fullmatch(digest):
        raise ExternalError(Problem(f"{host} answers with the malformed digest {digest[:100]!r}"))
    if digest not in {None, found}:
        raise ExternalError(
            Problem(
                f"{host} announces {digest} and delivers {found}",
                hint="the answer was damaged or changed on its way: ask the registry itself, not a mirror or proxy",
            )
        )
    return found
