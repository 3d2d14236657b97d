"""What happens in a cluster while something is delivered: Helm's releases, pods that wait, and the cluster's own warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._deliver.helm_records import read_records
from kiwi_core._deliver.json_paths import at, list_at, text_at
from kiwi_core._deliver.kubectl import Kubectl
from kiwi_core._model.capture import Json
from kiwi_core._model.snapshot import newest
from kiwi_core.errors import ExternalError

__all__ = ["Watch", "failing_pods"]

STARTING: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons why a container waits that are no trouble (kubelet)."""

WORDS: Final = {
    "pending-install": "is being installed",
    "pending-upgrade": "is being upgraded",
    "pending-rollback": "is being rolled back",
    "deployed": "is deployed",
    "failed": "failed",
    "uninstalling": "is being uninstalled",
}


@attrs.define(kw_only=True)
class Watch:
    """Looks at the namespaces of a target, and tells what is new since it looked last.

    Attributes:
        kubectl: the cluster.
        namespaces: where to look.
        was_away: whether it did not answer once.
    """

    kubectl: Kubectl
    namespaces: Sequence[str]
    was_away: bool = False
    _records: dict[tuple[str, str], tuple[int, str]] = attrs.field(factory=dict[tuple[str, str], tuple[int, str]])
    _told: set[str] = attrs.field(factory=set[str])
    _old: set[str] = attrs.field(factory=set[str])
    _is_away: bool = False

    def start(self) -> None:
        """Take what is there as known.

        Raises:
            ExternalError: the cluster does not answer.
        """
        for namespace in self.namespaces:
            for record in newest(read_records(self.kubectl, namespace)).values():
                self._records[namespace, record.release] = (record.revision, record.status)
            self._old |= {_id(event) for event in self._events(namespace)}

    def look(self) -> Iterator[str]:
        """Yield what is new, in words. A cluster that does not answer is told once, and asked again."""
        try:
            for namespace in self.namespaces:
                yield from self._releases(namespace)
                yield from self._once(self._waiting(namespace))
                yield from self._once(_warnings(self._new(namespace)))
            self._is_away = False
        except ExternalError as error:
            if not self._is_away:
                yield f"the cluster does not answer: {error.problems[0].message}"
            self._is_away = self.was_away = True

    def _once(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                yield line

    def _releases(self, namespace: str) -> Iterator[str]:
        for record in newest(read_records(self.kubectl, namespace)).values():
            state = (record.revision, record.status)
            if self._records.get((namespace, record.release)) != state:
                self._records[namespace, record.release] = state
                yield f"release {record.release} {WORDS.get(record.status, record.status)} (revision {record.revision})"

    def _waiting(self, namespace: str) -> Iterator[str]:
        for pod in self.kubectl.items("pods", namespace=namespace):
            name = text_at(pod, "metadata", "name")
            for status in _statuses(pod):
                reason = text_at(status, "state", "waiting", "reason")
                if reason not in STARTING:
                    message = text_at(status, "state", "waiting", "message")
                    yield f"pod {name} waits: {reason}{f': {message}' if message else ''}"
            for condition in list_at(pod, "status", "conditions"):
                if text_at(condition, "type") == "PodScheduled" and text_at(condition, "status") == "False":
                    yield f"pod {name} waits: {text_at(condition, 'message')}"

    def _events(self, namespace: str) -> Sequence[Mapping[str, Json]]:
        return self.kubectl.items("events", "--field-selector", "type=Warning", namespace=namespace)

    def _new(self, namespace: str) -> Iterator[Mapping[str, Json]]:
        return (event for event in self._events(namespace) if _id(event) not in self._old)


def _warnings(events: Iterator[Mapping[str, Json]]) -> Iterator[str]:
    for event in events:
        about = f"{text_at(event, 'involvedObject', 'kind').lower()} {text_at(event, 'involvedObject', 'name')}"
        yield f"{about}: {text_at(event, 'reason')}: {text_at(event, 'message')}"


def failing_pods(kubectl: Kubectl, namespace: str) -> Iterator[tuple[str, str, str]]:
    """Yield the containers that failed or do not get ready: pod, container, and what is known of why.

    Raises:
        ExternalError: the cluster does not answer.
    """
    for pod in kubectl.items("pods", namespace=namespace):
        if text_at(pod, "status", "phase") == "Succeeded":
            continue
        for status in _statuses(pod):
            state, last = at(status, "state"), at(status, "lastState")
            ended = text_at(state, "terminated", "reason") or text_at(last, "terminated", "reason")
            waits = text_at(state, "waiting", "reason")
            if ended not in {"", "Completed"} or waits not in STARTING or (not ended and _is_unready(status)):
                yield text_at(pod, "metadata", "name"), text_at(status, "name"), waits or ended or "not ready"


def _is_unready(status: Json) -> bool:
    return at(status, "ready") is False and isinstance(at(status, "state", "running"), Mapping)


def _statuses(pod: Json) -> Iterator[Json]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from list_at(pod, "status", kind)


def _id(event: Mapping[str, Json]) -> str:
    """One event, counted anew each time that it happens again."""
    return f"{text_at(event, 'metadata', 'uid')} {text_at(event, 'metadata', 'resourceVersion')}"
