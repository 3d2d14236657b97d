"""Fingerprint many tenants over processes, one for each core: the time for each, and whether it grows linearly.

A thousand tenants of openDesk's 37 scopes are a thousand times 38 scrypts, an hour of two cores or so; a minute has to
do. What is measured is a few tenants of few scopes, and what that comes to for a thousand is worked out: the work is
scrypt and nothing else, which the growth shows.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from kiwi_core._derive.lock import dump_lock, lock_of
from kiwi_core._derive.password import Seed
from kiwi_core._derive.seeds import customer_seed
from kiwi_core._model.late import Credential

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

PLATFORM: Final = "the platform of this benchmark, whose seed is no secret: 6rQ1yYx0b8Zk"
TENANTS: Final = (4, 8, 16)
"""How many tenants each core gets, in one run after the other."""

CREDENTIALS: Final = tuple(
    Credential(f"scope-{scope}", f"purpose-{purpose}") for scope in range(2) for purpose in range(3)
)
SCRYPTS: Final = len({late.scope for late in CREDENTIALS}) + 2
"""Of one tenant here: its scopes, its own seed from the platform's, and the mark of that."""

WHOLE: Final = 1_000 * (37 + 2)
"""Scrypts of a thousand tenants with openDesk's scopes."""

GOAL: Final = 1.25
"""How much more than twice the time twice the tenants may take."""


def fingerprint(number: int) -> bytes:
    """Return the lock of one tenant."""
    return dump_lock(lock_of(customer_seed(Seed(PLATFORM), f"customer-{number}"), CREDENTIALS))


def stay(free: SimpleQueue[int]) -> None:
    """Keep a worker on a core of its own, so that it takes no thread beside its own."""
    os.sched_setaffinity(0, {free.get()})


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    each: list[float] = []
    spawn = get_context("spawn")
    free: SimpleQueue[int] = spawn.SimpleQueue()
    for core in cores:
        free.put(core)
    with ProcessPoolExecutor(len(cores), spawn, stay, (free,)) as pool:
        list(pool.map(fingerprint, range(len(cores))))  # to start the processes
        for count in (tenants * len(cores) for tenants in TENANTS):
            started = time.perf_counter()
            locks = set(pool.map(fingerprint, range(count)))
            seconds = time.perf_counter() - started
            assert len(locks) == count
            each.append(seconds / count * len(cores))
            what = f"{count} tenants of {len(CREDENTIALS)} credentials, {SCRYPTS} scrypts, on {len(cores)} cores"
            sys.stdout.write(f"{what:<62} {seconds:6.2f} s: {each[-1] * 1e3:7.1f} ms a tenant and core\n")
    growth = max(each) / min(each)
    hours = WHOLE * min(each) / SCRYPTS / 3600
    sys.stdout.write(
        f"{f'from {TENANTS[0]} to {TENANTS[-1]} tenants a core, the time for each':<62} {growth:6.2f} times  "
        f"{'within' if growth <= GOAL else 'ABOVE'} the goal of {GOAL}\n"
        f"{'so 1,000 tenants of 37 scopes would take':<62} {hours:6.2f} h of one core\n"
    )


if __name__ == "__main__":
    main()
