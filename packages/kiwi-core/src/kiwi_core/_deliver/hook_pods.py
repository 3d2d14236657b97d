"""What the hooks' jobs left in their pods' termination messages, read with kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import attrs

from kiwi_core._compose.policy import HOOKS_LABEL
from kiwi_core._deliver.json_paths import at, text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._model.capture import Json

__all__ = ["HookStatus", "read_status"]


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


def read_status(namespace: str, kubectl: Kubectl) -> tuple[HookStatus, ...]:
    """Return the last run of every hook in a namespace, in the order of releases.

    Raises:
        ExternalError: kubectl is not there, or the API server does not answer or refuses.
    """
    newest: dict[str, Mapping[str, Json]] = {}
    for pod in sorted(kubectl.items("pods", "--selector", HOOKS_LABEL, namespace=namespace), key=_made):
        newest[text_at(pod, "metadata", "labels", HOOKS_LABEL)] = pod
    return tuple(row for release, pod in sorted(newest.items()) for row in _rows(release, pod))


def _rows(release: str, pod: Mapping[str, Json]) -> Iterator[HookStatus]:
    phase = text_at(pod, "status", "phase")
    ended = [
        state
        for status in cast("Sequence[Json]", at(pod, "status", "containerStatuses") or ())
        if isinstance(state := at(status, "state", "terminated"), Mapping)
    ]
    name = text_at(pod, "metadata", "name")
    if not ended:
        yield HookStatus(release=release, hook=name, said=phase.lower() or "?", failed=phase == "Failed", at=_made(pod))
    for state in ended:
        when, failed = text_at(state, "finishedAt"), state.get("exitCode") != 0
        hooks = _message(text_at(state, "message"))
        for hook in hooks:
            problems, changed = _texts(hook.get("problems")), _texts(hook.get("changed"))
            said = f"failed: {'; '.join(problems)}" if problems else "; ".join(changed) or "unchanged"
            seconds = hook.get("seconds")
            said += f"  ({seconds} s)" if seconds else ""
            yield HookStatus(
                release=release, hook=str(hook.get("hook", name)), said=said, failed=bool(problems), at=when
            )
        if not hooks:
            reason = text_at(state, "reason") or f"exit code {state.get('exitCode')}"
            yield HookStatus(release=release, hook=name, said=reason.lower(), failed=failed, at=when)


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
    return text_at(pod, "metadata", "creationTimestamp")


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
