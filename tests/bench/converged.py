"""A converged run of all hooks of the example tenant, against real servers on this machine.

What is measured is what its jobs do, from the start of the process that has the tasks to its end, secrets from files.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 2.0
ROUNDS = 7


def main() -> None:
    sys.path.append(str(Path(__file__).parent.parent))
    from hooks.tenant import TENANT, serve, value_of
    from kiwi_core import _engine as engine
    from kiwi_core._model.secrets import SecretKey
    from kiwi_core._spec.convert import Converter
    from testbed.keycloak import Keycloak

    phases = engine.load(TENANT).stack.phases.values()
    with Keycloak() as keycloak, serve(keycloak) as servers, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for phase in phases:
            for secret, keys in phase.mounted.items():
                (folder / secret).mkdir(exist_ok=True)
                for key in keys:
                    value = value_of(TENANT, SecretKey(secret, key))
                    (folder / secret / key).write_text(value, "utf-8")
            text = json.dumps(Converter().unstructure(phase.tasks))
            for host, port, server in (
                ("postgresql", 5432, servers.postgres),
                ("minio", 9000, servers.minio),
                ("ums-keycloak", 8080, servers.keycloak),
            ):
                text = text.replace(f"http://{host}:{port}", f"http://{server.host}:{server.port}")
                text = text.replace(
                    f'"host": "{host}", "port": {port}', f'"host": "{server.host}", "port": {server.port}'
                )
            (folder / f"{phase.release}.json").write_text(text, "utf-8")

        def run() -> float:
            started = time.perf_counter()
            for phase in phases:
                command = [sys.executable, "-m", "kiwi_core", "hooks", "job", "--secrets", str(folder)]
                command += ["--tasks", str(folder / f"{phase.release}.json")]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - started

        first = run()
        changes = servers.changes()
        again = sorted(run() for _ in range(ROUNDS))
        assert servers.changes() == changes, "a converged run changed something"
    number = sum(len(phase.tasks.tasks) for phase in phases)
    median = statistics.median(again)
    sys.stdout.write(
        f"{number} hooks of {TENANT.name}: from nothing {first:.2f} s; converged {median:.2f} s "
        f"({again[0]:.2f} to {again[-1]:.2f}), goal {GOAL} s\n"
    )


if __name__ == "__main__":
    main()
