"""ingress-nginx: the way in from outside, over upstream's chart.

Keys and names are those of chart ingress-nginx 4.15.1 (charts/ingress-nginx). Upstream maintains it no longer:
whoever uses the offer knows a class and an issuer, and nothing of nginx.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import attrs
from kiwi_core import Bound, Caller, Declaration, Gateway, IngressOffer, Release, Wiring, Workload

from kiwi_gateways._values import image

__all__ = ["IngressNginx"]

CLASS: Final = "nginx"
WEB_PORTS: Final = (80, 443)
ADMISSION_PORT: Final = 8443
ALL_PODS: Final = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/instance": "ingress-nginx"}
CONTROLLER: Final = {**ALL_PODS, "app.kubernetes.io/component": "controller"}
ADMISSION_JOBS: Final = {**ALL_PODS, "app.kubernetes.io/component": "admission-webhook"}


@attrs.frozen(kw_only=True)
class IngressNginx(Gateway):
    """ingress-nginx: the one ingress controller of a cluster.

    Attributes:
        issuer: the ClusterIssuer that customers' Ingresses ask for certificates (:class:`CertManager` makes one); None
            when certificates come otherwise.
        replicas: pods of the controller.
        service_type: how the outside reaches it: a load balancer of the cluster's, or ports of its nodes.
    """

    kind: ClassVar[str] = "ingress-nginx"
    service: ClassVar[str] = "ingress"

    issuer: str | None = None
    replicas: int = attrs.field(default=2, validator=attrs.validators.ge(1))
    service_type: Literal["LoadBalancer", "NodePort"] = attrs.field(
        default="LoadBalancer", validator=attrs.validators.in_(("LoadBalancer", "NodePort"))
    )

    def declare(self) -> Declaration:
        """Say what it is made of."""
        return Declaration(
            releases=(
                Release(
                    name="ingress-nginx",
                    chart="ingress-nginx",
                    wait=True,
                    cluster_objects=(
                        f"IngressClass/{CLASS}",
                        "ClusterRole/ingress-nginx",
                        "ClusterRole/ingress-nginx-admission",
                        "ClusterRoleBinding/ingress-nginx",
                        "ClusterRoleBinding/ingress-nginx-admission",
                        "ValidatingWebhookConfiguration/ingress-nginx-admission",
                    ),
                    unpinned={"global.image": "it fills in what an image leaves open, and each image here is whole"},
                ),
            ),
            offers=(
                IngressOffer(
                    namespace=self.namespace,
                    release="ingress-nginx",
                    pods=CONTROLLER,
                    class_name=CLASS,
                    issuer=self.issuer,
                ),
            ),
        )

    def wire(self, bound: Bound) -> Wiring:
        """Wire the chart: images by their pins, the controller reachable from outside, its webhook from the API server."""
        # The chart appends a digest of its own to whatever tag it is given.
        no_digest = {"digest": ""}
        return Wiring(
            ports=tuple(f"{port}/tcp" for port in WEB_PORTS),
            network=(
                Workload(
                    name="controller", pods=CONTROLLER, called_by=(Caller.OUTSIDE,), ports=WEB_PORTS, calls_api=True
                ),
                Workload(name="webhook", pods=CONTROLLER, called_by=(Caller.API_SERVER,), ports=(ADMISSION_PORT,)),
                # They make the webhook's certificate and put it into its configuration.
                Workload(name="admission-jobs", pods=ADMISSION_JOBS, calls_api=True),
            ),
            overlay={
                "ingress-nginx": {
                    "controller": {
                        "image": {**image(bound, "ingressNginxController"), **no_digest, "digestChroot": ""},
                        "replicaCount": self.replicas,
                        "ingressClass": CLASS,
                        "ingressClassResource": {"name": CLASS, "default": False},
                        "watchIngressWithoutClass": False,
                        # A snippet of one customer's could read what another's hold.
                        "allowSnippetAnnotations": False,
                        "service": {"type": self.service_type, "externalTrafficPolicy": "Local"},
                        "admissionWebhooks": {
                            "port": ADMISSION_PORT,
                            "patch": {"image": {**image(bound, "ingressNginxCertgen"), **no_digest}},
                        },
                    },
                    "defaultBackend": {"enabled": False},
                }
            },
        )
