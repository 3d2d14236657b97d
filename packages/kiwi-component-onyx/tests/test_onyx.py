from __future__ import annotations

import json
from collections.abc import Mapping

import attrs
import pytest
from kiwi_component_onyx import Onyx
from kiwi_core import BucketOffer, ExistingServices, Lane, OidcOffer, PostgresOffer, SecretKey, SmtpOffer, Value
from kiwi_core.testing import CLUSTER, ComponentKit, Trial, trial

DIGEST = "sha256:" + "0" * 64
SERVICES = ExistingServices(
    postgres=PostgresOffer(host="db", admin=SecretKey("db", "password")),
    bucket=BucketOffer(endpoint_url="http://s3:9000", admin_user="admin", admin=SecretKey("s3", "password")),
)
EVERYTHING = attrs.evolve(
    SERVICES,
    oidc=OidcOffer(issuer="https://id.{domain}/realms/trial"),
    smtp=SmtpOffer(host="mail", user="onyx", password=SecretKey("mail", "password")),
)
ALONE = attrs.evolve(CLUSTER, offers=())


def with_backend(tag: str) -> dict[str, str]:
    return {"onyxBackend": f"docker.io/onyxdotapp/onyx-backend:{tag}"}


def at(tree: Value, path: str) -> Value:
    for step in path.split("."):
        assert isinstance(tree, Mapping)
        tree = tree[step]
    return tree


def on_trial(onyx: Onyx = Onyx(), services: ExistingServices = EVERYTHING) -> Trial:  # noqa: B008 -- frozen
    return trial(onyx, services, images=with_backend(f"v4.6.1@{DIGEST}"))


class TestOnyx(ComponentKit):
    component = Onyx(replicas=2, email_domains=("trial.example",), fetches_from=("github.com",))
    served_by = (EVERYTHING,)
    images = with_backend(f"v4.6.1@{DIGEST}")


class TestOnyxWithTheLeast(ComponentKit):
    component = Onyx()
    served_by = (SERVICES,)
    images = with_backend(f"v4.6.1@{DIGEST}")


def test_every_bundled_service_is_off() -> None:
    values = on_trial().values("onyx")
    for name in ("postgresql", "redis", "opensearch", "minio", "nginx", "codeInterpreter", "ingress", "letsencrypt"):
        assert at(values, f"{name}.enabled") is False


def test_every_section_of_credentials_that_is_on_names_a_secret() -> None:
    values = on_trial().values("onyx")
    sections = at(values, "auth")
    assert isinstance(sections, Mapping)
    on = {name for name in sections if at(values, f"auth.{name}.enabled")}
    assert on == {
        "postgresql", "dbreadonly", "objectstorage", "redis", "opensearch", "userauth", "metricsAuth", "kiwi", "oauth",
        "smtp",
    }  # fmt: skip
    assert all(at(values, f"auth.{name}.existingSecret") for name in on)


def test_no_image_is_left_at_latest() -> None:
    assert "latest" not in on_trial().files()["values/onyx.yaml.gotmpl"].decode()


def test_it_waits_for_its_own_redis_and_opensearch() -> None:
    assert set(on_trial().needs("onyx")) == {"foundation", "onyx-pre", "onyx-redis", "onyx-opensearch"}


def test_sign_in_and_mail_are_wired_only_where_the_tenant_has_them() -> None:
    least = trial(Onyx(), SERVICES, cluster=ALONE, images=with_backend("v4.6.1")).values("onyx")
    assert at(least, "auth.oauth.enabled") is False
    assert at(least, "auth.smtp.enabled") is False
    assert least["extraManifests"] == []
    full = on_trial().values("onyx")
    assert at(full, "configMap.OPENID_CONFIG_URL") == (
        "https://id.trial.example/realms/trial/.well-known/openid-configuration"
    )
    assert at(full, "auth.smtp.secretKeys") == {"SMTP_PASS": "password"}


def test_only_pods_that_fetch_may_leave_the_cluster() -> None:
    quiet = trial(Onyx(), SERVICES, cluster=ALONE, images=with_backend("v4.6.1")).files()["stack.json"].decode()
    assert "-egress" not in quiet
    busy = json.loads(on_trial(Onyx(fetches_from=("github.com",))).files()["stack.json"])["policies"]
    reasons = {policy["name"]: policy["because"] for policy in busy}
    assert reasons["onyx-docfetching-egress"] == "onyx calls github.com"


@pytest.mark.parametrize("tag", ["v2.11.0", "v2.11.4"])
def test_an_image_before_the_table_that_the_seed_needs_fails_the_build(tag: str) -> None:
    findings = trial(Onyx(), SERVICES, images=with_backend(tag)).findings
    assert len(findings) == 1
    assert "[g] component onyx" in findings[0]
    assert "f220515df7b4" in findings[0]
    assert "v2.12.0" in findings[0]


def test_images_without_a_digest_are_the_only_findings_in_dogfood() -> None:
    findings = trial(Onyx(), SERVICES, lane=Lane.DOGFOOD, images=with_backend("v4.6.1")).findings
    assert len(findings) == 1
    assert "--image onyxBackend=v4.6.1@sha256:<digest>" in findings[0]


@pytest.mark.parametrize(
    "settings",
    [{"replicas": 0}, {"workers": 0}, {"index_size": "64"}, {"index_memory": 1}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Onyx(**settings)  # type: ignore[arg-type]
