"""The archive of the classes that Keycloak's Java loads, for the image of Keycloak; it halves the time of each start.

Only the very Java that wrote it down reads it, over the very same files, so the image's own Java does that, once, in the
image's file system.
"""

from __future__ import annotations

import os
import shlex
import signal
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from testbed.keycloak import PATIENCE
from testbed.oci import Layer, key_of, make_layer, pack
from testbed.rest import ask
from testbed.servers import HOST, Child, free_port, wait_until
from testbed.tools import ToolError

__all__ = ["FILE", "make_classes"]

FILE = "/opt/keycloak/classes.jsa"
OPTIONS = "KEYCLOAK_JAVA_OPTIONS"


def make_classes(layers: tuple[Layer, ...], start: str, environment: Mapping[str, str]) -> Layer:
    """Let Keycloak start and end once in the file system of layers; make a layer of what it leaves in ``FILE``.

    Args:
        layers: the lowest first, without whiteouts.
        start: the program that starts it.
        environment: what it needs, with ``KEYCLOAK_JAVA_OPTIONS``.

    Raises:
        ToolError: it did not start, or left nothing.
    """

    def make(archive: Path) -> None:
        with TemporaryDirectory(dir=archive.parent) as folder:
            root = Path(folder)
            for layer in layers:
                with tarfile.open(layer.path) as tar:
                    tar.extractall(root, filter="fully_trusted")  # made by ourselves, with devices
            _run_once(root, start, environment)
            made = root / "tmp" / "classes.jsa"
            if not made.exists():
                raise ToolError(f"Java wrote no archive of Keycloak's classes within {PATIENCE:.0f} s")
            only = root / "only" / FILE.lstrip("/")
            only.parent.mkdir(parents=True)
            made.rename(only)
            pack(root / "only", archive)

    return make_layer(key_of("classes", [layer.digest for layer in layers], start, sorted(environment.items())), make)


def _run_once(root: Path, start: str, environment: Mapping[str, str]) -> None:
    """Start Keycloak in a root file system, wait until it answers, and end it in good order."""
    options = f"{environment[OPTIONS]} -XX:ArchiveClassesAtExit=/tmp/classes.jsa"
    port = free_port()
    script = f"mount --bind /proc proc && exec chroot . {shlex.quote(start)} --http-host={HOST} --http-port={port}"
    log = root / "log"
    child = Child(
        ["unshare", "--mount", "sh", "-c", script],  # the mount goes with the process
        folder=root,
        log=log,
        environment={**environment, OPTIONS: options, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
    )
    try:
        if not wait_until(lambda: _answers(port) or not child.is_alive, patience=PATIENCE) or not child.is_alive:
            raise ToolError(f"keycloak did not start: {log.read_text(encoding='utf-8', errors='replace')[-1000:]}")
        os.kill(child.pid, signal.SIGTERM)
        wait_until(lambda: not child.is_alive, patience=PATIENCE)  # it writes the classes only now
    finally:
        child.end()


def _answers(port: int) -> bool:
    from urllib3.exceptions import HTTPError

    try:
        return ask("GET", f"http://{HOST}:{port}/realms/master")[0] == 200
    except HTTPError:
        return False
