"""The table of mutations: layers of values (d)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from contract_changes import (
    Row,
    both,
    capture,
    composed,
    overlay,
    row,
    uncaptured,
    values,
)
from kiwi_core import (
    Secret,
    checksum,
)
from kiwi_core._compose.values import Layer

MISSPELT = "which chart app 1.0.0 does not have"
ROWS: Sequence[Row] = (
    row(
        "d",
        "misspelt-at-depth-1",
        overlay("app", {"replica": 3}),
        "release app: overlays/app.yaml:7: replica",
        MISSPELT,
        "'replicas'",
    ),
    row("d", "misspelt-at-depth-2", overlay("app", {"web": {"enable": False}}), "web.enable,", "'enabled'"),
    row("d", "misspelt-at-depth-3", overlay("app", {"auth": {"smtp": {"value": {}}}}), "auth.smtp.value,", "'values'"),
    row(
        "d",
        "misspelt-below-what-a-template-reads",
        overlay("app", {"web": {"resources": {"limit": {}}}}),
        "web.resources.limit,",
        "'limits'",
    ),
    row(
        "d",
        "misspelt-below-a-key-that-a-template-reads",
        both(capture("app", reads=("web.resources",)), overlay("app", {"web": {"resources": {"x": 1}}})),
        "web.resources.x,",
    ),
    row(
        "d",
        "like-a-key-of-another-part",
        overlay("app", {"auth": {"smtp": {"limit": {}}}}),
        "auth.smtp.limit,",
        "auth.smtp has: enabled",
    ),
    row("d", "like-no-key-at-all", overlay("app", {"zzzzzz": 1}), "zzzzzz,", "the chart has: auth"),
    row("d", "misspelt-with-an-empty-map", overlay("app", {"wep": {}}), "wep,", MISSPELT),
    row("d", "misspelt-with-null", overlay("app", {"wep": None}), "wep,", MISSPELT),
    row("d", "misspelt-in-capitals", overlay("app", {"Replicas": 3}), "Replicas,", "'replicas'"),
    row("d", "misspelt-by-the-lane", overlay("app", {"replica": 3}, "lane dev"), "lane dev sets replica", MISSPELT),
    row("d", "misspelt-by-the-component", values("app", {"replica": 3}), "component app (a-test 1.0.0) sets replica"),
    row(
        "d",
        "misspelt-in-a-captured-subchart",
        overlay("app", {"cache": {"persistense": {}}}),
        "cache.persistense",
        "'persistence'",
    ),
    row(
        "d",
        "subchart-that-is-not-there",
        overlay("app", {"postgresql": {"enabled": False}}),
        "postgresql.enabled",
        MISSPELT,
    ),
    row("d", "key-below-a-value", overlay("app", {"replicas": {"min": 1}}), "replicas.min", MISSPELT),
    row(
        "d",
        "global-that-nobody-reads",
        both(capture("app", subcharts=()), overlay("app", {"global": {"x": 1}})),
        "global.x",
    ),
    row("d", "image-tag", overlay("app", {"image": {"tag": ""}}), "sets image.tag", "pin it in images.yaml"),
    row(
        "d",
        "image-repository",
        overlay("app", {"web": {"image": {"repository": "evil/web"}}}),
        "sets web.image.repository",
    ),
    row(
        "d",
        "image-registry",
        both(uncaptured("app"), overlay("app", {"image": {"registry": "evil.example"}})),
        "sets image.registry",
    ),
    row("d", "image-digest", both(uncaptured("app"), overlay("app", {"image": {"digest": ""}})), "sets image.digest"),
    row(
        "d",
        "image-of-a-part-that-is-off",
        overlay("app", {"sidecar": {"image": {"tag": "2"}}}),
        "sets sidecar.image.tag",
    ),
    row("d", "image-replaced-whole", overlay("app", {"image": None}), "sets image, which would touch image."),
    row("d", "image-by-the-lane", overlay("app", {"image": {"tag": "x"}}, "lane dev"), "lane dev sets image.tag"),
    row(
        "d",
        "secret-by-another-name",
        overlay("app", {"auth": {"database": {"existingSecret": "mine"}}}),
        "auth.database.existingSecret",
        "Secret 'app-db'",
    ),
    row("d", "secret-taken-away", overlay("app", {"auth": {"database": {"existingSecret": None}}}), "Secret 'app-db'"),
    row("d", "secret-at-the-root", overlay("db", {"existingSecret": ""}), "release db", "Secret 'db-admin'"),
    row(
        "d",
        "secret-that-is-lent",
        overlay("app", {"auth": {"smtp": {"existingSecret": "mine"}}}),
        "Secret 'mail-account'",
    ),
    row(
        "d",
        "section-of-a-secret-off",
        overlay("app", {"auth": {"database": {"enabled": False}}}),
        "auth.database.enabled",
    ),
    row(
        "d",
        "key-of-a-secret",
        overlay("app", {"auth": {"database": {"secretKeys": {"DB_PASSWORD": "username"}}}}),
        "Secret 'app-db'",
    ),
    row(
        "d",
        "key-of-a-secret-that-was-left-out",
        overlay("app", {"auth": {"llm": {"secretKeys": {"K": "x"}}}}),
        "Secret 'app-llm'",
    ),
    row(
        "d", "parent-null", overlay("app", {"auth": None}), "sets auth, which would touch auth.database.existingSecret"
    ),
    row("d", "parent-null-in-between", overlay("app", {"auth": {"database": None}}), "auth.database"),
    row("d", "parent-a-list", overlay("app", {"auth": ["x"]}), "sets auth, which would touch"),
    row("d", "parent-an-empty-list", overlay("app", {"auth": []}), "sets auth, which would touch"),
    row("d", "parent-a-text", overlay("app", {"auth": "off"}), "sets auth, which would touch"),
    row("d", "parent-false", overlay("app", {"auth": {"database": False}}), "auth.database"),
    row(
        "d",
        "credential-replaced-by-a-map",
        overlay("app", {"token": {"x": 1}}),
        "sets token.x, which would touch token",
    ),
    row("d", "credential-in-a-plain-value", overlay("app", {"token": "mine"}), "sets token", "credential"),
    row(
        "d",
        "list-with-a-secret-replaced",
        overlay("app", {"extraEnvs": [{"name": "X", "value": "y"}]}),
        "sets extraEnvs",
        "Secret 'app-cache'",
    ),
    row("d", "list-with-a-secret-emptied", overlay("app", {"extraEnvs": []}), "sets extraEnvs"),
    row("d", "checksum", overlay("app", {"podAnnotations": {"checksum/secrets": "x"}}), "checksum that restarts"),
    row("d", "checksum-taken-away", overlay("app", {"web": {"podAnnotations": None}}), "sets web.podAnnotations"),
    row(
        "d",
        "checksum-under-another-name",
        both(
            values("db", {"podAnnotations": {"mark": checksum(Secret("x", {"y": "z"}))}}),
            overlay("db", {"podAnnotations": {"mark": "x"}}),
        ),
        "checksum",
    ),
    row("d", "namespace", overlay("app", {"namespaceOverride": "cust-acme"}), "sets namespaceOverride"),
    row(
        "d",
        "foundation",
        overlay("foundation", {"allow": []}),
        "release foundation: overlays/foundation.yaml",
        "the customer",
    ),
    row(
        "d",
        "foundation-by-the-lane",
        overlay("foundation", {"quota": {}}, "lane dev"),
        "lane dev sets values of the foundation",
    ),
    row("d", "hooks", overlay("app-pre", {"jobs": {}}), "release app-pre", "a hook release"),
    row(
        "d",
        "lane-after-the-customer",
        both(overlay("app", {"replicas": 3}), overlay("app", {"replicas": 2}, "lane dev")),
        "followed by that of lane dev",
    ),
    row(
        "d",
        "component-after-the-customer",
        both(
            overlay("app", {"replicas": 3}), composed("app", lambda item: attrs.evolve(item, layers=item.layers[::-1]))
        ),
        "release app",
        "is followed",
    ),
    row(
        "d",
        "customer-lost",
        both(overlay("app", {"replicas": 3}), composed("app", lambda item: attrs.evolve(item, layers=item.layers[:1]))),
        "release app",
        "the customer is not among its values",
    ),
    row(
        "d",
        "customer-changed",
        both(
            overlay("app", {"replicas": 3}),
            composed(
                "app",
                lambda item: attrs.evolve(item, layers=(*item.layers[:1], Layer(origin="the customer", values={}))),
            ),
        ),
        "not among its values",
    ),
)
