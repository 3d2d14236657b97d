"""The child process that runs a Python spec: ``python -m kiwi_core._spec.child PATH SECONDS RESULT``.

It is no prison for hostile code: it makes a spec's mistakes harmless and its result the same on every machine. The
limits and the refusals are set here, before the spec is run; the parent starts it with an environment made from nothing
and ends it when it hangs in spite of all.

The result is one JSON object on the file descriptor RESULT: ``{"name", "type", "data"}`` or ``{"name", "problems":
[{"message", "hint", "line" or "path"}]}``. Where Python itself dies or hangs, the same descriptor gets faulthandler's
traceback.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import types
from collections.abc import Mapping
from typing import Final, NoReturn

import attrs

from kiwi_core._spec.explain import RefusedError, TimeUpError, explain, line_in
from kiwi_core._spec.fault import Fault
from kiwi_core._spec.plain import plain
from kiwi_core._spec.wording import found
from kiwi_core.errors import Problem

__all__ = ["main"]

NAMES: Final = {"tenant": "Tenant", "cluster": "Cluster"}
"""The name that a spec assigns, and the class of its value."""

GRACE: Final = 1.0
"""Seconds after the end of the time at which a spec that ignores it is ended."""

MAX_MEMORY: Final = 2**30
MAX_OUTPUT: Final = 16 * 2**20

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED: Final = {
    "ctypes.": "call C code",
    "os.chmod": "change a file",
    "os.chown": "change a file",
    "os.exec": "start a process",
    "os.fork": "start a process",
    "os.kill": "send a signal",
    "os.link": "write a file",
    "os.mkdir": "make a folder",
    "os.posix_spawn": "start a process",
    "os.remove": "remove a file",
    "os.rename": "rename a file",
    "os.rmdir": "remove a folder",
    "os.spawn": "start a process",
    "os.symlink": "write a file",
    "os.system": "start a process",
    "os.truncate": "change a file",
    "os.utime": "change a file",
    "pty.spawn": "start a process",
    "socket.": "use the network",
    "subprocess.": "start a process",
}


def main(path: str, seconds: float, result: int) -> NoReturn:
    """Run a spec, write the result, and end the process.

    Args:
        path: the spec.
        seconds: how long it may run.
        result: the file descriptor for the result.
    """
    # Ends the process even where no Python code gets to run.
    faulthandler.enable(result)
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=result)
    end = os._exit
    answer = _run(path, seconds)
    data = json.dumps(answer).encode()
    # From here on it is the parent that takes its time.
    faulthandler.cancel_dump_traceback_later()
    while data:
        data = data[os.write(result, data) :]
    # Threads of the spec, and what it has registered for the end, are left.
    end(0)


def _run(path: str, seconds: float) -> dict[str, object]:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib is not needed to start
        source = file.read()
    module = types.ModuleType("tenant_spec")
    module.__file__ = path
    names = vars(module)
    sys.modules[module.__name__] = module
    sys.argv = [path]
    # The parent makes the values again, with every validator, and then finds all that is wrong, not only the first.
    attrs.validators.set_disabled(True)
    _limit(seconds)
    try:
        exec(_compiled(source, path), names)  # noqa: S102 -- a spec is a program
        answer = _answer(source, names)
        sys.stdout.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException as error:  # noqa: BLE001 -- whatever a spec raises is a problem of the spec
        signal.setitimer(signal.ITIMER_REAL, 0)
        message, hint = explain(error, names)
        return {"problems": [{"message": message, "hint": hint, "line": line_in(error, path)}]}
    return answer


def _compiled(source: str, path: str) -> types.CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        raise SyntaxError("it is nested too deeply") from None


def _answer(source: str, names: Mapping[str, object]) -> dict[str, object]:
    """Return the one spec among the names as plain data, or what is wrong with it."""
    specs = [name for name in NAMES if name in names]
    if len(specs) > 1:
        # One of them may be imported.
        from kiwi_core._spec.declarative import assigned

        specs = [name for name in assigned(source) if name in NAMES]
    if len(specs) != 1:
        what = "both 'tenant' and 'cluster'" if specs else "neither 'tenant' nor 'cluster'"
        problem = Problem(f"the spec assigns {what}, expected one of them", hint="write tenant = Tenant(…)")
        return _answer_with("".join(specs[1:]), Fault(problem))
    name = specs[0]
    value = names[name]
    wanted = NAMES[name]
    if type(value).__name__ != wanted:
        problem = Problem(f"{name} is {found(value)}, expected a {wanted}", hint=f"write {name} = {wanted}(…)")
        return _answer_with(name, Fault(problem))
    faults: list[Fault] = []
    data = plain(value, (), faults)
    return _answer_with(name, *faults) if faults else {"name": name, "type": wanted, "data": data}


def _answer_with(name: str, *faults: Fault) -> dict[str, object]:
    problems = [{"message": f.problem.message, "hint": f.problem.hint, "path": f.path} for f in faults]
    return {"name": name, "problems": problems}


def _limit(seconds: float) -> None:
    """Set the limits of the process and refuse what a spec has no business with; for good."""

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise TimeUpError(f"{seconds:g} s")

    for owner in (os, sys.modules[os.name]):
        owner._exit = _refuse_exit  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] # noqa: SLF001
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with contextlib.suppress(ImportError):
        import resource

        processor = int(seconds + GRACE) + 1
        for limit, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_CPU, processor),
            (resource.RLIMIT_FSIZE, MAX_OUTPUT),
            (resource.RLIMIT_AS, MAX_MEMORY),
        ):
            _, hard = resource.getrlimit(limit)
            soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
            # macOS knows no limit of the address space.
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (soft, hard))
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse an operation; what Python itself does to import a module is let through."""
    if event == "open":
        path, _, flags = arguments
        # A number is a file that has been opened already.
        if isinstance(flags, int) and flags & _WRITING and not isinstance(path, int) and not _is_cache(path):
            raise RefusedError(f"write the file {path}")
        # Linux shows a process's environment to others of the same user: that of the parent may hold the seed.
        if str(path).startswith("/proc/") and str(path).endswith(("/environ", "/mem")):
            raise RefusedError(f"read the file {path}")
    elif event.startswith(tuple(_REFUSED)) and not (event == "ctypes.dlopen" and arguments == (None,)):
        if arguments and _is_cache(arguments[0]):
            return
        raise RefusedError(next(words for prefix, words in _REFUSED.items() if event.startswith(prefix)))


def _is_cache(path: object) -> bool:
    """Whether it is the import system that writes the bytecode of a module."""
    # An audit hook has no other way to know its caller.
    caller = sys._getframe(2).f_code.co_filename  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return caller.startswith("<frozen importlib") and "__pycache__" in str(path)


def _refuse_exit(_status: int) -> NoReturn:
    raise RefusedError("end the process")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
