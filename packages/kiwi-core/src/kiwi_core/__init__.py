"""KiwiStack SDK: many open-source parts as one product, once per customer, under one contract.

What a component or a tenant spec needs stands here; it is loaded on first use, so that importing the package alone
costs nothing. See also :mod:`kiwi_core.errors`, :mod:`kiwi_core.plugins` and :mod:`kiwi_core.testing`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kiwi_core._derive.password import derive_password as derive_password
    from kiwi_core._hooks.http_seed import Bearer as Bearer
    from kiwi_core._hooks.http_seed import Call as Call
    from kiwi_core._hooks.http_seed import FormLogin as FormLogin
    from kiwi_core._hooks.http_seed import HttpSeed as HttpSeed
    from kiwi_core._hooks.keycloak import OidcClient as OidcClient
    from kiwi_core._hooks.keycloak_parts import OidcMapper as OidcMapper
    from kiwi_core._hooks.mariadb import MariadbDatabase as MariadbDatabase
    from kiwi_core._hooks.postgres import PostgresDatabase as PostgresDatabase
    from kiwi_core._hooks.postgres import PostgresRole as PostgresRole
    from kiwi_core._hooks.postgres_parts import PostgresGrant as PostgresGrant
    from kiwi_core._hooks.restart import Restart as Restart
    from kiwi_core._hooks.s3 import S3Bucket as S3Bucket
    from kiwi_core._hooks.seed import Seed as Seed
    from kiwi_core._hooks.seed_rows import Ref as Ref
    from kiwi_core._hooks.seed_rows import Rows as Rows
    from kiwi_core._hooks.virtual_key import VirtualKey as VirtualKey
    from kiwi_core._model.bound import Bound as Bound
    from kiwi_core._model.cluster import ApiServer as ApiServer
    from kiwi_core._model.cluster import Cluster as Cluster
    from kiwi_core._model.cluster import Customer as Customer
    from kiwi_core._model.cluster import Dns as Dns
    from kiwi_core._model.component import Component as Component
    from kiwi_core._model.component import Declaration as Declaration
    from kiwi_core._model.component import Gateway as Gateway
    from kiwi_core._model.component import Release as Release
    from kiwi_core._model.component import Wiring as Wiring
    from kiwi_core._model.databases import Mariadb as Mariadb
    from kiwi_core._model.databases import MariadbBinding as MariadbBinding
    from kiwi_core._model.databases import MariadbOffer as MariadbOffer
    from kiwi_core._model.databases import Postgres as Postgres
    from kiwi_core._model.databases import PostgresBinding as PostgresBinding
    from kiwi_core._model.databases import PostgresOffer as PostgresOffer
    from kiwi_core._model.desired import Desired as Desired
    from kiwi_core._model.desired import Mounted as Mounted
    from kiwi_core._model.desired import Orphan as Orphan
    from kiwi_core._model.desired import Right as Right
    from kiwi_core._model.desired import Session as Session
    from kiwi_core._model.desired import Step as Step
    from kiwi_core._model.existing import ExistingServices as ExistingServices
    from kiwi_core._model.gateways import Ingress as Ingress
    from kiwi_core._model.gateways import IngressBinding as IngressBinding
    from kiwi_core._model.gateways import IngressOffer as IngressOffer
    from kiwi_core._model.gateways import LlmBinding as LlmBinding
    from kiwi_core._model.gateways import LlmGateway as LlmGateway
    from kiwi_core._model.gateways import LlmOffer as LlmOffer
    from kiwi_core._model.gateways import SearchBinding as SearchBinding
    from kiwi_core._model.gateways import SearchGateway as SearchGateway
    from kiwi_core._model.gateways import SearchOffer as SearchOffer
    from kiwi_core._model.gateways import SharedOffer as SharedOffer
    from kiwi_core._model.hooks import Hook as Hook
    from kiwi_core._model.hooks import Job as Job
    from kiwi_core._model.hooks import Lent as Lent
    from kiwi_core._model.lane import Lane as Lane
    from kiwi_core._model.lane import PodSecurity as PodSecurity
    from kiwi_core._model.lane import Stage as Stage
    from kiwi_core._model.lane import Tier as Tier
    from kiwi_core._model.late import Credential as Credential
    from kiwi_core._model.late import External as External
    from kiwi_core._model.late import Image as Image
    from kiwi_core._model.late import Late as Late
    from kiwi_core._model.late import Pin as Pin
    from kiwi_core._model.late import Rotation as Rotation
    from kiwi_core._model.late import Text as Text
    from kiwi_core._model.late import Value as Value
    from kiwi_core._model.late import text as text
    from kiwi_core._model.late import url as url
    from kiwi_core._model.ldap import Ldap as Ldap
    from kiwi_core._model.ldap import LdapBinding as LdapBinding
    from kiwi_core._model.ldap import LdapOffer as LdapOffer
    from kiwi_core._model.network import Caller as Caller
    from kiwi_core._model.network import Egress as Egress
    from kiwi_core._model.network import Workload as Workload
    from kiwi_core._model.schema import AlembicSchema as AlembicSchema
    from kiwi_core._model.schema import Schema as Schema
    from kiwi_core._model.schema import SemanticSchema as SemanticSchema
    from kiwi_core._model.schema import TableSchema as TableSchema
    from kiwi_core._model.secrets import PlainValue as PlainValue
    from kiwi_core._model.secrets import Secret as Secret
    from kiwi_core._model.secrets import SecretKey as SecretKey
    from kiwi_core._model.secrets import checksum as checksum
    from kiwi_core._model.service import Asked as Asked
    from kiwi_core._model.service import Endpoint as Endpoint
    from kiwi_core._model.service import Home as Home
    from kiwi_core._model.service import Offer as Offer
    from kiwi_core._model.service import Use as Use
    from kiwi_core._model.services import Bucket as Bucket
    from kiwi_core._model.services import BucketBinding as BucketBinding
    from kiwi_core._model.services import BucketOffer as BucketOffer
    from kiwi_core._model.services import Oidc as Oidc
    from kiwi_core._model.services import OidcBinding as OidcBinding
    from kiwi_core._model.services import OidcOffer as OidcOffer
    from kiwi_core._model.services import Redis as Redis
    from kiwi_core._model.services import RedisBinding as RedisBinding
    from kiwi_core._model.services import RedisOffer as RedisOffer
    from kiwi_core._model.services import ServerOffer as ServerOffer
    from kiwi_core._model.services import Smtp as Smtp
    from kiwi_core._model.services import SmtpBinding as SmtpBinding
    from kiwi_core._model.services import SmtpOffer as SmtpOffer
    from kiwi_core._model.tenant import Tenant as Tenant

_HOMES: Final = {
    name: module if "." in module else f"_model.{module}"
    for module, names in {
        "_derive.password": "derive_password",
        "_hooks.mariadb": "MariadbDatabase",
        "_hooks.postgres": "PostgresDatabase PostgresRole",
        "_hooks.postgres_parts": "PostgresGrant",
        "_hooks.s3": "S3Bucket",
        "_hooks.keycloak": "OidcClient",
        "_hooks.keycloak_parts": "OidcMapper",
        "_hooks.seed": "Seed",
        "_hooks.seed_rows": "Ref Rows",
        "_hooks.restart": "Restart",
        "_hooks.http_seed": "Bearer Call FormLogin HttpSeed",
        "_hooks.virtual_key": "VirtualKey",
        "bound": "Bound",
        "cluster": "ApiServer Cluster Customer Dns",
        "component": "Component Declaration Gateway Release Wiring",
        "databases": "Mariadb MariadbBinding MariadbOffer Postgres PostgresBinding PostgresOffer",
        "desired": "Desired Mounted Orphan Right Session Step",
        "existing": "ExistingServices",
        "gateways": "Ingress IngressBinding IngressOffer LlmBinding LlmGateway LlmOffer SearchBinding SearchGateway "
        "SearchOffer SharedOffer",
        "hooks": "Hook Job Lent",
        "lane": "Lane PodSecurity Stage Tier",
        "late": "Credential External Image Late Pin Rotation Text Value text url",
        "ldap": "Ldap LdapBinding LdapOffer",
        "network": "Caller Egress Workload",
        "schema": "AlembicSchema Schema SemanticSchema TableSchema",
        "secrets": "PlainValue Secret SecretKey checksum",
        "service": "Asked Endpoint Home Offer Use",
        "services": "Bucket BucketBinding BucketOffer Oidc OidcBinding OidcOffer Redis RedisBinding RedisOffer ServerOffer "
        "Smtp SmtpBinding SmtpOffer",
        "tenant": "Tenant",
    }.items()
    for name in names.split()
}

__version__ = "0.1.0"

__all__ = [
    "AlembicSchema",
    "ApiServer",
    "Asked",
    "Bearer",
    "Bound",
    "Bucket",
    "BucketBinding",
    "BucketOffer",
    "Call",
    "Caller",
    "Cluster",
    "Component",
    "Credential",
    "Customer",
    "Declaration",
    "Desired",
    "Dns",
    "Egress",
    "Endpoint",
    "ExistingServices",
    "External",
    "FormLogin",
    "Gateway",
    "Home",
    "Hook",
    "HttpSeed",
    "Image",
    "Ingress",
    "IngressBinding",
    "IngressOffer",
    "Job",
    "Lane",
    "Late",
    "Ldap",
    "LdapBinding",
    "LdapOffer",
    "Lent",
    "LlmBinding",
    "LlmGateway",
    "LlmOffer",
    "Mariadb",
    "MariadbBinding",
    "MariadbDatabase",
    "MariadbOffer",
    "Mounted",
    "Offer",
    "Oidc",
    "OidcBinding",
    "OidcClient",
    "OidcMapper",
    "OidcOffer",
    "Orphan",
    "Pin",
    "PlainValue",
    "PodSecurity",
    "Postgres",
    "PostgresBinding",
    "PostgresDatabase",
    "PostgresGrant",
    "PostgresOffer",
    "PostgresRole",
    "Redis",
    "RedisBinding",
    "RedisOffer",
    "Ref",
    "Release",
    "Restart",
    "Right",
    "Rotation",
    "Rows",
    "S3Bucket",
    "Schema",
    "SearchBinding",
    "SearchGateway",
    "SearchOffer",
    "Secret",
    "SecretKey",
    "Seed",
    "SemanticSchema",
    "ServerOffer",
    "Session",
    "SharedOffer",
    "Smtp",
    "SmtpBinding",
    "SmtpOffer",
    "Stage",
    "Step",
    "TableSchema",
    "Tenant",
    "Text",
    "Tier",
    "Use",
    "Value",
    "VirtualKey",
    "Wiring",
    "Workload",
    "checksum",
    "derive_password",
    "text",
    "url",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"kiwi_core.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
