"""The real Helm gives a seed the mark that we give it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helm_actions import helm_prints
from kiwi_core import Credential
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import Seed
from kiwi_core._derive.seeds import customer_seed, mark_of
from kiwi_core._emit.writing import expression, go_string, variable_of

pytestmark = pytest.mark.real_server

SEEDS = ("a seed for tests only", "é🥝 {{ }} \"'`\\", "x" * 5000)


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_a_mark_is_what_helm_makes_of_the_pipeline(request: pytest.FixtureRequest, version: str) -> None:
    helm: Path = request.getfixturevalue(version)
    after = '"kiwistack" "seed" | sha256sum | trunc 31 | printf "k%s" | toJson'
    printed = helm_prints(helm, [f'{{{{ derivePassword 1 "maximum" {go_string(seed)} {after} }}}}' for seed in SEEDS])
    assert printed == tuple(mark_of(Seed(seed)) for seed in SEEDS)


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_a_customers_seed_and_what_derives_from_it_are_what_helm_makes_of_the_expression(
    request: pytest.FixtureRequest, version: str
) -> None:
    helm: Path = request.getfixturevalue(version)
    platform = Seed("a seed for tests only")
    late = Credential("kiwi-llm-gateway", "virtual-key", customer="acme")
    # helmfile's functions of the environment, which Helm has not.
    seed = go_string(platform.reveal())
    action = expression(late).replace('(requiredEnv "MASTER_PASSWORD")', seed)
    handed = f'(env "{variable_of(late)}")'
    assert handed in action
    printed = helm_prints(helm, [action.replace(handed, '""')])
    assert printed == (derive_all(platform, [late])[late].reveal(),)
    own = Credential("kiwi-llm-gateway", "virtual-key")
    assert printed == (derive_all(customer_seed(platform, "acme"), [own])[own].reveal(),)
