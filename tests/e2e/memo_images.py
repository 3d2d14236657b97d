"""The images of the demonstration in examples/kiwi-component-memo, made for the cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from memo_app.memo_hands import MEMO, ROOT, SOURCE
from testbed import images
from testbed.oci import EPOCH, Image

__all__ = ["CORE", "HEAD", "OLD", "OLD_IMAGE", "build_wheel", "make_images"]

CORE = ROOT / "packages" / "kiwi-core"
OLD, HEAD = "91c4e6b20d7a", "d07f5a38c9e1"
"""The revisions at which versions 0.1.0 and 0.2.0 of the application end."""
OLD_IMAGE = "memo-old"
"""What version 0.1.0 is called among the images."""
PACKAGES = "/opt/venv/lib/python3.11/site-packages"
"""Where the image has what the application needs."""


def build_wheel(folder: Path) -> Path:
    """Build the wheel of kiwi-core; the same source gives the same one."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CORE)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return next(folder.glob("*.whl"))


def make_images(folder: Path, wheel: Path) -> Mapping[str, Image]:
    """Make what the demonstration pins, by the names of the pins, with ``memo-old`` and the ``base`` of all.

    Args:
        folder: an empty one, for copies of the application.
        wheel: that of kiwi-core.
    """
    versions = {"0.2.0": folder / "new", "0.1.0": folder / "old"}
    for source in versions.values():
        shutil.copytree(SOURCE / "memo", source, ignore=shutil.ignore_patterns("__pycache__"))
    # 0.1.0 is the application without its last revision.
    next((versions["0.1.0"] / "migrations" / "versions").glob(f"{HEAD}_*.py")).unlink()
    new, old = (
        images.python_image(
            "memo",
            version,
            requirements_lock=MEMO / "app" / "requirements.lock",
            files={"/app/memo": source},
            environment={"PYTHONPATH": f"/app:{PACKAGES}"},
            entrypoint=("python3", "-m", "memo"),
            command=("serve",),
            user="10001:10001",
        )
        for version, source in versions.items()
    )
    return {
        "kiwiHooks": images.kiwi_hooks(CORE / "hooks.lock", wheel),
        "memo": new,
        OLD_IMAGE: old,
        "postgres": images.postgres(),
        "s3": images.s3(),
        "keycloak": images.keycloak(),
        "base": images.base(),
    }
