"""The facts of upstream's openDesk, as ``python -m kiwi_component_opendesk.capture`` wrote them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

__all__ = ["Derivation", "Facts", "Names", "ReleaseFacts", "facts"]

FILE: Final = Path(__file__).parent / "facts" / "opendesk.json"

Pin: TypeAlias = Mapping[str, str | bool]
Service: TypeAlias = Mapping[str, str | int | None]


def _words(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(found)


@attrs.frozen(kw_only=True)
class Derivation:
    """The inputs of one derived secret: ``derivePassword``'s user, site, counter and template, and what follows."""

    scope: str
    purpose: str
    generation: int
    template: str
    encoding: tuple[str, ...] = attrs.field(converter=_words)


@attrs.frozen(kw_only=True)
class Names:
    """What the values files of a release name.

    Attributes:
        images, databases, objectstores, caches: keys of upstream's own files.
        secrets: paths such as ``secrets.redis.password``.
        whole: whether a file hands the whole tree of values on, every secret included.
    """

    images: tuple[str, ...] = attrs.field(default=(), converter=_words)
    databases: tuple[str, ...] = attrs.field(default=(), converter=_words)
    objectstores: tuple[str, ...] = attrs.field(default=(), converter=_words)
    caches: tuple[str, ...] = attrs.field(default=(), converter=_words)
    secrets: tuple[str, ...] = attrs.field(default=(), converter=_words)
    whole: bool = False


@attrs.frozen(kw_only=True)
class ReleaseFacts:
    """A release as upstream has it.

    Attributes:
        app: the folder of its helmfile.
        chart: the key of its chart's pin.
        stage: its ``deployStage``; None where upstream forgot it (notes).
        gates: the switches that must be on for it to be installed.
        needs: what upstream itself says.
        timeout: in seconds; None is helmfile's default.
        names: what its values files name, and what those of the Enterprise edition name beside.
    """

    name: str
    app: str
    chart: str
    stage: str | None
    gates: tuple[str, ...] = attrs.field(converter=_words)
    needs: tuple[str, ...] = attrs.field(converter=_words)
    wait: bool
    wait_for_jobs: bool
    timeout: int | None
    names: Names
    enterprise_names: Names


@attrs.frozen(kw_only=True)
class Facts:
    """openDesk at one version.

    Attributes:
        version: its version.
        hosts: first labels of the public names, by upstream's key.
        ldap: host and base of the directory.
        realm: Keycloak's realm.
        no_reply: the local part of the address that mail comes from.
        charts, images: the pins by upstream's key.
        enterprise_charts, enterprise_images: what the Enterprise edition puts in their place.
        databases, objectstores, caches: the services by upstream's key.
        secrets: how each secret is derived, by path.
        releases: by name, in upstream's order.
    """

    version: str
    hosts: Mapping[str, str]
    ldap: Mapping[str, str]
    realm: str
    no_reply: str
    charts: Mapping[str, Pin]
    images: Mapping[str, Pin]
    enterprise_charts: Mapping[str, Pin]
    enterprise_images: Mapping[str, Pin]
    databases: Mapping[str, Service]
    objectstores: Mapping[str, Service]
    caches: Mapping[str, Service]
    secrets: Mapping[str, Derivation]
    releases: Mapping[str, ReleaseFacts]


@functools.cache
def facts() -> Facts:
    """Return the facts; the file is read once, when somebody asks for them."""
    # Any: what json gives. The file is the package's own, and a test reads all of it.
    found: dict[str, Any] = json.loads(FILE.read_bytes())
    read: dict[str, Any] = {field.name: found[field.name] for field in attrs.fields(Facts) if field.name in found}
    read["version"] = found["source"]["version"]
    read["secrets"] = {path: Derivation(**item) for path, item in found["secrets"].items()}
    read["releases"] = {item["name"]: _release(item) for item in found["releases"]}
    return Facts(**read)


def _release(item: Mapping[str, Any]) -> ReleaseFacts:
    read: dict[str, Any] = {field.name: item[field.name] for field in attrs.fields(ReleaseFacts)}
    read["names"] = Names(**item["names"])
    read["enterprise_names"] = Names(**item["enterprise_names"])
    return ReleaseFacts(**read)
