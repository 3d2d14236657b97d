"""Nothing leaks: no file, no output, no process below a command holds a secret in any look; and a leak is found.

The secrets are every credential of a repository, as it is used and as it is before its encoding, and the seed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import attrs
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import _engine as engine
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.lock import names_of
from kiwi_core._derive.password import Seed
from leaks import LOOKS, Watched, files_in, leaks, watch
from secret_repos import OTHER, SEED, Platform
from trees import EXAMPLES

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="processes are looked at in /proc")

VALUE = "Xy7/ü \"q\\+Zk9'Wn"
"""Something to leak on purpose, which differs in every look."""

SPEC = b"kiwi_core._spec.child"
"""In the arguments of the process that runs a spec, which every command starts."""


def secrets_of(repo: Path) -> dict[str, str]:
    """Every secret of a repository by what it is called."""
    named = names_of(engine.load(repo).stack.credentials)
    bare = {late: attrs.evolve(late, encoding=()) for late in named.values()}
    values = derive_all(Seed(SEED), (*bare, *bare.values()))
    return {
        **{name: values[late].reveal() for name, late in named.items()},
        **{f"{name}, before its encoding": values[bare[late]].reveal() for name, late in named.items()},
        "the seed": SEED,
    }


def kiwistack(folder: Path, *words: str | Path, seed: str | None = SEED, stdin: bytes = b"", code: int = 0) -> Watched:
    """Watch a command, with a seed in its environment."""
    environment = {"MASTER_PASSWORD": seed} if seed else {}
    number = len(list(folder.parent.glob("tmp-*")))
    done = watch(
        [sys.executable, "-m", "kiwi_core", *words],
        folder.parent / f"tmp-{number}",
        environment=environment,
        stdin=stdin,
    )
    assert done.code == code, done.text
    return done


def has_seen_processes(done: Watched) -> bool:
    """Whether the process that runs the spec was caught, with its environment."""
    seen = [place for place, content in done.places.items() if place.startswith("arguments") and SPEC in content]
    return any(done.places.get(place.replace("arguments", "environment")) for place in seen)


def test_no_command_gives_a_secret_of_a_small_customer_away(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path / "all")
    customer = platform.customer
    secrets = secrets_of(customer)
    assert len(secrets) == 2 * 9 + 1
    commands: list[list[str | Path]] = [
        ["build", customer],
        ["check", "-v", customer],
        ["explain", "onyx", customer],
        ["explain", "onyx-redis", customer],
    ]
    for words in commands:
        done = kiwistack(tmp_path / "all", *words)
        assert has_seen_processes(done), words
        assert leaks(done.places, secrets) == [], words
    commands = [
        ["fingerprint", customer],
        ["diff", customer],
        ["verify", customer],
        ["verify", "--json", customer],
        ["show", "onyx/redis", customer],
        ["show", "onyx/redis", "--json", customer],
    ]
    for words in commands:
        done = kiwistack(tmp_path / "all", "secrets", *words)
        assert has_seen_processes(done), words
        assert leaks(done.places, secrets) == [], words
    done = kiwistack(tmp_path / "all", "secrets", "rotate", "onyx/redis", "--plan", customer, seed=None)
    assert leaks(done.places, secrets) == []
    kiwistack(tmp_path / "all", "build", customer)
    written = files_in(tmp_path / "all")
    assert "file cust-acme/secrets.lock" in written
    assert len([place for place in written if place.startswith("file cust-acme/generated/")]) > 10
    assert leaks(written, secrets) == []


def test_no_error_gives_a_secret_away(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path / "all")
    customer = platform.customer
    secrets = {**secrets_of(customer), "another seed": OTHER}
    kiwistack(tmp_path / "all", "secrets", "fingerprint", customer)
    failing: list[tuple[list[str | Path], str, int]] = [
        (["verify", customer], OTHER, 1),
        (["fingerprint", customer], OTHER, 2),
        (["fingerprint", customer], f"{SEED}\n", 2),
        (["fingerprint", customer], f" {SEED}", 2),
        (["fingerprint", customer], SEED[:20], 2),
        (["show", "onyx/redsi", "--reveal", customer], SEED, 2),
        (["verify", customer / "elsewhere"], SEED, 2),
    ]
    for words, seed, code in failing:
        done = kiwistack(tmp_path / "all", "secrets", *words, seed=seed, code=code)
        assert done.places["stdout" if code == 1 else "stderr"]
        assert leaks(done.places, {**secrets, "a part of the seed": SEED[:20]}) == [], words


def test_nothing_of_opendesk_leaks(tmp_path: Path) -> None:
    """Every credential of the largest example, derived once by us and once by the command."""
    shutil.copytree(EXAMPLES, tmp_path / "all", ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    customer = tmp_path / "all" / "cust-kiwistack"
    (customer / "secrets.lock").unlink(missing_ok=True)
    secrets = secrets_of(customer)
    assert len(secrets) > 200
    done = kiwistack(tmp_path / "all", "secrets", "fingerprint", customer)
    assert has_seen_processes(done)
    assert leaks(done.places, secrets) == []
    commands: list[list[str | Path]] = [
        ["build", customer],
        ["check", "-v", customer],
        ["explain", "opendesk-keycloak-bootstrap", customer],
    ]
    for words in commands:
        assert leaks(kiwistack(tmp_path / "all", *words).places, secrets) == [], words
    written = files_in(tmp_path / "all")
    assert len([place for place in written if place.startswith("file cust-kiwistack/generated/")]) > 50
    assert leaks(written, secrets) == []


def test_an_external_is_where_it_is_opened_and_nowhere_else(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path / "all")
    identity = pyrage.x25519.Identity.generate()
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{identity}\n", encoding="utf-8")
    keys.chmod(0o600)
    platform.settings(f'[secrets]\nrecipients = ["{identity.to_public()}"]\n')
    secrets = {"the external": VALUE}
    sealed = kiwistack(
        tmp_path / "all", "secrets", "seal", "licence", platform.customer, stdin=VALUE.encode(), seed=None
    )
    assert leaks({**sealed.places, **files_in(tmp_path / "all")}, secrets) == []
    opened = kiwistack(tmp_path / "all", "secrets", "open", "licence", "--identity", keys, platform.customer, seed=None)
    assert leaks(opened.places, secrets) == ["stdout holds the external (raw)"]


LEAKS = r"""
import os, subprocess, sys, tempfile, time
text = sys.stdin.buffer.read().decode()
wait = [sys.executable, "-c", "import time; time.sleep(0.3)"]
print("out", text)
print("err", text, file=sys.stderr)
named = os.path.join(tempfile.gettempdir(), "named")
unnamed = tempfile.TemporaryFile()
unnamed.write(b"unnamed " + text.encode())
unnamed.flush()
with open(named, "w", encoding="utf-8") as file:
    file.write(text)
