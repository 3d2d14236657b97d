"""A real Kubernetes cluster of one node for the tests: it runs pods, and NetworkPolicies hold.

API server, controllers, scheduler, kubelet, kube-proxy and CoreDNS are the real ones, built from their Go modules;
containerd, runc and the network plugins are Debian's. The whole cluster lives in one network namespace with no way out;
from outside, its API server is reached through a port of loopback. It needs Linux and root, and there is one at most on a
machine. ``docs/testbed.md`` says what it is not.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from testbed.cluster_base import GIVEN, LOADER, Cluster, GivenCluster
from testbed.cluster_own import OwnCluster, check_machine, guard
from testbed.tools import ToolError

__all__ = ["GIVEN", "LOADER", "Cluster", "GivenCluster", "OwnCluster", "from_environment", "main", "running"]


def from_environment() -> Cluster:
    """The cluster that the variable names, else the testbed's own, up or not.

    Raises:
        ToolError: the variable names no file.
    """
    named = os.environ.get(GIVEN)
    if not named:
        return OwnCluster()
    if not Path(named).is_file():
        raise ToolError(f"{GIVEN}={named} is no file")
    return GivenCluster(Path(named), shlex.split(os.environ.get(LOADER, "")))


@contextlib.contextmanager
def running() -> Generator[Cluster]:
    """A cluster that is up: the one that the variable names, the testbed's own as it is up already, or until the end.

    Raises:
        ToolError: it cannot be had.
    """
    cluster = from_environment()
    if not isinstance(cluster, OwnCluster):
        yield cluster
        return
    check_machine()
    if cluster.is_up:
        yield cluster
        return
    with guard():
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def main(arguments: Sequence[str]) -> int:
    """Bring the testbed's own cluster up, or down, or tell how it is."""
    started = time.monotonic()
    try:
        if list(arguments) == ["up"]:
            OwnCluster().start()
        elif arguments and arguments[0] == "down":
            if arguments[1:] == ["--after-stdin"]:
                sys.stdin.read()
            OwnCluster().stop()
        elif list(arguments) != ["status"]:
            sys.stderr.write("up, down or status?\n")
            return 2
    except ToolError as error:
        sys.stderr.write(f"testbed: {error}\n")
        return 1
    cluster = OwnCluster()
    for name, alive in cluster.processes:
        sys.stdout.write(f"{name}: {'runs' if alive else 'is gone'}\n")
    state = f"up; export KUBECONFIG={cluster.kubeconfig}" if cluster.is_up else "down"
    sys.stdout.write(f"the cluster is {state} ({time.monotonic() - started:.1f} s)\n")
    return 0
