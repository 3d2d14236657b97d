"""cert-manager: certificates, over upstream's chart, and a chart of this package's own for the issuer.

Keys and names are those of chart cert-manager v1.21.1 (deploy/charts/cert-manager).
"""

from __future__ import annotations

from typing import ClassVar, Final
from urllib.parse import urlsplit

import attrs
from kiwi_core import Bound, Caller, Declaration, Egress, Gateway, Ingress, Release, Value, Wiring, Workload

from kiwi_gateways._values import image, web_port

__all__ = ["CertManager"]

LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
WEBHOOK_PORT: Final = 10250
INGRESS: Final = Ingress("cert-manager")

KINDS: Final = ("certificaterequests", "certificates", "clusterissuers", "issuers")
ACME_KINDS: Final = ("challenges", "orders")
# templates/rbac.yaml: those without a binding are for people and for what aggregates them.
CONTROLLERS: Final = (
    "issuers", "clusterissuers", "certificates", "orders", "challenges", "ingress-shim",
    "approve:cert-manager-io", "certificatesigningrequests",
)  # fmt: skip
ROLES: Final = (
    *(f"cert-manager-controller-{name}" for name in CONTROLLERS),
    "cert-manager-cainjector",
    "cert-manager-webhook:subjectaccessreviews",
)
LOOSE_ROLES: Final = ("cert-manager-cluster-view", "cert-manager-view", "cert-manager-edit")
CLUSTER_OBJECTS: Final = (
    *(f"CustomResourceDefinition/{name}.cert-manager.io" for name in KINDS),
    *(f"CustomResourceDefinition/{name}.acme.cert-manager.io" for name in ACME_KINDS),
    *(f"ClusterRole/{name}" for name in (*ROLES, *LOOSE_ROLES)),
    *(f"ClusterRoleBinding/{name}" for name in ROLES),
    "MutatingWebhookConfiguration/cert-manager-webhook",
    "ValidatingWebhookConfiguration/cert-manager-webhook",
)


def _pods(name: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": "cert-manager",
        "app.kubernetes.io/component": component,
    }


@attrs.frozen(kw_only=True)
class CertManager(Gateway):
    """cert-manager with one ClusterIssuer: certificates for what customers' Ingresses ask for, over ACME and HTTP-01.

    Attributes:
        issuer: name of the ClusterIssuer; the ingress names the same one.
        email: where the certificate authority writes to.
        server: directory of the ACME server; Let's Encrypt by default.
        ingress_class: the class of the Ingresses that answer its challenges.
    """

    kind: ClassVar[str] = "cert-manager"
    service: ClassVar[str] = "cert-manager"

    issuer: str = attrs.field(
        default="letsencrypt", validator=attrs.validators.matches_re(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
    )
    email: str = attrs.field(validator=attrs.validators.matches_re(r"[^@\s]+@[^@\s]+"))
    server: str = attrs.field(default=LETS_ENCRYPT, validator=attrs.validators.matches_re(r"https://[^/@\s]+/\S*"))
    ingress_class: str = attrs.field(default="nginx", validator=attrs.validators.min_len(1))

    def declare(self) -> Declaration:
        """Say what it is made of."""
        return Declaration(
            releases=(
                Release(
                    name="cert-manager",
                    chart="cert-manager",
                    uses=(INGRESS,),
                    wait=True,
                    brings=("cert-manager.io", "acme.cert-manager.io"),
                    cluster_objects=CLUSTER_OBJECTS,
                    unpinned={
                        "": "imageNamespace stands before names without a repository, and each image here has one",
                        "acmesolver.image": "it is pinned; the chart names it in an argument and not on an image line",
                    },
                ),
                Release(
                    name="cert-issuers",
                    chart="cert-issuers",
                    needs=("cert-manager",),
                    requires=("cert-manager.io",),
                    cluster_objects=(f"ClusterIssuer/{self.issuer}",),
                ),
            ),
            wants=(INGRESS,),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Wire both charts."""
        server = urlsplit(self.server).netloc
        # It asks for its own challenges before the authority does; within the cluster that may lead straight to the
        # ingress, which is no outside.
        challenges = Egress(to="its own challenges, to see that they are answered", ports=(80, 443))
        authority = Egress(to=f"the certificate authority ({server})", ports=(web_port(self.server),))
        return Wiring(
            network=(
                Workload(
                    name="controller",
                    pods=_pods("cert-manager", "controller"),
                    calls=(INGRESS,),
                    egress=(authority, challenges),
                    calls_api=True,
                ),
                Workload(
                    name="webhook",
                    pods=_pods("webhook", "webhook"),
                    called_by=(Caller.API_SERVER,),
                    ports=(WEBHOOK_PORT,),
                    calls_api=True,
                ),
                Workload(name="cainjector", pods=_pods("cainjector", "cainjector"), calls_api=True),
                Workload(name="startup-check", pods=_pods("startupapicheck", "startupapicheck"), calls_api=True),
            ),
            overlay={
                "cert-manager": {
                    # Kept when the release goes: with a definition, all certificates of all customers would go.
                    "crds": {"enabled": True, "keep": True},
                    # In kube-system, by default, where this release has no business.
                    "global": {"leaderElection": {"namespace": self.namespace}},
                    "prometheus": {"enabled": False},
                    "image": image(bound, "certManagerController"),
                    "acmesolver": {"image": image(bound, "certManagerAcmesolver")},
                    "cainjector": {"image": image(bound, "certManagerCainjector")},
                    "startupapicheck": {"image": image(bound, "certManagerStartupapicheck")},
                    "webhook": {"image": image(bound, "certManagerWebhook"), "securePort": WEBHOOK_PORT},
                },
                "cert-issuers": self._issuer(),
            },
        )

    def _issuer(self) -> dict[str, Value]:
        return {
            "name": self.issuer,
            "email": self.email,
            "server": self.server,
            "ingressClass": self.ingress_class,
        }
