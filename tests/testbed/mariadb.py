"""A real MariaDB server for the tests: the machine's, or Debian's ``mariadb-server-core``, with data of its own.

What it counts are its own status counters of statements (``Com_create_user``, ``Com_insert``, …): each statement that
it begins to carry out, also one that then fails, one inside a procedure, and one that was prepared.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.servers import HOST, PATIENCE, Server, find_or_install, unprivileged_user

__all__ = ["MariaDB"]

PACKAGES = ("mariadb-server-core", "mariadb-client-core")
"""The programs alone: without a service, and with what ``mariadb-install-db`` calls."""
STATEMENTS = re.compile(
    "Com_(?:alter|create|drop|rename|grant|revoke|insert|replace|update|delete|truncate|load|install|uninstall)(?:_|$)"
)
"""The counters of statements that change something; how a counter is named: the source's ``com_status_vars``."""
READS = frozenset({"Com_create_temporary_table", "Com_drop_temporary_table"})
ROWS = re.compile("Handler_(?:write|update|delete)$")
"""The counters of rows that changed, those of the system's tables included and those of temporary tables not."""
OPTIONS = (
    *("--skip-name-resolve", "--skip-log-bin", "--skip-performance-schema"),
    *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0"),
    *("--innodb-doublewrite=OFF", "--innodb-flush-method=nosync"),
)


class MariaDB(Server):
    """A MariaDB whose only user but the system's own is ``root``, with a password on every way in.

    Attributes:
        admin_user: its superuser.
        admin_password: the superuser's password, another one each time.
    """

    program = "mariadbd"

    def __init__(self) -> None:
        """Take a port and make a folder.

        Raises:
            ToolError: MariaDB cannot be had.
        """
        self._server = find_or_install(lambda: _find("mariadbd"), *PACKAGES)
        self._installer = find_or_install(lambda: _find("mariadb-install-db"), *PACKAGES)
        super().__init__(user=unprivileged_user())
        self.admin_user = "root"
        self.admin_password = secrets.token_urlsafe(18)
        self._data = self.folder / "data"
        self._secret = self.folder / "first-statements.sql"
        self._counted = 0
        self._seen: tuple[int, int] | None = None

    def start(self) -> None:
        """Start it where it is down, and wait until it answers."""
        if self.is_running:
            return
        super().start()
        self._secret.unlink(missing_ok=True)
        self._seen = self._read_counters()  # they begin anew with each process

    def stop(self) -> None:
        """End its process in good order, where it is up and once its counters were read; port and data stay."""
        try:
            if self.is_running:
                self._read_last()
        finally:
            self._seen = None
            super().stop()

    def _read_last(self) -> None:
        """Count what its process has to tell; it may be in any state."""
        import pymysql

        with contextlib.suppress(pymysql.Error):
            self.changes()

    def changes(self) -> int:
        """Count the statements that were to change something.

        ``SET PASSWORD`` has no counter of its own. So where no statement was counted since the last reading and yet
        rows have changed, that is one more.
        """
        if self.is_running and self._seen:
            statements, rows = self._read_counters()
            more = statements - self._seen[0]
            self._counted += more or int(rows != self._seen[1])
            self._seen = (statements, rows)
        return self._counted

    def _prepare(self) -> None:
        if self._data.exists():
            return
        self._run(
            [
                *(self._installer, "--no-defaults", f"--datadir={self._data}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", *OPTIONS),
            ]
        )
        self._secret.touch(0o600)
        if self._user:
            shutil.chown(self._secret, self._user)
        self._secret.write_text(
            "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost' OR User = '';\n"
            "FLUSH PRIVILEGES;\n"
            f"ALTER USER root@localhost IDENTIFIED BY '{self.admin_password}';\n"
            f"CREATE USER root@'%' IDENTIFIED BY '{self.admin_password}';\n"
            "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n",
            encoding="utf-8",
        )

    def _command(self) -> Sequence[str | Path]:
        first = (f"--init-file={self._secret}",) if self._secret.exists() else ()
        return (
            *(self._server, "--no-defaults", f"--datadir={self._data}", *OPTIONS, *first),
            *(f"--bind-address={HOST}", f"--port={self.port}"),
            *(f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}"),
        )

    def _is_ready(self) -> bool:
        import pymysql

        try:
            self._read_counters()
        except pymysql.OperationalError:
            return False
        return True

    def _read_counters(self) -> tuple[int, int]:
        """The statements that were to change something, and the rows that changed."""
        import pymysql

        counters: Mapping[str, str]
        with (
            pymysql.connect(
                host=self.host,
                port=self.port,
                user=self.admin_user,
                password=self.admin_password,
                read_timeout=PATIENCE,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Com\\_%' OR Variable_name LIKE 'Handler\\_%'")
            counters = dict(cursor.fetchall())
        statements = sum(int(value) for name, value in counters.items() if STATEMENTS.match(name) and name not in READS)
        return statements, sum(int(value) for name, value in counters.items() if ROWS.match(name))


def _find(name: str) -> Path | None:
    """Find a program; servers stand where not everybody looks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    return Path(found) if found else None
