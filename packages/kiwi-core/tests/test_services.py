"""What an offer gives to who asks."""

from __future__ import annotations

import attrs
import pytest
from kiwi_core import (
    Asked,
    Credential,
    Endpoint,
    Home,
    Ldap,
    LdapOffer,
    Mariadb,
    MariadbOffer,
    SecretKey,
    Smtp,
    SmtpOffer,
)
from kiwi_core.plugins import Plugins

HOME = Home(slug="acme", namespace="cust-acme", domain="acme.example", cluster="core-1")
ASKED = Asked(component="wiki")


def test_mariadb_gives_a_database_of_the_uses_name_with_the_consumers_credential() -> None:
    offer = MariadbOffer(host="db", admin=SecretKey("db", "root"), pods={"app": "db"})
    bound = offer.bind(Mariadb("pages"), ASKED, HOME)
    assert (bound.host, bound.port, bound.database, bound.user) == ("db", 3306, "pages", "pages")
    assert bound.password == Credential("wiki", "mariadb/pages")
    assert offer.endpoint() == Endpoint(ports=(3306,), pods={"app": "db"})


def test_a_directory_gives_its_readers_account() -> None:
    password = SecretKey("reader", "password")
    offer = LdapOffer(host="ldap", base="dc=x", bind_dn="uid=reader,dc=x", password=password)
    bound = offer.bind(Ldap("people"), ASKED, HOME)
    assert (bound.host, bound.port, bound.base, bound.bind_dn) == ("ldap", 389, "dc=x", "uid=reader,dc=x")
    assert bound.password == password
    assert offer.endpoint().ports == (389,)


def test_the_account_that_mail_is_sent_with_may_be_of_the_tenants_domain() -> None:
    offer = SmtpOffer(host="mail", user="system@{domain}", password=SecretKey("mail", "password"))
    assert offer.bind(Smtp("wiki"), ASKED, HOME).user == "system@acme.example"
    assert attrs.evolve(offer, user=None).bind(Smtp("wiki"), ASKED, HOME).user is None


@pytest.mark.parametrize("kind", ["ldap", "mariadb"])
def test_a_spec_in_data_can_write_the_offer_down(kind: str) -> None:
    assert Plugins().offer(kind).kind == kind


@pytest.mark.parametrize("wrong", [{"port": 0}, {"base": ""}, {"bind_dn": ""}])
def test_a_directory_without_a_place_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LdapOffer(**{"host": "x", "base": "x", "bind_dn": "x", "password": SecretKey("x", "x")} | wrong)  # type: ignore[arg-type]
