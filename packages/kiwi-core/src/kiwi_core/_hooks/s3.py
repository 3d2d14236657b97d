"""A bucket at an S3 server, and an access key that is confined to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from kiwi_core._hooks.s3_parts import access_problem, action_problem, name_problem, prefix_problem
from kiwi_core._hooks.urls import server_problem, shown
from kiwi_core._model.fields import each_text
from kiwi_core._model.hooks import Hook, Lent, one_use
from kiwi_core._model.services import Bucket, BucketBinding, BucketOffer
from kiwi_core.errors import ComposeError, Problem, raise_all

if TYPE_CHECKING:
    from kiwi_core._hooks.s3_state import BucketState

__all__ = ["S3Bucket"]

ADMIN: Final = re.compile(r"[!-+\--.0-<>-~]+")
"""An administrator's access key, as it can stand in a signature: printable, and no ``,``, ``/`` or ``=``."""
REGION: Final = re.compile(r"[A-Za-z0-9-]+")


@attrs.frozen(kw_only=True)
class S3Bucket(Hook):
    """A bucket, with an access key that may do everything with the objects in it, and nothing anywhere else.

    A bucket is never emptied, and one that holds objects is never removed. Its policy is the hook's alone: what was set
    by hand is set back. Where an older version of an object is to be deleted for good, or the bucket itself to be set
    up, the component needs ``actions``.

    Attributes:
        on: the bucket; only one.
        versioning: whether old versions of objects are kept; None leaves it as it is.
        actions: what else the access key may do in its bucket: actions of S3 such as ``s3:DeleteObjectVersion`` or
            ``s3:PutBucketCORS``, as the server knows them.
        public: what everybody may read without an access key: the objects whose keys begin so, such as
            ``portal-assets/``.
    """

    kind: ClassVar[str] = "s3-bucket"

    versioning: bool | None = None
    actions: tuple[str, ...] = attrs.field(default=(), validator=each_text(action_problem))
    public: tuple[str, ...] = attrs.field(default=(), validator=each_text(prefix_problem))

    def __attrs_post_init__(self) -> None:
        """Check that it acts on one bucket, whose name S3 takes."""
        if problem := name_problem(self.use.name):
            raise ValueError(f"on: S3 takes no bucket {self.use.name!r}: {problem}")

    @property
    def use(self) -> Bucket:
        """The bucket."""
        return one_use(self, Bucket, "one use such as Bucket('onyx-files')")

    def desired(self, lent: Lent) -> BucketState:
        """Want the bucket that the use is bound to.

        Raises:
            ComposeError: the offer gives a bucket that cannot be made.
        """
        from kiwi_core._hooks.s3_state import BucketState

        use = self.use
        binding, offer = lent.binding(use), lent.offer(use, BucketOffer)
        raise_all(ComposeError, self._problems(binding, offer))
        return BucketState(
            owner=lent.owner,
            endpoint=offer.endpoint_url,
            region=offer.region,
            accounts=offer.accounts,
            admin_user=offer.admin_user,
            admin=lent.secret(offer.admin),
            bucket=binding.bucket,
            access_key=binding.access_key,
            secret_key=lent.secret(binding.secret_key),
            versioning=self.versioning,
            actions=self.actions,
            public=self.public,
        )

    def _problems(self, binding: BucketBinding, offer: BucketOffer) -> Iterator[Problem]:
        """Yield why what a use is bound to cannot be made."""
        key, server, access = self.use.key, shown(offer.endpoint_url), binding.access_key
        if problem := server_problem(offer.endpoint_url):
            yield Problem(f"the offer behind {key}: {problem}")
        if not ADMIN.fullmatch(offer.admin_user):
            yield Problem(f"the offer behind {key}: {offer.admin_user!r} is no access key of an administrator")
        if not REGION.fullmatch(offer.region):
            yield Problem(f"the offer behind {key}: {offer.region!r} is no region such as 'us-east-1'")
        if problem := name_problem(binding.bucket):
            yield Problem(f"{key} is bound to bucket {binding.bucket!r}, which S3 does not take: {problem}")
        if problem := access_problem(access):
            yield Problem(f"{key} is bound to access key {access!r}, which not every server takes: {problem}")
        if access == offer.admin_user:
            message = f"{key}: its access key would be {access!r}, which is the administrator's at {server}"
            yield Problem(message, hint="give the use another name")
        if offer.accounts == "none" and (self.actions or self.public):
            message = f"{key}: what access keys may do at {server} is not set by hooks"
            yield Problem(message, hint="grant it there, and leave out actions and public")
