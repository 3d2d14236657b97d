"""The lock of a target: one apply at a time, on a Lease in its namespace.

As client-go's leader election does it (client-go, tools/leaderelection): a holder renews; who waits takes over when it
has seen no renewal for the lease's duration by its own clock, so clocks need not agree; each write names the version
that it saw. What was left unfinished is read from the Lease, too: its holder is there still, or it says so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import Final

import attrs

from kiwi_core._deliver.json_paths import text_at
from kiwi_core._deliver.kubectl import Kubectl, KubectlError
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import as_map
from kiwi_core._model.snapshot import LEASE
from kiwi_core.errors import ExternalError, Problem

__all__ = ["DURATION", "Held", "holding"]

UNFINISHED: Final = "kiwistack.dev/unfinished"
DURATION: Final = 15.0
"""Seconds after which a lease that is not renewed is anybody's."""
RENEW: Final = 4.0
"""Seconds between two renewals."""
LOOK: Final = 1.0


@attrs.define(kw_only=True)
class Held:
    """A lease that is held.

    Attributes:
        was_left: whether the one before did not finish.
        is_lost: whether somebody else has it now, or nobody can say.
        on_lost: is called in another thread, as soon as that is so.
        is_finished: to be set at the end; else the next one is told that this one did not finish.
    """

    was_left: bool
    is_lost: bool = False
    on_lost: Callable[[], None] = lambda: None
    is_finished: bool = False


@contextlib.contextmanager
def holding(
    kubectl: Kubectl,
    namespace: str,
    *,
    patience: float,
    say: Callable[[str], None],
) -> Generator[Held]:
    """Hold the lease of a namespace.

    Args:
        kubectl: the cluster.
        namespace: which is there.
        patience: seconds to wait for another holder that renews.
        say: is told who has it, while this one waits.

    Raises:
        ExternalError: another one holds it for longer, or the cluster does not answer.
    """
    me = f"{_user()}@{socket.gethostname()}/{os.getpid()}-{secrets.token_hex(3)}"
    there, version = _acquire(kubectl, namespace, me, patience, say)
    is_marked = text_at(there, "metadata", "annotations", UNFINISHED) == "true"
    held = Held(was_left=bool(text_at(there, "spec", "holderIdentity")) or is_marked)
    ended = threading.Event()

    def renew() -> None:
        nonlocal version
        seen = time.monotonic()
        while not ended.wait(RENEW):
            try:
                current = kubectl.get("lease", LEASE, namespace=namespace)
                if _version(current) != version:
                    break
                version = _version(_written(kubectl, current, me, unfinished=True))
                seen = time.monotonic()
            except ExternalError:
                if time.monotonic() - seen > DURATION - RENEW:
                    break
        else:
            return
        held.is_lost = True
        held.on_lost()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield held
    finally:
        ended.set()
        thread.join()
        if not held.is_lost:
            with contextlib.suppress(ExternalError):
                current = kubectl.get("lease", LEASE, namespace=namespace)
                if _version(current) == version:
                    _written(kubectl, current, "", unfinished=not held.is_finished)


def _acquire(
    kubectl: Kubectl, namespace: str, me: str, patience: float, say: Callable[[str], None]
) -> tuple[Mapping[str, Json], str]:
    """Return the lease as it was before it became ours, and the version of it that is ours."""
    seen, since, began, told = "", time.monotonic(), time.monotonic(), ""
    while True:
        lease = kubectl.find("lease", LEASE, namespace=namespace)
        if lease is None:
            empty: Mapping[str, Json] = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": LEASE, "namespace": namespace},
                "spec": {"leaseDurationSeconds": int(DURATION)},
            }
            with contextlib.suppress(KubectlError):  # another one made it at the same moment
                kubectl.create(empty)
            continue
        holder, now = text_at(lease, "spec", "holderIdentity"), time.monotonic()
        if _version(lease) != seen:
            seen, since = _version(lease), now
        if not holder or now - since > DURATION:
            with contextlib.suppress(KubectlError):  # another one was faster
                return lease, _version(_written(kubectl, lease, me, unfinished=True))
            continue
        if now - began > patience + DURATION:
            message = (
                f"another apply is at work in {namespace}: {holder}, since {text_at(lease, 'spec', 'acquireTime')}"
            )
            raise ExternalError(Problem(message, hint="wait until it is done, or give --wait more seconds"))
        if holder != told:
            say(f"waiting for another apply: {holder}")
            told = holder
        time.sleep(LOOK)


def _written(kubectl: Kubectl, lease: Mapping[str, Json], holder: str, *, unfinished: bool) -> Mapping[str, Json]:
    """Write who holds it, against the version that was read."""
    metadata, spec, now = dict(as_map(lease.get("metadata"))), dict(as_map(lease.get("spec"))), _now()
    metadata["annotations"] = {**as_map(metadata.get("annotations")), UNFINISHED: str(unfinished).lower()}
    if holder != spec.get("holderIdentity"):
        spec["acquireTime"] = now
    spec |= {"holderIdentity": holder, "renewTime": now, "leaseDurationSeconds": int(DURATION)}
    return kubectl.replace({**lease, "metadata": metadata, "spec": spec})


def _version(lease: Mapping[str, Json]) -> str:
    return text_at(lease, "metadata", "resourceVersion")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or str(os.getuid())
