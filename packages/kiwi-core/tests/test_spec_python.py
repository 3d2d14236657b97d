"""Python specs, run in a child: what comes back, and what each way to fail looks like."""

from __future__ import annotations

import contextlib
import gc
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kiwi_core._spec.pyspec import LoadedSpec, start
from kiwi_core.errors import Problem, SpecError, Where

HEAD = """\
import attrs

@attrs.frozen(kw_only=True)
class Part:
    kind = "part"
    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))

@attrs.frozen(kw_only=True)
class Tenant:
    slug: str = "a"
    parts: tuple = ()

@attrs.frozen(kw_only=True)
class Cluster:
    name: str
    tier: str

"""
LINE = HEAD.count("\n") + 1


def children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread may end meanwhile
            found.update((task / "children").read_text().split())
    return found


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    """Check that a test leaves neither a zombie nor a running child."""
    before = children()
    yield
    gc.collect()
    assert children() <= before


def load(folder: Path, source: str, *, head: str = HEAD, seconds: float = 10.0) -> LoadedSpec:
    path = folder / "tenant.py"
    path.write_text(head + textwrap.dedent(source), encoding="utf-8")
    return start(path, name="tenant.py", seconds=seconds).result()


def problem(folder: Path, source: str, *, head: str = HEAD, seconds: float = 10.0) -> Problem:
    with pytest.raises(SpecError) as caught:
        load(folder, source, head=head, seconds=seconds)
    (only,) = caught.value.problems
    assert "Traceback" not in str(only)
    return only


def test_a_spec_comes_back_as_plain_data_with_its_lines(tmp_path: Path) -> None:
    spec = load(tmp_path, 'tenant = Tenant(\n    slug="é",\n    parts=(\n        Part(size=2), Part()))\n')
    assert (spec.name, spec.data) == ("tenant", {"slug": "é", "parts": [{"kind": "part", "size": 2}, {"kind": "part"}]})
    assert spec.lines(("parts", 0, "size")) == LINE + 3
    assert [str(found.where) for found in spec.undeclarative] == ["tenant.py:4", "tenant.py:9", "tenant.py:14"]


def test_a_cluster_comes_back_as_well(tmp_path: Path) -> None:
    spec = load(tmp_path, 'cluster = Cluster(name="core", tier="mesh")\n')
    assert (spec.name, spec.data) == ("cluster", {"name": "core", "tier": "mesh"})


def test_what_is_wrong_with_values_is_left_to_the_converter(tmp_path: Path) -> None:
    assert load(tmp_path, "tenant = Tenant(slug=3, parts=(Part(size=0),))").data == {
        "slug": 3,
        "parts": [{"kind": "part", "size": 0}],
    }


def test_an_imported_cluster_is_not_the_spec(tmp_path: Path) -> None:
    source = "from sys import platform as cluster\ntenant = Tenant()\n"
    assert load(tmp_path, source).name == "tenant"


def test_nothing_of_the_environment_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PASSWORD", "seed")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (tmp_path / "helper.py").write_text("name = 'found'\n")
    source = """\
        import os, sys, helper
        tenant = Tenant(slug=helper.name, parts=(dict(os.environ), os.getcwd(), sys.argv))
        """
    environment = {
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(tmp_path),
        "TZ": "UTC",
    }
    assert load(tmp_path, source).data == {
        "slug": "found",
        "parts": [environment, "/", [str(tmp_path / "tenant.py")]],
    }


def test_prints_are_kept_apart_from_the_result(tmp_path: Path) -> None:
    source = (
        "import os, sys\nprint('one')\nprint('two', file=sys.stderr)\nos.write(1, b'three\\n')\ntenant = Tenant()\n"
    )
    spec = load(tmp_path, source)
    assert spec.data == {}
    assert sorted(spec.printed.split()) == ["one", "three", "two"]


def test_much_that_is_printed_is_cut(tmp_path: Path) -> None:
    assert len(load(tmp_path, "print('x' * 1_000_000)\ntenant = Tenant()\n").printed) == 2**16


def test_a_result_larger_than_a_pipe_waits_for_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "tenant.py"
    path.write_text(HEAD + "tenant = Tenant(slug='x' * 1_000_000)\n")
    pending = start(path, seconds=0.5)
    # Longer than the spec may run: what counts is the time that it runs, not that until somebody asks.
    time.sleep(2)
    assert pending.result().data == {"slug": "x" * 1_000_000}


NOT_FOUND = (
    "pip install the package that provides it; a spec imports installed packages only, "
    "files beside it are not importable"
)
ONLY_DESCRIBES = "a spec only describes: do it in a hook, or before the build"
NO_WAITING = "a spec only describes: leave out what computes or waits"


