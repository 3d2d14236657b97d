"""What the tests in the cluster share."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from e2e.memo_images import build_wheel, make_images
from e2e.scene import Customer, Deployed, Platform, Programs
from testbed import images
from testbed.cluster import Cluster

NUMBERS = itertools.count(1)
RUN = uuid.uuid4().hex[:6]
PAGES = ("page", "other", "third", "gone", "full", "slow")
"""The customers who have a page."""


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


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of kiwi-core."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def platform(
    cluster: Cluster,
    wheel: Path,
    tmp_path_factory: pytest.TempPathFactory,
    helmfile: Path,
    helm: Path,
    kubectl: Path,
) -> Generator[Platform]:
    """The repositories of customers of this run, who go, in their own time, at its end."""
    folder = tmp_path_factory.mktemp("platform")
    made = make_images(tmp_path_factory.mktemp("app"), wheel)
    slugs = [f"{name}-{RUN}" for name in ("demo", *PAGES)]
    yield Platform.make(
        cluster,
        folder / "all",
        demo=slugs[0],
        pages=slugs[1:],
        images={name: cluster.import_image(image) for name, image in made.items()},
        programs=Programs(helmfile=helmfile, helm=helm, kubectl=kubectl),
    )
    names = [f"cust-{slug}" for slug in slugs]
    cluster.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *names)


@pytest.fixture(scope="session")
def deployed(platform: Platform) -> Deployed:
    """The customer who has the demonstration, delivered from nothing by one command."""
    customer = platform.customer(f"demo-{RUN}")
    customer.fingerprint()
    return Deployed(customer=customer, done=customer.apply())


@pytest.fixture(scope="session")
def pages(platform: Platform) -> dict[str, Customer]:
    """The customers who have a page, by name; nothing was delivered yet."""
    return {name: platform.customer(f"{name}-{RUN}") for name in PAGES}
