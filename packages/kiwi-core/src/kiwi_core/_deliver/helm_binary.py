"""Helm as a program: ``helm template``, one process for each release. Values go through a pipe, never through a file."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.helm_engine import Output, RenderError, Request
from kiwi_core._emit.writing import yaml_text
from kiwi_core.errors import ExternalError, Problem

__all__ = ["HelmBinary", "find_version"]

SOURCE: Final = "# Source: "
VERSION: Final = re.compile(r"v?(\d+)\.\d+\S*")
MAJORS: Final = frozenset({"3", "4"})
PATIENCE: Final = 300.0
"""Seconds for one release."""
INHERITED: Final = ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "SYSTEMROOT")
"""What of the environment Helm needs: no credential and no setting of its own gets through."""


@attrs.frozen(kw_only=True)
class HelmBinary:
    """A Helm as a program.

    Attributes:
        program: where it is.
        version: which one it is: what it says, and the hash of its file's place, size and time.
    """

    program: Path
    version: str

    def render(self, request: Request) -> Iterator[Output]:
        """Render a chart."""
        words = ["template", request.name, str(request.chart), "--namespace", request.namespace, "--include-crds"]
        words += ["--kube-version", request.kubernetes, "--values", "-"]
        words += [word for api in request.apis for word in ("--api-versions", api)]
        done = _run(self.program, words, yaml_text(request.values))
        if done.returncode:
            raise RenderError(_said(done.stderr.decode(errors="replace")))
        yield from _outputs(done.stdout.decode(errors="replace"))


def find_version(program: Path, cache: Cache) -> HelmBinary:
    """Ask a Helm for its version, once for each file that it is.

    Raises:
        ExternalError: it cannot be run, or is too old.
    """
    status = program.stat()
    name = f"{program.resolve()} {status.st_size} {status.st_mtime_ns}"
    key = hashlib.sha256(name.encode()).hexdigest()
    kept = cache.json("programs", key)
    if isinstance(kept, str):
        return HelmBinary(program=program, version=f"helm {kept} {key}")
    said = _run(program, ["version", "--template", "{{.Version}}"], b"").stdout.decode(errors="replace").strip()
    match = VERSION.fullmatch(said)
    if match is None or match[1] not in MAJORS:
        message = f"{program} is {said[:60] or 'something'!r}, expected Helm 3 or 4"
        raise ExternalError(Problem(message, hint="install helm 3.22 or 4, or name it with --helm"))
    cache.keep_json("programs", key, said)
    return HelmBinary(program=program, version=f"helm {said} {key}")


def _run(program: Path, words: list[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    environment: Mapping[str, str] = {name: os.environ[name] for name in INHERITED if name in os.environ}
    try:
        return subprocess.run(
            [program, *words], input=given, env=environment, capture_output=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise ExternalError(Problem(f"{program} did not end within {PATIENCE:g} s")) from None
    except OSError as error:
        raise ExternalError(Problem(f"{program} cannot be started: {error.strerror}")) from None


def _said(text: str) -> str:
    """Return what Helm says is wrong, without what it says on every error."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("level=", "Use --debug", "WARNING:"))]
    return "\n".join(lines).removeprefix("Error: ") or "it said nothing"


def _outputs(text: str) -> Iterator[Output]:
    """Take the documents apart by the comment that Helm writes above each of them."""
    source, lines = "", list[str]()
    previous = ""
    for line in text.splitlines(keepends=True):
        if previous.rstrip() == "---" and line.startswith(SOURCE):
            if source:
                yield Output(source, "".join(lines[:-1]))
            source, lines = line.removeprefix(SOURCE).rstrip(), []
        else:
            lines.append(line)
        previous = line
    if source:
        yield Output(source, "".join(lines))
