"""The component: what a tenant may choose, what it is made of, and how it is wired."""

from __future__ import annotations

from typing import ClassVar

import attrs
from kiwi_core import (
    AlembicSchema,
    Bound,
    Component,
    Credential,
    Declaration,
    RedisOffer,
    Release,
    Rotation,
    Stage,
    Wiring,
    text,
)

from kiwi_component_onyx._hooks import hooks
from kiwi_component_onyx._network import workloads
from kiwi_component_onyx._opensearch import OpenSearchOffer
from kiwi_component_onyx._uses import CACHE, DB, FILES, INDEX, INGRESS, LLM, MAIL, SEARCH, SIGN_IN
from kiwi_component_onyx._values import onyx_secrets, onyx_values, opensearch_values, redis_values

__all__ = ["Onyx"]

# Created by this revision of Onyx; what seeds a model provider writes to it (onyx backend/alembic/versions).
LLM_MODEL_FLOW = AlembicSchema(
    image="onyxBackend",
    on=DB,
    minimum="f220515df7b4",
    because="the seed of the model provider (table llm_model_flow)",
    versions="/app/alembic/versions",
)


@attrs.frozen(kw_only=True)
class Onyx(Component):
    """Onyx: AI search and chat over a customer's own documents.

    It brings its own Redis, since it signs in as the default user only, and its own OpenSearch; the database, the
    object store and sign-in are the tenant's.

    Attributes:
        host: the first label of its public name; the tenant's domain follows.
        replicas: pods of the API server.
        web_replicas: pods of the web server.
        workers: pods of each kind of background worker that indexes documents.
        index_size: volume of the search index, as Kubernetes writes quantities.
        index_memory: heap of OpenSearch in MiB; the pod is given twice as much.
        email_domains: who may sign up by mail address; empty lets everybody.
        fetches_from: services outside the cluster that connectors fetch documents from, for the reader; with one or
            more of them, the pods that fetch may leave the cluster on port 443.
    """

    kind: ClassVar[str] = "onyx"

    host: str = "onyx"
    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    web_replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    workers: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    index_size: str = attrs.field(default="64Gi", validator=attrs.validators.matches_re(r"\d+(Mi|Gi|Ti)"))
    index_memory: int = attrs.field(default=4096, validator=attrs.validators.ge(512))
    email_domains: tuple[str, ...] = ()
    fetches_from: tuple[str, ...] = ()

    def declare(self) -> Declaration:
        """Say what Onyx is made of."""
        return Declaration(
            releases=(
                Release(name="onyx-redis", chart="onyx-redis", stage=Stage.SERVICES, wait=True),
                Release(
                    name="onyx-opensearch",
                    chart="opensearch",
                    stage=Stage.SERVICES,
                    wait=True,
                    timeout=600,
                    unpinned={
                        "persistence": "the init container that would run it is off (persistence.enableInitChown)",
                        "sysctlInit": "the init container that would run it is off (sysctlInit.enabled)",
                    },
                ),
                Release(
                    name="onyx",
                    chart="onyx",
                    uses=(DB, FILES, CACHE, INDEX, SIGN_IN, MAIL, LLM, SEARCH, INGRESS),
                    timeout=900,
                    wait=True,
                    unpinned={
                        "configMap": "the image of Craft's sandboxes, and Craft is off",
                        "bitnami/kubectl:latest": "cleans up after the bundled Postgres and Redis, which are off",
                    },
                ),
            ),
            wants=(SIGN_IN, MAIL, LLM, SEARCH, INGRESS),
            offers=(
                RedisOffer(
                    name="onyx",
                    release="onyx-redis",
                    host="onyx-redis",
                    password=Credential(self.name, "redis"),
                    pods={"app.kubernetes.io/instance": "onyx-redis"},
                ),
                OpenSearchOffer(
                    name="onyx",
                    release="onyx-opensearch",
                    host="onyx-opensearch-master",
                    password=text(
                        "Kw1-{password}", password=Credential(self.name, "opensearch", rotation=Rotation.INIT)
                    ),
                    pods={"app.kubernetes.io/instance": "onyx-opensearch"},
                ),
            ),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Wire the three charts to what was bound."""
        secrets = onyx_secrets(bound)
        host = f"{self.host}.{bound.home.domain}"
        return Wiring(
            secrets=tuple(secrets.values()),
            pre=hooks(bound, host=host),
            schema=(LLM_MODEL_FLOW,),
            network=workloads(bound, fetches_from=self.fetches_from),
            hosts=(host,) if bound.get(INGRESS) else (),
            overlay={
                "onyx": onyx_values(
                    bound,
                    secrets,
                    host=host,
                    replicas=self.replicas,
                    web_replicas=self.web_replicas,
                    workers=self.workers,
                    email_domains=self.email_domains,
                ),
                "onyx-redis": redis_values(bound, secrets["redis"]),
                "onyx-opensearch": opensearch_values(
                    bound, secrets["opensearch"], size=self.index_size, memory=self.index_memory
                ),
            },
        )
