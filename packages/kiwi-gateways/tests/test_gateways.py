from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import attrs
import pytest
from kiwi_core import Credential, External, Gateway, Lane, LlmOffer, Pin, SharedOffer, Text, Value
from kiwi_core.testing import CLUSTER, ComponentKit, Trial, trial
from kiwi_gateways import CertManager, IngressNginx, LiteLlm, Model, SearXng

CHAT = Model(name="chat", provider_model="mistral/mistral-large-latest", credential="MISTRAL_API_KEY")
OWN_MODEL = Model(name="own", provider_model="hosted_vllm/qwen", api_base="https://models.example:8443/v1")
LITELLM = LiteLlm(models=(CHAT, OWN_MODEL), replicas=2)
SEARXNG = SearXng(replicas=2)
INGRESS = IngressNginx(issuer="letsencrypt")
CERTIFICATES = CertManager(email="operator@platform.example")
GATEWAYS: tuple[Gateway, ...] = (LITELLM, SEARXNG, INGRESS, CERTIFICATES)

PINS = {
    "litellm-db": {"litellmPostgres"},
    "litellm": {"litellm"},
    "searxng": {"searxng"},
    "ingress-nginx": {"ingressNginxController", "ingressNginxCertgen"},
    "cert-manager": {
        "certManagerAcmesolver",
        "certManagerCainjector",
        "certManagerController",
        "certManagerStartupapicheck",
        "certManagerWebhook",
    },
    "cert-issuers": set[str](),
}


def at(tree: Value, path: str) -> Value:
    for step in path.split("."):
        assert isinstance(tree, Mapping)
        tree = tree[step]
    return tree


def leaves(tree: Value) -> Iterator[Value]:
    if isinstance(tree, Mapping):
        for item in tree.values():
            yield from leaves(item)
    elif isinstance(tree, Sequence) and not isinstance(tree, str):
        for item in tree:
            yield from leaves(item)
    else:
        yield tree


def maps(tree: Value) -> list[Mapping[str, Value]]:
    assert isinstance(tree, Sequence)
    return [item for item in tree if isinstance(item, Mapping)]


def policies(found: Trial, service: str) -> dict[str, Value]:
    """The specs of the NetworkPolicies of a gateway's namespace, by name."""
    return {str(item["name"]): item["spec"] for item in maps(found.values(f"foundation-{service}")["allow"])}


def ports(policy: Value) -> set[int]:
    """The TCP ports that a policy names."""
    assert isinstance(policy, Mapping)
    rules = [rule for direction in ("ingress", "egress") for rule in maps(policy.get(direction, ()))]
    found = [port["port"] for rule in rules for port in maps(rule["ports"])]
    return {port for port in found if isinstance(port, int)}


class TestLiteLlm(ComponentKit):
    component = LITELLM


class TestLiteLlmWithoutModels(ComponentKit):
    component = LiteLlm()


class TestSearXng(ComponentKit):
    component = SEARXNG


class TestIngressNginx(ComponentKit):
    component = IngressNginx(service_type="NodePort", replicas=1)


class TestCertManager(ComponentKit):
    component = CertManager(
        issuer="staging",
        email="operator@platform.example",
        server="https://acme.platform.example:14000/directory",
        ingress_class="other",
    )


# All of them


def test_all_four_make_one_cluster_of_which_nothing_is_left_unproven() -> None:
    results = trial(*GATEWAYS).results
    assert [result.subject for result in results if result.outcome.value != "pass"] == ["history of the pins"]


@pytest.mark.parametrize("lane", list(Lane))
def test_all_four_keep_the_contract_together(lane: Lane) -> None:
    assert trial(*GATEWAYS, lane=lane).findings == ()


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.kind)
def test_no_value_of_a_gateway_names_a_customer(gateway: Gateway) -> None:
    found = trial(gateway)
    (customer,) = CLUSTER.customers
    for release in gateway.declare().releases:
        said = {str(leaf) for leaf in leaves(found.values(release.name)) if isinstance(leaf, str)}
        assert said
        assert [text for text in said if customer.domain in text or customer.namespace in text] == []


@pytest.mark.parametrize("release", PINS)
def test_every_image_is_a_pin(release: str) -> None:
    found = trial(*GATEWAYS).values(release)
    assert {leaf.name for leaf in leaves(found) if isinstance(leaf, Pin)} == PINS[release]
    for part in ("name", "tag"):
        assert {leaf.name for leaf in leaves(found) if isinstance(leaf, Pin) and leaf.part == part} == PINS[release]


def test_what_is_offered_is_what_customers_are_on_trial_with() -> None:
    declared = (offer for gateway in GATEWAYS for offer in gateway.declare().offers)
    offers = {offer.kind: offer for offer in declared if isinstance(offer, SharedOffer)}
    assert offers.keys() == {offer.kind for offer in CLUSTER.offers}
    for known in CLUSTER.offers:
        here, there = offers[known.kind].endpoint(), known.endpoint()
        assert there
        assert (here.namespace, {*there.ports} - {*here.ports}) == (there.namespace, set())


