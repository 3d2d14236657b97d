"""PostgreSQL's kinds of hooks without a server: what is refused, what is wanted of what is lent, plans, verifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import (
    Asked,
    Bucket,
    Credential,
    Home,
    Hook,
    Postgres,
    PostgresBinding,
    PostgresDatabase,
    PostgresGrant,
    PostgresOffer,
    PostgresRole,
    SecretKey,
)
from kiwi_core._hooks.marks import marked, owner_of, refuse_foreign
from kiwi_core._hooks.postgres_database import DatabaseSeen, DatabaseState
from kiwi_core._hooks.postgres_errors import error_of, why_not
from kiwi_core._hooks.postgres_parts import PostgresServer
from kiwi_core._hooks.postgres_role import RoleSeen, RoleState
from kiwi_core._hooks.scram import fits
from kiwi_core._model.desired import Desired, Mounted
from kiwi_core._model.hooks import Lent
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ComposeError, Conflict, Forbidden, HookError, Refused, Unreachable

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
OWNER = "cust-acme/onyx"
USE = Postgres("onyx")
ADMIN = SecretKey("pg-admin", "password")
OFFER = PostgresOffer(host="postgresql", admin=ADMIN)
BINDING = cast("PostgresBinding", OFFER.bind(USE, Asked(component="onyx"), HOME))
OWN = Credential("onyx", "readonly")


@attrs.frozen(kw_only=True)
class Lending:
    """What a hook is lent: one database server."""

    bound: PostgresBinding = BINDING
    offered: PostgresOffer = OFFER
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
ROLE = PostgresRole(on=USE, createdb=True, member_of=("readers",)).desired(LENT)
DATABASE = PostgresDatabase(
    on=USE,
    extensions=("pg_trgm", "uuid-ossp"),
    grants=(
        PostgresGrant(to="onyx_ro", privileges=("CONNECT",)),
        PostgresGrant(to="onyx_ro", schema="public", privileges=("USAGE",)),
    ),
    locale="C",
).desired(LENT)


@pytest.mark.parametrize("name", ["onyx", "onyx_readonly", "1st", "_x", "a-b", "a" * 63, "user", "select"])
def test_a_name_that_every_client_can_write_is_taken(name: str) -> None:
    assert PostgresRole(on=USE, role=name, password=OWN).desired(LENT).role == name


BAD_NAMES = [
    ("Onyx", "folds wherever the name is not quoted: write 'onyx'"),
    ("a" * 64, "has 64 characters, and PostgreSQL cuts names after 63"),
    ("", "is no name that every client can write"),
    ('o"; DROP ROLE x; --', "is no name that every client can write"),
    ("o'nyx", "use lower-case letters a to z"),
    ("on yx", "use lower-case letters a to z"),
    ("onyx\n", "use lower-case letters a to z"),
    ("onyx\0", "use lower-case letters a to z"),
    ("önyx", "use lower-case letters a to z"),
    ("Önyx", "use lower-case letters a to z"),
    ("\ud800", "use lower-case letters a to z"),
    ("-onyx", "begin with another than '-'"),
]


@pytest.mark.parametrize(
    ("name", "problem"),
    [*BAD_NAMES, ("pg_admin", "is reserved by PostgreSQL"), ("public", "is reserved"), ("none", "is reserved")],
)
def test_a_bad_name_of_a_role_is_refused_with_what_to_do(name: str, problem: str) -> None:
    for make in (
        lambda: PostgresRole(on=USE, role=name, password=OWN),
        lambda: PostgresRole(on=USE, member_of=(name,)),
        lambda: PostgresDatabase(on=USE, owner=name),
        lambda: PostgresGrant(to=name, privileges=("CONNECT",)),
        lambda: attrs.evolve(ROLE, role=name),
        lambda: attrs.evolve(DATABASE, role=name),
    ):
        with pytest.raises(ValueError, match=r"^(role|member_of|owner|to) ") as caught:
            make()
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "problem"), [*BAD_NAMES, ("postgres", "is the server's own"), ("template1", "is the")]
)
def test_a_bad_name_of_a_database_is_refused(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match="database") as caught:
        attrs.evolve(DATABASE, database=name)
    assert problem in str(caught.value)


@given(st.text(max_size=70))
def test_any_text_is_either_refused_or_means_the_same_unquoted(name: str) -> None:
    try:
        role = attrs.evolve(ROLE, role=name).role
    except ValueError as error:
        assert str(error).startswith("role ")  # noqa: PT017 -- either is right
    else:
        assert role == name.lower() == name.strip()
        assert 0 < len(role.encode()) < 64
        assert not set(role) & set("\"'`;\\%\0 \n")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: PostgresRole(on=()), "expected one Postgres use"),
        (lambda: PostgresRole(on=(USE, Postgres("b"))), "expected one Postgres use"),
        (lambda: PostgresDatabase(on=Bucket("onyx")), "expected one Postgres use"),
        (lambda: PostgresRole(on=USE, role="onyx_ro"), "has no password: give it one of its own"),
        (lambda: PostgresRole(on=USE, login=False), "give it a name"),
        (lambda: PostgresRole(on=USE, role="readers", password=OWN, login=False), "and no password"),
        (lambda: PostgresRole(on=USE, role="a", password=OWN, member_of=("a",)), "member of itself"),
        (lambda: PostgresRole(on=USE, member_of=cast("tuple[str, ...]", "readers")), "expected a tuple"),
        (lambda: PostgresRole(on=USE, role=cast("str", 1), password=OWN), "expected a text"),
        (lambda: PostgresDatabase(on=USE, extensions=("pg_trgm; DROP",)), "extensions"),
        (lambda: PostgresDatabase(on=USE, extensions=cast("tuple[str, ...]", ["pg_trgm"])), "expected a tuple"),
        (lambda: PostgresDatabase(on=USE, grants=cast("tuple[PostgresGrant, ...]", ("a",))), "PostgresGrant"),
        (lambda: PostgresDatabase(on=USE, locale="C'; --"), "is no locale such as"),
        (lambda: PostgresGrant(to="a", privileges=()), "privileges"),
        (lambda: PostgresGrant(to="a", privileges=("USAGE",)), "is none of a database: CONNECT, CREATE, TEMPORARY"),
        (lambda: PostgresGrant(to="a", schema="x", privileges=("CONNECT",)), "is none of a schema: CREATE, USAGE"),
        (lambda: PostgresGrant(to="a", schema="pg_catalog", privileges=("USAGE",)), "is the server's own"),
        (lambda: PostgresGrant(to="a", schema='a"b', privileges=("USAGE",)), "schema"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert problem in str(caught.value)


def test_a_role_is_that_of_the_binding() -> None:
    server = PostgresServer(host="postgresql", port=5432, user="postgres", password=LENT.secret(ADMIN))
    assert server.password == Mounted(ADMIN, SecretKey("pg-admin-old", "password"))
    wanted = RoleState(
        owner=OWNER,
        server=server,
        role="onyx",
        password=Mounted(SecretKey("hook", "onyx-postgres-onyx")),
        createdb=True,
        member_of=("readers",),
    )
    assert wanted == ROLE
    assert ROLE.subject == "role onyx at postgresql:5432"


def test_an_extra_role_has_its_own_password_or_none() -> None:
    extra = PostgresRole(on=USE, role="onyx_ro", password=OWN, name="readonly").desired(LENT)
    assert (extra.role, extra.password) == ("onyx_ro", Mounted(SecretKey("hook", "onyx-readonly")))
    assert PostgresRole(on=USE, role="readers", login=False).desired(LENT).password is None


def test_a_database_is_that_of_the_binding() -> None:
    assert (DATABASE.database, DATABASE.role, DATABASE.owner) == ("onyx", "onyx", OWNER)
    assert PostgresDatabase(on=USE, owner="boss").desired(LENT).role == "boss"
    assert DATABASE.subject == "database onyx at postgresql:5432"


def test_what_is_the_servers_own_is_refused() -> None:
    own = cast("Lent", Lending(offered=attrs.evolve(OFFER, admin_user="onyx", admin_database="onyx")))
    with pytest.raises(ComposeError, match="role 'onyx', which is the server's own"):
        PostgresRole(on=USE).desired(own)
    with pytest.raises(ComposeError, match="database 'onyx', which is the server's own"):
        PostgresDatabase(on=USE).desired(own)


@pytest.mark.parametrize(
    "desired", [ROLE, DATABASE, attrs.evolve(ROLE, password=None)], ids=["role", "database", "group"]
)
def test_it_goes_as_json(desired: Desired) -> None:
    converter = Converter({Desired: {kind.kind: kind for kind in (RoleState, DatabaseState)}.__getitem__})
    data = json.loads(json.dumps(converter.unstructure(desired)))
    assert converter.structure(data, Desired, file="tasks") == desired


def test_kinds_are_named_alike() -> None:
    assert (PostgresRole.kind, PostgresDatabase.kind) == (RoleState.kind, DatabaseState.kind)
    hooks: tuple[Hook, ...] = (PostgresRole(on=USE), PostgresDatabase(on=USE))
    assert [hook.name for hook in hooks] == ["postgres-role-onyx", "postgres-database-onyx"]


CONVERGED = RoleSeen(
    administrator=True, is_there=True, mark=OWNER, password=True, login=True, createdb=True, member_of=("readers",)
)


@pytest.mark.parametrize(
    ("changed", "steps"),
    [
        ({}, []),
        ({"administrator": False}, ["set administrator's password postgres"]),
        ({"mark": ""}, ["mark role onyx: cust-acme/onyx"]),
        ({"password": False}, ["set password onyx"]),
        ({"login": False, "createdb": False}, ["alter role onyx: LOGIN, CREATEDB"]),
        ({"createrole": True}, ["alter role onyx: NOCREATEROLE"]),
        ({"expires": True}, ["alter role onyx: VALID UNTIL 'infinity'"]),
        ({"member_of": ()}, ["join readers: onyx"]),
    ],
)
def test_a_role_needs_what_differs(changed: dict[str, Any], steps: list[str]) -> None:
    assert list(map(str, ROLE.plan(attrs.evolve(CONVERGED, **changed)))) == steps


def test_a_role_is_made_then_marked_then_joined() -> None:
    assert list(map(str, ROLE.plan(RoleSeen(administrator=False)))) == [
        "set administrator's password postgres",
        "create role onyx: LOGIN, CREATEDB, NOCREATEROLE",
        "mark role onyx: cust-acme/onyx",
        "join readers: onyx",
    ]


def test_a_database_is_made_then_marked_then_filled() -> None:
    assert list(map(str, DATABASE.plan(DatabaseSeen(administrator=False)))) == [
        "set administrator's password postgres",
        "create database onyx: owner onyx",
        "mark database onyx: cust-acme/onyx",
        "install extension pg_trgm: onyx",
        "install extension uuid-ossp: onyx",
        "grant CONNECT on the database to onyx_ro",
        "grant USAGE on schema public to onyx_ro",
    ]
    whole = DatabaseSeen(
        administrator=True,
        is_there=True,
        mark=OWNER,
        role="onyx",
        extensions=DATABASE.extensions,
        grants=DATABASE.grants,
    )
    assert DATABASE.plan(whole) == []
    assert list(map(str, DATABASE.plan(attrs.evolve(whole, role="postgres")))) == ["give database onyx: owner onyx"]


def verifier(password: str, *, iterations: int = 4096) -> str:
    """RFC 5803, step by step."""
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


@pytest.mark.parametrize("password", ["x", "5fa3'); DROP ROLE", " spaces ", "~!@#$%^&*()"])
def test_a_verifier_fits_its_password_alone(password: str) -> None:
    assert fits(verifier(password), password)
    assert fits(verifier(password, iterations=1), password)
    assert not fits(verifier(password), password + "x")
    assert not fits(verifier(password).replace("$4096:", "$4095:"), password)


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "",
        "x",
        "md5" + hashlib.md5(b"xonyx", usedforsecurity=False).hexdigest(),
        verifier("x") + "\n",
        verifier("x").replace("$4096:", "$99999999999:"),
        "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$4096:A$AAAA:AAAA",
    ],
)
def test_what_is_no_such_verifier_fits_nothing(kept: str | None) -> None:
    assert not fits(kept, "x")


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"))))
def test_a_mark_leaves_what_people_wrote(lines: list[str]) -> None:
    written = [line for line in lines if not line.startswith("kiwistack: ")]
    comment = marked("\n".join(lines), OWNER)
    assert owner_of(comment) == OWNER
    assert comment == marked(comment, OWNER) == marked(marked(comment, "cust-acme/wiki"), OWNER)
    assert [line for line in written if line] == [line for line in comment.split("\n")[:-1] if line]


def test_anothers_mark_is_refused_with_both_names() -> None:
    refuse_foreign("role onyx", None, OWNER)
    refuse_foreign("role onyx", "of the DBA", OWNER)
    refuse_foreign("role onyx", f"kiwistack: {OWNER}", OWNER)
    with pytest.raises(HookError, match="role onyx is cust-acme/wiki's; cust-acme/onyx wants it, too"):
        refuse_foreign("role onyx", "kiwistack: cust-acme/wiki", OWNER)


def test_what_authors_import_needs_no_client() -> None:
    code = (
        "import sys\n"
        "from kiwi_core import PostgresDatabase, PostgresRole\n"
        "import kiwi_core._hooks.postgres_database, kiwi_core._hooks.postgres_role\n"
        "assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FAILED = 'connection to server at "db" (192.0.2.7), port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "used_password", "form"),
    [
        (f'{FAILED}FATAL:  password authentication failed for user "x"', True, Refused),
        (f"{FAILED}FATAL:  Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen", True, Refused),
        (f'{FAILED}FATAL:  role "x" is not permitted to log in', True, Refused),
        (f'{FAILED}FATAL:  no pg_hba.conf entry for host "192.0.2.8", user "x", database "y"', False, Refused),
        (f"{FAILED}FATAL:  the database system is starting up", False, Unreachable),
        (f"{FAILED}FATAL:  das Datenbanksystem startet", False, Unreachable),
        (f"{FAILED}FATAL:  the database system is shutting down", False, Unreachable),
        (f"{FAILED}FATAL:  the database system is not yet accepting connections", False, Unreachable),
        (f"{FAILED}FATAL:  terminating connection due to administrator command", True, Unreachable),
        (f"{FAILED}FATAL:  sorry, too many clients already", False, Unreachable),
        (f"{FAILED}FATAL:  remaining connection slots are reserved for roles with SUPERUSER", True, Unreachable),
        (f'{FAILED}FATAL:  too many connections for role "x"', True, Unreachable),
        (f"{FAILED}server closed the connection unexpectedly\n\tThis probably means …", True, Unreachable),
        (f"{FAILED}Connection refused\n\tIs the server running on that host?", False, Unreachable),
        ("[Errno -2] Name or service not known", False, Unreachable),
        ("connection timeout expired", False, Unreachable),
        (f'{FAILED}FATAL:  permission denied for database "y"', True, Forbidden),
        (f'{FAILED}FATAL:  database "y" is not currently accepting connections', True, HookError),
        ("", False, Unreachable),
        ("", True, Refused),
    ],
)
def test_a_failed_sign_in_means(said: str, used_password: bool, form: type[HookError]) -> None:  # noqa: FBT001
    error = why_not(said, "db:5432, database y: x", used_password=used_password)
    assert type(error) is form
    assert str(error).startswith("db:5432, database y: x could not sign in: ")


@pytest.mark.parametrize(
    ("state", "said", "form"),
    [
        ("57P03", "the database system is starting up", Unreachable),
        ("57P01", "terminating connection due to administrator command", Unreachable),
        ("08006", "the connection broke", Unreachable),
        ("53300", "sorry, too many clients already", Unreachable),
        ("55P03", "canceling statement due to lock timeout", Unreachable),
        ("25006", "cannot execute CREATE ROLE in a read-only transaction", Unreachable),
        ("28000", "role is not permitted to log in", Refused),
        ("28P01", "password authentication failed", Refused),
        ("42501", "permission denied to create role", Forbidden),
        ("42710", 'role "x" already exists', Conflict),
        ("42P04", 'database "x" already exists', Conflict),
        ("23505", "duplicate key value violates unique constraint", Conflict),
        ("40P01", "deadlock detected", Conflict),
        ("55006", "source database is being accessed by other users", Conflict),
        ("XX000", "tuple concurrently updated", Conflict),
        ("XX000", "cache lookup failed", HookError),
        ("53100", "could not extend file: No space left on device", HookError),
        ("42601", "syntax error", HookError),
        ("", "?", HookError),
    ],
)
def test_a_failed_statement_means(state: str, said: str, form: type[HookError]) -> None:
    error = error_of(state, said, "db:5432: create role x", "boss lacks CREATEROLE")
    assert type(error) is form
    assert said in str(error)
    assert ("boss lacks CREATEROLE" in str(error)) is (form is Forbidden)
