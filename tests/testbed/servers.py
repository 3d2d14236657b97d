"""What the servers of the tests have in common: each is a real process on loopback, and none outlives its test run.

A test that lets a hook run twice asks the server itself what it was told to change (``Server.changes``), so that
neither the hook nor its client can hide a call. A server may be stopped and started again: its port and its data stay.
"""

from __future__ import annotations

import abc
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, Self

from testbed.tools import ToolError, lock

__all__ = [
    "HOST",
    "PATIENCE",
    "Child",
    "Server",
    "find_or_install",
    "free_port",
    "make_folder",
    "unprivileged_user",
    "wait_until",
]

HOST = "127.0.0.1"
PATIENCE = 30.0
"""Seconds for a server to start, and to end."""
UNPRIVILEGED = "nobody"
GUARD = """read -r _
kill -"$1" "$2" 2>/dev/null
tries=0
while [ "$tries" -lt 50 ] && kill -0 "$2" 2>/dev/null; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$2" 2>/dev/null
rm -rf -- "$3"
"""
"""A shell that waits until the tests are gone, however they went, and then ends their server and deletes its files.
Without it, servers would stay whenever the tests are killed (pytest-xdist does that to its workers at Ctrl-C)."""


class Child:
    """A server's process: in a session of its own, so that Ctrl-C reaches it only when the tests end it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            folder: where it works; deleted, should the tests be killed.
            log: what its output is appended to.
            environment: all of its environment but ``PATH``.
            user: whom it runs as; None: whoever runs the tests.
            stop_signal: makes it end in good order.
        """
        self._stop_signal = stop_signal
        everything = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **environment}
        group = pwd.getpwnam(user).pw_gid if user else None
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=everything,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if user else None,
            )
        number = str(stop_signal.value)
        self._guard: subprocess.Popen[bytes] = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", number, str(self.pid), str(folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it, in good order where it obeys; may be called again."""
        try:
            if self.is_alive:
                self._process.send_signal(self._stop_signal)
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        finally:  # after the server, so that it is guarded until it is gone
            self._guard.kill()
            self._guard.wait(PATIENCE)
            if self._guard.stdin:
                self._guard.stdin.close()


class Server(abc.ABC):
    """A real server on loopback; ``with`` starts it, and ends with nothing left of it.

    Attributes:
        host: where it listens.
        port: its port, held for it while it is down.
        folder: its own private folder, deleted in the end.
        log: what it prints; a test may look for a secret in it.
    """

    program: ClassVar[str]
    """What it is called in messages."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *, user: str | None = None) -> None:
        """Take a port and make a folder; nothing runs yet.

        Args:
            user: whom the server runs as and who owns its folder; None: whoever runs the tests.
        """
        self.host = HOST
        self._held = _hold_port()
        self.port: int = self._held.getsockname()[1]
        self.folder = make_folder(user)
        self.log = self.folder / "log"
        self._user = user
        self._child: Child | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The number of its process; None while it is down."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start it where it is down, and wait until it answers.

        Raises:
            ToolError: it does not start; what it printed last is in the message.
        """
        if self._child and self._child.is_alive:
            return
        self.stop()
        self._prepare()
        seen = self.log.stat().st_size if self.log.exists() else 0
        self._child = Child(
            self._command(),
            folder=self.folder,
            log=self.log,
            environment=self._environment(),
            user=self._user,
            stop_signal=self.stop_signal,
        )
        if not wait_until(lambda: self._is_ready() or not self.is_running) or not self.is_running:
            self.stop()
            with self.log.open("rb") as log:
                log.seek(seen)
                said = log.read().decode(errors="replace").strip()
            raise ToolError(f"{self.program} did not start: {said[-500:] or 'it printed nothing'}")

    def stop(self) -> None:
        """End its process in good order, where it is up; port and data stay."""
        if self._child:
            self._child.end()
            self._child = None

    def close(self) -> None:
        """Stop it, delete its folder and give its port back; it cannot be started again."""
        try:
            self.stop()
        finally:
            self._held.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.is_alive

    @abc.abstractmethod
    def changes(self) -> int:
        """Count the calls that were to change something, as the server itself has seen them since it was made."""

    @abc.abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The program and its arguments; no secret among them."""

    @abc.abstractmethod
    def _is_ready(self) -> bool:
        """Whether it answers."""

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Make what it needs before it can start, where that is not there yet."""

    def _environment(self) -> Mapping[str, str]:
        """Its environment, beyond ``PATH``."""
        return {}

    def _run(self, command: Sequence[str | Path], *, output: IO[bytes] | None = None) -> None:
        """Run a program that prepares the server, as the server's user.

        Raises:
            ToolError: it failed.
        """
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **self._environment()},
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout or b"").decode(errors="replace").strip()
            raise ToolError(f"{Path(command[0]).name} failed: {said[-500:]}")


def free_port() -> int:
    """A port of loopback that nothing uses now; another process may take it, so start what needs it at once."""
    with _hold_port() as held:
        port: int = held.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, patience: float = PATIENCE, pause: float = 0.02) -> bool:
    """Ask again and again; whether the condition came true within so many seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def unprivileged_user() -> str | None:
    """Whom to run a server as that refuses to be root's; None: whoever runs the tests is not root."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def make_folder(user: str | None = None) -> Path:
    """Make a private folder with a short path (that of a Unix socket has 107 characters at most).

    pytest's own folders will not do: only the user who runs the tests may enter them.
    """
    folder = Path(tempfile.mkdtemp(prefix="kiwistack-"))
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def find_or_install(find: Callable[[], Path | None], *packages: str) -> Path:
    """Find a program, or install the Debian packages that it needs, without the service that they may bring.

    Raises:
        ToolError: it is not here; and this is not Debian, or not root, or apt-get failed.
    """
    if found := find():
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise ToolError(f"there is no {packages[0]}: apt-get install {' '.join(packages)}, as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with lock(), _no_services():
        if found := find():
            return found  # another process installed it while this one waited
        for words in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
            done = subprocess.run([apt, *words], env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}")
        if found := find():
            return found
    raise ToolError(f"Debian's {packages[0]} has no program that the tests can use")


@contextlib.contextmanager
def _no_services() -> Generator[None]:
    """Let Debian's packages start no service: they ask this program, where it is there."""
    policy = Path("/usr/sbin/policy-rc.d")
    try:
        with policy.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield
        return
    try:
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink()


def _hold_port() -> socket.socket:
    """Take a free port and hold it: a socket that is bound and does not listen refuses whoever connects.

    Linux gives a held port to nobody who does not ask for it by number with SO_REUSEADDR, which servers set.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    return held
