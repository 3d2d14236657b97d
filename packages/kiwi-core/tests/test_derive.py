"""Derivation: byte for byte what the real Helm gives, clear about bad input, one key for each scope."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import attrs
import derive_vectors
import pytest
from derive_vectors import Group
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._derive import credentials as derivation
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import CLASSES, FORMS, LAST_COUNTER, CredentialError, ScopeKey, Seed, derive_password
from kiwi_core._model.late import TEMPLATES, Credential
from kiwi_core.errors import InputError, Problem

VECTORS, LATE_VECTORS = derive_vectors.read()
SEED = Seed("correct horse battery staple, for tests only")
KEY = ScopeKey(SEED, "onyx")


def pattern(form: str) -> str:
    """A regular expression for a form of a template."""
    return "".join(f"[{re.escape(CLASSES[letter])}]" for letter in form)


FORM = {template: re.compile("|".join(map(pattern, forms))) for template, forms in FORMS.items()}
sites = st.text(min_size=1, max_size=20)
counters = st.integers(0, LAST_COUNTER)


# The expectations of sprig's own test, TestDerivePassword in crypto_test.go.
@pytest.mark.parametrize(
    ("counter", "template", "password"),
    [
        (1, "long", "ZedaFaxcZaso9*"),
        (2, "long", "Fovi2@JifpTupx"),
        (1, "maximum", "pf4zS1LjCg&LjhsZ7T2~"),
        (1, "medium", "ZedJuz8$"),
        (1, "basic", "pIS54PLs"),
        (1, "short", "Zed5"),
        (1, "pin", "6685"),
    ],
)
def test_it_gives_what_the_tests_of_sprig_expect(counter: int, template: str, password: str) -> None:
    assert derive_password("password", "user", "example.com", template=template, counter=counter) == password


@pytest.mark.parametrize("group", VECTORS, ids=range(len(VECTORS)))
def test_it_gives_what_the_real_helm_gave(group: Group) -> None:
    key = ScopeKey(Seed(group.seed), group.user)
    found = [
        site._replace(password=key.password(site.site, template=site.template, counter=site.counter))
        for site in group.sites
    ]
    assert found == [*group.sites]


def test_the_vectors_have_every_template_and_edge() -> None:
    found = [site for group in VECTORS for site in group.sites]
    assert len(found) >= 300
    assert {site.template for site in found} == set(TEMPLATES)
    assert {site.counter for site in found} >= {0, 1, 2, 2**31 - 1, 2**31, LAST_COUNTER}
    assert [(group.seed, group.user, [site[:3] for site in group.sites]) for group in VECTORS] == [
        (group.seed, group.user, [site[:3] for site in group.sites]) for group in derive_vectors.groups()
    ]


def test_long_and_the_first_one_are_what_is_asked_when_nothing_is_said() -> None:
    assert derive_password("password", "user", "example.com") == "ZedaFaxcZaso9*"


def test_the_model_knows_the_templates_of_sprig() -> None:
    assert set(TEMPLATES) == set(FORMS)


@given(sites, st.sampled_from(TEMPLATES), counters)
def test_a_password_has_a_form_of_its_template(site: str, template: str, counter: int) -> None:
    assert FORM[template].fullmatch(KEY.password(site, template=template, counter=counter))


@given(sites, sites, counters, counters)
def test_another_site_or_counter_is_another_password(one: str, other: str, first: int, second: int) -> None:
    same = KEY.password(one, template="maximum", counter=first) == KEY.password(
        other, template="maximum", counter=second
    )
    assert same == ((one, first) == (other, second))


@pytest.mark.parametrize(
    ("password", "user", "site", "template", "counter", "messages"),
    [
        ("", "user", "site", "long", 1, ["the password is empty"]),
        ("secret", "", "site", "long", 1, ["the user '' is empty"]),
        ("secret", "user", "", "long", 1, ["the site '' is empty"]),
        ("secret\udcff", "user", "site", "long", 1, ["the password is not UTF-8: it holds a lone surrogate"]),
        ("secret", "\ud83e", "site", "long", 1, ["the user '\\ud83e' is not UTF-8: it holds a lone surrogate"]),
        ("secret", "user", "a\udfffb", "long", 1, ["the site 'a\\udfffb' is not UTF-8: it holds a lone surrogate"]),
        ("secret", "user", "site", "lnog", 1, ["there is no password template 'lnog'"]),
        ("secret", "user", "site", "", 1, ["there is no password template ''"]),
        ("secret", "user", "site", "long", -1, ["the counter is -1, expected 0 to 4294967295"]),
        ("secret", "user", "site", "long", 2**32, ["the counter is 4294967296, expected 0 to 4294967295"]),
        (
            *("\ud800", "", "", "x", -5),
            [
                "the password is not UTF-8: it holds a lone surrogate",
                "the user '' is empty",
                "the site '' is empty",
                "there is no password template 'x'",
                "the counter is -5, expected 0 to 4294967295",
            ],
        ),
    ],
)
def test_bad_input_is_refused_with_all_that_is_wrong(
    password: str, user: str, site: str, template: str, counter: int, messages: list[str]
) -> None:
    with pytest.raises(CredentialError) as caught:
        derive_password(password, user, site, template=template, counter=counter)
    assert [problem.message for problem in caught.value.problems] == messages
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InputError)


def test_the_hints_say_what_to_do() -> None:
    with pytest.raises(CredentialError) as caught:
        derive_password("password", "user", "site", template="lnog", counter=2**32)
    assert caught.value.problems == (
        Problem("there is no password template 'lnog'", hint="did you mean 'long'?"),
        Problem(
            "the counter is 4294967296, expected 0 to 4294967295",
            hint="Helm drops the upper bits of such a number, and gives the password of another one",
        ),
    )


@pytest.mark.parametrize("seed", ["", "\udc80"])
def test_a_seed_that_cannot_be_one_is_refused(seed: str) -> None:
    with pytest.raises(CredentialError, match="the seed is"):
        Seed(seed)


CREDENTIALS = (
    Credential("onyx", "postgres"),
    Credential("onyx", "redis", 2, "medium", ()),
    Credential("pg", "admin", 1, "long", ("sha256sum", "trunc:20", "prefix:n")),
    Credential("onyx", "postgres", 2),
    Credential("onyx", "postgres", 1, "long", ()),
)


def test_all_are_derived_once_and_in_order() -> None:
    found = derive_all(SEED, iter((*CREDENTIALS, *CREDENTIALS)))
    assert tuple(found) == CREDENTIALS
    assert [item.credential for item in found.values()] == [*CREDENTIALS]
    seed = SEED.reveal()
    assert found[CREDENTIALS[1]].reveal() == derive_password(seed, "onyx", "redis", template="medium", counter=2)
    assert found[CREDENTIALS[4]].reveal() == derive_password(seed, "onyx", "postgres")
    assert found[CREDENTIALS[2]].reveal().startswith("n")


def test_another_run_gives_the_same_values_and_fingerprints() -> None:
    one, other = derive_all(SEED, CREDENTIALS), derive_all(Seed(SEED.reveal()), reversed(CREDENTIALS))
    assert one == other
    assert {item.fingerprint for item in one.values()} == {item.fingerprint for item in other.values()}
    assert len({item.fingerprint for item in one.values()}) == len(CREDENTIALS)


def test_nothing_asked_is_nothing_derived() -> None:
    assert derive_all(SEED, ()) == {}


def test_one_core_gives_the_same_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = [Credential(f"scope-{index}", "x") for index in range(3)]
    found = derive_all(SEED, scopes)
    monkeypatch.setattr(derivation, "MOST_THREADS", 1)
    assert derive_all(SEED, scopes) == found


def test_what_cannot_be_derived_is_told_at_once_for_all() -> None:
    with pytest.raises(CredentialError) as caught:
        derive_all(SEED, (Credential("a\udcff", "x"), CREDENTIALS[0], Credential("b", "\ud800")))
    assert [problem.message for problem in caught.value.problems] == [
        "the scope 'a\\udcff' is not UTF-8: it holds a lone surrogate",
        "the purpose '\\ud800' of scope 'b' is not UTF-8: it holds a lone surrogate",
    ]


def test_two_credentials_of_one_value_are_refused_by_name() -> None:
    cut = [Credential("onyx", f"key-{index}", 1, "pin", ("trunc:1",)) for index in range(11)]
    with pytest.raises(CredentialError, match="have one value") as caught:
        derive_all(SEED, cut)
    message = caught.value.problems[0].message
    assert re.fullmatch(
        r"credentials 'onyx/key-\d+' \(generation 1\) and 'onyx/key-\d+' \(generation 1\) have one value, "
        r"with template pin \| trunc:1 and template pin \| trunc:1",
        message,
    )


def test_two_forms_of_one_credential_may_have_one_value() -> None:
    one = Credential("onyx", "postgres")
    found = derive_all(SEED, (one, attrs.evolve(one, encoding=("sha1sum", "trunc:40"))))
    assert len({item.reveal() for item in found.values()}) == 1


def test_a_fingerprint_is_of_the_seed_the_scope_the_purpose_and_the_value() -> None:
    found = KEY.fingerprint("postgres", "value")
    assert re.fullmatch("[0-9a-f]{32}", found)
    assert found == ScopeKey(Seed(SEED.reveal()), "onyx").fingerprint("postgres", "value")
    others = {
        KEY.fingerprint("redis", "value"),
        KEY.fingerprint("postgres", "other"),
        KEY.fingerprint("postgresv", "alue"),
        ScopeKey(SEED, "pg").fingerprint("postgres", "value"),
        ScopeKey(Seed("another seed"), "onyx").fingerprint("postgres", "value"),
    }
    assert len(others | {found}) == 6


NO_SCRYPT = """
import sys
sys.modules["_hashlib"] = sys.modules["nacl"] = None
from kiwi_core._derive.password import derive_password
from kiwi_core.errors import ExternalError
try:
    derive_password("password", "user", "example.com")
except ExternalError as error:
    print(error)
"""


def test_a_python_without_scrypt_is_told() -> None:
    done = subprocess.run([sys.executable, "-c", NO_SCRYPT], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("scrypt cannot be computed here: ")
    assert "use a Python with OpenSSL 1.1 or newer" in done.stdout


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, kiwi_core._derive.credentials as c; print(*({'concurrent.futures', 'asyncio', 'yaml', 'nacl'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


WATCHED = """
import sys
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import Seed
from kiwi_core._model.late import Credential

def watch(event, arguments):
    if event in {"open", "os.mkdir", "socket.__new__", "subprocess.Popen"} and arguments[1] not in {"r", "rb"}:
        print(event, arguments)

derive_all(Seed("s"), [Credential("warm", "up"), Credential("up", "warm")])
sys.addaudithook(watch)
derive_all(Seed("s"), [Credential("onyx", "postgres"), Credential("pg", "admin")])
print("watched")
open(sys.argv[1], "w")
"""


def test_nothing_is_written_or_sent(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "x")], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[0] == "watched"
    assert told[1].startswith("open ")  # so the watch was awake
