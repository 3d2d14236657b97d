"""A stack with something in every part of a report, in words that a test chooses."""

from __future__ import annotations

import attrs
from kiwi_core import (
    Bound,
    Caller,
    Declaration,
    Egress,
    External,
    Ingress,
    IngressOffer,
    Lane,
    LlmOffer,
    PlainValue,
    PostgresRole,
    Release,
    Secret,
    SecretKey,
    Stage,
    Wiring,
    Workload,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.sharing import ClusterTree
from kiwi_core._compose.stack import Stack
from kiwi_core._contract.results import Result, finding, unproven
from kiwi_core._emit.live import Drift, Live, Seen, State
from kiwi_core._model.pins import ImagePin
from kiwi_core.errors import Where
from stack_samples import CLUSTER, DB, LLM, Sample, component, inputs, job, pg, release
from tree_samples import DIGEST
from tree_samples import PINS as TREE_PINS

WEB = Ingress("web")
LICENCE = SecretKey("app-db", "licence")
HOOKS = ImagePin(registry="ghcr.io", repository="acme/kiwi-hooks", tag=f"1.0@{DIGEST}")
PINS = attrs.evolve(TREE_PINS, images={**TREE_PINS.images, "kiwiHooks": HOOKS})


def reported(words: str = "because") -> Stack:
    """A tenant with hooks, Secrets, network, pins and every kind of text that somebody else writes.

    Args:
        words: stand wherever a text may be anything.
    """

    def wiring(bound: Bound) -> Wiring:
        db, llm = bound[DB], bound[LLM]
        secret = Secret("app-db", {"user": db.user, "password": db.password, "licence": External("licence", words)})
        return Wiring(
            overlay={
                "app": {
                    "image": dict(zip(("repository", "tag"), bound.image("web"), strict=True)),
                    "existingSecret": "app-db",
                    "llm": llm.url,
                    "key": llm.key,
                    "salt": bound.credential(f"salt {words}"),
                }
            },
            secrets=(secret,),
            plain=(PlainValue(release="app", path="salt", reason=words),),
            pre=(
                PostgresRole(on=DB),
                PostgresRole(on=DB, role="reader", password=LICENCE, name="reader"),
                job("own", DB),
            ),
            post=(job("seed"),),
            network=(
                Workload(
                    name="web",
                    pods={"app": "web"},
                    served_by=WEB,
                    calls=(LLM,),
                    ports=(8080,),
                    egress=(Egress(to=words, ports=(443, 8443)),),
                ),
                Workload(name="mail", pods={"app": "mail"}, called_by=(Caller.OUTSIDE,), ports=(25,)),
            ),
            hosts=(f"web.{bound.home.domain}",),
            ports=("25/tcp",),
        )

    app = Declaration(
        releases=(
            attrs.evolve(release("app", DB, LLM, WEB), because=words),
            Release(name="app-worker", chart="own", needs=("app",), reasons={"app": words}),
        )
    )
    server = Release(name="pg", chart="pg", stage=Stage.SERVICES)
    cluster = attrs.evolve(
        CLUSTER,
        pod_cidrs=("10.0.0.0/8",),
        service_cidrs=("fd00::/108",),
        node_cidrs=("192.0.2.0/24",),
        offers=(LlmOffer(namespace="kiwi-llm"), IngressOffer(namespace="kiwi-ingress", pods={"app": "nginx"})),
    )
    given = inputs(
        Sample(name="app", declaration=app, wiring=wiring),
        component("data", server, Release(name="cache", chart="cache"), offers=(pg("pg"),)),
        pins=PINS,
        lane=Lane.DOGFOOD,
        cluster=cluster,
    )
    tree = ClusterTree(digest=DIGEST, shared=DIGEST, customers=("acme",))
    return compose(attrs.evolve(given, cluster_tree=tree))


def results(words: str = "because") -> tuple[Result, ...]:
    """A finding, and unproven ones of two releases that say the same of each one's chart."""
    return (
        finding("d", words, words, where=Where("app.yaml", 3, ("a", "b")), fix=f"mend {words}"),
        unproven("b", "release app", f"chart own {words}", fix=f"kiwistack component capture <of own> {words}"),
        unproven("b", "release pg", f"chart pg {words}"),
    )


def live(words: str = "because") -> Live:
    """A state that has something of everything."""
    return Live(
        when=words,
        releases={
            name: Seen(state=state, text=words)
            for name, state in zip(("app", "app-worker", "pg", "cache", "app-pre"), State, strict=True)
        },
        hooks={("app-pre", "postgres-role-db"): Seen(state=State.GOOD, text=words)},
        drift=(Drift(release="app", subject=words, message=words), Drift(release=words, subject="it", message="gone")),
    )
