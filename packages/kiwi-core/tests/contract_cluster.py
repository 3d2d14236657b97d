"""A small cluster that keeps the contract.

Two gateways: an ingress, and language models with a database of their own, whose user interface it serves. A
:class:`ClusterScene` is changed as that of the tenant is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import attrs
from contract_captures import captured
from contract_stack import CLUSTER as SHARED
from contract_stack import DB, Altered, Scene, chart_pin
from kiwi_core import (
    ApiServer,
    Bound,
    Caller,
    Cluster,
    Component,
    Customer,
    Declaration,
    Egress,
    Gateway,
    Ingress,
    IngressOffer,
    Job,
    LlmOffer,
    PostgresOffer,
    Release,
    Secret,
    SecretKey,
    Stage,
    Value,
    Wiring,
    Workload,
    checksum,
)
from kiwi_core._compose.sharing import ClusterTree
from kiwi_core._model.capture import ChartCapture, ClusterObject, Json
from kiwi_core._model.pins import ChartPin

WEB: Final = Ingress("litellm")
HOST: Final = "llm.platform.example"


@attrs.frozen(kw_only=True)
class Llm(Altered, Gateway):
    """Language models, with keys in a database of their own."""

    kind: ClassVar[str] = "litellm"
    service: ClassVar[str] = "llm-gateway"

    def declare(self) -> Declaration:
        return self.declares(
            Declaration(
                releases=(
                    Release(name="litellm", chart="litellm", uses=(DB, WEB)),
                    Release(name="llm-db", chart="llm-db", stage=Stage.SERVICES),
                ),
                offers=(
                    LlmOffer(namespace=self.namespace, pods={"app": "litellm"}, release="litellm"),
                    PostgresOffer(release="llm-db", host="llm-db", admin=SecretKey("llm-db-admin", "password")),
                ),
            )
        )

    def wire(self, bound: Bound) -> Wiring:
        db, web, tools = bound[DB], bound[WEB], bound.image("tools")
        server = Secret("llm-db-admin", {"password": bound.credential("admin")})
        keys = Secret("litellm", {"password": db.password, "LITELLM_MASTER_KEY": bound.credential("master")})
        images: dict[str, Value] = {
            name: dict(zip(("repository", "tag"), bound.image(name), strict=True)) for name in ("worker", "db")
        }
        ui = Workload(name="ui", pods={"app": "litellm"}, served_by=WEB, ports=(4000,), egress=(Egress(to="models"),))
        role = Job(
            name="role",
            on=(DB,),
            image=tools,
            observe=("false",),
            command=("make-role",),
            env={"PGHOST": db.host, "PGPASSWORD": SecretKey("llm-db-admin", "password")},
        )
        return self.wires(
            Wiring(
                secrets=(server, keys),
                pre=(role,),
                network=(ui,),
                hosts=(HOST,),
                overlay={
                    "litellm": {
                        "image": images["worker"],
                        "existingSecret": keys.name,
                        "podAnnotations": {"checksum/secrets": checksum(keys)},
                        "config": {"DB_HOST": db.host, "PUBLIC_URL": f"https://{HOST}/", "CLASS": web.class_name},
                    },
                    "llm-db": {
                        "image": images["db"],
                        "existingSecret": server.name,
                        "podAnnotations": {"checksum/secrets": checksum(server)},
                    },
                },
            )
        )


@attrs.frozen(kw_only=True)
class Nginx(Altered, Gateway):
    """An ingress: open to the outside, and asked by the API server."""

    kind: ClassVar[str] = "nginx"
    service: ClassVar[str] = "ingress"

    def declare(self) -> Declaration:
        return self.declares(
            Declaration(
                releases=(
                    Release(name="nginx", chart="nginx", stage=Stage.SERVICES, cluster_objects=("IngressClass/nginx",)),
                ),
                offers=(
                    IngressOffer(
                        namespace=self.namespace, pods={"app": "nginx"}, release="nginx", issuer="letsencrypt"
                    ),
                ),
            )
        )

    def wire(self, bound: Bound) -> Wiring:
        repository, tag = bound.image("web")
        pods = {"app": "nginx"}
        return self.wires(
            Wiring(
                network=(
                    Workload(
                        name="controller", pods=pods, called_by=(Caller.OUTSIDE,), ports=(80, 443), calls_api=True
                    ),
                    Workload(name="webhook", pods=pods, called_by=(Caller.API_SERVER,), ports=(8443,)),
                ),
                ports=("80/tcp", "443/tcp"),
                overlay={"nginx": {"image": {"repository": repository, "tag": tag}}},
            )
        )


def chart(name: str, **facts: object) -> ChartCapture:
    values: Mapping[str, Json] = {"config": {}, "existingSecret": "", "namespaceOverride": "", "rbac": False}
    return captured(name, {**values, "extraManifests": []}, open=("config", "podAnnotations"), **facts)


ROLE: Final = ClusterObject(kind="ClusterRole", file="templates/role.yaml", guards=("rbac",))
CLASS: Final = ClusterObject(kind="IngressClass", file="templates/class.yaml")
CHARTS: Final = {
    "litellm": chart("litellm", cluster_objects=(ROLE,)),
    "llm-db": chart("llm-db"),
    "nginx": chart("nginx", cluster_objects=(CLASS, ROLE)),
}
CLUSTER: Final = attrs.evolve(
    SHARED,
    offers=(),
    api_server=ApiServer(address="192.0.2.1"),
    customers=(
        *SHARED.customers,
        Customer(slug="apart", domain="apart.example", ports=("80/tcp",), address="192.0.2.9"),
    ),
)


@attrs.frozen(kw_only=True)
class ClusterScene(Scene):
    """All that the stack of a cluster and its check are made of."""

    components: tuple[Component, ...] = (Llm(), Nginx())
    cluster: Cluster = CLUSTER
    charts: Mapping[str, ChartPin] = {
        name: chart_pin(name) for name in (*CHARTS, "kiwi-foundation", "kiwi-hooks", "kiwi-namespace")
    }
    captures: Mapping[str, ChartCapture] = CHARTS

    def target(self) -> Cluster:
        return attrs.evolve(self.cluster, components=self.components)

    def tree(self) -> ClusterTree | None:
        return None
