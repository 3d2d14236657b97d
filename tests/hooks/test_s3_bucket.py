"""Buckets and their access keys, on both servers whose accounts a hook can make: versitygw and MinIO."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import ClassVar, Literal

import attrs
import pytest
from hooks.s3_hands import (
    ADMIN,
    BUCKET,
    BY_HAND,
    FEEBLE,
    FOREIGN,
    KEY_TAG,
    NEXT,
    OLD_ADMIN,
    OTHER,
    OWNER,
    OWNER_TAG,
    SECRET,
    SECRETS,
    WEAK,
    WRONG,
    Hands,
    MinioHands,
    VersityHands,
    WithoutAccounts,
    got,
    put,
    tried,
    wanted,
)
from kiwi_core._hooks.converge import converge
from kiwi_core._hooks.s3_state import BucketState
from kiwi_core._model.desired import Mounted, Orphan, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import Conflict, HookError
from kiwi_core.testing import HookProofs, Rotated
from minio.commonconfig import ENABLED, CopySource, Tags
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig
from testbed.minio import MinIO
from testbed.s3 import S3
from testbed.servers import Server


class BucketProofs(HookProofs):
    """What is the same with every server."""

    accounts: ClassVar[Literal["minio", "versitygw"]]
    hands: Hands

    def server(self) -> Server:
        return self.hands.server

    def desired(self) -> BucketState:
        return wanted(self.hands.server, self.accounts)

    def other(self) -> BucketState:
        return attrs.evolve(self.desired(), bucket=OTHER, access_key=OTHER, versioning=None, actions=(), public=())

    def taken(self) -> str:
        self.hands.root.make_bucket(BUCKET)
        self.hands.set_tags(BUCKET, {OWNER_TAG: "cust-acme/wiki", KEY_TAG: BUCKET})
        return "cust-acme/wiki"

    def read(self, key: SecretKey) -> str:
        return self.hands.server.admin_password if key == ADMIN else SECRETS[key]

    def clean(self) -> None:
        for name in (BUCKET, OTHER, FOREIGN, WEAK):
            self.hands.remove_bucket(name)
            self.hands.remove_user(name)

    def state(self) -> object:
        root = self.hands.root
        return {
            "tags": self.hands.tags(BUCKET),
            "versioning": root.get_bucket_versioning(BUCKET).status,
            "policy": self.hands.policy(BUCKET),
            "account": self.hands.user(BUCKET),
            "use": self.use(SECRET),
        }

    def use(self, key: SecretKey) -> object:
        """Try what the access key can do, here and elsewhere."""
        root, user = self.hands.root, self.hands.sign_in(BUCKET, SECRETS[key])
        if not root.bucket_exists(FOREIGN):
            root.make_bucket(FOREIGN)
            put(root, FOREIGN, "theirs")
        tries: dict[str, Callable[[], object]] = {
            "put": lambda: put(user, BUCKET, "mine"),
            "put what is public": lambda: put(user, BUCKET, "portal-assets/logo"),
            "list": lambda: [each.object_name for each in user.list_objects(BUCKET, recursive=True)],
            "head": lambda: user.bucket_exists(BUCKET),
            "get": lambda: got(user, BUCKET, "mine"),
            "delete": lambda: user.remove_object(BUCKET, "mine"),
            "read in public": lambda: self.fetch("portal-assets/logo"),
            "read the rest in public": lambda: self.fetch("mine"),
            "list in public": lambda: self.fetch(""),
            "set policy": lambda: user.set_bucket_policy(BUCKET, '{"Version":"2012-10-17","Statement":[]}'),
            "set versioning": lambda: user.set_bucket_versioning(BUCKET, VersioningConfig(SUSPENDED)),
            "set tags": lambda: user.set_bucket_tags(BUCKET, Tags.new_bucket_tags()),
            "remove bucket": lambda: user.remove_bucket(BUCKET),
            "make another": lambda: user.make_bucket("one-more"),
            "list another's": lambda: [each.object_name for each in user.list_objects(FOREIGN)],
            "get another's": lambda: got(user, FOREIGN, "theirs"),
            "put another's": lambda: put(user, FOREIGN, "mine"),
        }
        seen = {name: tried(does) for name, does in tries.items()}
        self.hands.empty(BUCKET)
        return seen

    def fetch(self, name: str) -> int:
        return self.hands.pool.request("GET", f"{self.hands.server.url}/{BUCKET}/{name}").status

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        root, hands = self.hands.root, self.hands
        return {
            "bucket": lambda: hands.remove_bucket(BUCKET),
            "owner": lambda: root.delete_bucket_tags(BUCKET),
            "access_key": lambda: hands.set_tags(BUCKET, {OWNER_TAG: OWNER, KEY_TAG: "another"}),
            "versioned": lambda: root.set_bucket_versioning(BUCKET, VersioningConfig(SUSPENDED)),
            "policy": lambda: root.delete_bucket_policy(BUCKET),
            "account": lambda: hands.remove_user(BUCKET),
            "answer": lambda: hands.set_secret(BUCKET, BY_HAND),
        }

    def wrong_account(self) -> BucketState:
        return attrs.evolve(self.desired(), admin=Mounted(WRONG))

    def weak_account(self) -> BucketState:
        if self.hands.user(WEAK) is None:
            self.hands.add_user(WEAK, SECRETS[FEEBLE])
        return attrs.evolve(self.desired(), admin_user=WEAK, admin=Mounted(FEEBLE))

    def rotations(self) -> Mapping[str, Rotated]:
        after = attrs.evolve(self.desired(), secret_key=Mounted(NEXT))
        return {"live": Rotated(before=self.desired(), after=after, works=self.has_rotated)}

    def has_rotated(self) -> object:
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            got(self.hands.sign_in(BUCKET, SECRETS[SECRET]), BUCKET, "mine")
        return self.use(NEXT)

    @contextlib.contextmanager
    def session(self, seconds: float = 20) -> Generator[Session]:
        with Session(self.read, deadline=time.monotonic() + seconds) as session:
            yield session

    def converge(self, desired: BucketState) -> tuple[str, ...]:
        with self.session() as session:
            return converge(desired, session).changed

    def begin(self, hands: Hands) -> Generator[None]:
        """Start from nothing, and leave nothing."""
        with contextlib.closing(hands):
            self.hands = hands
            hands.server.start()
            self.clean()
            yield
            hands.server.start()
            self.clean()

    def test_an_unmarked_bucket_is_adopted_with_what_it_holds(self) -> None:
        root = self.hands.root
        root.make_bucket(BUCKET)
        put(root, BUCKET, "theirs")
        self.hands.set_tags(BUCKET, {"cost": "42"})
        assert f"adopt bucket {BUCKET}: {OWNER}" in self.converge(self.desired())
        assert self.hands.tags(BUCKET) == {"cost": "42", OWNER_TAG: OWNER, KEY_TAG: BUCKET}
        assert got(root, BUCKET, "theirs") == "theirs"

    def test_what_another_owner_marks_meanwhile_is_not_marked_again(self) -> None:
        desired = self.desired()
        for is_there, action in ((False, "create bucket"), (True, "adopt bucket")):
            self.clean()
            if is_there:
                self.hands.root.make_bucket(BUCKET)
            with self.session() as session:
                first = desired.plan(desired.observe(session))[0]
                self.clean()
                owner = self.taken()
                assert first.action == action
                with pytest.raises(Conflict):
                    desired.apply(first, session)
                with pytest.raises(HookError, match=owner):
                    converge(desired, session)
            assert self.hands.tags(BUCKET)[OWNER_TAG] == owner

    def test_it_signs_for_the_servers_name_and_connects_through_a_tunnel(self) -> None:
        server, desired = self.server(), attrs.evolve(self.desired(), endpoint="http://s3.cust-acme:9000")
        through = {("s3.cust-acme", 9000): (server.host, server.port)}
        with Session(self.read, connect_to=through, deadline=time.monotonic() + 20) as session:
            assert converge(desired, session).changed
        assert self.converge(self.desired()) == ()

    def test_a_bucket_that_holds_objects_is_not_removed_and_an_empty_one_is_with_its_key(self) -> None:
        self.converge(self.desired())
        put(self.hands.root, BUCKET, "mine")
        self.hands.root.remove_object(BUCKET, "mine")  # an old version and a mark of deletion are left
        orphan = Orphan(kind="s3-bucket", name=BUCKET, at=self.at())
        with self.session() as session:
            found = self.desired().orphans(session, [])
            assert [each.holds for each in found if each.name == BUCKET] == ["2 objects"]
            changes = self.server().changes()
            with pytest.raises(HookError, match="holds 2 objects"):
                self.desired().remove(orphan, session)
            assert self.server().changes() == changes
            assert self.hands.user(BUCKET) is not None
            self.hands.empty(BUCKET)
            self.desired().remove(orphan, session)
        assert not self.hands.root.bucket_exists(BUCKET)
        assert self.hands.user(BUCKET) is None

    def test_large_objects_tags_and_copies_need_no_further_rights(self) -> None:
        self.converge(attrs.evolve(self.desired(), actions=()))
        user, size = self.hands.sign_in(BUCKET, SECRETS[SECRET]), 6 << 20
        user.put_object(BUCKET, "large", io.BytesIO(bytes(size)), size, part_size=5 << 20)
        user.copy_object(BUCKET, "copy", CopySource(BUCKET, "large"))
        tags = Tags.new_object_tags()
        tags["kind"] = "large"
        user.set_object_tags(BUCKET, "copy", tags)
        assert user.get_object_tags(BUCKET, "copy") == tags
        assert user.stat_object(BUCKET, "copy").size == size

    def test_a_policy_that_says_the_same_is_not_written_again(self) -> None:
        self.converge(self.desired())
        policy = json.loads(self.hands.root.get_bucket_policy(BUCKET))
        for statement in policy["Statement"]:
            statement["Sid"] = "by-hand"
            statement["Action"].reverse()
            if len(statement["Resource"]) == 1:
                statement["Resource"] = statement["Resource"][0]
        policy["Statement"].reverse()
        self.hands.root.set_bucket_policy(BUCKET, json.dumps(policy))
        changes = self.server().changes()
        assert self.converge(self.desired()) == ()
        assert self.server().changes() == changes

    def test_a_policy_that_says_more_is_set_back(self) -> None:
        self.converge(self.desired())
        before = self.hands.policy(BUCKET)
        policy = json.loads(self.hands.root.get_bucket_policy(BUCKET))
        for statement in policy["Statement"]:
            statement["Resource"] = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        self.hands.root.set_bucket_policy(BUCKET, json.dumps(policy))
        assert self.converge(self.desired()) == (f"set policy of bucket {BUCKET}",)
        assert self.hands.policy(BUCKET) == before

    def test_versioning_is_left_alone_unless_it_is_chosen(self) -> None:
        for chosen, before, after in [
            (None, ENABLED, ENABLED),
            (False, ENABLED, SUSPENDED),
            (True, SUSPENDED, ENABLED),
            (None, SUSPENDED, SUSPENDED),
        ]:
            desired = attrs.evolve(self.desired(), versioning=chosen)
            self.converge(desired)
            self.hands.root.set_bucket_versioning(BUCKET, VersioningConfig(before))
            self.converge(desired)
            assert self.hands.root.get_bucket_versioning(BUCKET).status == after
        self.hands.remove_bucket(BUCKET)
        self.converge(attrs.evolve(self.desired(), versioning=False))
        assert self.hands.root.get_bucket_versioning(BUCKET).status in {None, "Off"}

    def test_without_extras_nothing_is_public(self) -> None:
        self.converge(attrs.evolve(self.desired(), public=(), actions=()))
        put(self.hands.root, BUCKET, "portal-assets/logo")
        assert self.fetch("portal-assets/logo") == 403

    def test_the_administrator_may_still_be_of_the_generation_before(self) -> None:
        desired = attrs.evolve(self.desired(), admin=Mounted(OLD_ADMIN, previous=ADMIN))
        assert self.converge(desired)
        assert self.converge(desired) == ()
        with pytest.raises(HookError, match="nor the one before"):
            self.converge(attrs.evolve(desired, admin=Mounted(OLD_ADMIN, previous=WRONG)))

    def test_a_server_without_an_api_for_accounts_gets_the_bucket_and_waits_for_the_key(self) -> None:
        desired = attrs.evolve(self.desired(), accounts="none", actions=(), public=())
        with pytest.raises(HookError, match=f"does not let the access key '{BUCKET}' look at bucket {BUCKET}"):
            self.converge(desired)
        assert self.hands.tags(BUCKET) == {OWNER_TAG: OWNER, KEY_TAG: BUCKET}
        with_account = attrs.evolve(self.desired(), actions=(), public=())
        self.converge(with_account)
        before = self.hands.policy(BUCKET)
        assert self.converge(desired) == ()
        assert self.hands.policy(BUCKET) == before


@pytest.mark.real_server
class TestVersitygw(BucketProofs):
    missing = "role admin"
    accounts = "versitygw"

    @pytest.fixture(autouse=True)
    def _server(self, s3: S3) -> Generator[None]:
        self.versity = VersityHands(s3)
        yield from self.begin(self.versity)

    def test_a_key_that_somebody_made_an_administrator_is_an_ordinary_one_again(self) -> None:
        self.converge(self.desired())
        for role in ("admin", "userplus"):
            self.versity.set_role(BUCKET, role)
            assert self.converge(self.desired()) == (f"set access key {BUCKET}: user",)
            assert self.versity.user(BUCKET) == "user"

    def test_an_administrator_of_that_name_is_left_alone(self) -> None:
        self.versity.add_user(BUCKET, BY_HAND)
        self.versity.set_role(BUCKET, "admin")
        changes = self.server().changes()
        with pytest.raises(HookError, match=f"'{BUCKET}' is somebody else's: it has role admin"):
            self.converge(self.desired())
        assert self.server().changes() == changes

    def test_a_bucket_of_another_account_of_the_server_is_left_alone(self) -> None:
        self.versity.add_user(WEAK, SECRETS[FEEBLE])
        self.versity.set_role(WEAK, "userplus")
        self.hands.sign_in(WEAK, SECRETS[FEEBLE]).make_bucket(BUCKET)
        with pytest.raises(HookError, match=f"bucket {BUCKET} belongs to another account of the server"):
            self.converge(self.desired())
        assert not self.hands.tags(BUCKET)

    def test_each_request_is_one_at_the_server(self) -> None:
        seen: list[str] = []

        def watch(words: str, *, done: bool) -> None:
            seen.extend([] if done else [words])

        for most in (20, 5):
            lines, seen[:] = self.requests(), []
            with Session(self.read, deadline=time.monotonic() + 20, watch=watch) as session:
                converge(self.desired(), session)
            assert self.requests() - lines == len(seen) <= most, seen

    def requests(self) -> int:
        return self.server().log.read_text().count(" | vgw | ")

    def test_another_region_is_told(self) -> None:
        with pytest.raises(HookError, match='the region "eu-1" is wrong; expecting "us-east-1"'):
            self.converge(attrs.evolve(self.desired(), region="eu-1"))


@pytest.mark.real_server
class TestMinio(BucketProofs):
    missing = "admin:GetUser"
    accounts = "minio"

    @pytest.fixture(autouse=True)
    def _server(self, minio: MinIO) -> Generator[None]:
        self.minio = MinioHands(minio)
        yield from self.begin(self.minio)

    def test_a_key_with_further_rights_is_confined_again(self) -> None:
        self.converge(self.desired())
        before = self.state()
        self.minio.spoil_user(BUCKET)
        assert self.converge(self.desired()) == (
            f"set access key {BUCKET}: enabled",
            f"confine access key {BUCKET}",
        )
        assert self.state() == before

    def test_a_key_whose_policy_was_changed_is_confined_again(self) -> None:
        self.converge(self.desired())
        before = self.state()
        self.minio.allow_everything(BUCKET)
        assert self.converge(self.desired()) == (f"confine access key {BUCKET}",)
        assert self.state() == before

    def test_a_user_with_other_rights_is_left_alone(self) -> None:
        self.minio.add_user(BUCKET, BY_HAND)
        self.minio.admin.policy_set("readonly", user=BUCKET)
        changes = self.server().changes()
        with pytest.raises(HookError, match=f"'{BUCKET}' is somebody else's: it has policy readonly"):
            self.converge(self.desired())
        assert self.server().changes() == changes

    def test_a_secret_key_that_is_too_short_is_refused_and_not_told(self) -> None:
        secret = "7-chars"
        with (
            Session(lambda key: secret if key == SECRET else self.read(key), deadline=time.monotonic() + 5) as session,
            pytest.raises(HookError, match="at least 8 characters") as caught,
        ):
            converge(self.desired(), session)
        assert secret not in str(caught.value)


@pytest.mark.real_server
def test_a_gateway_without_accounts_or_versions_is_told_how_to_have_them(s3: S3) -> None:
    del s3  # where it cannot be had, this one cannot
    with WithoutAccounts() as server, contextlib.closing(VersityHands(server)) as hands:
        secrets = {ADMIN: server.admin_password, SECRET: SECRETS[SECRET]}
        desired = attrs.evolve(wanted(server, "versitygw"), actions=(), public=())
        without = attrs.evolve(desired, accounts="none")
        for each, expected in ((desired, "--iam-dir"), (without, "--versioning-dir")):
            with (
                Session(secrets.__getitem__, deadline=time.monotonic() + 5) as session,
                pytest.raises(HookError, match=expected),
            ):
                converge(each, session)
        hands.remove_bucket(BUCKET)
