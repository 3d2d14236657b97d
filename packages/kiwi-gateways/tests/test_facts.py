"""The captures that are shipped: what they must say for the checks to be worth anything."""

from __future__ import annotations

from importlib import resources

import pytest
from kiwi_core.testing import CapturedWorkload, ChartCapture, dump_chart, load_chart

FACTS = resources.files("kiwi_gateways") / "facts" / "charts"

CERT_MANAGER, INGRESS_NGINX, LITELLM = "cert-manager-v1.21.1", "ingress-nginx-4.15.1", "litellm-helm-1.1.0"
UPSTREAM = (CERT_MANAGER, INGRESS_NGINX, LITELLM)
OWN = ("cert-issuers-0.1.0", "litellm-db-0.1.0", "searxng-0.1.0")


def chart(name: str) -> ChartCapture:
    return load_chart((FACTS / f"{name}.json").read_bytes(), file=name)


def workload(name: str, file: str) -> CapturedWorkload:
    (found,) = (item for item in chart(name).workloads if item.file == f"templates/{file}.yaml")
    return found


def knows(name: str, path: str) -> bool | None:
    return chart(name).knows(tuple(path.split(".")))


@pytest.mark.parametrize("name", [*UPSTREAM, *OWN])
def test_the_files_are_as_they_were_written(name: str) -> None:
    assert dump_chart(chart(name)) == (FACTS / f"{name}.json").read_bytes()
    assert f"{chart(name).name}-{chart(name).version}" == name


def test_there_are_facts_of_no_other_chart() -> None:
    assert {item.name for item in FACTS.iterdir()} == {f"{name}.json" for name in (*UPSTREAM, *OWN)}


def test_upstream_s_charts_say_what_they_install_and_where_they_came_from() -> None:
    assert [chart(name).app_version for name in UPSTREAM] == ["v1.21.1", "1.15.1", "v1.85.1"]
    assert chart(CERT_MANAGER).source == "github:cert-manager/cert-manager 24e33194fb39 deploy/charts/cert-manager"
    assert chart(INGRESS_NGINX).source == "github:kubernetes/ingress-nginx 0a5901f3c64f charts/ingress-nginx"
    assert chart(LITELLM).source.startswith("github:BerriAI/litellm helm/litellm-helm")


# Images


def test_the_images_of_cert_manager_are_known() -> None:
    found = {image.path: image.keys for image in chart(CERT_MANAGER).images}
    whole = ("registry", "repository", "tag", "digest", "name")
    assert {path for path, keys in found.items() if keys == whole} == {
        "image",
        "cainjector.image",
        "startupapicheck.image",
        "webhook.image",
    }
    # It stands in an argument of the controller, and what the argument reads beside the name is not told.
    assert found["acmesolver.image"] == ("repository",)
    assert knows(CERT_MANAGER, "acmesolver.image.tag") is True


def test_the_images_of_ingress_nginx_are_known_with_upstream_s_tags() -> None:
    found = {image.path: (image.repository, image.tag) for image in chart(INGRESS_NGINX).images}
    assert found["controller.image"] == ("ingress-nginx/controller", "v1.15.1")
    assert found["controller.admissionWebhooks.patch.image"] == ("ingress-nginx/kube-webhook-certgen", "v1.6.9")
    assert knows(INGRESS_NGINX, "controller.image.digestChroot") is True


def test_litellm_s_one_image_is_known() -> None:
    (image,) = chart(LITELLM).images
    assert (image.path, image.repository, image.keys) == (
        "image",
        "ghcr.io/berriai/litellm-database",
        ("repository", "tag"),
    )


def test_templates_name_no_image_themselves_but_those_of_helm_s_tests() -> None:
    assert {item.hook for name in UPSTREAM for item in chart(name).hard_coded} == {"test"}
    assert [chart(name).hard_coded for name in (CERT_MANAGER, INGRESS_NGINX, *OWN)] == [()] * 5


