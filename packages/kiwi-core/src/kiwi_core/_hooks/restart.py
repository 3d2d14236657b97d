"""Restart: the pods of a consumer that has nowhere to carry a checksum of its Secrets, once for each change of them.

The mark of the Secrets is kept on the workload itself, where no pod sees it, and on its pod template, where a change
makes Kubernetes roll the pods. One request sets both, on the condition that nobody changed the workload meanwhile. On
the workload it is a label: an annotation would count as a change of its spec (pkg/registry/apps/deployment/strategy.go).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar, Final, Literal, cast

import attrs

from kiwi_core._hooks.http import Http, Reply
from kiwi_core._model.desired import Desired, Right, Session, Step
from kiwi_core._model.fields import many
from kiwi_core._model.hooks import Hook, Lent
from kiwi_core._model.names import dns_label
from kiwi_core._model.secrets import Secret
from kiwi_core.errors import ExternalError, Forbidden, HookError, Problem, Refused, Unreachable

__all__ = ["Restart", "RestartState"]

MARK: Final = "kiwistack.dev/secrets"
"""The label, and the annotation of pods, that holds the mark of the Secrets that they were last started with."""

PATHS: Final = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its account (Kubernetes, "Accessing the Kubernetes API from a Pod")."""

API: Final = "https://kubernetes.default.svc:443"
MERGE: Final = {"Content-Type": "application/merge-patch+json"}


@attrs.frozen(kw_only=True)
class Restart(Hook):
    """Restarts a workload when Secrets change that its pods read, where nothing else does. A post hook.

    Charts that take annotations or labels of pods take a ``checksum(…)`` instead, which needs no hook and no right.

    Attributes:
        workload: the workload, as ``Deployment/name``; of kind Deployment, StatefulSet or DaemonSet.
        secrets: the Secrets that its pods read.
        because: why its chart can carry no checksum.
    """

    kind: ClassVar[str] = "restart"

    workload: str = attrs.field(validator=attrs.validators.matches_re(rf"({'|'.join(PATHS)})/[a-z0-9][-a-z0-9.]*"))
    secrets: tuple[Secret, ...] = attrs.field(validator=[many, attrs.validators.min_len(1)])
    because: str = attrs.field(validator=attrs.validators.matches_re(r"(?s).*\S.*"))
    name: str = attrs.field(
        default=attrs.Factory(lambda self: _name(self.workload), takes_self=True),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType] -- attrs types it so
        validator=dns_label,
    )

    def desired(self, lent: Lent) -> RestartState:
        """Name the workload and the mark of its Secrets."""
        kind, _, name = self.workload.partition("/")
        return RestartState(
            namespace=lent.home.namespace,
            workload=cast("Literal['Deployment', 'StatefulSet', 'DaemonSet']", kind),
            name=name,
            mark=lent.mark(*self.secrets),
        )


def _name(workload: str) -> str:
    return "restart-" + re.sub("[^a-z0-9]+", "-", workload.partition("/")[2])


@attrs.frozen(kw_only=True)
class Started:
    """What is known of a workload.

    Attributes:
        mark: of the Secrets that its pods were last started with; None where nobody said.
        is_new: whether it is as it was made: its pods began with what there is now.
        version: the version of the object that was seen.
    """

    mark: str | None
    is_new: bool
    version: str


