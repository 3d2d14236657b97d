"""Accounts of S3 servers: S3 itself has no way to make an access key, so each server software has one of its own.

What it is for each stands with its class; ``BucketOffer.accounts`` says which one is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol, cast
from xml.etree import ElementTree as ET

import attrs

from kiwi_core._hooks.http import Reply
from kiwi_core._hooks.s3_client import DENIED, S3, code_of, failure, texts, written, xml
from kiwi_core._hooks.s3_parts import Account, Software, canonical
from kiwi_core.errors import Conflict, HookError, Problem

__all__ = ["Accounts", "accounts_of"]

USER: Final = "user"
ENABLED: Final = "enabled"
NO_USER: Final = "XMinioAdminNoSuchUser"
NO_POLICY: Final = "XMinioAdminNoSuchPolicy"


class Accounts(Protocol):
    """The accounts of a server, seen with the administrator's.

    Every method raises Forbidden when the administrator lacks a right, and as :class:`S3` does.
    """

    def look(self, access: str) -> Account | None:
        """Return what is known of an access key; None when there is none of that name."""
        ...

    def create(self, access: str, secret: str) -> None:
        """Make an access key that may do nothing yet.

        Raises:
            Conflict: somebody else has made it meanwhile.
        """
        ...

    def set(self, access: str, secret: str) -> None:
        """Set the secret key of an access key, and make it an enabled one without rights of its own."""
        ...

    def confine(self, access: str, policy: str) -> None:
        """Let one policy rule an access key, and nothing else, where the server has policies of users."""
        ...

    def remove(self, access: str) -> None:
        """Remove an access key, with the policy of its name; nothing where there is none."""
        ...


@attrs.frozen
class Versitygw:
    """The accounts of the Versity S3 Gateway, over the admin API that stands on the port of its S3 API.

    Paths, methods and elements are those of versity/versitygw v1.8.0 (s3api/admin-router.go, s3api/controllers/admin.go,
    auth/iam.go). An account of the role ``user`` may do what policies of buckets say, and make no bucket. The server must
    keep accounts at all, as with ``--iam-dir``. Where several gateways share them, each may know an account as it was for
    two minutes more (``--iam-cache-ttl``).
    """

    s3: S3

    def look(self, access: str) -> Account | None:
        """Look it up in the list of all: there is no other way. The list holds secret keys, which are not kept."""
        for account in texts(self._ask("list-users"), "Accounts"):
            if account.get("Access") == access:
                return Account(standing=account.get("Role", ""))
        return None

    def create(self, access: str, secret: str) -> None:
        """Make an account of the role ``user``; of one that is there, versitygw says 409, which is a Conflict."""
        self._ask("create-user", xml("Account", Access=access, Secret=secret, Role=USER))

    def set(self, access: str, secret: str) -> None:
        """Set its secret key and the role ``user``."""
        change = xml("MutableProps", Secret=secret, Role=USER)
        if code_of(self._ask("update-user", change, access=access, takes=("XAdminUserNotFound",))):
            raise Conflict(f"{self.s3.at}: somebody else has removed the access key {access!r}")

    def confine(self, access: str, policy: str) -> None:
        """Do nothing: policies of buckets rule here."""

    def remove(self, access: str) -> None:
        """Remove the account."""
        self._ask("delete-user", access=access)

    def _ask(
        self, command: str, body: ET.Element | None = None, *, access: str = "", takes: tuple[str, ...] = ()
    ) -> Reply:
        words = " ".join(part for part in (command, access, f"as {self.s3.key.access}") if part)
        query = {"access": access} if access else None
        content = b"" if body is None else written(body)
        reply = self.s3.wire.send(self.s3.key, "PATCH", f"/{command}", query, words=words, body=content)
        code = code_of(reply)
        if code == "XAdminMethodNotSupported":
            message = f"{self.s3.at} keeps no accounts but its administrator's"
            raise HookError(Problem(message, hint="start versitygw with a store of accounts, such as --iam-dir"))
        if code and code not in takes:
            hint = "versitygw admin update-user --role admin" if code in DENIED else None
            raise failure(reply, self.s3.key.access, needs="the role admin", hint=hint)
        return reply


@attrs.frozen
class Minio:
    """The accounts of MinIO, over its admin API: a user for each access key, ruled by the policy of the same name.

    Paths and bodies are those of minio/minio RELEASE.2025-09-07 (cmd/admin-router.go, cmd/admin-handlers-users.go) and
    of minio/madmin-go v3 (user-commands.go). What holds a secret key is encrypted with the administrator's own.
    """

    s3: S3

    def look(self, access: str) -> Account | None:
        """Look up the user, and the policy of its name where that rules it."""
        reply = self._ask("GET", "user-info", {"accessKey": access}, needs="admin:GetUser", takes=(NO_USER,))
        if code_of(reply):
            return None
        user = reply.mapping()
        names = _words(user.get("policyName"))
        policy = ""
        if access in names:
            found = self._ask(
                "GET", "info-canned-policy", {"name": access}, needs="admin:GetPolicy", takes=(NO_POLICY,)
            )
            policy = "" if code_of(found) else canonical(found.body.decode(errors="replace"))
        others = [*(f"policy {name}" for name in names if name != access), *(f"group {name}" for name in _groups(user))]
        return Account(standing=str(user.get("status", "")), policy=policy, others=tuple(others))

    def create(self, access: str, secret: str) -> None:
        """Make the user; MinIO sets the secret key of one that is there."""
        self.set(access, secret)

    def set(self, access: str, secret: str) -> None:
        """Set its secret key, and enable it."""
        from minio.crypto import encrypt

        user = json.dumps({"secretKey": secret, "status": ENABLED}).encode()
        self._ask(
            "PUT",
            "add-user",
            {"accessKey": access},
            needs="admin:CreateUser",
            body=encrypt(user, self.s3.key.secret),
            hint="MinIO takes secret keys of at least 8 characters",
        )

    def confine(self, access: str, policy: str) -> None:
        """Write the policy, take the user out of all groups, and let no other policy rule it."""
        name = {"name": access}
        self._ask("PUT", "add-canned-policy", name, needs="admin:CreatePolicy", body=policy.encode())
        user = self._ask("GET", "user-info", {"accessKey": access}, needs="admin:GetUser").mapping()
        for group in _groups(user):
            change = json.dumps({"group": group, "members": [access], "isRemove": True}).encode()
            self._ask("PUT", "update-group-members", {}, needs="admin:RemoveUserFromGroup", body=change)
        mapping = {"isGroup": "false", "policyName": access, "userOrGroup": access}
        self._ask("PUT", "set-user-or-group-policy", mapping, needs="admin:AttachUserOrGroupPolicy")

    def remove(self, access: str) -> None:
        """Remove the user, and then its policy, which MinIO keeps while it rules somebody."""
        self._ask("DELETE", "remove-user", {"accessKey": access}, needs="admin:DeleteUser", takes=(NO_USER,))
        self._ask("DELETE", "remove-canned-policy", {"name": access}, needs="admin:DeletePolicy", takes=(NO_POLICY,))

    def _ask(
        self,
        method: str,
        command: str,
        query: Mapping[str, str],
        *,
        needs: str,
        body: bytes = b"",
        takes: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> Reply:
        words = " ".join((command, *query.values(), f"as {self.s3.key.access}"))
        path = f"/minio/admin/v3/{command}"
        reply = self.s3.wire.send(self.s3.key, method, path, query, words=words, body=body)
        code = code_of(reply)
        if code == NO_USER and code not in takes:
            raise Conflict(f"{self.s3.at}: somebody else has removed the user that {words} is about")
        if code and code not in takes:
            if code != "XMinioAdminInvalidSecretKey":
                hint = "MinIO's policy consoleAdmin has all such rights" if code in DENIED else None
            raise failure(reply, self.s3.key.access, needs=needs, hint=hint)
        return reply


def accounts_of(software: Software, s3: S3) -> Accounts:
    """Return the accounts of a server.

    Args:
        software: what runs there.
        s3: the server, asked as its administrator.
    """
    return Minio(s3) if software == "minio" else Versitygw(s3)


def _words(value: object) -> list[str]:
    return value.split(",") if isinstance(value, str) and value else []


def _groups(user: Mapping[str, object]) -> list[str]:
    groups = user.get("memberOf")
    return [str(group) for group in cast("list[object]", groups)] if isinstance(groups, list) else []
