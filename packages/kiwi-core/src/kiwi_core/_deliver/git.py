"""What git knows of the pin files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._contract.results import Commit
from kiwi_core._emit.writing import SEED

__all__ = ["NO_REPOSITORY", "pin_history", "run_git"]

COMMITS: Final = 20
"""How far back the history is looked at: older mistakes are history."""

FILES: Final = {"charts": "charts.yaml", "images": "images.yaml"}

NO_REPOSITORY: Final = b"not a git repository"
"""What git says, in English, where there is none."""

# What tells git of another repository than the folder's: it is set where git runs us, as in a hook. And what is no
# business of git's: the seed.
WITHHELD: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", SEED}
)


def run_git(folder: Path, *command: str, stdin: bytes = b"") -> bytes:
    """Run git in a folder; return what it prints.

    Raises:
        FileNotFoundError: there is no git.
        subprocess.CalledProcessError: it failed; ``stderr`` says why, in English.
    """
    environment = {name: value for name, value in os.environ.items() if name not in WITHHELD} | {"LC_ALL": "C"}
    call = ["git", "-C", str(folder), *command]
    return subprocess.run(call, input=stdin, capture_output=True, check=True, env=environment).stdout


def pin_history(folder: Path, *, commits: int = COMMITS) -> tuple[Sequence[Commit] | None, str]:
    """Read the newest commits that touched the pin files of a lane; nothing is fetched.

    A merge is no commit of its own: what it brings in was committed on a branch, and stands there. Files that a commit
    renamed are followed.

    Args:
        folder: the lane's folder in the template.
        commits: how many at most.

    Returns:
        The commits, newest first, or None and why there are none to look at.
    """
    try:
        shallow, prefix = (
            _read(folder, "rev-parse", "--is-shallow-repository", "--show-prefix").decode().split("\n")[:2]
        )
        if shallow == "true":
            return None, "this is a shallow clone: git has no history to look at (git fetch --unshallow)"
        if not _read(folder, "rev-list", "--max-count=1", "--all"):
            return [], ""
        steps = list(_steps(folder, {name: prefix + file for name, file in FILES.items()}, commits))
        return _commits(folder, steps), ""
    except FileNotFoundError:
        return None, "there is no git to ask for the history of the pins"
    except subprocess.CalledProcessError as error:
        return None, _why(folder, error.stderr)


def _why(folder: Path, said: bytes) -> str:
    """Say why git has no history, from what it said."""
    if NO_REPOSITORY in said:
        return f"{folder} is in no git repository: nobody can say how the pins moved"
    if b"promisor" in said or b"transport" in said:
        return "this is a partial clone: git lacks the older versions of the pins (clone without --filter)"
    return f"git cannot read {folder}: {said.decode(errors='replace').strip().partition(chr(10))[0]}"


@attrs.frozen(kw_only=True)
class Step:
    """One commit: its id, that of its parent, and the paths of the files in both."""

    revision: str
    parent: str | None
    before: Mapping[str, str]
    after: Mapping[str, str]


def _read(folder: Path, *command: str, stdin: bytes = b"") -> bytes:
    """Ask git: nothing that somebody configured is run, printed or fetched on the way."""
    settings = ("core.fsmonitor=false", "log.showSignature=false", "protocol.allow=never")
    options = [word for setting in settings for word in ("-c", setting)]
    return run_git(folder, *options, *command, stdin=stdin)


def _steps(folder: Path, paths: Mapping[str, str], most: int) -> Iterator[Step]:
    """Yield the commits that touched the files, and those that touched them under an earlier name."""
    start = "HEAD"
    while most > 0:
        wanted = [f":(top,literal){path}" for path in paths.values()]
        log = _read(folder, "log", "--no-merges", f"--max-count={most}", "--format=%H %P", start, "--", *wanted)
        entries = [line.split() for line in log.decode().splitlines()]
        steps = [
            Step(revision=entry[0], parent=entry[1] if entry[1:] else None, before=paths, after=paths)
            for entry in entries
        ]
        most -= len(steps)
        old = _old_names(folder, steps[-1], paths) if steps else paths
        if old == paths:
            yield from steps
            return
        yield from steps[:-1]
        yield attrs.evolve(steps[-1], before=old)
        start, paths = steps[-1].parent or "", old


def _old_names(folder: Path, step: Step, paths: Mapping[str, str]) -> Mapping[str, str]:
    """Return the paths of the files before a commit that may have renamed them."""
    if step.parent is None:
        return paths
    renames = ("-r", "-z", "--find-renames", "--diff-filter=R", "--name-status")
    words = _read(folder, "diff-tree", *renames, step.parent, step.revision).decode(errors="replace").split("\0")
    old = dict(zip(words[2::3], words[1::3], strict=False))
    return {name: old.get(path, path) for name, path in paths.items()}


def _commits(folder: Path, steps: Sequence[Step]) -> Sequence[Commit]:
    """Read both files before and after each commit, in one go."""
    requests = [f"{step.parent}:{path}" for step in steps if step.parent for path in step.before.values()]
    requests += [f"{step.revision}:{path}" for step in steps for path in step.after.values()]
    requests = list(dict.fromkeys(requests))
    answer = _read(folder, "cat-file", "--batch", stdin="".join(f"{line}\n" for line in requests).encode())
    texts: dict[str, str] = {}
    for request in requests:
        head, _, answer = answer.partition(b"\n")
        if head.endswith(b" missing"):
            continue
        size = int(head.rpartition(b" ")[2])
        texts[request] = answer[:size].decode(errors="replace")
        answer = answer[size + 1 :]

    def found(revision: str | None, paths: Mapping[str, str]) -> Mapping[str, str]:
        known = {name: texts.get(f"{revision}:{path}") for name, path in paths.items()}
        return {name: text for name, text in known.items() if text is not None}

    return [
        Commit(revision=step.revision, before=found(step.parent, step.before), after=found(step.revision, step.after))
        for step in steps
    ]
