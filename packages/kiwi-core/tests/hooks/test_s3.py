"""S3 buckets without a server: names, policies, what is wanted of what is lent, plans, and what answers mean."""

from __future__ import annotations

import ipaddress
import json
import random
import re
import string
import sys
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Asked, Bucket, BucketBinding, BucketOffer, Credential, Home, Postgres, SecretKey
from kiwi_core._hooks.http import Reply
from kiwi_core._hooks.s3 import S3Bucket
from kiwi_core._hooks.s3_client import S3, Key, Wire, failure, texts
from kiwi_core._hooks.s3_parts import Account, canonical, document, name_problem, reads, uses
from kiwi_core._hooks.s3_state import BucketState, Found
from kiwi_core._model.desired import Desired, Mounted, Session
from kiwi_core._model.hooks import Lent
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ComposeError, Conflict, ExternalError, Forbidden, HookError, Refused, Unreachable

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
USE = Bucket("onyx-files")
ADMIN = SecretKey("minio", "root")
MINIO = BucketOffer(endpoint_url="http://minio:9000", admin_user="root", admin=ADMIN)
BINDING = MINIO.bind(USE, Asked(component="onyx"), HOME)


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: one bucket."""

    bound: BucketBinding = BINDING
    offered: BucketOffer = MINIO
    owner: str = "cust-acme/onyx"
    home: Home = HOME

    def binding(self, use: object) -> Any:  # Any: the protocol is generic
        assert use == USE
        return self.bound

    def offer(self, use: object, form: type) -> Any:  # Any: as above
        assert use == USE
        assert isinstance(self.offered, form)
        return self.offered

    def secret(self, value: object) -> Mounted:
        if isinstance(value, SecretKey):
            return Mounted(value)
        assert isinstance(value, Credential)
        return Mounted(SecretKey("hook", value.name.replace("/", "-")))


LENT = cast("Lent", Lending())


def wanted(**changes: Any) -> BucketState:  # Any: fields of many types
    return attrs.evolve(S3Bucket(on=USE).desired(LENT), **changes)


@pytest.mark.parametrize("name", ["abc", "a-b", "a.b.c", "3.14.15.92.6", "a" * 63, "a--b", "192.168.5.x", "minio2"])
def test_s3_takes_a_name(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ab", "it has 2 characters: use 3 to 63"),
        ("a" * 64, "it has 64 characters: use 3 to 63"),
        ("Files", "use lower-case letters, digits, '-' and single '.'"),
        ("my_files", "use lower-case letters"),
        ("-files", "begins and ends with a letter or digit"),
        ("files-", "begins and ends with a letter or digit"),
        ("a..b", "single '.'"),
        (".abc", "single '.'"),
        ("abc.", "single '.'"),
        ("a.-b", "each part between dots begins"),
        ("äöü", "use lower-case letters"),
        ("abc\n", "use lower-case letters"),
        ("192.168.5.4", "it looks like an IP address: put a letter in it"),
        ("xn--files", "S3 keeps names that begin with 'xn--' for itself"),
        ("sthree-files", "begin with 'sthree-'"),
        ("amzn-s3-demo-files", "begin with 'amzn-s3-demo-'"),
        ("files-s3alias", "end with '-s3alias'"),
        ("files--ol-s3", "end with '--ol-s3'"),
        ("files.mrap", "end with '.mrap'"),
        ("files--x-s3", "end with '--x-s3'"),
        ("files--table-s3", "end with '--table-s3'"),
        ("minio", "MinIO keeps 'minio' for itself: use another"),
    ],
)
def test_s3_refuses_a_name(name: str, problem: str) -> None:
    assert problem in (name_problem(name) or "it was taken")


@given(st.text("ab1.-A_", max_size=66) | st.from_regex(r"[a-z0-9.-]{1,64}", fullmatch=True))
def test_a_name_that_is_taken_keeps_every_rule(name: str) -> None:
    if name_problem(name) is None:
        assert 3 <= len(name) <= 63
        assert set(name) <= set(string.ascii_lowercase + string.digits + ".-")
        assert {name[0], name[-1]} <= set(string.ascii_lowercase + string.digits)
        assert ".." not in name
        with pytest.raises(ipaddress.AddressValueError):
            ipaddress.IPv4Address(name)


@pytest.mark.parametrize(
    ("wrong", "error", "problem"),
    [
        ({"on": Bucket("ab")}, ValueError, "on: S3 takes no bucket 'ab': it has 2 characters"),
        ({"on": Bucket("minio")}, ValueError, "S3 takes no bucket 'minio'"),
        ({"on": Postgres("onyx")}, TypeError, "expected one use such as Bucket"),
        ({"on": (USE, Bucket("more"))}, TypeError, "expected one use such as Bucket"),
        ({"on": ()}, TypeError, "expected one use such as Bucket"),
        ({"actions": "s3:PutObjectAcl"}, TypeError, "actions: .* expected a tuple"),
        ({"actions": ("s3:*",)}, ValueError, r"actions: 's3:\*' is no action by its name"),
        ({"actions": ("PutObject",)}, ValueError, "actions: 'PutObject' is no action"),
        ({"actions": (1,)}, TypeError, "actions: found 1, expected a text"),
        ({"public": ("",)}, ValueError, "public: '' is no beginning of keys"),
        ({"public": ("/assets",)}, ValueError, "public: '/assets' is no beginning of keys"),
        ({"public": ("*",)}, ValueError, "is no beginning of keys"),
        ({"public": ("a/${aws:username}",)}, ValueError, "is no beginning of keys"),
        ({"public": ('a"b',)}, ValueError, "is no beginning of keys"),
    ],
)
def test_what_an_author_writes_wrongly_is_refused(wrong: dict[str, Any], error: type[Exception], problem: str) -> None:
    fields: dict[str, Any] = {"on": USE, **wrong}
    with pytest.raises(error, match=problem):
        S3Bucket(**fields)


def test_the_bucket_of_a_use_is_wanted_with_what_is_lent() -> None:
    hook = S3Bucket(on=USE, versioning=True, actions=("s3:PutObjectAcl",), public=("assets/",))
    desired = hook.desired(LENT)
    assert desired == BucketState(
        owner="cust-acme/onyx",
        endpoint="http://minio:9000",
        region="us-east-1",
        accounts="minio",
        admin_user="root",
        admin=Mounted(ADMIN),
        bucket="onyx-files",
        access_key="onyx-files",
        secret_key=Mounted(SecretKey("hook", "onyx-bucket-onyx-files")),
        versioning=True,
        actions=("s3:PutObjectAcl",),
        public=("assets/",),
    )
    assert (hook.name, desired.subject) == ("s3-bucket-onyx-files", "bucket onyx-files at minio:9000")


@pytest.mark.parametrize("url", ["http://minio", "https://minio.example"])
def test_the_port_that_goes_without_saying_is_said(url: str) -> None:
    assert wanted(endpoint=url).subject in {"bucket onyx-files at minio:80", "bucket onyx-files at minio.example:443"}


@pytest.mark.parametrize(
    ("lending", "problem"),
    [
        (Lending(offered=attrs.evolve(MINIO, admin_user="onyx-files")), "'onyx-files', which is the administrator's"),
        (Lending(offered=attrs.evolve(MINIO, admin_user="a/b")), "'a/b' is no access key of an administrator"),
        (Lending(offered=attrs.evolve(MINIO, region="")), "'' is no region"),
        (Lending(offered=attrs.evolve(MINIO, endpoint_url="minio:9000")), "is no URL of a server"),
        (Lending(offered=attrs.evolve(MINIO, accounts="none")), "leave out actions and public"),
        (Lending(bound=attrs.evolve(BINDING, bucket="Files")), "bucket 'Files', which S3 does not take: use lower"),
        (Lending(bound=attrs.evolve(BINDING, access_key="a,b")), "access key 'a,b', which not every server takes"),
    ],
)
def test_what_cannot_be_made_is_refused_when_composed(lending: Lending, problem: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(problem)):
        S3Bucket(on=USE, public=("assets/",)).desired(cast("Lent", lending))


def test_an_offer_says_whose_accounts_there_are() -> None:
    assert MINIO.accounts == "minio"
    with pytest.raises(ValueError, match="accounts"):
        attrs.evolve(MINIO, accounts=cast("Any", "ceph"))


@pytest.mark.parametrize("accounts", ["minio", "versitygw", "none"])
def test_it_survives_as_data(accounts: str) -> None:
    converter = Converter({Desired: {"s3-bucket": BucketState}.__getitem__})
    state = wanted(accounts=accounts, versioning=False, actions=("s3:PutObjectAcl",), public=("a", "b"))
    data = json.loads(json.dumps(converter.unstructure(state)))
    assert converter.structure(data, Desired, file="the data") == state


OF_MINIO = Account(standing="enabled", policy=canonical(document(uses("onyx-files", ()))))
IN_BUCKET = canonical(document(uses("onyx-files", (), principal="onyx-files")))
MINE = Found(bucket=True, owner="cust-acme/onyx", access_key="onyx-files", policy="", account=OF_MINIO, answer="works")
GATEWAYS = attrs.evolve(MINE, policy=IN_BUCKET, account=Account(standing="user"))
ELSEWHERE = attrs.evolve(MINE, policy=None, account=None)


@pytest.mark.parametrize(
    ("state", "found", "steps"),
    [
        ({}, MINE, []),
        ({"versioning": False}, attrs.evolve(MINE, versioned=False), []),
        ({"versioning": True}, attrs.evolve(MINE, versioned=False), ["set versioning of bucket onyx-files: on"]),
        ({"versioning": False}, attrs.evolve(MINE, versioned=True), ["set versioning of bucket onyx-files: off"]),
        ({}, attrs.evolve(MINE, owner=""), ["adopt bucket onyx-files: cust-acme/onyx"]),
        ({}, attrs.evolve(MINE, access_key=""), ["mark bucket onyx-files: cust-acme/onyx"]),
        ({}, attrs.evolve(MINE, policy="{}"), ["remove policy of bucket onyx-files"]),
        ({}, attrs.evolve(MINE, answer="unknown"), ["set access key onyx-files: secret key"]),
        ({}, attrs.evolve(MINE, answer="barred"), ["confine access key onyx-files"]),
        (
            {},
            Found(bucket=False),
            [
                "create bucket onyx-files",
                "mark bucket onyx-files: cust-acme/onyx",
                "create access key onyx-files",
                "confine access key onyx-files",
            ],
        ),
        (
            {},
            attrs.evolve(MINE, account=Account(standing="disabled", others=("group staff",)), answer="unknown"),
            ["set access key onyx-files: enabled", "confine access key onyx-files"],
        ),
        ({"public": ("a",)}, MINE, ["set policy of bucket onyx-files"]),
        ({"actions": ("s3:PutObjectAcl",)}, MINE, ["confine access key onyx-files"]),
        ({"accounts": "versitygw"}, GATEWAYS, []),
        (
            {"accounts": "versitygw"},
            attrs.evolve(GATEWAYS, answer="barred"),
            ["set policy of bucket onyx-files"],
        ),
        (
            {"accounts": "versitygw"},
            attrs.evolve(GATEWAYS, account=Account(standing="admin")),
            ["set access key onyx-files: user"],
        ),
        (
            {"accounts": "versitygw"},
            attrs.evolve(GATEWAYS, account=None, policy=""),
            ["create access key onyx-files", "set policy of bucket onyx-files"],
        ),
        ({"accounts": "none"}, ELSEWHERE, []),
        ({"accounts": "none"}, attrs.evolve(ELSEWHERE, answer="barred"), ["ask for access key onyx-files"]),
    ],
)
def test_a_plan_has_what_is_missing_and_no_more(state: dict[str, Any], found: Found, steps: list[str]) -> None:
    assert [str(step) for step in wanted(**state).plan(found)] == steps


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (attrs.evolve(MINE, owner="cust-acme/wiki"), "belongs to cust-acme/wiki, and cust-acme/onyx wants it"),
        (Found(bucket=False, account=Account(standing="admin")), "is somebody else's: it has role admin"),
        (
            attrs.evolve(
                MINE, owner="", account=Account(standing="enabled", others=("policy consoleAdmin", "group x"))
            ),
            "is somebody else's: it has policy consoleAdmin, group x",
        ),
    ],
)
def test_what_is_somebody_elses_is_refused(found: Found, problem: str) -> None:
    with pytest.raises(HookError, match=problem):
        wanted().plan(found)


ACTIONS = st.lists(st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket"]), min_size=1, unique=True)
STATEMENTS = st.lists(st.tuples(ACTIONS, st.booleans()), max_size=4)


@given(STATEMENTS, st.randoms(use_true_random=False))
def test_a_policy_that_says_the_same_is_equal(parts: list[tuple[list[str], bool]], chance: random.Random) -> None:
    assert canonical(policy_of(parts)) == canonical(json.dumps(rewritten(json.loads(policy_of(parts)), chance)))


@given(STATEMENTS, STATEMENTS)
def test_a_policy_that_says_otherwise_is_not(
    one: list[tuple[list[str], bool]], other: list[tuple[list[str], bool]]
) -> None:
    def meant(parts: list[tuple[list[str], bool]]) -> set[tuple[frozenset[str], bool]]:
        return {(frozenset(actions), is_public) for actions, is_public in parts}

    assert (canonical(policy_of(one)) == canonical(policy_of(other))) is (meant(one) == meant(other))


def policy_of(parts: list[tuple[list[str], bool]]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": ["*" if is_public else "onyx"]},
                    "Action": actions,
                    "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::a/*"],
                    "Condition": {"StringLike": {"s3:prefix": ["a", "b"]}},
                }
                for actions, is_public in parts
            ],
        }
    )


def rewritten(value: Any, chance: random.Random) -> Any:  # Any: JSON
    """The same policy, as another server would say it."""
    if isinstance(value, dict):
        members = {key: rewritten(member, chance) for key, member in cast("dict[str, Any]", value).items()}
        if "Effect" in members:
            members |= chance.choice([{}, {"Sid": "by-hand", "NotAction": []}])
        if members.get("AWS") in ("*", ["*"]) and chance.random() < 0.5:
            return "*"
        return dict(chance.sample(list(members.items()), len(members)))
    if isinstance(value, list):
        items = [rewritten(item, chance) for item in cast("list[object]", value)]
        chance.shuffle(items)
        return items[0] if len(items) == 1 and chance.random() < 0.5 else items
    return value


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '"text"', "[" * 100_000])
def test_what_is_no_policy_is_equal_to_itself_alone(text: str) -> None:
    assert canonical(text) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Effect", "Principal", "AWS", "Sid"]), inner),
)


@given(JSON)
def test_whatever_a_server_calls_a_policy_can_be_compared(value: object) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": value})
    assert canonical(text) == canonical(json.dumps(json.loads(text), indent=1))


def test_everybody_may_read_what_begins_so_and_nothing_else() -> None:
    statement = reads("onyx-files", ("b/", "a/"))
    assert (statement["Action"], statement["Principal"]) == (["s3:GetObject"], {"AWS": ["*"]})
    assert statement["Resource"] == ["arn:aws:s3:::onyx-files/a/*", "arn:aws:s3:::onyx-files/b/*"]


def test_an_access_key_may_not_set_up_its_bucket_unless_it_is_told_to() -> None:
    actions = cast("list[str]", uses("onyx-files", ())["Action"])
    assert not [action for action in actions if re.match(r"s3:(Put|Delete|Create)Bucket|.*\*", action)]
    assert "s3:DeleteObjectVersion" not in actions
    assert "s3:PutBucketCORS" in cast("list[str]", uses("onyx-files", ("s3:PutBucketCORS",))["Action"])


def answer(status: int, body: str) -> Reply:
    return Reply(at="minio:9000", words="GET policy of bucket a", status=status, headers={}, body=body.encode())


def error_of(code: str, message: str = "") -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


@pytest.mark.parametrize(
    ("reply", "form", "said"),
    [
        (answer(403, error_of("SignatureDoesNotMatch")), Refused, "does not take the access key 'root'"),
        (answer(403, error_of("InvalidAccessKeyId")), Refused, "does not take the access key 'root'"),
        (answer(403, '{"Code": "InvalidAccessKeyId"}'), Refused, "does not take the access key 'root'"),
        (answer(403, error_of("AccessDenied")), Forbidden, "the access key 'root' lacks s3:GetBucketPolicy"),
        (answer(404, error_of("NoSuchBucket")), Conflict, "answered NoSuchBucket to GET policy"),
        (answer(503, error_of("SlowDown")), Unreachable, "503 Service Unavailable to GET policy of bucket a: SlowDown"),
        (answer(503, '{"Code": "XMinioServerNotInitialized"}'), Unreachable, "XMinioServerNotInitialized"),
        (answer(500, "what?"), Unreachable, "answered 500"),
        (answer(403, error_of("RequestTimeTooSkewed")), HookError, "the clocks of minio:9000 and of this machine"),
        (answer(400, error_of("AuthorizationHeaderMalformed", "use eu-1")), HookError, "this region: use eu-1"),
        (answer(501, error_of("VersioningNotConfigured")), HookError, "--versioning-dir"),
        (answer(400, error_of("MalformedPolicy", "bad\nthing")), HookError, "MalformedPolicy: bad thing"),
    ],
)
def test_an_error_of_a_server_says_what_it_means(reply: Reply, form: type[HookError], said: str) -> None:
    told = "bad thing" if "bad" in said else ""
    error = failure(reply, "root", needs="s3:GetBucketPolicy", said=told)
    assert type(error) is form
    assert "minio:9000" in str(error)
    assert said in str(error)


def test_texts_are_found_with_and_without_a_namespace() -> None:
    body = "<a xmlns='urn:x'><Tag><Key>k</Key><Value/></Tag></a>"
    for text in (body, body.replace(" xmlns='urn:x'", "")):
        assert texts(answer(200, text), "Tag") == [{"Key": "k", "Value": ""}]
    with pytest.raises(HookError, match="something that is not XML"):
        texts(answer(200, "<a>"), "Tag")


@pytest.mark.parametrize("module", ["minio.signer", "minio.credentials.credentials"])
def test_without_the_extra_it_is_said_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("urllib3", reason="the extra kiwi-core[hooks] is not installed")
    monkeypatch.setitem(sys.modules, module, None)
    with Session(lambda _: "") as session:
        wire = Wire("http://127.0.0.1:1", "us-east-1", session)
        with pytest.raises(ExternalError, match=re.escape("install kiwi-core[hooks]")):
            S3(wire, Key("root", "secret")).policy("onyx-files")
        wire.close()


def test_a_key_does_not_show_its_secret() -> None:
    assert "hunter2" not in repr(Key("root", "hunter2"))
