"""What PostgreSQL keeps of a password (RFC 5803), and whether it is that of the one that is wanted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

__all__ = ["fits"]

VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$(\d{1,7}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):[A-Za-z0-9+/=]+")


def fits(verifier: str | None, password: str) -> bool:
    """Return whether a SCRAM-SHA-256 verifier is that of a password, which must be of ASCII characters.

    Others are normalised first (RFC 4013). A password that is kept otherwise, as MD5, does not fit: it is to be set anew.
    """
    match = VERIFIER.fullmatch(verifier or "")
    if match is None:
        return False
    try:
        salt, stored = base64.b64decode(match[2], validate=True), base64.b64decode(match[3], validate=True)
    except binascii.Error:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, max(1, int(match[1])))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored)
