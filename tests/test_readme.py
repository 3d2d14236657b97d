"""The README's two commands: there, one line each, and what CI runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_readme_shows_two_commands_of_one_line_each() -> None:
    assert [command.count("\n") for command in COMMANDS] == [1, 1]


def test_the_first_command_installs_every_package_of_the_workspace() -> None:
    packages = {f"-e {path.parent.relative_to(ROOT)}" for path in ROOT.glob("*/*/pyproject.toml")}
    assert set(re.findall(r"-e \S+", COMMANDS[0])) == packages


def run_ci(folder: Path, *, readme: str, expected: str, deployed: str = "2") -> subprocess.CompletedProcess[str]:
    """Run .ci/run in a folder with a README and numbers of real-server tests of its own."""
    for place in (".ci", "tests/e2e"):
        (folder / place).mkdir(parents=True)
    (folder / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    for place, number in (("tests", expected), ("tests/e2e", deployed)):
        (folder / place / "real_server_tests.txt").write_text(f"{number}\n", encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        ["bash", folder / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )


TESTED = "echo real-server tests: 2 passed; echo '== 9 passed in 1.0s =='; echo real-server tests: 3 passed"
README = f"# X\n\n```sh\ntouch made\n```\n\n```sh\nls made; {TESTED}\n```\n"


def test_ci_runs_both_commands_of_the_readme_and_ends_with_the_summary_and_the_count(tmp_path: Path) -> None:
    done = run_ci(tmp_path, readme=README, expected="3")
    assert done.returncode == 0, done.stderr
    counts = ["real-server tests: 3 passed", "real-server tests: 2 passed"]
    assert done.stdout.splitlines()[-3:] == ["== 9 passed in 1.0s ==", *counts]


def test_ci_fails_when_fewer_real_server_tests_passed_than_there_are(tmp_path: Path) -> None:
    done = run_ci(tmp_path, readme=README, expected="4")
    assert done.returncode == 1
    assert "not seen in the output of the tests in tests: real-server tests: 4 passed" in done.stdout
    done = run_ci(tmp_path / "e2e", readme=README, expected="3", deployed="5")
    assert done.returncode == 1
    assert "not seen in the output of the tests in tests/e2e: real-server tests: 5 passed" in done.stdout


def test_ci_fails_when_a_command_fails(tmp_path: Path) -> None:
    done = run_ci(tmp_path, readme=README.replace("touch made", "false"), expected="3")
    assert done.returncode == 1
