"""The worker: it takes memos that are new, and writes down what it finds out about them."""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import psycopg
import psycopg_pool
import urllib3
from minio.error import S3Error

from memo.files import Files
from memo.memos import Memos
from memo.settings import WorkSettings

__all__ = ["Worker", "serve_health"]

PAUSE: Final = 1.0
"""Seconds between two looks for work, where there was none."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts, where a service cannot be reached."""
STALE: Final = 120.0
"""Seconds without a look for work after which the worker is to be started again."""
log = logging.getLogger("memo")


class Worker:
    """Takes one memo after the other; several workers do not get in each other's way."""

    def __init__(self, settings: WorkSettings) -> None:
        """Prepare the services; nothing is asked yet."""
        self._memos = Memos(settings.database_url)
        self._files = Files(settings)
        self._stopped = threading.Event()
        self._looked_at = time.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether it looks for work every now and then."""
        return time.monotonic() - self._looked_at < STALE

    def stop(self) -> None:
        """Let it end after the memo that it is at."""
        self._stopped.set()

    def run(self) -> None:
        """Work until it is stopped; what cannot be reached is waited for."""
        self._memos.open()
        pause = PAUSE
        try:
            while not self._stopped.is_set():
                self._looked_at = time.monotonic()
                try:
                    has_worked = self._do_one()
                    pause = PAUSE
                except (psycopg.Error, psycopg_pool.PoolTimeout, urllib3.exceptions.HTTPError, S3Error) as error:
                    log.warning("%s: a service cannot be reached; again in %.0f s", type(error).__name__, pause)
                    has_worked, pause = False, min(2 * pause, LONGEST_PAUSE)
                if not has_worked:
                    self._stopped.wait(pause)
        finally:
            self._memos.close()

    def _do_one(self) -> bool:
        """Do one memo; return whether there was one."""
        with self._memos.next_work() as (work, connection):
            if work is None:
                return False
            checksum = self._files.checksum(work.id) if work.has_attachment else None
            connection.execute(
                "UPDATE memo SET words = %s, attachment_sha256 = %s, done_at = now() WHERE id = %s",
                (len(work.text.split()), checksum, work.id),
            )
        log.info("memo %s is done", work.id)
        return True


def serve_health(worker: Worker, host: str, port: int) -> None:
    """Answer ``/healthz`` on a port for as long as the process lives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 404 if self.path != "/healthz" else 200 if worker.is_live else 503
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name that is called
            """Say nothing: only probes come."""

    threading.Thread(target=ThreadingHTTPServer((host, port), Handler).serve_forever, daemon=True).start()
