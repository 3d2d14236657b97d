"""Ask Helm of the releases in a cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Final

import attrs

from kiwi_core.errors import ExternalError, Problem

__all__ = ["Helm"]

VERSION: Final = re.compile(r"v?(\d+)\.")
PATIENCE: Final = 600
"""Seconds for an answer; what is uninstalled may take long to go."""


@attrs.frozen(kw_only=True)
class Helm:
    """A Helm to run.

    Attributes:
        program: helm; the one on PATH by default.
        context: of the kubeconfig; the current one by default.
    """

    program: str | None = None
    context: str | None = None

    @property
    def major(self) -> int:
        """Its major version.

        Raises:
            ExternalError: there is no Helm, or it says something else.
        """
        said = self.run("version", "--template", "{{.Version}}", namespace="default")
        found = VERSION.match(said)
        if found is None:
            raise ExternalError(Problem(f"helm version says {said!r}, expected a version such as v4.3.1"))
        return int(found.group(1))

    def run(self, *words: str, namespace: str) -> str:
        """Run a command, and return what it prints.

        Raises:
            ExternalError: there is no Helm, or it failed.
        """
        name = self.program or "helm"
        program = shutil.which(name)
        if program is None:
            raise ExternalError(Problem(f"there is no program {name!r}", hint="install it, or name it with --helm"))
        where = (*(("--kube-context", self.context) if self.context else ()), "--namespace", namespace)
        try:
            done = subprocess.run(
                [program, *where, *words], capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            raise ExternalError(Problem(f"helm {words[0]} did not end in {PATIENCE} seconds")) from None
        if done.returncode:
            raise ExternalError(Problem(f"helm {' '.join(words[:3])} failed: {done.stderr.strip()}"))
        return done.stdout