def test_issuers_wait_for_cert_manager_and_that_for_the_ingress() -> None:
    together = trial(*GATEWAYS)
    assert set(together.needs("cert-issuers")) == {"foundation-cert-manager", "cert-manager"}
    assert set(together.needs("cert-manager")) == {"foundation-cert-manager", "ingress-nginx"}


# LiteLLM


def test_the_master_key_is_derived_and_no_literal() -> None:
    key = at(trial(LITELLM).values("foundation-llm-gateway"), "secrets.litellm-master-key.masterkey")
    assert isinstance(key, Text)
    prefix, secret = key.segments
    assert prefix == "sk-"
    assert isinstance(secret, Credential)
    # Forty hexadecimal digits: LiteLLM wants sixteen characters and more.
    assert (secret.scope, secret.encoding) == ("litellm", ("sha1sum",))
    assert at(trial(LITELLM).values("litellm"), "masterkeySecretName") == "litellm-master-key"


def test_the_password_of_the_database_is_one_that_an_address_can_hold() -> None:
    password = at(trial(LITELLM).values("foundation-llm-gateway"), "secrets.litellm-db.password")
    assert isinstance(password, Credential)
    assert password.encoding == ("sha1sum",)
    assert at(trial(LITELLM).values("litellm"), "db.secret.name") == "litellm-db"
    assert at(trial(LITELLM).values("litellm-db"), "existingSecret") == "litellm-db-admin"


def test_litellm_waits_for_its_database() -> None:
    assert set(trial(LITELLM).needs("litellm")) == {"foundation-llm-gateway", "litellm-db", "litellm-pre"}
    assert set(trial(LITELLM).needs("litellm-pre")) == {"foundation-llm-gateway", "litellm-db"}


def test_what_litellm_bundles_is_off() -> None:
    values = trial(LITELLM).values("litellm")
    for path in ("db.deployStandalone", "redis.enabled", "migrationJob.hooks.argocd.enabled"):
        assert at(values, path) is False
    assert at(values, "migrationJob.hooks.helm.enabled") is True


def test_models_are_named_with_their_keys_which_are_externals() -> None:
    found = trial(LiteLlm(models=(CHAT, OWN_MODEL)))
    values = found.values("litellm")
    assert at(values, "proxy_config.model_list") == [
        {
            "model_name": "chat",
            "litellm_params": {"model": "mistral/mistral-large-latest", "api_key": "os.environ/MISTRAL_API_KEY"},
        },
        {
            "model_name": "own",
            "litellm_params": {"model": "hosted_vllm/qwen", "api_base": "https://models.example:8443/v1"},
        },
    ]
    assert at(values, "environmentSecrets") == ["litellm-salt-key", "litellm-model-keys"]
    secrets = found.values("foundation-llm-gateway")["secrets"]
    key = External("mistral-api-key", "the API of model chat gives it out")
    assert at(secrets, "litellm-model-keys") == {"MISTRAL_API_KEY": key}


def test_an_external_is_asked_for_only_by_a_model_with_a_key() -> None:
    assert at(trial(LiteLlm(models=(OWN_MODEL,))).values("litellm"), "environmentSecrets") == ["litellm-salt-key"]


def test_litellm_leaves_the_cluster_only_for_its_models() -> None:
    assert [name for name in policies(trial(LiteLlm()), "llm-gateway") if "egress" in name] == []
    found = policies(trial(LiteLlm(models=(CHAT, OWN_MODEL))), "llm-gateway")
    assert ports(found["litellm-proxy-egress"]) == {443, 8443}


def test_customers_reach_litellm_at_its_port_alone() -> None:
    assert ports(policies(trial(LITELLM), "llm-gateway")["litellm-llm-main-from-users"]) == {4000}


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'chat' stands twice"):
        LiteLlm(models=(CHAT, CHAT))


@pytest.mark.parametrize(
    "settings",
    [
        {"credential": "PROXY_MASTER_KEY"},
        {"credential": "mistral_api_key"},
        {"api_base": "models.example"},
        {"api_base": "https://user:password@models.example"},
        {"provider_model": "mistral-large-latest"},
        {"name": ""},
    ],
)
def test_settings_of_a_model_out_of_range_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Model(**{"name": "chat", "provider_model": "mistral/mistral-large-latest", **settings})


# SearXNG


def test_searxng_answers_programs_and_holds_nobody_for_a_bot() -> None:
    values = trial(SEARXNG).values("searxng")
    assert at(values, "settings.search.formats") == ["html", "json"]
    assert at(values, "settings.server.limiter") is False
    assert isinstance(at(trial(SEARXNG).values("foundation-search-gateway"), "secrets.searxng.secret"), Credential)


def test_searxng_calls_the_web_and_is_called_by_customers() -> None:
    found = policies(trial(SEARXNG), "search-gateway")
    assert ports(found["searxng-search-egress"]) == {80, 443}
    assert ports(found["searxng-search-main-from-users"]) == {8080}


