"""Compose, check and emit a thousand tenants of the example's size: time for each, and whether memory stays flat."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import attrs
from kiwi_core import _engine as engine
from kiwi_core._compose.compose import compose
from kiwi_core._contract.results import check
from kiwi_core._emit.tree import emit
from kiwi_core._model.tenant import Tenant

CUSTOMER = Path(__file__).parent.parent.parent / "examples" / "cust-kiwistack"
TENANTS = 1_000
GOAL = 0.040


def main() -> None:
    project = engine.load(CUSTOMER)
    target = project.stack.target
    assert isinstance(target, Tenant)
    rules, emitters = project.plugins.rules(), project.plugins.emitters()
    inputs, releases = project.stack.inputs, len(project.stack.releases)
    started = last = time.process_time()
    for number in range(1, TENANTS + 1):
        tenant = attrs.evolve(target, slug=f"customer-{number}", domain=f"customer-{number}.example")
        stack = compose(attrs.evolve(inputs, target=tenant))
        results = check(stack, project.evidence, rules)
        tree = emit(stack, emitters)
        assert results
        assert len(tree) > releases
        if number % (TENANTS // 4) == 0:
            now = time.process_time()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            each = (now - last) / (TENANTS // 4)
            sys.stdout.write(f"  tenants to {number:>5}: {each * 1e3:6.1f} ms each, {memory:6.0f} MiB at most\n")
            last = now
    each = (time.process_time() - started) / TENANTS
    verdict = "within" if each <= GOAL else "ABOVE"
    sys.stdout.write(
        f"{f'{TENANTS} tenants of {releases} releases, a tenant and core':<48} {each * 1e3:8.1f} ms  "
        f"{verdict} the goal of {GOAL * 1e3:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
