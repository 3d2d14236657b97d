"""What a tenant may choose, and what a choice comes to."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_component_opendesk import OpenDesk
from kiwi_component_opendesk._needs import TABLE
from kiwi_component_opendesk._selection import APPS, DEFAULT_APPS, ENTERPRISE_EXTRAS, EXTRAS
from kiwi_core.testing import trial

EVERYTHING = OpenDesk(apps=APPS, enterprise=True, extras=tuple(EXTRAS))
COMMUNITY_EXTRAS = sorted(set(EXTRAS) - ENTERPRISE_EXTRAS)


@st.composite
def choices(draw: st.DrawFn) -> OpenDesk:
    enterprise = draw(st.booleans())
    return OpenDesk(
        apps=tuple(draw(st.lists(st.sampled_from(APPS), min_size=1, unique=True))),
        enterprise=enterprise,
        extras=tuple(draw(st.lists(st.sampled_from(sorted(EXTRAS) if enterprise else COMMUNITY_EXTRAS), unique=True))),
    )


def before(component: OpenDesk, release: str) -> set[str]:
    """All that must be ready before a release, through any number of steps."""
    order = component.order()
    found: set[str] = set()
    queue = [release]
    while queue:
        for need in order[queue.pop()]:
            if need not in found:
                found.add(need)
                queue.append(need)
    return found


# Choices


def test_the_default_is_what_upstream_switches_on() -> None:
    there = OpenDesk().reasons()
    assert set(APPS) - set(DEFAULT_APPS) == {"notes"}
    assert "impress" not in there
    assert "clamav-simple" in there
    assert "clamav" not in there
    # 56 less 2 of notes, 7 extras of Element's, Cassandra, Collabora's controller, the other scanner, DKIM, Otterize,
    # alerts and dashboards.
    assert len(there) == 56 - 2 - 7 - 2 - 5


def test_everything_is_all_of_upstream_but_one_of_the_two_scanners() -> None:
    assert len(EVERYTHING.reasons()) == 55
    assert "clamav-simple" not in EVERYTHING.reasons()


def test_the_order_of_choices_does_not_matter() -> None:
    assert OpenDesk(apps=("xwiki", "nubus")).reasons().keys() == OpenDesk(apps=("nubus", "xwiki")).reasons().keys()
    assert OpenDesk(apps=("xwiki", "nubus")).order() == OpenDesk(apps=("nubus", "xwiki")).order()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"apps": ("nextclod",)}, "openDesk has no app 'nextclod': did you mean 'nextcloud'"),
        ({"apps": ("open-xchang", "nubus")}, "did you mean 'open-xchange'"),
        ({"apps": ()}, "no app is chosen"),
        ({"apps": ("nubus", "nubus")}, "chosen twice"),
        ({"extras": ("dkim",)}, "openDesk has no extra 'dkim': did you mean 'dkimpy'"),
        ({"extras": ("element-admin",)}, "of the Enterprise edition: set enterprise=True"),
    ],
)
def test_a_choice_that_openDesk_does_not_have_is_refused(wrong: dict[str, object], message: str) -> None:  # noqa: N802 -- its name
    with pytest.raises(ValueError, match=message):
        OpenDesk(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"apps": "nubus"}, {"apps": ["nubus"]}, {"extras": {"dkimpy"}}, {"enterprise": 1}])
def test_a_choice_of_another_type_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        OpenDesk(**wrong)  # type: ignore[arg-type]


# What a choice brings


@pytest.mark.parametrize(
    ("app", "brought"),
    [
        ("nubus", {"ums", "postgresql", "memcached", "minio", "postfix", "clamav-simple", "redis"}),
        ("open-xchange", {"dovecot", "postfix-ox", "ox-connector", "mariadb", "redis", "ums"}),
        ("nextcloud", {"opendesk-nextcloud-management", "opendesk-nextcloud-notifypush", "postgresql", "ums"}),
        ("collabora", {"opendesk-nextcloud", "opendesk-nextcloud-notifypush", "ums"}),
        ("cryptpad", {"opendesk-nextcloud", "ums"}),
        ("jitsi", {"opendesk-keycloak-bootstrap", "ums"}),
        ("element", {"opendesk-synapse", "matrix-neodatefix-bot", "postgresql", "ums"}),
        ("openproject", {"memcached", "minio", "postgresql", "ums"}),
        ("xwiki", {"postgresql", "postfix", "ums"}),
        ("notes", {"impress-customization", "redis", "minio", "postgresql", "ums"}),
    ],
)
def test_an_app_brings_what_it_needs(app: str, brought: set[str]) -> None:
    there = OpenDesk(apps=(app,)).reasons()
    assert brought <= there.keys()
    assert {"opendesk-migrations-pre", "opendesk-certificates", "opendesk-migrations-post"} <= there.keys()


def test_an_app_brings_nothing_that_nobody_needs() -> None:
    there = OpenDesk(apps=("xwiki",)).reasons().keys()
    assert there.isdisjoint({"mariadb", "dovecot", "opendesk-nextcloud", "opendesk-synapse", "cassandra", "jitsi"})
    assert "opendesk-matrix-user-verification-service" not in OpenDesk(apps=("jitsi",)).reasons()


def test_the_link_between_openproject_and_nextcloud_is_there_with_both_and_only_then() -> None:
    link = "opendesk-openproject-bootstrap"
    assert link not in OpenDesk(apps=("openproject", "element")).reasons()
    # Collabora brings Nextcloud.
    assert link in OpenDesk(apps=("openproject", "collabora")).reasons()


def test_the_enterprise_edition_brings_its_own_releases_and_pins() -> None:
    community = OpenDesk(apps=("open-xchange", "collabora"))
    enterprise = OpenDesk(apps=("open-xchange", "collabora"), enterprise=True)
    assert enterprise.reasons().keys() - community.reasons().keys() == {"cassandra", "collabora-controller"}
    charts = {release.name: release.chart for release in enterprise.declare().releases}
    assert charts["dovecot"] == "opendesk-dovecot-enterprise"
    assert charts["postfix"] == "opendesk-postfix"
    (dovecot,) = (release for release in enterprise.declare().releases if release.name == "dovecot")
    assert "opendesk-dovecot-enterprise" in dovecot.images
    assert "cassandra" in before(enterprise, "dovecot")


def test_the_distributed_scanner_takes_the_place_of_the_simple_one() -> None:
    component = OpenDesk(extras=("clamav-distributed",))
    assert "clamav-simple" not in component.reasons()
    assert {"clamav"} <= before(component, "postfix")
    assert {"clamav"} <= before(component, "opendesk-nextcloud-management")


def test_every_release_says_why_it_is_there() -> None:
    reasons = OpenDesk(apps=("nextcloud",)).reasons()
    assert reasons["opendesk-nextcloud"] == "app nextcloud was chosen"
    assert reasons["redis"] == "needed by opendesk-nextcloud-management: its cache is redis-headless"
    assert reasons["ums"].startswith("of app nubus, whose opendesk-keycloak-bootstrap opendesk-nextcloud-management")
    assert reasons["opendesk-certificates"].startswith("every openDesk has it")
    assert OpenDesk(extras=("dkimpy",)).reasons()["opendesk-dkimpy-milter"] == "extra dkimpy was chosen"


# Order


@pytest.mark.parametrize(
    ("release", "first"),
    [
        ("opendesk-keycloak-bootstrap", "ums"),
        ("ums", "postgresql"),
        ("open-xchange", "mariadb"),
        ("open-xchange", "dovecot"),
        ("ox-connector", "open-xchange"),
        ("ox-connector", "ums"),
        ("opendesk-nextcloud", "opendesk-nextcloud-management"),
        ("opendesk-nextcloud-notifypush", "opendesk-nextcloud"),
        ("opendesk-nextcloud-management", "opendesk-keycloak-bootstrap"),
        ("collabora-online", "opendesk-nextcloud"),
        ("opendesk-synapse", "opendesk-keycloak-bootstrap"),
        ("opendesk-matrix-user-verification-service-bootstrap", "opendesk-synapse"),
        ("matrix-neodatefix-bot", "opendesk-synapse"),
        ("jitsi", "opendesk-matrix-user-verification-service"),
        ("openproject", "memcached"),
        ("xwiki", "opendesk-keycloak-bootstrap"),
        ("impress", "impress-customization"),
        ("impress", "redis"),
        ("intercom-service", "opendesk-keycloak-bootstrap"),
        ("opendesk-openproject-bootstrap", "openproject"),
        ("opendesk-openproject-bootstrap", "opendesk-nextcloud"),
        ("postfix", "opendesk-dkimpy-milter"),
        ("dovecot", "cassandra"),
        ("opendesk-synapse-groupsync", "opendesk-synapse"),
    ],
)
def test_what_is_needed_comes_first(release: str, first: str) -> None:
    assert first in before(EVERYTHING, release)


@given(choices())
@settings(max_examples=40, deadline=None)
def test_any_choice_composes_and_keeps_the_contract(component: OpenDesk) -> None:
    found = trial(component)
    assert found.findings == ()
    order = found.releases
    assert order[:3] == ("namespace", "foundation", "opendesk-migrations-pre")
    assert order[-1] == "opendesk-migrations-post"
    assert set(order) == {"namespace", "foundation", *component.reasons()}
    stages = {release.name: release.stage.number for release in component.declare().releases}
    place = {name: index for index, name in enumerate(order)}
    for release in component.declare().releases:
        for need in release.needs:
            assert stages[need] <= stages[release.name]
            assert place[need] < place[release.name]


@given(choices())
@settings(max_examples=60, deadline=None)
def test_the_first_migration_is_before_all_and_the_last_one_after_all(component: OpenDesk) -> None:
    everything = set(component.reasons())
    first, last = "opendesk-migrations-pre", "opendesk-migrations-post"
    assert before(component, last) == everything - {last}
    assert all(first in before(component, name) for name in everything - {first})
    # Said once for each release, not for each pair.
    assert sum(map(len, component.order().values())) < 5 * len(everything)


@given(choices(), st.sampled_from(APPS))
@settings(max_examples=60, deadline=None)
def test_one_app_more_takes_nothing_away(component: OpenDesk, app: str) -> None:
    more = OpenDesk(
        apps=tuple(dict.fromkeys((*component.apps, app))), enterprise=component.enterprise, extras=component.extras
    )
    assert component.reasons().keys() <= more.reasons().keys()


@pytest.mark.parametrize("apps", [*((app,) for app in APPS), *itertools.combinations(APPS, 2)], ids="+".join)
def test_each_app_and_each_pair_has_all_that_it_needs(apps: tuple[str, ...]) -> None:
    component = OpenDesk(apps=apps)
    there = component.reasons().keys()
    for release, needs in component.order().items():
        assert needs.keys() <= there
        for need in TABLE.get(release, ()):
            assert need.wanted or need.release in there or need.release == "antivirus"


def test_stages_are_upstreams_and_notes_has_one() -> None:
    stages = {release.name: str(release.stage) for release in EVERYTHING.declare().releases}
    assert stages["impress"] == stages["impress-customization"] == "050-components"
    assert stages["opendesk-openproject-bootstrap"] == "060-components"
    assert stages["opendesk-home"] == "030-opendesk-services"
    assert stages["redis"] == "030-services-external"
