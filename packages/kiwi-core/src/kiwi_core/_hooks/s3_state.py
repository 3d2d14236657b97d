"""A bucket at an S3 server as it is wanted, with its access key: how it gets there from whatever is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import attrs

from kiwi_core._hooks.s3_parts import Account, canonical, document, reads, uses, wanted_account
from kiwi_core._hooks.urls import at
from kiwi_core._model.desired import Desired, Mounted, Orphan, Session, Step
from kiwi_core.errors import Conflict, HookError, Problem, Refused

if TYPE_CHECKING:
    from kiwi_core._hooks.s3_client import S3, Answers, Wire
    from kiwi_core._hooks.s3_users import Accounts

__all__ = ["BucketState", "Found"]

OWNER: Final = "kiwistack/owner"
ACCESS_KEY: Final = "kiwistack/access-key"
"""Tags that a bucket is marked with; MinIO, versitygw and AWS take ``/`` in them (S3 API, "Tag")."""


@attrs.frozen(kw_only=True)
class Found:
    """What there is of a bucket and its access key.

    Attributes:
        bucket: whether it is there.
        owner, access_key: what its tags say; empty where it has none.
        versioned: whether old versions are kept; None where that does not matter.
        policy: its policy in canonical form; None where that does not matter.
        account: what the server knows of the access key.
        answer: what the access key gets when it asks for the bucket; None where there is no such access key.
    """

    bucket: bool
    owner: str = ""
    access_key: str = ""
    versioned: bool | None = None
    policy: str | None = None
    account: Account | None = None
    answer: Answers | None = None


@attrs.frozen(kw_only=True)
class BucketState(Desired):
    """A bucket as it is wanted. It is marked by tags.

    The administrator's own secret key is never changed: S3 servers read it at every start, from what the deploy gives
    them. Until such a start, the hook signs in with that of the generation before.

    Attributes:
        endpoint, region, accounts, admin_user, admin: the server, as BucketOffer has them.
        bucket, access_key, secret_key: as BucketBinding has them.
        versioning, actions, public: as S3Bucket has them.
    """

    kind: ClassVar[str] = "s3-bucket"

    endpoint: str
    region: str
    accounts: Literal["minio", "versitygw", "none"]
    admin_user: str
    admin: Mounted
    bucket: str
    access_key: str
    secret_key: Mounted
    versioning: bool | None = None
    actions: tuple[str, ...] = ()
    public: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The bucket and its server."""
        return f"bucket {self.bucket} at {at(self.endpoint)}"

    def observe(self, session: Session) -> Found:
        """Look at the bucket and its access key."""
        admin, accounts = self._admin(session), self._accounts(session)
        account = accounts.look(self.access_key) if accounts else None
        is_known = account is not None or accounts is None
        answer = self._user(session).answers(self.bucket) if is_known else None
        policy = admin.policy(self.bucket)
        if policy is None:
            return Found(bucket=False, account=account, answer=answer)
        tags = admin.tags(self.bucket)
        return Found(
            bucket=True,
            owner=tags.get(OWNER, ""),
            access_key=tags.get(ACCESS_KEY, ""),
            versioned=None if self.versioning is None else admin.is_versioned(self.bucket),
            policy=None if self.accounts == "none" else canonical(policy),
            account=account,
            answer=answer,
        )

    def plan(self, observed: Found) -> Sequence[Step]:
        """Compare what was found with what is wanted.

        Raises:
            HookError: the bucket or the access key is somebody else's.
        """
        self._refuse_foreign(observed)
        steps: list[Step] = []
        if not observed.bucket:
            steps += [Step("create bucket", self.bucket), Step("mark bucket", self.bucket, self.owner)]
        elif not observed.owner:
            steps.append(Step("adopt bucket", self.bucket, self.owner))
        elif observed.access_key != self.access_key:
            steps.append(Step("mark bucket", self.bucket, self.owner))
        if self.versioning is not None and bool(observed.versioned) is not self.versioning:
            steps.append(Step("set versioning of bucket", self.bucket, "on" if self.versioning else "off"))
        if self.accounts == "none":
            if observed.answer != "works":
                steps.append(Step("ask for access key", self.access_key))
            return steps
        return [*steps, *self._plan_key(observed), *self._plan_policy(observed)]

    def _plan_key(self, found: Found) -> list[Step]:
        """Return what the access key needs."""
        assert self.accounts != "none"
        wanted, key = wanted_account(self.accounts, self._policies[1]), self.access_key
        if found.account is None:
            return [Step("create access key", key), *([Step("confine access key", key)] if wanted.policy else [])]
        steps: list[Step] = []
        if found.account.standing != wanted.standing:
            steps.append(Step("set access key", key, wanted.standing))
        elif found.answer == "unknown":
            steps.append(Step("set access key", key, "secret key"))
        if wanted.policy and (
            attrs.evolve(found.account, standing=wanted.standing) != wanted or found.answer == "barred"
        ):
            steps.append(Step("confine access key", key))
        return steps

    def _plan_policy(self, found: Found) -> list[Step]:
        """Return what the policy of the bucket needs."""
        policy, of_user = self._policies
        is_barred = found.answer == "barred" and not of_user
        if canonical(policy) == (found.policy or "") and not is_barred:
            return []
        return [Step("set policy of bucket" if policy else "remove policy of bucket", self.bucket)]

    def apply(self, step: Step, session: Session) -> None:
        """Do one step."""
        admin = self._admin(session)
        match step.action:
            case "create bucket":
                if not admin.create(self.bucket):
                    raise Conflict(f"{self.subject}: somebody else has made it")
            case "mark bucket":
                self._mark(admin)
            case "adopt bucket":
                # Asking for it tells whether it belongs to the administrator's account: its tags do not.
                admin.create(self.bucket)
                self._mark(admin)
            case "set versioning of bucket":
                admin.set_versioned(self.bucket, versioned=bool(self.versioning))
            case "set policy of bucket" | "remove policy of bucket":
                admin.set_policy(self.bucket, self._policies[0])
            case action:
                self._apply_to_key(action, admin, session)

    def _apply_to_key(self, action: str, admin: S3, session: Session) -> None:
        """Do a step that is about the access key."""
        accounts = self._accounts(session)
        if accounts is None:
            message = f"{admin.at} does not let the access key {self.access_key!r} look at bucket {self.bucket}"
            hint = "its accounts are made elsewhere: make it there, with the secret key of its Secret and s3:GetBucketLocation"
            raise HookError(Problem(message, hint=hint))
        match action:
            case "create access key":
                accounts.create(self.access_key, session.secret(self.secret_key))
            case "set access key":
                accounts.set(self.access_key, session.secret(self.secret_key))
            case _:
                accounts.confine(self.access_key, self._policies[1])

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return the buckets that bear the owner's mark and are none of those wanted; one request for each bucket."""
        admin = self._admin(session)
        names = {each.bucket for each in wanted if isinstance(each, BucketState) and each.endpoint == self.endpoint}
        return [
            Orphan(kind=self.kind, name=bucket, at=admin.at, holds=admin.holds(bucket))
            for bucket in admin.buckets()
            if bucket not in names and admin.tags(bucket).get(OWNER) == self.owner
        ]

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Remove a bucket of this owner that holds nothing, and its access key, unless that has come to other rights.

        Raises:
            HookError: it holds objects, or is not this owner's.
        """
        admin = self._admin(session)
        tags = admin.tags(orphan.name)
        if tags.get(OWNER) != self.owner:
            raise HookError(f"{admin.at}: bucket {orphan.name} is not marked as {self.owner}'s")
        if holds := admin.holds(orphan.name):
            hint = "a bucket with objects is removed by nobody but a person: empty it first"
            raise HookError(Problem(f"{admin.at}: bucket {orphan.name} holds {holds}", hint=hint))
        accounts, access = self._accounts(session), tags.get(ACCESS_KEY)
        if accounts and access:
            account = accounts.look(access)
            if account and not account.rights:
                accounts.remove(access)
        admin.remove(orphan.name)

    def _refuse_foreign(self, found: Found) -> None:
        """Refuse what is marked by another owner, and an access key that was there before with rights of its own."""
        if found.owner and found.owner != self.owner:
            message = f"{self.subject} belongs to {found.owner}, and {self.owner} wants it, too"
            raise HookError(Problem(message, hint="give one of the two uses another name"))
        if not found.owner and found.account and found.account.rights:
            rights = ", ".join(found.account.rights)
            message = f"{self.subject}: the access key {self.access_key!r} is somebody else's: it has {rights}"
            raise HookError(Problem(message, hint="give the use another name, or remove that access key"))

    @property
    def _policies(self) -> tuple[str, str]:
        """The policies of the bucket and of the access key; empty is none.

        versitygw has policies of buckets alone. MinIO asks those only about who has no access key (cmd/auth-handler.go).
        """
        public = [reads(self.bucket, self.public)] if self.public else []
        if self.accounts == "minio":
            return document(*public), document(uses(self.bucket, self.actions))
        return document(uses(self.bucket, self.actions, principal=self.access_key), *public), ""

    def _mark(self, admin: S3) -> None:
        tags = admin.tags(self.bucket)
        if (tags.get(OWNER) or self.owner) != self.owner:
            raise Conflict(f"{self.subject}: somebody else has marked it")
        admin.set_tags(self.bucket, {**tags, OWNER: self.owner, ACCESS_KEY: self.access_key})

    def _user(self, session: Session) -> S3:
        """Return the server, asked with the access key of the component."""
        from kiwi_core._hooks.s3_client import S3, Key

        return S3(self._wire(session), Key(self.access_key, session.secret(self.secret_key)))

    def _admin(self, session: Session) -> S3:
        """Return the server, asked as its administrator."""
        from kiwi_core._hooks.s3_client import S3, Key

        def enter(secret: str) -> S3:
            s3 = S3(self._wire(session), Key(self.admin_user, secret))
            # Without one from before, the first request tells as well.
            if self.admin.previous is not None and s3.answers(self.bucket) == "unknown":
                raise Refused(f"{s3.at} takes neither the secret key of {self.admin_user!r}, nor the one before")
            return s3

        key = (S3, self.endpoint, self.region, self.admin_user, self.admin)
        return session.client(key, lambda: session.sign_in(self.admin, enter)[0])

    def _accounts(self, session: Session) -> Accounts | None:
        """Return the accounts of the server; None where they are made elsewhere."""
        if self.accounts == "none":
            return None
        from kiwi_core._hooks.s3_users import accounts_of

        return accounts_of(self.accounts, self._admin(session))

    def _wire(self, session: Session) -> Wire:
        """Return the connection to the server."""
        from kiwi_core._hooks.s3_client import Wire

        def make() -> Wire:
            return Wire(self.endpoint, self.region, session)

        return session.client((Wire, self.endpoint, self.region), make, lambda wire: wire.close())
