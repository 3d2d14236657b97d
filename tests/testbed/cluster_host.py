"""What the cluster has of this machine: processes, a network namespace, cgroups, mounts and settings; and its end.

All of it can be found again by a process that did not make it, so that ``down`` works whatever became of ``up``. What is
true only until the machine starts anew is noted under ``/run``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from testbed.servers import wait_until
from testbed.tools import ToolError

__all__ = [
    "CGROUP",
    "NETWORK",
    "RUN",
    "Processes",
    "end_pods",
    "keep_settings",
    "make_cgroups",
    "make_network",
    "remove",
    "remove_network",
    "restore_settings",
    "run",
    "sweep",
]

RUN = Path("/run/kiwistack-testbed")
"""Short, for there are sockets in it; one machine has one cluster at most."""
NETWORK = "kiwistack-testbed"
"""The network namespace of the whole cluster, with no way out."""
CGROUP = "kiwistack-testbed"
"""Where the pods are in every hierarchy, so that no other kubelet's are met."""
CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
SETTINGS = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
"""What the kubelet sets for the whole machine."""
PATIENCE = 10.0
START = '"$@" >>"$0" 2>&1 & echo $!'
"""A shell that starts a process and leaves it to the system: it may outlive whoever brought the cluster up."""


class Processes:
    """The cluster's processes, by name; each in a session of its own, with a log, and in the cluster's network."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._notes = RUN / "processes"

    def start(self, name: str, command: Sequence[str | Path], *, descriptors: Iterable[int] = ()) -> None:
        """Start a process where it does not run."""
        if self.is_alive(name):
            return
        self._notes.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        words = ["nsenter", f"--net=/run/netns/{NETWORK}", *map(str, command)]
        done = subprocess.run(
            ["setsid", "sh", "-c", START, self.logs / f"{name}.log", *words],
            cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=tuple(descriptors),
            check=True,
        )
        pid = int(done.stdout)
        note = json.dumps({"pid": pid, "since": _since(pid)})
        (self._notes / name).write_text(note, encoding="utf-8")

    def is_alive(self, name: str) -> bool:
        """Whether it runs: the very process that was started."""
        return self._pid(name) is not None

    def end(self, name: str) -> None:
        """End a process at once: nothing that it could write down is kept. May be called again."""
        pid = self._pid(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.is_alive(name), patience=PATIENCE)
        (self._notes / name).unlink(missing_ok=True)

    def names(self) -> Sequence[str]:
        """Those that were started and not ended."""
        return sorted(path.name for path in self._notes.iterdir()) if self._notes.exists() else []

    def last_words(self, name: str, lines: int = 10) -> str:
        """The end of a log."""
        log = self.logs / f"{name}.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _pid(self, name: str) -> int | None:
        try:
            note = json.loads((self._notes / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        pid: int = note["pid"]
        return pid if note["since"] is not None and _since(pid) == note["since"] else None


def run(command: Sequence[str | Path], *, inside: bool = False) -> str:
    """Run a program to its end, in the cluster's network if asked; return what it printed.

    Raises:
        ToolError: it failed.
    """
    words = [str(word) for word in command]
    if inside:
        words = ["nsenter", f"--net=/run/netns/{NETWORK}", *words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def make_network(address: str, services: str) -> None:
    """Make the network namespace, and in it the node's address and a route to the services."""
    if Path("/run/netns", NETWORK).exists():
        return
    if not (PROC / "sys/net/bridge").exists():
        run(["modprobe", "br_netfilter"])
    run(["ip", "netns", "add", NETWORK])
    for words in (
        "link set lo up",
        "link add node0 type veth peer name node0p",  # not every kernel has the type dummy
        "link set node0p up",
        "link set node0 up",
        f"address add {address}/24 dev node0",
        f"route add {services} dev node0",  # without a route nothing gets as far as where kube-proxy changes it
    ):
        run(["ip", *words.split()], inside=True)
    for setting in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "net/ipv4/conf/all/route_localnet"):
        run(["sh", "-c", f"echo 1 >/proc/sys/{setting}"], inside=True)


