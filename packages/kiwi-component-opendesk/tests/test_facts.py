"""The facts that are shipped: complete, consistent in themselves, and nothing of anybody else's."""

from __future__ import annotations

import json
import time
from collections import Counter
from importlib import resources

import pytest
from kiwi_component_opendesk._facts import Names, facts

FILE = resources.files("kiwi_component_opendesk") / "facts" / "opendesk.json"


def names() -> list[Names]:
    return [item for release in facts().releases.values() for item in (release.names, release.enterprise_names)]


def test_they_are_of_one_version_and_name_its_licence() -> None:
    source = json.loads(FILE.read_text(encoding="utf-8"))["source"]
    assert (source["project"], source["version"]) == ("openDesk", "v1.13.1")
    assert len(source["commit"]) == 40
    assert "Apache-2.0" in source["spdx"]
    assert any("ZenDiS" in holder for holder in source["spdx"])


def test_the_file_is_as_it_was_written() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=1) + "\n"


def test_there_is_as_much_as_upstream_has() -> None:
    known = facts()
    assert len(known.releases) == 56
    assert len(known.images) == 111
    assert len(known.charts) == 51
    assert len(known.secrets) == 111
    assert len({item.scope for item in known.secrets.values()}) == 37
    assert len(known.databases) == 14
    assert Counter(item["type"] for item in known.databases.values()) == {
        "postgresql": 11,
        "cassandra": 2,
        "mariadb": 1,
    }
    assert len(known.objectstores) == 7
    assert len(known.hosts) == 25


def test_stages_are_upstreams_but_for_the_ones_that_it_forgot() -> None:
    assert Counter(release.stage for release in facts().releases.values()) == {
        "010-migrations-pre": 1,
        "030-opendesk-services": 6,
        "030-services-external": 10,
        "050-components": 35,
        None: 2,
        "060-components": 1,
        "090-migrations-post": 1,
    }
    assert {name for name, release in facts().releases.items() if release.stage is None} == {
        "impress",
        "impress-customization",
    }


def test_upstream_itself_says_four_times_what_is_needed() -> None:
    assert {name: release.needs for name, release in facts().releases.items() if release.needs} == {
        "opendesk-keycloak-bootstrap": ("ums",),
        "ox-connector": ("open-xchange",),
        "opendesk-nextcloud": ("opendesk-nextcloud-management",),
        "opendesk-nextcloud-notifypush": ("opendesk-nextcloud",),
    }


def test_every_image_has_a_digest_and_every_chart_one_version() -> None:
    known = facts()
    for pin in (*known.images.values(), *known.enterprise_images.values()):
        tag, _, digest = str(pin["tag"]).partition("@sha256:")
        assert tag
        assert len(digest) == 64
    for pin in (*known.charts.values(), *known.enterprise_charts.values()):
        assert str(pin["version"])[0].isdigit()
        assert isinstance(pin["verify"], bool)
    assert known.enterprise_charts.keys() <= known.charts.keys()
    assert known.enterprise_images.keys() <= known.images.keys()


def test_what_a_release_names_is_there() -> None:
    known = facts()
    assert {release.chart for release in known.releases.values()} <= known.charts.keys()
    for item in names():
        assert set(item.images) <= known.images.keys()
        assert set(item.databases) <= known.databases.keys()
        assert set(item.objectstores) <= known.objectstores.keys()
        assert set(item.caches) <= known.caches.keys()
        assert set(item.secrets) <= {*known.secrets, "secrets.nubus.masterpassword"}


def test_only_what_is_known_to_be_unused_is_named_by_nobody() -> None:
    known = facts()
    assert known.images.keys() - {image for item in names() for image in item.images} == {
        "nubusGuardianAuthorizationApi",
        "nubusGuardianManagementApi",
        "nubusGuardianManagementUi",
        "nubusGuardianProvisioning",
        "nubusOpenPolicyAgent",
        "postfixBootstrap",
    }
    assert known.charts.keys() - {release.chart for release in known.releases.values()} == {"nginx"}
    assert known.secrets.keys() - {path for item in names() for path in item.secrets} == {
        "secrets.keycloak.clientSecret.jitsi",
        "secrets.nubus.guardian.udmPassword",
        "secrets.nubus.systemAccounts.sysIdpUserPassword",
        "secrets.whiteboard.apiKey",
    }


def test_only_the_migrations_are_handed_every_secret() -> None:
    assert {name for name, release in facts().releases.items() if release.names.whole} == {
        "opendesk-migrations-pre",
        "opendesk-migrations-post",
    }


def test_the_seed_itself_is_no_derived_secret() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8"))["seeds"] == ["secrets.nubus.masterpassword"]
    assert "secrets.nubus.masterpassword" not in facts().secrets


def test_secrets_are_derived_alike_but_for_eleven() -> None:
    odd = {
        path: (item.template, item.encoding)
        for path, item in facts().secrets.items()
        if (item.template, item.encoding, item.generation) != ("long", ("sha1sum",), 1)
    }
    nats = [path for path, (_, encoding) in odd.items() if encoding == ("sha1sum", "prefix:n")]
    assert len(nats) == 6
    assert {path: value for path, value in odd.items() if path not in nats} == {
        "secrets.nextcloud.statusPassword": ("medium", ("sha1sum",)),
        "secrets.notes.djangoSecretKey": ("long", ("sha256sum",)),
        "secrets.oxAppSuite.oxguardMC": ("long", ("sha1sum", "trunc:20", "b64enc", "prefix:MC")),
        "secrets.oxAppSuite.oxguardRC": ("long", ("sha1sum", "trunc:20", "b64enc", "prefix:RC")),
    }


@pytest.mark.parametrize(
    ("path", "scope", "purpose"),
    [
        ("secrets.nubus.ldapSecret", "cn=admin", "ldap"),
        ("secrets.oxConnector.provisioningApiPassword", "nubus", "ox-connector"),
        ("secrets.keycloak.clientSecret.portal", "nubus", "portal_client_secret"),
        ("secrets.jitsi.jwtAppSecret", "jistiStandalone", "jwtAppSecret"),
        ("secrets.matrixAuditBot.password", "matrix-auditbot-bot", "password"),
        ("secrets.matrixAuditBot.synapseAsToken", "matrix-audit-bot", "as_token"),
    ],
)
def test_odd_salts_are_kept(path: str, scope: str, purpose: str) -> None:
    item = facts().secrets[path]
    assert (item.scope, item.purpose) == (scope, purpose)


def test_what_others_have_added_to_the_mirror_is_left_out() -> None:
    known = facts()
    tables = (
        known.charts,
        known.images,
        known.hosts,
        known.databases,
        known.objectstores,
        known.secrets,
        known.releases,
    )
    steps = {step.lower() for table in tables for key in table for step in key.split(".")}
    others = ("opencloud", "ilias", "moodle", "bigbluebutton", "bbb")
    assert {step for step in steps if step.startswith(others)} == set()


def test_reading_them_is_quick() -> None:
    best = 1.0
    for _ in range(5):
        facts.cache_clear()
        start = time.perf_counter()
        facts()
        best = min(best, time.perf_counter() - start)
    # It takes 2 ms; a machine may be busy.
    assert best < 0.02
