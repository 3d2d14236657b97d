"""LiteLLM: the language-model gateway, over upstream's chart and a PostgreSQL of its own.

Keys are those of chart litellm-helm 1.1.0 (helm/litellm-helm).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import urlsplit

import attrs
from kiwi_core import (
    Bound,
    Customer,
    Declaration,
    Egress,
    External,
    Gateway,
    LlmOffer,
    Postgres,
    PostgresDatabase,
    PostgresOffer,
    PostgresRole,
    Release,
    Rotation,
    Secret,
    SecretKey,
    Stage,
    Value,
    VirtualKey,
    Wiring,
    Workload,
    checksum,
    text,
)

from kiwi_gateways._values import CHECKSUM, image, web_port

__all__ = ["LiteLlm", "Model"]

# The pods of the migrations carry the same labels; the chart has none that tells the two apart.
PODS: Final = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/instance": "litellm"}
DB: Final = Postgres("litellm")
ADMINISTRATOR: Final = "postgres"


@attrs.frozen(kw_only=True)
class Model:
    """A model that the gateway hands requests on to.

    Attributes:
        name: what customers call it.
        provider_model: LiteLLM's name of it, with the provider before the slash: ``mistral/mistral-large-latest``.
        api_base: address of the API; the provider's own by default.
        credential: the environment variable that holds the API key; None for an API that asks for none. The key is the
            external of that name in small letters: ``MISTRAL_API_KEY`` is ``secrets/mistral-api-key.age``.
    """

    name: str = attrs.field(validator=attrs.validators.min_len(1))
    provider_model: str = attrs.field(validator=attrs.validators.matches_re(r"[^/\s]+/\S+"))
    api_base: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.matches_re(r"https?://[^/@\s]+(/\S*)?"))
    )
    # Of one form, so that no model can be given a key of the gateway's own (PROXY_MASTER_KEY) to send.
    credential: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.matches_re(r"[A-Z][A-Z0-9_]*_API_KEY"))
    )

    @property
    def external(self) -> str:
        """The name of the external that holds the key."""
        return (self.credential or "").lower().replace("_", "-")


def _distinct(_instance: object, _attribute: object, value: tuple[Model, ...]) -> None:
    names = [model.name for model in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"models: {name!r} stands twice: LiteLLM would share the requests out among the two")


@attrs.frozen(kw_only=True)
class LiteLlm(Gateway):
    """LiteLLM: one API for the language models that a cluster shares, with a virtual key for each customer.

    Its values name no customer: keys and teams are made at its API, by a hook for each customer of the cluster. It keeps what they have spent, and no
    prompt and no answer.

    The keys of model APIs come from outside, so no seed derives them: they are externals of the cluster's repository.

    Attributes:
        models: the models, each under one name.
        replicas: pods of the proxy; limits of requests and tokens count in each of them apart.
        database_size: volume of its database, as Kubernetes writes quantities.
    """

    kind: ClassVar[str] = "litellm"
    service: ClassVar[str] = "llm-gateway"

    models: tuple[Model, ...] = attrs.field(default=(), validator=_distinct)
    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    database_size: str = attrs.field(default="8Gi", validator=attrs.validators.matches_re(r"\d+(Mi|Gi|Ti)"))

    def declare(self) -> Declaration:
        """Say what it is made of."""
        return Declaration(
            releases=(
                Release(name="litellm-db", chart="litellm-db", stage=Stage.SERVICES, wait=True),
                # Longer than the migrations may take: their Job is a hook of the release.
                Release(name="litellm", chart="litellm-helm", uses=(DB,), wait=True, timeout=900),
            ),
            offers=(
                PostgresOffer(
                    name="litellm",
                    release="litellm-db",
                    host="litellm-db",
                    admin_user=ADMINISTRATOR,
                    admin=SecretKey("litellm-db-admin", "password"),
                    pods={"app.kubernetes.io/instance": "litellm-db"},
                ),
                self._offer,
            ),
            scopes=(self.namespace,),
        )

    @property
    def _offer(self) -> LlmOffer:
        return LlmOffer(namespace=self.namespace, release="litellm", service="litellm", pods=PODS, is_hooked=True)

    def wire(self, bound: Bound) -> Wiring:
        """Wire both charts to Secrets that are derived here."""
        db = bound[DB]
        admin = Secret("litellm-db-admin", {"password": bound.credential("postgres/admin", rotation=Rotation.INIT)})
        # The chart puts the password into an address as it is: it has to be one of letters and digits.
        database = Secret("litellm-db", {"username": db.user, "password": db.password})
        # LiteLLM refuses one that does not begin so.
        master = Secret("litellm-master-key", {"masterkey": text("sk-{key}", key=bound.credential("master-key"))})
        # Encrypts what models are given at the API; what it has encrypted is lost with it.
        salt_key = bound.credential("salt-key", rotation=Rotation.DATA_KEY)
        salt = Secret("litellm-salt-key", {"LITELLM_SALT_KEY": salt_key})
        keys = self._model_keys()
        return Wiring(
            secrets=(admin, database, master, salt, *keys),
            pre=(PostgresRole(on=DB), PostgresDatabase(on=DB)),
            post=tuple(
                self._virtual_key(customer, SecretKey(master.name, "masterkey")) for customer in bound.customers
            ),
            network=self._network(),
            overlay={
                "litellm-db": {
                    "image": image(bound, "litellmPostgres"),
                    "existingSecret": admin.name,
                    "podAnnotations": {CHECKSUM: checksum(admin)},
                    "user": ADMINISTRATOR,
                    "database": ADMINISTRATOR,
                    "size": self.database_size,
                },
                "litellm": {
                    "image": {**image(bound, "litellm"), "pullPolicy": "IfNotPresent"},
                    "replicaCount": self.replicas,
                    "podAnnotations": {CHECKSUM: checksum(database, master, salt, *keys)},
                    # It calls no Kubernetes.
                    "serviceAccount": {"create": True, "automount": False},
                    "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
                    "masterkeySecretName": master.name,
                    "masterkeySecretKey": "masterkey",
                    "environmentSecrets": [salt.name, *(secret.name for secret in keys)],
                    "envVars": {
                        # The price map that it would otherwise fetch from GitHub at its start.
                        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                        # Customers reach its port, and nobody signs in there.
                        "DISABLE_ADMIN_UI": "True",
                    },
                    "db": {
                        "useExisting": True,
                        "deployStandalone": False,
                        "endpoint": db.host,
                        "database": db.database,
                        "secret": {"name": database.name, "usernameKey": "username", "passwordKey": "password"},
                    },
                    "redis": {"enabled": False},
                    # An ordinary Job would race the pods, and one of that name would block the next upgrade. Argo CD
                    # reads Helm's hooks; its own would run before the database of the first delivery.
                    "migrationJob": {
                        "enabled": True,
                        "hooks": {"helm": {"enabled": True}, "argocd": {"enabled": False}},
                    },
                    "proxy_config": {
                        "model_list": [_entry(model) for model in self.models],
                        "general_settings": {"store_prompts_in_spend_logs": False},
                    },
                    "serviceMonitor": {"enabled": False},
                },
            },
        )

    def _virtual_key(self, customer: Customer, master: SecretKey) -> VirtualKey:
        """Return the hook of a customer's key, which the customer's own tree derives as well."""
        key = text(
            "sk-{key}",
            key=External(f"{customer.slug}-virtual-key", "the customer's seed is its own, and so is the key"),
        )
        return VirtualKey(
            customer=customer.slug,
            url=f"http://{self._offer.service}:{self._offer.port}",
            master=master,
            key=key if customer.has_own_seed else self._offer.key(customer.slug),
        )

    def _model_keys(self) -> tuple[Secret, ...]:
        """Return the Secret of the models' keys, where a model has one: environment variables of the proxy alone."""
        keys = {
            model.credential: External(model.external, f"the API of model {model.name} gives it out")
            for model in self.models
            if model.credential
        }
        return (Secret("litellm-model-keys", keys),) if keys else ()

    def _network(self) -> tuple[Workload, ...]:
        called: dict[str, set[int]] = {}
        for model in self.models:
            provider = model.provider_model.partition("/")[0]
            host = urlsplit(model.api_base).netloc if model.api_base else f"the API of {provider}"
            called.setdefault(host, set()).add(web_port(model.api_base) if model.api_base else 443)
        egress = tuple(Egress(to=host, ports=tuple(sorted(ports))) for host, ports in called.items())
        return (Workload(name="proxy", pods=PODS, egress=egress),) if egress else ()


def _entry(model: Model) -> Mapping[str, Value]:
    """Return a model as LiteLLM's configuration has it."""
    parameters: dict[str, Value] = {"model": model.provider_model}
    if model.api_base:
        parameters["api_base"] = model.api_base
    if model.credential:
        parameters["api_key"] = f"os.environ/{model.credential}"
    return {"model_name": model.name, "litellm_params": parameters}
