"""The checks of the workspace, one session each: ``nox`` runs those that a change has to pass, ``nox -l`` lists all.

Sessions without a Python in their name run on the Python that runs nox. Environments are made by uv, which the lock
holds; nothing is installed that the lock does not pin, but for the ``minimums``.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.version import Version

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # a Python that is not here is skipped, and nox says so

ROOT = Path(__file__).parent
LOCK = "requirements.lock"
CORE = "kiwi-core"
MANIFESTS = [path for folder in ("packages", "examples") for path in sorted(ROOT.glob(f"{folder}/*/pyproject.toml"))]
PACKAGES = {path.parent.name: path.parent.relative_to(ROOT) for path in MANIFESTS}
COMPONENTS = [name for name in PACKAGES if name != CORE]
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))

OF_EXTRAS = ("kubernetes_validate", "minio", "nacl", "psycopg", "pymysql", "pyrage", "urllib3")
"""What the extras that are not heavy bring."""

HEAVY = {"helm"}
"""Extras that only the tests of the whole are run with."""

nox.options.sessions = ["lint", "types", "minimums", f"tests-{PYTHONS[-1]}", "compat", "whole", "e2e"]
"""What a change has to pass: the oldest of everything on the Python at hand, and what is locked on the newest one."""

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
built: dict[Path, str] = {}
"""The wheels of this run, by the folder of their source."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff, and that the news fragments make a changelog."""
    session.install("-c", LOCK, "--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    for folder in PACKAGES.values():
        if (folder / "changes").exists():
            session.run("towncrier", "build", "--draft", "--version", "next", "--dir", str(folder), silent=True)
            if _changed_on_branch(session, folder / "src"):
                session.run("towncrier", "check", "--compare-with", "main", "--dir", str(folder))


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of packages, examples, tests and this file with mypy and pyright, both strict."""
    _install_lock(session)
    editables = [argument for folder in PACKAGES.values() for argument in ("-e", str(folder))]
    session.install("--no-deps", "--no-build-isolation", *editables)
    examples = [path for path in sorted(Path("examples").iterdir()) if any(path.rglob("*.py"))]
    for part in sorted({*PACKAGES.values(), *examples, Path("tests")}):
        session.run("mypy", str(part))  # one by one: modules of tests may share a name
    session.run("mypy", "noxfile.py")
    session.run("pyright", "--pythonpath", f"{session.virtualenv.bin}/python")


@nox.session(python=PYTHONS)
@nox.parametrize("package", list(PACKAGES), ids=list(PACKAGES))
def tests(session: nox.Session, package: str) -> None:
    """Run a package's tests on its own wheel, with its extras, as locked."""
    extras = nox.project.load_toml(PACKAGES[package] / "pyproject.toml")["project"].get("optional-dependencies", {})
    needed = [line for name in extras if name not in HEAVY for line in extras[name]]
    session.install("-c", LOCK, "--group", "test", *_wheels(session, package), *needed)
    if package == CORE:
        session.run("python", "-c", f"import {', '.join(OF_EXTRAS)}")  # else their tests would be skipped, unseen
    _pytest(session, PACKAGES[package] / "tests")


@nox.session
@nox.parametrize("package", list(PACKAGES), ids=list(PACKAGES))
def minimums(session: nox.Session, package: str) -> None:
    """Run a package's tests with the oldest dependencies that it allows, and without its extras."""
    own = _own(package)
    direct = {requirement.name for name in own for requirement in _dependencies(name)}
    pins = [line.removesuffix("\\") for line in Path(LOCK).read_text(encoding="utf-8").splitlines() if "==" in line]
    # Not session.create_tmp(): it would put the tests' temporary files into this repository, too.
    others = Path(session.cache_dir, f"others-{package}.txt")
    others.write_text("\n".join(pin for pin in pins if Requirement(pin).name not in direct), encoding="utf-8")
    manifests = [argument for name in own for argument in ("-r", str(PACKAGES[name] / "pyproject.toml"))]
    oldest = ("--resolution", "lowest-direct", "--no-sources", *manifests)
    session.install("-c", str(others), "--group", "test", *oldest, *_wheels(session, package))
    _pytest(session, PACKAGES[package] / "tests")


@nox.session
@nox.parametrize("core", ["oldest", "current"], ids=["oldest", "current"])
@nox.parametrize("component", COMPONENTS, ids=COMPONENTS)
def compat(session: nox.Session, component: str, core: str) -> None:
    """Run a component's tests with the oldest kiwi-core that it allows, and with the current one."""
    source = _oldest_core(session, component) if core == "oldest" else PACKAGES[CORE]
    wheels = [_wheel(session, PACKAGES[component]), _wheel(session, source)]
    session.install("-c", LOCK, "--group", "test", *wheels)
    _pytest(session, PACKAGES[component] / "tests")


@nox.session
def whole(session: nox.Session) -> None:
    """Run the tests that cross packages, on the wheels of all, with the real Helm and helmfile."""
    _install_all(session)
    session.run("python", "tests/testbed/tools.py")
    _pytest(session, Path("tests"), "--dist", "loadgroup", "--ignore", "tests/e2e", *_counted(session, Path("tests")))


@nox.session
def e2e(session: nox.Session) -> None:
    """Deploy to a real cluster of one node, on the wheels of all; needs Linux and root, see docs/testbed.md."""
    _install_all(session)
    session.run("python", "tests/testbed/tools.py", "--cluster")
    folder = Path("tests/e2e")
    session.run("pytest", *_counted(session, folder), *(session.posargs or [str(folder)]))  # one cluster, one process


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Run the examples of the documentation."""
    _install_all(session)
    _pytest(session, Path("tests/docs"))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure, on the wheels: how long the command takes, and the order of many releases."""
    _install_all(session)
    scripts = sorted(Path("tests/bench").glob("*.py"))
    if not scripts:
        session.error("tests/bench holds nothing to measure")
    for script in scripts:
        session.run("python", str(script), *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Make the lock files anew; ``nox -s lock -- --upgrade`` takes the newest versions that are allowed."""
    core = PACKAGES[CORE]
    wanted: dict[str, Sequence[str]] = {
        LOCK: ("--group", "pyproject.toml:dev", *map(str, MANIFESTS)),
        "tests/testbed/requirements.lock": ("--group", "pyproject.toml:go", "pyproject.toml"),
        str(core / "hooks.lock"): ("--extra", "hooks", str(core / "pyproject.toml")),
    }
    for target, sources in wanted.items():
        members = [argument for name in PACKAGES for argument in ("--no-emit-package", name)]
        session.run(
            *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0], "--generate-hashes"),
            *("--no-emit-index-url", "--custom-compile-command", "nox -s lock"),
            *(*members, *session.posargs, "--output-file", target, *sources),
        )


def _pytest(session: nox.Session, folder: Path, *arguments: str) -> None:
    """Run the tests of a folder, or what the command line chose, on two cores."""
    session.run("pytest", "-n", "2", *arguments, *(session.posargs or [str(folder)]))


def _counted(session: nox.Session, folder: Path) -> Sequence[str]:
    """What makes pytest count the tests of a folder that need a real server; what is chosen is not the whole."""
    expected = (folder / "real_server_tests.txt").read_text(encoding="utf-8").strip()
    return () if session.posargs else ("--real-server-tests", expected)


def _install_lock(session: nox.Session) -> None:
    """Install all that the workspace needs from elsewhere."""
    session.install("--require-hashes", "-r", LOCK)


def _install_all(session: nox.Session) -> None:
    """Install the wheels of all packages, and what they need as locked."""
    _install_lock(session)
    session.install("--no-deps", *[_wheel(session, folder) for folder in PACKAGES.values()])


def _own(package: str) -> list[str]:
    """A package and the packages of this workspace that it depends on."""
    needed = [requirement.name for requirement in _dependencies(package) if requirement.name in PACKAGES]
    return [package, *[name for need in needed for name in _own(need)]]


def _wheels(session: nox.Session, package: str) -> list[str]:
    """The wheels of a package and of the packages of this workspace that it depends on."""
    return [_wheel(session, PACKAGES[name]) for name in _own(package)]


def _wheel(session: nox.Session, source: Path) -> str:
    """Build a package's wheel, once in a run, with the locked build backend."""
    if source not in built:
        folder = Path(session.cache_dir, "wheels", f"{len(built)}-{source.name}")
        shutil.rmtree(folder, ignore_errors=True)
        locked = ("--build-constraints", LOCK, "--require-hashes")
        session.run_install("uv", "build", "--quiet", "--wheel", *locked, "--out-dir", str(folder), str(source))
        built[source] = str(next(folder.glob("*.whl")))
    return built[source]


def _dependencies(package: str) -> list[Requirement]:
    """What a package's pyproject.toml says that it needs."""
    manifest = nox.project.load_toml(PACKAGES[package] / "pyproject.toml")
    return [Requirement(line) for line in manifest["project"]["dependencies"]]


def _oldest_core(session: nox.Session, component: str) -> Path:
    """The source of the oldest released kiwi-core that a component allows; the session is skipped where none was released."""
    allowed = next(need.specifier for need in _dependencies(component) if need.name == CORE)
    prefix = f"{CORE}-v"
    tags = (session.run("git", "tag", "--list", f"{prefix}*", external=True, silent=True) or "").split()
    released = [tag for tag in tags if Version(tag.removeprefix(prefix)) in allowed]
    if not released:
        session.skip(f"no released {CORE} is {allowed}: the current one is the oldest, too")
    tag = min(released, key=lambda tag: Version(tag.removeprefix(prefix)))
    folder = Path(session.cache_dir, tag)
    archive = f"{folder}.tar"
    session.run("git", "archive", "--output", archive, tag, str(PACKAGES[CORE]), external=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / PACKAGES[CORE]


def _changed_on_branch(session: nox.Session, folder: Path) -> bool:
    """Whether the branch that is checked out, if it is not main, changed a folder."""
    branch = str(session.run("git", "branch", "--show-current", external=True, silent=True)).strip()
    if branch in {"", "main"}:
        return False
    return bool(session.run("git", "diff", "--name-only", "main...", "--", str(folder), external=True, silent=True))
