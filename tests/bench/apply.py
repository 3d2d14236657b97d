"""What ``kiwistack apply`` adds to Helm: the demonstration delivered, again, and by ``helm upgrade`` of each release in turn.

It needs the tests' own cluster, up (``python tests/cluster.py up``); elsewhere it says so and measures nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

ROUNDS = 3


def main() -> None:
    sys.path.append(str(Path(__file__).parent.parent))
    from e2e.memo_images import build_wheel, make_images
    from e2e.scene import Customer, Platform, Programs
    from kiwi_core import _engine as engine
    from testbed import tools
    from testbed.cluster import OwnCluster

    cluster = OwnCluster()
    if not cluster.is_up:
        sys.stdout.write("kiwistack apply: not measured, for there is no cluster: python tests/cluster.py up\n")
        return

    def seconds_of_helm(customer: Customer, folder: Path) -> float:
        """Upgrade each release to the values that it has."""
        programs, namespace = customer.platform.programs, customer.namespace

        def helm(*words: str) -> str:
            command = [str(programs.helm), "--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace, *words]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        commands: list[Sequence[str]] = []
        for release in engine.load(customer.folder).stack.releases:
            values = folder / release.name
            values.write_text(helm("get", "values", release.name, "--output=json"), encoding="utf-8")
            chart = str(customer.tree / "charts" / release.declared.chart)
            waits = ["--wait"] if release.wait else []
            waits += ["--wait-for-jobs"] if release.role == "hooks" else []
            timeout = f"--timeout={release.declared.timeout}s"
            commands.append(
                ("upgrade", release.name, chart, f"--values={values}", timeout, "--force-conflicts", *waits)
            )
        began = time.perf_counter()
        for command in commands:
            helm(*command)
        return time.perf_counter() - began

    slug = f"bench-{uuid.uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        for part in ("wheel", "app", "values"):
            (folder / part).mkdir(mode=0o700)
        made = make_images(folder / "app", build_wheel(folder / "wheel"))
        platform = Platform.make(
            cluster,
            folder / "all",
            demo=slug,
            pages=(),
            images={pin: cluster.import_image(image) for pin, image in made.items()},
            programs=Programs(
                helmfile=tools.obtain(tools.HELMFILE),
                helm=tools.obtain(tools.HELM),
                kubectl=tools.obtain(tools.KUBECTL),
            ),
        )
        customer = platform.customer(slug)
        customer.fingerprint()
        try:
            first = customer.apply().seconds
            pairs = [(customer.apply().seconds, seconds_of_helm(customer, folder / "values")) for _ in range(ROUNDS)]
            verified = customer.run("verify").seconds
        finally:
            cluster.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", customer.namespace)
    again, helm = (statistics.median(times) for times in zip(*pairs, strict=True))
    sys.stdout.write(
        f"kiwistack apply, from nothing: {first:.1f} s; verify: {verified:.1f} s\n"
        f"kiwistack apply, nothing changed: {again:.1f} s; helm upgrade of its releases in turn: {helm:.1f} s; "
        f"that is {again - helm:+.1f} s, median of {ROUNDS}\n"
    )


if __name__ == "__main__":
    main()
