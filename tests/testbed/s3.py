"""A real S3 server for the tests: the Versity S3 Gateway over a folder, with users of its own and bucket policies.

It prints a line for each request before it answers. What it counts is each request that is to change something, also
one that it then refuses: PUT, POST, DELETE, and the PATCH requests of its admin API, which serve reading as well.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.servers import Server
from testbed.tools import VERSITYGW, obtain

__all__ = ["S3"]

REQUEST = re.compile(r"^\S+ \| (?:vgw|adm) \| \d+ \|[^|\n]+\|[^|\n]+\| ([A-Z]+) \| (.*)$", re.MULTILINE)
"""A request in its log: the method; the path, what went wrong and the query, between `` | ``."""
CHANGES = frozenset({"PUT", "POST", "DELETE", "PATCH"})
READS = re.compile(r"PATCH /list-(?:users|buckets) \| |POST .* \| [^|]*select-type=")
"""What asks with those methods all the same."""


class S3(Server):
    """An S3 server with a root user; its admin API (``PATCH /create-user`` …) stands on the same port.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        region: which region requests are signed for.
        admin_user: the access key of its root user.
        admin_password: the secret key of its root user; both are others each time.
    """

    program = "versitygw"

    def __init__(self) -> None:
        """Take a port and make a folder.

        Raises:
            ToolError: the gateway cannot be had.
        """
        self._program = obtain(VERSITYGW)
        super().__init__()
        self.url = f"http://{self.host}:{self.port}"
        self.region = "us-east-1"
        self.admin_user = f"root{secrets.token_hex(8)}"
        self.admin_password = secrets.token_urlsafe(24)

    def changes(self) -> int:
        """Count the requests that were to change something."""
        requests = REQUEST.findall(self.log.read_text(encoding="utf-8", errors="replace"))
        return sum(method in CHANGES and not READS.match(f"{method} {rest}") for method, rest in requests)

    def _prepare(self) -> None:
        for name in ("buckets", "metadata", "versions", "users"):
            (self.folder / name).mkdir(exist_ok=True)

    def _command(self) -> Sequence[str | Path]:
        return (self._program, "posix", self.folder / "buckets")

    def _environment(self) -> Mapping[str, str]:
        """Its settings: what each one means is in ``versitygw --help``."""
        return {
            "ROOT_ACCESS_KEY_ID": self.admin_user,
            "ROOT_SECRET_ACCESS_KEY": self.admin_password,
            "VGW_PORT": f"{self.host}:{self.port}",
            "VGW_REGION": self.region,
            "VGW_IAM_DIR": str(self.folder / "users"),
            "VGW_IAM_CACHE_DISABLE": "true",
            "VGW_KEEP_ALIVE": "true",
            "VGW_META_SIDECAR": str(self.folder / "metadata"),  # not every file system has extended attributes
            "VGW_VERSIONING_DIR": str(self.folder / "versions"),
        }

    def _is_ready(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex((self.host, self.port)) == 0
