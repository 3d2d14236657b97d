"""A client at Keycloak: what lets people sign in to a component by OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from kiwi_core._hooks.keycloak_parts import MASTER, OFF, PKCE, POST_LOGOUT, KeycloakAdmin, OidcMapper, settings
from kiwi_core._hooks.keycloak_state import OidcClientState
from kiwi_core._hooks.urls import origin_problem, redirect_problem, server_problem
from kiwi_core._model.fields import each_text, texts
from kiwi_core._model.hooks import Hook, Lent, one_use
from kiwi_core._model.services import Oidc, OidcOffer
from kiwi_core.errors import ComposeError, Problem, raise_all

__all__ = ["OidcClient", "OidcClientState", "OidcMapper"]

USE: Final = "one use such as Oidc('onyx')"
MADE_BY_KEYCLOAK: Final = ("client.secret.", "realm_client", "saml")
OWN_CLIENTS: Final = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
)
"""The clients that Keycloak makes in every realm."""


def names(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Check that values are texts with something in them, each once.

    Raises:
        TypeError: they are no tuple of texts.
        ValueError: one is empty, or stands twice.
    """
    texts(instance, attribute, value)
    for text in value:
        if not text.strip():
            raise ValueError(f"{attribute.name}: found {text!r}, expected a name")
        if value.count(text) > 1:
            raise ValueError(f"{attribute.name}: {text!r} stands twice")


def mappers_by_name(_instance: object, attribute: attrs.Attribute[Any], value: Mapping[Any, Any]) -> None:
    """Check that values are mappers, by name.

    Raises:
        TypeError: one is something else.
    """
    for name, mapper in value.items():
        if not isinstance(name, str) or not name or not isinstance(mapper, OidcMapper):
            raise TypeError(
                f"{attribute.name}: found {mapper!r} by the name {name!r}, expected an OidcMapper with a name"
            )


def extra_attributes(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    """Check that attributes are none that the hook, or Keycloak itself, sets.

    Raises:
        ValueError: one is.
    """
    settings(instance, attribute, value)
    fields = {PKCE: "pkce", POST_LOGOUT: "post_logout_uris"}
    for name in value:
        if name in fields:
            raise ValueError(f"{attribute.name}: {name!r} is set by {fields[name]}")
        if name in OFF or name.startswith(("kiwistack.", *MADE_BY_KEYCLOAK)):
            raise ValueError(f"{attribute.name}: {name!r} is not the component's to set")


@attrs.frozen(kw_only=True)
class OidcClient(Hook):
    """A client at Keycloak with the id and the secret of a use.

    It has the authorization code flow where it has redirect URIs, and no other way to a token, but for a service account
    where that is wanted; redirect URIs, web origins and mappers that were added by hand are taken away, since each is a
    way to somebody's token or into one. Roles that it does not name are left: people may have been given them.

    Attributes:
        on: the use; only one.
        redirect_uris: where browsers come back to, each in full: ``https``, and ``http`` only to this machine. Keycloak's
            wildcards are refused, as RFC 9700 has it (section 2.1).
        post_logout_uris: where they may be sent after signing out; nowhere by default.
        web_origins: the websites whose scripts may ask Keycloak for tokens (CORS); ``+`` are those of the redirect URIs.
        is_public: whether it runs in browsers or on people's devices, where no secret is one: it gets none.
        pkce: whether a code is of use only to who asked for it (RFC 7636, S256); False where the application cannot do it.
        service_account: whether it can sign in as itself, with its secret.
        full_scope: whether its tokens tell all roles that a person has, at other clients too.
        default_scopes: the client scopes that it always has, exactly; None leaves those that the realm gives. Keycloak
            puts ``sub`` into access tokens by a scope of its own, ``basic``.
        optional_scopes: those that it may ask for; only with default_scopes.
        mappers: its own protocol mappers, by name.
        roles: roles of its own that must be there.
        attributes: what else Keycloak calls an attribute of a client, such as ``backchannel.logout.url``.
    """

    kind: ClassVar[str] = "oidc-client"

    redirect_uris: tuple[str, ...] = attrs.field(default=(), validator=each_text(redirect_problem, form=names))
    post_logout_uris: tuple[str, ...] = attrs.field(default=(), validator=each_text(redirect_problem, form=names))
    web_origins: tuple[str, ...] = attrs.field(
        default=(), validator=each_text(lambda text: None if text == "+" else origin_problem(text), form=names)
    )
    is_public: bool = False
    pkce: bool = True
    service_account: bool = False
    full_scope: bool = False
    default_scopes: tuple[str, ...] | None = attrs.field(default=None, validator=attrs.validators.optional(names))
    optional_scopes: tuple[str, ...] = attrs.field(default=(), validator=names)
    mappers: Mapping[str, OidcMapper] = attrs.field(factory=dict[str, OidcMapper], validator=mappers_by_name)
    roles: tuple[str, ...] = attrs.field(default=(), validator=names)
    attributes: Mapping[str, str] = attrs.field(factory=dict[str, str], validator=extra_attributes)

    def __attrs_post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            TypeError: it acts on something else than one use of this kind.
            ValueError: two fields do not fit.
        """
        one_use(self, Oidc, USE)
        if not self.redirect_uris and not self.service_account:
            raise ValueError(
                "redirect_uris: there is none, so nobody could sign in: name them, or set service_account=True"
            )
        if self.is_public and self.service_account:
            raise ValueError("service_account: a public client has no secret to sign in with")
        if self.is_public and not self.pkce:
            raise ValueError(
                "pkce: a public client without is open to whoever gets hold of a code (RFC 9700, section 2.1.1)"
            )
        if self.optional_scopes and self.default_scopes is None:
            raise ValueError(
                "optional_scopes: name default_scopes as well: Keycloak gives a client the realm's own or none"
            )
        if twice := sorted({*self.optional_scopes} & {*(self.default_scopes or ())}):
            raise ValueError(f"optional_scopes: {', '.join(twice)} cannot be among default_scopes as well")

    def is_possible(self, lent: Lent) -> bool:
        """Say whether the identity provider lends an administrator: some do not, and clients are made by hand there."""
        return lent.offer(one_use(self, Oidc, USE), OidcOffer).admin is not None

    def desired(self, lent: Lent) -> OidcClientState:
        """Want the client that the use is bound to.

        Raises:
            ComposeError: the identity provider lends no administrator, is none of Keycloak's, or has a client of its own
                by that name.
        """
        use = one_use(self, Oidc, USE)
        binding, offer = lent.binding(use), lent.offer(use, OidcOffer)
        if offer.admin is None or offer.admin_url is None:
            hint = "who offers it sets admin_url and admin on its OidcOffer; without, the client is made by hand, not by a hook"
            raise ComposeError(Problem(f"{use.key}: {binding.issuer} lends hooks no administrator", hint=hint))
        problems: list[Problem] = []
        if not offer.realm:
            hint = "the issuer of a realm of Keycloak ends with /realms/<name>"
            problems.append(Problem(f"{use.key}: {binding.issuer} is no realm of Keycloak", hint=hint))
        if problem := server_problem(offer.admin_url):
            problems.append(Problem(f"{use.key}: admin_url {problem}"))
        is_rights_client = offer.realm == MASTER and binding.client_id.endswith("-realm")
        if binding.client_id in OWN_CLIENTS or is_rights_client:
            message = f"{use.key}: the client {binding.client_id!r} is Keycloak's own"
            problems.append(Problem(message, hint="give the use another name"))
        raise_all(ComposeError, problems)
        return OidcClientState(
            owner=lent.owner,
            admin=KeycloakAdmin(
                url=offer.admin_url,
                realm=offer.realm,
                user=offer.admin_user,
                password=lent.secret(offer.admin),
                user_realm=offer.admin_realm,
                ca=lent.secret(offer.admin_ca) if offer.admin_ca else None,
            ),
            client_id=binding.client_id,
            secret=None if self.is_public else lent.secret(binding.client_secret),
            redirect_uris=self.redirect_uris,
            post_logout_uris=self.post_logout_uris,
            web_origins=self.web_origins,
            pkce=self.pkce,
            service_account=self.service_account,
            full_scope=self.full_scope,
            default_scopes=self.default_scopes,
            optional_scopes=self.optional_scopes,
            mappers=self.mappers,
            roles=self.roles,
            attributes=self.attributes,
        )
