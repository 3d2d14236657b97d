"""Hooks in processes of their own: killed between two requests, or two at the same time.

The processes are forks of one helper, which is started once and has one thread; forking the tests' own process would
not do, since pytest-xdist's workers have threads. What a process gets is what a hook's job gets: the desired state as
JSON, and the secrets; beside that, where to die.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import attrs

from kiwi_core._model.desired import Address, Desired
from kiwi_core._model.secrets import SecretKey
from kiwi_core._spec.convert import Converter
from kiwi_core.testing._forks import Ended, Go, Order

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

__all__ = ["Ended", "Point", "Run", "run_apart"]

PROGRAM: Final = "from kiwi_core.testing._forks import main; main()"

_CONVERTER: Final = Converter()


@attrs.frozen(kw_only=True)
class Point:
    """A point in a run: before a request, or after its answer.

    Attributes:
        event: which of both, counted from 1 over the whole run.
        request: which request, counted from 1.
        words: what the request is.
        is_after: whether it is the one after.
    """

    event: int
    request: int
    words: str
    is_after: bool

    def __str__(self) -> str:
        return f"{'after' if self.is_after else 'before'} request {self.request} ({self.words})"


@attrs.frozen(kw_only=True)
class Run:
    """A run in a process of its own.

    Attributes:
        desired: the state.
        secrets: what it can read.
        connect_to: where to connect instead of an address.
        seconds: its deadline, from when it begins.
        die_at: where it is killed.
    """

    desired: Desired
    secrets: Mapping[SecretKey, str] = attrs.field(repr=False)
    connect_to: Mapping[Address, Address]
    seconds: float
    die_at: Point | None = None


def run_apart(runs: Sequence[Run]) -> tuple[Ended, ...]:
    """Run hooks in processes of their own, which begin at the same moment; return how they ended.

    Raises:
        AssertionError: the helper cannot run them.
    """
    go = Go(path=tuple(sys.path), orders=tuple(map(_order, runs)))
    answer = _helper().ask(_CONVERTER.unstructure(go))
    assert not isinstance(answer, str), f"the process of the proofs failed:\n{answer}"
    return _CONVERTER.structure(answer, tuple[Ended, ...], file="the answer")


def _order(run: Run) -> Order:
    cls = type(run.desired)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    assert file and "<locals>" not in cls.__qualname__, (  # noqa: PT018 -- one demand
        f"{cls.__qualname__} has to stand at the top of a module with a file: a process of its own imports it from there"
    )
    return Order(
        module=cls.__module__,
        file=file,
        name=cls.__qualname__,
        desired=_CONVERTER.unstructure(run.desired),
        secrets=tuple((key.secret, key.key, value) for key, value in run.secrets.items()),
        connect_to=tuple((*wanted, *there) for wanted, there in run.connect_to.items()),
        seconds=run.seconds,
        die_at=run.die_at.event if run.die_at else 0,
    )


class _Helper:
    """The process that forks the others."""

    def __init__(self) -> None:
        # In a session of its own: at Ctrl-C it ends when its input does, and says nothing.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def ask(self, go: Json) -> Json:
        """Have it run processes, and wait for what became of them."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders
        assert answers
        orders.write(json.dumps(go).encode() + b"\n")
        orders.flush()
        answer = answers.readline()
        assert answer, "the process of the proofs ended: its error is in what was printed"
        return cast("Json", json.loads(answer))

    def end(self) -> None:
        """End it."""
        self._process.communicate()


@functools.cache
def _helper() -> _Helper:
    """Return the helper of this process, for all proofs: it has imported by then what they need."""
    helper = _Helper()
    atexit.register(helper.end)
    return helper
