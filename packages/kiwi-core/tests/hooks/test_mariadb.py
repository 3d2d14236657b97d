"""MariaDB's kind of hooks without a server: what is refused, what is wanted of what is lent, plans, hashes, accounts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    Asked,
    Credential,
    Home,
    Mariadb,
    MariadbBinding,
    MariadbOffer,
    Postgres,
    SecretKey,
)
from kiwi_core._hooks.mariadb import MariadbDatabase
from kiwi_core._hooks.mariadb_parts import MariadbServer, account_of, as_pattern, from_pattern, native_hash
from kiwi_core._hooks.mariadb_state import MariadbDatabaseState, MariadbSeen
from kiwi_core._model.desired import Desired, Mounted
from kiwi_core._model.hooks import Lent
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ComposeError

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
OWNER = "cust-acme/wiki"
USE = Mariadb("xwiki")
ADMIN = SecretKey("mariadb", "root")
OFFER = MariadbOffer(host="mariadb", admin=ADMIN)
BINDING = cast("MariadbBinding", OFFER.bind(USE, Asked(component="wiki"), HOME))


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: one database server."""

    bound: MariadbBinding = BINDING
    offered: MariadbOffer = OFFER
    owner: str = OWNER
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
            return Mounted(value, SecretKey(f"{value.secret}-old", value.key))
        assert isinstance(value, Credential)
        return Mounted(SecretKey("hook", value.name.replace("/", "-")))


LENT = cast("Lent", Lending())
WANTED = MariadbDatabase(on=USE, collation="utf8mb4_bin").desired(LENT)
BAD_NAMES = [
    ("Wiki", "has capitals, which some servers fold and others do not: write 'wiki'"),
    ("", "is no name that every client can write"),
    ("wi`ki", "use lower-case letters a to z"),
    ("wi'ki", "use lower-case letters a to z"),
    ("wi%ki", "use lower-case letters a to z"),
    ("wi\\ki", "use lower-case letters a to z"),
    ("wiki ", "use lower-case letters a to z"),
    ("wiki\0", "use lower-case letters a to z"),
    ("wikí", "use lower-case letters a to z"),
    ("-wiki", "begin with another than '-'"),
    ("mysql", "is the server's own"),
    ("w" * 81, "has 81 characters; MariaDB takes"),
]