@pytest.mark.parametrize(
    ("source", "line", "message", "hint"),
    [
        ("x = 1\n1 / 0\n", 1, "ZeroDivisionError: division by zero", None),
        ("raise ValueError('not like this')\n", 0, "not like this", None),
        ("raise KeyError('x')\n", 0, "KeyError: 'x'", None),
        ("def f():\n    raise Exception\nf()\n", 1, "Exception: ", None),
        (
            "import json\njson.loads('{')\n",
            1,
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            None,
        ),
        ("class E(Exception):\n    def __str__(self): 1/0\nraise E\n", 2, "E: (its text cannot be shown)", None),
        ("raise Exception('x' * 9999)\n", 0, "Exception: " + "x" * 1989 + "…", None),
        ("tenant = Tenant(\n  slug=Tennant,\n)\n", 1, "name 'Tennant' is not defined", "did you mean 'Tenant'?"),
        ("import math\nmath.sqt\n", 1, "module 'math' has no attribute 'sqt'", "did you mean 'sqrt' or 'isqrt'?"),
        ("from attrs import frosen\n", 0, None, "did you mean 'frozen'?"),
        ("raise ImportError('no')\n", 0, "no", None),
        ("raise AttributeError('no')\n", 0, "no", None),
        ("raise NameError('no')\n", 0, "no", None),
        ("object().x\n", 0, "'object' object has no attribute 'x'", None),
        ("import kiwi_missing\n", 0, "the module 'kiwi_missing' is not installed", NOT_FOUND),
        ("import helper\n", 0, "the module 'helper' is not installed", NOT_FOUND),
        ("tenant = Tenant(slog='a')\n", 0, "Tenant has no field 'slog'", "did you mean 'slug'?"),
        ("cluster = Cluster()\n", 0, "Cluster lacks required fields: 'name' and 'tier'", None),
        ("tenant = Tenant('a')\n", 0, "Tenant takes its fields by name", "write Tenant(field=value)"),
        ("tenant = Tenant(", 0, "this is no Python: '(' was never closed", None),
        ("x = 1\n y = 2\n", 1, "this is no Python: unexpected indent", None),
        ("'a' + 1\n", 0, 'can only concatenate str (not "int") to str', None),
        ("def f(): f()\nf()\n", 0, "the spec calls itself without end", None),
        ("raise SystemExit(3)\n", 0, "the spec ends the process", "leave it out: a spec is read to its end"),
        ("import sys\nsys.exit()\n", 1, "the spec ends the process", "leave it out: a spec is read to its end"),
        ("raise KeyboardInterrupt\n", 0, "KeyboardInterrupt: ", None),
        ("x = 'x' * 2**31\n", 0, "the spec takes more memory than it may (1 GiB)", None),
        ("x = []\nwhile True:\n    x.append('x' * 10**7)\n", 2, "the spec takes more memory than it may (1 GiB)", None),
        ("import os\nos.fork()\n", 1, "the spec tries to start a process", ONLY_DESCRIBES),
        ("import os\nos.system('true')\n", 1, "the spec tries to start a process", ONLY_DESCRIBES),
        ("import os\nos.execv('/bin/true', ['true'])\n", 1, "the spec tries to start a process", ONLY_DESCRIBES),
        ("import subprocess\nsubprocess.run(['true'])\n", 1, "the spec tries to start a process", ONLY_DESCRIBES),
        ("import os\nos.kill(1, 0)\n", 1, "the spec tries to send a signal", ONLY_DESCRIBES),
        ("import os\nos._exit(0)\n", 1, "the spec tries to end the process", ONLY_DESCRIBES),
        ("import posix\nposix._exit(0)\n", 1, "the spec tries to end the process", ONLY_DESCRIBES),
        ("import socket\nsocket.socket()\n", 1, "the spec tries to use the network", ONLY_DESCRIBES),
        ("import socket\nsocket.getaddrinfo('localhost', 1)\n", 1, "the spec tries to use the network", ONLY_DESCRIBES),
        ("import ctypes\nctypes.CDLL('libc.so.6')\n", 1, "the spec tries to call C code", ONLY_DESCRIBES),
        ("open('/tmp/x', 'w')\n", 0, "the spec tries to write the file /tmp/x", ONLY_DESCRIBES),
        ("import os\nos.open('/tmp/x', os.O_RDWR)\n", 1, "the spec tries to write the file /tmp/x", ONLY_DESCRIBES),
        ("import os\nos.mkdir('/tmp/__pycache__')\n", 1, "the spec tries to make a folder", ONLY_DESCRIBES),
        ("import os\nos.remove('/tmp/x')\n", 1, "the spec tries to remove a file", ONLY_DESCRIBES),
        ("open('/nonexistent')\n", 0, "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent'", None),
        (
            "from kiwi_core.errors import *\nraise SpecError(Problem('a', hint='b'), 'c')\n",
            1,
            "a",
            "b",
        ),
    ],
)
def test_a_failure_is_named_with_its_line(
    tmp_path: Path, source: str, line: int, message: str | None, hint: str | None
) -> None:
    (tmp_path / "helper.py").write_text("")
    found = problem(tmp_path, source)
    assert found.where == Where("tenant.py", LINE + line)
    assert message is None or found.message == message
    assert found.hint == hint


