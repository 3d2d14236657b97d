"""What the author of a kind of hook says, so that it can be proven: the server, how to look at it, how to break it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import attrs

from kiwi_core._model.desired import Address, Desired
from kiwi_core._model.secrets import SecretKey
from kiwi_core.testing._witness import address_in

__all__ = ["ProofServer", "ProvenKind", "Rotated"]


class ProofServer(Protocol):
    """The real server that a kind is proven on."""

    def start(self) -> None:
        """Start it where it is down, with the data that it had, and wait until it answers."""
        ...

    def stop(self) -> None:
        """End it where it is up; its address and its data stay."""
        ...

    def changes(self) -> int:
        """Count the calls that were to change something, by the server's own log or counters, since ever.

        Every call that has been answered is counted; reading the count counts for nothing.
        """
        ...


@attrs.frozen(kw_only=True)
class Rotated:
    """A credential before and after its rotation.

    Attributes:
        before: what is wanted with the old value.
        after: what is wanted with the new one; for class ``init`` its ``Mounted`` names the old one as ``previous``.
            Give old and new values different SecretKeys: ``read`` is asked for both at any time.
        works: past the hook: returns when the new value is taken and the old one is not, and raises otherwise.
    """

    before: Desired
    after: Desired
    works: Callable[[], object]


class ProvenKind:
    """A kind of hook that is to be proven.

    Attributes:
        missing: the word for the right that the weak account lacks, as the error must say it: ``CREATEROLE``.
        patience: how long a hook may take in seconds, the start of its server included.
        rounds: how often two hooks at once start from nothing.
    """

    missing: ClassVar[str]
    patience: ClassVar[float] = 60.0
    rounds: ClassVar[int] = 5

    def server(self) -> ProofServer:
        """Return the server. It may be stopped in a proof and is started again."""
        raise NotImplementedError

    def desired(self) -> Desired:
        """Return what is wanted: equal every time, with an owner, and with all that the kind can be told to do."""
        raise NotImplementedError

    def read(self, key: SecretKey) -> str:
        """Return the value of a SecretKey of any desired state below. At least 8 characters, found nowhere else."""
        raise NotImplementedError

    def clean(self) -> None:
        """Past the hook: remove everything of every desired state below, also where a killed hook left it half made.

        The administrator's password becomes that of the generation before, where ``rotations`` has one of class
        ``init``: the desired state names it as ``previous``.
        """
        raise NotImplementedError

    def state(self) -> object:
        """Past the hook: return a picture of all that the hook sets, comparable with ``==``, of equal repr when equal.

        It includes what cannot be read but tried: that the password signs in, that the right suffices. No times, no
        numbers that grow, no secrets.
        """
        raise NotImplementedError

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        """Return for every field of the class that ``observe`` returns what breaks it, past the hook.

        Each is called when the server is converged, and changes at least what the field tells, in a way that the hook
        has to heal. The keys are exactly the fields.
        """
        raise NotImplementedError

    def wrong_account(self) -> Desired:
        """Return the desired state with an administrator's password (or name) that the server does not take."""
        raise NotImplementedError

    def weak_account(self) -> Desired:
        """Return the desired state with an account that the server takes and that lacks a right; make it if need be."""
        raise NotImplementedError

    def rotations(self) -> Mapping[str, Rotated]:
        """Return each class of rotation (``live``, ``init``) that the kind carries out; none when it has no secret."""
        return {}

    def other(self) -> Desired:
        """Return a second desired state at the same server: same kind and owner, another name. For kinds with orphans."""
        raise AssertionError("orphans() is the kind's own: say in other() what could be one")

    def taken(self) -> str:
        """Past the hook, from nothing: make what ``desired`` wants, marked as another owner's; return that owner.

        For kinds with orphans.
        """
        raise AssertionError("orphans() is the kind's own, so it marks: make in taken() what bears another's mark")

    def at(self) -> str:
        """Return the server as errors have to name it; by default the ``host:port`` in the subject of ``desired``."""
        return address_in(self.desired().subject)

    def connect_to(self) -> Mapping[Address, Address]:
        """Return where to connect instead of an address that is wanted, as ``(host, port)``; by default there itself."""
        return {}
