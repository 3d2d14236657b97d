"""Credentials handed over to helmfile: the environment, and the folder that nobody else can read."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kiwi_core import Bound, Credential, External, Secret, Wiring
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import Stack
from kiwi_core._deliver.handover import PREFIX, hand_over, private_folder
from kiwi_core._derive.password import Seed, derive_password
from kiwi_core._derive.taint import Tainted
from kiwi_core._emit.writing import variable_of
from stack_samples import Sample, component, inputs, release

HELD = """\
import sys, time
from kiwi_core._deliver.handover import private_folder
with private_folder() as folder:
    (folder / "values.yaml").write_text("secret")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the one in memory."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def stack(*, is_external: bool = True) -> Stack:
    licence = {"licence": External("licence", "it is bought")} if is_external else {}
    secret = Secret("app", {"password": Credential("app", "db"), **licence})

    def wire(_bound: Bound) -> Wiring:
        return Wiring(secrets=(secret,))

    return compose(inputs(Sample(name="app", declaration=component("app", release("app")).declaration, wiring=wire)))


def test_what_helm_would_derive_is_handed_over_under_a_name_of_its_own() -> None:
    handed = hand_over(stack(), Seed("a seed"), {"licence": Tainted("L-1", "licence")}).variables
    assert {name: value.reveal() for name, value in handed.items()} == {
        variable_of(Credential("app", "db")): derive_password("a seed", "app", "db"),
        variable_of(External("licence", "it is bought")): "L-1",
    }
    assert "L-1" not in repr(handed)
    with pytest.raises(KeyError, match="licence"):
        hand_over(stack(), Seed("a seed"), {})


def test_two_generations_and_two_forms_have_two_variables() -> None:
    credentials = [
        Credential("a", "b"),
        Credential("a", "b", 2),
        Credential("a", "b", template="pin"),
        Credential("a/b", "c"),
        Credential("a", "b/c"),
    ]
    assert len({variable_of(late) for late in credentials}) == len(credentials)
    # Encodings are the template's own work.
    assert variable_of(Credential("a", "b", encoding=())) == variable_of(credentials[0])


def test_a_private_folder_is_nobody_elses_and_goes_at_the_end(memory: Path) -> None:
    with private_folder() as folder:
        assert folder.parent == memory
        assert folder.stat().st_mode & 0o777 == 0o700
        with private_folder() as other:
            assert folder.is_dir()
            assert other != folder
    assert list(memory.iterdir()) == []


def test_it_goes_when_something_fails(memory: Path) -> None:
    with pytest.raises(ValueError, match="in its midst"), private_folder():
        raise ValueError("in its midst")
    assert list(memory.iterdir()) == []


def test_what_a_killed_process_left_is_swept_at_the_next_start(memory: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    with private_folder():
        assert (left / "values.yaml").is_file()  # it is still at work
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert (left / "values.yaml").is_file()
    with private_folder():
        assert not left.exists()


def test_what_only_looks_like_a_private_folder_is_left_alone(memory: Path) -> None:
    (memory / f"{PREFIX}file").write_text("mine", encoding="utf-8")
    elsewhere = memory / "elsewhere"
    elsewhere.mkdir()
    (memory / f"{PREFIX}link").symlink_to(elsewhere)
    with private_folder():
        pass
    assert {path.name for path in memory.iterdir()} == {f"{PREFIX}file", f"{PREFIX}link", "elsewhere"}