@pytest.mark.parametrize(
    ("source", "line", "message", "hint"),
    [
        (
            "x = 1\n",
            None,
            "the spec assigns neither 'tenant' nor 'cluster', expected one of them",
            "write tenant = Tenant(…)",
        ),
        ("from sys import path as tenant, argv as cluster\n", None, None, "write tenant = Tenant(…)"),
        (
            "tenant = Tenant()\ncluster = Cluster(name='', tier='')\n",
            LINE + 1,
            "the spec assigns both 'tenant' and 'cluster', expected one of them",
            "write tenant = Tenant(…)",
        ),
        ("\ntenant = 'a'\n", LINE + 1, "tenant is the text 'a', expected a Tenant", "write tenant = Tenant(…)"),
        ("tenant = Tenant\n", LINE, "tenant is the class Tenant, expected a Tenant", "write tenant = Tenant(…)"),
        ("cluster = Tenant()\n", LINE, "cluster is a Tenant, expected a Cluster", "write cluster = Cluster(…)"),
        (
            "tenant = Tenant(\n  parts=(Part(), {1}))\n",
            LINE + 1,
            "found a set, expected text, a number, a list, a mapping or a value of the model",
            None,
        ),
        (
            "x = []\nx.append(x)\ntenant = Tenant(parts=x)\n",
            None,
            "the spec calls itself without end",
            None,
        ),
        ("tenant = Tenant(parts=10**5000)\n", None, None, None),
    ],
)
def test_a_spec_that_is_none_is_named(
    tmp_path: Path, source: str, line: int | None, message: str | None, hint: str | None
) -> None:
    found = problem(tmp_path, source)
    assert found.where is not None
    assert (found.where.file, found.where.line) == ("tenant.py", line)
    assert message is None or found.message == message
    assert found.hint == hint


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("while True: pass\n", 0),
        ("import time\ntime.sleep(60)\n", 1),
        ("def f():\n    while True:\n        try: g()\n        except Exception: pass\ndef g(): pass\nf()\n", None),
        # No Python code runs in between: faulthandler ends it.
        ("x = 1\ny = sum(range(10**12))\n", 1),
        ("def f():\n    while True: len('')\nwhile True:\n    try: f()\n    except BaseException: pass\n", 1),
    ],
)
def test_a_spec_that_hangs_is_ended_and_its_line_named(tmp_path: Path, source: str, line: int | None) -> None:
    started = time.monotonic()
    found = problem(tmp_path, source, seconds=1)
    assert time.monotonic() - started < 8
    assert (found.message, found.hint) == ("the spec did not end within 1 s", NO_WAITING)
    assert found.where is not None
    assert found.where.line is not None
    assert line is None or found.where.line == LINE + line


def test_a_spec_that_takes_every_guard_away_is_ended(tmp_path: Path) -> None:
    source = (
        "import faulthandler, signal\nfaulthandler.cancel_dump_traceback_later()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\nimport time\ntime.sleep(60)\n"
    )
    found = problem(tmp_path, source, seconds=0.2)
    assert found == Problem("the spec did not end within 0.2 s", Where("tenant.py"), NO_WAITING)


def test_a_crash_is_named_with_its_line(tmp_path: Path) -> None:
    found = problem(tmp_path, "import os\nos.abort()\n")
    assert found == Problem("the spec's process was ended by SIGABRT", Where("tenant.py", LINE + 1))


def test_an_end_without_a_result_is_named(tmp_path: Path) -> None:
    source = "import os\nos.closerange(3, 100)\ntenant = Tenant()\n"
    found = problem(tmp_path, source)
    assert found.where == Where("tenant.py")
    assert found.message.startswith("the spec's process ")