# ingress-nginx


def test_an_image_with_its_digest_in_the_tag_is_given_no_second_one() -> None:
    values = trial(INGRESS).values("ingress-nginx")
    for path in ("controller.image", "controller.admissionWebhooks.patch.image"):
        assert at(values, f"{path}.digest") == ""
    assert at(values, "controller.image.digestChroot") == ""


def test_everybody_reaches_the_web_ports_and_only_the_api_server_the_webhook() -> None:
    found = policies(trial(INGRESS), "ingress")
    assert ports(found["ingress-nginx-controller-from-outside"]) == {80, 443}
    assert ports(found["ingress-nginx-webhook-from-api-server"]) == {8443}
    assert {name for name in found if name.endswith("-to-api-server")} == {
        "ingress-nginx-controller-to-api-server",
        "ingress-nginx-admission-jobs-to-api-server",
    }
    assert "cust-trial" in json.dumps(found["ingress-nginx-ingress-main-to-users"])


def test_no_snippets_and_no_ingress_without_a_class() -> None:
    controller = at(trial(INGRESS).values("ingress-nginx"), "controller")
    assert at(controller, "allowSnippetAnnotations") is False
    assert at(controller, "watchIngressWithoutClass") is False


# cert-manager


def test_the_image_of_the_solver_is_a_pin_though_the_facts_cannot_tell() -> None:
    solver = at(trial(CERTIFICATES).values("cert-manager"), "acmesolver.image")
    assert solver == {
        "repository": Pin("certManagerAcmesolver", "name"),
        "tag": Pin("certManagerAcmesolver", "tag"),
    }


def test_definitions_outlive_the_release_and_leaders_are_elected_at_home() -> None:
    values = trial(CERTIFICATES).values("cert-manager")
    assert at(values, "crds") == {"enabled": True, "keep": True}
    assert at(values, "global.leaderElection.namespace") == CERTIFICATES.namespace == "kiwi-cert-manager"


def test_cert_manager_reaches_the_authority_and_its_own_challenges() -> None:
    alone = policies(trial(TestCertManager.component), "cert-manager")
    assert ports(alone["cert-manager-controller-egress"]) == {80, 443, 14000}
    assert ports(alone["cert-manager-webhook-from-api-server"]) == {10250}
    assert sum(name.endswith("-to-api-server") for name in alone) == 4
    beside = policies(trial(INGRESS, CERTIFICATES), "cert-manager")
    assert ports(beside["cert-manager-controller-to-ingress-cert-manager"]) == {80, 443}


def test_the_issuer_is_declared_by_its_name() -> None:
    declared = CertManager(issuer="staging", email="a@b.example").declare()
    assert declared.releases[1].cluster_objects == ("ClusterIssuer/staging",)
    assert declared.releases[1].requires == ("cert-manager.io",)


@pytest.mark.parametrize(
    ("gateway", "settings"),
    [
        (LiteLlm, {"replicas": 0}),
        (LiteLlm, {"database_size": "8"}),
        (SearXng, {"replicas": 0}),
        (IngressNginx, {"replicas": 0}),
        (IngressNginx, {"service_type": "ClusterIP"}),
        (CertManager, {"email": "nobody"}),
        (CertManager, {"email": "a@b.example", "server": "http://acme.example/directory"}),
        (CertManager, {"email": "a@b.example", "issuer": "Let's Encrypt"}),
    ],
)
def test_settings_out_of_range_are_refused(gateway: type[Gateway], settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=[*settings][-1]):
        gateway(**settings)  # type: ignore[arg-type]


def test_each_customer_has_a_key_that_its_own_tree_derives_as_well() -> None:
    found = trial(LITELLM)
    secrets = at(found.values("foundation-llm-gateway"), "secrets.litellm-post")
    (offer,) = [item for item in LITELLM.declare().offers if isinstance(item, LlmOffer)]
    assert secrets == {"trial.kiwi-llm-gateway.virtual-key": offer.key("trial")}
    (here,), (there,) = (
        [part for part in key.segments if isinstance(part, Credential)] for key in (offer.key("trial"), offer.key())
    )
    assert (here.scope, here.purpose) == (there.scope, there.purpose)
    assert set(found.needs("litellm-post")) == {"foundation-llm-gateway", "litellm", "litellm-db"}


def test_the_key_of_a_customer_with_a_seed_of_its_own_is_an_external() -> None:
    (customer,) = CLUSTER.customers
    cluster = attrs.evolve(CLUSTER, customers=(attrs.evolve(customer, has_own_seed=True),))
    secrets = at(trial(LITELLM, cluster=cluster).values("foundation-llm-gateway"), "secrets.litellm-post")
    assert isinstance(secrets, Mapping)
    (key,) = secrets.values()
    assert isinstance(key, Text)
    assert [part.name for part in key.segments if isinstance(part, External)] == ["trial-virtual-key"]
