"""What the hooks' jobs left in their pods' termination messages, read with kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import attrs

from kiwi_core._compose.policy import HOOKS_LABEL
from kiwi_core._model.capture import Json
from kiwi_core.errors import ExternalError, Problem

__all__ = ["HookStatus", "read_status"]

PATIENCE: Final = 30


@attrs.frozen(kw_only=True)
class HookStatus:
    """What is known of one hook's last run.

    Attributes:
        release: the release that ran it.
        hook: its name; the pod's where it left no message.
        said: in words.
        failed: whether it did.
        at: when it ended, or began, as Kubernetes writes times.
    """

    release: str
    hook: str
    said: str
    failed: bool
    at: str


def read_status(namespace: str, *, program: str = "kubectl", context: str | None = None) -> tuple[HookStatus, ...]:
    """Return the last run of every hook in a namespace, in the order of releases.

    Raises:
        ExternalError: kubectl is not there, or the API server does not answer or refuses.
    """
    pods = _pods(namespace, program, context)
    newest: dict[str, Mapping[str, Json]] = {}
    for pod in sorted(pods, key=_made):
        newest[_text(pod, "metadata", "labels", HOOKS_LABEL)] = pod
    return tuple(row for release, pod in sorted(newest.items()) for row in _rows(release, pod))


def _pods(namespace: str, program: str, context: str | None) -> Sequence[Mapping[str, Json]]:
    words = [program, *(("--context", context) if context else ()), "--namespace", namespace, "get", "pods"]
    words += ["--selector", HOOKS_LABEL, "--output", "json"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
        found = json.loads(done.stdout)
    except FileNotFoundError:
        hint = "install kubectl, or name it with --kubectl"
        raise ExternalError(Problem(f"there is no program {program!r}", hint=hint)) from None
    except subprocess.TimeoutExpired:
        raise ExternalError(Problem(f"kubectl did not answer in {PATIENCE} seconds")) from None
    except subprocess.CalledProcessError as error:
        raise ExternalError(Problem(f"kubectl failed: {str(error.stderr).strip()}")) from None
    except ValueError:
        raise ExternalError(Problem("kubectl gave something that is no JSON")) from None
    return cast("Sequence[Mapping[str, Json]]", found.get("items", ()))


def _rows(release: str, pod: Mapping[str, Json]) -> Iterator[HookStatus]:
    phase = _text(pod, "status", "phase")
    ended = [
        state
        for status in cast("Sequence[Json]", _get(pod, "status", "containerStatuses") or ())
        if isinstance(state := _get(status, "state", "terminated"), Mapping)
    ]
    name = _text(pod, "metadata", "name")
    if not ended:
        yield HookStatus(release=release, hook=name, said=phase.lower() or "?", failed=phase == "Failed", at=_made(pod))
    for state in ended:
        at, failed = _text(state, "finishedAt"), state.get("exitCode") != 0
        hooks = _message(_text(state, "message"))
        for hook in hooks:
            problems, changed = _texts(hook.get("problems")), _texts(hook.get("changed"))
            said = f"failed: {'; '.join(problems)}" if problems else "; ".join(changed) or "unchanged"
            seconds = hook.get("seconds")
            said += f"  ({seconds} s)" if seconds else ""
            yield HookStatus(release=release, hook=str(hook.get("hook", name)), said=said, failed=bool(problems), at=at)
        if not hooks:
            reason = _text(state, "reason") or f"exit code {state.get('exitCode')}"
            yield HookStatus(release=release, hook=name, said=reason.lower(), failed=failed, at=at)


def _message(text: str) -> Sequence[Mapping[str, Json]]:
    """Read a termination message; an author's own container may leave anything there."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(found, dict):
        return ()
    found = cast("Mapping[str, Json]", found)
    hooks = found.get("hooks", [found] if "changed" in found else [])
    return [hook for hook in cast("Sequence[Json]", hooks) if isinstance(hook, Mapping)]


def _made(pod: Mapping[str, Json]) -> str:
    return _text(pod, "metadata", "creationTimestamp")


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _text(tree: Json, *path: str) -> str:
    found = _get(tree, *path)
    return found if isinstance(found, str) else ""


def _get(tree: Json, *path: str) -> Json:
    for step in path:
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree
