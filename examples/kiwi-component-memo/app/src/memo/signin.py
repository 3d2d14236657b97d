"""Signing in by OpenID Connect: the browser's way (code and PKCE), and access tokens that a caller brings along."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import jwt
import urllib3

from memo.settings import ServeSettings

__all__ = ["Ask", "Issuer", "NotSignedInError", "Person"]

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures of keys that the issuer publishes; none that is made with a shared secret."""
LEEWAY: Final = 10.0
"""Seconds that two clocks may differ."""
PATIENCE: Final = 5.0
"""Seconds that the issuer may take for an answer."""
KEPT: Final = 300.0
"""Seconds for which the issuer's metadata is believed."""
ASKED_AGAIN: Final = 10.0
"""Seconds between two looks for a key that is not there: else everybody could make us ask with tokens of nobody."""

Json = dict[str, Any]  # what the issuer answers, and is looked at member by member


class NotSignedInError(Exception):
    """Nobody is signed in; the message says why, and repeats nothing of a token."""


@attrs.frozen(kw_only=True)
class Person:
    """Who is signed in.

    Attributes:
        id: the issuer's own name of the person, which is given to nobody else.
        name: what to call the person.
    """

    id: str
    name: str


@attrs.frozen(kw_only=True)
class Ask:
    """What a browser takes along to the issuer, and what has to be remembered meanwhile."""

    state: str = attrs.field(factory=lambda: secrets.token_urlsafe(24))
    nonce: str = attrs.field(factory=lambda: secrets.token_urlsafe(24))
    verifier: str = attrs.field(factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """The verifier as the issuer is told (RFC 7636, section 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Issuer:
    """Who signs people in, with what it publishes of itself."""

    def __init__(self, settings: ServeSettings) -> None:
        """Prepare the client; nothing is asked yet."""
        self._settings = settings
        self._pool = urllib3.PoolManager(timeout=PATIENCE, retries=False)
        self._lock = threading.Lock()
        self._metadata: Json = {}
        self._metadata_until = 0.0
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._keys_after = 0.0

    @property
    def callback(self) -> str:
        """Where browsers come back to."""
        return f"{self._settings.memo_url}/callback"

    def problem(self) -> str | None:
        """Return why nobody can sign in now; None when people can.

        Raises:
            urllib3.exceptions.HTTPError: the issuer cannot be reached.
        """
        try:
            self._fetch_metadata()
        except NotSignedInError as error:
            return str(error)
        return None

    def sign_in_url(self, ask: Ask) -> str:
        """Return where a browser is sent to."""
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self.callback,
            "scope": "openid profile",
            "state": ask.state,
            "nonce": ask.nonce,
            "code_challenge": ask.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._known()['authorization_endpoint']}?{urlencode(query)}"

    def sign_out_url(self) -> str | None:
        """Return where a browser is sent to that signs out; None where the issuer has no such place."""
        query = {
            "client_id": self._settings.oidc_client_id,
            "post_logout_redirect_uri": f"{self._settings.memo_url}/",
        }
        place = self._known().get("end_session_endpoint")
        return f"{place}?{urlencode(query)}" if place else None

    def redeem(self, code: str, ask: Ask) -> Person:
        """Return who has come back with a code.

        Raises:
            NotSignedInError: the issuer does not take the code, or its answer is not for us.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
            "client_id": self._settings.oidc_client_id,
            "client_secret": self._settings.oidc_client_secret,
            "code_verifier": ask.verifier,
        }
        answer = self._pool.request(
            "POST", self._known()["token_endpoint"], fields=form, encode_multipart=False, redirect=False
        )
        if answer.status != 200:  # noqa: PLR2004 -- OK
            raise NotSignedInError(f"the issuer does not take the code: {_error_in(answer.data)}")
        claims = self._verified(str(json.loads(answer.data).get("id_token")))
        if claims.get("nonce") != ask.nonce:
            raise NotSignedInError("the ID token answers another question")
        return _person(claims)

    def person_of(self, token: str) -> Person:
        """Return whose access token it is.

        Raises:
            NotSignedInError: it is not the issuer's, not for this application, over, or no access token.
        """
        claims = self._verified(token)
        # An ID token is for the same client: Keycloak's says what it is, others' have the hash of an access token.
        if claims.get("typ", "Bearer") != "Bearer" or "at_hash" in claims:
            raise NotSignedInError("this is no access token")
        return _person(claims)

    def _verified(self, token: str) -> Json:
        """Return what a token says, once it is known to be the issuer's and for this application."""
        try:
            key = self._key(str(jwt.get_unverified_header(token).get("kid")))
            claims: Json = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                issuer=self._settings.oidc_issuer,
                audience=self._settings.oidc_client_id,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "sub", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise NotSignedInError(f"the token is not taken: {type(error).__name__}") from None
        return claims

    def _key(self, name: str) -> jwt.PyJWK:
        """Return a key of the issuer's by its name; ask for them again where it is new."""
        with self._lock:
            if name not in self._keys and time.monotonic() >= self._keys_after:
                self._keys_after = time.monotonic() + ASKED_AGAIN
                found = self._get(self._known()["jwks_uri"])
                keys = jwt.PyJWKSet.from_dict({**found, "keys": [key for key in found["keys"] if _signs(key)]})
                self._keys = {str(key.key_id): key for key in keys.keys}
            if name not in self._keys:
                raise NotSignedInError("the token is signed with a key that the issuer does not publish")
            return self._keys[name]

    def _known(self) -> Json:
        if time.monotonic() >= self._metadata_until:
            self._fetch_metadata()
        return self._metadata

    def _fetch_metadata(self) -> None:
        issuer = self._settings.oidc_issuer
        found = self._get(f"{issuer}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise NotSignedInError(f"the issuer at {issuer} says that it is {found.get('issuer')}")
        self._metadata, self._metadata_until = found, time.monotonic() + KEPT

    def _get(self, url: str) -> Json:
        answer = self._pool.request("GET", url)
        if answer.status != 200:  # noqa: PLR2004 -- OK
            raise NotSignedInError(f"the issuer answers {answer.status} at {url}")
        found: Json = json.loads(answer.data)
        return found


def _person(claims: Json) -> Person:
    return Person(id=str(claims["sub"]), name=str(claims.get("preferred_username") or claims["sub"]))


def _signs(key: Json) -> bool:
    """Say whether a key is one that tokens are signed with; Keycloak publishes those of encryption, too."""
    return key.get("use", "sig") == "sig" and key.get("kty") != "oct"


def _error_in(content: bytes) -> str:
    """Return the code of an error that a token endpoint answers (RFC 6749, section 5.2)."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return "it says nothing that can be read"
