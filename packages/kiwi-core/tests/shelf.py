"""A kind of hook, a server that it acts on, and its proofs: docs/write-a-hook.md shows and explains them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import attrs
from kiwi_core import (
    Asked,
    Credential,
    Desired,
    Home,
    Hook,
    Lent,
    Mounted,
    Offer,
    Orphan,
    SecretKey,
    Session,
    Step,
    Use,
)
from kiwi_core.errors import Conflict, Forbidden, HookError, Problem, Refused, Unreachable
from kiwi_core.plugins import hookimpl
from kiwi_core.testing import HookProofs, Rotated


@attrs.frozen(kw_only=True)
class ShelfBinding:
    """What a component reads of a shelf."""

    host: str
    port: int


@attrs.frozen
class Shelf(Use[ShelfBinding]):
    """A shelf: a server that keeps texts, each behind a password."""

    kind: ClassVar[str] = "shelf"
    binding: ClassVar[type] = ShelfBinding


@attrs.frozen(kw_only=True)
class ShelfOffer(Offer):
    """A shelf that a component brings."""

    kind: ClassVar[str] = "shelf"

    host: str
    port: int = 8080
    admin: Credential

    def bind(self, use: Use[object], asked: Asked, home: Home) -> ShelfBinding:
        del use, asked, home
        return ShelfBinding(host=self.host, port=self.port)


@attrs.frozen(kw_only=True)
class AtShelf(Desired):
    """What all states at a shelf have in common: the server and its administrator."""

    host: str
    port: int
    user: str = "admin"
    admin: Mounted

    @property
    def at(self) -> str:
        return f"{self.host}:{self.port}"

    def _as_admin(
        self, session: Session, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str] | None, bool]:
        """Ask as the administrator; return the answer, and whether it was with the current password."""

        def enter(password: str) -> dict[str, str] | None:
            return self._ask(session, method, path, self.user, password, body)

        try:
            return session.sign_in(self.admin, enter)
        except Refused:
            # Another run may have changed the password after the new one was tried here, and before the old one.
            return session.sign_in(self.admin, enter)

    def _ask(
        self,
        session: Session,
        method: str,
        path: str,
        user: str,
        password: str,
        body: Mapping[str, str] | None = None,
    ) -> dict[str, str] | None:
        """Make one request; return the answer, or None when there is no such thing."""
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        host, port = session.address(self.host, self.port)
        with session.request(f"{method} {path} as {user}"):
            try:
                with closing(HTTPConnection(host, port, timeout=session.seconds_left(10))) as connection:
                    connection.request(method, path, json.dumps(body), {"Authorization": f"Basic {basic}"})
                    answer = connection.getresponse()
                    said: dict[str, str] = json.loads(answer.read())
            except (OSError, HTTPException, ValueError) as error:
                raise Unreachable(f"{self.at} does not answer: {type(error).__name__}") from None
        match answer.status:
            case 200:
                return said
            case 404:
                return None
            case 401:
                raise Refused(Problem(f"{self.at} does not take the password of {user}", hint="is it of another seed?"))
            case 403:
                raise Forbidden(
                    Problem(f"{self.at}: {user} may not {method} {path}", hint=f"grant it {said['missing']!r}")
                )
            case 409:
                raise Conflict(f"{self.at}: {path} was changed meanwhile")
            case _:
                raise HookError(f"{self.at} answers {answer.status} to {method} {path}")


@attrs.frozen
class Observed:
    """What there is.

    Attributes:
        admin: whether the administrator's password is the one that is wanted.
        owner: whose mark the entry bears; empty without a mark, and without an entry.
        text: what it says; None when there is no entry.
        opens: whether its password opens it.
    """

    admin: bool
    owner: str
    text: str | None
    opens: bool


@attrs.frozen(kw_only=True)
class EntryState(AtShelf):
    """An entry as it is wanted."""

    kind: ClassVar[str] = "entry"

    name: str
    text: str
    password: Mounted

    @property
    def subject(self) -> str:
        return f"entry {self.name} at {self.at}"

    def observe(self, session: Session) -> Observed:
        entry, admin = self._as_admin(session, "GET", f"/entries/{self.name}")
        if entry is None:
            return Observed(admin=admin, owner="", text=None, opens=False)
        if entry["owner"] not in {"", self.owner}:
            raise HookError(
                Problem(
                    f"{self.subject} is {entry['owner']}'s, and {self.owner} wants it",
                    hint="give one of them another name, or remove it at the server",
                )
            )
        try:
            self._ask(session, "GET", f"/open/{self.name}", self.name, session.secret(self.password))
        except Refused:
            opens = False
        else:
            opens = True
        return Observed(admin=admin, owner=entry["owner"], text=entry["text"], opens=opens)

    def plan(self, observed: Observed) -> Sequence[Step]:
        steps: list[Step] = []
        if not observed.admin:
            steps.append(Step("change password of", self.user))
        if observed.text is None:
            return [*steps, Step("create", self.name, self.text)]
        if observed.owner != self.owner:
            steps.append(Step("mark", self.name, self.owner))
        if observed.text != self.text:
            steps.append(Step("set text", self.name, self.text))
        if not observed.opens:
            steps.append(Step("set password", self.name))
        return steps

    def apply(self, step: Step, session: Session) -> None:
        path = f"/entries/{self.name}"
        match step.action:
            case "change password of":
                self._as_admin(session, "PUT", "/password", {"password": session.secret(self.admin)})
            case "create":
                entry = {"owner": self.owner, "text": self.text, "password": session.secret(self.password)}
                self._as_admin(session, "POST", path, entry)
            case "mark":
                self._as_admin(session, "PATCH", path, {"owner": self.owner})
            case "set text":
                self._as_admin(session, "PATCH", path, {"text": self.text})
            case _:
                self._as_admin(session, "PATCH", path, {"password": session.secret(self.password)})

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        names = {each.name for each in wanted if isinstance(each, EntryState)}
        entries, _ = self._as_admin(session, "GET", "/entries")
        return [
            Orphan(kind=self.kind, name=name, at=self.at, holds="a text")
            for name, owner in (entries or {}).items()
            if owner == self.owner and name not in names
        ]

    def remove(self, orphan: Orphan, session: Session) -> None:
        # The mark is looked at anew: a person's list may be old.
        if orphan not in self.orphans(session, []):
            raise HookError(f"entry {orphan.name} at {orphan.at} is not {self.owner}'s, or not there")
        self._as_admin(session, "DELETE", f"/entries/{orphan.name}")


@attrs.frozen(kw_only=True)
class Entry(Hook):
    """A text on a shelf, for whoever knows its password."""

    kind: ClassVar[str] = "entry"

    text: str = attrs.field(validator=attrs.validators.min_len(1))
    password: Credential

    def desired(self, lent: Lent) -> EntryState:
        (shelf,) = self.on
        offer = lent.offer(shelf, ShelfOffer)
        return EntryState(
            owner=lent.owner,
            host=offer.host,
            port=offer.port,
            admin=lent.secret(offer.admin),
            name=shelf.name,
            text=self.text,
            password=lent.secret(self.password),
        )


@hookimpl
def kiwistack_services() -> list[type[Offer]]:
    return [ShelfOffer]


@hookimpl
def kiwistack_hooks() -> list[type[Desired]]:
    return [EntryState]


class ShelfServer:
    """A shelf, on loopback. What it holds is in the open, for its administrator."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.rights = {"admin": {"read", "write"}, "clerk": {"read"}}
        self.entries: dict[str, dict[str, str]] = {}
        self.port = 0
        self._changes = 0
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> None:
        if self._http is None:
            handler = type("Handler", (ShelfHandler,), {"shelf": self})
            self._http = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
            self.port = self._http.server_port
            threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def changes(self) -> int:
        return self._changes

    def answer(self, method: str, path: str, user: str, password: str, body: dict[str, str]) -> tuple[int, object]:
        _, place, *rest = path.split("/")
        name, right = "".join(rest), "read" if method == "GET" else "write"
        with self._lock:
            if place == "open":
                opens = name in self.entries and self.entries[name]["password"] == password
                return (200, {"text": self.entries[name]["text"]}) if opens else (401, {})
            if self.passwords.get(user) != password:
                return 401, {}
            if right not in self.rights[user]:
                return 403, {"missing": right}
            self._changes += right == "write"
            if place == "password":
                self.passwords[user] = body["password"]
                return 200, {}
            return self._act(method, name, body)

    def _act(self, method: str, name: str, body: dict[str, str]) -> tuple[int, object]:
        match method:
            case "GET" if not name:
                return 200, {name: entry["owner"] for name, entry in self.entries.items()}
            case "POST" if name in self.entries:
                return 409, {}
            case "POST":
                self.entries[name] = body
            case _ if name not in self.entries:
                return 404, {}
            case "PATCH":
                self.entries[name] |= body
            case "DELETE":
                del self.entries[name]
            case _:
                return 200, {key: self.entries[name][key] for key in ("owner", "text")}
        return 200, {}


