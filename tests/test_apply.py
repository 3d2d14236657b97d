"""``kiwistack apply`` with the real helmfile and Helm, as far as they go without a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from kiwi_core._deliver.handover import PREFIX
from secret_repos import OTHER, SEED, Platform
from trees import kiwistack

pytestmark = pytest.mark.real_server

TENANT = """\
from kiwi_component_hello import Hello
from kiwi_core import Tenant

tenant = Tenant(slug="acme", domain="acme.example", cluster="core-1", components=(Hello(),))
"""
# What Helm is called with, before the real one goes on: helmfile hands its own environment down.
WITNESS = """\
#!/bin/sh
env >> {seen}
ls -ld "$TMPDIR" "$HELMFILE_TEMPDIR" >> {seen}
find "$HELMFILE_TEMPDIR" -type f -exec ls -l {{}} + >> {seen}
exec {helm} "$@"
"""


@attrs.frozen
class Scene:
    """A customer with one credential, and a Helm that tells what it saw."""

    customer: Path
    memory: Path
    seen: Path
    words: tuple[str | Path, ...]

    def apply(self, seed: str = SEED) -> subprocess.CompletedProcess[str]:
        """Run the command, with a folder of the test's in place of the one in memory, and no cluster."""
        return subprocess.run(
            [sys.executable, "-m", "kiwi_core", "apply", *self.words],
            env={
                **os.environ,
                "MASTER_PASSWORD": seed,
                "XDG_RUNTIME_DIR": str(self.memory),
                "KUBECONFIG": str(self.memory / "nowhere"),
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def scene(tmp_path: Path, helmfile: Path, helm: Path) -> Scene:
    customer = Platform.make(tmp_path / "all").customer
    (customer / "tenant.py").write_text(TENANT, encoding="utf-8")
    memory, seen, witness = tmp_path / "memory", tmp_path / "seen", tmp_path / "helm"
    memory.mkdir()
    witness.write_text(WITNESS.format(seen=seen, helm=helm), encoding="utf-8")
    witness.chmod(0o700)
    return Scene(customer, memory, seen, (customer, "--helmfile", helmfile, "--helm", witness))


def test_helm_is_reached_with_the_values_and_without_the_seed(scene: Scene) -> None:
    kiwistack("secrets", "fingerprint", scene.customer, environment={"MASTER_PASSWORD": SEED})
    kiwistack("build", scene.customer)
    done = scene.apply()
    assert done.returncode == 3, done.stderr
    assert "helmfile ended with exit code" in done.stderr
    assert "unreachable" in done.stderr + done.stdout
    seen = scene.seen.read_text(encoding="utf-8")
    assert "KIWISTACK_" in seen
    assert SEED not in seen + done.stdout + done.stderr
    assert "MASTER_PASSWORD" not in seen
    modes = {line.split()[0] for line in seen.splitlines() if str(scene.memory / PREFIX) in line and "=" not in line}
    assert modes
    assert all(mode.startswith(("drwx------", "-rw-------")) for mode in modes)
    assert list(scene.memory.iterdir()) == []


def test_another_seed_than_the_one_deployed_reaches_nobody(scene: Scene) -> None:
    kiwistack("secrets", "fingerprint", scene.customer, environment={"MASTER_PASSWORD": SEED})
    kiwistack("build", scene.customer)
    done = scene.apply(OTHER)
    assert done.returncode == 2
    assert "this is not the seed that was deployed" in done.stderr
    assert not scene.seen.exists()


def test_only_the_tree_of_the_spec_is_delivered(scene: Scene) -> None:
    done = scene.apply()
    assert done.returncode == 2
    assert "there is no tree to deliver" in done.stderr
    kiwistack("build", scene.customer)
    spec = scene.customer / "tenant.py"
    spec.write_text(TENANT.replace("Hello()", 'Hello(greeting="Servus")'), encoding="utf-8")
    done = scene.apply()
    assert done.returncode == 2
    assert "the tree is not what the spec" in done.stderr
    assert f"kiwistack build {scene.customer}" in done.stderr
    assert not scene.seen.exists()
