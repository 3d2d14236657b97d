"""What the core itself registers, through the same door as every plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kiwi_core.plugins import hookimpl

if TYPE_CHECKING:
    from kiwi_core._contract.results import Rule
    from kiwi_core._emit.tree import Emitter
    from kiwi_core._model.component import Component
    from kiwi_core._model.desired import Desired
    from kiwi_core._model.service import Offer


@hookimpl
def kiwistack_components() -> Sequence[type[Component]]:
    """Ship ExistingServices."""
    from kiwi_core._model.existing import ExistingServices

    return [ExistingServices]


@hookimpl
def kiwistack_services() -> Sequence[type[Offer]]:
    """Ship the core's kinds of services."""
    from kiwi_core._model import databases, gateways, ldap, services

    return [
        services.BucketOffer,
        gateways.IngressOffer,
        ldap.LdapOffer,
        gateways.LlmOffer,
        databases.MariadbOffer,
        services.OidcOffer,
        databases.PostgresOffer,
        services.RedisOffer,
        gateways.SearchOffer,
        services.SmtpOffer,
    ]


@hookimpl
def kiwistack_hooks() -> Sequence[type[Desired]]:
    """Ship the core's kinds of hooks."""
    from kiwi_core._hooks import (
        http_seed_state,
        keycloak_state,
        mariadb_state,
        postgres_database,
        postgres_role,
        restart,
        s3_state,
        schema_check,
        seed,
        virtual_key_state,
    )

    return [
        http_seed_state.HttpSeedState,
        keycloak_state.OidcClientState,
        mariadb_state.MariadbDatabaseState,
        postgres_database.DatabaseState,
        postgres_role.RoleState,
        restart.RestartState,
        s3_state.BucketState,
        schema_check.SchemaState,
        seed.SeedState,
        virtual_key_state.VirtualKeyState,
    ]


@hookimpl
def kiwistack_rules() -> Sequence[Rule]:
    """Ship the contract."""
    from kiwi_core._contract import (
        credentials,
        declarative,
        hooks,
        namespace,
        overlay,
        pins,
        release,
        rendered_credentials,
        rendered_hooks,
        rendered_images,
        rendered_namespace,
        rendered_schema,
        schema,
    )

    modules = (
        *(declarative, release, namespace, pins, overlay, credentials, hooks, schema),
        *(rendered_schema, rendered_namespace, rendered_images, rendered_credentials, rendered_hooks),
    )
    return [rule for module in modules for rule in module.RULES]


@hookimpl
def kiwistack_emitters() -> Sequence[Emitter]:
    """Ship the helmfile and the summary."""
    from kiwi_core._emit.helmfile import emit_helmfile
    from kiwi_core._emit.summary import emit_summary

    return [emit_helmfile, emit_summary]
