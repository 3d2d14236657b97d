"""The cluster as kubectl reaches it: contexts, exec plugins and proxies of a kubeconfig are kubectl's to understand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final, cast

import attrs

from kiwi_core._model.capture import Json
from kiwi_core.errors import ExternalError, Forbidden, Problem, Unreachable

__all__ = ["Kubectl", "KubectlError"]

PATIENCE: Final = 30
"""Seconds for an answer of the API server."""

MANAGER: Final = "kiwistack"
"""Who it is that writes, as the server keeps it with each field."""

KLOG: Final = re.compile(r"[IWEF]\d{4} \d{2}:\d{2}:")
"""What the lines of kubectl's own log begin with (klog): the same as its last line says, many times."""

REASON: Final = re.compile(r"Error from server \((\w+)\)")
AWAY: Final = re.compile(
    r"The connection to the server|Unable to connect to the server|connection refused|i/o timeout|EOF|"
    r"no configuration has been provided|TLS handshake|Client\.Timeout|http2: "
)


class KubectlError(ExternalError):
    """The API server refused.

    Attributes:
        reason: why, as Kubernetes spells reasons (``NotFound``, ``Conflict``, ``AlreadyExists``, …); empty for none.
    """

    def __init__(self, reason: str, *problems: Problem | str) -> None:
        super().__init__(*problems)
        self.reason = reason


@attrs.frozen(kw_only=True)
class Kubectl:
    """What asks an API server.

    Attributes:
        program: kubectl.
        context: of the kubeconfig; the current one by default.
    """

    program: str = "kubectl"
    context: str | None = None

    def get(self, *words: str, namespace: str | None = None) -> Mapping[str, Json]:
        """Return what ``kubectl get`` gives as JSON: an object, or a list of them.

        Raises:
            KubectlError: it is not there, or the server refuses.
            Unreachable: the server does not answer.
        """
        text = self.run("get", *words, "--output", "json", namespace=namespace)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, Mapping):
            raise ExternalError(Problem(f"kubectl get {' '.join(words)} gave something that is no JSON object"))
        return cast("Mapping[str, Json]", found)

    def find(self, kind: str, name: str, *, namespace: str | None = None) -> Mapping[str, Json] | None:
        """Return an object; None where there is none of that name."""
        try:
            return self.get(kind, name, namespace=namespace)
        except KubectlError as error:
            if error.reason == "NotFound":
                return None
            raise

    def items(self, *words: str, namespace: str | None = None) -> Sequence[Mapping[str, Json]]:
        """Return the objects of a list."""
        return cast("Sequence[Mapping[str, Json]]", self.get(*words, namespace=namespace).get("items") or ())

    def create(self, manifest: Mapping[str, Json]) -> Mapping[str, Json]:
        """Make an object; another one of its name is a KubectlError ``AlreadyExists``."""
        return self._write("create", manifest)

    def replace(self, manifest: Mapping[str, Json]) -> Mapping[str, Json]:
        """Put an object in its place; one that was changed since its ``resourceVersion`` is a KubectlError ``Conflict``."""
        return self._write("replace", manifest)

    def _write(self, verb: str, manifest: Mapping[str, Json]) -> Mapping[str, Json]:
        words = ("--filename", "-", "--field-manager", MANAGER, "--output", "json")
        text = self.run(verb, *words, stdin=json.dumps(manifest))
        return cast("Mapping[str, Json]", json.loads(text))

    def run(
        self, *words: str, namespace: str | None = None, stdin: str | None = None, patience: float = PATIENCE
    ) -> str:
        """Run kubectl and return what it printed.

        Args:
            words: its command and options; no secret among them.
            namespace: where.
            stdin: what it reads.
            patience: seconds until it is ended.

        Raises:
            ExternalError: there is no kubectl.
            Unreachable: the server does not answer.
            Forbidden: the account lacks a right.
            KubectlError: the server refuses for another reason.
        """
        where = [
            *(("--context", self.context) if self.context else ()),
            *(("--namespace", namespace) if namespace else ()),
        ]
        program = shutil.which(self.program)
        if program is None:
            hint = "install kubectl, or name it with --kubectl"
            raise ExternalError(Problem(f"there is no program {self.program!r}", hint=hint))
        try:
            done = subprocess.run(
                [program, *where, *words], input=stdin, capture_output=True, text=True, check=False, timeout=patience
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(Problem(f"the API server did not answer in {patience:.0f} seconds")) from None
        if done.returncode == 0:
            return done.stdout
        raise _error(done.stderr.strip() or f"it ended with exit code {done.returncode}", words)


def _error(text: str, words: Sequence[str]) -> ExternalError:
    said = "\n".join(line for line in text.splitlines() if not KLOG.match(line)) or text
    what = f"kubectl {' '.join(words[:3])}"
    found = REASON.search(said)
    reason = found.group(1) if found else ""
    if reason == "Forbidden":
        return Forbidden(
            Problem(said, hint=f"the account of the kubeconfig may not do that ({what}): give it the right")
        )
    if not reason and AWAY.search(said):
        return Unreachable(Problem(said, hint="is the context the right one, and the cluster up?"))
    return KubectlError(reason, Problem(f"{what} failed: {said}"))
