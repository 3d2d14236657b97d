"""Fixtures of the servers: each is started for the first test that asks for it, and gone when the run ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from typing import TypeVar

import pytest
from testbed.cluster import Cluster, running
from testbed.keycloak import Keycloak
from testbed.kubernetes import Kubernetes
from testbed.mariadb import MariaDB
from testbed.minio import MinIO
from testbed.postgres import Postgres
from testbed.s3 import S3
from testbed.servers import Server
from testbed.tools import ToolError

__all__ = ["cluster", "keycloak", "kubernetes", "mariadb", "minio", "postgres", "s3"]

S = TypeVar("S", bound=Server)


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A Postgres; each test has roles and databases of its own, and leaves it running."""
    yield from _serve(Postgres)


@pytest.fixture(scope="session")
def mariadb() -> Generator[MariaDB]:
    """A MariaDB; each test has users and databases of its own, and leaves it running."""
    yield from _serve(MariaDB)


@pytest.fixture(scope="session")
def s3() -> Generator[S3]:
    """A small S3 server with users; each test has users and buckets of its own, and leaves it running."""
    yield from _serve(S3)


@pytest.fixture(scope="session")
def minio() -> Generator[MinIO]:
    """A MinIO; each test has users, policies and buckets of its own, and leaves it running."""
    yield from _serve(MinIO)


@pytest.fixture(scope="session")
def keycloak() -> Generator[Keycloak]:
    """A Keycloak; each test has a realm of its own, and leaves it running."""
    yield from _serve(Keycloak)


@pytest.fixture(scope="session")
def kubernetes() -> Generator[Kubernetes]:
    """A Kubernetes API server; each test has a namespace of its own, and leaves it running."""
    yield from _serve(Kubernetes)


@pytest.fixture(scope="session")
def cluster() -> Generator[Cluster]:
    """A Kubernetes cluster that runs pods; each test has namespaces of its own, and leaves it running.

    One that is up already is used and left up; see ``testbed.cluster``.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        pytest.skip("there is one cluster for all: run tests/e2e without -n")
    with contextlib.ExitStack() as stack:
        try:
            used = stack.enter_context(running())
        except ToolError as error:
            pytest.skip(str(error))
        yield used


def _serve(make: Callable[[], S]) -> Generator[S]:
    """Run a server until the session ends; where it cannot be had, the test is skipped (in CI: fails)."""
    with contextlib.ExitStack() as stack:
        try:
            server = make()
            stack.enter_context(server)
        except ToolError as error:
            pytest.skip(str(error))
        yield server
