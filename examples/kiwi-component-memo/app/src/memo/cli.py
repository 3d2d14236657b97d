"""The command ``memo``: ``serve``, ``worker``, ``migrate``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from memo import __version__
from memo.settings import MigrateSettings, ServeSettings, SettingsError, WorkSettings, read_settings

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return 0 when it is done, 1 when it failed, 2 when a setting is missing."""
    parser = argparse.ArgumentParser(prog="memo", description=__doc__)
    parser.add_argument("--version", action="version", version=f"memo {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, default, what in (("serve", 8000, "the website and its API"), ("worker", 8001, "the worker")):
        command = commands.add_parser(name, help=f"run {what}")
        command.add_argument("--host", default="0.0.0.0", help="where it listens")  # noqa: S104 -- in a container
        command.add_argument("--port", type=int, default=default, help="where it answers, the worker only /healthz")
    commands.add_parser("migrate", help="bring the database to the schema of this version")
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        match given.command:
            case "serve":
                return _serve(read_settings(ServeSettings, os.environ), given.host, given.port)
            case "worker":
                return _work(read_settings(WorkSettings, os.environ), given.host, given.port)
            case _:
                return _migrate(read_settings(MigrateSettings, os.environ))
    except SettingsError as error:
        sys.stderr.write(f"memo: {error}\n")
        return 2


def _serve(settings: ServeSettings, host: str, port: int) -> int:
    import uvicorn

    from memo.web import make_app

    # A log of requests that leaves queries out is the application's own.
    config = uvicorn.Config(
        make_app(settings), host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=20
    )
    uvicorn.Server(config).run()
    return 0


def _work(settings: WorkSettings, host: str, port: int) -> int:
    from memo.worker import Worker, serve_health

    worker = Worker(settings)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    serve_health(worker, host, port)
    worker.run()
    return 0


def _migrate(settings: MigrateSettings) -> int:
    from memo.schema import SchemaError, migrate

    try:
        migrate(settings.database_url)
    except SchemaError as error:
        sys.stderr.write(f"memo: {error}\n")
        return 1
    return 0
