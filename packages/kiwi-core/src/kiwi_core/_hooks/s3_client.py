"""Ask S3 servers: each method is one request, signed for one access key.

The forms are those of the "Amazon S3 API Reference"; a request is signed as in "Authenticating Requests (AWS Signature
Version 4)". minio's own client would ask more than it is told to, and connects to no other address than the one signed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlencode
from xml.etree import ElementTree as ET

import attrs

from kiwi_core._hooks.http import Http, Reply
from kiwi_core._model.desired import Session
from kiwi_core.errors import Conflict, ExternalError, Forbidden, HookError, Problem, Refused

__all__ = ["DENIED", "S3", "Answers", "Key", "Wire", "code_of", "failure", "texts", "written", "xml"]

Answers: TypeAlias = Literal["works", "barred", "unknown"]
"""Of an access key: it may look at the bucket, it may not, or the server does not take it."""

DEFAULT_REGION: Final = "us-east-1"
"""The region that is not named when a bucket is made (CreateBucket, LocationConstraint)."""
UNKNOWN: Final = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"})
"""The last one is versitygw's where it keeps no accounts."""
DENIED: Final = frozenset({"AccessDenied", "XAdminAccessDenied"})
MEANWHILE: Final = frozenset({"NoSuchBucket", "OperationAborted"})
"""Said when somebody else was faster: what is asked for was there, or was free."""
LONGEST_SAID: Final = 300
"""Characters of a server's own words that are shown."""
MOST_OBJECTS: Final = 1000
"""How many versions a page of a listing holds (ListObjectVersions)."""


@attrs.frozen
class Key:
    """An access key with its secret key."""

    access: str
    secret: str = attrs.field(repr=False)


class Wire(Http):
    """The connection to an S3 server.

    Args:
        base: URL of the S3 API.
        region: the region that requests are signed for.
        session: counts the requests, knows the deadline, and where to connect.
    """

    def __init__(self, base: str, region: str, session: Session) -> None:
        super().__init__(base, session)
        self.region = region

    def send(
        self,
        key: Key,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        words: str,
        body: bytes = b"",
    ) -> Reply:
        """Make one request, and return whatever is answered to it.

        Args:
            key: signs it.
            method: such as ``GET``.
            path: after the base's; letters, digits and ``-_.~/`` only.
            query: goes behind the path.
            words: what is asked, for messages and proofs.
            body: what is sent.

        Raises:
            HookError: the server does not answer (Unreachable), or what it answers is no HTTP.
            ExternalError: minio, which signs, is not installed.
        """
        target, asked = f"{self._path}{path}", urlencode(query or {})
        headers = {**self._headers, **self._signed(key, method, target, asked, body)}
        with self._session.request(words):
            return self._ask(method, f"{target}?{asked}" if asked else target, words, body or None, headers)

    def _signed(self, key: Key, method: str, path: str, query: str, body: bytes) -> dict[str, str]:
        """Return the headers that a signature needs, with it."""
        try:
            from minio.credentials.credentials import Credentials
            from minio.signer import sign_v4_s3
        except ModuleNotFoundError:
            raise ExternalError(
                Problem("minio is not installed, which signs for S3 servers", hint="install kiwi-core[hooks]")
            ) from None
        now, digest = datetime.now(UTC), hashlib.sha256(body).hexdigest()
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": self._headers["Host"],
            "X-Amz-Date": now.strftime("%Y%m%dT%H%M%SZ"),
            "X-Amz-Content-SHA256": digest,
        }
        if body:
            # Asked for by PutBucketTagging and others; it guards the way, not against people.
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            headers["Content-MD5"] = base64.b64encode(md5).decode()
        signed = sign_v4_s3(
            method=method,
            url=SplitResult("", "", path, query, ""),
            region=self.region,
            headers=headers,
            credentials=Credentials(key.access, key.secret),
            content_sha256=digest,
            date=now,
        )
        return {name: str(value) for name, value in signed.items()}


