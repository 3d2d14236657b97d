"""helmfile as it is run: what it is handed, what becomes of its output, and that nothing of it outlives who started it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._deliver.handover import PREFIX, Handed
from kiwi_core._deliver.helmfile import Helmfile, without_secrets
from kiwi_core._derive.taint import Tainted
from kiwi_core._emit.helmfile import FORCE
from kiwi_core._emit.writing import SEED
from kiwi_core.errors import ExternalError

PRINT = """\
#!/bin/sh
env > "$TMPDIR/../seen"
ls -ld "$TMPDIR" >> "$TMPDIR/../seen"
touch "$TMPDIR/made"; ls -l "$TMPDIR/made" >> "$TMPDIR/../seen"
echo "arguments: $*; the value is $KIWISTACK_X"
exit 7
"""
SLOW = """\
#!/bin/sh
sleep 120 &
echo "$! $$" > "{file}"
wait
"""
STARTER = """\
import sys
from pathlib import Path
from kiwi_core._deliver.handover import Handed
from kiwi_core._deliver.helmfile import Helmfile
with Helmfile(program=Path(sys.argv[1])).running(Path("."), ["sync"], Handed({}, {})) as running:
    running.wait(120)
"""
VALUE = Tainted("derived-value", "x")
HANDED = Handed({"KIWISTACK_X": VALUE}, {"scope/x": VALUE})
NOTHING = Handed({}, {})


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        file = tmp_path / "program"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o700)
        return file

    return make


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.is_file() or state.read_text("utf-8").rpartition(")")[2].split()[0] != "Z"


def are_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 15
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


def started(file: Path) -> list[int]:
    deadline = time.monotonic() + 15
    while not (file.is_file() and file.read_text("utf-8").strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return list(map(int, file.read_text("utf-8").split()))


def test_it_has_the_values_and_a_private_folder_and_not_the_seed(
    memory: Path, tmp_path: Path, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEED, "the seed itself")
    helmfile = Helmfile(program=program(PRINT), helm="/opt/helm", context="far-away", is_forced=True)
    with helmfile.running(tmp_path, ["sync"], HANDED) as running:
        assert running.wait(30) == 7
        said = running.said()
    assert said == (
        "arguments: --helm-binary /opt/helm --kube-context far-away --no-color sync; the value is <scope/x>\n"
    )
    seen = (memory / "seen").read_text(encoding="utf-8")
    assert "KIWISTACK_X=derived-value" in seen
    assert f"{FORCE}=1" in seen
    assert "the seed itself" not in seen
    assert "drwx------" in seen
    assert "-rw-------" in seen
    assert not list(memory.glob(f"{PREFIX}*"))


def test_a_program_that_is_not_there_is_told(memory: Path, tmp_path: Path) -> None:
    helmfile = Helmfile(program=tmp_path / "nowhere")
    with pytest.raises(ExternalError, match="helmfile cannot be started"), helmfile.running(tmp_path, [], HANDED):
        pass
    assert not list(memory.glob(f"{PREFIX}*"))
    assert os.environ.get("KIWISTACK_X") is None


@pytest.mark.usefixtures("memory")
def test_it_ends_with_all_that_it_started_when_the_block_ends(tmp_path: Path, program: Callable[[str], Path]) -> None:
    file = tmp_path / "pids"
    with Helmfile(program=program(SLOW.format(file=file))).running(tmp_path, [], NOTHING) as running:
        pids = started(file)
        assert running.wait(0.1) is None
    assert are_gone(pids)


@pytest.mark.usefixtures("memory")
def test_it_ends_when_who_started_it_is_killed(tmp_path: Path, program: Callable[[str], Path]) -> None:
    file = tmp_path / "pids"
    process = subprocess.Popen([sys.executable, "-c", STARTER, program(SLOW.format(file=file))], cwd=tmp_path)
    pids = started(file)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert are_gone(pids)


@given(st.text(), st.lists(st.text(alphabet="abcdefgh", min_size=6), max_size=4), st.text())
def test_no_value_is_left_in_what_is_shown(before: str, values: list[str], after: str) -> None:
    secrets = {str(number): Tainted(value, "x") for number, value in enumerate(values)}
    encoded = [base64.b64encode(value.encode()).decode() for value in values]
    shown = without_secrets(before + " ".join((*values, *encoded)) + after, secrets)
    assert not [look for look in (*values, *encoded) if look in shown]
