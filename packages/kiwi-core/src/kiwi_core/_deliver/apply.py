"""Deliver a tree to its cluster through helmfile, so that it can be broken off anywhere and taken up again.

All that is remembered stands in the cluster: the lock on a Lease, what is unfinished in Helm's own records. What is
delivered is always the whole tree; Helm finds what is to be done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from kiwi_core._compose.platform import CLUSTER_LABEL, TARGET_LABEL
from kiwi_core._deliver.handover import Handed
from kiwi_core._deliver.helm import Helm
from kiwi_core._deliver.helm_records import read_records, remove_record
from kiwi_core._deliver.helmfile import Helmfile, without_secrets
from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl, KubectlError
from kiwi_core._deliver.lease import Held, holding
from kiwi_core._deliver.leftovers import remove_leftovers
from kiwi_core._deliver.watch import Watch, failing_pods
from kiwi_core._model.snapshot import Record, newest
from kiwi_core.errors import ExternalError, InputError, Problem, Unreachable, raise_all

__all__ = ["Delivery", "deliver"]

LOOK: Final = 2.0
"""Seconds between two looks at the cluster."""
AWAY: Final = 300.0
"""Seconds to wait for an API server that went away."""
LINES: Final = 20
"""Of the log of a container that fails."""


@attrs.frozen(kw_only=True)
class Delivery:
    """What is delivered, and how.

    Attributes:
        kubectl: the cluster.
        helm: what is asked of its releases.
        helmfile: what delivers.
        folder: the tree.
        target: the customer's namespace or the cluster's name, as the namespaces' label says.
        cluster: the cluster's name.
        namespaces: those of the target; the first one has the lock.
        releases: each release's namespace and timeout, in order.
        handed: the values that are handed over.
        patience: seconds to wait for another apply.
        say: is told what happens.
    """

    kubectl: Kubectl
    helm: Helm
    helmfile: Helmfile
    folder: Path
    target: str
    cluster: str
    namespaces: Sequence[str]
    releases: Mapping[str, tuple[str, int]]
    handed: Handed
    patience: float
    say: Callable[[str], None]


def deliver(delivery: Delivery) -> None:
    """Bring the cluster to the tree.

    Raises:
        InputError: a namespace is another's, or a release of it.
        ExternalError: the cluster does not answer or refuses, another apply is at work, or a release failed.
        KeyboardInterrupt: the user broke it off; helmfile has ended by then.
    """
    _claim(delivery)
    with holding(
        delivery.kubectl,
        delivery.namespaces[0],
        patience=delivery.patience,
        say=delivery.say,
    ) as held:
        _check_releases(delivery)
        _recover(delivery, is_left=held.was_left)
        watch = Watch(kubectl=delivery.kubectl, namespaces=delivery.namespaces)
        watch.start()
        while True:
            code, said = _run(delivery, watch, held)
            if code == 0:
                break
            if held.is_lost:
                message = "the lock was lost: the cluster did not answer for too long, or somebody took it"
                raise ExternalError(Problem(message, hint="run it again: what is unfinished is read from the cluster"))
            if not _wait_for_server(delivery) and not watch.was_away:
                _fail(delivery, code, said)
            watch.was_away = False
            _recover(delivery, is_left=True)
        for namespace in delivery.namespaces:
            for name in remove_leftovers(delivery.kubectl, namespace):
                delivery.say(f"{name} is removed: a deploy that did not end had left it")
        held.is_finished = True


def _claim(delivery: Delivery) -> None:
    """Have every namespace, labelled as the target's; refuse one that is not."""
    labels = {TARGET_LABEL: delivery.target, CLUSTER_LABEL: delivery.cluster}
    problems: list[Problem] = []
    for namespace in delivery.namespaces:
        there = delivery.kubectl.find("namespace", namespace)
        if there is None:
            try:
                delivery.kubectl.create(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {**labels}}}
                )
                delivery.say(f"namespace {namespace} is made")
                continue
            except KubectlError as error:
                if error.reason != "AlreadyExists":
                    raise
                there = delivery.kubectl.get("namespace", namespace)
        if text_at(there, "status", "phase") == "Terminating":
            hint = "wait until it is gone; what holds it up stands in its status: kubectl get namespace -o yaml"
            problems.append(Problem(f"namespace {namespace} is being deleted", hint=hint))
        for label, value in labels.items():
            found = text_at(there, "metadata", "labels", label)
            if found != value:
                message = f"namespace {namespace} is there and not ours: its label {label} is {found or 'not set'}"
                hint = f"where it shall be ours: kubectl label namespace {namespace} {label}={value}"
                problems.append(Problem(message, hint=hint if not found else f"expected {value}"))
    raise_all(InputError, problems)


