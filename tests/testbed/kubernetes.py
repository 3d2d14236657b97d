"""A real Kubernetes API server for the tests, with its etcd, and with nothing behind it: no controller and no node.

So objects are kept, checked, merged and guarded by RBAC as on any cluster, and nothing comes of them: no Pod runs, no
namespace gets a service account ``default`` (so a Pod needs one that a test made), nothing that is owned goes with its
owner, and a namespace that is deleted stays in ``Terminating``.

What it counts is its audit log, which has each call before it is carried out: each one that is to create, update, patch
or delete something, also one that is then refused. A dry run does not count, nor does what asks for a token or about
rights, and a caller whom the server does not know does not get that far.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from testbed.rest import ask, insist
from testbed.servers import Child, Server, wait_until
from testbed.tools import ETCD, KUBE_APISERVER, ToolError, obtain

__all__ = ["Kubernetes"]

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
COUNTED = ("create", "update", "patch", "delete", "deletecollection")
AUDIT_POLICY: Mapping[str, object] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["ResponseStarted", "ResponseComplete", "Panic"],
    "rules": [
        {"level": "None", "users": ["system:apiserver"]},  # what the server does by itself
        {
            "level": "None",
            "resources": [
                {"group": "authentication.k8s.io"},
                {"group": "authorization.k8s.io"},
                {"group": "", "resources": ["serviceaccounts/token"]},
            ],
        },
        {"level": "Metadata", "verbs": list(COUNTED)},
        {"level": "None"},
    ],
}


class Kubernetes(Server):
    """An API server with TLS and RBAC.

    Attributes:
        url: ``https://127.0.0.1:<port>``.
        ca_file: the certificate of whoever vouches for it.
        admin_token: the bearer token of an administrator; another one each time.
        kubeconfig: for kubectl and helm, with that token.
    """

    program = "kube-apiserver"
    stop_signal = signal.SIGKILL  # it keeps nothing itself, and takes three seconds to end in good order

    def __init__(self) -> None:
        """Take a port and make a folder.

        Raises:
            ToolError: the API server or etcd cannot be had.
        """
        self._programs = obtain(KUBE_APISERVER), obtain(ETCD)
        super().__init__()
        self.url = f"https://{self.host}:{self.port}"
        self.ca_file = self.folder / "ca.crt"
        self.admin_token = secrets.token_urlsafe(24)
        self.kubeconfig = self.folder / "kubeconfig"
        self._audit = self.folder / "audit"
        self._etcd: Child | None = None
        self._numbers = itertools.count(1)

    @property
    def pids(self) -> Sequence[int]:
        """The numbers of its processes; none while it is down."""
        return [child.pid for child in (self._child, self._etcd) if child]

    def changes(self) -> int:
        """Count the calls that were to change something; see above."""
        if not self._audit.exists():
            return 0
        whole_lines = self._audit.read_bytes().split(b"\n")[:-1]
        addresses: list[str] = [json.loads(line)["requestURI"] for line in whole_lines]
        return sum("dryRun" not in parse_qs(urlsplit(address).query) for address in addresses)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:  # Any: JSON, which a test picks apart
        """Ask for a path, e.g. ``/api/v1/namespaces``; return the status and what came back.

        Args:
            method: GET, POST, …
            path: with its query.
            body: an object, or a patch of the content type.
            token: whose bearer asks; None: the administrator.
            content_type: what the body is.
        """
        return ask(
            method,
            f"{self.url}{path}",
            body,
            token=token or self.admin_token,
            content_type=content_type,
            ca_file=self.ca_file,
        )

    def make_namespace(self) -> str:
        """Make a namespace; return its name. Make one for each test: the API server alone never removes one."""
        body = {"metadata": {"name": f"test-{next(self._numbers)}"}}
        made = insist(self.ask("POST", "/api/v1/namespaces", body))
        name: str = made["metadata"]["name"]
        return name

    def make_service_account(self, namespace: str, *rules: Mapping[str, Sequence[str]]) -> str:
        """Make a service account that may do in its namespace what the rules say, and nothing else.

        Args:
            namespace: one that there is.
            rules: those of a Role, e.g. ``{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}``.

        Returns:
            A bearer token for it, good for an hour.
        """
        name = f"account-{next(self._numbers)}"
        metadata = {"metadata": {"name": name}}
        core = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        insist(self.ask("POST", core, metadata))
        insist(self.ask("POST", f"{rbac}/roles", {**metadata, "rules": rules}))
        binding = {
            **metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        insist(self.ask("POST", f"{rbac}/rolebindings", binding))
        made = insist(self.ask("POST", f"{core}/{name}/token", {"spec": {"expirationSeconds": 3600}}))
        token: str = made["status"]["token"]
        return token

    def make_kubeconfig(self, token: str) -> Path:
        """Write a kubeconfig for a token."""
        path = self.folder / f"kubeconfig-{next(self._numbers)}"
        self._write_kubeconfig(path, token)
        return path

    def start(self) -> None:
        """Start it and its etcd where they are down, and wait until it answers."""
        super().start()
        if not self.kubeconfig.exists():
            self._write_kubeconfig(self.kubeconfig, self.admin_token)

    def stop(self) -> None:
        """End its processes, where they are up; port and data stay."""
        super().stop()
        if self._etcd:
            self._etcd.end()
            self._etcd = None

    def _prepare(self) -> None:
        tokens = self.folder / "tokens"
        tokens.touch(0o600)
        tokens.write_text(f'{self.admin_token},admin,admin,"system:masters"\n', encoding="utf-8")
        (self.folder / "audit-policy").write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")
        log = self.folder / "etcd.log"
        clients, peers = (f"unix://{self.folder}/{name}.sock" for name in ("etcd", "peers"))
        self._etcd = etcd = Child(
            [
                *(self._programs[1], "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level", "error"),
                *("--listen-client-urls", clients, "--advertise-client-urls", clients),
                *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                *("--initial-cluster", f"default={peers}"),
            ],
            folder=self.folder,
            log=log,
            environment={},
            stop_signal=signal.SIGKILL,  # without --unsafe-no-fsync it would outlive even a power cut
        )
        if not wait_until(lambda: self._etcd_listens() or not etcd.is_alive) or not etcd.is_alive:
            self.stop()
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise ToolError(f"etcd did not start: {said[-500:] or 'it printed nothing'}")

    def _command(self) -> Sequence[str | Path]:
        """Its certificates, and the key that signs service accounts' tokens, it makes itself at its first start."""
        certificates = self.folder / "certificates"
        return [
            *(self._programs[0], f"--bind-address={self.host}", f"--secure-port={self.port}"),
            *(f"--advertise-address={self.host}", "--endpoint-reconciler-type=none"),  # no public address is needed
            *(f"--etcd-servers=unix://{self.folder}/etcd.sock", "--service-cluster-ip-range=10.96.0.0/16"),
            *(f"--cert-dir={certificates}", f"--token-auth-file={self.folder}/tokens", "--authorization-mode=RBAC"),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certificates}/apiserver.key",
            f"--service-account-signing-key-file={certificates}/apiserver.key",
            *(f"--audit-policy-file={self.folder}/audit-policy", f"--audit-log-path={self._audit}"),
            *("--audit-log-mode=blocking", "--allow-privileged=true"),
        ]

    def _is_ready(self) -> bool:
        from urllib3.exceptions import HTTPError

        made = self.folder / "certificates" / "apiserver.crt"
        chain = CERTIFICATE.findall(made.read_text(encoding="utf-8")) if made.exists() else []
        if len(chain) < 2:
            return False
        self.ca_file.write_text(chain[1], encoding="utf-8")  # the server's own certificate comes first
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except HTTPError:
            return False

    def _etcd_listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(f"{self.folder}/etcd.sock") == 0

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        path.touch(0o600)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config), encoding="utf-8")
