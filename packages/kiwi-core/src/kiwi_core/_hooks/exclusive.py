"""One run at a time: a lock that the server itself keeps for a connection, and gives back when that ends."""

from __future__ import annotations

import abc
import contextlib
import hashlib
from collections.abc import Callable, Generator

from kiwi_core.errors import Conflict, HookError

__all__ = ["Exclusive", "digest_of"]


def digest_of(subject: str) -> bytes:
    """Return 32 bytes that stand for a subject in the name of a lock."""
    return hashlib.sha256(f"kiwistack {subject}".encode()).digest()


class Exclusive(abc.ABC):
    """A connection that can keep other runs out while it changes something.

    Who finds nothing to do takes no lock. Who does something takes it, looks again, and keeps it over all its steps.
    """

    _locked: str | None = None

    @abc.abstractmethod
    def lock(self, subject: str) -> None:
        """Have the server keep others out, waiting while it keeps us out.

        Raises:
            Unreachable: it does not let us in in time.
        """

    @abc.abstractmethod
    def unlock(self, subject: str) -> None:
        """Have the server let others in.

        Raises:
            HookError: it does not answer.
        """

    @contextlib.contextmanager
    def exclusively(self, subject: str, is_so: Callable[[], bool]) -> Generator[None]:
        """Do something while no other run does anything to the same subject; keep others out until :meth:`release`.

        Args:
            subject: what is locked, such as ``role onyx``.
            is_so: tells, once others are kept out, whether it is still to be done.

        Raises:
            Conflict: it is not.
            Unreachable: another run does not end.
        """
        try:
            if self._locked != subject:
                self.release()
                self.lock(subject)
                self._locked = subject
                _make_sure(is_so(), subject)
            yield
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let other runs in again. Where the server does not answer, it has ended the connection and the lock with it."""
        subject, self._locked = self._locked, None
        if subject is not None:
            with contextlib.suppress(HookError):
                self.unlock(subject)


def _make_sure(is_so: bool, subject: str) -> None:  # noqa: FBT001 -- it is the question
    if not is_so:
        raise Conflict(f"{subject}: another run was faster")
