"""The tests of a package that need an extra are skipped where it is not installed; here it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ("test_age_files.py", "test_seed_source.py", "test_seeds.py")


def test_the_tests_that_need_the_extra_secrets_pass_with_it() -> None:
    files = [str(ROOT / "packages" / "kiwi-core" / "tests" / name) for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
