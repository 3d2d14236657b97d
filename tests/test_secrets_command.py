"""``kiwistack secrets``, as whoever keeps a seed uses it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
from kiwi_core._derive.lock import dump_lock, load_lock, lock_of
from kiwi_core._derive.password import Seed
from kiwi_core._derive.seeds import customer_seed, mark_of, seed_problems
from kiwi_core._model.late import Credential
from kiwi_core.cli import main
from secret_repos import OTHER, PLATFORM, SEED, WEAK, Platform, derived

NAMES = (
    "hello/token",
    "onyx/bucket/onyx-files",
    "onyx/encryption",
    "onyx/metrics",
    "onyx/opensearch",
    "onyx/postgres/onyx",
    "onyx/postgres/readonly",
    "onyx/redis",
    "onyx/userauth",
)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The repositories, with the customer's seed at hand."""
    monkeypatch.setenv("MASTER_PASSWORD", SEED)
    monkeypatch.delenv("KIWISTACK_AGE_IDENTITY", raising=False)
    return Platform.make(tmp_path / "all")


@pytest.fixture
def run(
    platform: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run ``kiwistack secrets`` on the customer's repository; give the exit code, stdout and stderr."""

    def call(
        command: str, *words: str | Path, path: Path | None = platform.customer, seed: str | None = SEED
    ) -> tuple[int, str, str]:
        capsys.readouterr()
        # A command takes the seed out of its environment.
        monkeypatch.delenv("MASTER_PASSWORD", raising=False)
        if seed is not None:
            monkeypatch.setenv("MASTER_PASSWORD", seed)
        code = main(["secrets", command, *map(str, words), *([str(path)] if path else [])])
        printed, said = capsys.readouterr()
        return code, printed, said

    return call


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def deployed(platform: Platform, run: Run) -> Platform:
    """The repositories, with the customer's fingerprints."""
    code, _, said = run("fingerprint")
    assert code == 0, said
    return platform


@pytest.fixture
def refused(platform: Platform, run: Run) -> Callable[..., str]:
    """Hold that a command ends with 2, prints nothing to stdout and changes no lock; return what it says."""

    def call(command: str, *words: str | Path, **options: str | Path | None) -> str:
        before = platform.lock.read_bytes() if platform.lock.exists() else None
        code, printed, said = run(command, *words, **options)
        assert (code, printed) == (2, "")
        assert (platform.lock.read_bytes() if platform.lock.exists() else None) == before
        assert "Traceback" not in said
        return said

    return call


Refused = Callable[..., str]


def test_fingerprint_writes_a_lock_of_every_credential(platform: Platform, run: Run) -> None:
    code, printed, said = run("fingerprint")
    assert code == 0
    assert printed == f"new: 9 credentials\n{platform.lock}: 9 credentials, written\n"
    assert said == "deriving 9 credentials of 2 scopes …\n"
    lock = load_lock(platform.lock.read_bytes())
    assert tuple(lock.credentials) == NAMES
    assert lock.seed == mark_of(Seed(SEED))


def test_a_lock_that_is_right_is_left_alone(deployed: Platform, run: Run) -> None:
    before = deployed.lock.stat()
    code, printed, _ = run("fingerprint")
    assert (code, printed) == (0, f"{deployed.lock}: 9 credentials, unchanged\n")
    assert deployed.lock.stat().st_ino == before.st_ino


def test_a_lock_made_anew_is_the_same_byte_for_byte(deployed: Platform, run: Run) -> None:
    before = deployed.lock.read_bytes()
    deployed.lock.unlink()
    assert run("fingerprint")[0] == 0
    assert deployed.lock.read_bytes() == before


def test_the_seed_that_was_deployed_is_verified(deployed: Platform, run: Run) -> None:
    assert run("verify")[:2] == (0, f"the seed gives what {deployed.lock} says: 9 credentials\n")
    code, printed, _ = run("verify", "--json")
    assert code == 0
    assert json.loads(printed) == {
        "same": True,
        "is_other_seed": False,
        "added": [],
        "removed": [],
        "reformed": [],
        "rotated": {},
        "changed": [],
    }


def test_another_seed_is_not_the_one_that_was_deployed(deployed: Platform, run: Run) -> None:
    code, printed, _ = run("verify", seed=OTHER)
    assert code == 1
    assert printed == (
        f"this is not the seed that was deployed: {deployed.lock} is of another one\nanother value: 9 credentials\n"
    )
    code, printed, _ = run("verify", "--json", seed=OTHER)
    report = json.loads(printed)
    assert (code, report["same"], report["is_other_seed"]) == (1, False, True)
    assert tuple(report["changed"]) == NAMES


@pytest.mark.parametrize("command", ["verify", "diff"])
def test_each_credential_that_differs_is_named(deployed: Platform, run: Run, command: str) -> None:
    deployed.say('generations={"onyx/redis": 2},')
    deployed.edit("        Hello(),\n", '        Hello(name="hallo"),\n')
    code, printed, _ = run(command)
    assert code == (1 if command == "verify" else 0)
    assert printed.splitlines()[:3] == [
        "new: hallo/token",
        "gone: hello/token",
        "another generation: onyx/redis: 1 → 2",
    ]


def test_a_value_that_differs_for_no_reason_that_is_told_is_named(deployed: Platform, run: Run) -> None:
    lock = load_lock(deployed.lock.read_bytes())
    others = lock_of(Seed(OTHER), [Credential("onyx", "redis")]).credentials
    forged = type(lock)(seed=lock.seed, credentials={**lock.credentials, **others})
    deployed.lock.write_bytes(dump_lock(forged))
    assert run("verify")[:2] == (1, "another value: onyx/redis\n")


def test_diff_needs_no_seed_for_names_and_generations(deployed: Platform, run: Run) -> None:
    counted = f"9 credentials, compared with {deployed.lock} by names and generations (values: with the seed)\n"
    assert run("diff", seed=None) == (0, counted, "")
    deployed.say('generations={"onyx/redis": 2},')
    assert run("diff", seed=None) == (0, f"another generation: onyx/redis: 1 → 2\n{counted}", "")
    code, printed, _ = run("diff", "--json", seed=None)
    report = json.loads(printed)
    assert code == 0
    assert (report["by_value"], report["same"], report["rotated"]) == (False, False, {"onyx/redis": [1, 2]})


def test_diff_with_the_seed_compares_values(deployed: Platform, run: Run) -> None:
    counted = f"9 credentials, compared with {deployed.lock} by names, generations and values\n"
    assert run("diff")[:2] == (0, counted)
    code, printed, _ = run("diff", seed=OTHER)
    assert code == 0
    first = "this is not the seed that was deployed: with it, all 9 credentials would change\n"
    assert printed == f"{first}another value: 9 credentials\n{counted}"


def test_before_the_first_deploy_everything_is_new(platform: Platform, run: Run, refused: Refused) -> None:
    assert run("diff", seed=None)[:2] == (0, "new: 9 credentials\nnothing was deployed yet\n")
    said = refused("verify")
    assert said.splitlines()[-2:] == [
        f"error: {platform.lock}: there is no such file, so nothing says what was deployed",
        f"    kiwistack secrets fingerprint {platform.customer} writes it, from the seed that was deployed",
    ]


@pytest.mark.parametrize("words", [["fingerprint"], ["verify"], ["diff"], ["show", "hello/token"]])
def test_the_platforms_seed_is_refused_for_a_customer(
    deployed: Platform, run: Run, refused: Refused, words: list[str]
) -> None:
    assert run("fingerprint", path=deployed.cluster, seed=PLATFORM)[0] == 0
    said = refused(*words, seed=PLATFORM)
    assert f"this is the platform's seed, that of {deployed.cluster / 'secrets.lock'}" in said
    assert "kiwistack secrets new-seed --customer acme" in said


def test_the_platforms_seed_is_right_for_its_cluster(platform: Platform, run: Run) -> None:
    assert run("fingerprint", path=platform.cluster, seed=PLATFORM)[:2] == (
        0,
        f"{platform.cluster / 'secrets.lock'}: 0 credentials, written\n",
    )
    assert run("verify", path=platform.cluster, seed=PLATFORM)[0] == 0
    assert run("verify", path=platform.cluster, seed=SEED)[0] == 1


def test_a_lock_is_not_written_over_with_another_seeds_unless_asked_for(
    deployed: Platform, run: Run, refused: Refused
) -> None:
    said = refused("fingerprint", seed=OTHER)
    assert f"{deployed.lock}: this is not the seed that was deployed" in said
    code, printed, _ = run("fingerprint", "--other-seed", seed=OTHER)
    assert (code, printed) == (0, f"another value: 9 credentials\n{deployed.lock}: 9 credentials, written\n")
    assert run("verify", seed=OTHER)[0] == 0


@pytest.mark.parametrize(
    "words", [["fingerprint"], ["verify"], ["diff"], ["show", "hello/token"], ["rotate", "hello/token", "--plan"]]
)
def test_a_lock_that_was_edited_by_hand_is_refused(deployed: Platform, refused: Refused, words: list[str]) -> None:
    text = deployed.lock.read_text(encoding="utf-8")
    deployed.lock.write_text(text.replace('"generation": 1', '"generation": 2', 1), encoding="utf-8")
    said = refused(*words)
    assert f"{deployed.lock}: it is not as it was written: it was edited by hand" in said
    assert "kiwistack secrets fingerprint" in said


BAD_SEEDS = {
    "none": (None, "MASTER_PASSWORD"),
    "empty": ("", "empty"),
    "short": ("Zr8Gd3Xn6Mq1", "short"),
    "typed": ("correct horse battery staple, for tests only", "typed"),
    "published": ("sovereign-workplace", "published"),
    "a newline": (f"{SEED}\n", "newline"),
}


@pytest.mark.parametrize("case", BAD_SEEDS)
@pytest.mark.parametrize("command", ["fingerprint", "new-seed"])
def test_a_bad_seed_is_refused_and_not_shown(refused: Refused, case: str, command: str) -> None:
    seed, expected = BAD_SEEDS[case]
    words = {"fingerprint": (), "new-seed": ("--customer", "acme")}[command]
    said = refused(command, *words, seed=seed, **({"path": None} if command == "new-seed" else {}))
    assert expected in said
    assert seed is None or not seed.strip() or seed.strip() not in said


def test_a_weak_seed_will_do_in_dev_where_the_spec_says_so(platform: Platform, run: Run, refused: Refused) -> None:
    assert "short" in refused("fingerprint", seed=WEAK)
    platform.say("weak_seed=True,")
    assert run("fingerprint", seed=WEAK)[0] == 0
    assert "short" in refused("verify", "--lane", "dogfood", seed=WEAK)


def test_the_seed_comes_from_a_descriptor_a_file_or_age(deployed: Platform, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text(SEED, encoding="utf-8")
    file.chmod(0o600)
    assert run("verify", "--seed-file", file, seed=None)[0] == 0
    reading, writing = os.pipe()
    os.write(writing, SEED.encode())
    os.close(writing)
    assert run("verify", "--seed-fd", str(reading), seed=None)[0] == 0
    identity = pyrage.x25519.Identity.generate()
    keys, sealed = tmp_path / "keys.txt", tmp_path / "seed.age"
    keys.write_text(f"# mine\n{identity}\n", encoding="utf-8")
    keys.chmod(0o600)
    sealed.write_bytes(pyrage.encrypt(SEED.encode(), [identity.to_public()]))
    assert run("verify", "--seed-age", sealed, "--identity", keys, seed=None)[0] == 0


@pytest.mark.parametrize("seed", [SEED, OTHER, "short"])
def test_the_seed_is_taken_out_of_the_environment_that_processes_inherit(
    deployed: Platform, run: Run, seed: str
) -> None:
    run("verify", seed=seed)
    assert "MASTER_PASSWORD" not in os.environ


def test_a_seed_that_is_given_twice_is_refused(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text(SEED, encoding="utf-8")
    file.chmod(0o600)
    assert "the seed is given 2 times" in refused("fingerprint", "--seed-file", file)


def test_a_seed_that_others_can_read_is_refused(platform: Platform, refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text(SEED, encoding="utf-8")
    file.chmod(0o644)
    assert str(file) in refused("fingerprint", "--seed-file", file, seed=None)


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--seed-fd", "3", "--seed-file", "x"],
        ["verify", "--seed", SEED],
        ["verify", "--seed-fd", "-1"],
        ["rotate", "hello/token"],
        ["show"],
    ],
)
def test_words_that_are_wrong_are_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["secrets", *words])
    assert raised.value.code == 2
    assert "usage: kiwistack secrets" in capsys.readouterr().err


def test_show_says_what_a_credential_is_and_where_it_goes(deployed: Platform, run: Run) -> None:
    entry = load_lock(deployed.lock.read_bytes()).credentials["onyx/redis"]
    expected = [
        "credential onyx/redis, generation 1, long | sha1sum, class live",
        f"  fingerprint {entry.fingerprint}",
        "  key 'password' of Secret onyx-redis in cust-acme, read by onyx-redis, onyx",
    ]
    for seed in (SEED, None):
        code, printed, _ = run("show", "onyx/redis", seed=seed)
        assert code == 0
        assert printed.splitlines()[:2] == expected[:2]
        assert re.fullmatch(
            r"  key '[^']+' of Secret onyx-redis in cust-acme, read by .*\bonyx\b.*", printed.splitlines()[2]
        )
    code, printed, _ = run("show", "onyx/redis", "--json", seed=None)
    (row,) = json.loads(printed)
    assert row["name"] == "onyx/redis"
    assert row["fingerprint"] == entry.fingerprint
    assert (row["template"], row["encoding"], row["rotation"]) == ("long", ["sha1sum"], "live")


def test_a_fingerprint_that_nobody_knows_is_said_to_be_so(platform: Platform, run: Run) -> None:
    assert "  fingerprint not known: " in run("show", "onyx/redis", seed=None)[1]


def test_only_reveal_shows_a_value(deployed: Platform, run: Run, refused: Refused) -> None:
    value = derived(deployed.customer)["onyx/redis"]
    assert value not in run("show", "onyx/redis")[1]
    assert run("show", "onyx/redis", "--reveal") == (0, value, "")
    assert "MASTER_PASSWORD" in refused("show", "onyx/redis", "--reveal", seed=None)
    assert "this is not the seed that was deployed" in refused("show", "onyx/redis", "--reveal", seed=OTHER)
    assert "leave --json out" in refused("show", "onyx/redis", "--reveal", "--json")


@pytest.mark.parametrize("words", [["show"], ["rotate", "--plan"]])
def test_a_credential_that_is_not_there_is_told_with_what_is_close(refused: Refused, words: list[str]) -> None:
    said = refused(*words, "onyx/postgers/onyx")
    assert "tenant acme has no credential 'onyx/postgers/onyx'" in said
    assert "did you mean 'onyx/postgres/onyx'" in said


def test_a_rotation_does_what_its_plan_says(deployed: Platform, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    generated = deployed.customer / "generated" / "values"
    assert main(["build", str(deployed.customer)]) == 0
    before = {path.name: path.read_bytes() for path in generated.iterdir()}
    code, printed, _ = run("rotate", "onyx/redis", "--plan", seed=None)
    assert code == 0
    assert printed.splitlines() == [
        "credential onyx/redis: generation 1 → 2, class live: a hook or a restart brings the new value in",
        "  changes Secret: onyx-redis",
        "  changes a plain value of: none",
        "  restarts: onyx-redis, onyx",
        "  runs: none",
        f"to rotate it, set in {deployed.customer / 'tenant.py'}:",
        '    generations={"onyx/redis": 2},',
    ]
    deployed.say(printed.splitlines()[-1])
    assert main(["build", str(deployed.customer)]) == 0
    after = {path.name: path.read_bytes() for path in generated.iterdir()}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {f"{name}.yaml.gotmpl" for name in ("foundation", "onyx-redis", "onyx")}
    assert run("diff", seed=None)[1].splitlines()[0] == "another generation: onyx/redis: 1 → 2"


def test_a_plan_keeps_what_was_rotated_before(platform: Platform, run: Run) -> None:
    platform.say('generations={"onyx/redis": 7},')
    code, printed, _ = run("rotate", "hello/token", "--plan", "--json", seed=None)
    plan = json.loads(printed)
    assert code == 0
    assert plan["generations"] == {"hello/token": 2, "onyx/redis": 7}
    assert (plan["old"], plan["new"], plan["rotation"], plan["restarts"]) == (1, 2, "live", ["hello"])
    assert run("rotate", "onyx/redis", "--plan", seed=None)[1].endswith('    generations={"onyx/redis": 8},\n')


def test_a_plan_for_a_toml_spec_is_toml(platform: Platform, run: Run) -> None:
    (platform.customer / "tenant.py").unlink()
    head = 'slug = "acme"\ndomain = "acme.example"\ncluster = "core-1"\n'
    (platform.customer / "tenant.toml").write_text(f'{head}[[components]]\nkind = "hello"\n', encoding="utf-8")
    assert run("rotate", "hello/token", "--plan", seed=None)[1].endswith('\n[generations]\n"hello/token" = 2\n')


def test_a_data_key_is_not_rotated(refused: Refused) -> None:
    said = refused("rotate", "onyx/encryption", "--plan", seed=None)
    assert "'onyx/encryption' is a data key: data is encrypted with it, and lost with another one" in said


def test_a_plan_says_what_a_server_keeps_without_a_hook(run: Run) -> None:
    code, printed, _ = run("rotate", "onyx/opensearch", "--plan", seed=None)
    assert code == 0
    assert "class init: the server reads it at its first start" in printed
    assert "no hook reads it: the server would keep the old value" in printed


def test_the_last_generation_has_none_after_it(platform: Platform, refused: Refused) -> None:
    platform.say(f'generations={{"onyx/redis": {2**32 - 1}}},')
    assert "there is none after it" in refused("rotate", "onyx/redis", "--plan", seed=None)


def test_a_new_seed_is_one_and_another_each_time(run: Run) -> None:
    seeds = {run("new-seed", path=None, seed=None) for _ in range(3)}
    assert len(seeds) == 3
    for code, seed, said in seeds:
        assert (code, said) == (0, "")
        assert not list(seed_problems(Seed(seed), weak_is_fine=False))


def test_a_customers_seed_is_derived_from_the_platforms(run: Run, refused: Refused) -> None:
    expected = customer_seed(Seed(PLATFORM), "acme").reveal()
    assert run("new-seed", "--customer", "acme", path=None, seed=PLATFORM) == (0, expected, "")
    assert run("new-seed", "--customer", "other", path=None, seed=PLATFORM)[1] != expected
    assert "no DNS label" in refused("new-seed", "--customer", "Acme Inc.", path=None, seed=PLATFORM)
    said = refused("new-seed", "--seed-file", "platform", path=None, seed=None)
    assert "--customer SLUG derives a customer's from it" in said


def test_a_seed_ends_its_line_on_a_terminal_alone() -> None:
    """What is piped is the seed and nothing else, since a newline would become a part of it."""
    words = [sys.executable, "-m", "kiwi_core", "secrets", "new-seed"]
    piped = subprocess.run(words, capture_output=True, check=True).stdout
    assert piped.strip() == piped
    terminal, program = pty.openpty()
    subprocess.run(words, stdout=program, check=True)
    os.close(program)
    assert os.read(terminal, 1000).decode().endswith("\r\n")
    os.close(terminal)


@pytest.fixture
def keys(platform: Platform, tmp_path: Path) -> Path:
    """An identity file, whose recipient stands in ``kiwi.toml``."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path / "keys.txt"
    file.write_text(f"{identity}\n", encoding="utf-8")
    file.chmod(0o600)
    platform.settings(f'[secrets]\nrecipients = ["{identity.to_public()}"]\n')
    return file


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Put something on stdin."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


Give = Callable[[bytes], None]


@pytest.mark.parametrize("value", ['sk-4f7 "ü\\', "-----BEGIN\nkey\n-----END\n"])
def test_what_is_sealed_is_opened_again(platform: Platform, run: Run, keys: Path, give: Give, value: str) -> None:
    give(value.encode())
    sealed = platform.customer / "secrets" / "licence.age"
    assert run("seal", "licence") == (0, f"{sealed}: sealed to 1 recipient\n", "")
    assert value.encode() not in sealed.read_bytes()
    assert run("open", "licence", "--identity", keys) == (0, value, "")
    identity = pyrage.x25519.Identity.from_str(keys.read_text(encoding="utf-8").strip())
    assert pyrage.decrypt(sealed.read_bytes(), [identity]).decode() == value
    give(b"another")
    assert run("seal", "licence")[1] == f"{sealed}: sealed anew to 1 recipient\n"
    assert run("open", "licence", "--identity", keys)[1] == "another"


def test_the_environment_may_name_the_identity(
    run: Run, keys: Path, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(b"value")
    run("seal", "licence")
    monkeypatch.setenv("KIWISTACK_AGE_IDENTITY", str(keys))
    assert run("open", "licence") == (0, "value", "")


def test_a_value_is_asked_for_without_echo(platform: Platform, run: Run, keys: Path) -> None:
    terminal, program = pty.openpty()
    words = [sys.executable, "-m", "kiwi_core", "secrets", "seal", "licence", str(platform.customer)]
    # A session of its own: what asks for passwords would open the terminal that the tests run in.
    with subprocess.Popen(words, stdin=program, stdout=program, stderr=program, start_new_session=True) as process:
        shown = b""
        while not shown.endswith(b"value of licence: "):
            shown += os.read(terminal, 1000)
        os.write(terminal, b"typed-value\n")
        assert process.wait(60) == 0
        shown += os.read(terminal, 1000)
    os.close(program)
    os.close(terminal)
    assert b"licence.age: sealed to 1 recipient" in shown
    assert b"typed" not in shown
    assert run("open", "licence", "--identity", keys)[1] == "typed-value"


BAD_VALUES = {
    "empty": (b"", "the value is empty"),
    "blank": (b" \n", "the value is empty"),
    "a line with its end": (b"value\n", "ends with a newline"),
    "not UTF-8": (b"\xff\xfe", "no text in UTF-8"),
    "a NUL": (b"a\0b", "no text in UTF-8"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_bad_value_is_not_sealed(platform: Platform, refused: Refused, keys: Path, give: Give, case: str) -> None:
    value, expected = BAD_VALUES[case]
    give(value)
    said = refused("seal", "licence")
    assert "error: stdin: the value " in said
    assert expected in said
    assert not (platform.customer / "secrets").exists()


def test_without_recipients_nothing_is_sealed(refused: Refused, give: Give) -> None:
    give(b"value")
    said = refused("seal", "licence")
    assert "kiwi.toml: it names no recipients" in said
    assert "recipients = [" in said


@pytest.mark.parametrize("command", ["seal", "open"])
@pytest.mark.parametrize("name", ["../tenant", "Licence", "a/b", ""])
def test_a_name_that_is_no_file_of_ours_is_refused(
    refused: Refused, keys: Path, give: Give, command: str, name: str
) -> None:
    give(b"value")
    assert "no DNS label" in refused(command, name)


def test_what_cannot_be_opened_says_why(
    platform: Platform, run: Run, refused: Refused, keys: Path, give: Give, tmp_path: Path
) -> None:
    give(b"value")
    run("seal", "licence")
    sealed = platform.customer / "secrets" / "licence.age"
    assert "did you mean 'licence'" in refused("open", "license", "--identity", keys)
    assert "--identity FILE" in refused("open", "licence")
    stranger = tmp_path / "stranger.txt"
    stranger.write_text(f"{pyrage.x25519.Identity.generate()}\n", encoding="utf-8")
    stranger.chmod(0o600)
    assert str(sealed) in refused("open", "licence", "--identity", stranger)
    sealed.write_bytes(sealed.read_bytes()[:-10])
    assert str(sealed) in refused("open", "licence", "--identity", keys)
