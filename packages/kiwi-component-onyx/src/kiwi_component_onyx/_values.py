"""Values over the unmodified upstream charts, and the Secrets that their pods consume.

The keys are those of chart onyx 0.8.19 (deployment/helm/charts/onyx/values.yaml) and opensearch 3.6.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kiwi_core import Bound, Image, Rotation, Secret, Value, checksum

from kiwi_component_onyx._ingress import ingresses
from kiwi_component_onyx._uses import CACHE, DB, FILES, INDEX, INGRESS, MAIL, SIGN_IN

__all__ = ["READER", "onyx_secrets", "onyx_values", "opensearch_values", "redis_values"]

# Deployments whose pod template takes podAnnotations. The inference model server ignores them: it takes a label.
ANNOTATED: Final = (
    "celery_beat",
    "celery_worker_heavy",
    "celery_worker_light",
    "celery_worker_monitoring",
    "celery_worker_primary",
)
INDEXING: Final = (
    "celery_worker_docfetching",
    "celery_worker_docprocessing",
    "celery_worker_user_file_processing",
)
CHECKSUM: Final = "checksum/secrets"
READER: Final = "onyx_readonly"
"""The role that may only read: what people ask the database by way of a model."""


def onyx_secrets(bound: Bound) -> Mapping[str, Secret]:
    """Return Onyx's Secrets by the section of ``auth`` that they serve."""
    db, files, cache, index = bound[DB], bound[FILES], bound[CACHE], bound[INDEX]
    secrets = {
        "postgresql": Secret("onyx-postgresql", {"username": db.user, "password": db.password}),
        # Migration 495cb26ce93e would make this role, with a password that everybody knows unless it is told another.
        "dbreadonly": Secret(
            "onyx-dbreadonly",
            {"db_readonly_user": READER, "db_readonly_password": bound.credential("postgres/readonly")},
        ),
        "objectstorage": Secret(
            "onyx-objectstorage",
            {"s3_aws_access_key_id": files.access_key, "s3_aws_secret_access_key": files.secret_key},
        ),
        "redis": Secret("onyx-redis", {"redis_password": cache.password}),
        "opensearch": Secret(
            "onyx-opensearch",
            {"opensearch_admin_username": index.user, "opensearch_admin_password": index.password},
        ),
        "userauth": Secret("onyx-userauth", {"user_auth_secret": bound.credential("userauth")}),
        "metricsAuth": Secret("onyx-metrics-auth", {"metrics_auth_token": bound.credential("metrics")}),
        # Encrypts provider keys at rest; it must be there at the first install.
        "kiwi": Secret(
            "onyx-encryption", {"encryption_key": bound.credential("encryption", rotation=Rotation.DATA_KEY)}
        ),
    }
    if sign_in := bound.get(SIGN_IN):
        secrets["oauth"] = Secret(
            "onyx-oauth", {"oauth_client_id": sign_in.client_id, "oauth_client_secret": sign_in.client_secret}
        )
    return secrets


def onyx_values(
    bound: Bound,
    secrets: Mapping[str, Secret],
    *,
    host: str,
    replicas: int,
    web_replicas: int,
    workers: int,
    email_domains: Sequence[str],
) -> Mapping[str, Value]:
    """Return the values of the Onyx chart: bundled services off, the tenant's services on.

    Args:
        bound: what Onyx was bound to.
        secrets: its Secrets by section.
        host: its public name.
        replicas: pods of the API server.
        web_replicas: pods of the web server.
        workers: pods of each worker that indexes documents.
        email_domains: who may sign up.
    """
    mark = checksum(*secrets.values())
    annotations: Value = {CHECKSUM: mark}
    backend, web, model = (bound.image(name) for name in ("onyxBackend", "onyxWebServer", "onyxModelServer"))
    ingress = bound.get(INGRESS)
    return {
        **{name: {"enabled": False} for name in ("postgresql", "redis", "opensearch", "minio", "nginx")},
        "postgresqlOperator": {"enabled": False},
        "redisOperator": {"enabled": False},
        "codeInterpreter": {"enabled": False},
        "letsencrypt": {"enabled": False},
        "ingress": {"enabled": False},
        "global": {"version": backend.tag},
        "api": {
            "replicaCount": replicas,
            "image": _image(backend),
            "podAnnotations": annotations,
            "readinessProbe": _http("/health", "api-server-port"),
        },
        "webserver": {
            "replicaCount": web_replicas,
            "image": _image(web),
            "podAnnotations": annotations,
            "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "failureThreshold": 24},
        },
        "celery_shared": {"image": _image(backend)},
        "indexCapability": {
            "image": _image(model),
            "podAnnotations": annotations,
            "readinessProbe": _http("/health", "http"),
        },
        "inferenceCapability": {
            "image": _image(model),
            "podLabels": [
                {"key": "app", "value": "inference-model-server"},
                {"key": "kiwistack.dev/checksum-secrets", "value": mark},
            ],
            "readinessProbe": _http("/health", "http"),
        },
        "slackbot": {"enabled": False, "image": _image(backend)},
        "discordbot": {"enabled": False, "image": _image(backend)},
        "mcpServer": {"enabled": False, "image": _image(backend)},
        **{name: {"podAnnotations": annotations} for name in ANNOTATED},
        **{name: {"podAnnotations": annotations, "replicaCount": workers} for name in INDEXING},
        "auth": _auth(bound, secrets),
        "configMap": _settings(bound, host, email_domains),
        "extraManifests": ingresses(ingress, host) if ingress else [],
    }


