"""The tests of a package that need an extra are skipped where it is not installed; here it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = {
    "secrets": ("test_age_files.py", "test_seed_source.py", "test_seeds.py"),
    "schemas": ("test_kube_schemas.py",),
    "hooks": ("test_facade.py", "hooks/test_http.py", "hooks/test_s3.py"),
}


@pytest.mark.parametrize("extra", TESTS)
def test_the_tests_that_need_an_extra_pass_with_it(extra: str) -> None:
    files = [str(ROOT / "packages" / "kiwi-core" / "tests" / name) for name in TESTS[extra]]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
