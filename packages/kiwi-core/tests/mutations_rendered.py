"""The table of mutations: what Helm could render that breaks the contract (a, b, c, e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contract_changes import Row, both, capture, declared, row, wired
from contract_manifests import HOOK, PINNED, chart, deployment, env, pods, rendered, secret, thing
from kiwi_core._model.capture import Json
from kiwi_core._model.manifest import Object

OTHER = "cust-other"
ELSEWHERE = {"namespace": OTHER}
RBAC = "rbac.authorization.k8s.io/v1"
SUBJECT: Json = {"kind": "ServiceAccount", "name": "x", "namespace": OTHER}
GROUP: Json = {"kind": "Group", "name": f"system:serviceaccounts:{OTHER}"}
HOOKED = {HOOK: "pre-install,pre-upgrade"}

SPACES: Mapping[str, tuple[Object, str]] = {
    "object-elsewhere": (thing("ConfigMap", metadata=ELSEWHERE), f"goes to namespace '{OTHER}'"),
    "role-elsewhere": (thing("Role", "app", RBAC, metadata={"namespace": "kube-system"}), "goes to namespace 'kube-system'"),
    "subject": (thing("RoleBinding", "app", RBAC, subjects=[SUBJECT]), f"subjects[0].namespace names namespace '{OTHER}'"),
    "group": (thing("RoleBinding", "app", RBAC, subjects=[GROUP]), f"subjects[0].name points into namespace '{OTHER}'"),
    "host-in-an-env": (
        deployment(pods(container={"env": [{"name": "DB_HOST", "value": "db.shared-data"}]})),
        "points into namespace 'shared-data'",
    ),
    "host-in-a-config": (thing("ConfigMap", data={"x": f"url=http://db.{OTHER}.svc:1/"}), f"data.x points into namespace '{OTHER}'"),
    "host-in-a-secret": (secret("x", {"dsn": "cG9zdGdyZXM6Ly91QGRiLmN1c3Qtb3RoZXIvZGI="}), "data.dsn points into"),
    "host-in-an-annotation": (thing("Service", metadata={"annotations": {"a": f"x.{OTHER}.svc"}}), "metadata.annotations.a points"),
    "external-name": (thing("Service", spec={"externalName": "db.shared-data"}), "points into namespace 'shared-data'"),
    "gateway-that-nobody-uses": (thing("ConfigMap", data={"x": "searxng.kiwi-search-gateway.svc"}), "'kiwi-search-gateway'"),
    "argument": (deployment(pods(container={"args": ["--watch-namespace=team-x"]})), "names namespace 'team-x'"),
    "webhook": (
        thing("Service", spec={"clientConfig": {"service": {"namespace": OTHER}}}),
        f"spec.clientConfig.service.namespace names namespace '{OTHER}'",
    ),
    "monitor": (thing("ServiceMonitor", "app", "m/v1", spec={"namespaceSelector": {"matchNames": [OTHER]}}), f"selects namespace '{OTHER}'"),
    "monitor-of-all": (thing("ServiceMonitor", "app", "m/v1", spec={"namespaceSelector": {"any": True}}), "selects every namespace"),
    "cluster-role": (thing("ClusterRole", "app", RBAC), "ClusterRole/app belongs to the whole cluster"),
    "namespace": (thing("Namespace", "cust-acme"), "Namespace/cust-acme belongs to the whole cluster"),
    "gateway-credential": (deployment(pods(container={"env": [{"name": "LITELLM_MASTER_KEY", "value": "x"}]})), "credential of the gateway"),
    "ingress-of-a-stranger": (thing("Ingress", "x", "networking.k8s.io/v1", spec={"rules": [{"host": "other.example"}]}), "answers for 'other.example'"),
    "ingress-that-ends-alike": (thing("Ingress", "x", "networking.k8s.io/v1", spec={"rules": [{"host": "notacme.example"}]}), "'notacme.example'"),
    "ingress-of-all": (thing("Ingress", "x", "networking.k8s.io/v1", spec={"rules": [{}]}), "answers for every host name"),
}  # fmt: skip


def policy(**spec: Json) -> Object:
    return thing("NetworkPolicy", "app", "networking.k8s.io/v1", spec=spec)


POLICIES: Mapping[str, tuple[Object, str]] = {
    "from-everywhere": (policy(ingress=[{"ports": [{"port": 80}]}]), "spec.ingress[0] allows ingress from everywhere"),
    "to-everywhere": (policy(egress=[{}]), "allows egress to everywhere"),
    "from-all-namespaces": (policy(ingress=[{"from": [{"namespaceSelector": {}}]}]), "from[0] allows ingress from all namespaces"),
    "from-another": (policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}]), "the namespaces {'matchLabels'"),
    "to-addresses": (policy(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]), "the addresses 0.0.0.0/0"),
}  # fmt: skip

IMAGES: Mapping[str, tuple[Object, str]] = {
    "image": (deployment(pods("acme/app:v9")), "containers[0].image runs acme/app:v9, which no pin decides: the pin 'app' is"),
    "image-of-nobody": (deployment(pods("busybox")), "runs busybox, which no pin decides"),
    "image-without-its-digest": (deployment(pods(PINNED.partition("@")[0])), "which no pin decides: the pin 'app'"),
    "image-of-another-registry": (deployment(pods(PINNED.replace("docker.io", "evil.example"))), "runs evil.example/acme/app"),
    "no-image": (deployment(pods("")), "runs no image at all"),
    "init-container": (deployment(pods(initContainers=[{"image": "busybox:1"}])), "initContainers[0].image runs busybox:1"),
    "ephemeral-container": (deployment(pods(ephemeralContainers=[{"image": "busybox:1"}])), "ephemeralContainers[0].image"),
    "image-volume": (deployment(pods(volumes=[{"image": {"reference": "x/y:1"}}])), "volumes[0].image.reference runs x/y:1"),
    "cron-job": (thing("CronJob", "x", "batch/v1", spec={"jobTemplate": {"spec": {"template": pods("b:1")}}}), "CronJob/x: spec.jobTemplate"),
    "stateful-set": (deployment(pods("b:1"), "StatefulSet"), "StatefulSet/app: spec.template.spec.containers[0].image"),
    "pod": (thing("Pod", "x", "v1", spec={"containers": [{"image": "b:1"}]}), "Pod/x: spec.containers[0].image"),
    "hook-of-helm": (deployment(pods("b:1"), "Job", annotations=HOOKED), "Job/app: spec.template.spec.containers[0].image"),
    "image-in-an-argument": (
        deployment(pods(container={"args": ["--solver-image=quay.io/jetstack/solver:v1.2"]})),
        "args[0] runs quay.io/jetstack/solver:v1.2",
    ),
    "image-of-an-operator": (thing("Cluster", "pg", "postgresql.cnpg.io/v1", spec={"imageName": "x/pg:17"}), "spec.imageName runs x/pg:17"),
}  # fmt: skip

TOKEN = "the credential app/token"
CREDENTIALS: Mapping[str, tuple[Object, str]] = {
    "in-a-config": (thing("ConfigMap", data={"x": "pw=<db/admin>"}), "ConfigMap/app: data.x holds the credential db/admin"),
    "in-an-env": (deployment(pods(container={"env": [{"name": "P", "value": "<app/postgres/app>"}]})), "env[0].value holds"),
    "in-an-argument": (deployment(pods(container={"args": ["--p=<app/postgres/app>"]})), "args[0] holds the credential"),
    "in-base64": (thing("ConfigMap", binaryData={"x": "<base64 db/admin>"}), "binaryData.x holds the credential db/admin"),
    "in-an-annotation": (thing("Service", metadata={"annotations": {"x": "<db/admin>"}}), "metadata.annotations.x holds"),
    "in-the-name-of-a-secret": (thing("Secret", "<db/admin>"), "metadata.name holds"),
    "no-checksum": (deployment(pods(container=env("app-db"), note="")), "consumes app-db and carries no checksum"),
    "another-checksum": (deployment(pods(container=env("app-db"), note="k" + "1" * 31)), "carries no checksum"),
    "no-checksum-by-a-volume": (
        deployment(pods(volumes=[{"name": "x", "secret": {"secretName": "app-db"}}], note="")),
        "consumes app-db",
    ),
    "no-checksum-by-env-from": (
        deployment(pods(container={"envFrom": [{"secretRef": {"name": "app-cache"}}]}, note="")),
        "consumes app-cache",
    ),
    "no-checksum-by-a-projection": (
        deployment(pods(volumes=[{"projected": {"sources": [{"secret": {"name": "app-db"}}]}}], note=""), "StatefulSet"),
        "StatefulSet/app consumes app-db",
    ),
}  # fmt: skip

ROWS: Sequence[Row] = (
    *(row("b", f"rendered-{name}", rendered(item), "release app", said) for name, (item, said) in SPACES.items()),
    *(row("b", f"rendered-policy-{name}", rendered(item), "release app", said) for name, (item, said) in POLICIES.items()),
    row(
        "b",
        "rendered-a-declared-object-of-another-name",
        both(declared("app", cluster_objects=("ClusterRole/acme-app",)), rendered(thing("ClusterRole", "acme-apps", RBAC))),
        "ClusterRole/acme-apps belongs to the whole cluster",
        "did you mean 'ClusterRole/acme-app'?",
    ),
    row(
        "b",
        "rendered-secret-of-another-component",
        rendered(secret("db-admin", {"x": "bGl0ZWxsbS5raXdpLWxsbS1nYXRld2F5LnN2Yw=="}), release="foundation"),
        "release foundation",
        "'kiwi-llm-gateway'",
    ),
    *(row("c", f"rendered-{name}", rendered(item), "release app", said) for name, (item, said) in IMAGES.items()),
    row(
        "c",
        "rendered-another-image-than-declared",
        both(declared("app", unpinned={"busybox:1.36": "a tool"}), rendered(deployment(pods("busybox:1.37")))),
        "runs busybox:1.37",
    ),
    row(
        "c",
        "rendered-another-chart-than-captured",
        both(capture("app", digest="sha256:" + "1" * 64), rendered(charts=chart("2" * 64))),
        "release app",
        f"is sha256:{'2' * 64} where it comes from",
    ),
    *(row("e", f"rendered-{name}", rendered(item), "release app", said) for name, (item, said) in CREDENTIALS.items()),
    row(
        "e",
        "rendered-plain-value-that-was-not-declared",
        both(wired(plain=()), rendered()),
        "release app",
        "ConfigMap/app: data.TOKEN holds",
        TOKEN,
    ),
    row(
        "e",
        "rendered-plain-value-in-another-release",
        rendered(thing("ConfigMap", "x", data={"x": "<app/token>"}), release="worker"),
        "release worker",
        TOKEN,
    ),
    row(
        "e",
        "rendered-another-credential-in-a-secret",
        rendered(secret("app-llm", {"key": "<base64 db/admin>"}), release="foundation"),
        "release foundation",
        "data.key holds the credential db/admin, which its declaration does not name",
    ),
    row(
        "e",
        "rendered-secret-of-nobody",
        rendered(secret("x", {"key": "<base64 db/admin>"}), release="foundation"),
        "Secret/x: data.key holds the credential db/admin",
    ),
    row("a", "rendered-field-that-is-none", rendered(thing("Service", spec={"wrong": 1})), "Service/app: spec.wrong: there is"),
    row("a", "rendered-kind-of-the-past", rendered(thing("Deployment2", "x", "apps/v1beta1")), "has no apps/v1beta1 Deployment2"),
    row("a", "rendered-kind-that-is-none", rendered(thing("Sevice")), "Kubernetes 1.37 has no v1 Sevice"),
)  # fmt: skip
