"""An administrator's own hands at S3 servers: minio's clients, and no line of what is proven."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import urllib3
from kiwi_core._hooks.s3_state import BucketState
from kiwi_core._model.desired import Mounted
from kiwi_core._model.secrets import SecretKey
from minio import Minio, MinioAdmin
from minio.commonconfig import Tags
from minio.credentials.credentials import Credentials
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.signer import sign_v4_s3
from testbed.minio import MinIO
from testbed.s3 import S3

__all__ = [
    "ADMIN",
    "BUCKET",
    "BY_HAND",
    "FEEBLE",
    "FOREIGN",
    "KEY_TAG",
    "NEXT",
    "OLD_ADMIN",
    "OTHER",
    "OWNER",
    "OWNER_TAG",
    "SECRET",
    "SECRETS",
    "WEAK",
    "WRONG",
    "Hands",
    "MinioHands",
    "VersityHands",
    "WithoutAccounts",
    "got",
    "put",
    "tried",
    "wanted",
]

BUCKET, OTHER, FOREIGN = "onyx-files", "onyx-more", "wiki-files"
WEAK = "weak-account"
OWNER = "cust-acme/onyx"
OWNER_TAG, KEY_TAG = "kiwistack/owner", "kiwistack/access-key"
ADMIN, OLD_ADMIN, WRONG, FEEBLE = (SecretKey("s3", name) for name in ("admin", "old", "wrong", "weak"))
SECRET, NEXT = SecretKey("onyx", "secret"), SecretKey("onyx", "next")
SECRETS = {
    WRONG: "not-the-secret-key",
    FEEBLE: "weak-accounts-secret",
    SECRET: "2ef7bde608ce5404e97d5f042f95f89f1c232871",
    NEXT: "f1c2328712ef7bde608ce5404e97d5f042f95f89",
    OLD_ADMIN: "of-no-server-any-more",
}
STAMP = "%Y%m%dT%H%M%SZ"
BY_HAND = "set-by-somebody-by-hand"


class Hands:
    """What is the same at every server."""

    def __init__(self, server: S3 | MinIO) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=30)
        self.server = server
        self.root = self.sign_in(server.admin_user, server.admin_password)

    def close(self) -> None:
        self.pool.clear()

    def sign_in(self, access: str, secret: str) -> Minio:
        address = urlsplit(self.server.url).netloc
        return Minio(address, access, secret, region=self.server.region, secure=False, http_client=self.pool)

    def add_user(self, access: str, secret: str) -> None:
        """Make an account that may do nothing."""
        raise NotImplementedError

    def set_secret(self, access: str, secret: str) -> None:
        raise NotImplementedError

    def remove_user(self, access: str) -> None:
        raise NotImplementedError

    def user(self, access: str) -> object:
        """A picture of an account; None where there is none."""
        raise NotImplementedError

    def remove_bucket(self, bucket: str) -> None:
        """Remove a bucket with all that it holds, where it is there."""
        with contextlib.suppress(S3Error):
            self.empty(bucket)
            self.root.remove_bucket(bucket)

    def empty(self, bucket: str) -> None:
        """Remove all versions of all objects; minio's client cannot read the times in versitygw's list of them."""
        listed = self.ask("GET", f"/{bucket}", "versions=")
        for name, version in re.findall(r"<Key>(.*?)</Key>.*?<VersionId>(.*?)</VersionId>", listed):
            self.root.remove_object(bucket, name, version)

    def tags(self, bucket: str) -> dict[str, str]:
        tags = cast("dict[str, str]", self.root.get_bucket_tags(bucket) or {})
        return dict(sorted(tags.items()))

    def set_tags(self, bucket: str, tags: Mapping[str, str]) -> None:
        made = Tags.new_bucket_tags()
        for name, value in tags.items():
            made[name] = value
        self.root.set_bucket_tags(bucket, made)

    def policy(self, bucket: str) -> object:
        try:
            return ordered(json.loads(self.root.get_bucket_policy(bucket)))
        except S3Error as error:
            return error.code

    def ask(self, method: str, path: str, query: str = "", body: str = "") -> str:
        """Make a request that minio's client has no method for."""
        url, now = urlsplit(f"{self.server.url}{path}?{query}"), datetime.now(UTC)
        digest = hashlib.sha256(body.encode()).hexdigest()
        headers = sign_v4_s3(
            method=method,
            url=url,
            region=self.server.region,
            headers={"Host": url.netloc, "x-amz-date": now.strftime(STAMP), "x-amz-content-sha256": digest},
            credentials=Credentials(self.server.admin_user, self.server.admin_password),
            content_sha256=digest,
            date=now,
        )
        sent = {name: str(value) for name, value in headers.items()}
        answer = self.pool.request(method, url.geturl(), body=body or None, headers=sent)
        text = answer.data.decode()
        if "<Code>NoSuchBucket</Code>" in text:
            raise S3Error(answer, "NoSuchBucket", None, path, None, None)
        assert answer.status < 300, text
        return text


