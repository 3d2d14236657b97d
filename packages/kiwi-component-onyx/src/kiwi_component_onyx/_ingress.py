"""Onyx's way in: one host, four routes.

The chart's own Ingress takes no annotations and forces an issuer of its own, so it stays off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kiwi_core import IngressBinding, Value

__all__ = ["ingresses"]


def ingresses(ingress: IngressBinding, host: str) -> list[Value]:
    """Return the Ingress objects: the API without its prefix, sign-in and provisioning as they are, all else the web.

    Args:
        ingress: the controller.
        host: the public name.
    """
    # Uploads, long answers and answers that stream (Onyx's nginx.conf).
    limits = {
        "nginx.ingress.kubernetes.io/proxy-body-size": "5g",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
        "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    }
    rewrite = {
        "nginx.ingress.kubernetes.io/use-regex": "true",
        "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
    }
    regex = ("/api(/|$)(.*)", "ImplementationSpecific")
    return [
        _ingress(ingress, "onyx-api", host, limits | rewrite, [(*regex, "onyx-api-service", 8080)]),
        _ingress(
            ingress,
            "onyx-plain",
            host,
            limits,
            [(path, "Prefix", "onyx-api-service", 8080) for path in ("/auth/saml", "/scim")]
            + [("/", "Prefix", "onyx-webserver", 3000)],
        ),
    ]


def _ingress(
    ingress: IngressBinding,
    name: str,
    host: str,
    annotations: Mapping[str, str],
    routes: Sequence[tuple[str, str, str, int]],
) -> Mapping[str, Value]:
    issuer = {"cert-manager.io/cluster-issuer": ingress.issuer} if ingress.issuer else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": {**annotations, **issuer}},
        "spec": {
            "ingressClassName": ingress.class_name,
            "rules": [
                {
                    "host": host,
                    "http": {
                        "paths": [
                            {
                                "path": path,
                                "pathType": kind,
                                "backend": {"service": {"name": service, "port": {"number": port}}},
                            }
                            for path, kind, service, port in routes
                        ]
                    },
                }
            ],
            "tls": [{"hosts": [host], **({"secretName": "onyx-tls"} if ingress.issuer else {})}],
        },
    }