def _image(image: Image) -> Mapping[str, Value]:
    return {"repository": image.repository, "tag": image.tag}


def _http(path: str, port: str) -> Mapping[str, Value]:
    """Return a probe that waits long enough for the migrations that the API server runs at its start."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 5, "failureThreshold": 120}


def _auth(bound: Bound, secrets: Mapping[str, Secret]) -> Mapping[str, Value]:
    """Put every section on a Secret of ours; those that are off have none."""
    sections: dict[str, Value] = {
        name: {"enabled": True, "existingSecret": secret.name} for name, secret in secrets.items()
    }
    sections["kiwi"] = {
        "enabled": True,
        "existingSecret": secrets["kiwi"].name,
        "secretKeys": {"ENCRYPTION_KEY_SECRET": "encryption_key"},
    }
    sections["sandboxPushSecret"] = {"enabled": False}
    mail = bound.get(MAIL)
    if mail and mail.password:
        sections["smtp"] = {
            "enabled": True,
            "existingSecret": mail.password.secret,
            "secretKeys": {"SMTP_PASS": mail.password.key},
        }
    else:
        sections["smtp"] = {"enabled": False}
    if "oauth" not in secrets:
        sections["oauth"] = {"enabled": False}
    return sections


def _settings(bound: Bound, host: str, email_domains: Sequence[str]) -> Mapping[str, Value]:
    """Return environment variables that are no secrets."""
    db, files, cache, index = bound[DB], bound[FILES], bound[CACHE], bound[INDEX]
    settings: dict[str, Value] = {
        "DOMAIN": host,
        "WEB_DOMAIN": f"https://{host}",
        "POSTGRES_HOST": db.host,
        "POSTGRES_PORT": str(db.port),
        "POSTGRES_DB": db.database,
        "REDIS_HOST": cache.host,
        "REDIS_PORT": str(cache.port),
        "OPENSEARCH_HOST": index.host,
        "OPENSEARCH_REST_API_PORT": str(index.port),
        "S3_ENDPOINT_URL": files.endpoint,
        "S3_FILE_STORE_BUCKET_NAME": files.bucket,
        "AWS_REGION_NAME": files.region,
        "VALID_EMAIL_DOMAINS": ",".join(email_domains),
        "DISABLE_TELEMETRY": "true",
        # The price map that the model client would otherwise fetch from GitHub at import.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    if sign_in := bound.get(SIGN_IN):
        settings["AUTH_TYPE"] = "oidc"
        settings["OPENID_CONFIG_URL"] = f"{sign_in.issuer}/.well-known/openid-configuration"
    if mail := bound.get(MAIL):
        settings |= {
            "SMTP_SERVER": mail.host,
            "SMTP_PORT": str(mail.port),
            "SMTP_USER": mail.user or "",
            "EMAIL_FROM": mail.sender,
        }
    return settings


def redis_values(bound: Bound, secret: Secret) -> Mapping[str, Value]:
    """Return the values of the package's own Redis chart."""
    redis = bound.image("redis")
    return {
        "image": _image(redis),
        "existingSecret": secret.name,
        "podAnnotations": {CHECKSUM: checksum(secret)},
    }


def opensearch_values(bound: Bound, secret: Secret, *, size: str, memory: int) -> Mapping[str, Value]:
    """Return the values of the OpenSearch chart: one node, as Onyx's own chart runs it.

    Args:
        bound: what Onyx was bound to.
        secret: holds the administrator's password.
        size: of the volume.
        memory: heap in MiB.
    """
    return {
        "singleNode": True,
        "replicas": 1,
        "clusterName": "onyx-opensearch",
        "nodeGroup": "master",
        "masterService": bound[INDEX].host,
        "image": _image(bound.image("opensearch")),
        "podAnnotations": {CHECKSUM: checksum(secret)},
        "extraEnvs": [
            {
                "name": "OPENSEARCH_INITIAL_ADMIN_PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": secret.name, "key": "opensearch_admin_password"}},
            }
        ],
        "opensearchJavaOpts": f"-Xmx{memory}m -Xms{memory}m",
        "resources": {
            "requests": {"cpu": "1000m", "memory": f"{2 * memory}Mi"},
            "limits": {"memory": f"{2 * memory}Mi"},
        },
        # The volume's group is set by the pod's fsGroup; the init container would need root and another image.
        "persistence": {"size": size, "enableInitChown": False},
    }
