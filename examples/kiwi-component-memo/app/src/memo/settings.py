"""Settings, from environment variables of the same names in capitals; each command asks for what it needs and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import attrs

__all__ = ["MigrateSettings", "ServeSettings", "SettingsError", "WorkSettings", "read_settings"]

SHORTEST_KEY: Final = 32
"""Characters of a key that signs sessions."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable, and no value."""


@attrs.frozen(kw_only=True)
class MigrateSettings:
    """What it takes to migrate the database.

    Attributes:
        database_url: ``postgresql://user:password@host:port/database``.
    """

    database_url: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class WorkSettings(MigrateSettings):
    """What the worker needs.

    Attributes:
        s3_endpoint: URL of the S3 API.
        s3_region, s3_bucket: the bucket of the attachments.
        s3_access_key, s3_secret_key: who may read and write it.
    """

    s3_endpoint: str
    s3_region: str = "us-east-1"
    s3_bucket: str
    s3_access_key: str
    s3_secret_key: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ServeSettings(WorkSettings):
    """What the website needs.

    Attributes:
        memo_url: its public address, where browsers come back to after signing in.
        oidc_issuer: who signs people in.
        oidc_client_id, oidc_client_secret: the application there; access tokens have to be meant for it.
        session_key: signs the sessions of browsers.
    """

    memo_url: str
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = attrs.field(repr=False)
    session_key: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        """Check what would open a door.

        Raises:
            SettingsError: the key of the sessions could be guessed.
        """
        if len(self.session_key) < SHORTEST_KEY:
            raise SettingsError(f"SESSION_KEY has less than {SHORTEST_KEY} characters")


S = TypeVar("S", bound=MigrateSettings)


def read_settings(form: type[S], environment: Mapping[str, str]) -> S:
    """Read settings.

    Args:
        form: which.
        environment: the variables.

    Raises:
        SettingsError: some are missing, or one is wrong; all that are missing are named.
    """
    fields = attrs.fields(form)
    missing = [
        field.name.upper()
        for field in fields
        if field.default is attrs.NOTHING and not environment.get(field.name.upper())
    ]
    if missing:
        raise SettingsError(f"not set: {', '.join(missing)}")
    given = {field.name: environment[field.name.upper()] for field in fields if environment.get(field.name.upper())}
    return form(**given)
