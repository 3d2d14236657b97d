"""A customer to deliver to a real API server, and the command that does it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._model.snapshot import Record, newest
from secret_repos import SEED, Platform
from testbed.kubernetes import Kubernetes
from trees import kiwistack

__all__ = ["WITNESS", "Scene"]

SLUGS = itertools.count(1)
TENANT = """\
from kiwi_component_hello import Hello
from kiwi_core import Tenant

tenant = Tenant(slug="{slug}", domain="{slug}.example", cluster="core-1", components=(Hello(),))
"""
# What Helm is called with, before the real one goes on: helmfile hands its own environment down.
WITNESS = """\
#!/bin/sh
env >> {seen}
ls -ld "$TMPDIR" "$HELMFILE_TEMPDIR" >> {seen}
find "$HELMFILE_TEMPDIR" -type f -exec ls -l {{}} + >> {seen}
{before}
exec {helm} "$@"
"""


@attrs.frozen(kw_only=True)
class Scene:
    """A customer with one credential, and a Helm that tells what it saw.

    Attributes:
        platform: the repositories.
        slug: the customer's, which no other scene has: namespaces do not go away without a controller.
        kubernetes: where to.
        memory: the folder that stands for the one in memory.
        seen: what Helm saw.
        words: the options of the programs.
    """

    platform: Platform
    slug: str
    kubernetes: Kubernetes
    memory: Path
    seen: Path
    programs: Mapping[str, Path]

    @classmethod
    def make(cls, folder: Path, kubernetes: Kubernetes, *, helmfile: Path, helm: Path, kubectl: Path) -> Scene:
        """Make the repositories; the cluster's spec names the API server."""
        platform, slug = Platform.make(folder / "all"), f"acme-{os.getpid()}-{next(SLUGS)}"
        (platform.customer / "tenant.py").write_text(TENANT.format(slug=slug), encoding="utf-8")
        memory, seen, witness = folder / "memory", folder / "seen", folder / "helm"
        memory.mkdir()
        scene = cls(
            platform=platform,
            slug=slug,
            kubernetes=kubernetes,
            memory=memory,
            seen=seen,
            programs={"helmfile": helmfile, "helm": witness, "kubectl": kubectl, "real": helm},
        )
        scene.before_helm("")
        spec = platform.cluster / "cluster.py"
        uid = kubernetes.ask("GET", "/api/v1/namespaces/kube-system")[1]["metadata"]["uid"]
        text = spec.read_text("utf-8").replace('slug="acme", domain="acme', f'slug="{slug}", domain="{slug}')
        spec.write_text(text.replace('name="core-1",', f'name="core-1",\n    identity="{uid}",'), "utf-8")
        return scene

    @property
    def customer(self) -> Path:
        """The customer's repository."""
        return self.platform.customer

    @property
    def namespace(self) -> str:
        """Where it goes."""
        return f"cust-{self.slug}"

    @property
    def kubectl(self) -> Kubectl:
        """The API server, as an administrator sees it."""
        os.environ["KUBECONFIG"] = str(self.kubernetes.kubeconfig)
        return Kubectl(program=str(self.programs["kubectl"]))

    def helms(self) -> int:
        """How many times Helm was called."""
        return self.seen.read_text("utf-8").count("\nHELMFILE_TEMPDIR=") if self.seen.exists() else 0

    def before_helm(self, line: str) -> None:
        """Have a line of shell run before each Helm."""
        text = WITNESS.format(seen=self.seen, helm=self.programs["real"], before=line)
        self.programs["helm"].write_text(text, encoding="utf-8")
        self.programs["helm"].chmod(0o700)

    def build(self) -> None:
        """Build the customer's tree."""
        kiwistack("build", self.customer)

    def start(self, *words: str, seed: str = SEED, kubeconfig: Path | None = None) -> subprocess.Popen[str]:
        """Start the command, with a folder of the test's in place of the one in memory."""
        programs = [f"--{name}={self.programs[name]}" for name in ("helmfile", "helm", "kubectl")]
        return subprocess.Popen(
            [sys.executable, "-m", "kiwi_core", "apply", str(self.customer), *programs, *words],
            env={
                **os.environ,
                "MASTER_PASSWORD": seed,
                "XDG_RUNTIME_DIR": str(self.memory),
                "KUBECONFIG": str(kubeconfig or self.kubernetes.kubeconfig),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def apply(
        self, *words: str, code: int = 0, seed: str = SEED, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        process = self.start(*words, seed=seed, kubeconfig=kubeconfig)
        out, error = process.communicate(timeout=240)
        assert process.returncode == code, out + error
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill it as nothing survives."""
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def records(self) -> Mapping[str, Record]:
        """The last revision of each release."""
        return newest(read_records(self.kubectl, self.namespace))

    def objects(self) -> Mapping[str, Any]:  # Any: parts of objects
        """What stands in the namespace beside Helm's records and the lock, with its version."""
        found: dict[str, Any] = {}
        for kind in ("networkpolicies", "secrets", "serviceaccounts", "deployments", "services"):
            for item in self.kubectl.items(kind, namespace=self.namespace):
                metadata: Any = item["metadata"]
                if not metadata["name"].startswith("sh.helm."):
                    found[f"{kind}/{metadata['name']}"] = metadata["resourceVersion"]
        return found
