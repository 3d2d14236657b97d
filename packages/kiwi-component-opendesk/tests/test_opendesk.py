"""openDesk as a component: what it declares, lends and hands to upstream's charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import pytest
from kiwi_component_opendesk import OpenDesk
from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._selection import APPS, EXTRAS
from kiwi_core import (
    Asked,
    Bucket,
    Credential,
    Home,
    Lane,
    Ldap,
    Mariadb,
    Offer,
    Oidc,
    Postgres,
    Smtp,
    Use,
    Value,
)
from kiwi_core.errors import ComposeError
from kiwi_core.testing import CLUSTER, ComponentKit, trial

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
EVERYTHING = OpenDesk(apps=APPS, enterprise=True, extras=tuple(EXTRAS))


class TestOpenDesk(ComponentKit):
    component = OpenDesk()


class TestOpenDeskWithTheLeast(ComponentKit):
    component = OpenDesk(apps=("nubus",))


class TestOpenDeskWithEverything(ComponentKit):
    component = EVERYTHING


def offer(kind: str, component: OpenDesk = EVERYTHING) -> Offer:
    (found,) = (offer for offer in component.declare().offers if offer.kind == kind)
    return found


def bind(use: Use[object]) -> object:
    found = offer(use.kind).bind(use, Asked(component="app"), HOME)
    assert isinstance(found, use.binding)
    return found


def credentials(tree: Value, path: str = "") -> Iterator[tuple[str, Credential]]:
    if isinstance(tree, Credential):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from credentials(value, f"{path}.{key}" if path else key)


# Pins


def test_every_image_that_values_files_name_is_said() -> None:
    images = {release.name: release.images for release in OpenDesk().declare().releases}
    assert images["clamav-simple"] == ("opendesk-clamd", "opendesk-icap")
    assert images["opendesk-nextcloud"] == ("opendesk-nextcloud", "opendesk-nextcloudExporter")
    assert len(images["ums"]) == 34
    tree = trial(OpenDesk()).files()
    for name in images["ums"]:
        assert f'"{name}"'.encode() in tree["environments/dev/images.yaml"]


def test_names_of_pins_are_openDesks_own() -> None:  # noqa: N802 -- its name
    declared = EVERYTHING.declare().releases
    assert all(name.startswith("opendesk-") for release in declared for name in (release.chart, *release.images))


def test_only_upstreams_key_and_edition_make_the_name_of_a_pin() -> None:
    known = facts()
    keys = {*known.charts, *known.images}
    names = {name for release in EVERYTHING.declare().releases for name in (release.chart, *release.images)}
    assert {name.removeprefix("opendesk-").removesuffix("-enterprise") for name in names} <= keys


# Waiting


def test_a_release_is_given_the_time_that_upstream_gives_it() -> None:
    times = {release.name: release.timeout for release in OpenDesk().declare().releases}
    assert (times["xwiki"], times["redis"], times["cryptpad"]) == (1800, 900, 300)


@pytest.mark.parametrize("release", ["postgresql", "opendesk-keycloak-bootstrap", "opendesk-migrations-pre"])
def test_jobs_that_others_build_on_are_waited_for(release: str) -> None:
    text = trial(OpenDesk()).files()["helmfile.yaml.gotmpl"].decode()
    block = text.partition(f'- "name": "{release}"\n')[2].partition('- "name"')[0]
    assert '"wait": true' in block
    assert '"waitForJobs": true' in block


def test_jobs_of_nubus_clean_up_too_early_to_be_waited_for() -> None:
    (ums,) = (release for release in OpenDesk().declare().releases if release.name == "ums")
    assert not ums.wait_for_jobs


# Credentials


def test_each_credential_stands_at_upstreams_path_with_upstreams_inputs() -> None:
    found = trial(EVERYTHING)
    known = facts().secrets
    count = 0
    for release in EVERYTHING.reasons():
        for path, late in credentials(found.values(release)):
            if path == "secrets.nubus.ldapSearch.kiwistack":
                continue
            item = known[path]
            assert (late.scope, late.purpose, late.template, late.encoding) == (
                item.scope,
                item.purpose,
                item.template,
                item.encoding,
            )
            count += 1
    # Upstream's values files name 186; the mirror that was read has lost one.
    assert count == 187


def test_the_values_of_a_release_hold_what_its_values_files_name_and_no_more() -> None:
    found = trial(OpenDesk())
    assert dict(credentials(found.values("redis"))).keys() == {"secrets.redis.password"}
    assert dict(credentials(found.values("opendesk-home"))) == {}
    assert "secrets.keycloak.clientSecret.xwiki" in dict(credentials(found.values("opendesk-keycloak-bootstrap")))


def test_nubus_makes_one_account_more_for_the_rest_of_the_tenant() -> None:
    found = dict(credentials(trial(OpenDesk()).values("ums")))
    assert found["secrets.nubus.ldapSearch.kiwistack"] == Credential("opendesk", "ldap/reader")


def test_neither_the_seed_nor_the_migrations_carry_secrets() -> None:
    found = trial(EVERYTHING)
    assert "masterpassword" not in str(found.values("ums"))
    assert found.values("opendesk-migrations-pre") == {}
    assert found.values("opendesk-migrations-post") == {}


def test_all_of_upstreams_scopes_are_claimed_whatever_is_chosen() -> None:
    assert len(OpenDesk(apps=("nubus",)).declare().scopes) == 37
    assert OpenDesk(apps=("nubus",)).declare().scopes == EVERYTHING.declare().scopes


# Offers


def test_what_is_offered_is_what_is_there() -> None:
    assert {offer.kind for offer in EVERYTHING.declare().offers} == {
        "postgres", "mariadb", "bucket", "ldap", "oidc", "smtp",
    }  # fmt: skip
    assert "mariadb" not in {offer.kind for offer in OpenDesk(apps=("xwiki",)).declare().offers}
    for component in (EVERYTHING, OpenDesk(apps=("xwiki",))):
        assert {offer.release for offer in component.declare().offers} <= component.reasons().keys()


def test_databases_and_buckets_are_the_consumers_own() -> None:
    db = bind(Postgres("app"))
    assert (db.host, db.port, db.database, db.user) == ("postgresql", 5432, "app", "app")  # type: ignore[attr-defined]
    shop = bind(Mariadb("shop"))
    assert (shop.host, shop.port, shop.database) == ("mariadb", 3306, "shop")  # type: ignore[attr-defined]
    files = bind(Bucket("files"))
    assert (files.endpoint, files.bucket) == ("http://minio:9000", "files")  # type: ignore[attr-defined]


def test_who_signs_in_comes_after_keycloaks_bootstrap_and_meets_the_tenants_own_host() -> None:
    assert offer("oidc").release == "opendesk-keycloak-bootstrap"
    client = bind(Oidc("app"))
    assert client.issuer == "https://id.acme.example/realms/opendesk"  # type: ignore[attr-defined]


def test_mail_is_sent_with_the_account_of_openDesks_own_apps() -> None:  # noqa: N802 -- its name
    mail = bind(Smtp("app"))
    assert (mail.host, mail.port) == ("postfix", 587)  # type: ignore[attr-defined]
    assert mail.user == "opendesk-system@acme.example"  # type: ignore[attr-defined]
    assert mail.sender == "no-reply@acme.example"  # type: ignore[attr-defined]


def test_the_directory_is_read_with_an_account_of_its_own() -> None:
    directory = bind(Ldap("app"))
    assert directory.host == "ums-ldap-server"  # type: ignore[attr-defined]
    assert directory.bind_dn == "uid=ldapsearch_kiwistack,cn=users,dc=swp-ldap,dc=internal"  # type: ignore[attr-defined]


def test_accounts_are_lent_through_secrets_that_are_there() -> None:
    values = str(trial(EVERYTHING).values("foundation"))
    for release in ("postgresql", "mariadb", "minio", "postfix", "ums"):
        assert f"opendesk-{release}-account" in values


# Several on one cluster


def test_host_names_and_namespaces_are_the_tenants_own() -> None:
    text = b"".join(trial(EVERYTHING).files().values()).decode()
    assert "opendesk.internal" not in text
    assert all(release.cluster_objects == () for release in EVERYTHING.declare().releases)
    assert '"namespace": "cust-trial"' in text


def test_a_cluster_without_cert_manager_is_refused() -> None:
    with pytest.raises(ComposeError, match=r"opendesk-certificates.*cert-manager\.io"):
        trial(OpenDesk(), cluster=attrs.evolve(CLUSTER, apis=()))


def test_only_synapse_may_leave_the_cluster() -> None:
    policies = trial(OpenDesk()).files()["stack.json"].decode()
    assert '"opendesk-synapse-egress"' in policies
    assert "-egress" not in trial(OpenDesk(apps=("xwiki",))).files()["stack.json"].decode()


def test_no_lane_needs_anything_that_is_not_pinned() -> None:
    assert trial(EVERYTHING, lane=Lane.STABLE).findings == ()
