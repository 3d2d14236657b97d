"""Read a chart from a folder, to hand it on as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from kiwi_core._compose.stack import ChartFiles
from kiwi_core.errors import InputError, Problem, Where

__all__ = ["read_chart"]

# The line of a chart's own version; a dependency's is indented.
VERSION: Final = re.compile(rb"^version:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


def read_chart(folder: Path) -> ChartFiles:
    """Read every file of a chart's folder.

    Raises:
        InputError: it is no chart, or a file cannot be read.
    """
    try:
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    except OSError as error:
        raise InputError(Problem(f"cannot read the chart: {error.strerror}", Where(str(folder)))) from error
    version = VERSION.search(files.get("Chart.yaml", b""))
    if version is None:
        raise InputError(Problem("this is no chart: it has no Chart.yaml with a version", Where(str(folder))))
    return ChartFiles(name=folder.name, version=version[1].decode(errors="replace"), files=files)