class ShelfHandler(BaseHTTPRequestHandler):
    """Reads a request and writes the answer of a shelf."""

    shelf: ClassVar[ShelfServer]

    def do_GET(self) -> None:
        user, _, password = base64.b64decode(self.headers["Authorization"].split()[1]).decode().partition(":")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, said = self.shelf.answer(self.command, self.path, user, password, body)
        self.send_response_only(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 -- http.server finds them by these names


SECRETS = {
    "admin-1": "old-of-the-administrator",
    "admin-2": "new-of-the-administrator",
    "admin-x": "mistyped-by-the-administrator",
    "clerk": "of-the-clerk",
    "motto-1": "old-of-the-motto",
    "motto-2": "new-of-the-motto",
}


def mounted(current: str, previous: str | None = None) -> Mounted:
    return Mounted(SecretKey("shelf", current), SecretKey("shelf", previous) if previous else None)


class TestEntry(HookProofs):
    shelf = ShelfServer()
    missing = "write"

    def server(self) -> ShelfServer:
        return self.shelf

    def read(self, key: SecretKey) -> str:
        return SECRETS[key.key]

    def desired(self) -> EntryState:
        return EntryState(
            owner="cust-acme/notes",
            host="127.0.0.1",
            port=self.shelf.port,
            admin=mounted("admin-2", "admin-1"),
            name="motto",
            text="Omit needless words.",
            password=mounted("motto-2"),
        )

    def clean(self) -> None:
        self.shelf.entries.clear()
        self.shelf.passwords |= {"admin": SECRETS["admin-1"], "clerk": SECRETS["clerk"]}

    def state(self) -> object:
        entry = self.shelf.entries["motto"]
        return {
            "owner": entry["owner"],
            "text": entry["text"],
            "opens": entry["password"] == SECRETS["motto-2"],
            "administrator": self.shelf.passwords["admin"] == SECRETS["admin-2"],
        }

    def breakages(self) -> Mapping[str, Callable[[], object]]:
        entry = self.shelf.entries["motto"]
        return {
            "admin": lambda: self.shelf.passwords.update(admin=SECRETS["admin-1"]),
            "owner": lambda: entry.update(owner=""),
            "text": lambda: entry.update(text="Write more."),
            "opens": lambda: entry.update(password="forgotten"),
        }

    def wrong_account(self) -> EntryState:
        return attrs.evolve(self.desired(), admin=mounted("admin-x"))

    def weak_account(self) -> EntryState:
        return attrs.evolve(self.desired(), user="clerk", admin=mounted("clerk"))

    def rotations(self) -> Mapping[str, Rotated]:
        wanted = self.desired()
        return {
            "live": Rotated(
                before=attrs.evolve(wanted, password=mounted("motto-1")), after=wanted, works=self.check_passwords
            ),
            "init": Rotated(
                before=attrs.evolve(wanted, admin=mounted("admin-1")), after=wanted, works=self.check_passwords
            ),
        }

    def check_passwords(self) -> None:
        assert self.shelf.passwords["admin"] == SECRETS["admin-2"]
        assert self.shelf.entries["motto"]["password"] == SECRETS["motto-2"]

    def other(self) -> EntryState:
        return attrs.evolve(self.desired(), name="former")

    def taken(self) -> str:
        self.shelf.entries["motto"] = {"owner": "cust-acme/wiki", "text": "Ours.", "password": "theirs"}
        return "cust-acme/wiki"
