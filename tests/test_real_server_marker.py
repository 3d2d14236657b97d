"""The account of real-server tests: a skip fails in CI, and a test that got lost is missed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SAMPLE = """
import pytest

@pytest.mark.real_server
def test_runs(): pass

@pytest.mark.real_server
def test_has_no_tool(): pytest.skip("no helm here")

@pytest.mark.real_server
@pytest.mark.skipif(True, reason="not on this machine")
def test_is_skipped_by_a_mark(): pass

@pytest.mark.real_server
@pytest.mark.xfail(reason="a known bug of the server")
def test_is_known_to_fail(): assert False

def test_needs_no_server(): pytest.skip("for another reason")
"""


def run_sample(folder: Path, *arguments: str, ci: bool) -> subprocess.CompletedProcess[str]:
    """Run sample tests with this conftest in a pytest of their own."""
    (folder / "conftest.py").write_bytes((TESTS / "conftest.py").read_bytes())
    (folder / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\nmarkers = real_server\n", encoding="utf-8")
    environment = {**os.environ, "CI": "true" if ci else ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skip_of_a_real_server_test_fails_in_ci(tmp_path: Path, workers: tuple[str, ...]) -> None:
    done = run_sample(tmp_path, *workers, ci=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "real-server tests: 1 passed, 2 failed, 1 skipped" in done.stdout
    assert "in CI a real-server test must run, and this one did not: Skipped: no helm here" in done.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in done.stdout


def test_a_skip_of_a_real_server_test_is_a_skip_elsewhere(tmp_path: Path) -> None:
    done = run_sample(tmp_path, ci=False)
    assert done.returncode == pytest.ExitCode.OK
    assert "real-server tests: 1 passed, 3 skipped" in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_run_with_another_number_of_real_server_tests_than_expected_fails(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    done = run_sample(tmp_path, *workers, "--real-server-tests", "5", ci=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "expected 5 real-server tests, found 4" in done.stdout


def test_a_run_with_the_expected_number_of_real_server_tests_passes(tmp_path: Path) -> None:
    assert run_sample(tmp_path, "--real-server-tests", "4", ci=False).returncode == pytest.ExitCode.OK
