"""A small tenant that keeps the contract.

Two components with captured charts: a database that offers Postgres and Redis, and an application that uses both, the
cluster's language models and a mail server that already runs. A :class:`Scene` is all that a stack and its check are
made of; ``contract_changes`` makes others of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import ClassVar, Final

import attrs
from contract_captures import CHARTS, HISTORY
from kiwi_core import (
    AlembicSchema,
    Bound,
    Cluster,
    Component,
    Credential,
    Customer,
    Declaration,
    Egress,
    ExistingServices,
    Job,
    Lane,
    LlmGateway,
    LlmOffer,
    PlainValue,
    Postgres,
    PostgresOffer,
    Redis,
    RedisOffer,
    Release,
    Secret,
    SecretKey,
    Smtp,
    SmtpOffer,
    Stage,
    Tenant,
    Tier,
    Value,
    Wiring,
    Workload,
    checksum,
    text,
    url,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.sharing import ClusterTree, digest_of
from kiwi_core._compose.stack import Inputs, Package, Stack
from kiwi_core._compose.values import Layer
from kiwi_core._contract.results import Commit, Evidence, Outcome, Result, Rule, check
from kiwi_core._derive.lock import Lock, LockEntry, names_of
from kiwi_core._model.capture import (
    ChartCapture,
    SchemaCapture,
)
from kiwi_core._model.cluster import Target
from kiwi_core._model.pins import ChartPin, ImagePin, PinFiles, Pins
from kiwi_core.plugins import Plugins

DB, CACHE, LLM, MAIL = Postgres("app"), Redis("app"), LlmGateway("app"), Smtp("app")
DIGEST = "sha256:" + "0" * 64
TREE = "sha256:" + "7" * 64
LINE = 7
"""Where everything stands that stands in a file."""


def unchanged(value: object) -> object:
    return value


@attrs.frozen(kw_only=True)
class Altered(Component):
    """A component whose declaration and wiring a test may change."""

    declares: Callable[[Declaration], Declaration] = unchanged  # type: ignore[assignment]
    wires: Callable[[Wiring], Wiring] = unchanged  # type: ignore[assignment]


@attrs.frozen(kw_only=True)
class Db(Altered):
    """A server for databases and a cache."""

    kind: ClassVar[str] = "db"

    def declare(self) -> Declaration:
        return self.declares(
            Declaration(
                releases=(Release(name="db", chart="db", stage=Stage.SERVICES),),
                offers=(
                    PostgresOffer(release="db", host="db", admin=SecretKey("db-admin", "password")),
                    RedisOffer(release="db", host="db-cache", password=Credential("db", "cache")),
                ),
            )
        )

    def wire(self, bound: Bound) -> Wiring:
        secret = Secret("db-admin", {"password": bound.credential("admin"), "cache": bound.credential("cache")})
        repository, tag = bound.image("db")
        return self.wires(
            Wiring(
                secrets=(secret,),
                overlay={
                    "db": {
                        "image": {"repository": repository, "tag": tag},
                        "existingSecret": secret.name,
                        "podAnnotations": {"checksum/secrets": checksum(secret)},
                    }
                },
            )
        )


@attrs.frozen(kw_only=True)
class App(Altered):
    """An application with a worker, a pre hook and a post hook."""

    kind: ClassVar[str] = "app"

    def declare(self) -> Declaration:
        return self.declares(
            Declaration(
                releases=(
                    Release(name="app", chart="app", uses=(DB, CACHE, LLM, MAIL)),
                    Release(name="worker", chart="worker", uses=(DB,), needs=("app",)),
                ),
                wants=(LLM, MAIL),
            )
        )

    def wire(self, bound: Bound) -> Wiring:
        db, cached, llm, mail = bound[DB], bound[CACHE], bound.get(LLM), bound.get(MAIL)
        dsn = text("postgresql://{user}:{word}@{host}/app", user=db.user, word=url(db.password), host=db.host)
        secrets = (
            Secret("app-db", {"username": db.user, "password": db.password, "dsn": dsn}),
            Secret("app-cache", {"password": cached.password}),
            *((Secret("app-llm", {"key": llm.key}),) if llm else ()),
        )
        mark: Value = {"checksum/secrets": checksum(*secrets)}
        images: dict[str, Value] = {
            name: dict(zip(("repository", "tag"), bound.image(name), strict=True)) for name in IMAGES
        }
        smtp: Value = {"enabled": False}
        if mail and mail.password:
            smtp = {
                "enabled": True,
                "existingSecret": mail.password.secret,
                "secretKeys": {"SMTP_PASS": mail.password.key},
            }
        tools = bound.image("tools")
        on_llm = Job(
            name="key",
            on=(LLM,),
            image=tools,
            observe=("false",),
            command=("make-key",),
            env={"KEY": SecretKey("app-llm", "key"), "URL": llm.url if llm else ""},
        )
        return self.wires(
            Wiring(
                secrets=secrets,
                pre=(
                    Job(
                        name="database",
                        on=(DB,),
                        image=tools,
                        observe=("false",),
                        command=("make-database",),
                        env={"PGHOST": db.host, "PGPASSWORD": SecretKey("db-admin", "password")},
                    ),
                ),
                post=(on_llm,) if llm else (),
                schema=(AlembicSchema(image="app", minimum="b2", because="the seed"),),
                network=(Workload(name="web", pods={"app": "web"}, calls=(LLM,), egress=(Egress(to="github.com"),)),),
                plain=(PlainValue(release="app", path="token", reason="the chart reads it from its values alone"),),
                overlay={
                    "app": {
                        "replicas": 2,
                        "image": images["app"],
                        "web": {"image": images["web"], "podAnnotations": mark},
                        "cache": {"enabled": False},
                        "token": bound.credential("token"),
                        "podAnnotations": mark,
                        "auth": {
                            "database": {
                                "enabled": True,
                                "existingSecret": "app-db",
                                "secretKeys": {"DB_PASSWORD": "password"},
                            },
                            "llm": {"enabled": bool(llm), "existingSecret": "app-llm" if llm else ""},
                            "smtp": smtp,
                        },
                        "config": {
                            "DB_HOST": db.host,
                            "LLM_URL": llm.url if llm else "",
                            "PUBLIC_URL": f"https://app.{bound.home.domain}/",
                        },
                        "extraEnvs": [
                            {
                                "name": "CACHE_PASSWORD",
                                "valueFrom": {"secretKeyRef": {"name": "app-cache", "key": "password"}},
                            }
                        ],
                    },
                    "worker": {"image": images["worker"], "databaseHost": db.host},
                },
            )
        )


IMAGES: Final = ("app", "web", "worker", "db", "tools", "cache", "sidecar", "kiwiHooks")


def chart_pin(name: str) -> ChartPin:
    return ChartPin(registry="registry.example", repository="charts", name=name, version="1.0.0", digest=DIGEST)


def image_pin(name: str) -> ImagePin:
    return ImagePin(registry="docker.io", repository=f"acme/{name.lower()}", tag=f"v1.2.0@{DIGEST}")


def pin_texts(chart: str = "1.0.0", image: str = "v1.2.0", *, note: str = "") -> Mapping[str, str]:
    """Return the pin files of a moment: those of ``app`` at two versions, with a comment above both."""
    return {
        "charts": f"charts:\n{note}  app:\n    registry: r.example\n    name: app\n    version: {chart}\n",
        "images": f"images:\n{note}  app:\n    registry: r.example\n    repository: acme/app\n    tag: {image}\n",
    }


def commit(before: Mapping[str, str], after: Mapping[str, str]) -> Commit:
    return Commit(revision="0123456789abcdef", before=before, after=after)


TOGETHER: Final = commit(pin_texts("0.9.0", "v1.1.0"), pin_texts())
CLUSTER: Final = Cluster(
    name="core-1",
    tier=Tier.CORE,
    pod_cidrs=("10.244.0.0/16",),
    service_cidrs=("10.96.0.0/12",),
    node_cidrs=("192.0.2.0/24",),
    offers=(LlmOffer(namespace="kiwi-llm-gateway"),),
    customers=(
        Customer(slug="acme", domain="acme.example", ports=("10000/udp",)),
        Customer(slug="other", domain="other.example", ports=("25/tcp",)),
    ),
)
EVIDENCE: Final = Evidence(history=(TOGETHER,))
TENANT: Final = Tenant(slug="acme", domain="acme.example", cluster="core-1")
MAIL_SERVER: Final = ExistingServices(
    smtp=SmtpOffer(host="mail", user="app", password=SecretKey("mail-account", "smtp-password"))
)


@cache
def core() -> tuple[Package, tuple[Rule, ...]]:
    """Return the core's own package and the contract, as every build has them."""
    plugins = Plugins(())
    return plugins.packages(())[""], plugins.rules()


