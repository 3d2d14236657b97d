"""Onyx's real history: the missing llm_model_flow, and roll-backs across migrations, each told with what can run."""

from __future__ import annotations

import itertools
import time
from importlib import resources

import pytest
from kiwi_core import AlembicSchema
from kiwi_core._model.capture_json import load_schema
from kiwi_core._model.schema_history import Standing, Verdict, carried_by, judge

ONYX = load_schema((resources.files("kiwi_component_onyx") / "facts" / "schemas" / "onyx-backend.json").read_bytes())
NEED = AlembicSchema(image="onyxBackend", minimum="f220515df7b4", because="the seed of the model provider")
SOUND = [tag for tag in ONYX.stable if tuple(map(int, tag[1:].split("."))) >= (2, 9, 0)]


def ask(tag: str, *live: str) -> Verdict:
    name = f"onyxdotapp/onyx-backend:{tag}"
    return judge(NEED, image=name, carried=carried_by(ONYX, tag), captured=ONYX, live=live)


def test_the_missing_llm_model_flow_is_told_with_the_first_version_that_has_it() -> None:
    (problem,) = ask("v2.11.4").problems
    assert str(problem) == (
        "the seed of the model provider needs alembic revision f220515df7b4, and onyxdotapp/onyx-backend:v2.11.4 ends "
        f"at {ONYX.tags['v2.11.4'][0]}, before it\n    pin v2.12.0 or later"
    )
    assert ask("v2.12.0").passes


def test_a_roll_back_to_before_llm_model_flow_fails_twice_and_names_what_can_run() -> None:
    found = ask("v2.11.4", ONYX.tags["v2.12.0"][0])
    assert found.standing is Standing.AHEAD
    assert len(found.problems) == 2
    assert found.runs_on == tuple(ONYX.stable[ONYX.stable.index("v2.12.0") :])
    assert "a newer version has migrated it\n    these can run on it: v2.12.0 to v4.6.1; pin one of them" in str(
        found.problems[1]
    )


@pytest.mark.parametrize(("newer", "older"), [("v4.6.0", "v4.5.6"), ("v4.6.1", "v2.12.0"), ("v3.0.0", "v2.12.0")])
def test_a_roll_back_across_a_migration_names_versions_from_the_newer_one_on(newer: str, older: str) -> None:
    found = ask(older, *ONYX.tags[newer])
    assert found.standing is Standing.AHEAD
    assert found.runs_on[0] == next(tag for tag in ONYX.stable if ONYX.has(tag, ONYX.tags[newer][0]))
    assert not ask(found.runs_on[0], *ONYX.tags[newer]).problems


def test_a_roll_back_within_one_schema_passes() -> None:
    assert ask("v4.6.0", *ONYX.tags["v4.6.1"]).standing is Standing.CURRENT


def test_every_release_follows_the_one_before_it() -> None:
    """What is pinned as upstream released it never meets a database that it cannot migrate."""
    for older, newer in itertools.pairwise(SOUND):
        assert ask(newer, *ONYX.tags[older]).standing in {Standing.CURRENT, Standing.BEHIND}, (older, newer)


def test_releases_with_two_heads_are_told() -> None:
    split = [tag for tag in ONYX.stable if len(ONYX.tags[tag]) > 1]
    assert {"v0.3.7", "v0.3.76"} & {*split}
    for tag in split:
        assert "schema heads" in str(ask(tag).problems[0])


def test_a_judgement_is_quick() -> None:
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        ask("v2.11.4", ONYX.tags["v2.12.0"][0])
        best = min(best, time.perf_counter() - start)
    # It takes 2 ms; a machine may be busy.
    assert best < 0.05
