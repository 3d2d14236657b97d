"""openDesk's defaults: pins, services, switches and host names, from ``helmfile/environments/default``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from kiwi_component_opendesk._capture.checkout import Checkout
from kiwi_component_opendesk._capture.derivations import Derivation, read_derivations
from kiwi_component_opendesk._capture.lines import Entry, Scalar, entries, refuse, scalar, section

__all__ = ["Environment", "Table", "read_environment"]

DEFAULT: Final = "helmfile/environments/default"
ENTERPRISE: Final = "helmfile/environments/default-enterprise-overrides"
# How upstream writes a switch that the Enterprise edition sets.
IN_ENTERPRISE: Final = '{{ if eq (env "OPENDESK_ENTERPRISE") "true" }}true{{ else }}false{{ end }}'

CHART: Final = ("registry", "repository", "name", "version", "verify")
IMAGE: Final = ("registry", "repository", "tag")

Table: TypeAlias = Mapping[str, Mapping[str, Scalar]]


@attrs.frozen(kw_only=True)
class Environment:
    """The defaults.

    Attributes:
        version: openDesk's version.
        apps: each switch: true, false or ``"enterprise"``.
        hosts: first labels of the host names.
        ldap: where the directory answers, and its base.
        realm: Keycloak's.
        no_reply: the local part of the address that mail comes from.
        charts, images: the pins.
        enterprise_charts, enterprise_images: what the Enterprise edition puts in their place.
        databases, objectstores, caches: what the apps use.
        secrets: derivations by path.
        seeds: paths that hold the seed itself.
        foreign: the secrets that the checkout has beyond upstream.
    """

    version: Scalar
    apps: Mapping[str, bool | str]
    hosts: Mapping[str, Scalar]
    ldap: Mapping[str, Scalar]
    realm: Scalar
    no_reply: Scalar
    charts: Table
    images: Table
    enterprise_charts: Table
    enterprise_images: Table
    databases: Table
    objectstores: Table
    caches: Table
    secrets: Mapping[str, Derivation]
    seeds: tuple[str, ...]
    foreign: tuple[str, ...]


def read_environment(checkout: Checkout, without: Sequence[str]) -> Environment:
    """Read the defaults.

    Args:
        checkout: openDesk.
        without: what the names of things begin with that the checkout has beyond upstream.

    Raises:
        InputError: a file is not there, or not understood.
        ExternalError: git fails.
    """
    reader = _Reader(checkout, tuple(without))
    secrets, file = reader.entries("secrets")
    upstream = [entry for entry in secrets if not reader.is_foreign(*entry.path)]
    derived, seeds = read_derivations(upstream, file=file)
    return Environment(
        version=reader.one("global.generated", "global.systemInformation.releaseVersion"),
        apps=reader.switches(),
        hosts=reader.hosts(),
        ldap={"host": reader.one("_helper", "ldap.host"), "base": reader.one("_helper", "ldap.baseDn")},
        realm=reader.one("_helper", "platform.realm"),
        no_reply=reader.one("smtp", "smtp.localpartNoReply"),
        charts=reader.pins("charts", CHART),
        images=reader.pins("images", IMAGE),
        enterprise_charts=reader.pins("charts", CHART, folder=ENTERPRISE),
        enterprise_images=reader.pins("images", IMAGE, folder=ENTERPRISE),
        databases=reader.table("database", "databases", ("type", "name", "host", "port", "username")),
        objectstores=reader.table("objectstores", "objectstores", ("bucket", "username")),
        caches=reader.table("cache", "cache", ("host", "port")),
        secrets=derived,
        seeds=seeds,
        foreign=tuple(".".join(entry.path) for entry in secrets if entry.raw and entry not in upstream),
    )


@attrs.frozen
class _Reader:
    checkout: Checkout
    without: tuple[str, ...]

    def is_foreign(self, *steps: str) -> bool:
        return any(step.lower().startswith(word) for step in steps for word in self.without)

    def entries(self, name: str, folder: str = DEFAULT) -> tuple[list[Entry], str]:
        file = f"{folder}/{name}.yaml.gotmpl"
        return list(entries(self.checkout.read(file), file=file)), file

    def one(self, name: str, path: str) -> Scalar:
        found, file = self.entries(name)
        entry = next((entry for entry in found if ".".join(entry.path) == path), None)
        if entry is None:
            refuse(f"it has no {path}", file, 1)
        return scalar(entry, file=file)

    def switches(self) -> dict[str, bool | str]:
        file = f"{DEFAULT}/opendesk_main.yaml.gotmpl"
        found: dict[str, bool | str] = {}
        for app, fields in section(self.checkout.read(file), "apps", file=file).items():
            if not self.is_foreign(app):
                entry = fields["enabled"]
                found[app] = "enterprise" if entry.raw == IN_ENTERPRISE else scalar(entry, file=file) is True
        return found

    def hosts(self) -> dict[str, Scalar]:
        found, file = self.entries("global")
        return {
            entry.path[2]: scalar(entry, file=file)
            for entry in found
            if entry.path[:2] == ("global", "hosts") and entry.raw and not self.is_foreign(entry.path[2])
        }

    def pins(self, name: str, keys: tuple[str, ...], folder: str = DEFAULT) -> Table:
        file = f"{folder}/{name}.yaml.gotmpl"
        found: dict[str, Mapping[str, Scalar]] = {}
        for pin, fields in section(self.checkout.read(file), name, file=file).items():
            if not self.is_foreign(pin):
                if set(fields) != set(keys):
                    line = min((entry.line for entry in fields.values()), default=1)
                    refuse(f"pin {pin!r} has {sorted(fields)}, expected {sorted(keys)}", file, line)
                found[pin] = {key: scalar(fields[key], file=file) for key in keys}
        return found

    def table(self, name: str, top: str, keys: tuple[str, ...]) -> Table:
        file = f"{DEFAULT}/{name}.yaml.gotmpl"
        found = section(self.checkout.read(file), top, file=file)
        return {
            row: {key: scalar(fields[key], file=file) for key in keys if key in fields}
            for row, fields in found.items()
            if row != "defaults" and not self.is_foreign(row)
        }
