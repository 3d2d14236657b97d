"""The helper of the proofs: a process with one thread that forks a process for each hook that it is told to run.

It reads one line of JSON for each go and answers with one. What a hook has imported, it imports too, so that the next
process has it already. It ends when its input does.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import operator
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import IO, Final, NoReturn, Self, cast

import attrs

from kiwi_core._hooks.converge import converge
from kiwi_core._model.desired import Desired, Session
from kiwi_core._model.schema import SCHEMAS, Schema
from kiwi_core._model.secrets import SecretKey
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import HookError

__all__ = ["Ended", "Go", "Order", "main", "texts_of"]

MARGIN: Final = 30
"""Seconds after its deadline in which a process has to end by itself."""

_CONVERTER: Final = Converter({Schema: SCHEMAS.__getitem__})


@attrs.frozen(kw_only=True)
class Order:
    """One process to be.

    Attributes:
        module: the module of the class of the desired state.
        file: its file, for a module that cannot be found by its name.
        name: the class in the module.
        desired: the state, as plain data.
        secrets: Secret, key and value.
        connect_to: host and port that are wanted, host and port to connect to.
        seconds: its deadline, from when it begins.
        die_at: before or after which request it is killed, both counted together from 1; 0 is never.
    """

    module: str
    file: str
    name: str
    desired: object
    secrets: tuple[tuple[str, str, str], ...] = attrs.field(repr=False)
    connect_to: tuple[tuple[str, int, str, int], ...]
    seconds: float
    die_at: int


@attrs.frozen(kw_only=True)
class Go:
    """Processes that begin at the same moment.

    Attributes:
        path: where modules are found.
        orders: the processes.
    """

    path: tuple[str, ...]
    orders: tuple[Order, ...]


@attrs.frozen(kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        status: its exit code, or minus the number of the signal that ended it.
        texts: what it said: outcome, error and what caused it, and the names of its requests.
        error: what a user would read; empty when it ended well.
        modules: what it had imported.
    """

    status: int = 0
    texts: tuple[str, ...] = ()
    error: str = ""
    modules: tuple[str, ...] = ()


def texts_of(error: BaseException) -> tuple[str, ...]:
    """Return the texts of an error and of what a traceback would show as its causes."""
    texts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        texts += traceback.format_exception_only(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return tuple(texts)


def main() -> None:
    """Serve until the input ends."""
    # Hooks that print, or read, must not come between.
    with os.fdopen(os.dup(0), "rb") as told, os.fdopen(os.dup(1), "wb") as answers:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        for line in told:
            try:
                go = _CONVERTER.structure(json.loads(line), Go, file="an order")
                answer: object = [_CONVERTER.unstructure(ended) for ended in _serve(go)]
            except Exception as error:  # noqa: BLE001 -- told to whoever asked
                answer = "".join(traceback.format_exception(error))
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


def _serve(go: Go) -> list[Ended]:
    """Run the processes of a go, and take over what they have imported."""
    sys.path[:] = go.path
    # Here, so that the converter has its rules for the next ones.
    states = [_CONVERTER.structure(order.desired, _find(order), file="the desired state") for order in go.orders]
    reports: list[IO[bytes]] = []
    children: list[int] = []
    with _Gate() as gate:
        for order, desired in zip(go.orders, states, strict=True):
            reading, writing = os.pipe()
            reports.append(os.fdopen(reading, "rb"))
            child = os.fork()
            if child == 0:
                _be_child(order, desired, gate, writing)
            os.close(writing)
            children.append(child)
        gate.open()
    answers: list[Ended] = []
    for child, report in zip(children, reports, strict=True):
        with report:
            said = report.read()  # ends when the child does
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ended = _CONVERTER.structure(json.loads(said), Ended, file="a report") if said else Ended()
        answers.append(attrs.evolve(ended, status=status, modules=()))
        for module in ended.modules:
            with contextlib.suppress(Exception):  # some are imported only by their own packages
                importlib.import_module(module)
    return answers


class _Gate:
    """Lets processes begin together: each says that it is ready, and waits."""

    def __init__(self) -> None:
        self._ready, self._tell = os.pipe()
        self._wait, self._hold = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ready)
        os.close(self._wait)

    def pass_through(self) -> None:
        """In a child: wait until all are ready."""
        os.close(self._hold)
        os.close(self._tell)
        os.read(self._wait, 1)

    def open(self) -> None:
        """In the helper: wait until all are ready, or gone; then let them go."""
        os.close(self._tell)
        os.read(self._ready, 1)
        os.close(self._hold)


def _find(order: Order) -> type[Desired]:
    """Import the class of a desired state: by the module's name, or where that is another one, from its file."""
    module = sys.modules.get(order.module)
    if module is None:
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(order.module)
    if module is None or getattr(module, "__file__", None) != order.file:
        spec = importlib.util.spec_from_file_location(order.module, order.file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[order.module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return cast("type[Desired]", operator.attrgetter(order.name)(module))


def _be_child(order: Order, desired: Desired, gate: _Gate, report: int) -> NoReturn:
    """Run a hook, say how it went, and end without a word more: no handler of the helper's is to run."""
    signal.alarm(int(order.seconds) + MARGIN)
    known, requests = set(sys.modules), list[str]()

    def tell(*texts: str, error: str = "") -> None:
        modules = tuple(name for name in sys.modules if name not in known)
        ended = Ended(texts=(*requests, *texts), error=error, modules=modules)
        with os.fdopen(report, "wb") as out:
            out.write(json.dumps(_CONVERTER.unstructure(ended)).encode())

    def watch(words: str, *, done: bool) -> None:
        del done
        requests.append(words)
        if len(requests) == order.die_at:
            tell()
            os.kill(os.getpid(), signal.SIGKILL)

    status = 70  # were it to go on, it would be a second helper
    try:
        secrets = {SecretKey(secret, key): value for secret, key, value in order.secrets}
        connect_to = {(host, port): (other, at) for host, port, other, at in order.connect_to}
        gate.pass_through()
        deadline = time.monotonic() + order.seconds
        try:
            with Session(secrets.__getitem__, connect_to=connect_to, deadline=deadline, watch=watch) as session:
                outcome = converge(desired, session)
        except HookError as error:
            tell(*texts_of(error), error=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 -- a mistake in the kind: whoever asked shows where
            tell(*texts_of(error), error="".join(traceback.format_exception(error)))
        else:
            tell(outcome.subject, *outcome.changed)
        status = 0
    except BaseException:  # noqa: BLE001 -- nobody else would tell
        traceback.print_exc()
    finally:
        os._exit(status)
