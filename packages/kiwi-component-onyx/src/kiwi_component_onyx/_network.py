"""What Onyx's pods call outside of the namespace, deployment by deployment.

The web server and the model servers call nothing outside: the default embedding model is in the image.
"""

from __future__ import annotations

from collections.abc import Sequence

from kiwi_core import Bound, Egress, Workload

from kiwi_component_onyx._uses import INGRESS, LLM, SEARCH, SIGN_IN

__all__ = ["workloads"]

API_PORT = 8080
WEB_PORT = 3000


def workloads(bound: Bound, *, fetches_from: Sequence[str]) -> tuple[Workload, ...]:
    """Return the pods that call out or are called from outside.

    Args:
        bound: what Onyx was bound to.
        fetches_from: services outside the cluster that connectors fetch from.
    """
    sources = tuple(Egress(to=source) for source in fetches_from)
    sign_in = bound.get(SIGN_IN)
    issuer = (Egress(to=f"the identity provider ({sign_in.issuer})"),) if sign_in else ()
    return (
        Workload(name="web", pods={"app": "web-server"}, served_by=INGRESS, ports=(WEB_PORT,)),
        Workload(
            name="api",
            pods={"app": "api-server"},
            calls=(LLM, SEARCH),
            egress=(*issuer, *sources),
            served_by=INGRESS,
            ports=(API_PORT,),
        ),
        Workload(name="docprocessing", pods={"app": "celery-worker-docprocessing"}, calls=(LLM,)),
        Workload(name="user-files", pods={"app": "celery-worker-user-file-processing"}, calls=(LLM,)),
        Workload(name="docfetching", pods={"app": "celery-worker-docfetching"}, egress=sources),
        Workload(name="heavy", pods={"app": "celery-worker-heavy"}, egress=sources),
    )
