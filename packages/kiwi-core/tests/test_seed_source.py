"""The seed's sources: exactly one is given, it is private, it is read whole, and no message or traceback shows it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.seed_source import SeedSource, read_seed
from kiwi_core._derive.password import CredentialError, Seed
from kiwi_core.errors import InputError

SECRET = "Jejr5RepuSosp_for_tests_only"
HOW = "give it in MASTER_PASSWORD, or with --seed-fd N, --seed-file FILE, or --seed-age FILE and --identity FILE"


@pytest.fixture
def seed_file(tmp_path: Path) -> Path:
    """A file with a seed that only its owner can read."""
    return write(tmp_path / "seed", SECRET.encode())


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def piped(content: bytes) -> int:
    """A pipe that a seed was written to."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def fail(source: SeedSource, environment: dict[str, str] | None = None) -> str:
    """What an error says, having seen that neither it nor a traceback with locals says more."""
    with pytest.raises(InputError) as caught:
        read_seed(source, environment or {})
    for shown in chain(traceback.TracebackException.from_exception(caught.value, capture_locals=True)):
        ours = [frame for frame in shown.stack if "kiwi_core" in frame.filename]
        assert SECRET not in repr([frame.locals for frame in ours]) + str(shown)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def chain(error: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    """An error and those that it came from."""
    if error:
        yield error
        yield from chain(error.__cause__ or error.__context__)


def test_it_is_taken_from_the_environment() -> None:
    assert read_seed(SeedSource(), {"MASTER_PASSWORD": SECRET, "OTHER": "x"}) == Seed(SECRET)
    assert read_seed(SeedSource(variable="OTHER"), {"OTHER": SECRET}) == Seed(SECRET)


def test_it_is_taken_from_a_file_descriptor_to_its_end() -> None:
    reading = piped(SECRET.encode())
    assert read_seed(SeedSource(fd=reading), {"MASTER_PASSWORD": ""}) == Seed(SECRET)
    os.close(reading)


def test_a_pipe_is_read_until_the_writer_is_done() -> None:
    command = f"import os, sys, time; [(os.write(1, x.encode()), time.sleep(0.01)) for x in {SECRET!r}]"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        assert read_seed(SeedSource(fd=writer.stdout.fileno()), {}) == Seed(SECRET)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_it_is_taken_from_a_private_file(seed_file: Path, mode: int) -> None:
    seed_file.chmod(mode)
    assert read_seed(SeedSource(file=seed_file), {}) == Seed(SECRET)


def test_a_link_to_a_private_file_is_followed(seed_file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(seed_file)
    assert read_seed(SeedSource(file=tmp_path / "link"), {}) == Seed(SECRET)
    seed_file.chmod(0o644)
    assert "others can read or change" in fail(SeedSource(file=tmp_path / "link"))


@pytest.mark.parametrize("environment", [{}, {"MASTER_PASSWORD": ""}])
def test_no_seed_is_an_error_that_says_how_to_give_one(environment: dict[str, str]) -> None:
    said = fail(SeedSource(), environment)
    assert said == f"there is no seed: MASTER_PASSWORD is not set or empty\n    {HOW}"


def test_an_empty_seed_is_an_error_that_says_how_to_give_one(tmp_path: Path) -> None:
    empty = write(tmp_path / "seed", b"")
    assert fail(SeedSource(file=empty)) == f"{empty}: the seed is empty\n    {HOW}"
    reading = piped(b"")
    assert fail(SeedSource(fd=reading)) == f"file descriptor {reading}: the seed is empty\n    {HOW}"
    os.close(reading)


def test_two_seeds_are_an_error_that_names_them(seed_file: Path) -> None:
    both = SeedSource(file=seed_file, age=seed_file)
    said = fail(both, {"MASTER_PASSWORD": SECRET})
    assert said == (
        f"the seed is given 3 times, in MASTER_PASSWORD in the environment and {seed_file} and {seed_file}\n"
        "    give it once"
    )
    assert "the seed is given 2 times, in file descriptor 0 and" in fail(SeedSource(fd=0, file=seed_file))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_file_that_others_can_read_or_change_is_refused(seed_file: Path, mode: int) -> None:
    seed_file.chmod(mode)
    assert fail(SeedSource(file=seed_file)) == (
        f"{seed_file}: others can read or change the file of the seed: its mode is {mode:04o}\n    chmod 600 {seed_file}"
    )


def test_a_file_of_another_user_is_refused(seed_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert fail(SeedSource(file=seed_file)) == (
        f"{seed_file}: the file of the seed belongs to another user ({os.getuid()})\n"
        "    copy it to one of your own, with chmod 600 seed"
    )


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)  # nobody writes to it: reading would wait forever
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert f"{path}: found no regular file, expected one that holds the seed" in fail(SeedSource(file=path))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert fail(SeedSource(file=missing)) == f"{missing}: cannot read the seed: No such file or directory"
    assert fail(SeedSource(fd=9999)) == "file descriptor 9999: cannot read the seed: Bad file descriptor"
    assert "there is no such file" in fail(SeedSource(age=missing))


def test_a_source_without_an_end_is_not_read_forever() -> None:
    with Path("/dev/zero").open("rb") as endless:
        assert fail(SeedSource(fd=endless.fileno())) == (
            f"file descriptor {endless.fileno()}: cannot read the seed: it is longer than 65536 bytes"
        )


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "seed", SECRET.encode() + b"\xff")
    assert fail(SeedSource(file=path)) == f"{path}: the seed is not UTF-8"
    assert "MASTER_PASSWORD in the environment: the seed is not UTF-8: it holds a lone surrogate" in fail(
        SeedSource(), {"MASTER_PASSWORD": f"{SECRET}\udcff"}
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("", "\n", "the seed ends with a newline, which would be part of it"),
        ("", "\r\n", "the seed ends with a newline, which would be part of it"),
        (" ", "", "the seed has blanks around it, which would be part of it"),
        ("\ufeff", "", "the seed holds a control character, or one that cannot be seen"),
    ],
)
def test_what_would_become_part_of_the_seed_is_told_wherever_it_comes_from(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    text = f"{before}{SECRET}{after}"
    path = write(tmp_path / "seed", text.encode())
    reading = piped(text.encode())
    assert f"{path}: {message}\n" in fail(SeedSource(file=path))
    assert f"file descriptor {reading}: {message}\n" in fail(SeedSource(fd=reading))
    assert f"MASTER_PASSWORD in the environment: {message}\n" in fail(SeedSource(), {"MASTER_PASSWORD": text})
    os.close(reading)


def test_the_hint_for_a_newline_says_how_to_write_none(tmp_path: Path) -> None:
    path = write(tmp_path / "seed", f"{SECRET}\n".encode())
    assert fail(SeedSource(file=path)).endswith("    write it without: printf '%s' does, echo does not")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_seed_is_either_taken_as_it_is_or_refused(text: str) -> None:
    reading = piped(text.encode())
    source = SeedSource(fd=reading)
    if text and text == text.strip() and text.isprintable():
        assert read_seed(source, {}).reveal() == text
    else:
        with contextlib.suppress(CredentialError):
            assert read_seed(source, {}).reveal() == text
    os.close(reading)


def test_it_is_taken_from_an_age_file(tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    key = pyrage.x25519.Identity.generate()
    identity = write(tmp_path / "key.txt", f"{key}\n".encode())
    for text in (SECRET, f"{SECRET}\n"):
        (tmp_path / "seed.age").write_bytes(pyrage.encrypt(text.encode(), [key.to_public()]))
        source = SeedSource(age=tmp_path / "seed.age", identities=(identity,))
        if text == SECRET:
            assert read_seed(source, {}) == Seed(SECRET)
        else:
            assert f"{tmp_path / 'seed.age'}: the seed ends with a newline" in fail(source)


WITHOUT_PYRAGE = """
import sys
from pathlib import Path
sys.modules["pyrage"] = None
from kiwi_core._deliver.seed_source import SeedSource, read_seed
from kiwi_core.errors import ExternalError
try:
    read_seed(SeedSource(age=Path(sys.argv[1])), {})
except ExternalError as error:
    print(error)
"""


def test_an_age_file_without_pyrage_names_the_extra(tmp_path: Path) -> None:
    path = write(tmp_path / "seed.age", b"age-encryption.org/v1\n")
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYRAGE, path], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "pyrage, which reads and writes the files of age, is not installed\n    pip install 'kiwi-core[secrets]'\n"
    )


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, kiwi_core._deliver.seed_source; print(*({'pyrage', 'nacl', 'yaml', 'subprocess'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
