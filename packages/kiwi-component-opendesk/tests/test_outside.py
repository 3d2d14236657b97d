from __future__ import annotations

import attrs
import pytest
from kiwi_component_opendesk import OpenDesk
from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._outside import HOSTS, PORTS, hosts
from kiwi_component_opendesk._selection import APPS, EXTRAS, select
from kiwi_core import Customer
from kiwi_core.testing import CLUSTER, trial

ELSEWHERE = {"minioConsole", "whiteboard"}
"""Hosts that are reached while debugging only, or are but an alias in the certificate."""


def chosen(*apps: str, extras: tuple[str, ...] = (), enterprise: bool = False) -> tuple[str, ...]:
    return hosts(select(apps, extras, enterprise=enterprise), "acme.example")


def test_every_host_of_upstream_is_of_one_release() -> None:
    keys = [key for found in HOSTS.values() for key in found]
    assert sorted(keys) == sorted(set(facts().hosts) - ELSEWHERE)
    assert {*HOSTS, *PORTS} <= set(facts().releases)


def test_a_chosen_app_has_its_hosts_and_no_others() -> None:
    least = chosen("nubus")
    assert {"acme.example", "portal.acme.example", "id.acme.example"} <= set(least)
    assert "wiki.acme.example" not in least
    assert set(chosen("nubus", "xwiki")) - set(least) == {"wiki.acme.example"}


def test_no_two_releases_have_one_host() -> None:
    everything = chosen(*APPS, extras=tuple(EXTRAS), enterprise=True)
    assert len(everything) == len(set(everything)) == len(facts().hosts) - len(ELSEWHERE) + 1


@pytest.mark.parametrize(
    ("app", "ports"),
    [
        ("jitsi", {"10000/udp"}),
        ("open-xchange", {"25/tcp", "587/tcp", "993/tcp", "995/tcp"}),
        ("xwiki", set[str]()),
    ],
)
def test_mail_and_calls_need_ports_that_are_the_customers_own(app: str, ports: set[str]) -> None:
    alone = attrs.evolve(CLUSTER, customers=(Customer(slug="trial", domain="trial.example"),))
    findings = trial(OpenDesk(apps=(app,)), cluster=alone).findings
    assert {port for port in ports if any(f"external port {port} is not" in found for found in findings)} == ports
    assert len(findings) == len(ports)
