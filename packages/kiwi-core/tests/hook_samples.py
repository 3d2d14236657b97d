"""A kind of hook for tests: a word in a file, which stands for a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import attrs
from kiwi_core import Credential, Desired, Hook, Lent, Mounted, Orphan, Postgres, PostgresOffer, Right, Session, Step
from kiwi_core.errors import Conflict, Forbidden, Refused, Unreachable


@attrs.frozen(kw_only=True)
class Word(Hook):
    """Wants a database's role to be known to a file."""

    kind: ClassVar[str] = "word"

    password: Credential | None = None
    rights: tuple[Right, ...] = ()

    def desired(self, lent: Lent) -> WordState:
        use = self.on[0]
        assert isinstance(use, Postgres)
        db, offer = lent.binding(use), lent.offer(use, PostgresOffer)
        return WordState(
            file=f"{offer.host}:{offer.port}",
            word=db.user,
            admin=lent.secret(offer.admin),
            password=lent.secret(self.password or db.password),
            needs=self.rights,
        )


@attrs.frozen(kw_only=True)
class WordState(Desired):
    """A file holds a word and a password, and belongs to whoever knows the administrator's."""

    kind: ClassVar[str] = "word"

    file: str
    word: str
    admin: Mounted
    password: Mounted
    needs: tuple[Right, ...] = ()

    @property
    def subject(self) -> str:
        return f"word {self.word} in {self.file}"

    def observe(self, session: Session) -> tuple[str, ...]:
        with session.request("read"):
            lines = self._lines(session)
        return tuple(lines)

    def plan(self, observed: tuple[str, ...]) -> Sequence[Step]:
        return () if self.word in observed else (Step("write", self.word),)

    def apply(self, step: Step, session: Session) -> None:
        with session.request(str(step)):
            lines = self._lines(session)
            if "race" in lines:
                Path(self.file).write_text("", "utf-8")
                raise Conflict("somebody else was here")
            Path(self.file).write_text("\n".join([*lines, step.of, session.secret(self.password)]), "utf-8")

    def rights(self) -> Sequence[Right]:
        return self.needs

    def orphans(self, session: Session, wanted: Sequence[Desired]) -> Sequence[Orphan]:
        words = {other.word for other in wanted if isinstance(other, WordState)}
        mine = [line.removeprefix("mine ") for line in self._lines(session) if line.startswith("mine ")]
        return [Orphan(kind=self.kind, name=word, at=self.file) for word in mine if word not in words]

    def remove(self, orphan: Orphan, session: Session) -> None:
        lines = [line for line in self._lines(session) if line != f"mine {orphan.name}"]
        Path(self.file).write_text("\n".join(lines), "utf-8")

    def _lines(self, session: Session) -> list[str]:
        if session.secret(self.admin) != "right":
            raise Refused(f"{self.file} takes no such administrator")
        try:
            lines = Path(self.file).read_text("utf-8").split("\n")
        except FileNotFoundError:
            raise Unreachable(f"{self.file} is not there") from None
        if "closed" in lines:
            raise Forbidden(f"{self.file} is closed")
        if "mistake" in lines:
            raise ZeroDivisionError(session.secret(self.password))
        return lines
