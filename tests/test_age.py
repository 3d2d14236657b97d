"""The real age command reads what we encrypt, and we what it encrypts, with armor and without."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest
from kiwi_core._deliver.age import decrypt, encrypt
from kiwi_core._derive.taint import Tainted
from kiwi_core.errors import InputError

pytestmark = pytest.mark.real_server

TEXT = "Zeile eins 🥝\r\nline two, without an end"


@pytest.fixture(params=["x25519", "ed25519", "rsa"])
def key(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A recipient, and the file of its identity."""
    path = tmp_path / "key"
    if request.param == "x25519":
        identity = pyrage.x25519.Identity.generate()
        path.touch(0o600)
        path.write_text(f"# of a test\n{identity}\n", encoding="utf-8")
        return str(identity.to_public()), path
    keygen = shutil.which("ssh-keygen") or pytest.skip("no ssh-keygen here")
    subprocess.run([keygen, "-q", "-t", request.param, "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip(), path


def run_age(age: Path, *words: str | Path, stdin: bytes) -> bytes:
    return subprocess.run([age, *words], input=stdin, capture_output=True, check=True).stdout


@pytest.mark.parametrize("text", [TEXT, "", "🥝" * 100_000], ids=["short", "empty", "long"])
@pytest.mark.parametrize("armored", [True, False], ids=["armor", "binary"])
def test_age_reads_what_we_encrypt(age: Path, key: tuple[str, Path], text: str, *, armored: bool) -> None:
    data = encrypt(Tainted(text, "a text"), [key[0], str(pyrage.x25519.Identity.generate().to_public())])
    if not armored:
        data = base64.b64decode(b"".join(data.splitlines()[1:-1]))
    assert run_age(age, "--decrypt", "--identity", key[1], stdin=data).decode() == text


@pytest.mark.parametrize("text", [TEXT, "", "🥝" * 100_000], ids=["short", "empty", "long"])
@pytest.mark.parametrize("words", [["--armor"], []], ids=["armor", "binary"])
def test_we_read_what_age_encrypts(age: Path, key: tuple[str, Path], text: str, words: list[str]) -> None:
    data = run_age(age, "--encrypt", *words, "--recipient", key[0], stdin=text.encode())
    assert decrypt(data, [key[1]], "x.age").reveal() == text


def test_what_age_refuses_we_refuse(age: Path, key: tuple[str, Path]) -> None:
    data = run_age(age, "--encrypt", "--armor", "--recipient", key[0], stdin=TEXT.encode())
    for cut in (data[:-40], data[:200], data.replace(b"\n", b"", 2)):
        with pytest.raises(InputError, match=r"x\.age: it is cut short or garbled"):
            decrypt(cut, [key[1]], "x.age")
        with pytest.raises(subprocess.CalledProcessError):
            run_age(age, "--decrypt", "--identity", key[1], stdin=cut)
