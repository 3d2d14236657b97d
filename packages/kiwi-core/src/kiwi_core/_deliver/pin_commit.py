"""Write pin files, as one commit where git keeps them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from kiwi_core._deliver.disk import replace_files
from kiwi_core._deliver.git import NO_REPOSITORY, run_git
from kiwi_core._spec.repo import shown
from kiwi_core.errors import ExternalError, PinError, Problem, Where, raise_all

__all__ = ["commit_pins", "why_no_commit"]

UNFINISHED: Final = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
LONGEST_TITLE: Final = 60


def why_no_commit(paths: Sequence[Path]) -> str | None:
    """Look whether a change of files can be one commit, before they are changed.

    Args:
        paths: files in one folder.

    Returns:
        None when git keeps them, or why it does not.

    Raises:
        PinError: git keeps them, and the commit would take something else along: they have changes already, or a merge
            or the like is not finished.
        ExternalError: git does not answer.
    """
    folder = paths[0].parent
    names = [path.name for path in paths]
    try:
        asked = [word for name in UNFINISHED for word in ("--git-path", name)]
        places = run_git(folder, "rev-parse", *asked).decode().splitlines()
        status = ("status", "--porcelain=v1", "-z", "--ignored", "--untracked-files=all", "--no-renames")
        changed = run_git(folder, *status, "--", *names).decode(errors="replace").split("\0")[:-1]
    except FileNotFoundError:
        return "there is no git"
    except subprocess.CalledProcessError as error:
        if NO_REPOSITORY in error.stderr:
            return f"{shown(folder)} is in no git repository"
        raise ExternalError(_failure(error)) from error
    if any(entry.startswith("!!") for entry in changed):
        return f"git ignores the pin files in {shown(folder)}"
    raise_all(PinError, _in_the_way(folder, places, changed))
    return None


def _in_the_way(folder: Path, places: Sequence[str], changed: Sequence[str]) -> Iterator[Problem]:
    unfinished = [what for place, what in zip(places, UNFINISHED.values(), strict=True) if (folder / place).exists()]
    if unfinished:
        hint = "finish it first, or edit without a commit: --no-commit"
        yield Problem(f"{unfinished[0]} is not finished in this repository", Where(shown(folder)), hint)
    for entry in changed:
        place = Where(shown(folder / Path(entry[3:]).name))
        hint = "commit or undo them first, or edit without a commit: --no-commit"
        yield Problem("it has changes that are not committed", place, hint)


def commit_pins(files: Mapping[Path, bytes], paths: Sequence[Path], *, title: str, lines: Sequence[str]) -> str:
    """Write pin files and commit them, and nothing else that is changed or staged.

    Args:
        files: the new content.
        paths: all files of the commit, in one folder.
        title: the first line of the message.
        lines: what changed.

    Returns:
        The commit's short id.

    Raises:
        OutputError: a file cannot be written.
        ExternalError: git refused, e.g. by a hook; the files are as they were.
    """
    folder = paths[0].parent
    old = {path: path.read_bytes() for path in files}
    message = f"{title}\n\n" + "".join(f"{line}\n" for line in lines)
    replace_files(files)
    try:
        commit = ("commit", "--only", "--quiet", "--file=-", "--", *(path.name for path in paths))
        run_git(folder, *commit, stdin=message.encode())
    except BaseException as error:
        replace_files(old)
        if isinstance(error, subprocess.CalledProcessError):
            raise ExternalError(_failure(error)) from error
        raise
    return run_git(folder, "rev-parse", "--short", "HEAD").decode().strip()


def _failure(error: subprocess.CalledProcessError) -> Problem:
    said: bytes = error.stderr or error.stdout
    return Problem(
        f"git {error.cmd[3]} failed: {said.decode(errors='replace').strip()}", hint="the files are unchanged"
    )
