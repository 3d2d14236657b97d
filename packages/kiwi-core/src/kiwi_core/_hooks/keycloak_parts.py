"""What a client at Keycloak is made of, and what an author may not say of one. Plain data, and pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from kiwi_core._hooks.urls import at
from kiwi_core._model.desired import Mounted

__all__ = [
    "MASTER",
    "OFF",
    "OWNER",
    "PKCE",
    "POST_LOGOUT",
    "PROTOCOL",
    "KeycloakAdmin",
    "OidcMapper",
    "mappers_in",
    "mapping_in",
    "names_in",
    "settings",
]

MASTER: Final = "master"
"""The realm of those who administer all others."""
PROTOCOL: Final = "openid-connect"
OWNER: Final = "kiwistack.owner"
"""The attribute that a client is marked with; Keycloak keeps those that it does not know."""
PKCE: Final = "pkce.code.challenge.method"
POST_LOGOUT: Final = "post.logout.redirect.uris"
OFF: Final = ("oauth2.device.authorization.grant.enabled", "oidc.ciba.grant.enabled", "standard.token.exchange.enabled")
"""Ways to a token that no client of ours has; each is off without its attribute, too."""
ID_TOKEN: Final = "id.token.claim"  # noqa: S105 -- a setting of mappers
USER_INFO: Final = "userinfo.token.claim"


# An Attribute is invariant in its type. Authors' code is unchecked.
def settings(_instance: object, attribute: attrs.Attribute[Any], value: Mapping[Any, Any]) -> None:
    """Check that a mapping is of texts to texts, none of them empty: Keycloak drops what is.

    Raises:
        TypeError: something is no text.
        ValueError: something is empty.
    """
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            hint = f": write {str(text).lower()!r}" if isinstance(text, bool | int) else ""
            raise TypeError(f"{attribute.name}: {name!r} is {text!r}, expected a text{hint}")
        if not name or not text:
            raise ValueError(
                f"{attribute.name}: {name!r} is {text!r}, expected something: leave it out where it has no value"
            )


@attrs.frozen
class OidcMapper:
    """A protocol mapper: it puts something into the tokens of a client.

    Attributes:
        type: what Keycloak calls it, such as ``oidc-usermodel-attribute-mapper``. A type that it does not know is
            stored by Keycloak, and does nothing.
        config: its settings, as Keycloak's console sends them: ``{"claim.name": "groups", "id.token.claim": "true"}``.
            Where a claim is in the ID token and nothing is said of the user info, Keycloak puts it there, too.
    """

    type: str = attrs.field(validator=attrs.validators.min_len(1))
    config: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=settings)

    @property
    def completed(self) -> OidcMapper:
        """The mapper with the setting that Keycloak adds when it makes one."""
        added = {USER_INFO: self.config[ID_TOKEN]} if ID_TOKEN in self.config else {}
        return OidcMapper(self.type, {**added, **self.config})

    def form(self, name: str) -> Mapping[str, object]:
        """Return it as Keycloak is told."""
        return {"name": name, "protocol": PROTOCOL, "protocolMapper": self.type, "config": self.config}


@attrs.frozen(kw_only=True)
class KeycloakAdmin:
    """A realm, and the account that hooks administer it with.

    Attributes:
        url: where Keycloak answers, with the path that it stands under, such as ``http://ums-keycloak:8080``.
        realm: the realm that is administered.
        user, password: the administrator's.
        user_realm: the realm that knows the administrator.
        ca: the certificates of who vouches for Keycloak, as PEM; None: those whom the machine trusts.
    """

    url: str
    realm: str
    user: str
    password: Mounted
    user_realm: str = MASTER
    ca: Mounted | None = None

    @property
    def at(self) -> str:
        """The server, ``host:port``."""
        return at(self.url)


def names_in(value: object) -> frozenset[str]:
    """Return the texts of a list of Keycloak's; none where there is none."""
    return frozenset(map(str, cast("list[object]", value))) if isinstance(value, list) else frozenset()


def mapping_in(value: object) -> Mapping[str, str]:
    """Return a mapping of Keycloak's whose values are texts."""
    members = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return {name: text for name, text in members.items() if isinstance(text, str)}


def mappers_in(value: object) -> Mapping[str, OidcMapper]:
    """Return the mappers of a client, by name."""
    listed = cast("list[object]", value) if isinstance(value, list) else []
    mappers = [cast("dict[str, object]", each) for each in listed if isinstance(each, dict)]
    return {str(each.get("name")): OidcMapper(_type(each), _config(each)) for each in mappers}


def _type(mapper: Mapping[str, object]) -> str:
    return str(mapper.get("protocolMapper") or "unknown")


def _config(mapper: Mapping[str, object]) -> Mapping[str, str]:
    return {name: text for name, text in mapping_in(mapper.get("config")).items() if name and text}
