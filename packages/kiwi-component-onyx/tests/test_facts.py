"""The captures that are shipped: what they must say for the checks to be worth anything."""

from __future__ import annotations

import time
from importlib import resources

import pytest
from kiwi_core.testing import (
    CapturedWorkload,
    ChartCapture,
    ClusterObject,
    HardCodedImage,
    SchemaCapture,
    dump_chart,
    dump_schema,
    load_chart,
    load_schema,
)

FACTS = resources.files("kiwi_component_onyx") / "facts"

FLOW = "f220515df7b4"
"""The revision that creates the table llm_model_flow."""


def chart(name: str) -> ChartCapture:
    return load_chart((FACTS / "charts" / f"{name}.json").read_bytes(), file=name)


def schema() -> SchemaCapture:
    return load_schema((FACTS / "schemas" / "onyx-backend.json").read_bytes())


def workload(file: str) -> CapturedWorkload:
    (found,) = (item for item in chart("onyx-0.8.19").workloads if item.file == f"templates/{file}.yaml")
    return found


def test_the_files_are_as_they_were_written() -> None:
    for name in ("onyx-0.8.19", "opensearch-3.6.0"):
        assert dump_chart(chart(name)) == (FACTS / "charts" / f"{name}.json").read_bytes()
        assert f"{chart(name).name}-{chart(name).version}" == name
    assert dump_schema(schema()) == (FACTS / "schemas" / "onyx-backend.json").read_bytes()


def test_loading_a_capture_is_quick() -> None:
    loads = (lambda: chart("onyx-0.8.19"), lambda: chart("opensearch-3.6.0"), schema)
    for load in loads:
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            load()
            best = min(best, time.perf_counter() - start)
        # Each takes 1 to 2 ms; a machine may be busy.
        assert best < 0.02


# The schema


def test_the_history_is_one_line_of_437_revisions() -> None:
    found = schema()
    assert len(found.revisions) == 437
    names = list(found.revisions)
    assert names[0] == "47433d30de82"
    assert names[-1] == "28bb08137807"
    assert list(found.revisions.values()) == [(), *((name,) for name in names[:-1])]


def test_every_stable_tag_since_2_9_has_one_head() -> None:
    found = schema()
    assert len(found.tags) == 547
    recent = {tag: heads for tag, heads in found.tags.items() if tuple(map(int, tag[1:].split("."))) >= (2, 9, 0)}
    assert len(recent) == 166
    assert {len(heads) for heads in recent.values()} == {1}
    assert found.tags["v2.9.0"] == ("d1b637d7050a",)
    assert found.tags["v4.6.1"] == ("3350a25df58e",)


def test_llm_model_flow_came_with_2_12() -> None:
    found = schema()
    assert found.has("v2.11.4", FLOW) is False
    assert found.has("v2.12.0", FLOW) is True
    assert found.has("v4.6.1", FLOW) is True
    assert found.first_tag_with(FLOW) == "v2.12.0"
    assert list(found.revisions).index(FLOW) == 302


def test_what_no_release_has_yet_is_known_and_in_no_tag() -> None:
    found = schema()
    assert found.has("v4.6.1", "28bb08137807") is False
    assert found.first_tag_with("28bb08137807") is None


def test_a_tag_that_was_not_captured_proves_nothing() -> None:
    assert schema().has("v99.0.0", FLOW) is None
    assert schema().has("latest", FLOW) is None


# Images


def test_the_images_that_values_choose_are_known() -> None:
    found = {image.path: image for image in chart("onyx-0.8.19").images}
    backend = {"api", "celery_shared", "slackbot", "discordbot", "mcpServer"}
    assert {f"{name}.image" for name in (*backend, "webserver", "inferenceCapability", "indexCapability")} <= set(found)
    assert {found[f"{name}.image"].repository for name in backend} == {"onyxdotapp/onyx-backend"}
    assert found["webserver.image"].repository == "onyxdotapp/onyx-web-server"
    assert found["inferenceCapability.image"].repository == "onyxdotapp/onyx-model-server"
    assert found["api.image"].keys == ("repository", "tag")
    assert found["configMap"].keys == ("SANDBOX_CONTAINER_IMAGE",)
    assert (found["redis.redisStandalone"].repository, found["redis.redisStandalone"].tag) == (
        "quay.io/opstree/redis",
        "v7.0.15",
    )
    (main, chown, sysctl) = chart("opensearch-3.6.0").images
    assert (main.path, main.repository, main.keys) == ("image", "opensearchproject/opensearch", ("repository", "tag"))
    assert (chown.path, sysctl.path) == ("persistence", "sysctlInit")


def test_the_images_that_templates_name_themselves_are_known() -> None:
    assert chart("onyx-0.8.19").hard_coded == (
        HardCodedImage(
            image="bitnami/kubectl:latest",
            file="templates/pre-delete-cleanup.yaml",
            line=82,
            guards=("?",),
            hook="pre-delete",
        ),
        HardCodedImage(
            image="curlimages/curl:8.10.1",
            file="templates/tests/test-connection.yaml",
            line=14,
            guards=("?",),
            hook="test",
        ),
    )
    assert chart("opensearch-3.6.0").hard_coded == ()


# Values


