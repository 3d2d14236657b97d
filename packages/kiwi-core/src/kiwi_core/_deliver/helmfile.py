"""Run helmfile in a tree: with the credentials handed over, guarded, and its output kept back until it matters.

helmfile renders values into its temporary folder with mode 0644, and keeps them when it is killed; that folder is a
private one in memory (:mod:`kiwi_core._deliver.handover`). What helmfile and Helm print is not shown as it comes: notes
of charts may hold what a values file holds.

helmfile and its children are a process group of their own. A shell waits on a pipe that ends when this process does,
however it does, and ends the group then: no Helm goes on that nobody watches.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import attrs

from kiwi_core._deliver.handover import Handed, private_folder
from kiwi_core._derive.taint import Tainted
from kiwi_core._emit.helmfile import FORCE
from kiwi_core._emit.writing import SEED
from kiwi_core.errors import ExternalError, Problem

__all__ = ["Helmfile", "Running", "without_secrets"]

GRACE: Final = 3
"""Seconds between the request to end and the end: less than another apply waits for a lease."""
GUARD: Final = f'read -r _; kill -TERM -"$1" 2>/dev/null; sleep {GRACE}; kill -KILL -"$1" 2>/dev/null'
SHORTEST: Final = 6
"""Shorter values are left in what is shown: they are no secrets of anybody's, and stand in too many words."""


@attrs.frozen
class Running:
    """A helmfile at work."""

    _process: subprocess.Popen[bytes]
    _output: IO[bytes]
    _handed: Handed

    def wait(self, seconds: float) -> int | None:
        """Return its exit code; None while it runs on after so many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End it with all its children: in good order at first, then for good."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            if self.wait(GRACE) is not None and not _is_alive(self._process.pid):
                return

    def said(self) -> str:
        """Return what it printed, with every secret replaced by its name."""
        self._output.seek(0)
        return without_secrets(self._output.read().decode(errors="replace"), self._handed.secrets)


@attrs.frozen(kw_only=True)
class Helmfile:
    """A helmfile to run.

    Attributes:
        program: helmfile.
        helm: what it runs; the one on PATH by default.
        context: of the kubeconfig; the current one by default.
        is_forced: whether what somebody changed by hand is put right, where Helm has to be told (Helm 4).
    """

    program: Path
    helm: str | None = None
    context: str | None = None
    is_forced: bool = False

    @contextlib.contextmanager
    def running(self, folder: Path, words: Sequence[str], handed: Handed) -> Generator[Running]:
        """Start it in a tree; at the end it is over, whatever happens.

        Args:
            folder: the tree.
            words: its command and options.
            handed: the credentials.

        Raises:
            ExternalError: it cannot be started, or there is no memory to keep its temporary files in.
        """
        options = [*(("--helm-binary", self.helm) if self.helm else ())]
        options += [*(("--kube-context", self.context) if self.context else ()), "--no-color"]
        with private_folder() as private, tempfile.TemporaryFile(dir=private) as output:
            environment = {name: value for name, value in os.environ.items() if name not in {SEED, FORCE}}
            environment |= {"HELMFILE_TEMPDIR": str(private), "TMPDIR": str(private)}
            environment |= {FORCE: "1"} if self.is_forced else {}
            environment |= {name: value.reveal() for name, value in handed.variables.items()}
            try:
                process = subprocess.Popen(
                    [self.program, *options, *words],
                    cwd=folder,
                    env=environment,
                    umask=0o077,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                hint = "install helmfile, or name it with --helmfile"
                problem = Problem(f"helmfile cannot be started: {error.strerror}: {self.program}", hint=hint)
                raise ExternalError(problem) from None
            finally:
                del environment  # from what a traceback shows
            guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True
            )
            running = Running(process, output, handed)
            try:
                yield running
            finally:
                if process.poll() is None:
                    running.end()
                guard.kill()
                guard.communicate()


def without_secrets(text: str, secrets: Mapping[str, Tainted]) -> str:
    """Return a text in which each secret is replaced by its name, as it is and in base64.

    Args:
        text: what somebody printed.
        secrets: by name; the longest go first, since one may be a part of another.
    """
    looks = [
        (look, name)
        for name, value in secrets.items()
        for look in (value.reveal(), base64.b64encode(value.reveal().encode()).decode())
        if len(look) >= SHORTEST
    ]
    for look, name in sorted(looks, key=lambda each: -len(each[0])):
        text = text.replace(look, f"<{name}>")
    return text


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
