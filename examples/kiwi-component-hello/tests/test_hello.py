from __future__ import annotations

import attrs
import pytest
from kiwi_component_hello import Hello
from kiwi_core.errors import ComposeError
from kiwi_core.testing import CLUSTER, ComponentKit, trial


class TestHello(ComponentKit):
    component = Hello(greeting="Hi", replicas=2)


def test_the_greeting_reaches_the_chart() -> None:
    assert trial(Hello(greeting="Hi")).values("hello")["greeting"] == "Hi"


def test_it_has_a_host_at_the_clusters_ingress() -> None:
    assert trial(Hello()).values("hello")["host"] == "hello.trial.example"
    with pytest.raises(ComposeError, match="does not offer"):
        trial(Hello(), cluster=attrs.evolve(CLUSTER, offers=()))


def test_nobody_to_say_it_is_refused() -> None:
    with pytest.raises(ValueError, match="replicas"):
        Hello(replicas=0)
