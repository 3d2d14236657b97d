"""A rebuild from scratch elsewhere, under another version of Python, gives the same trees and locks, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from secret_repos import SEED, Platform
from trees import EXAMPLES

VERSIONS = ((3, 11), (3, 12), (3, 13))
"""Those that the packages support."""

PROBE = "import hashlib, sys; print(*sys.version_info[:2], sys.executable); hashlib.scrypt"


def others() -> Iterator[Path]:
    """Pythons of another version: on ``PATH``, or beside the one that runs the tests, where pyenv and uv have them."""
    beside = Path(sys.base_prefix).parent
    for version in VERSIONS:
        name = "python{}.{}".format(*version)
        found = [Path(place) for place in (shutil.which(name),) if place]
        for program in (*found, *sorted(beside.glob(f"*/bin/{name}"))):
            if version != sys.version_info[:2] and (python := _python(program, version)):
                yield python
                break


def _python(program: Path, version: tuple[int, int]) -> Path | None:
    """Return the Python behind a program: pyenv's finds one by the environment, which a rebuild elsewhere has not."""
    done = subprocess.run([program, "-c", PROBE], capture_output=True, text=True, check=False)
    *found, executable = done.stdout.split(maxsplit=2) or [""]
    is_it = done.returncode == 0 and found == [str(number) for number in version]
    return Path(executable.strip()) if is_it else None


def run(python: Path | str, *words: str | Path) -> None:
    """Run the command under a Python, with the packages of this one, which are Python alone or can do without the rest."""
    packages = [place for place in sys.path if place and Path(place).is_dir() and not place.startswith(sys.base_prefix)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": os.pathsep.join(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MASTER_PASSWORD": SEED,
    }
    done = subprocess.run(
        [python, "-s", "-P", "-m", "kiwi_core", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rebuilt(python: Path | str, folder: Path) -> dict[str, bytes]:
    """Everything that is written in a clean folder: the fingerprints of a small customer, and the trees of two."""
    platform = Platform.make(folder / "small")
    shutil.copytree(
        EXAMPLES, folder / "large", ignore=shutil.ignore_patterns("generated", "kiwi-component-*", "*.lock")
    )
    run(python, "secrets", "fingerprint", platform.customer)
    for repo in (platform.cluster, platform.customer, folder / "large" / "core-1", folder / "large" / "cust-kiwistack"):
        run(python, "build", repo)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.real_server
def test_two_pythons_give_the_same_trees_and_locks(tmp_path: Path) -> None:
    found = [*others()]
    if not found:
        pytest.skip(f"there is no other Python of {', '.join('{}.{}'.format(*version) for version in VERSIONS)}")
    here = rebuilt(sys.executable, tmp_path / "here")
    assert "small/cust-acme/secrets.lock" in here
    assert len([path for path in here if "/generated/" in path]) > 100
    for python in found:
        there = rebuilt(python, tmp_path / "elsewhere" / python.name)
        assert sorted(there) == sorted(here)
        assert [path for path in here if there[path] != here[path]] == []