def _check_releases(delivery: Delivery) -> None:
    """Refuse to take over a release that another made: ours are labelled with the tree they come from."""
    raise_all(
        InputError,
        (
            Problem(
                f"release {record.release} in {namespace} is there and not ours: its record names no tree",
                hint=f"where it may go: helm uninstall {record.release} --namespace {namespace}",
            )
            for namespace in delivery.namespaces
            for record in newest(read_records(delivery.kubectl, namespace)).values()
            if record.release in delivery.releases and not record.tree
        ),
    )


def _recover(delivery: Delivery, *, is_left: bool) -> None:
    """End what was left: a record that says that Helm is at work, when it is not.

    While this holds the lock, no other apply is at work. Where the one before did not finish, what is pending is what it
    left; else it may be a Helm that somebody runs by hand, which is waited for as long as the release may take.
    """
    told: set[str] = set()
    began = time.monotonic()
    while True:
        busy = False
        for namespace in delivery.namespaces:
            records = read_records(delivery.kubectl, namespace)
            for record in newest(records).values():
                if not record.is_pending or record.release not in delivery.releases:
                    continue
                _, timeout = delivery.releases[record.release]
                if is_left or time.monotonic() - began > timeout:
                    remove_record(delivery.kubectl, namespace, record)
                    delivery.say(
                        f"release {record.release}: revision {record.revision} was left {record.status}; it goes on"
                    )
                else:
                    busy = True
                    if record.secret not in told:
                        told.add(record.secret)
                        delivery.say(_busy(record, namespace, timeout))
        if not busy:
            return
        time.sleep(LOOK)


def _busy(record: Record, namespace: str, timeout: int) -> str:
    return (
        f"release {record.release} in {namespace} is {record.status}: a Helm that is no apply is at work, or was; "
        f"waiting for at most {timeout} s"
    )


def _run(delivery: Delivery, watch: Watch, held: Held) -> tuple[int, str]:
    """Run helmfile to its end, and tell what happens meanwhile."""
    words = ("sync",)
    with delivery.helmfile.running(delivery.folder, words, delivery.handed) as running:
        held.on_lost = running.end
        while (code := running.wait(LOOK)) is None:
            _tell(delivery, watch)
        _tell(delivery, watch)
        return code, running.said()


def _tell(delivery: Delivery, watch: Watch) -> None:
    for line in watch.look():
        delivery.say(without_secrets(line, delivery.handed.secrets))


def _wait_for_server(delivery: Delivery) -> bool:
    """Say whether the API server went away and came back: what failed then is tried again."""
    began, was_away = time.monotonic(), False
    while True:
        try:
            delivery.kubectl.run("get", "--raw", "/readyz")
        except Unreachable as error:
            if not was_away:
                delivery.say(f"the API server went away, waiting for it: {error.problems[0].message}")
            was_away = True
            if time.monotonic() - began > AWAY:
                raise
            time.sleep(LOOK)
        except KubectlError:  # it is starting
            was_away = True
            time.sleep(LOOK)
        else:
            return was_away


def _fail(delivery: Delivery, code: int, said: str) -> None:
    """Tell what failed, with the last lines of each container that did."""
    for line in _logs(delivery):
        delivery.say(without_secrets(line, delivery.handed.secrets))
    shown = "\n".join(
        line for line in said.splitlines() if line.strip() and not line.startswith(("Building", "Affected"))
    )
    hint = "mend it and run it again: what is unfinished is read from the cluster"
    raise ExternalError(Problem(f"helmfile ended with exit code {code}:\n{shown}", hint=hint))


def _logs(delivery: Delivery) -> Iterator[str]:
    for namespace in delivery.namespaces:
        for pod, container, why in failing_pods(delivery.kubectl, namespace):
            yield f"pod {pod}, container {container}: {why}; the last of its log:"
            try:
                words = ("logs", pod, "--container", container, f"--tail={LINES}")
                yield from (f"    {line}" for line in delivery.kubectl.run(*words, namespace=namespace).splitlines())
            except ExternalError as error:
                yield f"    none: {error.problems[0].message}"
