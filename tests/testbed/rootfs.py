"""Layers with what is installed: Debian's packages, by mmdebstrap, and Python's, by uv."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from testbed.oci import EPOCH, Layer, key_of, make_layer, pack
from testbed.servers import find_or_install
from testbed.tools import ToolError, home

__all__ = ["debian", "venv"]

SUITE = "bookworm"
PYTHON = "3.11"
"""The Python of Debian's suite."""
GLIBC = "2_36"
"""The C library of Debian's suite; wheels for an older one run on it."""
UNUSED = (
    *("usr/share/man/*", "usr/share/locale/*", "usr/share/doc/*", "usr/share/info/*", "usr/share/i18n/*"),
    *(
        "usr/lib/*/libLLVM*",
        "usr/lib/*/libz3*",
        "usr/lib/postgresql/*/lib/llvmjit*",
        "usr/lib/postgresql/*/lib/bitcode/*",
    ),
)
"""What is not unpacked: every megabyte costs time at each start of the cluster."""
WASTE = ("var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*", "var/lib/postgresql/*")
"""What is there in the end and nobody needs."""
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"


def debian(*packages: str, setup: Sequence[str] = ()) -> Layer:
    """Debian's smallest system with some packages; whatever was the newest when it was made.

    Args:
        packages: their names.
        setup: what a shell does before the packages come, with the root file system as ``$1``.
    """
    options = [f"--dpkgopt=path-exclude=/{pattern}" for pattern in UNUSED]
    hooks = [f"--essential-hook={line}" for line in setup]
    waste = " ".join(f'"$1"/{pattern}' for pattern in WASTE)
    hooks.append(f"--customize-hook=rm -rf {waste}")

    def make(archive: Path) -> None:
        program = shutil.which("mmdebstrap")
        assert program
        _say(f"making a Debian with {' '.join(packages)} (a minute)")
        # The mode for root; the package list stays out, for nothing is installed later.
        command = [program, "--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io", f"--hook-dir={MERGED}"]
        command += [*options, *hooks, f"--include={','.join(packages)}", SUITE, str(archive)]
        memory = Path("/dev/shm")
        fast = memory if memory.exists() and not os.statvfs(memory).f_flag & os.ST_NOEXEC else archive.parent
        _run(command, {"SOURCE_DATE_EPOCH": str(EPOCH), "TMPDIR": str(fast)})

    key = key_of("debian", SUITE, packages, options, hooks)
    find_or_install(_mmdebstrap, "mmdebstrap", "debian-archive-keyring")
    return make_layer(key, make)


def venv(prefix: str, *parts: Path) -> Layer:
    """What a lock file or wheels bring to a virtual environment.

    uv installs for a Python that this machine need not have; what it writes down about this machine is taken away.
    """
    is_lock = parts[0].suffix != ".whl"
    packages = ["--require-hashes", "--requirement", str(parts[0])] if is_lock else ["--no-deps", *map(str, parts)]

    def make(archive: Path) -> None:
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        with TemporaryDirectory(dir=archive.parent) as root:
            top = Path(root, prefix.lstrip("/"))
            site = top / "lib" / f"python{PYTHON}" / "site-packages"
            site.mkdir(parents=True)
            _run(
                [
                    *(uv, "pip", "install", "--quiet", "--no-config", "--target", str(site), "--only-binary", ":all:"),
                    *("--python", sys.executable, "--python-version", PYTHON),
                    *("--python-platform", f"{platform.machine()}-manylinux_{GLIBC}", *packages),
                ],
                {},
            )
            _make_portable(site, f"{prefix}/bin/python")
            if (site / "bin").exists():
                (site / "bin").rename(top / "bin")
            (top / "bin").mkdir(exist_ok=True)
            (top / "bin" / "python").symlink_to(f"/usr/bin/python{PYTHON}")
            (top / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n", encoding="utf-8")
            pack(Path(root), archive)

    return make_layer(key_of("venv", 1, prefix, PYTHON, GLIBC, platform.machine(), *parts), make)


def _make_portable(site: Path, python: str) -> None:
    """Take away what was written for this machine: its Python in programs, and its paths and times."""
    for program in (site / "bin").glob("*"):
        text = program.read_bytes()
        if text.startswith(b"#!"):
            body = re.sub(rb"\A#!/bin/sh\n'''exec'.*?\n' '''\n|\A#!.*\n", b"", text)
            program.write_bytes(f"#!{python}\n".encode() + body)
    for name in ("RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"):
        for path in site.glob(f"*.dist-info/{name}"):
            path.unlink()
    (site / ".lock").unlink(missing_ok=True)


def _mmdebstrap() -> Path | None:
    found = shutil.which("mmdebstrap")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return Path(found) if found and keyring.exists() else None


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a program that makes a part of an image.

    Raises:
        ToolError: it failed.
    """
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=home(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-1000:]}")


def _say(message: str) -> None:
    sys.stderr.write(f"testbed: {message}\n")
    sys.stderr.flush()
