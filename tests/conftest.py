"""What the tests share: the real tools, and the account of the tests that need a real server.

A test that needs a real tool or server bears the marker ``real_server``. Where the tool cannot be had, it is skipped
on a contributor's machine and fails in CI (the variable CI is set), and each run ends with a line that counts such
tests. ``--real-server-tests N`` also makes the run fail when N is not their number, so that none is lost unseen.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from testbed import registry as registries
from testbed import tools
from testbed.fixtures import cluster, keycloak, kubernetes, mariadb, minio, postgres, s3

__all__ = ["cluster", "keycloak", "kubernetes", "mariadb", "minio", "postgres", "s3"]

MARKER = "real_server"
SLOW = ("keycloak", "kubernetes", "mariadb", "minio")
"""Fixtures of servers that are slow to start, the slowest first."""


@pytest.fixture(scope="session")
def helm() -> Path:
    """Helm 4, as an executable file."""
    return _obtain(tools.HELM)


@pytest.fixture(scope="session")
def helm3() -> Path:
    """Helm 3, as an executable file."""
    return _obtain(tools.HELM3)


@pytest.fixture(scope="session")
def helmfile() -> Path:
    """Helmfile, as an executable file."""
    return _obtain(tools.HELMFILE)


@pytest.fixture(scope="session")
def age() -> Path:
    """The age command, as an executable file."""
    return _obtain(tools.AGE)


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The kubectl command, as an executable file."""
    return _obtain(tools.KUBECTL)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Generator[registries.Registry]:
    """A registry that takes everything from everybody; each test has repositories of its own."""
    yield from _serve(tmp_path_factory.mktemp("registry"), login=False)


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Generator[registries.Registry]:
    """A registry that lets in only ``registries.USER``."""
    yield from _serve(tmp_path_factory.mktemp("closed"), login=True)


def _serve(folder: Path, *, login: bool) -> Generator[registries.Registry]:
    with contextlib.ExitStack() as stack:
        try:
            served = stack.enter_context(registries.serve(folder, login=login))
        except tools.ToolError as error:
            pytest.skip(str(error))
        yield served


def _obtain(tool: tools.Tool) -> Path:
    try:
        return tools.obtain(tool)
    except tools.ToolError as error:
        pytest.skip(str(error))


class RealServerTests:
    """Counts the tests that bear the marker, on the process that reports (with xdist: not on its workers)."""

    def __init__(self, expected: int | None) -> None:
        self.expected = expected
        self.counts: Counter[str] = Counter()

    @property
    def is_wrong(self) -> bool:
        """Whether another number of tests was found than expected; a failure or a skip is told by its own report."""
        return self.expected is not None and self.counts.total() != self.expected

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if MARKER in report.keywords and (report.when == "call" or not report.passed) and report.when != "teardown":
            self.counts[report.outcome] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.is_wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counts = [f"{self.counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")]
        shown = [count for count in counts if not count.startswith("0 ")] or counts[:1]
        terminalreporter.write_line(f"real-server tests: {', '.join(shown)}")
        if self.is_wrong:
            terminalreporter.write_line(
                f"expected {self.expected} real-server tests, found {self.counts.total()}: where that is right, "
                "correct tests/real_server_tests.txt (of the cluster's: tests/e2e/real_server_tests.txt)",
                red=True,
            )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-server-tests", type=int, metavar="N", help="fail unless N tests need a real server")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a server that is slow to start on one worker of xdist: with ``--dist loadgroup`` it starts once."""
    for item in items:
        slow = [name for name in SLOW if name in getattr(item, "fixturenames", ())]
        if slow:
            item.add_marker(pytest.mark.xdist_group(slow[0]))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(RealServerTests(config.getoption("--real-server-tests")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker(MARKER) and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"in CI a real-server test must run, and this one did not: {reason}"
    return report