@attrs.frozen
class S3:
    """An S3 server, asked with one access key.

    Every method makes one request. It raises Refused when the server does not take the access key, Forbidden when that
    lacks a right, Conflict when what it is about has come or gone meanwhile, and as :class:`Wire` does.
    """

    wire: Wire
    key: Key

    @property
    def at(self) -> str:
        """The server, ``host:port``."""
        return self.wire.at

    def policy(self, bucket: str) -> str | None:
        """Return the policy of a bucket, empty where it has none; None when there is no such bucket."""
        reply = self._send(
            "GET", bucket, "policy", needs="s3:GetBucketPolicy", takes=("NoSuchBucketPolicy", "NoSuchBucket")
        )
        match code_of(reply):
            case "":
                return reply.body.decode(errors="replace")
            case "NoSuchBucketPolicy":
                return ""
            case _:
                return None

    def set_policy(self, bucket: str, policy: str) -> None:
        """Set the policy of a bucket; an empty one removes it."""
        if policy:
            self._send("PUT", bucket, "policy", needs="s3:PutBucketPolicy", body=policy.encode())
        else:
            self._send("DELETE", bucket, "policy", needs="s3:DeleteBucketPolicy")

    def tags(self, bucket: str) -> dict[str, str]:
        """Return the tags of a bucket; none of one that is not there, as MinIO has it."""
        takes = ("NoSuchTagSet", "NoSuchBucket")
        reply = self._send("GET", bucket, "tagging", needs="s3:GetBucketTagging", takes=takes)
        if code_of(reply):
            return {}
        return {tag.get("Key", ""): tag.get("Value", "") for tag in texts(reply, "Tag")}

    def set_tags(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Set all tags of a bucket."""
        pairs = [xml("Tag", Key=name, Value=value) for name, value in sorted(tags.items())]
        body = written(xml("Tagging", xml("TagSet", *pairs)))
        self._send("PUT", bucket, "tagging", needs="s3:PutBucketTagging", body=body)

    def is_versioned(self, bucket: str) -> bool:
        """Tell whether old versions of objects are kept: not before that was ever set, nor while it is suspended."""
        reply = self._send("GET", bucket, "versioning", needs="s3:GetBucketVersioning")
        return any(form.get("Status") == "Enabled" for form in texts(reply, "VersioningConfiguration"))

    def set_versioned(self, bucket: str, *, versioned: bool) -> None:
        """Keep old versions of objects, or do not keep further ones."""
        body = written(xml("VersioningConfiguration", Status="Enabled" if versioned else "Suspended"))
        self._send("PUT", bucket, "versioning", needs="s3:PutBucketVersioning", body=body)

    def create(self, bucket: str) -> bool:
        """Make a bucket; False when it is there already and belongs to this account.

        Raises:
            HookError: it belongs to another account of the server.
        """
        region = self.wire.region
        body = b""
        if region != DEFAULT_REGION:
            body = written(xml("CreateBucketConfiguration", LocationConstraint=region))
        takes = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
        reply = self._send("PUT", bucket, needs="s3:CreateBucket", body=body, takes=takes)
        if code_of(reply) == "BucketAlreadyExists":
            hint = f"name another bucket, or have the server give this one to {self.key.access!r}"
            raise HookError(Problem(f"{self.at}: bucket {bucket} belongs to another account of the server", hint=hint))
        return not code_of(reply)

    def answers(self, bucket: str) -> Answers:
        """Tell what the access key gets when it asks for a bucket; where that is not there, nothing bars it."""
        reply = self._send("GET", bucket, "location", takes=(*UNKNOWN, *DENIED, "NoSuchBucket"))
        code = code_of(reply)
        if code in UNKNOWN:
            return "unknown"
        return "barred" if code in DENIED else "works"

    def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        reply = self._send("GET", needs="s3:ListAllMyBuckets")
        return sorted(bucket["Name"] for bucket in texts(reply, "Bucket") if "Name" in bucket)

    def holds(self, bucket: str) -> str:
        """Return how many objects a bucket holds, old versions and marks of deleted ones included; empty when none."""
        reply = self._send("GET", bucket, "versions", needs="s3:ListBucketVersions")
        count = len([*texts(reply, "Version"), *texts(reply, "DeleteMarker")])
        more = " or more" if count >= MOST_OBJECTS else ""
        return f"{count}{more} object{'s' if count > 1 else ''}" if count else ""

    def remove(self, bucket: str) -> None:
        """Remove a bucket that is empty; S3 itself removes no other (DeleteBucket, BucketNotEmpty)."""
        self._send("DELETE", bucket, needs="s3:DeleteBucket")

    def _send(
        self,
        method: str,
        bucket: str = "",
        about: str = "",
        *,
        needs: str = "",
        body: bytes = b"",
        takes: tuple[str, ...] = (),
    ) -> Reply:
        """Make one request, and return what is answered to it: done, or one of the codes that are taken.

        Args:
            method: such as ``GET``.
            bucket: what it is about.
            about: what of the bucket.
            needs: the right that the access key has to have.
            body: what is sent.
            takes: codes that are no error here.
        """
        words = " ".join(
            part for part in (method, about, bucket and f"of bucket {bucket}", f"as {self.key.access}") if part
        )
        reply = self.wire.send(self.key, method, f"/{bucket}", {about: ""} if about else None, words=words, body=body)
        code = code_of(reply)
        if code and code not in takes:
            # S3 gets no secret but the signature, and its messages repeat none.
            raise failure(reply, self.key.access, needs=needs, said=_message(reply))
        return reply


def code_of(reply: Reply) -> str:
    """Return the code of an error, such as ``NoSuchBucket``; empty when it is done."""
    if reply.status // 100 == HTTPStatus.OK // 100:
        return ""
    return reply.said("Code") or _said(reply, "Code") or str(reply.status)


def failure(reply: Reply, access: str, *, needs: str, said: str = "", hint: str | None = None) -> HookError:
    """Return the error that a code means.

    Args:
        reply: what was answered.
        access: the access key that asked.
        needs: the right that it has to have.
        said: what else the server says, where that is no secret.
        hint: what to do, where the code alone does not tell.
    """
    at, code = reply.at, code_of(reply)
    if code in UNKNOWN:
        message = f"{at} does not take the access key {access!r} with the secret key that it is given ({code})"
        return Refused(Problem(message, hint="correct the Secret that the offer of the bucket names, or its user"))
    if code in DENIED:
        return Forbidden(Problem(f"{at}: the access key {access!r} lacks {needs}, for {reply.words}", hint=hint))
    if code in MEANWHILE:
        return Conflict(f"{at} answered {code} to {reply.words}")
    if code == "RequestTimeTooSkewed":
        return HookError(Problem(f"the clocks of {at} and of this machine differ", hint="set both by NTP"))
    if code == "AuthorizationHeaderMalformed":
        message = f"{at} does not take what is signed for this region: {_message(reply)}"
        return HookError(Problem(message, hint="correct the region of the bucket's offer"))
    if code == "VersioningNotConfigured":
        hint = "start versitygw with --versioning-dir, or ask for no versioning"
    return reply.error(said=f"{code}: {said}" if said else code, hint=hint)


def xml(name: str, *children: ET.Element, **texts: str) -> ET.Element:
    """Return an element with others in it, and with one for each text."""
    element = ET.Element(name)
    element.extend(children)
    for child, text in texts.items():
        ET.SubElement(element, child).text = text
    return element


def texts(reply: Reply, name: str) -> list[dict[str, str]]:
    """Return the texts in each element of a name, by the names of theirs.

    Raises:
        HookError: the answer is no XML.
    """
    try:
        root = ET.fromstring(reply.body)  # noqa: S314 -- of the administrator's own server; expat stops what swells
    except ET.ParseError:
        raise reply.unreadable("XML") from None
    return [
        {_local(child): child.text or "" for child in element} for element in root.iter() if _local(element) == name
    ]


def written(element: ET.Element) -> bytes:
    """Return an element as it is sent."""
    return ET.tostring(element)


def _message(reply: Reply) -> str:
    """Return what an error says in words."""
    return reply.said("Message") or _said(reply, "Message")


def _said(reply: Reply, name: str) -> str:
    """Return a text of an error that is XML; empty where it has none, or is no XML."""
    try:
        found = texts(reply, "Error")
    except HookError:
        return ""
    text = found[0].get(name, "") if found else ""
    return "".join(character if character.isprintable() else " " for character in text)[:LONGEST_SAID]


def _local(element: ET.Element) -> str:
    """Return the name of an element without its namespace: some servers name it, and some do not."""
    return element.tag.rpartition("}")[2]