@attrs.frozen(kw_only=True)
class RestartState(Desired):
    """The pods of a workload run with the Secrets that have a mark.

    Attributes:
        namespace: its namespace, the hook's own.
        workload: its kind.
        name: its name.
        mark: the mark.
        api: the API server, as pods find it.
        account: the folder of the account that it is asked with: ``token`` and ``ca.crt``.
    """

    kind: ClassVar[str] = "restart"

    namespace: str
    workload: Literal["Deployment", "StatefulSet", "DaemonSet"]
    name: str
    mark: str
    api: str = API
    account: str = ACCOUNT

    @property
    def subject(self) -> str:
        """The workload and its namespace."""
        return f"{self.workload} {self.name} in {self.namespace}"

    def observe(self, session: Session) -> Started:
        """Read the workload."""
        found = self._ask(session, "GET", "read").mapping()
        metadata = _mapping(found, "metadata")
        mark = _mapping(metadata, "labels").get(MARK)
        return Started(
            mark=mark if isinstance(mark, str) else None,
            is_new=metadata.get("generation") == 1,
            version=str(metadata.get("resourceVersion", "")),
        )

    def plan(self, observed: Started) -> Sequence[Step]:
        """Restart it when its pods run with other Secrets; note the mark alone where it was only just made."""
        if observed.mark == self.mark:
            return ()
        action = "note the Secrets of" if observed.mark is None and observed.is_new else "restart"
        return (Step(action, f"{self.workload} {self.name}", observed.version),)

    def apply(self, step: Step, session: Session) -> None:
        """Set the mark, unless somebody changed the workload since it was read."""
        body: dict[str, object] = {"metadata": {"labels": {MARK: self.mark}, "resourceVersion": step.detail}}
        if step.action == "restart":
            body["spec"] = {"template": {"metadata": {"annotations": {MARK: self.mark}}}}
        self._ask(session, "PATCH", step.action, body)

    def rights(self) -> Sequence[Right]:
        """Return the right to read and annotate this one workload."""
        return (Right(group="apps", resource=PATHS[self.workload], names=(self.name,), verbs=("get", "patch")),)

    def _ask(self, session: Session, method: str, words: str, body: object = None) -> Reply:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/{PATHS[self.workload]}/{self.name}"
        server, headers = self._server(session)
        reply = server.ask(
            method,
            path,
            words=f"{words} {self.workload} {self.name}",
            body=body,
            headers={**headers, **(MERGE if body is not None else {})},
            takes={401, 403, 404},
        )
        match reply.status:
            case 401:
                raise Refused(Problem(f"{server.at} takes no such account", hint="is the job's service account there?"))
            case 403:
                right = f"{'get' if method == 'GET' else 'patch'} {PATHS[self.workload]}/{self.name}"
                hint = f"give the hook's service account this right in {self.namespace}: a Role and a RoleBinding"
                # While it starts, it does not know yet what it lets whom do.
                ready = server.ask("GET", "/readyz", headers=headers, takes=range(600)).status == HTTPStatus.OK
                form = Forbidden if ready else Unreachable
                raise form(Problem(f"{server.at} does not let the hook {right}", hint=hint))
            case 404:
                hint = "the chart names it otherwise, or it is not deployed: a restart is a post hook"
                raise HookError(Problem(f"there is no {self.subject}", hint=hint))
            case _:
                return reply

    def _server(self, session: Session) -> tuple[Http, Mapping[str, str]]:
        """Return the API server: the pod's own, or what an operator's ``kubectl proxy`` leads to, which signs in."""
        host, port = API.removeprefix("https://").split(":")
        address = session.address(host, int(port))
        if self.api == API and address != (host, int(port)):
            return Http.kept(f"http://{address[0]}:{address[1]}", session), {}
        return _signed_in(self.api, Path(self.account), session)


def _signed_in(api: str, folder: Path, session: Session) -> tuple[Http, Mapping[str, str]]:
    try:
        token, ca = ((folder / name).read_text("utf-8").strip() for name in ("token", "ca.crt"))
    except OSError as error:
        hint = (
            "in the cluster, the job's service account is mounted; elsewhere run `kubectl proxy --port 8001` and say "
            f"--connect-to {API.removeprefix('https://')}=127.0.0.1:8001"
        )
        raise ExternalError(Problem(f"there is no account at {folder}: {error.strerror}", hint=hint)) from None
    return Http.kept(api, session, ca=ca), {"Authorization": f"Bearer {token}"}


def _mapping(tree: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = tree.get(key)
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}
