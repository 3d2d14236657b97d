"""The proofs that every kind of hook has to pass, on a real server.

A kind subclasses :class:`HookProofs` and says how to look at its server past the hook, and how to break it. The kit
needs no pytest: its methods are tests wherever classes with ``test_`` methods are.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, cast

import attrs

from kiwi_core._model.desired import Desired, Orphan, Step
from kiwi_core._model.schema import SCHEMAS, Schema
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import Conflict, Forbidden, HookError, Refused, Unreachable
from kiwi_core.testing._kinds import ProvenKind, Rotated
from kiwi_core.testing._witness import Gathered, Witness, mounted_in, say

__all__ = ["HookProofs"]

SEED: Final = "KIWISTACK_PROOF_SEED"
"""The environment variable that chooses what is chosen at random, so that a run can be had again."""
PROMPT: Final = 5.0
"""Seconds within which an error that waiting does not mend must be told, on a busy machine."""
SHORT: Final = 2.0
"""Seconds of the deadline that passes while the server is down."""


class HookProofs(ProvenKind):
    """The proofs that a kind of hook heals itself and may run again at any time, on a real server.

    Subclass it and say what the methods of its base ask for, and pytest collects the proofs; there are sixteen,
    whatever the kind. "Past the hook" means with the server's own tools or a client of your own, never through the
    kind::

        @pytest.mark.real_server
        class TestRole(HookProofs):
            missing = "CREATEROLE"

            @pytest.fixture(autouse=True)
            def _server(self, postgres: Postgres) -> None:
                self.postgres = postgres

            def server(self) -> ProofServer:
                return self.postgres

            def desired(self) -> RoleState:
                return RoleState(host="127.0.0.1", port=self.postgres.port, name="onyx", ...)

    Every proof starts the server and calls ``clean()`` first. The kit kills the hook in processes that hold nothing
    but the desired state, as JSON, and its secrets; so the class of the desired state stands at the top of a module,
    which those processes import (a test's module will do).
    """

    def test_from_nothing_it_converges(self) -> None:
        """It makes all that is wanted, and from nothing twice it makes the same."""
        witness = self._begin()
        first = witness.converge(self.desired())
        assert first.outcome.changed, "it says that it changed nothing, and nothing was there"
        assert first.changes > 0, "the server counted no change, and nothing was there: does changes() count?"
        reference = self.state()
        self.clean()
        witness.converge(self.desired())
        self._is_as(reference, witness)

    def test_again_changes_nothing(self) -> None:
        """When it is converged, the server counts no change, and the hook says none."""
        witness = self._begin()
        first = witness.converge(self.desired())
        reference = self.state()
        again = witness.converge(self.desired())
        say(f"{first.requests} requests from nothing, {again.requests} again in {again.outcome.seconds:.3f} s")
        assert again.requests > 0, "it made no request: every one goes through session.request"
        assert again.outcome.changed == (), f"it says that it changed again: {'; '.join(again.outcome.changed)}"
        assert again.changes == 0, f"the server counted {again.changes} changes when nothing was to be done"
        self._is_as(reference, witness)

    def test_each_observed_field_is_healed(self) -> None:
        """Whatever is observed is broken by hand, seen, and healed."""
        witness = self._begin()
        witness.converge(self.desired())
        reference = self.state()
        whole = witness.observe(self.desired())
        gathered = Gathered()
        for field in self._fields(whole):
            with gathered.at(f"after breakages()[{field!r}]"):
                self.breakages()[field]()
                seen = witness.observe(self.desired())
                assert getattr(seen, field) != getattr(whole, field), f"observe() tells the same {field}: {seen}"
                assert witness.outstanding(self.desired()), f"the plan is empty, and {field} is broken: {seen}"
                witness.converge(self.desired())
                self._is_as(reference, witness)
            if gathered.last_failed:
                self.clean()
                witness.converge(self.desired())
        gathered.throw()

    def test_killed_anywhere_it_converges(self) -> None:
        """Killed before or after any request on the way from nothing, the next run comes to the same end.

        There are at least as many requests as changes, since each change that the server counts has one of its own.
        """
        witness = self._begin()
        self._sweep(witness, self.clean, self.desired())

    def test_killed_anywhere_while_it_heals_it_converges(self) -> None:
        """Killed before or after any request while it heals what was broken by hand, the next run heals it."""
        witness = self._begin()
        witness.converge(self.desired())
        fields = self._fields(witness.observe(self.desired()))
        seed = os.environ.get(SEED) or str(random.randrange(1_000_000))  # noqa: S311 -- no secret
        field = random.Random(seed).choice(fields)  # noqa: S311 -- no secret
        say(f"broken: {field} (again with {SEED}={seed})")

        def prepare() -> None:
            self.clean()
            witness.converge(self.desired())
            self.breakages()[field]()

        self._sweep(witness, prepare, self.desired())

    def test_two_at_once_both_end_well(self) -> None:
        """Two runs at the same time both succeed, from nothing and from each breakage."""
        witness = self._begin()
        witness.converge(self.desired())
        reference = self.state()
        fields = self._fields(witness.observe(self.desired()))
        gathered = Gathered()
        for number in range(1, self.rounds + 1):
            self.clean()
            with gathered.at(f"two at once from nothing, round {number}"):
                witness.two_at_once(self.desired())
                self._is_as(reference, witness)
        for field in fields:
            self.clean()
            witness.converge(self.desired())
            self.breakages()[field]()
            with gathered.at(f"two at once after breakages()[{field!r}]"):
                witness.two_at_once(self.desired())
                self._is_as(reference, witness)
        gathered.throw()

    def test_it_waits_for_its_server(self) -> None:
        """While the server is down it waits, with the connection that it had before; in the end it gives up."""
        witness = self._begin()
        witness.converge(self.desired())
        reference = self.state()
        self.clean()
        with witness.session(self.desired()) as session, ThreadPoolExecutor(1) as pool:
            witness.outstanding_in(session, self.desired())
            self.server().stop()
            try:
                failure = witness.fails(self.desired(), Unreachable, seconds=SHORT)
                assert SHORT / 4 < failure.seconds < SHORT + PROMPT, (
                    f"it gave up after {failure.seconds:.1f} s, and its deadline was in {SHORT} s"
                )
                assert self.at() in failure.text, f"the error does not name {self.at()}: {failure.text}"
                run = pool.submit(witness.converge_in, session, self.desired())
                if wait([run], timeout=SHORT / 4).done:
                    raise AssertionError(f"it ended while its server was down: {run.exception() or run.result()}")
            finally:
                self.server().start()
            run.result()
        self._is_as(reference, witness)

    def test_a_wrong_account_is_refused(self) -> None:
        """A password that the server does not take is told at once, and nothing is changed."""
        witness = self._begin()
        wrong, changes = self.wrong_account(), self.server().changes()
        failure = witness.fails(wrong, Refused)
        assert failure.seconds < PROMPT, f"it took {failure.seconds:.1f} s: waiting does not make a password right"
        assert self.server().changes() == changes, "it was refused, and changed something"
        assert self.at() in failure.text, f"the error does not name {self.at()}: {failure.text}"

    def test_a_weak_account_is_told_what_is_missing(self) -> None:
        """An account without the rights is told which; with the right account the same thing converges then."""
        witness = self._begin()
        witness.converge(self.desired())
        reference = self.state()
        self.clean()
        failure = witness.fails(self.weak_account(), Forbidden)
        assert failure.seconds < PROMPT, f"it took {failure.seconds:.1f} s: waiting does not grant a right"
        for word in (self.missing, self.at()):
            assert word in failure.text, f"the error does not name {word}: {failure.text}"
        witness.converge(self.desired())
        self._is_as(reference, witness)

    def test_each_rotation_works(self) -> None:
        """After a rotation the new value works, and again there is nothing to do."""
        witness = self._begin()
        gathered = Gathered()
        for name, rotated in self._rotations().items():
            with gathered.at(f"rotation of class {name}"):
                self.clean()
                witness.converge(rotated.before)
                rotation = witness.converge(rotated.after)
                assert rotation.outcome.changed, "it says that it changed nothing"
                rotated.works()
                self._has_nothing_to_do(rotated.after, witness)
        gathered.throw()

    def test_killed_anywhere_in_a_rotation_it_converges(self) -> None:
        """Killed before or after any request of a rotation, the next run ends it."""
        witness = self._begin()
        for rotated in self._rotations().values():

            def prepare(rotated: Rotated = rotated) -> None:
                self.clean()
                witness.converge(rotated.before)

            self._sweep(witness, prepare, rotated.after, rotated.works)

    def test_no_secret_is_told(self) -> None:
        """No step, error, outcome, name of a request or repr holds a secret, nor does the data of what is wanted."""
        witness = self._begin()
        witness.hear("what is wanted, as data", self._as_data(self.desired()), repr(self.desired()))
        witness.observe(self.desired())
        witness.outstanding(self.desired())
        witness.converge(self.desired())
        witness.observe(self.desired())
        self.clean()
        witness.fails(self.wrong_account(), Refused)
        witness.fails(self.weak_account(), Forbidden)

    def test_the_plan_is_pure(self) -> None:
        """The same observation gives the same steps, and changes neither; when converged, it gives none."""
        witness = self._begin()
        for is_converged in (False, True):
            observed = witness.observe(self.desired())
            before, desired = repr(observed), self.desired()
            steps = tuple(desired.plan(observed))
            assert all(isinstance(step, cast("type[object]", Step)) for step in steps), f"no Step: {steps}"
            assert steps == tuple(desired.plan(observed)), "planned twice, it gives other steps"
            assert steps == tuple(self._through_json(desired).plan(observed)), "as JSON and back, it plans other steps"
            assert (repr(observed), desired) == (before, self.desired()), "the plan changed what it was given"
            assert bool(steps) is not is_converged, f"converged is {is_converged}, and the plan: {steps}"
            witness.converge(self.desired())

    def test_it_survives_as_data(self) -> None:
        """As JSON and back through the strict converter, every desired state is equal."""
        self._begin()
        rotated = [each for rotation in self._rotations().values() for each in (rotation.before, rotation.after)]
        for desired in (self.desired(), self.wrong_account(), self.weak_account(), *rotated):
            assert self._through_json(desired) == desired, f"as JSON and back, it is not equal to {desired}"

    def test_orphans_are_named_and_removed_only_by_name(self) -> None:
        """What is no longer wanted is reported, survives every run, and is gone when a person removes it."""
        witness = self._begin()
        desired = self.desired()
        if not self._has_orphans:
            assert tuple(desired.orphans(witness.session(desired), [])) == ()
            return
        other = self.other()
        witness.converge(desired)
        reference = self.state()
        witness.converge(other)
        seen = self.server().changes()
        assert self._orphans(desired, [desired, other], witness) == (), "all is wanted, and it names orphans"
        found = self._orphans(desired, [desired], witness)
        assert self.server().changes() == seen, "orphans() changed something"
        assert len(found) == 1, f"one thing is an orphan, found: {found}"
        assert (found[0].kind, found[0].at) == (desired.kind, self.at()), f"expected {self.at()}: {found[0]}"
        self._has_nothing_to_do(desired, witness)
        assert witness.outstanding(other) == (), "a run that does not want it took it away"
        self._remove(found[0], desired, witness)
        assert self._orphans(desired, [desired], witness) == (), "it was removed, and is named still"
        assert witness.outstanding(other), "it was removed, and all that it wants is there still"
        self._is_as(reference, witness)

    def test_what_is_anothers_is_left_alone(self) -> None:
        """What bears another owner's mark is neither adopted nor changed nor removed; the error names both owners."""
        witness = self._begin()
        desired = self.desired()
        if not self._has_orphans:
            return
        other = self.other()
        witness.converge(desired)
        found = self._orphans(other, [other], witness)
        assert len(found) == 1, f"one thing is an orphan, found: {found}"
        self.clean()
        owner = self.taken()
        assert desired.owner, "desired() has no owner"
        assert self._orphans(other, [other], witness) == (), f"it names what is {owner}'s"
        changes = self.server().changes()
        failure = witness.fails(desired, HookError)
        assert not isinstance(failure.error, Conflict | Unreachable), f"no time mends that: {failure.text}"
        for name in (desired.owner, owner):
            assert name in failure.text, f"the error does not name {name}: {failure.text}"
        try:
            self._remove(found[0], other, witness)
        except HookError:
            pass
        else:
            raise AssertionError(f"it removed what is {owner}'s: {found[0]}")
        assert self.server().changes() == changes, f"it refused, and changed something of {owner}'s"

    def _begin(self) -> Witness:
        """Start from nothing."""
        self.server().start()
        self.clean()
        return Witness(self.read, changes=self.server().changes, connect_to=self.connect_to(), patience=self.patience)

    @property
    def _has_orphans(self) -> bool:
        return type(self.desired()).orphans is not Desired.orphans

    def _fields(self, observed: object) -> Sequence[str]:
        """Return the fields of what is observed; each must have its breakage."""
        assert attrs.has(type(observed)), f"observe() returns no value of an attrs class: {observed}"
        fields = [field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(observed)))]
        breakages = set(self.breakages())
        missing, unknown = sorted(set(fields) - breakages), sorted(breakages - set(fields))
        assert not missing, f"breakages() lacks fields of {type(observed).__name__}: {', '.join(missing)}"
        assert not unknown, f"breakages() has what is no field of {type(observed).__name__}: {', '.join(unknown)}"
        return fields

    def _rotations(self) -> Mapping[str, Rotated]:
        rotations = self.rotations()
        assert rotations or not mounted_in(self.desired()), "desired() has secrets: say in rotations() how they rotate"
        return rotations

    def _sweep(
        self,
        witness: Witness,
        prepare: Callable[[], object],
        desired: Desired,
        works: Callable[[], object] | None = None,
    ) -> None:
        """Kill a run at every point, each time from the same beginning, and look how the next run ends."""
        prepare()
        account = witness.account(desired)
        say(f"{account.requests} requests, {account.changes} changes, killed at {len(account.points)} points")
        assert account.changes > 0, "the server counted no change: nothing was to be done"
        reference = works() if works else self.state()
        gathered = Gathered()
        for point in account.points:
            prepare()
            with gathered.at(f"killed {point}"):
                witness.kill(desired, point)
                witness.converge(desired)
                if works:
                    works()
                    self._has_nothing_to_do(desired, witness)
                else:
                    self._is_as(reference, witness)
        gathered.throw()

    def _is_as(self, reference: object, witness: Witness) -> None:
        """Make sure that the server is as it was, and that there is nothing left to do."""
        state = self.state()
        assert state == reference, witness.veil(f"state() gives\n  {state!r}, expected\n  {reference!r}")
        self._has_nothing_to_do(self.desired(), witness)

    def _has_nothing_to_do(self, desired: Desired, witness: Witness) -> None:
        again = witness.converge(desired)
        assert again.outcome.changed == (), f"it converged, and changed again: {'; '.join(again.outcome.changed)}"
        assert again.changes == 0, f"it converged, and the server counted {again.changes} changes more"

    def _orphans(self, desired: Desired, wanted: Sequence[Desired], witness: Witness) -> tuple[Orphan, ...]:
        with witness.session(desired) as session, witness.hearing():
            found = tuple(desired.orphans(session, wanted))
        witness.hear("an orphan", *map(str, found))
        return found

    def _remove(self, orphan: Orphan, desired: Desired, witness: Witness) -> None:
        with witness.session(desired) as session, witness.hearing():
            desired.remove(orphan, session)

    def _as_data(self, desired: Desired) -> str:
        return json.dumps(Converter().unstructure(desired))

    def _through_json(self, desired: Desired) -> Desired:
        """Return a desired state as the hook's job reads it."""
        converter = Converter({Desired: {desired.kind: type(desired)}.__getitem__, Schema: SCHEMAS.__getitem__})
        return converter.structure(json.loads(self._as_data(desired)), Desired, file="the data")
