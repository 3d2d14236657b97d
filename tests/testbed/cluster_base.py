"""What a cluster is to the tests, and the one that a contributor gives them."""

from __future__ import annotations

import abc
import contextlib
import re
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from testbed.cluster_host import run
from testbed.oci import Image
from testbed.servers import HOST
from testbed.tools import KUBECTL, ToolError, obtain

__all__ = ["GIVEN", "LOADER", "Cluster", "GivenCluster"]

GIVEN = "KIWISTACK_E2E_KUBECONFIG"
"""The variable that names the kubeconfig of a cluster to use; KUBECONFIG alone never does, it may be someone's own."""
LOADER = "KIWISTACK_E2E_LOAD"
"""The variable that holds the command by which that cluster gets an image."""


class Cluster(abc.ABC):
    """A cluster that the tests may do with as they like; each test has namespaces of its own.

    Attributes:
        kubeconfig: an administrator's, for kubectl and helm on this machine.
    """

    kubeconfig: Path

    def kubectl(self, *arguments: str | Path, given: str | None = None) -> str:
        """Run kubectl; return what it printed.

        Args:
            arguments: of kubectl.
            given: what it reads from its standard input, e.g. a manifest for ``apply -f -``.

        Raises:
            ToolError: it failed; what it said is in the message.
        """
        words = [str(obtain(KUBECTL)), f"--kubeconfig={self.kubeconfig}", *map(str, arguments)]
        done = subprocess.run(words, input=given or "", capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"kubectl {' '.join(map(str, arguments[:3]))}: {done.stderr.strip()[-1000:]}")
        return done.stdout

    @contextlib.contextmanager
    def reach(self, namespace: str, target: str, port: int) -> Generator[int]:
        """Reach a port of a pod or of a Service, e.g. ``service/web``, through a port of loopback, which it yields.

        Raises:
            ToolError: there is no such target, or none of its pods runs.
        """
        words = [str(obtain(KUBECTL)), f"--kubeconfig={self.kubeconfig}", "port-forward", f"--namespace={namespace}"]
        with subprocess.Popen(
            [*words, f"--address={HOST}", target, f":{port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert process.stdout
                said = process.stdout.readline()
                found = re.match(rf"Forwarding from {re.escape(HOST)}:(\d+) ", said)
                if not found:
                    raise ToolError(f"kubectl port-forward {target}: {said.strip()}")
                yield int(found[1])
            finally:
                process.terminate()

    @abc.abstractmethod
    def import_image(self, image: Image) -> str:
        """Let pods have an image; return the reference by which they ask for it, digest and all."""

    @abc.abstractmethod
    def make_volume(self, name: str, *, size: str = "1Gi") -> None:
        """See to it that a claim of the class that is the default can be bound, one for each call."""

    @abc.abstractmethod
    def restart_api_server(self) -> None:
        """End the API server as a crash would, and start it again; return when it answers.

        Raises:
            ToolError: it is not the tests' to end.
        """


class GivenCluster(Cluster):
    """One that a contributor has; see ``docs/testbed.md`` for what is asked of it."""

    def __init__(self, kubeconfig: Path, loader: Sequence[str]) -> None:
        """Take it as it is.

        Args:
            kubeconfig: an administrator's.
            loader: a command that loads an image into its nodes; the path of an archive is appended to it.
        """
        self.kubeconfig = kubeconfig
        self._loader = loader
        self._loaded: set[str] = set()

    def import_image(self, image: Image) -> str:
        if not self._loader:
            raise ToolError(f"{LOADER} must say how {GIVEN} gets an image, e.g. kind load image-archive")
        if image.reference not in self._loaded:
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder) / f"{image.name}.tar"
                image.save(archive)
                run([*self._loader, archive])
            self._loaded.add(image.reference)
        return image.reference

    def make_volume(self, name: str, *, size: str = "1Gi") -> None:
        """Nothing is to be done: it has a class that makes volumes."""

    def restart_api_server(self) -> None:
        raise ToolError(f"the API server of {GIVEN} is not the tests' to end")
