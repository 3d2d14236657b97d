"""A deploy that is killed at any moment, or whose API server goes away, ends where it would have ended."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e.scene import Customer, kept
from kiwi_core._deliver.lease import DURATION
from testbed.cluster import Cluster, GivenCluster
from testbed.rest import ask
from testbed.servers import wait_until

pytestmark = pytest.mark.real_server

SEED = int(os.environ.get("KIWISTACK_E2E_SEED") or secrets.randbelow(10**6))
"""What the moments are drawn from; a failed run says it."""
FIRST = 8.0
"""Seconds of a first deploy, at least."""
LEASE = "kiwistack-apply"


@pytest.fixture
def page(pages: dict[str, Customer]) -> Customer:
    return pages["page"]


def says(customer: Customer) -> str:
    """What the page says."""
    with customer.platform.cluster.reach(customer.namespace, "service/page", 80) as port:
        return str(ask("GET", f"http://127.0.0.1:{port}/")[1])


def change(customer: Customer, message: str) -> None:
    """Have the page say something else."""
    spec = customer.spec.read_text(encoding="utf-8")
    inside = spec[spec.index("Page(") : spec.index(",))")]
    customer.edit(inside, f'Page(message="{message}")')
    customer.build()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a deploy as nothing survives; what it started is ended without it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def works_on(tree: Path) -> Sequence[int]:
    """The processes whose folder a tree is: helmfile, Helm, and what they start."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                is_one = os.readlink(entry / "cwd") == str(tree)  # noqa: PTH115 -- a process may end meanwhile
            except OSError:
                continue
            if is_one:
                found.append(int(entry.name))
    return found


def kill_at(customer: Customer, seconds: float) -> bool:
    """Deploy, and kill that at a moment; return whether it was still at work."""
    process = customer.start("apply")
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        assert wait_until(lambda: not works_on(customer.tree), patience=10), "Helm goes on, and nobody watches"
        return True
    text, _ = process.communicate()
    assert process.returncode == 0, text
    return False


def let_go(customer: Customer) -> None:
    """Have nobody hold the lock, as it is a quarter of a minute after its holder was killed."""
    if customer.kubectl("get", "lease", LEASE, "--ignore-not-found", "--output=name"):
        customer.kubectl("patch", "lease", LEASE, "--type=merge", '--patch={"spec": {"holderIdentity": ""}}')


def lasting(customer: Customer) -> set[str]:
    """What is there after each deploy, by names that do not change."""
    return {name for name in kept(customer.objects()) if not name.startswith(("Pod/", "ReplicaSet/", "EndpointSlice/"))}


def interrupt(customer: Customer, kills: tuple[int, int]) -> None:
    """Kill deploys of a customer, the first one and later ones of other trees, and see that the last one ends well.

    Args:
        customer: who has a page, and was not delivered yet.
        kills: how many of the first deploy, and of those after it.
    """
    # A moment is where a deploy is at: how long it takes depends on what else the machine does.
    moments = random.Random(f"{SEED} {customer.slug.partition('-')[0]}")
    customer.fingerprint()
    killed = 0
    while killed < kills[0]:
        killed += kill_at(customer, told(customer, moments.uniform(0.3, FIRST)))
    began = time.monotonic()
    done = customer.apply()
    if killed:  # it has waited until the lock of the one that was killed had run out
        assert time.monotonic() - began > DURATION, done.text
    assert says(customer) == "hello"
    names = lasting(customer)

    change(customer, "measured")
    length, killed, number = customer.apply().seconds, 0, 0
    while killed < kills[1]:
        number += 1
        assert number < 20, "each deploy ends before it is killed"
        change(customer, f"message {number}")
        killed += kill_at(customer, told(customer, moments.uniform(0.3, length)))
        let_go(customer)
    change(customer, "the end")
    customer.apply()
    assert says(customer) == "the end"
    assert "0 findings" in customer.verify()
    assert lasting(customer) == names


def told(customer: Customer, moment: float) -> float:
    """Tell the moment to whom reads of a failure."""
    sys.stdout.write(f"KIWISTACK_E2E_SEED={SEED}: {customer.slug} is killed after {moment:.1f} s\n")
    return moment


def test_killed_at_ten_moments_it_ends_where_it_would_have_ended(pages: dict[str, Customer]) -> None:
    plans = {"page": (1, 3), "other": (1, 2), "third": (0, 3)}
    assert sum(map(sum, plans.values())) == 10
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(interrupt, pages[name], kills) for name, kills in plans.items()]:
            done.result()


def test_an_api_server_that_goes_away_is_waited_for(cluster: Cluster, page: Customer) -> None:
    if isinstance(cluster, GivenCluster):
        pytest.skip("its API server is not the tests' to end")
    change(page, "in spite of it")
    process = page.start("apply")

    def is_at_work() -> bool:
        records = page.get("secrets", "--selector=owner=helm,name=page-pre,status=pending-upgrade")["items"]
        return bool(records) or process.poll() is not None

    assert wait_until(is_at_work, patience=60, pause=0.1)
    assert process.poll() is None
    cluster.restart_api_server()
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0, text
    assert says(page) == "in spite of it"
    assert "0 findings" in page.verify()
    lease = page.get("lease", LEASE)
    assert lease["spec"]["holderIdentity"] == "", json.dumps(lease)
