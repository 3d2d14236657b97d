"""Rule g: commands that can be run as they are given, and pins that were set back, as far as git tells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import attrs
import pytest
from contract_captures import HISTORY
from contract_changes import Change, both, evidence, image, schema, wired
from contract_stack import DIGEST, Scene, commit, pin_texts
from kiwi_core import AlembicSchema, SemanticSchema, TableSchema
from kiwi_core._contract.results import Outcome

NEED = AlembicSchema(image="app", minimum="b2", because="the seed")
COMMAND = f"kiwistack component capture schema docker.io/acme/app:v9.9.9@{DIGEST}"
OUT = "--out <package>/facts"


@pytest.mark.parametrize(
    ("contract", "options"),
    [
        (NEED, ""),
        (attrs.evolve(NEED, versions="/app/alembic/versions"), " --folder /app/alembic/versions"),
        (
            TableSchema(image="app", minimum=12, because="the seed", table="t", column="c"),
            " --tool table --version <the schema version that it brings>",
        ),
        (
            SemanticSchema(image="app", minimum="1.2.3", because="the seed", table="t", column="c"),
            " --tool semantic --version <the schema version that it brings>",
        ),
    ],
)
def test_what_was_not_captured_comes_with_the_command(contract: AlembicSchema, options: str) -> None:
    change = both(wired(schema=(contract,)), image("app", tag=f"v9.9.9@{DIGEST}"))
    (said,) = change(Scene()).of(Outcome.UNPROVEN, "g")
    assert said == (
        f"[g] component app: images.yaml:7: images.app.tag: {contract.need}, and the schema history of "
        f"docker.io/acme/app:v9.9.9@{DIGEST} was not captured\n    {COMMAND}{options} {OUT}"
    )


def test_versions_that_are_numbers_are_proven_too() -> None:
    contract = TableSchema(image="app", minimum=10, because="the seed", table="t", column="c")
    numbers = schema(tool="table", revisions={}, tags={"v1.1.0": ("9",), "v1.2.0": ("10",)})
    scene = both(wired(schema=(contract,)), numbers)(Scene())
    assert scene.of(Outcome.FINDING, "g") == []
    assert "[g] component app: the seed needs schema version 10 (t.c): v1.2.0 has it" in scene.of(Outcome.PASS, "g")
    older = both(image("app", tag="v1.1.0"), evidence(history=()))(scene)
    (said,) = older.of(Outcome.FINDING, "g")
    assert "needs schema version 10 (t.c), and docker.io/acme/app:v1.1.0 ends at 9, before it" in said
    back = image("app", tag="v1.1.0")(both(wired(schema=(attrs.evolve(contract, minimum=9),)), numbers)(Scene()))
    (said,) = back.of(Outcome.FINDING, "g")
    assert "a database that v1.2.0 migrated is at 10: v1.1.0 ends at 9 and cannot run on it" in said


# Pins over time: what is pinned now is v1.1.0, and newest commits come first

NOW = image("app", tag="v1.1.0")
AT: Mapping[str, Mapping[str, str]] = {
    tag: pin_texts("1.0.0", tag) for tag in ("v0.5.0", "v1.0.0", "v1.1.0", "v1.1.1", "v1.2.0", "v1.3.0", "latest", "?!")
}
RESTORED = pin_texts("1.0.0", "v1.1.0", note="  # restored: the backup of 3 May, everywhere\n")
ELSEWHERE = {**AT["v1.2.0"], "images": AT["v1.2.0"]["images"].replace("acme/app", "fork/app")}


def moved(*steps: Mapping[str, str]) -> Change:
    """A history in which the pin files went from one of these to the next, the newest last."""
    commits = [commit(before, after) for before, after in itertools.pairwise(steps)]
    return both(NOW, evidence(history=commits[::-1]))


FINE = {
    "set-forward": moved(AT["v1.0.0"], AT["v1.1.0"]),
    "as-it-was": moved(AT["v1.1.0"], AT["v1.1.0"]),
    "with-a-digest-now": both(
        moved(AT["v1.0.0"], AT["v1.1.0"]), schema(digests={DIGEST: "v1.1.0"}), image("app", tag=f"v1.1.0@{DIGEST}")
    ),
    "the-first-commit": moved({}, AT["v1.1.0"]),
    "set-back-and-restored": moved(AT["v1.2.0"], RESTORED),
    "set-back-and-restored-a-while-ago": moved(AT["v1.2.0"], RESTORED, {**RESTORED, "charts": ""}),
    "restored-and-the-comment-taken-away": moved(AT["v1.2.0"], RESTORED, AT["v1.1.0"]),
    "between-two-of-the-same-schema": both(
        moved(AT["v1.1.1"], AT["v1.1.0"]), schema(tags={**HISTORY.tags, "v1.1.1": ("b2",)})
    ),
    "another-image": moved(ELSEWHERE, AT["v1.1.0"]),
    "files-that-cannot-be-read": moved({"charts": "", "images": "a: *x"}, AT["v1.1.0"]),
    "a-tag-that-is-none": moved(AT["?!"], AT["v1.1.0"]),
    "no-entry": moved({"charts": "charts: {}", "images": "images: {}"}, AT["v1.1.0"]),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_a_pin_that_databases_can_follow_is_fine(change: Change) -> None:
    assert change(Scene()).of(Outcome.FINDING, "g") == []
    assert change(Scene()).of(Outcome.UNPROVEN, "g") == []


def test_a_pin_that_follows_all_before_it_is_told() -> None:
    passes = moved(AT["v1.0.0"], AT["v1.1.0"])(Scene()).of(Outcome.PASS, "g")
    assert "[g] component app: v1.1.0 can run on the databases of all 1 images that were pinned before it" in passes


BACK = {
    "set-back": moved(AT["v1.2.0"], AT["v1.1.0"]),
    "set-back-by-more-than-one": moved(AT["v1.2.0"], AT["v1.0.0"], AT["v1.1.0"]),
    "set-back-a-while-ago": moved(AT["v1.2.0"], AT["v1.1.0"], {**AT["v1.1.0"], "charts": ""}),
    "set-back-after-it-was-not-captured": moved(AT["v1.2.0"], AT["latest"], AT["v1.1.0"]),
    "set-back-after-it-was-restored": moved(AT["v1.2.0"], RESTORED, AT["v1.2.0"], AT["v1.1.0"]),
    "set-back-and-not-committed": moved(AT["v1.1.0"], AT["v1.2.0"]),
    "a-comment-that-says-nothing": moved(AT["v1.2.0"], pin_texts("1.0.0", "v1.1.0", note="  # restored:\n")),
    "a-comment-of-before": moved(pin_texts("1.0.0", "v1.2.0", note="  # restored: x\n"), AT["v1.1.0"]),
}


@pytest.mark.parametrize("change", BACK.values(), ids=BACK)
def test_a_pin_that_was_set_back_across_a_migration_is_found(change: Change) -> None:
    (said,) = change(Scene()).of(Outcome.FINDING, "g")
    assert "a database that v1.2.0 migrated is at c3: v1.1.0 ends at b2 and cannot run on it" in said
    assert "these can run on it: v1.2.0; or restore a database from before v1.2.0, say so at the entry" in said


def test_a_database_that_had_two_heads_is_told_with_both() -> None:
    (said,) = moved(AT["v1.3.0"], AT["v1.1.0"])(Scene()).of(Outcome.FINDING, "g")
    assert "a database that v1.3.0 migrated is at c3 and x9" in said
    assert "\n    restore a database from before v1.3.0" in said


def test_a_pin_before_this_one_that_nobody_captured_is_unproven_with_the_command() -> None:
    (said,) = moved(AT["v0.5.0"], AT["v1.1.0"])(Scene()).of(Outcome.UNPROVEN, "g")
    assert "whether a database of it can run on v1.1.0 is not known" in said
    assert said.endswith(f"\n    kiwistack component capture schema docker.io/acme/app:v0.5.0 {OUT}")


def test_older_pins_that_nobody_captured_are_let_be() -> None:
    assert moved(AT["v0.5.0"], AT["v1.0.0"], AT["v1.1.0"])(Scene()).of(Outcome.UNPROVEN, "g") == []


@pytest.mark.parametrize("history", [None, ()])
def test_without_a_history_nothing_is_said_of_it(history: tuple[()] | None) -> None:
    scene = evidence(history=history)(Scene())
    assert scene.of(Outcome.FINDING, "g") + scene.of(Outcome.UNPROVEN, "g") == []
    assert len(scene.of(Outcome.PASS, "g")) == 1
