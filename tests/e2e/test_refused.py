"""A deploy that cannot succeed says what is wrong, and a person what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.memo_images import HEAD, OLD, OLD_IMAGE
from e2e.scene import Customer, Deployed, Done, Platform, kept

pytestmark = pytest.mark.real_server

PATIENCE = 15
"""Seconds that Helm waits for a page."""


def with_old_image(platform: Platform) -> str:
    """A pin of version 0.2.0 that leads to 0.1.0, as a registry may give it: no capture tells."""
    _, _, digest = platform.images[OLD_IMAGE].partition("@")
    return f"{platform.images['memo'].partition('@')[0]}@{digest}"


def refuse(customer: Customer) -> Done:
    """Deliver what cannot be delivered."""
    return customer.apply(code=3)


@pytest.fixture(scope="module")
def before(deployed: Deployed) -> Mapping[str, str]:
    """What the customer of the demonstration has."""
    return kept(deployed.customer.objects())


@pytest.fixture(scope="module")
def refused(
    platform: Platform, deployed: Deployed, pages: dict[str, Customer], before: Mapping[str, str]
) -> dict[str, Done]:
    """Deploys that fail, all at once, by the names of what is wrong."""
    demo = deployed.customer
    changes = {
        "gone": 'image="gone", ',
        "full": "",
        "slow": 'ready="/nowhere", ',
    }
    gone = re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", platform.images["base"])
    for name, change in changes.items():
        pages[name].edit("Page()", f"Page({change}has_hooks=False, patience={PATIENCE})")
    pages["full"].edit("components=(Page", 'quota={"pods": "0"}, components=(Page')
    try:
        platform.pin(memo=with_old_image(platform), gone=gone)
        trees = [demo, *(pages[name] for name in changes)]
        for customer in trees:
            customer.fingerprint()
        with ThreadPoolExecutor() as pool:
            done = pool.map(refuse, trees)
            return dict(zip(("old", *changes), done, strict=True))
    finally:
        platform.pin()
        demo.build()


def test_an_image_that_is_missing_is_named(refused: dict[str, Done]) -> None:
    text = refused["gone"].text
    assert re.search(r"pod page-\S+ waits: ErrImagePull: .*registry\.local/base", text)
    assert re.search(r"pod page-\S+, container web: (ErrImagePull|ImagePullBackOff); the last of its log:", text)
    assert "mend it and run it again" in text
    assert refused["gone"].seconds < PATIENCE + 30


def test_a_quota_that_is_exceeded_is_named(refused: dict[str, Done]) -> None:
    assert re.search(r"replicaset page-\S+: FailedCreate: .*exceeded quota: quota", refused["full"].text)
    assert "mend it and run it again" in refused["full"].text


def test_a_pod_that_does_not_get_ready_is_named_with_what_it_says(refused: dict[str, Done]) -> None:
    text = refused["slow"].text
    assert re.search(r"pod page-\S+: Unhealthy: Readiness probe failed: .*404", text)
    _, told, log = text.partition(", container web: not ready; the last of its log:\n")
    assert told
    assert '"GET /nowhere' in log


def test_an_image_without_the_schema_is_refused_at_the_build(platform: Platform, deployed: Deployed) -> None:
    demo = deployed.customer
    tree = (demo.tree / "manifest.json").read_bytes()
    try:
        platform.pin(memo=platform.images[OLD_IMAGE])
        text = demo.run("build", code=1).text
    finally:
        platform.pin()
    assert f"needs alembic revision {HEAD}, and registry.local/memo:0.1.0 ends at {OLD}" in text
    assert "nothing was written" in text
    assert (demo.tree / "manifest.json").read_bytes() == tree


def test_an_image_set_back_across_a_migration_is_refused_before_anything_changes(
    refused: dict[str, Done], deployed: Deployed, before: Mapping[str, str]
) -> None:
    text, demo = refused["old"].text, deployed.customer
    assert f"the database is at {HEAD}, and registry.local/memo:0.2.0 ends at {OLD}" in text
    assert "these can run on it: 0.2.0; pin one of them, or restore a database from before" in text
    assert "release memo is" not in text
    assert kept(demo.objects()) == before
    demo.apply()
    assert "0 findings" in demo.verify()
