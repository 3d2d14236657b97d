"""What looks on while a kind of hook is proven: it counts requests and changes, and looks for secrets in all words."""

from __future__ import annotations

import base64
import contextlib
import re
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Final, cast
from urllib.parse import quote

import attrs

from kiwi_core._hooks.converge import Outcome, converge, outstanding
from kiwi_core._model.desired import Address, Desired, Session
from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import HookError
from kiwi_core.testing._faults import Ended, Point, Run, run_apart
from kiwi_core.testing._forks import texts_of

__all__ = ["Account", "Failure", "Gathered", "Seen", "Witness", "address_in", "mounted_in", "say"]

SHORTEST: Final = 8
"""Characters that a secret must have, so that finding it in a text is no accident."""
MOST_FAULTS: Final = 3
"""After so many, a loop ends."""


def say(words: str) -> None:
    """Print: pytest shows it where a proof fails, and always with ``-s`` or ``-rP``."""
    print(words)  # noqa: T201 -- see above


def address_in(subject: str) -> str:
    """Return the ``host:port`` in a subject."""
    found = re.search(r"[\w.-]+:\d+|\[[0-9a-fA-F:.]+\]:\d+", subject)
    assert found, f"there is no host:port in the subject {subject!r}: say in at() how errors name the server"
    return found[0]


def mounted_in(value: object) -> tuple[SecretKey, ...]:
    """Return the keys of all secrets in a desired state, each once."""
    return tuple(dict.fromkeys(_walk(value)))


def _walk(value: object) -> Iterator[SecretKey]:
    if isinstance(value, SecretKey):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[object, object]", value).values():
            yield from _walk(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from _walk(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(value))):
            yield from _walk(getattr(value, field.name))


@attrs.frozen(kw_only=True)
class Seen:
    """A run that ended well.

    Attributes:
        outcome: what the hook says.
        requests: how many it made.
        changes: how many the server counted.
    """

    outcome: Outcome
    requests: int
    changes: int


@attrs.frozen(kw_only=True)
class Failure:
    """A run that failed as it should.

    Attributes:
        error: the error.
        text: what a user reads.
        seconds: how long it took.
    """

    error: HookError
    text: str
    seconds: float


@attrs.frozen(kw_only=True)
class Account:
    """A run, request by request.

    Attributes:
        requests: how many it made.
        changes: how many the server counted.
        points: where it can be killed.
    """

    requests: int
    changes: int
    points: tuple[Point, ...]