@pytest.mark.parametrize(
    "path",
    [
        "global.version",
        "global.pullPolicy",
        "imagePullSecrets",
        "api.image.tag",
        "api.replicaCount",
        "api.runStartupMigrations",
        "api.podAnnotations.checksum/secrets",
        "api.containerPorts.server",
        "celery_shared.image.repository",
        "celery_worker_user_file_processing.podAnnotations.x",
        "inferenceCapability.podLabels",
        "indexCapability.replicaCount",
        "slackbot.enabled",
        "vectorDB.enabled",
        "postgresql.enabled",
        "postgresqlOperator.enabled",
        "postgresql.installCRDs",
        "redis.enabled",
        "redisOperator.enabled",
        "opensearch.enabled",
        "minio.enabled",
        "minio.existingSecret",
        "nginx.enabled",
        "codeInterpreter.enabled",
        "ingress.enabled",
        "ingress.api.host",
        "letsencrypt.enabled",
        "extraManifests",
        "extraEnvFromSecret",
        "config.envConfigMapName",
        "configMap.POSTGRES_HOST",
        "configMap.ANY_NEW_VARIABLE",
        "postgresTls.sslMode",
        "postgresTls.caSecretName",
        "auth.postgresql.existingSecret",
        "auth.postgresql.secretKeys.POSTGRES_USER",
        "auth.userauth.enabled",
        "auth.dbreadonly.secretKeys.DB_READONLY_PASSWORD",
        "auth.kiwi.enabled",
        "auth.kiwi.existingSecret",
        "auth.kiwi.secretKeys.ENCRYPTION_KEY_SECRET",
        "auth.kiwi.allPods",
    ],
)
def test_a_value_that_means_something_is_known(path: str) -> None:
    assert chart("onyx-0.8.19").knows(tuple(path.split("."))) is True


@pytest.mark.parametrize(
    "path",
    [
        "api.replicas",
        "api.image.digest",
        "api.podAnnotation.x",
        "celeryShared.image.tag",
        "extraManifest",
        "ingress.annotations",
        "ingress.api.tls",
        "auth.kiwi.exsitingSecret",
        "auth.userauth.secretKey.USER_AUTH_SECRET",
        "configMap.POSTGRES_HOST.x",
        "postgresTls.caSecret",
    ],
)
def test_a_value_that_is_misspelt_is_not_known(path: str) -> None:
    assert chart("onyx-0.8.19").knows(tuple(path.split("."))) is False


@pytest.mark.parametrize(
    "path", ["postgresql.cluster.instnces", "code-interpreter.replicaCount", "redis.x", "global.x"]
)
def test_what_only_a_subchart_could_say_stays_open(path: str) -> None:
    assert chart("onyx-0.8.19").knows(tuple(path.split("."))) is None


def test_opensearch_values_are_known_and_misspelt_ones_are_not() -> None:
    found = chart("opensearch-3.6.0")
    known = ["singleNode", "persistence.size", "persistence.imageTag", "extraEnvs", "podAnnotations.x", "labels.y"]
    known += ["config.log4j2", "securityConfig.config.data.x", "rbac.create", "keystore", "global.dockerRegistry"]
    assert {path for path in known if found.knows(tuple(path.split("."))) is not True} == set()
    assert [found.knows(path) for path in (("singelNode",), ("persistence", "sise"), ("image", "digest"))] == [
        False
    ] * 3


# Objects


def test_annotations_reach_every_pod_that_stays_but_two() -> None:
    deaf = {item.file for item in chart("onyx-0.8.19").workloads if item.annotations is None and item.hook is None}
    assert deaf == {"templates/inference-model-deployment.yaml", "templates/sandbox-image-prepuller.yaml"}
    assert workload("api-deployment").annotations == "api.podAnnotations"
    assert (
        workload("celery-worker-user-file-processing").annotations
        == "celery_worker_user_file_processing.podAnnotations"
    )
    assert workload("indexing-model-deployment").annotations == "indexCapability.podAnnotations"
    assert workload("inference-model-deployment").labels == "inferenceCapability.podLabels"


def test_ports_and_conditions_of_the_workloads_are_known() -> None:
    assert workload("api-deployment").ports == ("api.containerPorts.server",)
    assert workload("celery-worker-primary").ports == (9097,)
    assert workload("sandbox-proxy/deployment").ports == (8080, 8081)
    assert workload("slackbot").guards == ("slackbot.enabled",)
    assert workload("celery-beat").guards == ("vectorDB.enabled", "?")
    (opensearch,) = chart("opensearch-3.6.0").workloads
    assert (opensearch.kind, opensearch.guards, opensearch.annotations) == ("StatefulSet", (), "podAnnotations")
    assert opensearch.ports == ("httpPort", "transportPort", "metricsPort")


def test_cluster_wide_objects_are_known() -> None:
    assert chart("onyx-0.8.19").cluster_objects == (
        ClusterObject(kind="ClusterIssuer", file="templates/lets-encrypt.yaml", guards=("letsencrypt.enabled",)),
        ClusterObject(kind="Namespace", file="templates/sandbox-namespace.yaml", guards=("?",)),
    )
    assert [item.kind for item in chart("opensearch-3.6.0").cluster_objects] == ["PodSecurityPolicy"]


def test_subcharts_and_their_switches_are_known() -> None:
    found = {item.key: item for item in chart("onyx-0.8.19").subcharts}
    assert list(found) == [
        "postgresql",
        "onyx-cnpg-crds",
        "opensearch",
        "nginx",
        "redis-operator",
        "redis",
        "minio",
        "code-interpreter",
    ]
    assert (found["postgresql"].name, found["postgresql"].version) == ("cloudnative-pg", "0.26.0")
    assert found["postgresql"].conditions == ("postgresqlOperator.enabled", "postgresql.enabled")
    assert found["nginx"].name == "ingress-nginx"
