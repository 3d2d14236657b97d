"""The table of mutations: whatever leaves the namespace (b)."""

from __future__ import annotations

from collections.abc import Sequence

from contract_changes import (
    Row,
    both,
    capture,
    cluster,
    config,
    declared,
    having,
    hook,
    manifest,
    overlay,
    row,
    secret,
    values,
)
from kiwi_core import (
    Credential,
    Pin,
    SecretKey,
    text,
    url,
)
from kiwi_core._compose.policy import NAMESPACE_LABEL
from kiwi_core._model.capture import ClusterObject

OTHER = "points into namespace 'cust-other'"
HOSTS = {
    "full": "http://db.cust-other.svc.cluster.local:5432/",
    "absolute": "db.cust-other.svc.cluster.local.",
    "of-another-cluster-domain": "db.cust-other.svc.k8s.example",
    "svc": "db.cust-other.svc",
    "short": "db.cust-other",
    "short-with-port": "db.cust-other:6379",
    "in-capitals": "DB.CUST-OTHER.SVC",
    "of-a-pod": "10-244-0-1.cust-other.pod.cluster.local",
    "of-a-pod-of-a-set": "db-0.db.cust-other.svc.cluster.local",
    "of-a-record": "_pg._tcp.db.cust-other.svc.cluster.local",
    "any": "*.cust-other.svc",
    "with-user": "http://reader@db.cust-other/x",
    "jdbc": "jdbc:postgresql://db.cust-other:5432/x?ssl=true",
    "in-a-list-of-hosts": "db.cust-acme:26379,db.cust-other:26379",
    "in-a-setting-of-libpq": "host=db.cust-other port=5432 dbname=x",
    "in-a-file": "[server]\nlisten = 80\nupstream = db.cust-other:80\n",
    "in-a-template": "{{ .Values.name }}.cust-other.svc",
    "of-a-service-account": "system:serviceaccount:cust-other:default",
    "of-service-accounts": "system:serviceaccounts:cust-other",
}
NAMESPACES = {
    "own-name-with-more": ("http://db.cust-acme2.svc", "cust-acme2"),
    "default": ("my.default.svc", "default"),
    "default-short": ("http://my.default/", "default"),
    "the-api-server": ("https://kubernetes.default:443", "default"),
    "of-the-system": ("http://metrics.kube-system:8080", "kube-system"),
    "of-neither-kind": ("redis.shared-data:6379", "shared-data"),
    "of-neither-kind-in-a-url": ("http://grafana.team-x/", "team-x"),
    "of-neither-kind-one-word": ("http://grafana.monitoring.svc/", "monitoring"),
    "of-neither-kind-in-full": ("http://grafana.monitoring.svc.cluster.local/", "monitoring"),
    "of-neither-kind-of-a-pod": ("10-0-0-1.monitoring.pod.cluster.local", "monitoring"),
    "gateway-that-nobody-uses": ("http://searxng.kiwi-search-gateway.svc:8080", "kiwi-search-gateway"),
    "gateway-with-another-name": ("http://litellm.kiwi-llm-gateway2.svc", "kiwi-llm-gateway2"),
}
ROLE_TEXT = "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: extra\n  namespace: {space}\n"
ROWS: Sequence[Row] = (
    *(row("b", f"host-{name}", config(value), "release app: config.SETTING", OTHER) for name, value in HOSTS.items()),
    *(
        row("b", f"namespace-{name}", config(value), "release app", f"'{space}'")
        for name, (value, space) in NAMESPACES.items()
    ),
    row("b", "host-by-its-key", config("db.shared-data", "DB_HOST"), "release app: config.DB_HOST", "'shared-data'"),
    row("b", "host-as-a-key", config("x", "db.cust-other.svc"), "release app", OTHER),
    row(
        "b",
        "host-in-a-list",
        values("app", {"extraEnvs": [{"name": "X", "value": "db.cust-other"}]}),
        "extraEnvs[0].value",
        OTHER,
    ),
    row(
        "b",
        "host-in-the-customers-overlay",
        overlay("app", {"config": {"X": "db.cust-other"}}),
        "overlays/app.yaml:7",
        OTHER,
    ),
    row(
        "b",
        "host-in-a-lanes-overlay",
        overlay("worker", {"databaseHost": "db.cust-other"}, "lane dev"),
        "release worker",
        OTHER,
    ),
    row(
        "b",
        "host-in-a-late-text",
        values("app", {"config": {"X": text("http://{x}.cust-other.svc", x=Pin("app", "tag"))}}),
        "release app",
        OTHER,
    ),
    row("b", "host-in-a-secret", secret("extra", {"x": "db.cust-other"}), "release foundation: secrets.extra.x", OTHER),
    row(
        "b",
        "host-in-a-secrets-text",
        secret("extra", {"dsn": text("postgres://app:{p}@db.cust-other/x", p=url(Credential("app", "x")))}),
        "secrets.extra.dsn",
        OTHER,
    ),
    row(
        "b",
        "gateway-of-another-component-in-a-secret",
        secret("extra", {"x": "http://litellm.kiwi-llm-gateway.svc"}, "db"),
        "secrets.extra.x",
        "kiwi-llm-gateway",
    ),
    row(
        "b",
        "gateway-of-another-component-in-values-like-its-secret",
        values("db", {"secrets": {"app-llm": "http://litellm.kiwi-llm-gateway.svc"}}),
        "release db",
        "kiwi-llm-gateway",
    ),
    row(
        "b",
        "gateway-of-another-component",
        values("db", {"podAnnotations": {"x": "http://litellm.kiwi-llm-gateway.svc"}}),
        "release db",
        "kiwi-llm-gateway",
    ),
    row(
        "b",
        "gateway-without-an-offer",
        both(cluster(offers=()), hook("post", on=()), config("http://litellm.kiwi-llm-gateway.svc")),
        "kiwi-llm-gateway",
    ),
    row("b", "host-in-a-hook", hook("pre", env={"PGHOST": "db.cust-other"}), "release app-pre", OTHER),
    row(
        "b", "host-in-a-hooks-command", hook("pre", command=("psql", "--host=db.cust-other")), "release app-pre", OTHER
    ),
    row("b", "release-elsewhere", having("app", namespace="cust-other"), "release app", "'cust-other'"),
    row("b", "foundation-elsewhere", having("foundation", namespace="default"), "release foundation", "'default'"),
    row(
        "b",
        "namespace-override",
        values("app", {"namespaceOverride": "cust-other"}),
        "namespaceOverride is 'cust-other'",
    ),
    row(
        "b",
        "namespace-of-a-shared-service",
        values("app", {"namespaceOverride": "kiwi-llm-gateway"}),
        "namespaceOverride",
    ),
    row(
        "b",
        "namespace-override-by-the-customer",
        overlay("app", {"namespaceOverride": "default"}),
        "overlays/app.yaml:7",
        "'default'",
    ),
    row(
        "b",
        "namespaces-to-watch",
        values("app", {"config": {"watchNamespaces": ["cust-acme", "cust-other"]}}),
        "watchNamespaces[1]",
    ),
    row("b", "all-namespaces", values("app", {"config": {"namespaces": ["*"]}}), "config.namespaces[0] is '*'"),
    row(
        "b", "namespace-by-a-template", values("app", {"config": {"namespace": "{{ .Values.x }}"}}), "config.namespace"
    ),
    row(
        "b",
        "namespace-by-its-label",
        values("app", {"config": {"matchLabels": {NAMESPACE_LABEL: "cust-other"}}}),
        "'cust-other'",
    ),
    row(
        "b",
        "object-elsewhere",
        manifest("ConfigMap", metadata={"name": "x", "namespace": "cust-other"}),
        "metadata.namespace is 'cust-other'",
    ),
    row(
        "b",
        "subject-elsewhere",
        manifest("RoleBinding", subjects=[{"kind": "ServiceAccount", "name": "x", "namespace": "cust-other"}]),
        "subjects[0].namespace",
    ),
    row(
        "b",
        "subject-in-a-shared-service",
        manifest("RoleBinding", subjects=[{"kind": "ServiceAccount", "name": "x", "namespace": "kiwi-llm-gateway"}]),
        "subjects[0].namespace",
    ),
    row(
        "b",
        "subject-by-its-user-name",
        manifest("RoleBinding", subjects=[{"kind": "User", "name": "system:serviceaccount:cust-other:x"}]),
        OTHER,
    ),
    row(
        "b",
        "service-that-leads-elsewhere",
        manifest("Service", spec={"type": "ExternalName", "externalName": "db.cust-other.svc.cluster.local"}),
        OTHER,
    ),
    row(
        "b",
        "object-elsewhere-as-text",
        values("app", {"extraManifests": [ROLE_TEXT.format(kind="Role", space="cust-other")]}),
        "extraManifests[0] is a Role",
        "'cust-other'",
    ),
    *(
        row("b", f"object-{kind}", manifest(kind), f"extraManifests[0] is a {kind} (extra)", "whole cluster")
        for kind in (
            "ClusterRole",
            "ClusterRoleBinding",
            "Namespace",
            "CustomResourceDefinition",
            "PersistentVolume",
            "ValidatingWebhookConfiguration",
        )
    ),
    row(
        "b",
        "object-by-the-customer",
        overlay("app", {"extraManifests": [{"apiVersion": "v1", "kind": "ClusterRole", "metadata": {"name": "x"}}]}),
        "overlays/app.yaml:7",
        "ClusterRole (x)",
    ),
    row(
        "b",
        "object-in-a-list-object",
        manifest("List", items=[{"apiVersion": "v1", "kind": "PriorityClass", "metadata": {"name": "x"}}]),
        "items[0] is a PriorityClass (x)",
    ),
    row(
        "b",
        "object-as-text",
        config(ROLE_TEXT.format(kind="ClusterRole", space="cust-acme")),
        "config.SETTING is a ClusterRole (extra)",
    ),
    row(
        "b",
        "object-behind-another-as-text",
        config("apiVersion: v1\nkind: Secret\n---\n" + ROLE_TEXT.format(kind="ClusterRole", space="cust-acme")),
        "ClusterRole (extra)",
    ),
    row(
        "b",
        "object-declared-by-another-name",
        both(declared("app", cluster_objects=("ClusterRole/acme-x",)), manifest("ClusterRole")),
        "ClusterRole (extra)",
    ),
    row(
        "b",
        "object-without-a-name",
        manifest("ClusterRole", metadata={"generateName": "x-"}),
        "its name is made by a template",
    ),
    row("b", "policy-of-its-own", manifest("NetworkPolicy"), "extraManifests[0] is a NetworkPolicy"),
    row("b", "policy-of-cilium", manifest("CiliumNetworkPolicy"), "is a CiliumNetworkPolicy"),
    row(
        "b",
        "declared-object-without-the-slug",
        declared("app", cluster_objects=("ClusterRole/reader",)),
        "'ClusterRole/reader'",
        "slug 'acme'",
    ),
    row(
        "b",
        "declared-object-with-the-slug-in-a-word",
        declared("app", cluster_objects=("ClusterRole/acmecorp",)),
        "'ClusterRole/acmecorp'",
    ),
    row("b", "declared-object-of-another-name", declared("app", cluster_objects=("ClusterRole",)), "'ClusterRole'"),
    row(
        "b",
        "chart-renders-a-role",
        values("app", {"rbac": {"create": True}}),
        "release app",
        "ClusterRole (templates/rbac.yaml)",
        "switch it off with rbac.create,",
    ),
    row(
        "b",
        "chart-renders-a-role-for-the-customer",
        overlay("app", {"rbac": {"create": True}}),
        "release app",
        "ClusterRole",
    ),
    row(
        "b",
        "chart-always-renders-it",
        capture("db", cluster_objects=(ClusterObject(kind="CustomResourceDefinition", file="crds/x.yaml"),)),
        "release db",
        "crds/x.yaml",
    ),
    row(
        "b",
        "chart-renders-by-default",
        capture(
            "worker",
            values={"replicas": 1, "rbac": True},
            cluster_objects=(ClusterObject(kind="ClusterRole", file="x", guards=("rbac",)),),
        ),
        "release worker",
    ),
    row(
        "b",
        "gateway-key-as-a-setting",
        config("x", "LITELLM_MASTER_KEY"),
        "config.LITELLM_MASTER_KEY",
        "gateway itself",
    ),
    row(
        "b",
        "gateway-key-in-env",
        values("app", {"extraEnvs": [{"name": "LITELLM_SALT_KEY", "value": "x"}]}),
        "extraEnvs[0]",
        "gateway itself",
    ),
    row(
        "b",
        "gateway-key-in-a-secret",
        secret("extra", {"LITELLM_MASTER_KEY": Credential("app", "x")}),
        "secrets.extra.LITELLM_MASTER_KEY",
    ),
    row(
        "b",
        "gateway-key-in-a-hook",
        hook("post", env={"PROXY_MASTER_KEY": SecretKey("app-llm", "key")}),
        "release app-post",
        "gateway itself",
    ),
)
