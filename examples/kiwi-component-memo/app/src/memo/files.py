"""Attachments in the bucket, each under the id of its memo."""

from __future__ import annotations

import hashlib
import io
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import urllib3
from minio import Minio
from minio.error import S3Error

from memo.settings import WorkSettings

__all__ = ["LARGEST", "Files"]

LARGEST: Final = 10 * 2**20
"""Bytes of an attachment."""
PATIENCE: Final = 5.0
"""Seconds that the server may take for an answer."""


class Files:
    """The bucket."""

    def __init__(self, settings: WorkSettings) -> None:
        """Prepare the client; nothing is asked yet."""
        parts = urlsplit(settings.s3_endpoint)
        self._bucket = settings.s3_bucket
        self._client = Minio(
            parts.netloc,
            settings.s3_access_key,
            settings.s3_secret_key,
            secure=parts.scheme == "https",
            region=settings.s3_region,
            http_client=urllib3.PoolManager(timeout=PATIENCE, retries=urllib3.Retry(1)),
        )

    def problem(self) -> str | None:
        """Return why the bucket is of no use now; None when it is.

        Raises:
            urllib3.exceptions.HTTPError: the server cannot be reached.
            minio.error.S3Error: it refuses.
        """
        return None if self._client.bucket_exists(self._bucket) else f"there is no bucket {self._bucket}"

    def put(self, memo: UUID, content: bytes, content_type: str) -> None:
        """Keep an attachment."""
        self._client.put_object(self._bucket, str(memo), io.BytesIO(content), len(content), content_type)

    def get(self, memo: UUID) -> bytes | None:
        """Return an attachment; None where the bucket has lost it."""
        try:
            answer = self._client.get_object(self._bucket, str(memo))
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def checksum(self, memo: UUID) -> str | None:
        """Return the SHA-256 of an attachment in hexadecimal digits; None where the bucket has lost it."""
        content = self.get(memo)
        return None if content is None else hashlib.sha256(content).hexdigest()
