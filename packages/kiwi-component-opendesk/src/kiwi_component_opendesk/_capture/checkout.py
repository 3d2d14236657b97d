"""A revision of a git repository, read without a work tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import attrs
from kiwi_core.errors import ExternalError, InputError, Problem, Where

__all__ = ["Checkout"]


@attrs.frozen
class Checkout:
    """One revision of a repository.

    Attributes:
        repository: a git directory, with or without a work tree.
        revision: what names the commit.
    """

    repository: Path
    revision: str

    def commit(self) -> str:
        """Return the full name of the commit.

        Raises:
            ExternalError: git fails, or there is no such revision.
        """
        return self._git("rev-parse", "--verify", "--end-of-options", f"{self.revision}^{{commit}}").strip()

    def read(self, path: str) -> str:
        """Return the text of a file.

        Raises:
            InputError: there is no such file at the revision.
            ExternalError: git fails otherwise.
        """
        if path not in self._files(path):
            raise InputError(
                Problem(
                    f"revision {self.revision} has no such file",
                    Where(path),
                    "is it a revision of openDesk 1.13? Later versions have other entry files",
                )
            )
        return self._git("cat-file", "blob", f"{self.revision}:{path}")

    def _files(self, path: str) -> list[str]:
        return self._git("ls-tree", "-r", "--name-only", "--full-tree", self.revision, "--", path).splitlines()

    def _git(self, *arguments: str) -> str:
        command = ("git", "-C", str(self.repository), *arguments)
        try:
            done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
        except FileNotFoundError:
            raise ExternalError(
                Problem("git is not installed", hint="install it: the capture reads with git")
            ) from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise ExternalError(
                Problem(
                    f"git {arguments[0]} failed: {said[-1] if said else f'exit code {done.returncode}'}",
                    Where(str(self.repository)),
                    "name a git repository, and a revision that it has",
                )
            )
        return done.stdout
