"""The table of mutations: credentials (e)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from contract_changes import (
    Change,
    Row,
    both,
    config,
    declares,
    hook,
    manifest,
    offered,
    overlay,
    row,
    secret,
    tenant,
    values,
    wired,
    wires,
)
from kiwi_core import (
    Credential,
    PlainValue,
    RedisOffer,
    Secret,
    SecretKey,
    Text,
    Wiring,
    checksum,
    text,
    url,
)
from kiwi_core._compose.values import merge


def plain(**fields: str) -> Change:
    return wired(plain=(PlainValue(**{"release": "app", "path": "token", "reason": "x", **fields}),))


def stale(wiring: Wiring) -> Wiring:
    """Leave the checksum as it is and change what it is of."""
    first, *others = wiring.secrets
    changed = Secret(first.name, {**first.data, "password": Credential("app", "postgres/app", generation=2)})
    return attrs.evolve(wiring, secrets=(changed, *others))


ROWS: Sequence[Row] = (
    row(
        "e",
        "scope-claimed-twice",
        declares("db", lambda found: attrs.evolve(found, scopes=("app",))),
        "scope app",
        "'app' and 'db'",
    ),
    row(
        "e",
        "scope-claimed-by-two-others",
        both(*(declares(name, lambda found: attrs.evolve(found, scopes=("shared",))) for name in ("app", "db"))),
        "scope shared",
    ),
    row(
        "e",
        "scope-of-another-in-a-secret",
        secret("extra", {"x": Credential("db", "admin")}),
        "Secret extra",
        "db/admin",
    ),
    row(
        "e",
        "scope-of-another-in-a-text",
        secret("extra", {"x": text("a{p}", p=url(Credential("db", "admin")))}),
        "Secret extra",
        "db/admin",
    ),
    row(
        "e",
        "scope-of-another-in-values",
        config(Credential("db", "admin")),
        "release app",
        "db/admin",
        "neither claims",
    ),
    row(
        "e",
        "scope-of-another-in-a-hook",
        hook("pre", env={"X": Credential("db", "admin")}),
        "hook database",
        "db/admin, whose",
    ),
    row("e", "scope-of-nobody", secret("extra", {"x": Credential("nobody", "x")}), "Secret extra", "nobody/x"),
    row(
        "e",
        "lent-credential-in-another-generation",
        secret("extra", {"x": Credential("db", "cache", generation=2)}),
        "db/cache",
    ),
    row(
        "e",
        "lent-by-who-does-not-own-it",
        both(
            tenant(bind={"app/redis": "db/main"}),
            offered(RedisOffer(name="x", host="x", password=Credential("app", "x"))),
        ),
        "component db",
        "app/x",
    ),
    row("e", "credential-in-values", config(Credential("app", "x")), "release app: config.SETTING", "app/x"),
    row(
        "e", "credential-in-a-text-in-values", config(text("a{p}", p=Credential("app", "x"))), "config.SETTING", "app/x"
    ),
    row("e", "credential-encoded-in-values", config(url(Credential("app", "x"))), "config.SETTING", "app/x"),
    row(
        "e",
        "credential-in-a-list-in-values",
        values("app", {"extraEnvs": [{"name": "X", "value": Credential("app", "x")}]}),
        "extraEnvs[0].value",
    ),
    row(
        "e",
        "credential-in-a-hook",
        hook("pre", env={"PGPASSWORD": Credential("app", "x")}),
        "hook database",
        "variable PGPASSWORD",
        "app/x",
    ),
    row(
        "e",
        "credential-in-a-hooks-text",
        hook("pre", env={"DSN": text("x{p}", p=Credential("app", "x"))}),
        "hook database",
        "DSN",
    ),
    row(
        "e",
        "credential-in-a-hooks-command",
        hook("pre", command=("psql", text("-W{p}", p=Credential("app", "x")))),
        "hook database",
        "command",
    ),
    row("e", "plain-value-undeclared", wired(plain=()), "release app: token", "app/token"),
    row("e", "plain-value-elsewhere", plain(path="tokn"), "release app", "declared at tokn"),
    row("e", "plain-value-of-another-release", plain(release="worker"), "release worker", "declared at token"),
    row("e", "plain-value-where-no-credential-is", plain(path="replicas"), "declared at replicas, where no"),
    row("e", "plain-value-without-a-reason", plain(reason=" "), "release app", "token has no reason"),
    row("e", "password-literal", config("hunter2", "DB_PASSWORD"), "release app: config.DB_PASSWORD"),
    row(
        "e",
        "password-by-the-customer",
        overlay("app", {"config": {"adminPassword": "hunter2"}}),
        "overlays/app.yaml:7",
        "config.adminPassword",
    ),
    row(
        "e",
        "password-by-the-lane",
        overlay("app", {"config": {"SMTP_PASS": "hunter2"}}, "lane dev"),
        "config.SMTP_PASS",
    ),
    row("e", "password-a-number", config(12345678, "password"), "config.password"),
    row("e", "password-named-like-a-key", config("password", "DB_PASSWORD"), "config.DB_PASSWORD"),
    row("e", "secret-named-like-a-key", config("password", "clientSecret"), "config.clientSecret"),
    row("e", "api-key-named-like-a-key", config("password", "apiKey"), "config.apiKey"),
    row(
        "e",
        "password-in-env-named-like-a-key",
        values("app", {"extraEnvs": [{"name": "DB_PASSWORD", "value": "password"}]}),
        "extraEnvs[0].value",
    ),
    row(
        "e",
        "password-in-env",
        values("app", {"extraEnvs": [{"name": "PGPASSWORD", "value": "hunter2"}]}),
        "extraEnvs[0].value",
    ),
    row("e", "password-in-a-url", config("postgresql://app:hunter2@db/app"), "config.SETTING"),
    row("e", "password-in-a-hook", hook("pre", env={"PGPASSWORD": "hunter2"}), "release app-pre"),
    row("e", "password-in-a-secret", secret("extra", {"password": "hunter2"}), "Secret extra", "'password'"),
    row(
        "e",
        "password-in-a-url-in-a-secret",
        secret("extra", {"dsn": "postgresql://app:hunter2@db/app"}),
        "Secret extra",
        "'dsn'",
    ),
    row(
        "e",
        "password-in-a-text-in-a-secret",
        secret("extra", {"dsn": text("postgresql://app:hunter2@{p}/app", p=Credential("app", "x"))}),
        "Secret extra",
    ),
    row(
        "e", "password-as-a-text-of-nothing-derived", secret("extra", {"password": Text(("hunter2",))}), "Secret extra"
    ),
    row("e", "private-key-by-any-name", config("-----BEGIN EC PRIVATE KEY-----\nx"), "config.SETTING"),
    *(
        row("e", f"literal-{key}", config("hunter2", key), f"config.{key}")
        for key in (
            "token",
            "API_KEY",
            "apiKey",
            "secretKey",
            "S3_SECRET_ACCESS_KEY",
            "private_key",
            "clientSecret",
            "USER_AUTH_SECRET",
            "ENCRYPTION_KEY",
            "passphrase",
            "db-pass",
            "redisPass",
            "LITELLM_MASTER_KEY",
        )
    ),
    row(
        "e",
        "secret-of-nobody",
        values("app", {"auth": {"llm": {"existingSecret": "mine"}}}),
        "release app: auth.llm.existingSecret",
        "'mine'",
    ),
    row(
        "e", "secret-misspelt", values("app", {"auth": {"llm": {"existingSecret": "app-lm"}}}), "'app-lm'", "'app-llm'"
    ),
    row(
        "e",
        "secret-of-another-component",
        values("app", {"auth": {"llm": {"existingSecret": "db-admin"}}}),
        "'db-admin'",
    ),
    row(
        "e",
        "secret-of-the-administrator",
        values("worker", {"podAnnotations": {"secretName": "db-admin"}}),
        "release worker",
        "'db-admin'",
    ),
    row(
        "e",
        "secret-of-nobody-in-env",
        values("app", {"extraEnvs": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "x"}}}]}),
        "secretKeyRef.name",
        "'mine'",
    ),
    row(
        "e",
        "secret-of-nobody-in-a-volume",
        manifest("Pod", spec={"volumes": [{"secret": {"secretName": "mine"}}]}),
        "'mine'",
    ),
    row(
        "e",
        "secret-of-nobody-in-env-from",
        manifest("Pod", spec={"envFrom": [{"secretRef": {"name": "mine"}}]}),
        "'mine'",
    ),
    row(
        "e",
        "secret-by-the-customer",
        overlay("app", {"auth": {"llm": {"existingSecret": "mine"}}}),
        "overlays/app.yaml:7",
        "'mine'",
    ),
    row(
        "e",
        "key-that-a-secret-lacks",
        values("app", {"auth": {"database": {"secretKeys": {"DB_PASSWORD": "pasword"}}}}),
        "secretKeys.DB_PASSWORD is 'pasword'",
        "'app-db'",
        "'password'",
    ),
    row(
        "e",
        "key-like-none-that-a-secret-has",
        config({"existingSecret": "app-db", "secretKeys": {"X": "zzz"}}, "auth"),
        "secretKeys.X is 'zzz'",
        "it holds: dsn, password, username",
    ),
    row(
        "e",
        "key-that-a-lent-secret-lacks",
        values("app", {"auth": {"smtp": {"secretKeys": {"SMTP_PASS": "x"}}}}),
        "'mail-account'",
    ),
    row(
        "e",
        "key-that-a-secret-lacks-in-env",
        values("app", {"extraEnvs": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "app-cache", "key": "x"}}}]}),
        "secretKeyRef.key is 'x'",
    ),
    row(
        "e", "hook-takes-a-secret-of-nobody", hook("pre", env={"X": SecretKey("mine", "x")}), "hook database", "'mine'"
    ),
    row(
        "e",
        "hook-takes-a-key-that-is-not-there",
        hook("pre", env={"X": SecretKey("app-db", "pasword")}),
        "hook database",
        "'pasword'",
        "app-db/password",
    ),
    row(
        "e",
        "hook-takes-an-admins-key-without-acting-on-it",
        hook("post", env={"X": SecretKey("db-admin", "password")}),
        "hook key",
        "'db-admin'",
    ),
    row("e", "checksum-stale", wires("app", stale), "release app", "app-db", "stale"),
    row(
        "e", "checksum-missing", values("db", {"podAnnotations": {"checksum/secrets": None}}), "release db", "db-admin"
    ),
    row(
        "e",
        "checksum-made-up",
        values("db", {"podAnnotations": {"checksum/secrets": "k" + "0" * 31}}),
        "release db",
        "db-admin",
    ),
    row(
        "e",
        "checksum-of-too-few",
        both(secret("more", {"x": Credential("app", "x")}), config("more", "secretName")),
        "release app",
        "more",
    ),
    row(
        "e",
        "checksum-of-another-release",
        values("worker", {"podAnnotations": {"x": "app-db"}}),
        "release worker",
        "app-db",
    ),
    row(
        "e",
        "checksum-that-lands-on-no-pod",
        both(
            values("db", {"podAnnotations": None}),
            wires(
                "db",
                lambda wiring: attrs.evolve(
                    wiring, overlay={"db": merge((wiring.overlay["db"], {"replicas": checksum(*wiring.secrets)}))}
                ),
            ),
        ),
        "release db",
        "lands on no pod",
    ),
)