def test_too_much_output_is_named(tmp_path: Path) -> None:
    found = problem(tmp_path, "while True:\n    print('x' * 100_000)\n")
    assert (found.message, found.hint) == ("the spec prints more than it may (16 MiB)", "leave the prints out")
    assert found.where == Where("tenant.py", LINE + 1)


def test_too_much_data_is_named(tmp_path: Path) -> None:
    found = problem(tmp_path, "tenant = Tenant(slug='x' * 2**24)\n")
    assert found == Problem("the spec is larger than it may be (16 MiB)", Where("tenant.py"))


def test_a_library_that_tries_and_goes_on_without_may(tmp_path: Path) -> None:
    source = "import socket\ntry: socket.socket()\nexcept OSError: slug = 'without'\ntenant = Tenant(slug=slug)\n"
    assert load(tmp_path, source).data == {"slug": "without"}


def test_modules_are_still_cached_as_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "helper.py").write_text("name = 'a'\n")
    load(tmp_path, "import ctypes, helper\ntenant = Tenant(slug=helper.name)\n")
    assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == [
        f"helper.{sys.implementation.cache_tag}.pyc",
    ]


def test_a_failing_import_has_the_line_of_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "helper.py").write_text("\n\n\n\n\n\n\n1 / 0\n")
    (tmp_path / "broken.py").write_text("\n\n\n(\n")
    assert problem(tmp_path, "import helper\n").where == Where("tenant.py", LINE)
    found = problem(tmp_path, "import broken\n")
    assert found == Problem("this is no Python: '(' was never closed", Where("tenant.py", LINE))


def test_what_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    found = problem(tmp_path, f"x = {'-' * 100_000}1\n")
    assert found == Problem("this is no Python: it is nested too deeply", Where("tenant.py"))


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"x = '\xff'\n", Where("tenant.py", 1), "the byte 0xff is not UTF-8 (byte 5)"),
        (b"# coding: latin-1\nx = '\xff'\n", Where("tenant.py", 2), "the byte 0xff is not UTF-8 (byte 23)"),
        (None, Where("tenant.py"), "there is no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_at_once(
    tmp_path: Path, data: bytes | None, where: Where, message: str
) -> None:
    if data is not None:
        (tmp_path / "tenant.py").write_bytes(data)
    with pytest.raises(SpecError) as caught:
        start(tmp_path / "tenant.py", name="tenant.py")
    (found,) = caught.value.problems
    assert (found.message, found.where) == (message, where)


def test_a_path_with_any_letters_and_a_name_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "é 😀"
    folder.mkdir()
    (folder / "tenant.py").write_text("import os\nos.abort()\n")
    monkeypatch.chdir(folder)
    with pytest.raises(SpecError) as caught:
        start(Path("tenant.py")).result()
    assert caught.value.problems[0].where == Where("tenant.py", 2)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_spec_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "tenant.py"
    path.write_text("import time\ntime.sleep(60)\n")
    with start(path) as pending:
        pid = pending.pid
        assert is_running(pid)
    assert not is_running(pid)
    pending = start(path)
    pid = pending.pid
    del pending
    gc.collect()
    assert not is_running(pid)


@pytest.mark.parametrize("waits", [True, False])
def test_an_interrupt_of_the_parent_ends_the_child(tmp_path: Path, *, waits: bool) -> None:
    path = tmp_path / "tenant.py"
    path.write_text("import time\ntime.sleep(60)\n")
    program = f"""
import time
from pathlib import Path
from kiwi_core._spec.pyspec import start
pending = start(Path({str(path)!r}))
print(pending.pid, flush=True)
{"pending.result()" if waits else "time.sleep(60)"}
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(10) != 0
    assert not is_running(pid)


def test_no_file_is_left_open_when_the_child_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenant.py").write_text("")
    before = sorted(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(FileNotFoundError):
        start(tmp_path / "tenant.py")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_small_spec_takes_little_time(tmp_path: Path) -> None:
    def run() -> float:
        started = time.perf_counter()
        load(tmp_path, "import attrs\nclass Tenant: pass\nTenant = attrs.frozen(Tenant)\ntenant = Tenant()\n", head="")
        return time.perf_counter() - started

    # Typical is 0.09 s; other work may share the processor.
    assert min(run() for _ in range(5)) < 0.3


def test_the_environment_of_the_parent_cannot_be_read(tmp_path: Path) -> None:
    source = """\
        import os
        tenant = Tenant(slug=open(f"/proc/{os.getppid()}/environ").read())
        """
    with pytest.raises(SpecError, match="read the file /proc/"):
        load(tmp_path, source)
