"""Python specs: run in a child process, and read as plain data.

The data goes through the strict converter afterwards, as that of a TOML spec does: both give the same value.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, Self

import attrs

from kiwi_core._spec import child, declarative
from kiwi_core._spec.document import decode, place, read_bytes
from kiwi_core._spec.explain import TimeUpError, explain
from kiwi_core.errors import Problem, SpecError, Where

if TYPE_CHECKING:
    from types import TracebackType

    from kiwi_core._model.capture import Json
    from kiwi_core._spec.document import Lines

__all__ = ["LoadedSpec", "Pending", "start"]

MAX_RESULT: Final = 16 * 2**20
MAX_PRINTED: Final = 2**16

# For Python to start and for the child to end itself; only then is it ended from here.
_SLACK: Final = 5.0

_TRACE: Final = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)


@attrs.frozen(kw_only=True)
class LoadedSpec:
    """A Python spec that has been run.

    Attributes:
        name: what it assigns.
        data: the value as plain data, for the converter; no validator has seen it.
        lines: gives the line of a path into the data.
        undeclarative: what it holds beside declarations.
        printed: what it has printed, for the user; cut at 64 KiB.
    """

    name: Literal["tenant", "cluster"]
    data: Json
    lines: Lines = attrs.field(eq=False, repr=False)
    undeclarative: tuple[Problem, ...] = ()
    printed: str = ""


def start(path: Path, *, name: str | None = None, seconds: float = 10.0) -> Pending:
    """Start running a Python spec, and return at once.

    The child gets nothing of this process's environment but PYTHONPATH.

    Args:
        path: the spec.
        name: what the user calls it; the path by default.
        seconds: how long it may run.

    Raises:
        SpecError: the file cannot be read.
    """
    file = name or str(path)
    source = decode(read_bytes(path, name=file, error=SpecError), file=file, error=SpecError)
    environment = {
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        **{key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ},
    }
    with contextlib.ExitStack() as undo:
        printed = undo.enter_context(tempfile.TemporaryFile())
        reading, writing = os.pipe()
        result = undo.enter_context(os.fdopen(reading, "rb", buffering=0))
        try:
            process = subprocess.Popen(
                # -s -P: neither the user's own packages nor the current folder can be imported.
                [sys.executable, "-s", "-P", "-m", child.__name__, str(path.absolute()), str(seconds), str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                cwd="/",
                env=environment,
                pass_fds=(writing,),
                # Of its own, so that all that it may start can be ended with it.
                start_new_session=True,
            )
        finally:
            os.close(writing)
        undo.pop_all()
    return Pending(process, result, printed, path=path, file=file, source=source, seconds=seconds)


class Pending:
    """A Python spec that is being run; the process is ended with it, at the latest."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        result: IO[bytes],
        printed: IO[bytes],
        *,
        path: Path,
        file: str,
        source: str,
        seconds: float,
    ) -> None:
        self._process = process
        self._result = result
        self._printed = printed
        self._path = str(path.absolute())
        self._file = file
        self._source = source
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds + _SLACK
        self._end = weakref.finalize(self, _end, process, result, printed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The number of the child process."""
        return self._process.pid

    def result(self) -> LoadedSpec:
        """Wait for the spec, once, and return it.

        Raises:
            SpecError: it fails, or does not end, or assigns no spec; with its file and line.
        """
        try:
            answer = self._read()
            self._printed.seek(0)
            printed = self._printed.read(MAX_PRINTED).decode(errors="replace")
        finally:
            self._end()
        try:
            # Any: see what the child writes.
            content: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise SpecError(self._died(answer.decode(errors="replace"))) from None
        name = content.get("name", "")
        lines = declarative.lines(self._source, name)
        if "problems" in content:
            raise SpecError(*(self._problem(lines, **problem) for problem in content["problems"]))
        return LoadedSpec(
            name=name,
            data=content["data"],
            lines=lines,
            undeclarative=declarative.problems(self._source, self._file),
            printed=printed,
        )

    def _read(self) -> bytes:
        """Return what the child writes, until it closes the pipe."""
        data = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._result, selectors.EVENT_READ)
            while selector.select(max(self._deadline - time.monotonic(), 0)):
                chunk = self._result.read(MAX_RESULT)
                data += chunk
                if len(data) > MAX_RESULT:
                    raise SpecError(Problem("the spec is larger than it may be (16 MiB)", Where(self._file)))
                if not chunk:
                    return data
        return b"Timeout"

    def _problem(
        self,
        lines: Lines,
        *,
        message: str,
        hint: str | None = None,
        line: int | None = None,
        path: list[str | int] | None = None,
    ) -> Problem:
        where = Where(self._file, line) if path is None else place(self._file, lines, tuple(path))
        return Problem(message, where, hint)

    def _died(self, trace: str) -> Problem:
        """Say how a child ended that could not write its result."""
        # faulthandler writes ASCII, and the deepest frame first.
        path = self._path.encode("ascii", "backslashreplace").decode()
        line = next((int(match[2]) for match in _TRACE.finditer(trace) if match[1] == path), None)
        code = self._process.returncode
        hint = None
        if trace.startswith("Timeout"):
            message, hint = explain(TimeUpError(f"{self._seconds:g} s"), {})
        elif code < 0:
            message = f"the spec's process was ended by {signal.Signals(-code).name}"
        else:
            message = f"the spec's process ended without a result (exit code {code})"
        return Problem(message, Where(self._file, line), hint)


def _end(process: subprocess.Popen[bytes], *files: IO[bytes]) -> None:
    # It is not waited for before: its number cannot have passed to another process.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for file in files:
        file.close()
