"""A real Postgres for the tests: the machine's, or Debian's ``postgresql``, with a cluster of its own.

What it counts is what it logs with ``log_statement = mod``: data changes (INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY
FROM) and definitions (CREATE, ALTER, DROP, GRANT, REVOKE, COMMENT, REASSIGN, …), of the simple protocol and of the
extended one, also those that then fail. It logs them before it carries them out, so whoever has an answer is counted.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed.servers import HOST, Server, find_or_install, unprivileged_user, wait_until
from testbed.tools import ToolError

__all__ = ["Postgres", "find_programs"]

OLDEST = 15
"""The first version without CREATE on the schema public for everybody."""
MARK = "kiwi|"
"""Begins each entry of the log, and no other line: Postgres indents what a statement's own line breaks make."""
COUNTED = re.compile(rb"^kiwi\|LOG:  (?:statement: |execute )", re.MULTILINE)
SETTINGS = f"""
listen_addresses = '{HOST}'
unix_socket_directories = '%(folder)s'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 100
wal_level = minimal
max_wal_senders = 0
autovacuum = off
logging_collector = off
log_destination = stderr
log_statement = mod
log_line_prefix = '{MARK}'
"""
"""Without autovacuum and with little in the log, only what clients change takes a transaction number."""


class Postgres(Server):
    """A Postgres that asks for a password on every way in.

    Attributes:
        admin_user: its superuser.
        admin_password: the superuser's password, another one each time.
    """

    program = "postgres"
    stop_signal = signal.SIGINT  # "fast": it sends clients away and writes everything down

    def __init__(self) -> None:
        """Make the cluster.

        Raises:
            ToolError: Postgres cannot be had.
        """
        self._programs = find_programs()
        super().__init__(user=unprivileged_user())
        self.admin_user = "postgres"
        self.admin_password = secrets.token_urlsafe(18)
        self._data = self.folder / "data"
        self._statements = 0
        self._transactions: int | None = None
        self._hidden = 0

    def start(self) -> None:
        """Start it where it is down, and wait until it answers."""
        wait_until(self._has_started)
        super().start()
        if self._transactions is None:
            self._transactions = self._read_transactions()

    def changes(self) -> int:
        """Count the statements that were to change something, and the transactions that changed something unlogged.

        A data change inside ``DO``, ``CALL``, a function or a WITH query is not logged; it takes a transaction number,
        though. So each transaction number that was taken since the last reading counts where no statement was logged
        since. (``SELECT … FOR UPDATE`` takes one, too: it writes its lock into the row.)
        """
        statements = len(COUNTED.findall(self.log.read_bytes()))
        if self.is_running and self._transactions is not None:
            transactions = self._read_transactions()
            if statements == self._statements:
                self._hidden += transactions - self._transactions
            self._statements, self._transactions = statements, transactions
        return statements + self._hidden

    def _has_started(self) -> bool:
        """Whether it started; it does not while the processes of one that was killed are still on their way out."""
        try:
            super().start()
        except ToolError as error:
            if "pre-existing shared memory block" not in str(error):
                raise
            return False
        return True

    def _prepare(self) -> None:
        if self._data.exists():
            return
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text(self.admin_password, encoding="utf-8")
        if self._user:
            shutil.chown(password, self._user)
        self._run(
            [
                *(self._programs / "initdb", "--pgdata", self._data, "--username", self.admin_user),
                *("--pwfile", password, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
            ]
        )
        password.unlink()
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS % {"folder": self.folder})

    def _command(self) -> Sequence[str | Path]:
        return (self._programs / "postgres", "-D", self._data, "-p", str(self.port))

    def _is_ready(self) -> bool:
        """Its state file begins with its process's number and ends with "ready" (source: utils/pidfile.h)."""
        try:
            said = (self._data / "postmaster.pid").read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return False
        return said[:1] == [str(self.pid)] and said[-1] == "ready"

    def _read_transactions(self) -> int:
        """The number of transactions that wrote, ever; asking takes no number."""
        import psycopg

        with psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.admin_user,
            password=self.admin_password,
            dbname="postgres",
            connect_timeout=10,
        ) as connection:
            row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        assert row
        return int(row[0])


def find_programs() -> Path:
    """Find the folder with ``initdb`` and ``postgres``, or install it.

    Raises:
        ToolError: it is not here in a version that will do, and cannot be installed.
    """
    return find_or_install(_find, "postgresql")


def _find() -> Path | None:
    on_path = shutil.which("postgres")
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *newest_first]
    return next((folder for folder in folders if _version(folder) >= OLDEST), None)


def _version(folder: Path) -> int:
    """The major version of the programs in a folder; 0 where they do not run, or where one is missing."""
    if not os.access(folder / "initdb", os.X_OK):
        return 0
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0
