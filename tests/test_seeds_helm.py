"""The real Helm gives a seed the mark that we give it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helm_actions import helm_prints
from kiwi_core._derive.password import Seed
from kiwi_core._derive.seeds import mark_of
from kiwi_core._emit.writing import go_string

pytestmark = pytest.mark.real_server

SEEDS = ("a seed for tests only", "é🥝 {{ }} \"'`\\", "x" * 5000)


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_a_mark_is_what_helm_makes_of_the_pipeline(request: pytest.FixtureRequest, version: str) -> None:
    helm: Path = request.getfixturevalue(version)
    after = '"kiwistack" "seed" | sha256sum | trunc 31 | printf "k%s" | toJson'
    printed = helm_prints(helm, [f'{{{{ derivePassword 1 "maximum" {go_string(seed)} {after} }}}}' for seed in SEEDS])
    assert printed == tuple(mark_of(Seed(seed)) for seed in SEEDS)
