"""Whether a context leads to the cluster that a repository means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiwi_core._spec.repo import shown
from kiwi_core.errors import InputError, Problem, Where

if TYPE_CHECKING:
    from kiwi_core import _engine as engine
    from kiwi_core._deliver.kubectl import Kubectl

__all__ = ["check_cluster"]


def check_cluster(project: engine.Project, kubectl: Kubectl) -> None:
    """Refuse another cluster than the one of the spec: contexts are names that a kubeconfig gives as it likes.

    Raises:
        InputError: it is another one, or the spec does not say which it is.
        ExternalError: it does not answer.
    """
    cluster = project.stack.cluster
    spec = shown((project.cluster_repo or project.repo).spec)
    metadata = kubectl.get("namespace", "kube-system").get("metadata")
    found = metadata.get("uid") if isinstance(metadata, dict) else None
    where = Where(spec, None, ("identity",))
    if cluster.identity is None:
        hint = f'where the context leads to it: identity="{found}"'
        raise InputError(Problem(f"cluster {cluster.name!r} does not say which cluster it is", where, hint))
    if found != cluster.identity:
        expected = f"{cluster.identity}, which is {cluster.name!r}"
        message = f"the context leads to another cluster: found {found}, expected {expected}"
        raise InputError(Problem(message, where, "choose its context with --context"))