with open(os.path.join(tempfile.gettempdir(), "left"), "w", encoding="utf-8") as file:
    file.write(text)
below = "import os, subprocess, sys; subprocess.run([*sys.argv[1:4], os.environ.pop('LEAK')])"
children = [
    subprocess.Popen([*wait, text]),
    subprocess.Popen(wait, env={**os.environ, "LEAK": text}),
    subprocess.Popen([sys.executable, "-c", below, *wait], env={**os.environ, "LEAK": text}),
]
for child in children:
    child.wait()
os.remove(named)
"""
"""A program that leaks what it is given in every place where a command could."""


@pytest.mark.parametrize("look", LOOKS)
def test_a_leak_on_purpose_is_found_wherever_it_is_in_every_look(tmp_path: Path, look: str) -> None:
    written = next(LOOKS[look](VALUE))
    done = watch(
        [sys.executable, "-c", LEAKS], tmp_path / "tmp", environment={"LC_ALL": "C.UTF-8"}, stdin=written.encode()
    )
    assert done.code == 0, done.text
    found = leaks(done.places, {"it": VALUE})
    assert {line.rpartition(" (")[2] for line in found} == {f"{look})"}
    places = [line.partition(" holds ")[0] for line in found]
    assert {"stdout", "stderr", "temporary file named", "temporary file left"} <= set(places)
    assert len([place for place in places if place.startswith("arguments of process")]) == 2
    assert len([place for place in places if place.startswith("environment of process")]) >= 2
    assert any(place.startswith("open temporary file") for place in places)
    assert leaks(done.places, {"something else": "Wq3/ä \"t\\+Lp5'Vb"}) == []


def test_a_credential_that_somebody_wrote_into_a_spec_is_found_in_the_tree(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path / "all")
    secrets = secrets_of(platform.customer)
    platform.edit("Hello()", f'Hello(greeting="{secrets["onyx/redis"]}")')
    done = kiwistack(tmp_path / "all", "build", platform.customer, seed=None)
    found = leaks(files_in(platform.customer / "generated"), secrets)
    assert found == ["file values/hello.yaml.gotmpl holds onyx/redis (raw)"]
    assert leaks(done.places, {"onyx/redis": secrets["onyx/redis"]}) == []
    done = kiwistack(tmp_path / "all", "explain", "hello.greeting", platform.customer, seed=None)
    assert leaks(done.places, secrets) == ["stdout holds onyx/redis (raw)"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=6, max_size=30), texts, texts)
def test_any_secret_is_found_within_what_is_encoded_as_a_whole(secret: str, before: str, after: str) -> None:
    whole = f"{before}{secret}{after}"
    data = whole.encode()
    encoded = (
        data,
        base64.b64encode(data),
        base64.urlsafe_b64encode(data),
        data.hex().encode(),
        data.hex().upper().encode(),
        quote(whole).encode(),
        quote(whole, safe="").encode(),
        json.dumps(whole).encode(),
        json.dumps(whole, ensure_ascii=False).encode(),
        whole[::-1].encode(),
    )
    for content in encoded:
        assert leaks({"here": content}, {"it": secret})


def test_a_secret_that_is_too_short_to_look_for_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="too short"):
        leaks({"here": b"1234"}, {"pin": "1234"})


def test_the_environment_of_the_tests_holds_no_seed() -> None:
    """It would be in that of every process below."""
    assert "MASTER_PASSWORD" not in os.environ