class Gathered:
    """Gathers what fails in a loop, so that each place is named; after a few, the loop ends."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.last_failed = False

    @contextlib.contextmanager
    def at(self, place: str) -> Generator[None]:
        """Gather an error, with its place."""
        self.last_failed = False
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- whatever fails in a proof is a finding
            error.add_note(place)
            self.errors.append(error)
            self.last_failed = True
            if len(self.errors) >= MOST_FAULTS:
                self.throw()

    def throw(self) -> None:
        """Raise what was gathered, if anything was.

        Raises:
            ExceptionGroup: of all errors; its message begins with their texts and places.
        """
        if self.errors:
            texts = [f"{error} ({', '.join(error.__notes__)})" for error in self.errors]
            raise ExceptionGroup("\n".join(texts), self.errors)


class _Requests:
    """Counts requests, and looks for secrets in their words."""

    def __init__(self, hear: Callable[..., None]) -> None:
        self.count = 0
        self._hear = hear

    def __call__(self, words: str, *, done: bool) -> None:
        self._hear("the name of a request", words)
        self.count += not done


class _Audit:
    """Asks the server around every request how many changes it has counted."""

    def __init__(self, changes: Callable[[], int]) -> None:
        self._changes = changes
        self._seen = self._first = changes()
        self._open: str | None = None
        self._last = "the beginning"
        self.requests = 0
        self.points: list[Point] = []

    def __call__(self, words: str, *, done: bool) -> None:
        self.settle()
        self.requests += not done
        self.points.append(Point(event=len(self.points) + 1, request=self.requests, words=words, is_after=done))
        self._last, self._open = words, None if done else words

    def settle(self) -> int:
        """Make sure that each change since the last call was made in a request of its own; return how many there are.

        A request that raised has no end: what was changed since its beginning is put down to it.
        """
        changes = self._changes()
        more, self._seen = changes - self._seen, changes
        if self._open is None:
            assert more == 0, (
                f"the server counted {more} changes after {self._last!r}, outside every request: "
                "each goes through `with session.request(…)`"
            )
        assert more <= 1, f"the server counted {more} changes in the request {self._open!r}: one `with` for each"
        return changes - self._first


class Witness:
    """Runs hooks for the proofs, and hears what they say.

    Args:
        read: gives the value of a key of a Secret.
        changes: the server's count.
        connect_to: where to connect instead of an address.
        patience: seconds of a run's deadline.
    """

    def __init__(
        self,
        read: Callable[[SecretKey], str],
        *,
        changes: Callable[[], int],
        connect_to: Mapping[Address, Address],
        patience: float,
    ) -> None:
        self._read = read
        self._changes = changes
        self._connect_to = connect_to
        self._patience = patience
        self._secrets: dict[SecretKey, str] = {}
        self._requests = _Requests(self.hear)

    def session(self, desired: Desired, *, seconds: float | None = None, watch: _Audit | None = None) -> Session:
        """Return a session that can read the secrets of a desired state."""
        self._learn(desired)
        return Session(
            self._read,
            connect_to=self._connect_to,
            deadline=time.monotonic() + (self._patience if seconds is None else seconds),
            watch=watch or self._requests,
        )

    def converge(self, desired: Desired) -> Seen:
        """Run a hook to its good end."""
        changes, requests = self._changes(), self._requests.count
        with self.session(desired) as session:
            outcome = self.converge_in(session, desired)
        return Seen(outcome=outcome, requests=self._requests.count - requests, changes=self._changes() - changes)

    def converge_in(self, session: Session, desired: Desired) -> Outcome:
        """Run a hook to its good end in a session; the server may be down when it begins."""
        with self.hearing():
            outcome = converge(desired, session)
        self.hear("the outcome", outcome.subject, *outcome.changed)
        return outcome

    def account(self, desired: Desired) -> Account:
        """Run a hook to its good end, and account for each of its requests."""
        audit = _Audit(self._changes)
        with self.session(desired, watch=audit) as session:
            self.converge_in(session, desired)
        self.hear("the name of a request", *(point.words for point in audit.points))
        return Account(requests=audit.requests, changes=audit.settle(), points=tuple(audit.points))

    def observe(self, desired: Desired) -> object:
        """Look at the server, as the hook does, and make sure that this changes nothing."""
        changes = self._changes()
        with self.session(desired) as session, self.hearing():
            observed = desired.observe(session)
        assert self._changes() == changes, "observe() changed something"
        self.hear("what is observed", repr(observed))
        return observed

    def outstanding(self, desired: Desired) -> tuple[str, ...]:
        """Return the steps that are left to do, as text."""
        with self.session(desired) as session:
            return self.outstanding_in(session, desired)

    def outstanding_in(self, session: Session, desired: Desired) -> tuple[str, ...]:
        """Return the steps that are left to do, in a session that goes on."""
        with self.hearing():
            steps = outstanding(desired, session)
        self.hear("a step", *steps)
        return steps

    def fails(self, desired: Desired, expected: type[HookError], *, seconds: float | None = None) -> Failure:
        """Run a hook to the bad end that it has to come to; the server may be down."""
        started = time.monotonic()
        try:
            with self.session(desired, seconds=seconds) as session:
                outcome = self.converge_in(session, desired)
        except expected as error:
            return Failure(error=error, text=str(error), seconds=time.monotonic() - started)
        except HookError as error:
            raise AssertionError(f"expected {expected.__name__}, found {type(error).__name__}: {error}") from error
        raise AssertionError(f"expected {expected.__name__}, and it ended well: {outcome}")

    def kill(self, desired: Desired, point: Point) -> None:
        """Run a hook in a process that is killed at a point, and make sure that it was."""
        (ended,) = self._apart(desired, die_at=point)
        assert ended.status == -signal.SIGKILL, f"it was to die {point}, and did not: {ended.error or 'it ended well'}"

    def two_at_once(self, desired: Desired) -> None:
        """Run a hook twice at the same time, each in a process of its own, to good ends."""
        for ended in self._apart(desired, desired):
            assert not ended.error, f"one of two at once failed: {ended.error}"
            assert ended.status == 0, f"one of two at once ended with {ended.status}"

    def _apart(self, *desired: Desired, die_at: Point | None = None) -> tuple[Ended, ...]:
        for each in desired:
            self._learn(each)
        runs = [
            Run(
                desired=each,
                secrets={key: self._secrets[key] for key in mounted_in(each)},
                connect_to=self._connect_to,
                seconds=self._patience,
                die_at=die_at,
            )
            for each in desired
        ]
        answers = run_apart(runs)
        for ended in answers:
            self.hear("what a process said", *ended.texts, ended.error)
        return answers

    @contextlib.contextmanager
    def hearing(self) -> Generator[None]:
        """Look for secrets in an error, and in what caused it."""
        try:
            yield
        except Exception as error:
            self.hear("an error", *texts_of(error))
            raise

    def hear(self, what: str, *texts: str) -> None:
        """Look for secrets.

        Raises:
            AssertionError: there is one; which, but not its value.
        """
        for key, value in self._secrets.items():
            for form in _forms(value):
                if any(form in text for text in texts):
                    raise AssertionError(f"{what} holds the secret {key.secret}/{key.key}") from None

    def veil(self, text: str) -> str:
        """Return a text without secrets, for a message of the proofs' own."""
        for value in self._secrets.values():
            for form in _forms(value):
                text = text.replace(form, "…")
        return text

    def _learn(self, desired: Desired) -> None:
        for key in mounted_in(desired):
            value = self._secrets[key] = self._read(key)
            assert len(value) >= SHORTEST, f"read() gives {key} less than {SHORTEST} characters: it may be anywhere"


def _forms(value: str) -> tuple[str, ...]:
    """Return how a secret may be written: as it is, in a URL, in Base64, in a Python or JSON string."""
    return (value, quote(value, safe=""), base64.b64encode(value.encode()).decode(), repr(value)[1:-1])
