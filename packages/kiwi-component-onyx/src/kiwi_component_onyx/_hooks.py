"""What has to be there before Onyx starts: its database and roles, its bucket, and its client at the identity provider."""

from __future__ import annotations

from kiwi_core import Bound, Hook, OidcClient, PostgresDatabase, PostgresRole, S3Bucket

from kiwi_component_onyx._uses import DB, FILES, SIGN_IN
from kiwi_component_onyx._values import READER

__all__ = ["hooks"]


def hooks(bound: Bound, *, host: str) -> tuple[Hook, ...]:
    """Return the hooks, in order.

    Args:
        bound: what Onyx was bound to.
        host: its public name.
    """
    found: list[Hook] = [
        PostgresRole(on=DB),
        # Migration 495cb26ce93e makes this role where it is not there, which takes a right that Onyx shall not have.
        PostgresRole(on=DB, name="postgres-role-reader", role=READER, password=bound.credential("postgres/readonly")),
        # Extensions that its migrations would make (backend/alembic/versions).
        PostgresDatabase(on=DB, extensions=("pg_trgm", "pgcrypto")),
        S3Bucket(on=FILES),
    ]
    if bound.get(SIGN_IN):
        # Onyx sends no PKCE challenge unless it is told to; the path is that of the provider that it makes of its
        # environment (migration 1fc2904131a3, "legacy_callback").
        found.append(OidcClient(on=SIGN_IN, redirect_uris=(f"https://{host}/auth/oidc/callback",), pkce=False))
    return tuple(found)
