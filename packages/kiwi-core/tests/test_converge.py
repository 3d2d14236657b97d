"""Converging: observe, plan, apply, verify; waiting for a server; and what becomes of what fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hook_samples import WordState
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core import Desired, Mounted, Orphan, SecretKey, Session
from kiwi_core._hooks.converge import converge, outstanding
from kiwi_core._hooks.orphans import find_orphans, remove_orphans
from kiwi_core._hooks.runtime import (
    MOST_BYTES,
    Report,
    message_of,
    plan_tasks,
    raise_failed,
    read_mounted,
    read_tasks,
    run_tasks,
)
from kiwi_core._model.task import Task, Tasks
from kiwi_core._spec.convert import Converter
from kiwi_core.errors import ExternalError, Forbidden, HookError, InputError, Refused, Unreachable

ADMIN, PASSWORD = SecretKey("pg", "password"), SecretKey("app-pre", "app.postgres")
VALUES = {ADMIN: "right", PASSWORD: "s3cret"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "server"
    path.write_text("", "utf-8")
    return path


def state(file: Path, word: str = "app") -> WordState:
    return WordState(file=str(file), word=word, admin=Mounted(ADMIN), password=Mounted(PASSWORD))


def session(deadline: float = float("inf")) -> Session:
    return Session(VALUES.__getitem__, deadline=deadline)


def task(file: Path, word: str = "app") -> Task:
    return Task(hook=word, timeout=30, desired=state(file, word))


def test_it_does_what_is_needed_and_nothing_the_next_time(file: Path) -> None:
    first = converge(state(file), session())
    assert (first.subject, first.changed) == (f"word app in {file}", ("write app",))
    assert converge(state(file), session()).changed == ()
    assert file.read_text("utf-8").split() == ["app", "s3cret"]


def test_looking_changes_nothing(file: Path) -> None:
    assert outstanding(state(file), session()) == ("write app",)
    assert file.read_text("utf-8") == ""


def test_it_waits_for_a_server_ever_longer(file: Path) -> None:
    file.unlink()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            file.write_text("", "utf-8")

    assert converge(state(file), session(), pause=pause).changed == ("write app",)
    assert all(
        0.5 * most <= pause <= most for most, pause in zip((0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5), pauses, strict=True)
    )


def test_it_gives_up_at_the_deadline_and_names_the_server(file: Path) -> None:
    file.unlink()
    with pytest.raises(Unreachable, match=rf"(?s)gave up after 0 s.*{file} is not there"):
        converge(state(file), session(deadline=time.monotonic() + 0.15))


def test_what_somebody_else_changed_is_observed_anew(file: Path) -> None:
    file.write_text("race", "utf-8")
    assert converge(state(file), session(), pause=lambda _: None).changed == ("write app",)


def test_a_wrong_account_and_a_missing_right_are_not_asked_again(file: Path) -> None:
    with pytest.raises(Refused):
        converge(state(file), Session(lambda _: "wrong"))
    file.write_text("closed", "utf-8")
    with pytest.raises(Forbidden):
        converge(state(file), session())


@attrs.frozen(kw_only=True)
class Forgetful(WordState):
    """Writes, and what it writes is gone."""

    def apply(self, step: object, session: Session) -> None:
        """Do nothing."""


def test_what_does_not_stay_is_told(file: Path) -> None:
    forgetful = Forgetful(file=str(file), word="app", admin=Mounted(ADMIN), password=Mounted(PASSWORD))
    with pytest.raises(HookError, match="it was set, and reads otherwise: write app"):
        converge(forgetful, session())


def test_a_sign_in_falls_back_on_the_generation_before() -> None:
    def enter(password: str) -> str:
        if password != "old":
            raise Refused("no")
        return "in"

    at = Session({ADMIN: "new", PASSWORD: "old"}.__getitem__)
    assert at.sign_in(Mounted(ADMIN, PASSWORD), enter) == ("in", False)
    assert at.sign_in(Mounted(PASSWORD, ADMIN), enter) == ("in", True)
    with pytest.raises(Refused):
        at.sign_in(Mounted(ADMIN), enter)


def test_a_session_keeps_its_connections_and_ends_them() -> None:
    made: list[str] = []
    closed: list[str] = []

    def make() -> str:
        made.append("one")
        return "one"

    with session() as at:
        assert at.client("k", make, closed.append) == at.client("k", make, closed.append) == "one"
        at.forget("k")
        at.client("k", make, closed.append)
    assert (made, closed) == (["one"] * 2, ["one"] * 2)


def test_an_address_leads_elsewhere_where_it_was_said() -> None:
    at = Session(VALUES.__getitem__, connect_to={("pg", 5432): ("127.0.0.1", 9999)})
    assert at.address("pg", 5432) == ("127.0.0.1", 9999)
    assert at.address("pg", 5433) == ("pg", 5433)


def test_tasks_run_in_order_and_the_first_that_fails_is_the_last(file: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.write_text("closed", "utf-8")
    tasks = (task(file), task(closed, "b"), task(file, "c"))
    reports = list(run_tasks(tasks, VALUES.__getitem__))
    assert [(report.hook, report.changed, len(report.problems)) for report in reports] == [
        ("app", ("write app",), 0),
        ("b", (), 1),
    ]
    with pytest.raises(HookError, match=r"hook b: .* is closed"):
        raise_failed(reports)
    assert [report.changed for report in plan_tasks((task(file, "c"),), VALUES.__getitem__)] == [("write c",)]


def test_a_mistake_of_a_kinds_own_says_nothing_of_a_secret(file: Path) -> None:
    file.write_text("mistake", "utf-8")
    (report,) = run_tasks((task(file),), VALUES.__getitem__)
    assert report.problems == ("WordState failed by a mistake of its own: ZeroDivisionError",)
    assert "s3cret" not in repr(report)


def find(kind: str) -> type:
    assert kind == "word"
    return WordState


def test_tasks_survive_as_json(file: Path) -> None:
    tasks = Tasks(namespace="cust-acme", component="app", phase="pre", tasks=(task(file),))
    written = json.dumps(Converter().unstructure(tasks)).encode()
    assert read_tasks(written, find, file="tasks.json") == tasks


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "tasks.json: this is no JSON"),
        (b"[]", "tasks.json: found a list, expected a mapping"),
        (b'{"namespace":"n","component":"c","phase":"pre","tasks":[{"hook":"h"}]}', "the field 'desired' is missing"),
    ],
)
def test_tasks_that_are_none_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        read_tasks(content, find, file="tasks.json")


def test_a_mounted_secret_is_read_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "password").write_text("right", "utf-8")
    assert read_mounted(ADMIN, tmp_path) == "right"
    with pytest.raises(ExternalError, match=r"key 'app\.postgres' of Secret 'app-pre': No such file"):
        read_mounted(PASSWORD, tmp_path)
    (tmp_path / "pg" / "password").write_bytes(b"\xff")
    with pytest.raises(ExternalError, match="it is no text"):
        read_mounted(ADMIN, tmp_path)


TEXTS = st.lists(st.text(max_size=3000), max_size=30).map(tuple)


@given(
    st.lists(
        st.builds(Report, hook=st.text(max_size=80), subject=st.text(), changed=TEXTS, problems=TEXTS), max_size=20
    )
)
def test_a_termination_message_is_json_that_is_kept_whole(reports: list[Report]) -> None:
    message = message_of(reports)
    assert len(message) <= MOST_BYTES
    found = json.loads(message)
    assert len(found["hooks"]) in {0, len(reports)}


def test_orphans_are_shown_once_and_removed_by_name_alone(file: Path) -> None:
    file.write_text("mine app\nmine gone\nmine old\nother", "utf-8")
    wanted: list[Desired] = [state(file), state(file, "b")]
    found = find_orphans(wanted, session())
    assert [orphan for _, orphan in found] == [
        Orphan(kind="word", name="gone", at=str(file)),
        Orphan(kind="word", name="old", at=str(file)),
    ]
    assert remove_orphans(found, ["word/old", "word/other"], session()) == ("word/old",)
    assert file.read_text("utf-8").split("\n") == ["mine app", "mine gone", "other"]


def test_the_watch_is_told_before_and_after(file: Path) -> None:
    told: list[tuple[str, bool]] = []

    def watch(words: str, *, done: bool) -> None:
        told.append((words, done))

    converge(state(file), Session(VALUES.__getitem__, watch=watch))
    assert told == [(word, done) for word in ("read", "write app", "read") for done in (False, True)]


def test_time_left_is_never_none(file: Path) -> None:
    clocks: list[Callable[[], float]] = [lambda: session(deadline=time.monotonic() - 5).seconds_left(10)]
    assert [clock() for clock in clocks] == [0.1]
    assert session().seconds_left(10) == 10