class VersityHands(Hands):
    def add_user(self, access: str, secret: str) -> None:
        body = f"<Account><Access>{access}</Access><Secret>{secret}</Secret><Role>user</Role></Account>"
        self.ask("PATCH", "/create-user", body=body)

    def set_secret(self, access: str, secret: str) -> None:
        self.ask("PATCH", "/update-user", f"access={access}", f"<MutableProps><Secret>{secret}</Secret></MutableProps>")

    def set_role(self, access: str, role: str) -> None:
        self.ask("PATCH", "/update-user", f"access={access}", f"<MutableProps><Role>{role}</Role></MutableProps>")

    def remove_user(self, access: str) -> None:
        self.ask("PATCH", "/delete-user", f"access={access}")

    def user(self, access: str) -> object:
        _, begins, rest = self.ask("PATCH", "/list-users").partition(f"<Access>{access}</Access>")
        return rest.partition("<Role>")[2].partition("</Role>")[0] if begins else None


class MinioHands(Hands):
    def __init__(self, server: MinIO) -> None:
        super().__init__(server)
        provider = StaticProvider(server.admin_user, server.admin_password)
        address = urlsplit(server.url).netloc
        self.admin = MinioAdmin(endpoint=address, credentials=provider, secure=False, http_client=self.pool)

    def add_user(self, access: str, secret: str) -> None:
        self.admin.user_add(access, secret)

    def set_secret(self, access: str, secret: str) -> None:
        self.admin.user_add(access, secret)

    def remove_user(self, access: str) -> None:
        with contextlib.suppress(MinioAdminException):
            self.admin.user_remove(access)
        self.admin.policy_remove(access)

    def user(self, access: str) -> object:
        try:
            user = json.loads(self.admin.user_info(access))
        except MinioAdminException:
            return None
        name = user.get("policyName")
        policy = ordered(json.loads(self.admin.policy_info(name))) if name == access else None
        return (user["status"], name, user.get("memberOf"), policy)

    def allow_everything(self, policy: str) -> None:
        everywhere = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        body = json.dumps({"Version": "2012-10-17", "Statement": [everywhere]})
        self.ask("PUT", "/minio/admin/v3/add-canned-policy", f"name={policy}", body)

    def spoil_user(self, access: str) -> None:
        """Disable it, and give it rights that it is not to have."""
        self.admin.group_add("staff", [access])  # type: ignore[arg-type]  # it goes as JSON, where a list is expected
        self.admin.policy_set(f"{access},consoleAdmin", user=access)
        self.admin.user_disable(access)


class WithoutAccounts(S3):
    """A gateway that keeps no accounts, nor versions."""

    def _environment(self) -> Mapping[str, str]:
        unset = ("VGW_IAM_DIR", "VGW_VERSIONING_DIR")
        return {name: value for name, value in super()._environment().items() if name not in unset}


def wanted(server: S3 | MinIO, accounts: Literal["minio", "versitygw"]) -> BucketState:
    """All that a hook can be told to do."""
    return BucketState(
        owner=OWNER,
        endpoint=server.url,
        region=server.region,
        accounts=accounts,
        admin_user=server.admin_user,
        admin=Mounted(ADMIN),
        bucket=BUCKET,
        access_key=BUCKET,
        secret_key=Mounted(SECRET),
        versioning=True,
        actions=("s3:PutObjectRetention",),
        public=("portal-assets/",),
    )


def put(client: Minio, bucket: str, name: str) -> None:
    client.put_object(bucket, name, io.BytesIO(name.encode()), len(name))


def got(client: Minio, bucket: str, name: str) -> str:
    with contextlib.closing(client.get_object(bucket, name)) as answer:
        text = answer.read().decode()
        answer.release_conn()
    return text


def tried(does: Callable[[], object]) -> object:
    """What it gives, or the code of what it raises."""
    try:
        return does()
    except S3Error as error:
        return error.code


def ordered(value: Any) -> Any:  # Any: JSON
    """A policy with its lists in order: MinIO returns them in another one each time."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: ordered(members[key]) for key in sorted(members)}
    return sorted(map(ordered, cast("list[object]", value)), key=repr) if isinstance(value, list) else value
