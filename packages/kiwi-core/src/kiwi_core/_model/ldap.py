"""A directory as a kind of service."""

from __future__ import annotations

from typing import ClassVar

import attrs

from kiwi_core._model.fields import port
from kiwi_core._model.secrets import SecretKey
from kiwi_core._model.service import Asked, Home, Use
from kiwi_core._model.services import ServerOffer

__all__ = ["Ldap", "LdapBinding", "LdapOffer"]


@attrs.frozen(kw_only=True)
class LdapBinding:
    """A directory, and an account that may search it.

    Attributes:
        base: the distinguished name below which everything stands.
        bind_dn, password: the account.
    """

    host: str
    port: int
    base: str
    bind_dn: str
    password: SecretKey


@attrs.frozen
class Ldap(Use[LdapBinding]):
    """A directory of people and groups, to be read."""

    kind: ClassVar[str] = "ldap"
    binding: ClassVar[type] = LdapBinding


@attrs.frozen(kw_only=True)
class LdapOffer(ServerOffer):
    """An LDAP server of the tenant's namespace, and one account that all its readers share.

    Attributes:
        base: the distinguished name below which everything stands.
        bind_dn, password: the account.
    """

    kind: ClassVar[str] = "ldap"

    port: int = attrs.field(default=389, validator=port)
    base: str = attrs.field(validator=attrs.validators.min_len(1))
    bind_dn: str = attrs.field(validator=attrs.validators.min_len(1))
    password: SecretKey

    def bind(self, use: Use[object], asked: Asked, home: Home) -> LdapBinding:  # noqa: ARG002 -- the interface
        """Give the directory with its reader's account."""
        return LdapBinding(host=self.host, port=self.port, base=self.base, bind_dn=self.bind_dn, password=self.password)
