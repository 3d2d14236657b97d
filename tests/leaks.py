"""Watch a command, and look for secrets in all that it writes, hands on and leaves behind.

A secret is looked for as it is and in the looks that it could leak in: base64 at any offset, hexadecimal, URL-quoted,
JSON-escaped, and reversed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import attrs

__all__ = ["LOOKS", "Watched", "files_in", "leaks", "watch"]

LEAST: Final = 6
"""Characters of a look that say something; a shorter piece stands in any text."""


def _base64(secret: str) -> Iterator[str]:
    """Yield what is sure to stand in the base64 of any text that holds the secret."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            data = b"\0" * before + secret.encode()
            # The first characters hold bits of what is before, the last ones of what is behind.
            start, end = (0, 2, 3)[before], len(data) // 3 * 4
            yield encode(data + b"\0\0")[start:end].decode()


LOOKS: Final[Mapping[str, Callable[[str], Iterator[str]]]] = {
    "raw": lambda secret: iter([secret]),
    "base64": _base64,
    "hex": lambda secret: iter([secret.encode().hex(), secret.encode().hex().upper()]),
    "URL-quoted": lambda secret: iter([quote(secret, safe=""), quote(secret), quote_plus(secret)]),
    "JSON-escaped": lambda secret: iter(
        [
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            json.dumps(secret)[1:-1].replace("/", "\\/"),
            "".join(f"\\u{ord(c):04x}" for c in secret),
        ]
    ),
    "reversed": lambda secret: iter([secret[::-1]]),
}
"""What a look is called, and how a secret is written in it."""


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[str]:
    """Say which secrets stand in which places, and how; a look that is the raw one is told once.

    Args:
        places: what a place is called, and all that stands there.
        secrets: what a secret is called, and the secret.
    """
    needles: dict[bytes, str] = {}
    for name, secret in secrets.items():
        assert len(secret) >= LEAST, f"{name} is too short to be looked for"
        for look, write in LOOKS.items():
            for text in write(secret):
                needles.setdefault(text.encode(), f"{name} ({look})")
    return [
        f"{place} holds {what}"
        for place, content in places.items()
        for needle, what in needles.items()
        if needle in content
    ]


@attrs.frozen(kw_only=True)
class Watched:
    """What a command did.

    Attributes:
        code: its exit code.
        places: stdout, stderr, temporary files, arguments and environments of the processes below it: what each is
            called, and all that stood there. The command's own environment is none of them.
    """

    code: int
    places: Mapping[str, bytes]

    @property
    def text(self) -> str:
        """What it printed."""
        return (self.places["stdout"] + self.places["stderr"]).decode()


def watch(
    words: Sequence[str | Path],
    folder: Path,
    *,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    fds: Sequence[int] = (),
) -> Watched:
    """Run a program, and note all that it gives away until it ends.

    Args:
        words: the program and its arguments.
        folder: an empty one for its temporary files; it may not be there yet.
        environment: set beside the test's own.
        stdin: what it reads.
        fds: descriptors that it gets.
    """
    folder.mkdir(exist_ok=True)
    places: dict[str, bytes] = {}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(map(str, words)),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env={**os.environ, **environment, "TMPDIR": str(folder)},
            pass_fds=fds,
        )
        over = threading.Event()
        watcher = threading.Thread(target=_note_until, args=(over, process.pid, folder, places))
        watcher.start()
        try:
            process.communicate(stdin, timeout=300)
        finally:
            process.kill()
            over.set()
            watcher.join()
        for name, file in (("stdout", out), ("stderr", err)):
            file.seek(0)
            places[name] = file.read()
    return Watched(code=process.returncode, places={**places, **files_in(folder, "temporary file")})


def files_in(folder: Path, what: str = "file") -> dict[str, bytes]:
    """Return all files of a folder by what they are called, each with its own name in it."""
    # What a link leads to is no file of the folder's.
    return {
        f"{what} {path.relative_to(folder)}": str(path).encode() + b"\n" + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _note_until(over: threading.Event, root: int, folder: Path, places: dict[str, bytes]) -> None:
    own = b""
    # A process has no arguments for a moment after its exec: Popen has returned by then.
    while not own and not over.wait(0.001):
        own = _read(Path(f"/proc/{root}/cmdline"))
    while not over.wait(0.003):
        below = _below(root)
        for pid in below:
            arguments = _read(Path(f"/proc/{pid}/cmdline"))
            # Between fork and exec, a process has the arguments and the environment of the command itself.
            if arguments not in {own, b""}:
                _note(places, f"arguments of process {pid}", arguments)
                _note(places, f"environment of process {pid}", _read(Path(f"/proc/{pid}/environ")))
        for pid in (root, *below):
            for link in _list(Path(f"/proc/{pid}/fd")):
                # A file without a name, too: it is read through the process that holds it.
                with contextlib.suppress(OSError):
                    if os.readlink(link).startswith(str(folder)):  # noqa: PTH115 -- a text, with " (deleted)" behind it
                        _note(places, f"open temporary file of process {pid}, {link.name}", _read(link))
        for path in _list(folder):
            _note(places, f"temporary file {path.name}", _read(path))


def _note(places: dict[str, bytes], what: str, found: bytes) -> None:
    if found not in places.get(what, b""):
        places[what] = places.get(what, b"") + found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _below(root: int) -> list[int]:
    """Return the processes below one, at any depth."""
    parents: dict[int, int] = {}
    for entry in _list(Path("/proc")):
        if entry.name.isdigit():
            # The name before the state may hold blanks and brackets (proc_pid_stat(5)).
            stat = _read(entry / "stat").rpartition(b")")[2].split()
            if stat:
                parents[int(entry.name)] = int(stat[1])
    below: list[int] = []
    new = {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        below += sorted(new)
    return below
