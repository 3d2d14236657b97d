"""What the tests in the cluster share."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Generator

import pytest
from testbed import images
from testbed.cluster import Cluster

NUMBERS = itertools.count(1)
RUN = uuid.uuid4().hex[:6]


@pytest.fixture
def make_namespace(cluster: Cluster) -> Generator[Callable[[], str]]:
    """Makes namespaces under Pod Security's ``restricted``; they go, in their own time, when the test ends."""
    made: list[str] = []

    def make() -> str:
        name = f"e2e-{RUN}-{next(NUMBERS)}"
        cluster.kubectl("create", "namespace", name)
        made.append(name)
        cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        return name

    yield make
    if made:
        cluster.kubectl("delete", "namespace", "--wait=false", *made)


@pytest.fixture
def namespace(make_namespace: Callable[[], str]) -> str:
    """A namespace of the test's own."""
    return make_namespace()


@pytest.fixture(scope="session")
def base(cluster: Cluster) -> str:
    """The reference of an image with Python."""
    return cluster.import_image(images.base())
