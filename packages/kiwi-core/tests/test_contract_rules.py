"""What keeps the contract stays green, however suspicious it looks; what nobody can say is unproven, and no pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs
import pytest
from contract_captures import APP_CHART
from contract_changes import (
    Change,
    both,
    capture,
    chart,
    cluster,
    config,
    declared,
    declares,
    evidence,
    hook,
    image,
    locked,
    manifest,
    offered,
    overlay,
    policy,
    scene,
    schema,
    secret,
    tenant,
    uncaptured,
    values,
    wired,
    wires,
)
from contract_stack import DIGEST, Scene, commit, pin_texts
from kiwi_core import (
    AlembicSchema,
    Asked,
    Credential,
    Home,
    Lane,
    LlmBinding,
    Offer,
    Pin,
    PlainValue,
    Secret,
    SecretKey,
    Stage,
    Use,
    Value,
    Wiring,
    checksum,
    text,
    url,
)
from kiwi_core._compose.lending import named_in
from kiwi_core._compose.policy import NAMESPACE_LABEL
from kiwi_core._compose.values import merge
from kiwi_core._contract.results import Outcome, finding, passed, proven, unproven
from kiwi_core._model.capture import UNSAID, CapturedImage, ClusterObject, HardCodedImage, Subchart
from kiwi_core._model.capture import Workload as Pods

SANDBOX = "its chart may render a Namespace when web.enabled (templates/sandbox.yaml)"


@pytest.mark.parametrize("lane", Lane)
def test_the_tenant_that_all_mutations_start_from_has_no_finding(lane: Lane) -> None:
    assert Scene(lane=lane).of(Outcome.FINDING) == []


@pytest.mark.parametrize("lane", Lane)
def test_one_thing_of_it_is_unproven(lane: Lane) -> None:
    assert [SANDBOX in said for said in Scene(lane=lane).of(Outcome.UNPROVEN)] == [True]


def test_every_rule_passes_something_of_it() -> None:
    assert {found.rule for found in Scene().results() if found.outcome is Outcome.PASS} == {*"abcdefg", "spec"}


HOSTS = {
    "of-a-service": "db",
    "own-namespace": "http://db.cust-acme.svc.cluster.local:5432/",
    "own-namespace-short": "db.cust-acme:5432",
    "own-namespace-in-a-list": "a.cust-acme:1,b.cust-acme.svc:2",
    "own-namespace-by-a-template": "{{ .Release.Name }}-db.{{ .Release.Namespace }}.svc.cluster.local",
    "own-account": "system:serviceaccount:cust-acme:default",
    "gateway-in-use": "http://litellm.kiwi-llm-gateway.svc.cluster.local:4000/v1",
    "gateway-in-use-short": "litellm.kiwi-llm-gateway:4000",
    "public": "db.example.com",
    "public-with-a-port": "db.example.com:5432",
    "public-like-a-customer": "https://cust-portal.example.org/path",
    "public-like-a-gateway": "s3.kiwi-bird.com",
    "public-like-a-gateway-with-user": "https://me@kiwi-bird.com:8443/x",
    "public-with-svc-in-it": "https://api.svc.example.com/",
    "public-with-svc-at-its-start": "svc.example.com",
    "public-with-pod-in-it": "https://my.pod.example.com/",
    "public-with-a-foreign-top": "https://xn--bcher-kva.xn--p1ai/",
    "public-with-default-in-it": "https://default.example.com/",
    "full-name-outside": "ldap://ldap.corp-net./",
    "mail-address": "someone@mail.my-corp.example",
    "local": "http://localhost:8080",
    "loopback": "127.0.0.1:80",
    "outside": "203.0.113.7:443",
    "version-of-four-parts": "2024.300.10.1",
    "number-of-four-parts": "10.244.300.1",
    "network": "10.244.0.0/16",
    "no-proxy": "localhost,.svc,.cluster.local,10.96.0.0/12",
    "annotation": "nginx.ingress.kubernetes.io/rewrite-target",
    "path-that-ends-in-pod": "spec.template.pod",
    "file": "/etc/app.d/my-app.conf-old",
    "version": "1.2.3-rc-1",
    "package": "lodash@4.17.21-beta",
    "time": "12:30:45",
    "prose": "See values.my-key for more. Default: none.",
}
OWN_ROLE = "apiVersion: v1\nkind: Role\nmetadata:\n  name: x\n  namespace: cust-acme\n"
BINDING_TEXT = "apiVersion: v1\nkind: RoleBinding\nroleRef:\n  kind: ClusterRole\n  name: view\n"
VIEW: Value = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
CLASS: Value = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "name": "fast"}


@attrs.frozen(kw_only=True)
class Abroad(Offer):
    """Language models that answer outside of the cluster."""

    kind: ClassVar[str] = "llm"

    def bind(self, use: Use[object], asked: Asked, home: Home) -> LlmBinding:
        return LlmBinding(url=f"https://{home.slug}.llm.example/v1", key=text("sk-{key}", key=asked.credential(use)))


V4, V6 = "0.0.0.0/0", "::/0"
NAMESPACE = {
    "offer-that-says-nowhere": offered(Abroad()),
    "policy-to-the-outside": policy(egress=[{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]),
    "policy-to-dns": policy(
        egress=[{"to": [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}}]}]
    ),
    "policy-to-all-but-the-cluster": policy(
        egress=[{"to": [{"ipBlock": {"cidr": V4, "except": ["10.0.0.0/8", "fe80::/10", "192.0.2.0/24"]}}]}]
    ),
    "policy-between-its-own": policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]),
    "policy-that-closes": policy(ingress=[], egress=[]),
    "policy-in-a-cluster-of-both-families": both(
        cluster(pod_cidrs=("10.244.0.0/16", "fd00::/48")),
        policy(egress=[{"to": [{"ipBlock": {"cidr": V6, "except": ["10.0.0.0/8", "fd00::/8"]}}]}]),
    ),
    "kind-of-no-object": config({"kind": "ClusterIssuer"}, "issuerRef"),
    "version-of-no-object": config({"apiVersion": "v1"}, "settings"),
    "shared-service-outside": cluster(offers=(Abroad(),)),
    **{f"host-{name}": config(value) for name, value in HOSTS.items()},
    "host-of-the-domain": both(tenant(domain="acme.corp-net"), config("https://app.acme.corp-net/")),
    "host-under-a-key-of-hosts": config("db.example.com", "DB_HOST"),
    "name-of-a-logger": config("app.my-module", "logger"),
    "file-under-a-key-of-servers": config("/etc/nginx/x.my-conf", "nginx.server"),
    "gateway-in-a-hook": hook("post", env={"URL": "http://litellm.kiwi-llm-gateway.svc:4000"}),
    "gateway-in-a-secret-of-who-uses-it": secret("extra", {"url": "http://litellm.kiwi-llm-gateway.svc:4000"}),
    "namespace-its-own": values("app", {"namespaceOverride": "cust-acme"}),
    "namespace-left-empty": values("app", {"namespaceOverride": ""}),
    "namespace-by-a-template": values("app", {"namespaceOverride": "{{ .Release.Namespace }}"}),
    "namespace-by-its-label": config({"matchLabels": {NAMESPACE_LABEL: "kiwi-llm-gateway"}}, "peers"),
    "object-of-the-namespace": manifest("ConfigMap"),
    "object-of-the-namespace-that-says-so": manifest("Role", metadata={"name": "x", "namespace": "cust-acme"}),
    "object-as-text": config(OWN_ROLE),
    "binding-to-a-cluster-role": manifest("RoleBinding", roleRef=VIEW),
    "binding-to-a-cluster-role-as-text": config(BINDING_TEXT),
    "reference-to-a-cluster-object": manifest("Claim", spec={"class": CLASS}),
    "text-that-speaks-of-an-object": config("the kind: ClusterRole of apiVersion: v1"),
    "declared-object": both(
        declared("app", cluster_objects=("ClusterRole/acme-app",)),
        manifest("ClusterRole", metadata={"name": "acme-app"}),
    ),
    "declared-object-that-the-chart-renders": both(
        declared("app", cluster_objects=("ClusterRole/cust-acme",)), values("app", {"rbac": {"create": True}})
    ),
    "chart-renders-it-when-it-is-off": values("app", {"rbac": {"create": None}}),
    "chart-renders-it-in-a-part-that-is-off": capture(
        "db", cluster_objects=(ClusterObject(kind="ClusterRole", file="x", guards=("a.b", UNSAID)),)
    ),
}

PARTS: tuple[Literal["registry", "repository", "tag"], ...] = ("registry", "repository", "tag")
IN_PARTS = (CapturedImage(path="image", keys=("registry", "repository", "tag"), repository="upstream/db"),)
TWO_IN_ONE = (CapturedImage(path="image", keys=("image", "initImage"), repository="upstream/db"),)
SWITCHED_BY_THE_SECOND = (Subchart(name="search", version="2.0.0", conditions=("nobody.has", "search.enabled")),)
PINS: dict[str, Change] = {
    "subchart-off-by-its-second-condition": capture("app", subcharts=SWITCHED_BY_THE_SECOND),
    "subchart-off": overlay("app", {"cache": {"enabled": False}}),
    "part-on-with-a-pin": both(
        values("app", {"sidecar": {"image": {"repository": Pin("sidecar", "name"), "tag": Pin("sidecar", "tag")}}}),
        overlay("app", {"sidecar": {"enabled": True}}),
    ),
    "image-in-parts": both(
        capture("db", images=IN_PARTS, open=("image", "podAnnotations")),
        values("db", {"image": {part: Pin("db", part) for part in PARTS}}),
    ),
    "images-of-one-map": both(
        capture("db", images=TWO_IN_ONE, open=("image", "podAnnotations")),
        values("db", {"image": {"image": Pin("db", "reference"), "initImage": Pin("tools", "reference")}}),
    ),
    "image-with-an-empty-registry": both(
        capture("db", images=IN_PARTS, open=("image", "podAnnotations")), values("db", {"image": {"registry": ""}})
    ),
    "subchart-off-by-a-switch-elsewhere": both(
        capture("app", subcharts=(Subchart(name="cache", version="1", conditions=("search.enabled",), captured=True),)),
        values("app", {"cache": {"enabled": True}}),
    ),
    "image-as-a-text": values(
        "app", {"config": {"SANDBOX_IMAGE": text("{n}:{t}", n=Pin("web", "name"), t=Pin("web", "tag"))}}
    ),
    "image-as-a-reference": values("app", {"extraContainers": [{"name": "x", "image": Pin("web", "reference")}]}),
    "image-unpinned-with-a-reason": both(
        declared("app", unpinned={"web.image": "it is a fixture"}), values("app", {"web": {"image": {"tag": None}}})
    ),
    "image-hard-coded-with-a-reason": both(
        declared("app", unpinned={"busybox:1.36": "runs no code of ours"}),
        values("app", {"cleanup": {"enabled": True}}),
    ),
    "image-of-a-test": capture("db", hard_coded=(HardCodedImage(image="x", file="t", line=1, hook="test-success"),)),
    "tag-of-something-else": config("kube.*", "tag"),
    "version-of-something-else": config("1.3.0", "version"),
    "version-of-something-else-for-all": values("app", {"global": {"version": "2", "minimum": "1.2.3"}}),
    "tag-left-out": values("app", {"sidecar": {"image": {"tag": None}}}),
    "setting-of-a-container": values(
        "app", {"extraContainers": [{"name": "x", "image": Pin("web", "reference"), "imageKey": "abc"}]}
    ),
    "version-of-a-protocol": config("TLSv1.3", "sslVersion"),
    "picture": config("logo.png", "image"),
    "picture-by-its-address": config("https://acme.example/logo.png", "imageUrl"),
    "pull-policy": config("IfNotPresent", "imagePullPolicy"),
    "scope-of-an-api": config("api.example.com/files:read", "scope"),
    "host-and-port": config("db.example.com:5432", "address"),
    "latest-in-dev": image("app", tag="latest"),
    "no-digest-in-dev": image("app", tag="v1.2.0"),
    "local-chart-in-dev": chart("app", path="../app"),
}

OVERLAY = {
    "known-key": overlay("app", {"replicas": 3}),
    "key-that-only-a-template-reads": overlay("app", {"web": {"resources": {"limits": {"memory": "1Gi"}}}}),
    "key-of-an-open-map": overlay("app", {"config": {"ANYTHING": {"at": {"any": "depth"}}}}),
    "annotation-beside-the-checksum": overlay("app", {"podAnnotations": {"a": "b"}}),
    "empty-map-over-what-is-wired": overlay("app", {"auth": {"database": {}}}),
    "value-beside-a-secret": both(
        capture("app", open=(*APP_CHART.open, "auth")), overlay("app", {"auth": {"database": {"user": "x"}}})
    ),
    "namespace-left-empty": overlay("app", {"namespaceOverride": ""}),
    "null-over-a-default": overlay("app", {"ingress": None}),
    "list-replaced": overlay("app", {"extraManifests": []}),
    "part-switched-off": overlay("app", {"web": {"enabled": False}}),
    "captured-subchart": overlay("app", {"cache": {"persistence": {"size": "1Gi"}}}),
    "lane-and-customer": both(overlay("app", {"replicas": 2}, "lane dev"), overlay("app", {"replicas": 3})),
    "nothing-at-all": overlay("app", {}),
}


def marked(*groups: tuple[int, ...]) -> Change:
    """Let ``db`` consume two Secrets, and carry a checksum for each group of them."""

    def change(wiring: Wiring) -> Wiring:
        secrets = (*wiring.secrets, Secret("more", {"x": Credential("db", "x")}))
        marks = {f"mark-{group}": checksum(*(secrets[index] for index in group)) for group in groups}
        annotations: Value = {"checksum/secrets": None, "uses": "more", **marks}
        found = merge((wiring.overlay["db"], {"podAnnotations": annotations}))
        return attrs.evolve(wiring, secrets=secrets, overlay={"db": found})

    return wires("db", change)


CERTIFICATE: Value = {"issuerRef": {"kind": "ClusterIssuer", "name": "x"}, "secretName": "app-tls"}
PLAIN = PlainValue(release="app", path="extraManifests[0].x", reason="the chart takes nothing else")
CREDENTIALS = {
    "switch-as-a-text": config("true", "REQUIRE_PASSWORD"),
    "switch": config(value=False, key="token"),
    "password-left-empty": config("", "password"),
    "passwords-that-are-none": config([], "password"),
    "password-that-is-a-map": config({}, "password"),
    "password-left-out": config(None, "password"),
    "password-filled-in-by-kubernetes": config("$(DB_PASSWORD)", "PGPASSWORD"),
    "password-filled-in-by-helm": config("{{ .Values.x }}", "password"),
    "password-in-a-url-filled-in": config("postgresql://app:$(DB_PASSWORD)@db/app"),
    "password-in-a-url-derived": secret("extra", {"dsn": text("pg://app:{p}@db/x", p=url(Credential("app", "x")))}),
    "no-password-in-a-url": config("https://acme.example:8443/@me/x:y@z"),
    "user-name-in-a-secret": secret("extra", {"username": "app", "password": Credential("app", "x")}),
    "name-of-a-secret-under-a-suspicious-key": config("app-db", "clientSecret"),
    "key-of-a-secret": config({"existingSecret": "app-db", "existingSecretPasswordKey": "password"}, "auth"),
    "key-of-a-secret-under-a-suspicious-key": config(
        {"existingSecret": "app-db", "existingSecretKey": "password"}, "auth"
    ),
    "key-of-a-secret-by-its-variable": config(
        {"existingSecret": "app-db", "secretKeys": {"PASSWORD": "password"}}, "x"
    ),
    "key-of-a-lent-secret": config({"existingSecret": "mail-account", "secretKeys": {"PASS": "smtp-password"}}, "x"),
    **{
        f"harmless-{key}": config("3600", key)
        for key in (
            "tokenExpiry",
            "maxTokens",
            "passwordPolicy",
            "publicKey",
            "PASSWORD_FILE",
            "bypass",
            "compass",
            "key",
        )
    },
    "switch-for-a-secret": config({"existingSecret": True}, "auth"),
    "key-left-empty": config({"existingSecret": "app-db", "secretKeys": {"X": ""}}, "auth"),
    "names-of-secrets": config(["app-db"], "secrets"),
    "secret-of-an-ingress": values("app", {"ingress": {"tls": [{"hosts": ["x"], "secretName": "app-tls"}]}}),
    "secret-of-a-certificate": manifest("Certificate", spec=CERTIFICATE),
    "pull-secret": config([{"name": "registry"}], "imagePullSecrets"),
    "hook-with-a-key-of-its-own": hook("pre", env={"X": SecretKey("app-db", "password")}),
    "hook-with-a-key-that-is-lent": hook("pre", env={"X": SecretKey("mail-account", "smtp-password")}),
    "scope-of-its-own-beside-its-name": both(
        declares("db", lambda found: attrs.evolve(found, scopes=("db-backup",))),
        secret("extra", {"x": Credential("db-backup", "x")}, "db"),
    ),
    "credential-in-a-new-generation": secret("extra", {"x": Credential("app", "x", generation=2)}),
    "checksum-of-both": marked((0, 1)),
    "checksum-of-both-in-another-order": marked((1, 0)),
    "checksum-of-each": marked((0,), (1,)),
    "checksum-in-a-label": both(capture("db", workloads=(Pods(kind="Job", file="x", labels="podAnnotations"),))),
    "checksum-where-nobody-knows-the-pods": capture("db", workloads=()),
    "plain-value-in-a-list": both(
        values("app", {"extraManifests": [{"x": Credential("app", "x")}]}),
        wires("app", lambda wiring: attrs.evolve(wiring, plain=(*wiring.plain, PLAIN))),
    ),
}
OTHERS = {
    "a-later-stages": both(
        declared("app", stage=Stage.LATE_COMPONENTS), declared("worker", stage=Stage.MIGRATIONS_POST)
    ),
    "a-all-in-one-stage": both(*(declared(name, stage=Stage.SERVICES) for name in ("app", "worker", "db"))),
    "a-wanted-and-not-there": cluster(offers=()),
    "b-two-customers-of-one-beginning": tenant(slug="acme-two"),
    "c-all-in-stable": scene(lane=Lane.STABLE),
    "g-the-minimum-itself": both(image("app", tag="v1.1.0"), evidence(history=())),
    "g-the-newest": wired(schema=(AlembicSchema(image="app", minimum="c3", because="it"),)),
    "g-the-tag-that-its-digest-stood-for": both(
        schema(digests={DIGEST: "v1.1.0"}), image("app", tag=f"v1.0.0@{DIGEST}"), evidence(history=())
    ),
    "g-no-contract": wired(schema=()),
}

GREEN = {
    **{f"b-{name}": change for name, change in NAMESPACE.items()},
    **{f"c-{name}": change for name, change in PINS.items()},
    **{f"d-{name}": change for name, change in OVERLAY.items()},
    **{f"e-{name}": change for name, change in CREDENTIALS.items()},
    **OTHERS,
}


@pytest.mark.parametrize("change", GREEN.values(), ids=GREEN.keys())
def test_what_only_looks_suspicious_is_no_finding(change: Change) -> None:
    assert change(Scene()).of(Outcome.FINDING) == []


LIBRARY = Subchart(name="library", version="1.0.0")
SANDBOXED = (ClusterObject(kind="Namespace", file="x", guards=(UNSAID,)),)
UNPROVEN = {
    "b-no-capture": (uncaptured("db"), "release db: its chart was not captured"),
    "b-subchart-not-captured": (capture("db", subcharts=(LIBRARY,)), "release db: its subchart 'library' is on"),
    "b-object-under-an-unsaid-condition": (
        capture("db", cluster_objects=SANDBOXED),
        "its chart may render a Namespace",
    ),
    "c-no-capture": (uncaptured("app"), "release app: chart app was not captured"),
    "c-subchart-not-captured": (values("app", {"search": {"enabled": True}}), "its subchart 'search' is on"),
    "c-subchart-without-a-switch": (
        capture("db", subcharts=(Subchart(name="library", version="1.0.0"),)),
        "release db: its subchart 'library' is on",
    ),
    "c-subchart-whose-switch-is-no-switch": (
        values("app", {"search": {"enabled": "no"}}),
        "its subchart 'search' is on",
    ),
    "c-image-under-an-unsaid-condition": (
        capture("db", hard_coded=(HardCodedImage(image="x:1", file="t", line=3, guards=(UNSAID,)),)),
        "release db: its chart hard-codes image x:1 (t:3) under a condition",
    ),
    "c-no-history": (evidence(history=None, no_history="there is no git"), "history of the pins: there is no git"),
    "c-history-of-nothing": (evidence(history=()), "history of the pins: no commit"),
    "c-history-that-cannot-be-read": (
        evidence(history=(commit(pin_texts(), {**pin_texts(), "charts": "charts: [\n"}),)),
        "commit 0123456789ab: a pin file could not be read",
    ),
    "c-chart-without-a-digest": (both(scene(lane=Lane.DOGFOOD), chart("app", digest=None)), "chart app: charts.yaml:7"),
    "d-no-capture": (uncaptured("app"), "release app: chart app 1.0.0 was not captured"),
    "d-key-of-a-subchart-not-captured": (overlay("app", {"search": {"size": 1}}), "overlays/app.yaml:7: search.size"),
    "d-global-that-a-subchart-may-read": (overlay("app", {"global": {"x": 1}}), "global.x"),
    "d-templates-that-were-not-there": (both(capture("db", unseen=("lib.all",)), overlay("db", {"x": 1})), "sets x"),
    "e-lock-of-another-spec": (locked(lambda _: None), "secrets.lock: it is not of this spec: app/"),
    "e-lock-of-an-older-generation": (
        locked(lambda entry: attrs.evolve(entry, generation=7)),
        "is of generation 1, and was of 7",
    ),
    "f-no-hook-for-a-database": (hook("pre", on=(), env={}), "component app: postgres/app needs"),
    "f-no-hook-for-a-key": (hook("post", on=()), "component app: llm/app needs"),
    "g-tag-not-captured": (image("app", tag="v9.9.9"), "component app: images.yaml:7"),
    "g-digest-of-a-tag-not-captured": (image("app", tag=f"v9.9.9@{DIGEST}"), "was not captured"),
    "g-no-capture": (scene(schemas={}), "the schema history of docker.io/acme/app"),
    "g-another-image": (image("app", repository="mirror/app"), "the schema history of docker.io/mirror/app"),
    "g-another-tool": (schema(tool="flyway"), "was not captured"),
    "g-another-digest-of-a-captured-tag": (
        schema(digests={"sha256:" + "2" * 64: "v1.2.0"}),
        f"of docker.io/acme/app:v1.2.0@{DIGEST} was not captured: v1.2.0 was, as sha256:{'2' * 64}",
    ),
    "g-what-was-pinned-before-not-captured": (
        evidence(history=(commit(pin_texts("0.9.0", "v0.9.0"), pin_texts()),)),
        "app was v0.9.0 before, whose schema history was not captured",
    ),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_what_nobody_can_say_is_unproven_and_neither_a_pass_nor_a_finding(name: str) -> None:
    change, said = UNPROVEN[name]
    rule = name.partition("-")[0]
    changed = change(Scene())
    unproven_now = changed.of(Outcome.UNPROVEN, rule)
    assert any(said in text for text in unproven_now), unproven_now
    assert changed.of(Outcome.FINDING) == []
    assert len(changed.of(Outcome.PASS, rule)) < len(Scene(lane=changed.lane).of(Outcome.PASS, rule))


@pytest.mark.parametrize("address", ["10.96.0.7", "10.244.3.9"])
def test_of_an_address_in_the_cluster_nobody_can_say_whose_it_is(address: str) -> None:
    said = f"release app: config.SETTING calls {address}"
    changed = config(f"http://{address}:80/")(Scene())
    assert any(said in text for text in changed.of(Outcome.UNPROVEN, "b"))
    assert changed.of(Outcome.FINDING) == []


def test_a_chart_of_a_classic_repository_has_no_digest_to_ask_for() -> None:
    change = both(scene(lane=Lane.DOGFOOD), chart("app", registry="https://charts.example", digest=None))
    assert change(Scene()).of(Outcome.UNPROVEN, "c") == []


@attrs.frozen(kw_only=True)
class Deep:
    """A binding of a kind of one's own, which holds credentials at any depth."""

    users: Mapping[str, Credential]
    keys: tuple[SecretKey, ...]
    dsn: Value
    host: str = "db"


