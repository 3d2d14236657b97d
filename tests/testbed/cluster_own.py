"""The testbed's own cluster: how it comes up, and how it goes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from testbed import cluster_host as host
from testbed import cluster_node as nodes
from testbed import images
from testbed.cluster_base import GIVEN, Cluster
from testbed.cluster_pki import make_certificates, write_kubeconfig
from testbed.oci import Image
from testbed.servers import HOST, find_or_install, wait_until
from testbed.tools import CLUSTER_TOOLS, ETCD, KUBE_APISERVER, KUBECTL, ToolError, home, obtain

__all__ = ["OwnCluster", "check_machine", "guard"]

PATIENCE = 60.0
"""Seconds for each part to start."""
PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "nftables", "iptables", "conntrack", "iproute2", "kmod"),
    *("openssl", "util-linux", "ethtool", "ipset"),
)
PROGRAMS = ("containerd", "ctr", "runc", "nft", "iptables", "conntrack", "ip", "openssl", "nsenter", "ethtool", "ipset")
MANIFEST = Path(__file__).with_name("manifests") / "cluster.yaml"
COMMAND = Path(__file__).parent.parent / "cluster.py"


class OwnCluster(Cluster):
    """The cluster of this testbed."""

    def __init__(self) -> None:
        note = host.RUN / "state"
        state = Path(note.read_text(encoding="utf-8")) if note.exists() else home() / "cluster"
        self._layout = nodes.Layout(state=state)
        self._processes = host.Processes(self._layout.logs)
        self.kubeconfig = state / "kubeconfig"

    @property
    def is_up(self) -> bool:
        """Whether it was brought up, and all of its processes still run."""
        names = self._processes.names()
        return (host.RUN / "up").exists() and bool(names) and all(map(self._processes.is_alive, names))

    @property
    def processes(self) -> Sequence[tuple[str, bool]]:
        """The names of its processes, and whether each one runs."""
        return [(name, self._processes.is_alive(name)) for name in self._processes.names()]

    def start(self) -> None:
        """Bring it up, where it is not; a part of one that is there is swept away first.

        Raises:
            ToolError: this is not Linux, or not root; or a part could not be had, or did not start.
        """
        check_machine()
        with _one_at_a_time():
            if self.is_up:
                return
            self._stop()
            for tool in (ETCD, KUBE_APISERVER, KUBECTL, *CLUSTER_TOOLS):
                obtain(tool)
            find_or_install(_programs, *PACKAGES)
            first = [images.pause(), images.coredns()]
            with guard():
                try:
                    self._start_control_plane()
                    self._start_node(first)
                except BaseException:
                    _say(self.logs(5))
                    self._stop()
                    raise
                (host.RUN / "up").touch()

    def stop(self) -> None:
        """End all of it, delete what it kept, and put the machine's settings back; nothing where nothing is.

        Raises:
            ToolError: this is not Linux, or not root; or a step failed.
        """
        check_machine()
        with _one_at_a_time():
            self._stop()

    def import_image(self, image: Image) -> str:
        known = self._ctr("images", "list", "--quiet").split()
        if image.tagged not in known or image.reference.replace(f":{image.tag}@", "@") not in known:
            words = ["ctr", "--address", str(nodes.SOCKET), "--namespace", "k8s.io", "images", "import", "-"]
            with subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as process:
                assert process.stdin
                assert process.stderr
                with contextlib.suppress(BrokenPipeError):  # then it says why on the other side
                    image.write(process.stdin)
                    process.stdin.close()
                said = process.stderr.read().decode(errors="replace")
            if process.returncode:
                raise ToolError(f"containerd did not take {image.tagged}: {said.strip()[-500:]}")
        return image.reference

    def make_volume(self, name: str, *, size: str = "1Gi") -> None:
        folder = self._layout.volumes / name
        folder.mkdir(parents=True)
        names = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [nodes.NODE]}]
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "testbed",
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(folder)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": names}]}},
            },
        }
        self.kubectl("create", "-f", "-", given=json.dumps(volume))

    def restart_api_server(self) -> None:
        self._processes.end("kube-apiserver")
        self._processes.start("kube-apiserver", nodes.control_plane(self._layout)["kube-apiserver"])
        self._await("kube-apiserver", "get", "--raw", "/readyz")

    def logs(self, lines: int = 20) -> str:
        """The last lines of each process's log."""
        names = sorted(path.stem for path in self._layout.logs.glob("*.log"))
        return "\n".join(f"--- {name}\n{self._processes.last_words(name, lines)}" for name in names)

    def _start_control_plane(self) -> None:
        layout = self._layout
        host.RUN.mkdir(mode=0o711)
        (host.RUN / "state").write_text(str(layout.state), encoding="utf-8")
        layout.state.mkdir(mode=0o755, parents=True)
        host.make_network(nodes.NODE_ADDRESS, nodes.SERVICES)
        make_certificates(
            layout.certificates,
            node=nodes.NODE,
            node_address=nodes.NODE_ADDRESS,
            service_address=nodes.SERVICE_ADDRESS,
        )
        for party in ("controller-manager", "scheduler", "kube-proxy", "kubelet"):
            write_kubeconfig(layout.kubeconfig(party), layout.certificates, party, nodes.SERVER)
        with socket.socket() as outside:
            outside.bind((HOST, 0))
            outside.listen()
            port = outside.getsockname()[1]
            words = [str(Path(__file__).with_name("forward.py")), str(outside.fileno()), HOST, "6443"]
            self._processes.start("forward", [sys.executable, "-I", *words], descriptors=[outside.fileno()])
        write_kubeconfig(self.kubeconfig, layout.certificates, "admin", f"https://{HOST}:{port}")
        for name, command in nodes.control_plane(layout).items():
            self._processes.start(name, command)
            if name == "kube-apiserver":  # the others end when it is not there
                self._await(name, "get", "--raw", "/readyz")

    def _start_node(self, first: Sequence[Image]) -> None:
        layout, pki = self._layout, self._layout.certificates
        host.keep_settings()
        host.make_cgroups()
        self._processes.start("containerd", nodes.containerd(layout, first[0].tagged))
        if not wait_until(self._containerd_answers, patience=PATIENCE, pause=0.1):
            raise ToolError(f"containerd did not start: {self._processes.last_words('containerd')}")
        for image in first:
            self.import_image(image)
        for name, command in nodes.node(layout).items():
            self._processes.start(name, command)
        words = [str(Path(__file__).with_name("netpol.py")), nodes.SERVER]
        words += [str(pki / name) for name in ("ca.crt", "admin.crt", "admin.key")]
        self._processes.start("netpol", [sys.executable, "-I", *words])
        self.kubectl("apply", "-f", MANIFEST)
        self._await("kubelet", "wait", "--for=condition=Ready", f"node/{nodes.NODE}", "--timeout=20s")
        self._await("kube-controller-manager", "get", "serviceaccount", "default", "--namespace=default")
        self.kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", f"--timeout={PATIENCE:.0f}s")

    def _await(self, process: str, *arguments: str) -> None:
        """Wait until kubectl succeeds, as long as a process lives."""

        def succeeds() -> bool:
            try:
                self.kubectl(*arguments)
            except ToolError:
                return False
            return True

        alive = self._processes.is_alive
        if not wait_until(lambda: succeeds() or not alive(process), patience=PATIENCE, pause=0.1) or not alive(process):
            raise ToolError(f"{process} did not start: {self._processes.last_words(process)}")

    def _ctr(self, *arguments: str) -> str:
        return host.run(["ctr", "--address", nodes.SOCKET, "--namespace", "k8s.io", *arguments])

    def _containerd_answers(self) -> bool:
        try:
            self._ctr("--connect-timeout", "1s", "version")
        except ToolError:
            return False
        return True

    def _stop(self) -> None:
        with contextlib.ExitStack() as last:  # each is done, in reverse, even if one before it fails
            last.callback(host.sweep, self._layout.state, nodes.NETWORK)
            last.callback(host.remove, self._layout.state, host.RUN)
            last.callback(host.remove_network)
            for name in self._processes.names():
                last.callback(self._processes.end, name)
            last.callback(host.end_pods)
            last.callback(host.restore_settings)
            for name in ("kubelet", "kube-proxy", "netpol"):  # else the kubelet starts anew what ends
                last.callback(self._processes.end, name)


def check_machine() -> None:
    """See whether a cluster can be had here at all.

    Raises:
        ToolError: this is not Linux, or not root.
    """
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise ToolError(f"the cluster needs Linux and root; set {GIVEN} to the kubeconfig of another one")


@contextlib.contextmanager
def guard() -> Generator[None]:
    """Take the testbed's own cluster down when this process is gone before the block has ended, however it went."""
    process = subprocess.Popen(
        [sys.executable, str(COMMAND), "down", "--after-stdin"],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


@contextlib.contextmanager
def _one_at_a_time() -> Generator[None]:
    """Let one process at a time bring the cluster up or down."""
    home().mkdir(parents=True, exist_ok=True)
    with Path("/run/kiwistack-testbed.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _programs() -> Path | None:
    """Containerd, where all that the node needs beside it is here, too."""
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = [shutil.which(program) for program in PROGRAMS]
    return Path(found[0]) if found[0] and all(found) and Path("/usr/lib/cni/bridge").exists() else None


def _say(message: str) -> None:
    sys.stderr.write(f"testbed: {message}\n")
    sys.stderr.flush()
