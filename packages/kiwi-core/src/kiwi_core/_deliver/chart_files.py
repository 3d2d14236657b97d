"""A chart's files in memory, from a folder or a ``.tgz`` (which is never unpacked to disk)."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import attrs

from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["MAX_FILE", "MAX_TOTAL", "ChartFiles", "read_archive", "read_chart"]

# The bounds that Helm itself sets (pkg/chart/loader/archive: MaxDecompressedChartSize, MaxDecompressedFileSize).
MAX_TOTAL: Final = 100 * 1024 * 1024
MAX_FILE: Final = 5 * 1024 * 1024
MAX_FILES: Final = 10_000


@attrs.frozen(kw_only=True)
class ChartFiles:
    """A chart's files.

    Attributes:
        name: what to call the chart in a message: the path that was given.
        files: content by path, relative to the chart's folder, with ``/``.
        digest: ``sha256:…`` of the archive; None for a folder.
    """

    name: str
    files: Mapping[str, bytes] = attrs.field(repr=False)
    digest: str | None = None

    def where(self, file: str, line: int | None = None) -> Where:
        """Return the place of a file for a message."""
        return Where(f"{self.name}/{file}", line)

    def text(self, file: str) -> str:
        """Return a file's text, without a byte order mark; empty when it is not there.

        Raises:
            InputError: it is not UTF-8.
        """
        try:
            return self.files.get(file, b"").decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(Problem(f"this is not UTF-8: {error.reason}", self.where(file))) from error

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the paths of the files in a folder and in those below it, sorted."""
        return tuple(sorted(path for path in self.files if path.startswith(f"{folder}/")))

    def subchart(self, name: str) -> ChartFiles | None:
        """Return the files of a chart vendored in ``charts/``, as a folder or as ``<name>-<version>.tgz``, or None."""
        start = f"charts/{name}/"
        inside = {path.removeprefix(start): data for path, data in self.files.items() if path.startswith(start)}
        if "Chart.yaml" in inside:
            return ChartFiles(name=f"{self.name}/charts/{name}", files=inside)
        for path in self.below("charts"):
            # A version begins with a digit, so "redis" does not find "redis-operator-0.1.0.tgz".
            stem = PurePosixPath(path).name.removeprefix(f"{name}-")
            if path.count("/") == 1 and path.endswith(".tgz") and stem.removeprefix("v")[:1].isdigit():
                return read_archive(self.files[path], name=f"{self.name}/{path}")
        return None


def read_chart(path: Path) -> ChartFiles:
    """Read a chart's files.

    Args:
        path: an unpacked chart's folder, or a ``.tgz``.

    Raises:
        InputError: it is neither, or holds what no chart should.
    """
    try:
        chart = read_archive(path.read_bytes(), name=str(path)) if path.is_file() else _read_folder(path)
    except OSError as error:
        raise InputError(Problem(f"it cannot be read: {error.strerror}", Where(str(path)))) from error
    if "Chart.yaml" not in chart.files:
        hint = "name the folder that holds Chart.yaml, or the .tgz that 'helm package' or 'helm pull' made"
        raise InputError(Problem("there is no chart here: Chart.yaml is missing", Where(str(path)), hint))
    return chart


def read_archive(data: bytes, *, name: str) -> ChartFiles:
    """Read a packed chart's files from memory.

    Args:
        data: the ``.tgz``.
        name: what to call it in a message.

    Raises:
        InputError: it is damaged or too large, or a member is no plain file within the chart's one folder.
    """
    problems: list[Problem] = []
    files: dict[str, bytes] = {}
    try:
        # All of it is unpacked at once and within bounds: a header, too, can hide gigabytes.
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            content = packed.read(MAX_TOTAL + 1)
        if len(content) > MAX_TOTAL:
            raise InputError(Problem(f"it unpacks to more than {MAX_TOTAL} bytes", Where(name)))
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                problem = _refuse(member, files)
                if problem is not None:
                    problems.append(Problem(problem, Where(f"{name}/{member.name}")))
                elif (file := archive.extractfile(member)) is not None:
                    files[member.name.removeprefix("./")] = file.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(Problem(f"this is no gzipped tar archive: {error}", Where(name))) from error
    raise_all(InputError, problems)
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1:
        found = ", ".join(sorted(tops)[:5]) or "nothing"
        raise InputError(Problem(f"a packed chart holds one folder; found {found}", Where(name)))
    inside = {path.partition("/")[2]: content for path, content in files.items()}
    return ChartFiles(name=name, files=inside, digest=f"sha256:{hashlib.sha256(data).hexdigest()}")


def _refuse(member: tarfile.TarInfo, files: Mapping[str, bytes]) -> str | None:
    """Say why a member is refused, or return None."""
    path = member.name.removeprefix("./")
    if path.startswith("/") or "\\" in path or ".." in path.split("/") or (path[1:2] == ":"):
        return "a member must lie in the chart's folder"
    if member.isdir():
        return None
    if not member.isreg():
        return "links and devices have no place in a chart"
    if member.size > MAX_FILE:
        return f"it has {member.size} bytes; at most {MAX_FILE} are allowed"
    if path in files:
        return "it is there twice"
    return "there are too many files" if len(files) >= MAX_FILES else None


def _read_folder(folder: Path) -> ChartFiles:
    problems: list[Problem] = []
    files: dict[str, bytes] = {}
    total = 0
    for path in _walk(folder):
        size = path.stat().st_size
        total += size
        if size > MAX_FILE or total > MAX_TOTAL or len(files) >= MAX_FILES:
            problems.append(Problem("the chart is too large", Where(str(path))))
            break
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
    raise_all(InputError, problems)
    return ChartFiles(name=str(folder), files=files)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files that a capture reads; what else lies in a developer's folder may be large."""
    for name in ("Chart.yaml", "requirements.yaml", "values.yaml"):
        if (folder / name).is_file():
            yield folder / name
    for name in ("charts", "crds", "templates"):
        for root, folders, names in os.walk(folder / name):
            folders.sort()
            yield from (path for file in sorted(names) if (path := Path(root) / file).is_file())