def test_credentials_are_found_in_bindings_of_any_class() -> None:
    one, two, three = (Credential("db", name) for name in ("one", "two", "three"))
    lent = SecretKey("account", "password")
    inner = Deep(users={"a": one}, keys=(lent,), dsn=text("x{p}{n}", p=url(two), n=Pin("app", "name")))
    assert [*named_in([inner, {"b": three}])] == [one, lent, two, three]


def test_the_command_that_captures_a_chart_names_it() -> None:
    (said,) = chart("db", name="database")(Scene()).of(Outcome.UNPROVEN, "c")
    assert "kiwistack component capture chart <folder or .tgz of database>" in said


def test_what_is_declared_or_acted_on_is_told() -> None:
    passes = Scene().of(Outcome.PASS)
    assert "[f] component app: postgres/app is acted on by a hook" in passes
    assert "[e] release app: token is a declared plain value: the chart reads it from its values alone" in passes
    assert "[c] history of the pins: 1 commits were looked at" in passes
    assert "[c] lane dev: pins may float in this lane" in passes


def test_an_image_that_may_run_unpinned_is_told_with_the_reason() -> None:
    known = declared("app", unpinned={"web.image": "it is a fixture", "busybox:1.36": "it is old"})
    used = both(known, values("app", {"web": {"image": {"tag": None}}, "cleanup": {"enabled": True}}))
    passes = used(Scene()).of(Outcome.PASS, "c")
    assert "[c] release app: image web.image is known to be unpinned: it is a fixture" in passes
    assert any("busybox:1.36 (templates/cleanup.yaml:9) is known: it is old" in said for said in passes)


def test_a_rule_that_found_something_passes_nothing_of_the_same() -> None:
    wrong = finding("x", "it", "is wrong", fix="mend it")
    open_ = unproven("x", "it", "is open")
    good = passed("x", "it", "is good")
    assert list(proven([], good)) == [good]
    assert list(proven([good], good)) == [good, good]
    assert list(proven([wrong], good)) == [wrong]
    assert list(proven([wrong, good], good)) == [wrong, good]
    assert list(proven([good, open_], good)) == [good, open_]