@attrs.frozen(kw_only=True)
class Scene:
    """All that a stack and its check are made of.

    Attributes:
        captures, schemas: what the packages of ``app`` and ``db`` ship.
        change: is applied to the composed stack.
    """

    tenant: Tenant = TENANT
    components: tuple[Component, ...] = (App(), Db(), MAIL_SERVER)
    cluster: Cluster = CLUSTER
    lane: Lane = Lane.DEV
    charts: Mapping[str, ChartPin] = {
        name: chart_pin(name) for name in ("app", "worker", "db", "kiwi-foundation", "kiwi-hooks", "kiwi-namespace")
    }
    images: Mapping[str, ImagePin] = {name: image_pin(name) for name in IMAGES}
    captures: Mapping[str, ChartCapture] = CHARTS
    schemas: Mapping[str, SchemaCapture] = {"acme/app": HISTORY}
    overlays: Mapping[str, Sequence[Layer]] = {}
    evidence: Evidence = EVIDENCE
    change: Callable[[Stack], Stack] = unchanged  # type: ignore[assignment]

    def target(self) -> Target:
        """What is built: the customer."""
        return attrs.evolve(self.tenant, components=self.components)

    def tree(self) -> ClusterTree | None:
        """What its cluster was built to: what it is now."""
        return ClusterTree(digest=TREE, shared=digest_of(self.cluster), customers=(self.tenant.slug,))

    def stack(self) -> Stack:
        """Compose it, as a build does."""
        package = Package(
            distribution="a-test",
            version="1.0.0",
            captures={(name, "1.0.0"): capture for name, capture in self.captures.items()},
            schemas=self.schemas,
        )
        pins = PinFiles(
            pins=Pins(charts=self.charts, images=self.images),
            charts_file="charts.yaml",
            images_file="images.yaml",
            line=lambda _: LINE,
        )
        core_package, _ = core()
        target = self.target()
        inputs = Inputs(
            target=target,
            cluster_tree=self.tree(),
            cluster=target if isinstance(target, Cluster) else self.cluster,
            lane=self.lane,
            pins=pins,
            packages={"": core_package} | {item.kind: package for item in self.components},
            overlays=self.overlays,
        )
        # Fingerprints were taken of what it names.
        names = names_of(compose(inputs).credentials)
        entries = {name: LockEntry(generation=late.generation, fingerprint="0" * 32) for name, late in names.items()}
        lock = Lock(seed=f"k{'0' * 31}", credentials=entries)
        return self.change(compose(attrs.evolve(inputs, lock=lock)))

    def results(self, rule: str | None = None) -> tuple[Result, ...]:
        """Prove the contract, or one rule of it."""
        _, rules = core()
        return check(self.stack(), self.evidence, [item for item in rules if rule in {None, item.letter}])

    def of(self, outcome: Outcome, rule: str | None = None) -> list[str]:
        """Return what the rules, or one of them, say with an outcome."""
        return [str(found) for found in self.results(rule) if found.outcome is outcome]
