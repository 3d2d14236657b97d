"""What git knows of the pin files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kiwi_core._contract.results import Commit

__all__ = ["pin_history"]

COMMITS: Final = 20
"""How far back the history is looked at: older mistakes are history."""

FILES: Final = {"charts": "charts.yaml", "images": "images.yaml"}


def pin_history(folder: Path, *, commits: int = COMMITS) -> tuple[Sequence[Commit] | None, str]:
    """Read the newest commits that touched the pin files of a lane; nothing is fetched.

    Args:
        folder: the lane's folder in the template.
        commits: how many at most.

    Returns:
        The commits, newest first, or None and why there are none to look at.
    """
    try:
        shallow = _git(folder, "rev-parse", "--is-shallow-repository")
        if shallow.strip() == b"true":
            return None, "this is a shallow clone: git has no history to look at (git fetch --unshallow)"
        log = _git(folder, "log", f"--max-count={commits}", "--format=%H %P", "--", *FILES.values()).decode()
        return list(_commits(folder, [line.split() for line in log.splitlines()])), ""
    except FileNotFoundError:
        return None, "there is no git to ask for the history of the pins"
    except subprocess.CalledProcessError:
        return None, f"{folder} is in no git repository: nobody can say how the pins moved"


def _git(folder: Path, *command: str, stdin: bytes = b"") -> bytes:
    # Nothing of the user's configuration may run programs or page: the answers are read by us.
    call = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *command]
    return subprocess.run(call, input=stdin, capture_output=True, check=True).stdout


def _commits(folder: Path, log: Sequence[Sequence[str]]) -> Iterator[Commit]:
    """Read both files at each commit and at its first parent, in one go."""
    revisions = list(dict.fromkeys(revision for entry in log for revision in entry[:2]))
    wanted = [(revision, name) for revision in revisions for name in FILES]
    requests = "".join(f"{revision}:./{FILES[name]}\n" for revision, name in wanted)
    answer = _git(folder, "cat-file", "--batch", stdin=requests.encode()) if wanted else b""
    texts: dict[str, dict[str, str]] = {revision: {} for revision in revisions}
    for revision, name in wanted:
        head, _, answer = answer.partition(b"\n")
        if head.endswith(b" missing"):
            continue
        size = int(head.rpartition(b" ")[2])
        texts[revision][name] = answer[:size].decode(errors="replace")
        answer = answer[size + 1 :]
    for entry in log:
        parent = entry[1] if len(entry) > 1 else None
        yield Commit(revision=entry[0], before=texts[parent] if parent else {}, after=texts[entry[0]])
