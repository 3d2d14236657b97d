"""The kit for kinds of hooks: a kind that is right passes, and one that is wrong fails where it is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, cast

import attrs
import pytest
import wrong_entries as wrong
from kiwi_core import SecretKey
from kiwi_core.testing import HookProofs, Rotated
from kiwi_core.testing._faults import Point
from kiwi_core.testing._witness import Witness
from shelf import SECRETS, EntryState, ShelfServer, TestEntry

__all__ = ["TestEntry"]  # the kind that is right: pytest collects its proofs here

PROOFS = sorted(name for name in vars(HookProofs) if name.startswith("test_"))


class OnTrial(TestEntry):
    """The proofs, of a kind that is to fail them."""

    form: type[EntryState] = EntryState
    patience: ClassVar[float] = 3.0

    def desired(self) -> EntryState:
        wanted = super().desired()
        return self.form(**{field.name: getattr(wanted, field.name) for field in attrs.fields(EntryState)})


@pytest.fixture(autouse=True, scope="module")
def shelf() -> Iterator[ShelfServer]:
    yield TestEntry.shelf
    TestEntry.shelf.stop()


def said_by(proof: str, form: type[EntryState] = EntryState, proofs: type[TestEntry] = OnTrial) -> str:
    """What a proof says that fails, with what stands beneath its groups."""
    trial = proofs()
    vars(trial)["form"] = form
    with pytest.raises(Exception) as raised:  # noqa: PT011 -- what it says is looked at
        getattr(trial, proof)()
    return " / ".join(texts(raised.value))


def texts(error: BaseException) -> list[str]:
    inner = cast("tuple[BaseException, ...]", getattr(error, "exceptions", ()))
    notes = cast("list[str]", getattr(error, "__notes__", []))
    return [str(error), *notes, *(text for each in inner for text in texts(each))]


@pytest.mark.parametrize(
    ("form", "proof", "words"),
    [
        (wrong.AlwaysSets, "test_again_changes_nothing", "it says that it changed again: set text motto"),
        (wrong.AlwaysSets, "test_the_plan_is_pure", "converged is True, and the plan: "),
        (wrong.Touches, "test_again_changes_nothing", "the server counted 1 changes"),
        (wrong.Touches, "test_each_observed_field_is_healed", "observe() changed something"),
        (wrong.ForgetsText, "test_each_observed_field_is_healed", "the plan is empty, and text is broken"),
        (wrong.LooksAway, "test_each_observed_field_is_healed", "observe() tells the same opens"),
        (wrong.LooksAway, "test_each_rotation_works", "rotation of class live"),
        (
            wrong.AsksBesides,
            "test_killed_anywhere_it_converges",
            "1 changes after 'POST /entries/motto as admin', outside",
        ),
        (wrong.AsksTwiceInOne, "test_killed_anywhere_it_converges", "2 changes in the request 'both'"),
        (wrong.LeavesHalfMade, "test_killed_anywhere_it_converges", "killed after request"),
        (wrong.HalfRotates, "test_killed_anywhere_in_a_rotation_it_converges", "does not take the password of admin"),
        (wrong.Collides, "test_two_at_once_both_end_well", "somebody else was faster"),
        (wrong.GivesUp, "test_it_waits_for_its_server", "expected Unreachable, found HookError"),
        (wrong.NamesNoServer, "test_it_waits_for_its_server", "there is no host:port in the subject 'entry'"),
        (wrong.WaitsForPassword, "test_a_wrong_account_is_refused", "expected Refused, found Unreachable"),
        (wrong.WritesWhenRefused, "test_a_wrong_account_is_refused", "it was refused, and changed something"),
        (wrong.NamesNoRight, "test_a_weak_account_is_told_what_is_missing", "does not name write"),
        (wrong.PlansAnew, "test_the_plan_is_pure", "planned twice, it gives other steps"),
        (wrong.NotPlain, "test_it_survives_as_data", "tags"),
        (wrong.NotEqual, "test_it_survives_as_data", "as JSON and back, it is not equal"),
        (wrong.DoesNothing, "test_from_nothing_it_converges", "it says that it changed nothing"),
        (
            wrong.Sweeps,
            "test_orphans_are_named_and_removed_only_by_name",
            "it converged, and changed again: create motto",
        ),
        (wrong.NamesAll, "test_orphans_are_named_and_removed_only_by_name", "all is wanted, and it names orphans"),
        (wrong.RemovesAll, "test_what_is_anothers_is_left_alone", "it removed what is cust-acme/wiki's"),
        (wrong.Adopts, "test_what_is_anothers_is_left_alone", "expected HookError, and it ended well"),
    ],
)
def test_a_kind_that_is_wrong_fails(form: type[EntryState], proof: str, words: str) -> None:
    assert words in said_by(proof, form)


@pytest.mark.parametrize(
    ("form", "proof", "words"),
    [
        (wrong.LeaksInError, "test_a_wrong_account_is_refused", "an error holds the secret shelf/admin-x"),
        (wrong.LeaksInError, "test_no_secret_is_told", "an error holds the secret shelf/admin-x"),
        (wrong.LeaksEncoded, "test_no_secret_is_told", "an error holds the secret shelf/admin-x"),
        (wrong.LeaksInCause, "test_no_secret_is_told", "an error holds the secret shelf/admin-x"),
        (wrong.LeaksInRequest, "test_no_secret_is_told", "the name of a request holds the secret shelf/motto-2"),
        (wrong.LeaksInObserved, "test_no_secret_is_told", "what is observed holds the secret shelf/motto-2"),
    ],
)
def test_a_secret_that_is_told_is_found_and_not_told_again(form: type[EntryState], proof: str, words: str) -> None:
    said = said_by(proof, form)
    assert words in said
    assert not [value for value in SECRETS.values() if value in said]


class ForgetsOne(OnTrial):
    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {field: destroy for field, destroy in super().breakages().items() if field != "opens"}


class BreaksNoField(OnTrial):
    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return {**super().breakages(), "colour": dict}


class BreaksNothing(OnTrial):
    def breakages(self) -> Mapping[str, Callable[[], object]]:
        return dict.fromkeys(super().breakages(), dict)


class CountsNothing(OnTrial):
    class Server(ShelfServer):
        def changes(self) -> int:
            return 0

    shelf = Server()


class SpeaksShortly(OnTrial):
    def read(self, key: SecretKey) -> str:
        return super().read(key)[:7]


class NeverRotates(OnTrial):
    def rotations(self) -> Mapping[str, Rotated]:
        return {}


class RotatesNothing(OnTrial):
    def rotations(self) -> Mapping[str, Rotated]:
        return {name: attrs.evolve(each, before=each.after) for name, each in super().rotations().items()}


class HasNoOther(OnTrial):
    def other(self) -> EntryState:
        return cast("EntryState", HookProofs.other(self))


class HasStrongClerk(OnTrial):
    def weak_account(self) -> EntryState:
        return self.desired()


class KnowsThePassword(OnTrial):
    def wrong_account(self) -> EntryState:
        return self.desired()


class SeesTheClock(OnTrial):
    def state(self) -> object:
        return time.monotonic()


@pytest.mark.parametrize(
    ("proofs", "proof", "words"),
    [
        (ForgetsOne, "test_each_observed_field_is_healed", "breakages() lacks fields of Observed: opens"),
        (BreaksNoField, "test_each_observed_field_is_healed", "has what is no field of Observed: colour"),
        (BreaksNothing, "test_each_observed_field_is_healed", "observe() tells the same admin"),
        (BreaksNothing, "test_killed_anywhere_while_it_heals_it_converges", "the server counted no change"),
        (CountsNothing, "test_from_nothing_it_converges", "does changes() count?"),
        (CountsNothing, "test_killed_anywhere_it_converges", "the server counted no change"),
        (SpeaksShortly, "test_from_nothing_it_converges", "less than 8 characters"),
        (NeverRotates, "test_each_rotation_works", "say in rotations() how they rotate"),
        (RotatesNothing, "test_each_rotation_works", "it says that it changed nothing"),
        (HasNoOther, "test_orphans_are_named_and_removed_only_by_name", "say in other() what could be one"),
        (HasStrongClerk, "test_a_weak_account_is_told_what_is_missing", "expected Forbidden, and it ended well"),
        (KnowsThePassword, "test_a_wrong_account_is_refused", "expected Refused, and it ended well"),
        (SeesTheClock, "test_from_nothing_it_converges", "state() gives"),
    ],
)
def test_proofs_that_prove_nothing_fail(proofs: type[TestEntry], proof: str, words: str) -> None:
    assert words in said_by(proof, proofs=proofs)


@pytest.mark.parametrize("proof", ["test_a_wrong_account_is_refused", "test_a_weak_account_is_told_what_is_missing"])
def test_an_error_that_comes_late_fails(monkeypatch: pytest.MonkeyPatch, proof: str) -> None:
    monkeypatch.setattr("kiwi_core.testing._hooks.PROMPT", 0.0)
    assert "it took 0.0 s: waiting does not" in said_by(proof)


@pytest.fixture
def witness() -> Witness:
    proofs = TestEntry()
    proofs.server().start()
    proofs.clean()
    return Witness(proofs.read, changes=proofs.server().changes, connect_to={}, patience=3)


def test_a_point_that_is_not_reached_is_told(witness: Witness) -> None:
    point = Point(event=99, request=50, words="dance", is_after=False)
    with pytest.raises(AssertionError, match=r"was to die before request 50 \(dance\), and did not: it ended well"):
        witness.kill(TestEntry().desired(), point)


def test_a_mistake_in_a_process_of_its_own_is_shown_with_its_place(witness: Witness) -> None:
    wanted = {field.name: getattr(TestEntry().desired(), field.name) for field in attrs.fields(EntryState)}
    with pytest.raises(AssertionError, match=r'(?s)wrong_entries\.py", line .*ZeroDivisionError'):
        witness.two_at_once(wrong.Stumbles(**wanted))


def test_a_class_that_no_process_can_import_is_told(witness: Witness) -> None:
    class Local(EntryState):
        pass

    wanted = {field.name: getattr(TestEntry().desired(), field.name) for field in attrs.fields(EntryState)}
    with pytest.raises(AssertionError, match="has to stand at the top of a module"):
        witness.two_at_once(Local(**wanted))


def test_what_is_broken_at_random_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen: list[str] = []
    for seed in ("1", "1", "2", "3", "4"):
        monkeypatch.setenv("KIWISTACK_PROOF_SEED", seed)
        TestEntry().test_killed_anywhere_while_it_heals_it_converges()
        chosen.append(capsys.readouterr().out.splitlines()[0])
    assert chosen[0] == chosen[1]
    assert len({line.partition("(")[0] for line in chosen}) > 1


def test_there_are_as_many_proofs_for_every_kind() -> None:
    assert len(PROOFS) == 16
    assert [name for name in dir(TestEntry) if name.startswith("test_")] == PROOFS


def test_the_kits_need_no_pytest_and_start_nothing() -> None:
    code = "import sys, kiwi_core.testing; print({'pytest', '_pytest', 'psycopg', 'urllib3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
