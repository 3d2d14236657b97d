"""The table of mutations: offers that lead out of the namespace (b)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
from contract_changes import Row, both, cluster, config, offered, row, tenant
from kiwi_core import Endpoint, LlmOffer, Offer, PostgresOffer, SecretKey


@attrs.frozen(kw_only=True)
class Elsewhere(Offer):
    """Language models in a namespace of no known kind: a plugin may offer what it likes."""

    kind: ClassVar[str] = "llm"

    namespace: str | None = "monitoring"

    def endpoint(self) -> Endpoint:
        return Endpoint(ports=(80,), namespace=self.namespace)

    def bind(self, use: object, asked: object, home: object) -> object:
        return LlmOffer(namespace="kiwi-x").bind(use, asked, home)  # type: ignore[arg-type]


ROWS: Sequence[Row] = (
    row(
        "b",
        "offer-elsewhere",
        both(
            tenant(bind={"app/postgres": "db/main"}),
            offered(PostgresOffer(name="x", host="db.cust-other", admin=SecretKey("db-admin", "password"))),
        ),
        "component db",
        "'postgres' is in namespace 'cust-other'",
    ),
    row(
        "b",
        "offer-of-neither-kind",
        both(
            tenant(bind={"app/postgres": "db/main"}),
            offered(PostgresOffer(name="x", host="db.shared-data", admin=SecretKey("db-admin", "password"))),
        ),
        "component db",
        "'shared-data'",
    ),
    row(
        "b",
        "offer-of-a-shared-service",
        offered(LlmOffer(namespace="kiwi-llm-gateway")),
        "component db",
        "'kiwi-llm-gateway'",
    ),
    row(
        "b",
        "host-of-a-shared-service-of-no-kind",
        both(cluster(offers=(Elsewhere(),)), config("http://x.monitoring.svc")),
        "points into namespace 'monitoring'",
    ),
    row(
        "b",
        "shared-service-of-no-namespace",
        cluster(offers=(Elsewhere(namespace=None),)),
        "component app",
        "llm/app is served in namespace None",
    ),
    row(
        "b",
        "shared-service-of-no-kind",
        cluster(offers=(Elsewhere(),)),
        "component app",
        "llm/app is served in namespace 'monitoring'",
    ),
)