def remove_network() -> None:
    """Remove the network namespace, where it is."""
    if Path("/run/netns", NETWORK).exists():
        run(["ip", "netns", "delete", NETWORK])


def make_cgroups() -> None:
    """Make the group of all pods in every hierarchy."""
    for group in _groups():
        group.mkdir(exist_ok=True)
        for name in (
            "cpuset.cpus",
            "cpuset.mems",
        ):  # of version 1: empty in a new group, and then nothing may run in it
            own, above = group / name, group.parent / name
            if own.exists() and above.exists() and not own.read_text(encoding="utf-8").strip():
                own.write_text(above.read_text(encoding="utf-8"), encoding="utf-8")


def keep_settings() -> None:
    """Note the machine's settings before the kubelet changes them."""
    note = RUN / "settings"
    if not note.exists():
        values = {name: (PROC / "sys" / name).read_text(encoding="utf-8").strip() for name in SETTINGS}
        note.write_text(json.dumps(values), encoding="utf-8")


def restore_settings() -> None:
    """Put the machine's settings back, where they were noted."""
    note = RUN / "settings"
    if note.exists():
        for name, value in json.loads(note.read_text(encoding="utf-8")).items():
            (PROC / "sys" / name).write_text(value, encoding="utf-8")
        note.unlink()


def end_pods() -> None:
    """End every process of a pod, and the shims that would start it anew or wait for it; remove the pods' cgroups."""
    end = time.monotonic() + PATIENCE
    while (pids := [*_pids_in_groups(), *_shims()]) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for group in _groups():
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def _unmount(*folders: Path) -> None:
    """Unmount all that is mounted in these folders."""
    for _ in range(3):  # one may be mounted on another
        mounted = [line.split()[1] for line in (PROC / "mounts").read_text(encoding="utf-8").splitlines()]
        places = [Path(place.encode().decode("unicode_escape")) for place in mounted]
        ours = sorted(
            (place for place in places if any(place.is_relative_to(folder) for folder in folders)), reverse=True
        )
        if not ours:
            return
        for place in ours:
            subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


def remove(*folders: Path) -> None:
    """Unmount what is in folders, and delete them."""
    _unmount(*folders)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(state: Path, network: str) -> None:
    """Remove what the kubelet, containerd and the network plugins left where they cannot be told not to leave it.

    Args:
        state: the folder of the cluster.
        network: the name of the pods' network, which its plugins write down.
    """
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and Path(os.readlink(link)).is_relative_to(state):  # noqa: PTH115 — its target is gone
            link.unlink()
    results = Path("/var/lib/cni/results")
    for path in results.glob(f"{network}-*-eth0"):
        pod = path.name.removeprefix(f"{network}-").removesuffix("-eth0")
        path.unlink()
        (results / f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
    for path in [*Path("/run/containerd/s").glob("*"), Path("/var/lib/kubelet/device-plugins/kubelet.sock")]:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == errno.ECONNREFUSED:  # nobody's any more
                path.unlink()


def _since(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None where it is none, or has ended with all of its threads."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    state, threads, since = fields[0], fields[17], fields[19]
    return None if state in {"Z", "X"} and int(threads) <= 1 else since


def _groups() -> Sequence[Path]:
    """The group of all pods in every hierarchy of cgroups, version 1 or 2, whether it is there or not."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / CGROUP]
    return [path / CGROUP for path in sorted(CGROUPS.iterdir()) if path.is_dir() and not path.is_symlink()]


def _pids_in_groups() -> Iterator[int]:
    for group in _groups():
        for folder, _, _ in os.walk(group):  # containerd may be removing some of them
            with contextlib.suppress(OSError):
                yield from map(int, Path(folder, "cgroup.procs").read_text(encoding="utf-8").split())


def _shims() -> Iterator[int]:
    """Those of our containerd: they have its address among their arguments."""
    address = str(RUN / "containerd.sock").encode()
    for path in PROC.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"containerd-shim-runc-v2") and address in words:
                yield int(path.parent.name)
