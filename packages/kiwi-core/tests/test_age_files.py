"""Age files: what is encrypted comes back, for who is meant; everything else is told by name, and shows no secret."""

from __future__ import annotations

import base64
import shutil
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pyrage = pytest.importorskip("pyrage", reason="the extra kiwi-core[secrets] is not installed")

from kiwi_core._deliver.age import decrypt, encrypt  # noqa: E402 -- after what it needs
from kiwi_core._derive.taint import Tainted  # noqa: E402
from kiwi_core.errors import InputError  # noqa: E402

SECRET = "licence key, for tests only"
KEYS = "expected AGE-SECRET-KEY-1…, as age-keygen makes one, or an ssh key without a passphrase"
TEXT = Tainted(SECRET, "a licence key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("age")


def make_identity(path: Path, *others: str) -> str:
    """Write an identity file as age-keygen does, with other lines after it; return the recipient."""
    key = pyrage.x25519.Identity.generate()
    lines = ("# created: 2026-08-01T00:00:00Z", f"# public key: {key.to_public()}", str(key), *others, "")
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(0o600)
    return str(key.to_public())


def make_ssh_key(path: Path, kind: str, passphrase: str = "") -> str:
    """Make a key pair of ssh; return the public one."""
    keygen = shutil.which("ssh-keygen")
    if not keygen:
        pytest.skip("no ssh-keygen here")
    command = [keygen, "-q", "-t", kind, "-N", passphrase, "-C", "someone@host", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip()


def fail(act: Callable[[], object], *secrets: str) -> str:
    """What an error says, having seen that neither it nor a traceback with locals says more."""
    with pytest.raises(InputError) as caught:
        act()
    for shown in chain(traceback.TracebackException.from_exception(caught.value, capture_locals=True)):
        ours = [frame for frame in shown.stack if "kiwi_core" in frame.filename]
        printed = repr([frame.locals for frame in ours]) + str(shown)
        assert not [secret for secret in (SECRET, *secrets) if secret in printed]
    return str(caught.value)


def chain(error: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    """An error and those that it came from."""
    if error:
        yield error
        yield from chain(error.__cause__ or error.__context__)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encrypted_comes_back(folder: Path, text: str) -> None:
    recipient = make_identity(folder / "key.txt")
    data = encrypt(Tainted(text, "text"), [recipient])
    assert data.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert decrypt(data, [folder / "key.txt"], "x.age").reveal() == text
    assert decrypt(unarmored(data), [folder / "key.txt"], "x.age").reveal() == text


def unarmored(data: bytes) -> bytes:
    return base64.b64decode(b"".join(data.splitlines()[1:-1]))


def test_nothing_of_it_stands_in_the_file_and_it_differs_each_time(folder: Path) -> None:
    recipient = make_identity(folder / "key.txt")
    one, other = encrypt(TEXT, [recipient]), encrypt(TEXT, [recipient])
    assert one != other
    assert SECRET.encode() not in one + unarmored(one)


def test_what_is_decrypted_is_tainted(folder: Path) -> None:
    data = encrypt(TEXT, [make_identity(folder / "key.txt")])
    assert repr(decrypt(data, [folder / "key.txt"], "secrets/licence.age")) == "<content of secrets/licence.age>"


def test_each_recipient_can_decrypt_and_any_identity_that_fits_is_enough(tmp_path: Path) -> None:
    one, other = make_identity(tmp_path / "one"), make_identity(tmp_path / "other")
    make_identity(tmp_path / "third")
    data = encrypt(TEXT, [one, other, one])
    for identities in (["one"], ["other"], ["third", "other"]):
        assert decrypt(data, [tmp_path / name for name in identities], "x.age").reveal() == SECRET


def test_an_identity_file_may_hold_several_with_line_ends_of_windows(tmp_path: Path) -> None:
    second = pyrage.x25519.Identity.generate()
    make_identity(tmp_path / "key", "", "# another", f"{second}\r")
    assert decrypt(encrypt(TEXT, [str(second.to_public())]), [tmp_path / "key"], "x.age").reveal() == SECRET


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_keys_of_ssh_will_do(tmp_path: Path, kind: str) -> None:
    recipient = make_ssh_key(tmp_path / "id", kind)
    assert decrypt(encrypt(TEXT, [recipient]), [tmp_path / "id"], "x.age").reveal() == SECRET


def test_an_ssh_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    data = encrypt(TEXT, [make_ssh_key(tmp_path / "id", "ed25519", "passphrase")])
    said = fail(lambda: decrypt(data, [tmp_path / "id"], "x.age"))
    assert said == f"{tmp_path / 'id'}: this is no identity: ssh key must be decrypted first\n    {KEYS}"


def test_no_identity_that_fits_names_the_file_and_its_recipients(tmp_path: Path) -> None:
    recipient, _ = make_identity(tmp_path / "one"), make_identity(tmp_path / "other")
    data = encrypt(TEXT, [recipient])
    said = f"secrets/x.age: it cannot be decrypted with the identities in {tmp_path / 'other'}\n"
    hint = "    give the identity file of one of its recipients with --identity FILE"
    assert fail(lambda: decrypt(data, [tmp_path / "other"], "secrets/x.age")) == said + hint
    assert (
        fail(lambda: decrypt(data, [tmp_path / "other"], "secrets/x.age", recipients=[recipient]))
        == f"{said}{hint}; they are {recipient}"
    )


def test_no_identity_at_all_is_told(folder: Path) -> None:
    data = encrypt(TEXT, [make_identity(folder / "key.txt")])
    assert fail(lambda: decrypt(data, [], "x.age", recipients=["age1x"])) == (
        "x.age: no identity is given to decrypt it with\n"
        "    give the identity file of one of its recipients with --identity FILE; they are age1x"
    )


@pytest.fixture(scope="module")
def sealed(folder: Path) -> bytes:
    """A file for the identity ``sealed.txt``: one for all examples, since hypothesis wants the same data again."""
    return encrypt(TEXT, [make_identity(folder / "sealed.txt")])


@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_file_that_is_cut_short_is_told_wherever_it_was_cut(
    folder: Path,
    sealed: bytes,
    part: float,
    armored: bool,  # noqa: FBT001 -- hypothesis gives it
) -> None:
    # The last line end of an armored one may go: what counts is all there.
    whole = sealed.rstrip() if armored else unarmored(sealed)
    cut = whole[: int(part * len(whole))]
    said = fail(lambda: decrypt(cut, [folder / "sealed.txt"], "x.age"))
    assert said.startswith(("x.age: it is cut short or garbled (", "x.age: this is no file that age encrypted\n"))
    assert "cut short" in said or len(cut) < 40


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_file_that_was_changed_gives_no_other_text(folder: Path, sealed: bytes, part: float, bits: int) -> None:
    changed = bytearray(unarmored(sealed))
    changed[int(part * len(changed))] ^= bits
    said = fail(lambda: decrypt(bytes(changed), [folder / "sealed.txt"], "x.age"))
    assert said.startswith("x.age: ")


@pytest.mark.parametrize("content", [b"", b"licence: x\n", b"\xff\xfe", b"age"])
def test_what_age_did_not_encrypt_is_told(folder: Path, content: bytes) -> None:
    make_identity(folder / "key.txt")
    assert fail(lambda: decrypt(content, [folder / "key.txt"], "x.age")) == (
        "x.age: this is no file that age encrypted\n    kiwistack secrets seal makes one, and so does age"
    )


def test_what_is_no_text_is_told(folder: Path) -> None:
    recipient = pyrage.x25519.Recipient.from_str(make_identity(folder / "key.txt"))
    data = pyrage.encrypt(SECRET.encode() + b"\xff", [recipient])
    assert fail(lambda: decrypt(data, [folder / "key.txt"], "x.age")) == (
        "x.age: it holds no text in UTF-8\n    encode it, as with base64, before it is encrypted"
    )


def test_malformed_recipients_are_told_at_once_and_a_secret_key_is_not_shown(folder: Path) -> None:
    recipient = make_identity(folder / "key.txt")
    secret = str(pyrage.x25519.Identity.generate())
    garbled = f"{recipient[:-1]}{'q' if recipient[-1] != 'q' else 'p'}"
    said = fail(lambda: encrypt(TEXT, [recipient, garbled, secret, "ssh-ed25519 AAAA", f" {secret}x", "hunter2"]))
    assert secret not in said
    lines = said.splitlines()
    assert lines[0] == f"recipient 2, {garbled!r}, is malformed: invalid Bech32 encoding"
    assert lines[1] == "recipient 3 is a secret key"
    assert "put its public key there" in lines[2]
    assert lines[3].startswith("recipient 4, 'ssh-ed25519 AAAA', is malformed: ")
    assert lines[4] == "recipient 5 is a secret key"
    assert lines[6] == "recipient 6 is malformed: expected age1…, ssh-ed25519 … or ssh-rsa …"


def test_no_recipients_are_an_error() -> None:
    assert fail(lambda: encrypt(TEXT, [])).startswith("there are no recipients to encrypt to\n")


def test_identity_files_that_others_can_read_are_refused_all_at_once(tmp_path: Path) -> None:
    data = encrypt(TEXT, [make_identity(tmp_path / "one")])
    make_identity(tmp_path / "other")
    (tmp_path / "one").chmod(0o644)
    (tmp_path / "other").chmod(0o660)
    assert fail(
        lambda: decrypt(data, [tmp_path / "one", tmp_path / "other", tmp_path / "third"], "x.age")
    ).splitlines() == [
        f"{tmp_path / 'one'}: others can read or change the file of the identity: its mode is 0644",
        f"    chmod 600 {tmp_path / 'one'}",
        f"{tmp_path / 'other'}: others can read or change the file of the identity: its mode is 0660",
        f"    chmod 600 {tmp_path / 'other'}",
        f"{tmp_path / 'third'}: cannot read the identity: No such file or directory",
    ]


def test_what_is_no_identity_is_told_by_its_line_and_not_shown(tmp_path: Path) -> None:
    data = encrypt(TEXT, [make_identity(tmp_path / "key")])
    secret = str(pyrage.x25519.Identity.generate())
    make_identity(tmp_path / "key", secret[:-1], "# fine", secret.lower(), "AGE-PLUGIN-YUBIKEY-1QQPQZQ2C7")
    lines = fail(lambda: decrypt(data, [tmp_path / "key"], "x.age"), secret, secret[:-1], secret.lower()).splitlines()
    assert [line.partition("no identity")[0] for line in lines[::2]] == [
        f"{tmp_path / 'key'}:{number}: this is " for number in (4, 7)
    ]
    assert {*lines[1::2]} == {f"    {KEYS}"}


@pytest.mark.parametrize("content", ["", "# public key: age1x\n\n"])
def test_an_identity_file_without_one_is_told(tmp_path: Path, content: str) -> None:
    data = encrypt(TEXT, [make_identity(tmp_path / "key")])
    (tmp_path / "key").write_text(content, encoding="utf-8")
    said = fail(lambda: decrypt(data, [tmp_path / "key"], "x.age"))
    assert said == f"{tmp_path / 'key'}: there is no identity in this file\n    {KEYS}"
