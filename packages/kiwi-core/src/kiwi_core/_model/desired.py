"""Desired states: what a hook wants of a server, and how it gets there from whatever it finds.

A kind of hook is a frozen class with four methods. ``observe`` looks at the server and changes nothing; ``plan``
compares, purely; ``apply`` does one small step; ``verify`` makes sure. The runtime calls them in this order, again and
again until nothing is left to do, so each step must be safe after a crash before or after it, and beside another run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar

import attrs

from kiwi_core._model.secrets import SecretKey
from kiwi_core.errors import HookError, Refused

__all__ = ["Address", "Desired", "Mounted", "Orphan", "Right", "Session", "Step"]

T = TypeVar("T")

Address = tuple[str, int]
"""Host and TCP port."""


@attrs.frozen
class Mounted:
    """A secret as a hook's runtime finds it: by the key of a Secret, which is a file there.

    Attributes:
        current: the value that is wanted.
        previous: that of the generation before, where the server may still know it: for credentials of class ``init``.
    """

    current: SecretKey
    previous: SecretKey | None = None


@attrs.frozen
class Step:
    """One small change that is needed.

    Attributes:
        action: what is done: ``create``, ``set password``, …; :meth:`Desired.apply` tells steps apart by it.
        of: what it is done to, for the reader, and where one action is done to several things.
        detail: what is set, where it is no secret.
    """

    action: str
    of: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.of}{f': {self.detail}' if self.detail else ''}"


@attrs.frozen(kw_only=True)
class Orphan:
    """Something at a server that bears the mark of an owner, and that no hook of the owner wants any more.

    Attributes:
        kind: the kind of hook that made it.
        name: what the server calls it.
        at: the server, ``host:port``.
        holds: what would be lost with it, such as ``3 tables``; empty when nothing.
    """

    kind: str
    name: str
    at: str
    holds: str = ""


@attrs.frozen(kw_only=True)
class Right:
    """A right in the hook's own namespace that its job needs at the Kubernetes API.

    Attributes:
        group: API group; empty is the core's.
        resource: such as ``deployments``.
        names: the objects; none are all.
        verbs: such as ``get`` and ``patch``.
    """

    group: str
    resource: str
    names: tuple[str, ...] = ()
    verbs: tuple[str, ...]


class Watch(Protocol):
    """Is told of every request to a server: before it, and after its answer."""

    def __call__(self, words: str, *, done: bool) -> None:
        """Take note."""
        ...


def _nobody(words: str, *, done: bool) -> None:
    """Watch nothing."""


class Session:
    """What a hook has while it runs: secrets, a deadline, connections that are kept, and an account of its requests.

    Args:
        read: gives the value of a key of a Secret.
        connect_to: where to connect instead of an address, as through a tunnel.
        deadline: when to give up, of :func:`time.monotonic`.
        watch: is told of every request.
    """

    def __init__(
        self,
        read: Callable[[SecretKey], str],
        *,
        connect_to: Mapping[Address, Address] | None = None,
        deadline: float = float("inf"),
        watch: Watch = _nobody,
    ) -> None:
        self._read = read
        self._connect_to = connect_to or {}
        self._watch = watch
        self._clients: dict[object, object] = {}
        self._closing = contextlib.ExitStack()
        self.deadline = deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections that were kept; the session can be used on, with new ones."""
        self._clients.clear()
        # What cannot be closed is gone already.
        with contextlib.suppress(Exception):
            self._closing.close()

    def secret(self, value: Mounted) -> str:
        """Return a secret. Hand it to its sink at once: a variable that holds it can be printed."""
        return self._read(value.current)

    def sign_in(self, value: Mounted, enter: Callable[[str], T]) -> tuple[T, bool]:
        """Sign in with a secret, or with that of the generation before.

        Args:
            value: the secret.
            enter: signs in with a text, and raises Refused when the server does not take it.

        Returns:
            What ``enter`` gave, and whether it was with the current value.

        Raises:
            Refused: the server takes none.
        """
        try:
            return enter(self._read(value.current)), True
        except Refused:
            if value.previous is None:
                raise
        try:
            return enter(self._read(value.previous)), False
        except Refused:
            # Another run may have set the current one in between.
            return enter(self._read(value.current)), True

    def client(self, key: object, make: Callable[[], T], close: Callable[[T], None] = lambda _: None) -> T:
        """Return a connection that is kept for the session, made when it is first asked for.

        Args:
            key: what it is: equal for equal server and account. It begins with the class of the client.
            make: makes it.
            close: ends it.
        """
        if key not in self._clients:
            made = make()
            self._clients[key] = made
            self._closing.callback(close, made)
        return self._clients[key]  # type: ignore[return-value]  # what make gave for the same key

    def forget(self, key: object) -> None:
        """Make a connection anew when it is next asked for, since it is broken or its account has changed."""
        self._clients.pop(key, None)

    def address(self, host: str, port: int) -> Address:
        """Return where to connect for an address."""
        return self._connect_to.get((host, port), (host, port))

    def seconds_left(self, most: float) -> float:
        """Return how long a request may take: the rest of the time, and at most so much."""
        return max(0.1, min(most, self.deadline - time.monotonic()))

    @contextlib.contextmanager
    def request(self, words: str) -> Generator[None]:
        """Count a request to a server. Every one goes through here, so that proofs can end the process around it.

        Args:
            words: what it is, without a secret.
        """
        self._watch(words, done=False)
        yield
        self._watch(words, done=True)


VERIFIED: Final = "it was set, and reads otherwise"


@attrs.frozen(kw_only=True)
class Desired:
    """A state that a hook wants of a server. Plain data: it goes to the hook's job as JSON.

    Attributes:
        kind: the kind of hook, unique among all plugins.
        owner: who wants it, ``<namespace>/<component>``; what is made is marked with it where the server can keep a mark.
    """

    kind: ClassVar[str]

    owner: str = ""

    @property
    def subject(self) -> str:
        """What it is about and where, for the reader: ``role onyx at postgresql:5432``."""
        raise NotImplementedError

    def observe(self, session: Session) -> object:
        """Look at the server and return what is there, of a frozen class. Changes nothing.

        Raises:
            HookError: the server does not answer (Unreachable), takes no such account (Refused), or does not show it
                (Forbidden).
        """
        raise NotImplementedError

    # Any: each kind takes what its own observe gave; a type variable would have to be said again in every subclass.
    def plan(self, observed: Any) -> Sequence[Step]:
        """Compare what was observed with what is wanted; return the steps in order, none when converged. Pure."""
        raise NotImplementedError

    def apply(self, step: Step, session: Session) -> None:
        """Do one step.

        Raises:
            HookError: it cannot be done; Conflict when somebody else did something meanwhile.
        """
        raise NotImplementedError

    def verify(self, session: Session) -> None:
        """Make sure that what was done is so; called after steps were applied.

        Raises:
            HookError: it is not.
        """
        left = self.plan(self.observe(session))
        if left:
            raise HookError(f"{self.subject}: {VERIFIED}: {'; '.join(map(str, left))}")

    def rights(self) -> Sequence[Right]:
        """Return the rights that it needs at the Kubernetes API; the job of most kinds has none."""
        return ()

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        """Return what bears the owner's mark at this server and is none of what is wanted there. Changes nothing.

        Args:
            session: as for observe.
            wanted: all that is wanted of this kind.
        """
        del session, wanted
        return ()

    def remove(self, orphan: Orphan, session: Session) -> None:
        """Remove an orphan, as a person has asked for by its name; what it holds is lost.

        Raises:
            HookError: it cannot be.
        """
        raise NotImplementedError
