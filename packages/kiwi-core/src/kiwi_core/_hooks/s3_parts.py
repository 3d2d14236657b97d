"""Names, policies and accounts of S3 servers: which names they take, what says the same, and what is wanted. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

import attrs

from kiwi_core._model.names import DNS_LABEL

__all__ = [
    "ACTIONS",
    "Account",
    "Software",
    "Statement",
    "access_problem",
    "action_problem",
    "arn",
    "canonical",
    "document",
    "name_problem",
    "prefix_problem",
    "reads",
    "uses",
    "wanted_account",
]

Statement: TypeAlias = "Mapping[str, object]"
Software: TypeAlias = Literal["minio", "versitygw"]
"""Whose accounts a hook can make."""

ACTIONS: Final = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
"""What an access key may do in its bucket: all with objects, but for deleting old versions for good, since that is what
versioning is to protect from; and nothing with the bucket itself, whose tags, policy and versioning are the hook's.
"""

ACTION: Final = re.compile(r"s3:[A-Za-z]+")
"""An action by its name (AWS, "Actions, resources, and condition keys for Amazon S3"); no wildcard."""

ACCESS: Final = re.compile(r"[A-Za-z0-9._-]{3,128}")
"""Access keys that every server takes, and that mean nothing else in a URL, a policy or a tag."""

PREFIX: Final = re.compile(r"(?!/)[^*?$\"\\\x00-\x1f\x7f]+")
"""The beginning of the keys of objects, where nothing in it means something else in a policy."""

VERSION: Final = "2012-10-17"
"""The current version of the policy language (AWS IAM, "IAM JSON policy elements: Version")."""

ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+")
SHORTEST: Final = 3
LONGEST: Final = 63
PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
RESERVED: Final = "minio"
"""The path that MinIO's own APIs stand under (minio/minio, cmd/generic-handlers.go: minioReservedBucket)."""


def name_problem(name: str) -> str | None:
    """Return why S3 takes no bucket of a name, and what would do; None when it takes one.

    The rules are those of AWS for general purpose buckets (S3 User Guide, "General purpose bucket naming rules"), and a
    label does not begin or end with a hyphen, as MinIO has it. Other servers take more; such a bucket could not move.
    """
    if not SHORTEST <= len(name) <= LONGEST:
        return f"it has {len(name)} characters: use {SHORTEST} to {LONGEST}"
    if ADDRESS.fullmatch(name):
        return "it looks like an IP address: put a letter in it"
    if not all(DNS_LABEL.fullmatch(part) for part in name.split(".")):
        return (
            "use lower-case letters, digits, '-' and single '.'; each part between dots begins and ends with a letter "
            "or digit"
        )
    kept = [f"begin with {prefix!r}" for prefix in PREFIXES if name.startswith(prefix)]
    kept += [f"end with {suffix!r}" for suffix in SUFFIXES if name.endswith(suffix)]
    if kept:
        return f"S3 keeps names that {kept[0]} for itself: use another"
    if name == RESERVED:
        return f"MinIO keeps {RESERVED!r} for itself: use another"
    return None


def access_problem(access: str) -> str | None:
    """Return why not every server takes an access key; None when each does."""
    return None if ACCESS.fullmatch(access) else "use 3 to 128 letters, digits, '.', '_' and '-'"


def action_problem(action: str) -> str | None:
    """Return why a text names no action of S3; None when it may."""
    return None if ACTION.fullmatch(action) else f"{action!r} is no action by its name, such as 's3:PutObjectAcl'"


def prefix_problem(prefix: str) -> str | None:
    """Return why a text cannot begin the keys of the objects that a policy is about; None when it can."""
    if PREFIX.fullmatch(prefix):
        return None
    return (
        f"{prefix!r} is no beginning of keys such as 'portal-assets/': it is not empty, does not begin with '/', and has "
        "no '*', '?', '$', '\"', '\\' or control character"
    )


@attrs.frozen(kw_only=True)
class Account:
    """What a server knows of an access key.

    Attributes:
        standing: versitygw: its role; MinIO: ``enabled`` or ``disabled``.
        policy: MinIO: the policy of its own name, where that rules it, in canonical form.
        others: MinIO: what else rules it, such as ``policy consoleAdmin`` or ``group staff``.
    """

    standing: str
    policy: str = ""
    others: tuple[str, ...] = ()

    @property
    def rights(self) -> tuple[str, ...]:
        """What it may do beyond policies that a hook writes: an access key with such rights was made for another use."""
        return (*(("role admin",) if self.standing == "admin" else ()), *self.others)


def wanted_account(software: Software, policy: str) -> Account:
    """Return what a server should know of an access key that one policy rules."""
    return Account(standing="enabled", policy=canonical(policy)) if software == "minio" else Account(standing="user")


def arn(bucket: str, objects: str | None = None) -> str:
    """Return what a policy calls a bucket, or objects in it."""
    return f"arn:aws:s3:::{bucket}" if objects is None else f"arn:aws:s3:::{bucket}/{objects}"


def uses(bucket: str, actions: Iterable[str], *, principal: str | None = None) -> Statement:
    """Return the statement that an access key may use a bucket.

    Args:
        bucket: the bucket's name.
        actions: what it may do beside ``ACTIONS``.
        principal: the access key, in the policy of a bucket; None in that of a user.
    """
    return {
        "Effect": "Allow",
        **({"Principal": {"AWS": [principal]}} if principal else {}),
        "Action": sorted({*ACTIONS, *actions}),
        "Resource": [arn(bucket), arn(bucket, "*")],
    }


def reads(bucket: str, prefixes: Sequence[str]) -> Statement:
    """Return the statement that everybody may read the objects whose keys begin with one of the prefixes."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": sorted(arn(bucket, f"{prefix}*") for prefix in prefixes),
    }


def document(*statements: Statement) -> str:
    """Return a policy as servers take it; empty when there is no statement, since none takes that."""
    return json.dumps({"Version": VERSION, "Statement": list(statements)}) if statements else ""


def canonical(policy: str) -> str:
    """Return a policy in a form that is equal for all policies that say the same.

    Servers give back a text where a list of one was set, sort, and add empty members; the order of statements, actions,
    resources and principals has no meaning, nor has the name of a statement. What is no policy is returned as it is.
    """
    try:
        data: object = json.loads(policy)
    except (ValueError, RecursionError):
        return policy
    if not isinstance(data, dict):
        return policy
    members = cast("Mapping[str, object]", data)
    statements = sorted({json.dumps(_plain(item), sort_keys=True) for item in _many(members.get("Statement"))})
    return json.dumps([members.get("Version"), *map(json.loads, statements)])


def _plain(value: object) -> object:
    """Return a statement, or what is in it, with all lists as sorted lists of texts, and without what says nothing."""
    if not isinstance(value, dict):
        return sorted({item if isinstance(item, str) else json.dumps(item) for item in _many(value)})
    members = cast("Mapping[str, object]", value)
    plain = {key: _plain(member) for key, member in members.items() if key != "Sid"}
    if members.get("Principal") == "*":
        plain["Principal"] = {"AWS": ["*"]}
    return {key: member for key, member in plain.items() if member not in ({}, [], [""])}


def _many(value: object) -> list[object]:
    if isinstance(value, list):
        return cast("list[object]", value)
    return [] if value is None else [value]
