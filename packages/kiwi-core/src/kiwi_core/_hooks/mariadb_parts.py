"""What the kind of hooks at MariaDB is made of: plain data, names, and what the server keeps of a password."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final, cast

import attrs

from kiwi_core._model.desired import Mounted
from kiwi_core._model.fields import port

__all__ = [
    "Account",
    "MariadbServer",
    "account_of",
    "as_pattern",
    "collation_name",
    "database_name",
    "from_pattern",
    "native_hash",
    "user_name",
]

LONGEST_DATABASE: Final = 64
LONGEST_USER: Final = 80
"""Characters (source: MariaDB's documentation, "Identifier Names")."""
NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]*")
COLLATION: Final = re.compile(r"utf8mb4_[a-z0-9_]+")
SYSTEM_DATABASES: Final = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
SYSTEM_USERS: Final = frozenset({"mysql", "none", "public", "root"})
NATIVE: Final = "mysql_native_password"


# An Attribute is invariant in its type. Authors' code is unchecked.
def _name(attribute: attrs.Attribute[Any], value: object, most: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name}: found {value!r}, expected a text")
    if value != value.lower() and NAME.fullmatch(value.lower()):
        raise ValueError(
            f"{attribute.name} {value!r} has capitals, which some servers fold and others do not: write {value.lower()!r}"
        )
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{attribute.name} {value!r} is no name that every client can write: use lower-case letters a to z, "
            "digits, '_' and '-', and begin with another than '-'"
        )
    if len(value) > most:
        raise ValueError(f"{attribute.name} {value!r} has {len(value)} characters; MariaDB takes {most} at most")
    return value


def database_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a database of a component.

    Raises:
        TypeError: it is no text.
        ValueError: it would be folded, is too long, is the server's own, or has to be quoted with care.
    """
    name = _name(attribute, value, LONGEST_DATABASE)
    if name in SYSTEM_DATABASES:
        raise ValueError(f"{attribute.name} {name!r} is the server's own: choose another name")


def user_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a user.

    Raises:
        TypeError: it is no text.
        ValueError: as for databases.
    """
    name = _name(attribute, value, LONGEST_USER)
    if name in SYSTEM_USERS:
        raise ValueError(f"{attribute.name} {name!r} is the server's own: choose another name")


def collation_name(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check that a value can name a collation of utf8mb4.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(value, str) or not COLLATION.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no collation such as 'utf8mb4_unicode_ci' or 'utf8mb4_bin'")


def as_pattern(database: str) -> str:
    r"""Return a database's name as GRANT takes it: there ``_`` and ``%`` stand for any character, unless after ``\``."""
    return re.sub(r"([_%\\])", r"\\\1", database)


def from_pattern(pattern: str) -> str:
    """Return the name of the database that a pattern without wildcards means."""
    return re.sub(r"\\(.)", r"\1", pattern)


def native_hash(password: str) -> str:
    """Return what the server keeps of a password (source: MariaDB's documentation, "mysql_native_password")."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


@attrs.frozen(kw_only=True)
class MariadbServer:
    """A server, and the account that hooks sign in with.

    Attributes:
        host, port: where it answers.
        user: the administrator, who may grant all that is to be granted.
        password: the administrator's.
    """

    host: str
    port: int = attrs.field(validator=port)
    user: str
    password: Mounted

    @property
    def at(self) -> str:
        """Where it is, for the reader."""
        return f"{self.host}:{self.port}"


@attrs.frozen(kw_only=True)
class Account:
    """An account as the server keeps it.

    Attributes:
        stored: what it keeps of a password, as :func:`native_hash` gives it; empty where it keeps something else.
        is_plain: whether that password lets in, and nothing else does.
        is_locked: whether it is shut.
        is_role: whether it is a role, as which nobody signs in.
        has_global_rights: whether it may something in all databases.
    """

    stored: str = attrs.field(repr=False)
    is_plain: bool
    is_locked: bool
    is_role: bool
    has_global_rights: bool


def account_of(entry: str) -> Account:
    """Read an entry of ``mysql.global_priv`` (source: MariaDB's documentation, "mysql.global_priv Table")."""
    data = cast("dict[str, object]", json.loads(entry))
    is_native, is_expired = data.get("plugin") == NATIVE, data.get("password_last_changed") == 0
    ways = cast("list[object]", data.get("auth_or", []))  # an empty one stands for the entry's own
    return Account(
        stored=str(data.get("authentication_string", "")).upper() if is_native else "",
        is_plain=is_native and not is_expired and not any(ways),
        is_locked=bool(data.get("account_locked")),
        is_role=bool(data.get("is_role")),
        has_global_rights=data.get("access", 0) != 0,
    )