# Values


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (CERT_MANAGER, "crds.keep"),
        (CERT_MANAGER, "global.leaderElection.namespace"),
        (CERT_MANAGER, "webhook.securePort"),
        (CERT_MANAGER, "webhook.image.digest"),
        (CERT_MANAGER, "prometheus.enabled"),
        (INGRESS_NGINX, "controller.ingressClassResource.default"),
        (INGRESS_NGINX, "controller.service.externalTrafficPolicy"),
        (INGRESS_NGINX, "controller.admissionWebhooks.port"),
        (INGRESS_NGINX, "controller.config.annotations-risk-level"),
        (LITELLM, "masterkeySecretName"),
        (LITELLM, "environmentSecrets"),
        (LITELLM, "db.secret.passwordKey"),
        (LITELLM, "proxy_config.model_list"),
        (LITELLM, "envVars.LITELLM_LOCAL_MODEL_COST_MAP"),
        (LITELLM, "migrationJob.hooks.helm.enabled"),
        ("searxng-0.1.0", "settings.search.formats"),
        ("litellm-db-0.1.0", "size"),
        ("cert-issuers-0.1.0", "ingressClass"),
    ],
)
def test_a_value_that_means_something_is_known(name: str, path: str) -> None:
    assert knows(name, path) is True


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (CERT_MANAGER, "installCRD"),
        (CERT_MANAGER, "webhook.image.tags"),
        (INGRESS_NGINX, "controller.replicas"),
        (INGRESS_NGINX, "controller.ingressClassResource.nam"),
        ("searxng-0.1.0", "setting"),
        ("litellm-db-0.1.0", "storage"),
    ],
)
def test_a_value_that_is_misspelt_is_not_known(name: str, path: str) -> None:
    assert knows(name, path) is False


def test_litellm_s_subcharts_are_apart_and_have_switches() -> None:
    found = {item.key: (item.conditions, item.captured) for item in chart(LITELLM).subcharts}
    assert found == {"postgresql": (("db.deployStandalone",), False), "redis": (("redis.enabled",), False)}


# Objects


def test_annotations_reach_the_pods_that_consume_secrets() -> None:
    assert workload(LITELLM, "deployment").annotations == "podAnnotations"
    assert workload("litellm-db-0.1.0", "postgres").annotations == "podAnnotations"
    assert workload("searxng-0.1.0", "searxng").annotations == "podAnnotations"


def test_ports_of_the_workloads_are_known() -> None:
    assert workload(LITELLM, "deployment").ports == ("service.port",)
    assert workload(INGRESS_NGINX, "controller-deployment").ports == (
        "controller.containerPort.*",
        "controller.metrics.port",
        "controller.admissionWebhooks.port",
    )
    assert "webhook.securePort" in workload(CERT_MANAGER, "webhook-deployment").ports
    assert workload("litellm-db-0.1.0", "postgres").ports == (5432,)
    assert workload("searxng-0.1.0", "searxng").ports == (8080,)


def test_jobs_run_as_hooks_and_are_known() -> None:
    jobs = "templates/admission-webhooks/job-patch/"
    hooks = {item.file: item.hook for item in chart(INGRESS_NGINX).workloads if item.kind == "Job"}
    assert hooks == {
        f"{jobs}job-createSecret.yaml": "pre-install,pre-upgrade",
        f"{jobs}job-patchWebhook.yaml": "post-install,post-upgrade",
    }
    assert workload(LITELLM, "migrations-job").hook == "pre-install,pre-upgrade"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        (
            INGRESS_NGINX,
            {"ClusterRole", "ClusterRoleBinding", "IngressClass", "ValidatingWebhookConfiguration"},
        ),
        (
            CERT_MANAGER,
            {
                *("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"),
                *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "PodSecurityPolicy"),
            },
        ),
        (LITELLM, set[str]()),
        ("searxng-0.1.0", set[str]()),
        ("litellm-db-0.1.0", set[str]()),
        ("cert-issuers-0.1.0", {"ClusterIssuer"}),
    ],
)
def test_cluster_wide_objects_are_known(name: str, kinds: set[str]) -> None:
    assert {item.kind for item in chart(name).cluster_objects} == kinds