@pytest.mark.parametrize(("name", "problem"), [*BAD_NAMES, ("root", "is the server's own")])
def test_a_bad_name_of_a_user_is_refused_with_what_to_do(name: str, problem: str) -> None:
    for make in (lambda: MariadbDatabase(on=USE, user=name), lambda: attrs.evolve(WANTED, user=name)):
        with pytest.raises(ValueError, match="user") as caught:
            make()
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "problem"), [*BAD_NAMES, ("sys", "is the server's own"), ("w" * 65, "has 65 characters; MariaDB takes 64")]
)
def test_a_bad_name_of_a_database_is_refused(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match="database") as caught:
        attrs.evolve(WANTED, database=name)
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["xwiki", "openxchange_user", "1st", "a-b", "w" * 64, "select"])
def test_a_name_that_every_client_can_write_is_taken(name: str) -> None:
    assert attrs.evolve(WANTED, database=name, user=name).user == name


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: MariadbDatabase(on=()), "expected one Mariadb use"),
        (lambda: MariadbDatabase(on=Postgres("xwiki")), "expected one Mariadb use"),
        (lambda: MariadbDatabase(on=USE, user=cast("str", 1)), "expected a text"),
        (lambda: MariadbDatabase(on=USE, collation="latin1_bin"), "is no collation such as 'utf8mb4_unicode_ci'"),
        (lambda: MariadbDatabase(on=USE, collation="utf8mb4_bin' --"), "is no collation such as"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert problem in str(caught.value)


def test_it_is_what_the_binding_says() -> None:
    server = MariadbServer(host="mariadb", port=3306, user="root", password=LENT.secret(ADMIN))
    wanted = MariadbDatabaseState(
        owner=OWNER,
        server=server,
        database="xwiki",
        user="xwiki",
        password=Mounted(SecretKey("hook", "wiki-mariadb-xwiki")),
        collation="utf8mb4_bin",
    )
    assert wanted == WANTED
    assert WANTED.subject == "database xwiki at mariadb:3306"
    assert MariadbDatabase(on=USE, user="xwiki_user").desired(LENT).user == "xwiki_user"
    hook = MariadbDatabase(on=USE)
    assert (hook.name, hook.kind) == ("mariadb-database-xwiki", WANTED.kind)


def test_the_administrator_is_refused() -> None:
    own = cast("Lent", Lending(offered=attrs.evolve(OFFER, admin_user="xwiki")))
    with pytest.raises(ComposeError, match="user 'xwiki', which is the server's own"):
        MariadbDatabase(on=USE).desired(own)


@pytest.mark.parametrize("desired", [WANTED, attrs.evolve(WANTED, collation=None)])
def test_it_goes_as_json(desired: Desired) -> None:
    converter = Converter({Desired: {WANTED.kind: MariadbDatabaseState}.__getitem__})
    data = json.loads(json.dumps(converter.unstructure(desired)))
    assert converter.structure(data, Desired, file="tasks") == desired


CONVERGED = MariadbSeen(
    administrator=True,
    is_there=True,
    mark=OWNER,
    collation="utf8mb4_bin",
    user=True,
    password=True,
    is_open=True,
    rights=True,
)


@pytest.mark.parametrize(
    ("changed", "steps"),
    [
        ({}, []),
        ({"administrator": False}, ["set administrator's password root"]),
        ({"mark": ""}, ["mark database xwiki: cust-acme/wiki"]),
        ({"collation": "utf8mb4_general_ci"}, ["alter database xwiki: utf8mb4_bin"]),
        ({"password": False, "is_open": False}, ["set password xwiki", "unlock xwiki"]),
        ({"rights": False}, ["grant xwiki: everything in xwiki"]),
        ({"user": False, "password": False, "is_open": False}, ["create user xwiki"]),
        ({"is_there": False, "mark": "", "collation": ""}, ["create database xwiki: utf8mb4_bin"]),
    ],
)
def test_it_needs_what_differs(changed: dict[str, Any], steps: list[str]) -> None:
    assert list(map(str, WANTED.plan(attrs.evolve(CONVERGED, **changed)))) == steps


@pytest.mark.parametrize(("collation", "steps"), [("utf8mb4_uca1400_ai_ci", 0), ("utf8mb3_bin", 1), ("latin1_bin", 1)])
def test_without_a_wish_any_collation_of_utf8mb4_will_do(collation: str, steps: int) -> None:
    free = attrs.evolve(WANTED, collation=None)
    assert len(free.plan(attrs.evolve(CONVERGED, collation=collation))) == steps


def test_from_nothing_it_has_an_order() -> None:
    assert [step.action for step in WANTED.plan(MariadbSeen(administrator=False))] == [
        "set administrator's password",
        "create database",
        "create user",
        "grant",
    ]


def test_a_password_is_kept_as_the_server_keeps_it() -> None:
    """What ``SELECT PASSWORD('password')`` gives."""
    assert native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"
    assert native_hash("ä") != native_hash("a")


@given(st.text("ab_%\\", max_size=8))
def test_a_pattern_means_one_name(name: str) -> None:
    assert from_pattern(as_pattern(name)) == name
    assert re.sub(r"\\.", "", as_pattern(name)).strip("ab") == ""


ENTRY = {"access": 0, "plugin": "mysql_native_password", "authentication_string": "*ab", "password_last_changed": 1}


ACCOUNTS: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {}),
    ({"auth_or": [{}]}, {}),
    ({"auth_or": [{}, {"plugin": "unix_socket"}]}, {"is_plain": False}),
    ({"password_last_changed": 0}, {"is_plain": False}),
    ({"plugin": "ed25519"}, {"is_plain": False, "stored": ""}),
    ({"account_locked": True}, {"is_locked": True}),
    ({"is_role": True}, {"is_role": True}),
    ({"access": 1}, {"has_global_rights": True}),
]


@pytest.mark.parametrize(("changed", "told"), ACCOUNTS)
def test_an_account_is_read(changed: dict[str, object], told: dict[str, object]) -> None:
    plain = {"stored": "*AB", "is_plain": True, "is_locked": False, "is_role": False, "has_global_rights": False}
    assert attrs.asdict(account_of(json.dumps({**ENTRY, **changed}))) == {**plain, **told}


def test_an_account_is_not_shown_with_what_is_kept() -> None:
    assert "*AB" not in repr(account_of(json.dumps(ENTRY)))
    assert not account_of("{}").is_plain


def test_what_authors_import_needs_no_client() -> None:
    code = (
        "import sys\n"
        "import kiwi_core._hooks.mariadb, kiwi_core._hooks.mariadb_state\n"
        "assert 'pymysql' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
